"""How far a batch is, in words: of a run that is under way, or of what one has left behind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from mien.errors import DataError
from mien.files.locks import is_held
from mien.scale.folder import BatchFolder, contents_of, read_json
from mien.scale.job import Part
from mien.scale.run import Progress
from mien.wording import count


def told(progress: Progress) -> str:
    """A run that is under way: "12 of 40 units, 31 %, 3,120 frames, 41.2 per second, 4 min left, 1 failure"."""
    words = [f"{progress.units_done:,} of {count(progress.units, 'unit')}"]
    if progress.is_whole and progress.weight:
        words.append(f"{min(progress.weight_done / progress.weight, 1):.0%}")
    words += [count(progress.frames, "frame"), f"{progress.frames_per_s:.1f} per second"]
    if progress.left_s is not None:
        words.append(f"{span(progress.left_s)} left")
    if progress.failed:
        words.append(count(progress.failed, "failure"))
    return ", ".join(words)


def status_lines(path: str | Path) -> list[str]:
    """What is finished of a batch, and what its run, if there is one, says about itself.

    Raises:
        DataError: this is not the folder of a batch.
    """
    folder = BatchFolder(path)
    with contents_of(folder.job):
        parts = [Part.from_dict(part) for part in read_json(folder.job)["parts"]]
    facts = [folder.read_facts(part) for part in parts if folder.facts(part).exists()]
    units = [unit for part in facts for unit in part["units"]]
    open_units = list(folder.work.glob("??????-?????.json")) if folder.work.is_dir() else []
    is_running = is_held(folder.path)
    state = (
        "running" if is_running else "finished" if folder.manifest.exists() and len(facts) == len(parts) else "ended"
    )
    frames, rows = (count(sum(part[f"{what}s"] for part in facts), what) for what in ("frame", "row"))
    failed = sum(bool(unit["problem"]) for unit in units)
    lines = [
        f"{folder.path}: {state}",
        f"parts finished: {len(facts):,} of {len(parts):,}; {count(len(open_units), 'unit')} of the others",
        f"in finished parts: {frames}, {rows}, {count(failed, 'failure')}",
    ]
    if state == "ended":
        lines.append("not finished; the same `mien batch` goes on with it")
    with suppress(DataError), contents_of(folder.progress):
        lines += _of_run(read_json(folder.progress)) if is_running else []
    return lines


def span(seconds: float) -> str:
    """A length of time, roughly: "40 s", "4 min", "3.5 h", "2.1 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def _of_run(progress: dict[str, Any]) -> list[str]:
    share = min(progress["weight_done"] / progress["weight"], 1) if progress["weight"] else 0.0
    left = "" if progress["left_s"] is None else f", {span(progress['left_s'])} left"
    units = f"{progress['units_done']:,} of {count(progress['units'], 'unit')}"
    frames = f"{count(progress['frames'], 'frame')}, {progress['frames_per_s']:g} per second"
    return [f"this run: {units}, {share:.0%}, {frames}{left}"]
