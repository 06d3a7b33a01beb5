"""Results as text: JSON lines, one JSON array, or CSV, to a file or to stdout.

A file is called `<name>.part` until its writer is closed. Every record is written at once and whole: if the
run is interrupted, fails, or fills the disk, the file ends in its last whole record and gets its name, so
everything that is finished can be read. A process that is killed leaves the `.part` file, which reads the same
way. A run that failed before its first record leaves nothing, and an earlier file stays.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from mien.errors import DataError, OutputError
from mien.labels import EMOTIONS, GESTURES
from mien.outputs.rows import scene_rows, table_columns
from mien.outputs.sinks import FileSink, Sink, StreamSink
from mien.pixels.images import read_error
from mien.scene import Scene

_log = logging.getLogger(__name__)
_Self = TypeVar("_Self", bound="RecordFile")
_Record = TypeVar("_Record")


class RecordFile:
    """A text file, UTF-8, that grows by whole records; the base of the writers.

    Args:
        target: a path, or `-` for stdout.

    Raises:
        OutputError: it cannot be opened; `write` and `close` raise it when a line cannot be written.
    """

    _head = b""
    _tail = b""

    def __init__(self, target: str | Path) -> None:
        self.records = 0
        self._sink = self._open(target)
        if self._head:
            try:
                self._sink.add(self._head, self._tail)
            except OutputError:
                self._sink.discard()
                raise

    def _open(self, target: str | Path) -> Sink:
        return StreamSink() if str(target) == "-" else FileSink(target)

    def close(self) -> None:
        """Finish and name the file; may be called twice."""
        self._sink.close(self._tail)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif self.records == 0:
            self._sink.discard()
        else:
            try:
                self.close()
            except OutputError as second:  # the first error is the one to tell
                _log.warning("%s", second)

    def _add(self, data: bytes) -> None:
        self._sink.add(data, self._tail)
        self.records += 1


class LineFile(RecordFile):
    """Any text, a record a line."""

    def write(self, line: str) -> None:
        """Add one line, given without its end."""
        self._add(line.encode("utf-8", "backslashreplace") + b"\n")


class JsonlWriter(RecordFile):
    """Scenes as JSON lines: one object a frame, as `Scene.to_dict` gives it."""

    def write(self, scene: Scene) -> None:
        """Add one scene."""
        self._add(_to_json(scene) + b"\n")


class JsonWriter(RecordFile):
    """Scenes as one JSON array, an object a line; a file is a valid array at every moment."""

    _head = b"["
    _tail = b"\n]\n"

    def write(self, scene: Scene) -> None:
        """Add one scene."""
        self._add((b",\n" if self.records else b"\n") + _to_json(scene))


class CsvWriter(RecordFile):
    """Scenes as a table: a row for each face and hand, and a row of kind `none` for a frame without any.

    Columns: source, frame, time_s, height, width, kind (face, hand or none), track, x1, y1, x2, y2 (pixels),
    score, side, label, confidence, uncertain (true or false), then `emotion_<label>` and `gesture_<label>`,
    the scores. What does not apply is empty. Landmarks are in JSON only.

    Args:
        target: a path, or `-` for stdout.
        emotions: labels that get a column.
        gestures: likewise.
    """

    def __init__(
        self,
        target: str | Path,
        *,
        emotions: Sequence[str] = EMOTIONS.labels,
        gestures: Sequence[str] = GESTURES.labels,
    ) -> None:
        self.columns = table_columns(emotions, gestures)
        self._head = self._rows([dict(zip(self.columns, self.columns, strict=True))])
        super().__init__(target)

    def write(self, scene: Scene) -> None:
        """Add the rows of one scene."""
        rows = scene_rows(scene)
        for row in rows:
            if "uncertain" in row:
                row["uncertain"] = "true" if row["uncertain"] else "false"
        self._add(self._rows(rows))

    def _rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        text = io.StringIO()
        table = csv.DictWriter(text, self.columns, lineterminator="\n")
        try:
            table.writerows(rows)
        except ValueError as error:
            raise OutputError(f"The CSV table has no column for a label: {error}; write JSON instead.") from error
        return text.getvalue().encode("utf-8", "backslashreplace")


def read_jsonl(path: str | Path) -> Iterator[Scene]:
    """Read back what `JsonlWriter` wrote, one scene at a time; they have no picture.

    A last line that breaks off, as a killed process may leave it, is passed over with a warning in the log.

    Raises:
        UnreadableMedia: the file cannot be opened.
        DataError: a line is no scene.
    """
    yield from read_lines(path, Scene.from_dict, "is no scene", "give a file that `mien look --jsonl` wrote.")


def read_lines(path: str | Path, make: Callable[[Any], _Record], fault: str, advice: str) -> Iterator[_Record]:
    """What the lines of a JSON-lines file hold, one at a time.

    A last line that breaks off is passed over with a warning in the log.

    Args:
        path: the file.
        make: gets the data of a line; ValueError, KeyError, TypeError or AttributeError mean that it is no such thing.
        fault: what is wrong with a line then, such as "is no scene".
        advice: what to do about it.

    Raises:
        UnreadableMedia: the file cannot be opened.
        DataError: a line is of another kind.
    """
    try:
        file = Path(path).open("rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        raise read_error(str(path), error) from error
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = make(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if not line.endswith(b"\n"):
                    _log.warning("%s: line %d breaks off and is left out", path, number)
                    return
                reason = f"{type(error).__name__}: {error}"
                raise DataError(f"{path}: line {number} {fault} ({reason}); {advice}") from error
            yield record


def _to_json(scene: Scene) -> bytes:
    """UTF-8; bytes of a file name that are none become escapes, which read back as the same name."""
    text = json.dumps(scene.to_dict(), ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode("utf-8", "backslashreplace")


def _plain(value: object) -> object:
    """NumPy's numbers as Python's."""
    if isinstance(value, np.floating):
        return round(float(value), 4)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a record")
