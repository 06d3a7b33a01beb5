"""Results as text: JSON lines, one JSON array, or CSV, to a file, a pipe or stdout.

A file is called `<name>.part` until its writer is closed. Every record is written immediately and completely: if the
run is interrupted, fails, or fills the disk, the file ends in its last complete record and gets its name, so
everything that is finished can be read; if that would replace an earlier file, it keeps its `.part` name. A killed
process leaves the `.part` file, which reads the same way. A run that fails before its first record leaves nothing,
and an earlier file stays.

A followed file has its own name from the start, so that other programs can read it while it grows.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mien.errors import DataError, OutputError, ReaderLeft, RefusedOutput
from mien.files.targets import descriptor_of, is_stream
from mien.labels import EMOTIONS, GESTURES
from mien.pixels.images import read_error
from mien.records.rows import MODEL_COLUMNS, csv_line, scene_rows, table_columns
from mien.records.sinks import FileSink, FollowedSink, PipeSink, Sink, StreamSink, last_line
from mien.resource import ResultWriter
from mien.scene import Scene, UsedModel
from mien.wording import as_text

_log = logging.getLogger(__name__)
_Record = TypeVar("_Record")


class SceneOutput(Protocol):
    """Takes every scene: a writer of records, a recording, annotated pictures, words on stdout."""

    def write(self, scene: Scene) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How a record file grows.

    Args:
        follow: it has its own name from the start; otherwise it is called `.part` until it is closed.
        append: records are added to those of an earlier file; only for followed files.
        on_reader_left: called when the reader of the pipe or of stdout has closed it; nothing is written after that.
            By default the error is raised.
    """

    follow: bool = False
    append: bool = False
    on_reader_left: Callable[[ReaderLeft], object] | None = None


class RecordFile(ResultWriter):
    """A UTF-8 text file that grows by complete records; the base of the writers.

    Args:
        target: a path, or `-` for stdout.
        growth: how it grows.

    Raises:
        OutputError: it cannot be opened; `write` and `close` raise it if a line cannot be written.
        RefusedOutput: another run is writing it, or it cannot be added to.
    """

    _head = b""
    _tail = b""

    def __init__(self, target: str | Path, growth: Growth = Growth()) -> None:
        self.records = 0
        self._growth = growth
        self._target = str(target)
        self._left = False
        self._sink = self._open(target)
        self._begun = isinstance(self._sink, FollowedSink) and self._sink.adds
        if not isinstance(self._sink, FollowedSink):
            try:
                self._begin()
            except OutputError:
                self._sink.fail(self._tail, records=0)
                raise

    def _open(self, target: str | Path) -> Sink:
        if descriptor_of(target) == 1:
            return StreamSink()
        if is_stream(target):
            return PipeSink(target)
        if self._growth.follow:
            return FollowedSink(target, self._join if self._growth.append else None)
        return FileSink(target)

    @property
    def part_path(self) -> Path | None:
        """Where the file is written until it is closed; None if it has its own name from the start."""
        return self._sink.path if isinstance(self._sink, FileSink) else None

    def close(self) -> None:
        """Finish and name the file; may be called twice."""
        try:
            self._begin()
        finally:
            self._guarded(lambda: self._sink.close(self._tail))

    def fail(self) -> None:
        for step in (self._settle, lambda: self._sink.fail(self._tail, records=self._handed_over)):
            try:
                step()
            except OutputError as second:  # what goes wrong now must not keep the rest from being finished
                _log.warning("%s", second)

    def _settle(self) -> None:
        """Hand over waiting records, if there are any."""

    @property
    def _handed_over(self) -> int:
        """How many records are in the file."""
        return self.records

    def _add(self, data: bytes) -> None:
        self._begin()
        self._guarded(lambda: self._sink.add(data, self._tail))
        self.records += 1

    def _begin(self) -> None:
        """Write what comes before the first record: at once, or together with it if the file is followed."""
        if not self._begun:
            self._begun = True
            if self._head:
                self._guarded(lambda: self._sink.add(self._head, self._tail))

    def _guarded(self, write: Callable[[], None]) -> None:
        if self._left:
            return
        try:
            write()
        except ReaderLeft as error:
            self._left = True
            if self._growth.on_reader_left is None:
                raise
            self._growth.on_reader_left(error)

    def _join(self, file: io.FileIO) -> tuple[int, bytes]:
        """Where new records go in an earlier file, and what comes before the first one: nothing, or a line end.

        An incomplete last line, as left by a killed run or a power cut, is cut off.
        """
        self._check_fits(file)
        rest = last_line(file)
        end = file.seek(0, os.SEEK_END)
        if not rest:
            return end, b""
        if self._is_record(rest):
            return end, b"\n"
        _log.warning("%s: its last line is incomplete and is left out", self._target)
        return end - len(rest), b""

    def _check_fits(self, file: io.FileIO) -> None:
        """Raise RefusedOutput if an earlier file holds something else."""
        line = _first_line(file)
        if line.strip() and not self._is_record(line):
            raise RefusedOutput(f"{self._target} does not hold the records that this run writes; name another file.")

    def _is_record(self, line: bytes) -> bool:
        """Whether a line is a complete record of this kind."""
        del line
        return True


class LineFile(RecordFile):
    """Any text, one record per line."""

    def write(self, line: str) -> None:
        """Add one line, given without its line end."""
        self._add(as_text(line).encode() + b"\n")


class WordFile(RecordFile):
    """Words for people on stdout, one text per line, in the encoding of the terminal or of the program that reads them.

    Args:
        growth: what happens when the reader has left.
    """

    def __init__(self, growth: Growth = Growth()) -> None:
        super().__init__("-", growth)

    def write(self, line: str) -> None:
        """Add one line, given without its line end; what the encoding lacks becomes an escape."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        errors = getattr(sys.stdout, "errors", None) or "strict"
        self._add(f"{line}\n".encode(encoding, "backslashreplace" if errors == "strict" else errors))


class JsonlWriter(RecordFile):
    """Scenes as JSON lines: one object per frame, as from `Scene.to_dict`."""

    def write(self, scene: Scene) -> None:
        """Add one scene."""
        self._add(_to_json(scene) + b"\n")

    def _is_record(self, line: bytes) -> bool:
        return has_keys(line, "frame", "faces", "hands")


class JsonWriter(RecordFile):
    """Scenes as one JSON array, one object per line; a file is always a valid array."""

    _head = b"["
    _tail = b"\n]\n"

    def write(self, scene: Scene) -> None:
        """Add one scene."""
        self._add((b",\n" if self.records else b"\n") + _to_json(scene))


_FLAGS = ("uncertain", "baseline")


class CsvWriter(RecordFile):
    """Scenes as a table: a row for each face and hand, and a row of kind `none` for a frame without any.

    Columns: source, frame, time_s, height, width, kind (face, hand or none), track, x1, y1, x2, y2 (pixels),
    score, side, label, confidence, uncertain (true or false), grade (sure, perhaps or unclear), baseline (of a face:
    true if its expression is relative to the person's own neutral face), then `emotion_<label>` and `gesture_<label>`,
    the scores; `pointing_x` and `pointing_y`, where a pointing finger points; `landmarks`, 63 numbers with spaces
    between them, x, y, z of the 21 points in order; and `model_emotion` and `model_gesture`, the models that looked,
    with their thresholds. What does not apply is empty. Detectors are only in JSON.

    Args:
        target: a path, or `-` for stdout.
        growth: how the file grows.
        emotions: labels that get a column.
        gestures: likewise.
        bom: begin a new file with a byte order mark, without which Excel takes UTF-8 for the encoding of the system.
    """

    def __init__(
        self,
        target: str | Path,
        growth: Growth = Growth(),
        *,
        emotions: Sequence[str] = EMOTIONS.labels,
        gestures: Sequence[str] = GESTURES.labels,
        bom: bool = False,
    ) -> None:
        self.columns = table_columns(emotions, gestures)
        self._head = (codecs.BOM_UTF8 if bom else b"") + self._rows(
            [dict(zip(self.columns, self.columns, strict=True))]
        )
        super().__init__(target, growth)

    def write(self, scene: Scene) -> None:
        """Add the rows of one scene."""
        rows = scene_rows(scene)
        for row in rows:
            row |= {name: "true" if row[name] else "false" for name in _FLAGS if name in row}
            if "landmarks" in row:
                row["landmarks"] = " ".join(map(str, row["landmarks"]))
        self._add(self._rows(rows))

    def _check_fits(self, file: io.FileIO) -> None:
        columns = _cells(_first_line(file).removeprefix(codecs.BOM_UTF8))
        if columns != list(self.columns):
            raise RefusedOutput(f"{self._target} does not have the columns that this run writes; name another file.")

    def _is_record(self, line: bytes) -> bool:
        """The models stand last: in a row that breaks off in its last cell they cannot be parsed."""
        cells = _cells(line.removeprefix(codecs.BOM_UTF8))
        if cells == list(self.columns):
            return True
        named = dict(zip(self.columns, cells, strict=False))
        try:
            for column in MODEL_COLUMNS.values():
                if named.get(column):
                    UsedModel.parse(named[column])
        except ValueError:
            return False
        return len(cells) == len(self.columns)

    def _rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        strange = sorted({name for row in rows for name in row} - set(self.columns))
        if strange:
            raise OutputError(f"The CSV table has no column for a label: {', '.join(strange)}; write JSON instead.")
        lines = (csv_line([row.get(name, "") for name in self.columns]) + "\n" for row in rows)
        return as_text("".join(lines)).encode()


def read_jsonl(path: str | Path) -> Iterator[Scene]:
    """Read back what `JsonlWriter` wrote, one scene at a time; they have no picture.

    An incomplete last line, as a killed process may leave, is skipped with a warning in the log.

    Raises:
        UnreadableMedia: the file cannot be opened.
        DataError: a line is not a scene.
    """
    yield from read_lines(path, Scene.from_dict, "is not a scene", "give a file that `mien look --jsonl` wrote.")


def read_lines(path: str | Path, make: Callable[[Any], _Record], fault: str, advice: str) -> Iterator[_Record]:
    """What the lines of a JSON-lines file hold, one at a time.

    An incomplete last line is skipped with a warning in the log.

    Args:
        path: the file.
        make: gets the data of a line; ValueError, KeyError, TypeError or AttributeError mean that it is something else.
        fault: what is wrong with a line then, such as "is not a scene".
        advice: what to do about it.

    Raises:
        UnreadableMedia: the file cannot be opened.
        DataError: a line is something else.
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
                    _log.warning("%s: line %d is incomplete and is left out", path, number)
                    return
                reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                raise DataError(f"{path}: line {number} {fault} ({reason}); {advice}") from error
            yield record


def has_keys(line: bytes, *keys: str) -> bool:
    """Whether a line is a JSON object with all of these keys."""
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and all(key in record for key in keys)


def _first_line(file: io.FileIO) -> bytes:
    file.seek(0)
    with io.FileIO(file.fileno(), closefd=False) as raw:
        return raw.readline()


def _cells(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8", "replace")]), [])


def _to_json(scene: Scene) -> bytes:
    return scene.to_json().encode()
