"""Sentences as WAV files: the package's prompts, and others rendered by the engines."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from mien.files.targets import output_error
from mien.resource import Resource
from mien.voice.engines import Engine
from mien.voice.responses import Sentence
from mien.voice.time_limit import Outcome, TimeLimit

_KEPT = 32


class SpokenFiles(Resource):
    """Finds or renders the WAV file of a sentence.

    The last 32 rendered files are kept in a temporary folder, so that a repeated sentence is rendered once.

    Args:
        engines: what may render, best first.
        guard: the time limit for their calls.
    """

    def __init__(self, engines: Sequence[Engine], guard: TimeLimit) -> None:
        self._engines, self._guard = engines, guard
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._kept: OrderedDict[str, tuple[Path, str]] = OrderedDict()
        self._count = 0

    def get(self, sentence: Sentence) -> tuple[Path, str] | None:
        """The file and what made it (`prompt`, or an engine's name); None if no engine can, or if it was stopped."""
        if sentence.prompt is not None:
            return sentence.prompt, "prompt"
        kept = self._kept.get(sentence.text)
        if kept is not None and kept[0].is_file():
            self._kept.move_to_end(sentence.text)
            return kept
        for engine in self._engines:
            path = self._new_path()
            outcome = self._guard.run(engine.name, partial(engine.render, sentence.text, path))
            if outcome is Outcome.DONE:
                self._kept[sentence.text] = path, engine.name
                if len(self._kept) > _KEPT:
                    _remove(self._kept.popitem(last=False)[1][0])
                return path, engine.name
            _remove(path)
            if outcome is Outcome.STOPPED:
                return None
        return None

    def close(self) -> None:
        """Remove what was rendered."""
        self._kept.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _new_path(self) -> Path:
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="mien-voice-", ignore_cleanup_errors=True)
            Path(self._folder.name).mkdir(exist_ok=True)  # some systems clear their temporary folder every few days
        except OSError as exc:
            raise output_error("speech to the temporary folder", exc) from exc
        self._count += 1
        return Path(self._folder.name) / f"{self._count}.wav"


def _remove(path: Path) -> None:
    with suppress(OSError):  # an abandoned engine may still hold it open
        path.unlink()
