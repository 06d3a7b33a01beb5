"""A folder of what was said: one WAV file per sentence, and a list of them with their times."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from mien.errors import OutputError
from mien.files.locks import hold_folder
from mien.files.targets import output_error
from mien.files.whole import write_whole
from mien.records.writers import LineFile
from mien.voice.engines import Engine
from mien.voice.responses import Sentence
from mien.voice.spoken_files import SpokenFiles
from mien.voice.voice import LIMIT_S, QueuedVoice
from mien.wording import json_text
from mien.words import say

LIST = "speech.jsonl"

_OURS = re.compile(r"\d{6}_[\w-]+\.wav(\.part)?|speech\.jsonl(\.part)?")
_UNFIT = re.compile(r"[^\w-]+")

FINISH_S = 60.0
"""How long `close` waits for sentences to be written."""

_QUIET_S = 1.0
"""A longer wait at the end is announced."""

_log = logging.getLogger(__name__)


class SpeechFolder(QueuedVoice):
    """Writes what it is asked to say as files: `000001_happy.wav` and so on, and `speech.jsonl`.

    A line of the list is {"time_s", "text", "label", "file", "engine"}. A prompt is copied (engine `prompt`), other
    sentences are rendered; if no engine can, `file` is null and engine is `text`. Every file is complete. Until it is
    closed the list is called `speech.jsonl.part`. A write failure, such as a full disk, ends only the writing: `status`
    says so, and what was written stays. Sentences still waiting at the end are finished, within a limit; any left then
    have a line with `file` and `engine` null.

    Args:
        folder: created if necessary.
        engines: what renders sentences without a prompt, best first, as from `find_engines`.
        overwrite: whether an earlier run's files in it may be removed. Other files never are.
        limit_s: seconds an engine may take before it is abandoned.
        finish_s: seconds that `close` waits for sentences that are not yet written.

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
        finish_s: float = FINISH_S,
    ) -> None:
        super().__init__(room=None, limit_s=limit_s)
        self._finish_s = finish_s
        self._is_cut_off = False
        self._unwritten = 0
        self.folder = Path(folder)
        self._held: int | None = None
        try:
            self._held = _prepare(self.folder, overwrite)
            self._list = LineFile(self.folder / LIST)
        except BaseException:
            self._let_go()
            raise
        self._files = SpokenFiles(engines, self._guard)
        self._count = 0
        self._thread.start()

    def close(self) -> None:
        """Write what was said, for at most `finish_s`, and end; an interruption ends the wait."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        try:
            self._finish()
        finally:
            self._is_cut_off = True
            super().close()
            self._let_go()
            left, self._unwritten = self._unwritten, 0
            if left:
                self._report(say("voice.unwritten", n=left, folder=self.folder))

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            os.close(held)

    def _finish(self) -> None:
        deadline_s = time.monotonic() + self._finish_s
        if self.wait_until_quiet(min(_QUIET_S, self._finish_s)):
            return
        _log.warning("%s", say("voice.writing", folder=self.folder, seconds=self._finish_s))
        self.wait_until_quiet(deadline_s - time.monotonic())

    def _handle(self, sentence: Sentence) -> None:
        found = self._files.get(sentence)
        self._count += 1
        name: str | None = None
        engine: str | None = "text"
        if found is None and self._is_cut_off:
            self._unwritten += 1
            engine = None  # it may have been spoken; it just was not written
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
        self._list.write(json_text(line))

    def _end(self) -> None:
        self._files.close()
        try:
            self._list.close()
        except OutputError as exc:
            self._report(str(exc))


def _prepare(folder: Path, overwrite: bool) -> int | None:
    """Make the folder, hold it against a second run, and remove an earlier run's files if that is wanted.

    Returns:
        The descriptor that holds the folder.
    """
    held: int | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = hold_folder(folder)
        _empty(folder, overwrite)
    except BaseException as exc:
        if held is not None:
            os.close(held)
        if isinstance(exc, OSError):
            raise output_error(folder, exc) from exc
        raise
    return held


def _empty(folder: Path, overwrite: bool) -> None:
    inside = list(folder.iterdir())
    if inside and not overwrite:
        raise OutputError(f"{folder} is not empty; name another folder, or replace earlier speech with --overwrite.")
    for path in inside:
        if path.is_file() and _OURS.fullmatch(path.name):
            path.unlink()
