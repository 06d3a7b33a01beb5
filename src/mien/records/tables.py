"""The files of a session as Arrow tables of rows: Parquet, the `.part` of one, CSV, or JSON lines."""

from __future__ import annotations

import io
import json
import re
from csv import reader
from pathlib import Path
from typing import Any

from mien.errors import DataError, UnreadableMedia
from mien.extras import needs
from mien.files.targets import is_stream
from mien.pixels.images import read_error
from mien.records.parquet import read_journal
from mien.records.rows import MODEL_COLUMNS
from mien.records.writers import read_jsonl

with needs("table"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.json as pj
    import pyarrow.parquet as pq
    from pyarrow import csv

ADVICE = "give a file that `mien look` or `mien live` wrote with --parquet, --jsonl or --csv."

COLUMNS = {
    "source": pa.string(),
    "frame": pa.int64(),
    "time_s": pa.float64(),
    "kind": pa.string(),
    "track": pa.int64(),
    "side": pa.string(),
    "label": pa.string(),
    "confidence": pa.float64(),
    "uncertain": pa.bool_(),
}
"""The columns that a session must have; `LATER` and `MODEL_COLUMNS` may be missing, all other columns are ignored."""

LATER = {"grade": pa.string(), "baseline": pa.bool_()}
"""Columns that records of older versions lack."""

_MODEL_TEXTS = ("name", "version", "sha256", "detector")
_NEVER_EMPTY = ("frame", "time_s", "kind")
_BLOCK_BYTES = 8 * 2**20
_LONE_SURROGATE = re.compile(rb"(?<!\\)\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def read_rows(path: Path) -> pa.Table:
    """The required columns, the later ones and those of the models, typed; what is missing of the last two is null.

    Args:
        path: its suffix decides how the file is read, and `.part` may follow it.

    Raises:
        UnreadableMedia: there is no such file, or it is damaged.
        DataError: it is something else, lacks a column, or holds nothing.
    """
    kind = (path.with_suffix("") if path.suffix == ".part" else path).suffix.lower()
    if kind not in (".parquet", ".jsonl", ".csv"):
        raise DataError(f"{path} is not a .parquet, .jsonl or .csv file; {ADVICE}")
    if is_stream(path):
        raise UnreadableMedia(f"Cannot read {path}: it is not an ordinary file, and is read more than once; {ADVICE}")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except IsADirectoryError as error:
        raise UnreadableMedia(f"Cannot read {path}: it is a folder; {ADVICE}") from error
    except (OSError, ValueError) as error:
        raise read_error(str(path), error) from error
    if not start:
        raise DataError(f"{path} is empty: nothing was recorded.")
    try:
        if kind == ".parquet":
            table = _parquet(path) if start == b"PAR1" else _journal(path)
        else:
            table = _csv(path) if kind == ".csv" else _lines(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise UnreadableMedia(f"{path} is damaged or not the expected file ({reason}); {ADVICE}") from error
    if not table.num_rows:
        raise DataError(f"{path} has no rows: nothing was recorded.")
    return _checked(table, path)


def _parquet(path: Path) -> pa.Table:
    with path.open("rb") as file, pq.ParquetFile(file) as table:
        return table.read(_there(table.schema_arrow.names, path))


def _journal(path: Path) -> pa.Table:
    batches = [batch.select(_there(batch.schema.names, path)) for batch in read_journal(path)]
    return pa.Table.from_batches(batches) if batches else pa.table({name: [] for name in COLUMNS})


def _csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as head:
        names = next(reader(head), [])
    # Whole numbers next to empty cells become 1.0 when pandas rewrites a table.
    types = {name: pa.float64() if kind == pa.int64() else kind for name, kind in (COLUMNS | LATER).items()}
    types |= dict.fromkeys(MODEL_COLUMNS.values(), pa.string())
    parsing = csv.ParseOptions(newlines_in_values=True)
    options = csv.ConvertOptions(
        include_columns=_there(names, path),
        column_types=types,
        null_values=[""],
        strings_can_be_null=True,
        true_values=["true", "True", "TRUE"],
        false_values=["false", "False", "FALSE"],
    )
    with path.open("rb") as file:
        return csv.read_csv(file, parse_options=parsing, convert_options=options)


def _lines(path: Path) -> pa.Table:
    try:
        with path.open("rb") as file:
            return _rows_of_scenes(_scenes(file))
    except pa.ArrowInvalid:
        if _holds_events(path):
            raise DataError(
                f"{path} holds events, not records; give it with --events, and the records as SESSION."
            ) from None
        # Reading line by line shows which line is wrong. If none is, except for an incomplete last line or file names
        # that are not text, the rest is used.
        for _ in read_jsonl(path):
            pass
        data = path.read_bytes()
        data = _LONE_SURROGATE.sub(rb"\\\g<0>", data[: data.rfind(b"\n") + 1])
        return _rows_of_scenes(_scenes(io.BytesIO(data)))


def _holds_events(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(10_000)
    try:
        return {"kind", "task", "duration_s"} <= set(json.loads(first))
    except (ValueError, TypeError):
        return False


def _scenes(file: Any) -> pa.Table:
    """One row per frame; detections as lists."""
    face = [(name, COLUMNS[name]) for name in ("track", "label", "confidence", "uncertain")] + list(LATER.items())
    hand = [*face, ("side", COLUMNS["side"])]
    frame = [(name, COLUMNS[name]) for name in ("source", "frame", "time_s")]
    model = pa.struct([(name, pa.string()) for name in _MODEL_TEXTS] + [("threshold", pa.float64())])
    models = ("models", pa.struct([(task, model) for task in MODEL_COLUMNS]))
    schema = pa.schema([*frame, ("faces", pa.list_(pa.struct(face))), ("hands", pa.list_(pa.struct(hand))), models])
    parsing = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    scenes = pj.read_json(file, read_options=pj.ReadOptions(block_size=_BLOCK_BYTES), parse_options=parsing)
    models = scenes["models"].combine_chunks()
    for task, name in MODEL_COLUMNS.items():
        scenes = scenes.append_column(name, _model_texts(pc.struct_field(models, task)))
    return scenes.drop_columns(["models"])


def _model_texts(models: pa.Array) -> pa.Array:
    """In the form that `UsedModel.parse` reads; null if there is none."""
    field = {name: pc.struct_field(models, name) for name in (*_MODEL_TEXTS, "threshold")}
    detector = pc.fill_null(pc.binary_join_element_wise(" on ", field["detector"], ""), "")
    threshold = pc.cast(field["threshold"], pa.string())
    digits = pc.fill_null(field["sha256"], "")
    parts = (field["name"], " ", field["version"], " (sha256 ", digits, ") threshold ", threshold, detector)
    return pc.binary_join_element_wise(*parts, "")


def _rows_of_scenes(scenes: pa.Table) -> pa.Table:
    """One row per face or hand, and one for a frame without any; ArrowInvalid if something is missing."""
    if any(scenes[name].null_count for name in scenes.column_names if name not in MODEL_COLUMNS.values()):
        raise pa.ArrowInvalid("a line is not a scene")
    scenes = scenes.combine_chunks()
    parts = []
    for kind, name in (("face", "faces"), ("hand", "hands")):
        at = pc.list_parent_indices(scenes[name]).combine_chunks()
        found = pc.list_flatten(scenes[name]).combine_chunks()
        fields = {field.name: found.field(field.name) for field in found.type}
        parts.append(_part(scenes, at, kind, fields))
    counts = pc.add(pc.list_value_length(scenes["faces"]), pc.list_value_length(scenes["hands"]))
    nothing = pc.indices_nonzero(pc.equal(counts, 0))
    parts.append(_part(scenes, nothing, "none", {}))
    rows = pa.concat_tables(parts)
    order = pc.sort_indices(rows, sort_keys=[("at", "ascending")])
    return rows.take(order).select([*COLUMNS, *LATER, *MODEL_COLUMNS.values()])


def _part(scenes: pa.Table, at: pa.Array, kind: str, fields: dict[str, pa.Array]) -> pa.Table:
    frame = scenes.select(["source", "frame", "time_s", *MODEL_COLUMNS.values()]).take(at)
    columns = {name: frame[name] for name in frame.column_names} | fields
    columns["kind"] = pa.repeat(kind, len(at))
    absent = {name: pa.nulls(len(at), kind_) for name, kind_ in (COLUMNS | LATER).items() if name not in columns}
    return pa.table({**columns, **absent, "at": pc.cast(at, pa.int64())}).select(
        [*COLUMNS, *LATER, *MODEL_COLUMNS.values(), "at"]
    )


def _there(names: list[str], path: Path) -> list[str]:
    """The required columns, if all are present, and those of the others that are."""
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        what = "the column" if len(missing) == 1 else "the columns"
        raise DataError(f"{path} lacks {what} {', '.join(missing)}; {ADVICE}")
    return [*COLUMNS, *(name for name in (*LATER, *MODEL_COLUMNS.values()) if name in names)]


def _checked(table: pa.Table, path: Path) -> pa.Table:
    columns = {}
    for name, kind in COLUMNS.items():
        try:
            columns[name] = table[name].cast(kind)
        except pa.ArrowException as error:
            raise DataError(f"{path}: the column {name} holds {table[name].type}, not {kind}; {ADVICE}") from error
        if name in _NEVER_EMPTY and columns[name].null_count:
            raise DataError(f"{path}: the column {name} has empty cells; {ADVICE}")
    if not pc.all(pc.is_finite(columns["time_s"])).as_py():
        raise DataError(f"{path}: a time is not a finite number; {ADVICE}")
    for name, kind in (LATER | dict.fromkeys(MODEL_COLUMNS.values(), pa.string())).items():
        there = name in table.column_names
        columns[name] = table[name].cast(kind) if there else pa.nulls(table.num_rows, kind)
    return pa.table(columns)
