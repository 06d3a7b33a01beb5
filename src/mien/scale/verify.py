"""Whether the folder of a batch holds what its manifest says, and each frame of each source once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.extras import needs
from mien.files.hashes import file_sha256
from mien.scale.folder import BatchFolder, contents_of, read_json
from mien.scale.job import Part
from mien.wording import as_text
from mien.words import say


def verify(path: str | Path) -> list[str]:
    """What is wrong with a batch that should be finished, a sentence for each fault; empty if nothing is.

    Args:
        path: its folder.

    Raises:
        DataError: it is not the folder of a batch.
        MissingExtra: pyarrow is not installed.
    """
    folder = BatchFolder(path)
    job = read_json(folder.job)
    if not folder.manifest.exists():
        return [say("batch.unfinished", folder=folder.path)]
    manifest = read_json(folder.manifest)
    with contents_of(folder.manifest):
        done = {as_text(unit["source"]) for part in manifest["parts"] for unit in part["units"]}
        names = {part["file"] for part in manifest["parts"]}
        total = [sum(int(part[name]) for part in manifest["parts"]) for name in ("rows", "frames")]
    with contents_of(folder.job):
        asked = {as_text(item.source) for part in job["parts"] for item in Part.from_dict(part).items}
    faults = []
    if total != [manifest.get("rows"), manifest.get("frames")]:
        faults.append(say("batch.totals_differ", manifest=folder.manifest))
    if not manifest.get("is_complete"):
        faults.append(say("batch.unfinished", folder=folder.path))
    faults += [say("batch.not_listed", file=table) for table in folder.tables if table.name not in names]
    for part in manifest["parts"]:
        with contents_of(folder.manifest):
            faults += _faults(folder.parts / part["file"], part)
    faults += [say("batch.source_missing", source=source) for source in sorted(asked - done)]
    return faults


def _faults(table: Path, facts: dict[str, Any]) -> list[str]:
    if not table.exists():
        return [say("batch.file_missing", file=table)]
    if file_sha256(table) != facts["sha256"]:
        return [say("batch.changed", file=table)]
    with needs("table"):
        import pyarrow.parquet as pq
    with table.open("rb") as file:  # by itself pyarrow takes only names that are text
        # On this thread alone: one of pyarrow's that lets go of a Python file while Python ends aborts the process.
        columns = ["source", "frame", "kind", "track"]
        rows = pq.read_table(file, columns=columns, use_threads=False, pre_buffer=False).to_pylist()
    frames = {(row["source"], row["frame"]) for row in rows}
    seen = [(row["source"], row["frame"], row["kind"], row["track"]) for row in rows]
    faults = []
    if len(rows) != facts["rows"]:
        faults.append(say("batch.wrong_rows", file=table, n=len(rows), wanted=facts["rows"]))
    if len(frames) != facts["frames"]:
        faults.append(say("batch.wrong_frames", file=table, n=len(frames), wanted=facts["frames"]))
    if len(set(seen)) != len(seen):
        faults.append(say("batch.repeated", file=table, n=len(seen) - len(set(seen))))
    return faults
