"""Results as a Parquet table: typed columns, small files, read by pandas, pyarrow, DuckDB, Spark and the like.

Parquet keeps its index at the end, so half a file cannot be read. During a run its rows are therefore kept in
`<name>.part`, a stream of Arrow record batches (readable by `pyarrow.ipc.open_stream` and `mien report`), one batch
every few seconds; closing turns them into Parquet. The file of an interrupted or failed run is complete; a killed
process leaves `<name>.part` and loses at most the last few seconds.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien import __version__
from mien.errors import OutputError
from mien.extras import needs
from mien.files.targets import is_stream, output_error
from mien.files.whole import PartFile
from mien.labels import EMOTIONS, GESTURES
from mien.records.rows import MODEL_COLUMNS, scene_rows, table_columns
from mien.records.sinks import FileSink, Sink
from mien.records.writers import RecordFile
from mien.scene import Scene, UsedModel

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)

_MOST_WAITING = 256
_GROUP_ROWS = 65_536
_SPARE_BYTES = 2**20
"""Disk space to keep free while rows come, for what is written last: of this table and of other results."""

_TYPES = {
    **dict.fromkeys(("source", "kind", "side", "label", "grade", *MODEL_COLUMNS.values()), "string"),
    **dict.fromkeys(("height", "width", "track"), "int32"),
    "frame": "int64",
    **dict.fromkeys(("uncertain", "baseline"), "bool"),
}


class ParquetWriter(RecordFile):
    """Scenes as a Parquet table with the rows of `CsvWriter`: one per face or hand, one for a frame without any.

    Columns as in `CsvWriter`, typed: text, whole numbers, `uncertain` and `baseline` true or false, all else 64-bit
    floats with the values of the JSON; but `landmarks` are a list of 63 32-bit floats: x, y, z of the 21 points in
    order. What does not apply is null. Memory stays constant however long the run is. The finished file's metadata
    has `mien`: JSON with the `version` of the package and a list of the `models` that answered, each as in the JSON of
    a frame, with its `task`.

    Args:
        target: path of an ordinary file.
        emotions: labels that get a column.
        gestures: likewise.
        flush_s: seconds of rows that may be lost if the process is killed.

    Raises:
        MissingExtra: pyarrow is not installed.
        OutputError: the file cannot be written; `write` and `close` raise it too.
    """

    def __init__(
        self,
        target: str | Path,
        *,
        emotions: Sequence[str] = EMOTIONS.labels,
        gestures: Sequence[str] = GESTURES.labels,
        flush_s: float = 5.0,
    ) -> None:
        self.columns = table_columns(emotions, gestures)
        self._schema_names = frozenset(self.columns)
        self._schema = _schema(self.columns)
        _batch([{}], self._schema)  # pyarrow's first batch loads pandas if installed: better now than mid-run
        self._head = self._schema.serialize().to_pybytes()
        self._rows: list[dict[str, Any]] = []
        self._written = 0  # scenes whose rows are in the journal
        self._is_told = False  # that rows could not be written
        self._used: Mapping[str, UsedModel] = {}
        self._metadata: dict[str, str] = {}
        self._flush_s = flush_s
        self._flushed_s = time.monotonic()
        self._closed = False
        self._name = str(target)
        super().__init__(target)

    def write(self, scene: Scene) -> None:
        """Add the rows of one scene; they reach the disk within `flush_s` as long as scenes keep coming."""
        if self._closed:
            raise OutputError(f"Cannot write {self._name}: it is closed.")
        rows = scene_rows(scene)
        for row in rows:
            strange = row.keys() - self._schema_names
            if strange:
                names = ", ".join(sorted(strange))
                raise OutputError(f"The Parquet table has no column for a label: {names}; write JSON instead.")
        if scene.models is not self._used:
            self._used = scene.models
            self._note(scene.models)
        self._rows += rows
        self.records += 1
        if len(self._rows) >= _MOST_WAITING or time.monotonic() - self._flushed_s >= self._flush_s:
            self._flush()

    def close(self) -> None:
        """Write the Parquet file and give it its name; may be called twice."""
        self._closed = True
        trouble: OutputError | None = None
        self._journal.spare_bytes = 0
        try:
            self._flush()
        except OutputError as error:
            trouble = error
        if trouble is not None and not self._written:
            self._sink.fail(self._tail, records=0)  # a table without its rows would look complete
        else:
            super().close()
        if trouble is not None:
            raise trouble

    def _open(self, target: str | Path) -> Sink:
        self._journal = _Journal(target, self._schema, self._metadata)
        return self._journal

    def _note(self, models: Mapping[str, UsedModel]) -> None:
        """Add models to what the finished file's metadata will say."""
        about = json.loads(self._metadata.get("mien", '{"models": []}')) | {"version": __version__}
        fresh = ({"task": task, **model.to_dict()} for task, model in models.items())
        about["models"] += [model for model in fresh if model not in about["models"]]
        self._metadata["mien"] = json.dumps(about, ensure_ascii=False)

    def _settle(self) -> None:
        self._closed = True
        self._journal.spare_bytes = 0
        was_told = self._is_told
        try:
            self._flush()
        except OutputError:
            if not was_told:
                raise

    @property
    def _handed_over(self) -> int:
        return self._written

    def _flush(self) -> None:
        """Write what is waiting to disk; if that fails it goes on waiting, and what came before stays."""
        self._flushed_s = time.monotonic()
        if self._rows:
            try:
                self._sink.add(_batch(self._rows, self._schema), b"")
            except OutputError:
                self._is_told = True
                raise
            self._rows = []
            self._written = self.records


class _Journal(FileSink):
    """The stream of batches, which becomes Parquet when it is closed, with the metadata as it is then."""

    def __init__(self, target: str | Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        if str(target) == "-":
            raise OutputError("Parquet cannot go to stdout; name a file, or write JSON lines or CSV.")
        if is_stream(target):
            raise OutputError(f"Cannot write {target}: a Parquet table needs an ordinary file.")
        super().__init__(target)
        self._schema = schema
        self._metadata = metadata
        self.spare_bytes = _SPARE_BYTES

    def add(self, data: bytes, tail: bytes) -> None:
        """Add a batch, if there is space for it and for the Parquet file, which is smaller."""
        try:
            free = shutil.disk_usage(self._part.path.parent).free
        except OSError as error:
            raise output_error(self._name, error) from error
        if free < self._end + 2 * len(data) + self.spare_bytes:
            raise output_error(self._name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        super().add(data, tail)

    def close(self, tail: bytes) -> None:
        del tail
        if not self._finish(sync=False):
            return
        try:
            _convert(self._part, self._schema, self._metadata)
            self._part.discard()
        except (OSError, OutputError) as error:
            self._part.keep()
            sentence = error if isinstance(error, OutputError) else output_error(self._name, error)
            raise OutputError(
                f"{sentence} The rows are in {self._part.path}, which `mien report` and pyarrow's open_stream read."
            ) from error

    def fail(self, tail: bytes, *, records: int) -> None:
        if records and self._part.replaces:
            super().fail(tail, records=records)  # leaves the journal, which can be read, and the earlier file
        elif records:
            self.close(tail)
        elif self._finish():
            self._part.discard()


def read_journal(path: str | Path) -> Iterator[pa.RecordBatch]:
    """The batches of a `.part` file, as a killed run leaves it; an incomplete last batch is skipped.

    Raises:
        ValueError: this is not a stream of Arrow record batches.
        OSError: the file cannot be opened.
    """
    import pyarrow as pa
    import pyarrow.ipc

    with Path(path).open("rb") as file, pa.ipc.open_stream(file) as stream:
        while True:
            try:
                batch = stream.read_next_batch()
            except StopIteration:
                return
            except (OSError, pa.ArrowInvalid):
                _log.warning("%s: the last rows are incomplete and are left out", path)
                return
            yield batch


def _convert(journal: PartFile, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
    """Parquet out of a stream, a row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    part = PartFile(journal.target, keep_suffix=True)
    part.replaces = journal.replaces  # a file that appeared meanwhile is not an earlier one
    try:
        with part.path.open("wb") as file:
            with pq.ParquetWriter(file, schema.with_metadata(metadata or None), compression="zstd") as parquet:
                for batches in _groups(read_journal(journal.path)):
                    table = pa.Table.from_batches(batches, schema)
                    parquet.write_table(table.replace_schema_metadata(metadata or None))
            file.flush()
            os.fsync(file.fileno())
        part.commit()
    except BaseException:
        part.discard()
        raise


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    group: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        group.append(batch)
        rows += batch.num_rows
        if rows >= _GROUP_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _batch(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    """Rows as one message of a stream."""
    import pyarrow as pa

    message: bytes = pa.RecordBatch.from_pylist(rows, schema=schema).serialize().to_pybytes()
    return message


def _schema(columns: Sequence[str]) -> pa.Schema:
    with needs("table"):
        import pyarrow as pa
        import pyarrow.parquet
    types = {name: getattr(pa, kind if kind != "bool" else "bool_")() for name, kind in _TYPES.items()}
    types["landmarks"] = pa.list_(pa.float32())
    return pa.schema([(name, types.get(name, pa.float64())) for name in columns])
