"""A folder of what was said: a WAV file a sentence, and a list of them with their times."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from mien.errors import OutputError
from mien.files import output_error, write_whole
from mien.outputs.records import LineFile
from mien.outputs.responses import Sentence
from mien.outputs.voice import LIMIT_S, WorkingVoice
from mien.outputs.voice_engines import Engine
from mien.outputs.voice_files import SpokenFiles

LIST = "speech.jsonl"

_OURS = re.compile(r"\d{6}_[\w-]+\.wav(\.part)?|speech\.jsonl(\.part)?")
_UNFIT = re.compile(r"[^\w-]+")
_ROOM = 64
"""Sentences come seconds apart; so many waiting means that the engines cannot keep up, and the oldest are left out."""


class SpeechFolder(WorkingVoice):
    """Writes what it is given to say as files: `000001_happy.wav` and so on, and `speech.jsonl`.

    A line of the list is {"time_s", "text", "label", "file", "engine"}. A prompt is copied (engine `prompt`), other
    sentences are rendered; where no engine can, `file` is null and engine is `text`. Every file is whole. Until it is
    closed the list is called `speech.jsonl.part`. Trouble with writing, a full disk for one, ends the writing alone:
    `status` tells, and what was written stays.

    Args:
        folder: made if need be.
        engines: who renders sentences without a prompt, best first, as `find_engines` gives them.
        overwrite: whether an earlier run's files in it may be removed. Other files never are.
        limit_s: seconds an engine may take before it is given up.

    Raises:
        OutputError: the folder is not empty, or cannot be written.
    """

    def __init__(
        self,
        folder: str | Path,
        engines: Sequence[Engine] = (),
        *,
        overwrite: bool = False,
        limit_s: float = LIMIT_S,
    ) -> None:
        super().__init__(room=_ROOM, limit_s=limit_s)
        self.folder = Path(folder)
        _prepare(self.folder, overwrite)
        self._files = SpokenFiles(engines, self._guard)
        self._list = LineFile(self.folder / LIST)
        self._count = 0
        self._thread.start()

    def _handle(self, sentence: Sentence) -> None:
        found = self._files.get(sentence)
        self._count += 1
        name, engine = None, "text"
        if found is not None:
            path, engine = found
            name = f"{self._count:06d}_{_UNFIT.sub('-', sentence.label)}.wav"
            try:
                data = path.read_bytes()
            except OSError as exc:
                raise output_error(self.folder / name, exc) from exc
            write_whole(self.folder / name, data)
        line = {
            "time_s": round(sentence.time_s, 4),
            "text": sentence.text,
            "label": sentence.label,
            "file": name,
            "engine": engine,
        }
        self._list.write(json.dumps(line, ensure_ascii=False))

    def _end(self) -> None:
        self._files.close()
        try:
            self._list.close()
        except OutputError as exc:
            self._report(str(exc))


def _prepare(folder: Path, overwrite: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = list(folder.iterdir())
        if inside and not overwrite:
            raise OutputError(
                f"{folder} is not empty; name another folder, or replace earlier speech with --overwrite."
            )
        for path in inside:
            if path.is_file() and _OURS.fullmatch(path.name):
                path.unlink()
    except OSError as exc:
        raise output_error(folder, exc) from exc
