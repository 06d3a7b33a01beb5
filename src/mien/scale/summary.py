"""Who showed what and for how long, out of any number of rows: a table by file, person and minute, computed by DuckDB.

Counted as in the page of a session (`reports/session/times.py`): a frame stands for the time until the next one, and
after more than a second and five times the usual spacing nothing was recorded. Where the time goes back, as in records
that were appended to, it goes on instead, and the people are others. Photos have no time; their shares are of frames.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import DataError, InputError
from mien.extras import needs
from mien.scale.folder import BatchFolder

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BY = ("file", "person", "minute")
"""What a table may be grouped by; file is always among it, because track numbers and times are those of a file."""

GROUPINGS = ("file", "file,person", "file,minute", "file,person,minute")
"""The choices that follow from that."""

_KEYS = {"file": "source", "person": "track", "minute": "minute"}
_PAUSE_S = 1.0
_PAUSE_FRAMES = 5

_NEEDED = ("source", "frame", "time_s", "kind", "track", "label", "uncertain")

# `place` counts the frames of a source in the order of their rows. Where the time goes back, another run was added: it
# goes on after the one before, with people of its own. A run of one label is broken where a frame, or time, is missing.
_SEEN = f"""
CREATE TEMP TABLE placed AS
WITH compared AS (
    SELECT *, frame IS NOT DISTINCT FROM lag(frame) OVER w AND time_s IS NOT DISTINCT FROM lag(time_s) OVER w AS is_same
    FROM records WINDOW w AS (PARTITION BY source ORDER BY part, row)
)
SELECT source, time_s, kind, track, label, uncertain, grade,
    sum((NOT is_same)::INTEGER) OVER (PARTITION BY source ORDER BY part, row ROWS UNBOUNDED PRECEDING)::BIGINT AS place
FROM compared;
CREATE TEMP TABLE frames AS
WITH each AS (SELECT source, place, any_value(time_s) AS time_s FROM placed GROUP BY source, place),
steps AS (
    SELECT *, lead(time_s) OVER w - time_s AS step_s FROM each WINDOW w AS (PARTITION BY source ORDER BY place)
),
usual AS (SELECT source, coalesce(median(step_s) FILTER (step_s > 0), 0) AS usual_s FROM steps GROUP BY source),
forward AS (
    SELECT source, place, time_s, usual_s, coalesce(step_s < 0, false) AS is_back,
        CASE WHEN step_s < 0 THEN usual_s ELSE step_s END AS step_s
    FROM steps JOIN usual USING (source)
),
continued AS (
    SELECT *, coalesce(sum(is_back::INTEGER) OVER earlier, 0)::BIGINT AS run,
        first_value(time_s) OVER (PARTITION BY source ORDER BY place) + coalesce(sum(step_s) OVER earlier, 0) AS later_s
    FROM forward
    WINDOW earlier AS (PARTITION BY source ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
timed AS (
    SELECT * REPLACE (CASE WHEN bool_or(is_back) OVER (PARTITION BY source) THEN later_s ELSE time_s END AS time_s)
    FROM continued
)
SELECT source, place, run, time_s, floor(time_s / 60)::BIGINT AS minute,
    CASE WHEN step_s IS NULL OR step_s > greatest({_PAUSE_S}, {_PAUSE_FRAMES} * usual_s) THEN usual_s ELSE step_s END
        AS duration_s,
    coalesce(step_s > greatest({_PAUSE_S}, {_PAUSE_FRAMES} * usual_s), false) AS is_pause
FROM timed;
CREATE TEMP TABLE seen AS
WITH timed AS (SELECT *, sum(duration_s) OVER (PARTITION BY source ORDER BY place) AS until_s FROM frames),
found AS (
    SELECT p.* EXCLUDE (time_s, track), greatest(coalesce(p.track, 0), 0) AS track,
        t.* EXCLUDE (source, place)
    FROM placed p JOIN timed t USING (source, place) WHERE kind IN ('face', 'hand')
),
highest AS (SELECT source, kind, run, max(track) AS most FROM found GROUP BY source, kind, run),
numbered AS (
    SELECT source, kind, run, coalesce(sum(most) OVER w, 0)::BIGINT AS others
    FROM highest
    WINDOW w AS (PARTITION BY source, kind ORDER BY run ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT source, kind, CASE WHEN track > 0 THEN track + others ELSE 0 END AS track,
    place, time_s, duration_s, until_s, is_pause, minute,
    row_number() OVER (PARTITION BY source, kind, place) = 1 AS is_first,
    CASE WHEN coalesce(uncertain, true) THEN NULL ELSE label END AS label, grade
FROM found JOIN numbered USING (source, kind, run);
CREATE TEMP TABLE runs AS
SELECT *, label IS NOT NULL AND track > 0 AND NOT coalesce(
    lag(label) OVER w = label AND lag(place) OVER w >= place - 1 AND NOT lag(is_pause) OVER w, false
) AS is_begun
FROM seen WINDOW w AS (PARTITION BY source, kind, track ORDER BY place);
"""  # noqa: S608 - numbers of this module


def summarize_batch(path: str | Path, by: Sequence[str]) -> pa.Table:
    """The table of a batch, however long: its rows are read by DuckDB, which keeps on disk what memory does not hold.

    Args:
        path: folder of the batch.
        by: see `grouping`.

    Raises:
        DataError: it is not a folder of a batch, nothing is finished in it, or it is damaged.
        MissingExtra: DuckDB is not installed.
    """
    tables = BatchFolder(path).tables
    if not tables:
        raise DataError(f"{path} holds no finished part of a batch; give the folder that `mien batch --out` wrote.")
    with _connected() as connection, _plainly_named(tables[0].parent) as folder:
        import duckdb

        names = [str(folder / table.name) for table in tables]
        try:
            given = connection.from_parquet(names, union_by_name=True, filename=True, file_row_number=True)
            given.project("* RENAME (filename AS part, file_row_number AS row)").create_view("given")
            return _table(connection, by)
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0].replace(str(folder), str(tables[0].parent))
            raise DataError(
                f"Cannot count the rows of {path} ({reason[:200]}); `mien batch --verify` checks it."
            ) from error


def summarize_rows(rows: pa.Table, by: Sequence[str]) -> pa.Table:
    """The same for the rows of one session, as `records.tables.read_rows` gives them, in their order."""
    with _connected() as connection:
        import pyarrow as pa

        places = pa.array(range(rows.num_rows), pa.int64())
        ordered = rows.append_column("part", pa.repeat(0, rows.num_rows)).append_column("row", places)
        connection.from_arrow(ordered).create_view("given")
        return _table(connection, by)


def longest_parts(path: str | Path, most: int) -> list[Path]:
    """The Parquet files of a batch with the most frames, in their order."""
    folder = BatchFolder(path)
    with needs("table"):
        import pyarrow.parquet as pq
    sizes = {}
    for table in folder.tables:
        with table.open("rb") as file:  # by itself pyarrow takes only names that are text
            sizes[table] = pq.read_metadata(file).num_rows
    chosen = sorted((table for table in sizes if sizes[table]), key=lambda table: -sizes[table])[:most]
    return sorted(chosen)


def grouping(text: str) -> tuple[str, ...]:
    """What a table is grouped by, written as `file,person,minute`.

    Raises:
        InputError: there is another word among them, or file is not.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in BY:
            raise InputError(f"There is no grouping {text!r}; choose one of: {'; '.join(GROUPINGS)}.")
    if "file" not in names:
        whole = ",".join(["file", *(name for name in BY if name in names)])
        raise InputError(f"People and minutes are counted within a file; group by file too: --by {whole}.")
    return tuple(name for name in BY if name in names)


@contextmanager
def _plainly_named(folder: Path) -> Iterator[Path]:
    """A link to a folder, whose own name DuckDB may take for a pattern, or which is not text."""
    with tempfile.TemporaryDirectory(prefix="mien-summary-") as scratch:
        link = Path(scratch) / "parts"
        try:
            link.symlink_to(folder.resolve(), target_is_directory=True)
        except (OSError, NotImplementedError):  # Windows has none for everybody
            link = folder
        yield link


@contextmanager
def _connected() -> Iterator[duckdb.DuckDBPyConnection]:
    with needs("scale"):
        import duckdb
        import pyarrow  # noqa: F401
    # No extension is looked for on the network; what memory does not hold is not put into the folder one stands in.
    options = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with (
        tempfile.TemporaryDirectory(prefix="mien-summary-") as scratch,
        duckdb.connect(":memory:", config={**options, "temp_directory": scratch}) as connection,
    ):
        yield connection


def _table(connection: duckdb.DuckDBPyConnection, by: Sequence[str]) -> pa.Table:
    columns = [str(row[0]) for row in connection.execute("DESCRIBE given").fetchall()]
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise DataError(f"The rows lack {', '.join(missing)}; give what `mien batch` or `mien look` wrote.")
    grade = "grade" if "grade" in columns else "NULL::VARCHAR AS grade"
    needed = ", ".join("coalesce(source, '') AS source" if name == "source" else name for name in _NEEDED)
    connection.execute(f"CREATE TEMP VIEW records AS SELECT {needed}, {grade}, part, row FROM given")  # noqa: S608
    for statement in _SEEN.split(";\n"):
        if statement.strip():
            connection.execute(statement)
    labels = _values(connection, "label")
    grades = _values(connection, "grade")
    keys = [_KEYS[name] for name in by]
    parts = ", ".join(["source", *(["minute"] if "minute" in by else [])])
    shares = [_share("label IS NULL", "share_hard_to_read")]
    shares += [_share(f"label = {_quoted(label)}", f"share_{label}") for label in labels]
    shares += [_share(f"grade = {_quoted(grade)}", f"grade_{grade}") for grade in grades]
    named = ", ".join(f"{_KEYS[name]} AS {name}" for name in by)
    is_by_person = "person" in by
    # A person is unseen between their first and last frame; of a file it is the time in which nobody is seen.
    unseen = "hidden_s" if is_by_person else "recorded_s - coalesce(any_s, 0)"
    groups = "summed" if is_by_person else f"everywhere LEFT JOIN summed USING ({parts}, kind)"
    # A group without time, as of a photo, has the shares of its frames.
    statement = f"""
        WITH weighted AS (
            SELECT *, CASE WHEN sum(duration_s) OVER w > 0 THEN duration_s ELSE 1 END AS weight
            FROM runs WINDOW w AS (PARTITION BY {", ".join(keys)}, kind)
        ),
        summed AS (
            SELECT {", ".join(keys)}, kind, count(DISTINCT track) AS tracks, count(DISTINCT place) AS frames,
                round(min(time_s), 3) AS first_s, round(max(time_s + duration_s), 3) AS last_s,
                round(sum(duration_s), 3) AS in_view_s, sum(duration_s) FILTER (is_first) AS any_s,
                max(until_s) - min(until_s - duration_s) - sum(duration_s) AS hidden_s,
                count(*) FILTER (is_begun) AS episodes, {", ".join(shares)}
            FROM weighted GROUP BY {", ".join(keys)}, kind
        ),
        recorded AS (SELECT {parts}, sum(duration_s) AS recorded_s FROM frames GROUP BY {parts}),
        everywhere AS (SELECT * FROM recorded CROSS JOIN (SELECT DISTINCT kind FROM seen))
        SELECT {named}, kind, coalesce(tracks, 0) AS tracks, coalesce(frames, 0) AS frames, first_s, last_s,
            coalesce(in_view_s, 0) AS in_view_s, round(greatest({unseen}, 0), 3) AS unseen_s,
            coalesce(episodes, 0) AS episodes, COLUMNS('^(share|grade)_.*')
        FROM {groups} ORDER BY {", ".join(keys)}, kind
    """  # noqa: S608
    return connection.sql(statement).to_arrow_table()


def _values(connection: duckdb.DuckDBPyConnection, column: str) -> list[str]:
    found = connection.execute(f"SELECT DISTINCT {column} FROM seen WHERE {column} IS NOT NULL ORDER BY 1").fetchall()  # noqa: S608
    return [str(row[0]) for row in found]


def _share(condition: str, name: str) -> str:
    return f"round(sum(weight) FILTER ({condition}) / sum(weight), 4) AS {_named(name)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _named(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def write_csv(table: pa.Table, target: str | Path, *, bom: bool = False) -> None:
    """Write a table as CSV; - is stdout.

    Args:
        table: the rows.
        target: a path, or `-` for stdout.
        bom: begin with a byte order mark, so that Excel recognizes UTF-8.

    Raises:
        OutputError: it cannot be written.
    """
    from mien.records.rows import csv_line
    from mien.records.writers import LineFile

    rows: list[dict[str, Any]] = table.to_pylist()
    with LineFile(target) as lines:
        lines.write(("\ufeff" if bom else "") + csv_line(table.column_names))
        for row in rows:
            lines.write(csv_line(["" if value is None else value for value in row.values()]))
