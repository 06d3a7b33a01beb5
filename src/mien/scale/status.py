"""How far a batch is, in words: of a run that is under way, or of what one has left behind."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mien.errors import DataError
from mien.files.locks import is_held
from mien.scale.folder import BatchFolder, contents_of, read_json
from mien.scale.job import Part
from mien.scale.run import Progress
from mien.words import say, words


def told(progress: Progress) -> str:
    """A run that is under way: "12 of 40 units, 31 %, 3,120 frames, 41.2 per second, 4 min left, 1 failure"."""
    share = min(progress.weight_done / progress.weight, 1) if progress.is_whole and progress.weight else None
    rate = f"{progress.frames_per_s:.1f}"
    parts = _parts(progress.units_done, progress.units, share, progress.frames, rate, progress.left_s)
    if progress.failed:
        parts.append(say("count.failures", n=progress.failed))
    return words().join("clauses", parts)


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
    is_finished = folder.manifest.exists() and len(facts) == len(parts)
    state = "running" if is_running else "finished" if is_finished else "ended"
    frames, rows = (say(f"count.{what}", n=sum(part[what] for part in facts)) for what in ("frames", "rows"))
    failures = say("count.failures", n=sum(bool(unit["problem"]) for unit in units))
    finished = say("batch.parts", done=len(facts), n=len(parts))
    if open_units:
        others = say("count.units", n=len(open_units))
        finished = say("batch.parts_and_units", parts=finished, units=others)
    told = [say(f"batch.{state}"), *(_not_whole(units) if state == "finished" else [])]
    lines = [
        say("batch.state", folder=folder.path, state=words().join("clauses", told)),
        finished,
        say("batch.in_parts", frames=frames, rows=rows, failures=failures),
    ]
    if len(told) > 1:
        lines.append(say("batch.why", list=folder.failures))
    if state == "ended":
        lines.append(say("batch.goes_on"))
    with suppress(DataError), contents_of(folder.progress):
        lines += _of_run(read_json(folder.progress)) if is_running else []
    return lines


def _not_whole(units: Sequence[dict[str, Any]]) -> list[str]:
    """How many files could not be read, and how many not to their end, or not every frame; nothing where none is so."""
    failed = {unit["source"] for unit in units if unit["problem"]}
    begun = {unit["source"] for unit in units if unit.get("frames")}
    counts = {"unread": len(failed - begun), "incomplete": len(failed & begun)}
    return [say(f"batch.{what}", n=n) for what, n in counts.items() if n]


def span(seconds: float) -> str:
    """A length of time, roughly: "40 s", "4 min", "3.5 h", "2.1 days"."""
    if seconds < 90:
        return say("span.seconds", n=seconds)
    if seconds < 5400:
        return say("span.minutes", n=seconds / 60)
    return say("span.hours", n=seconds / 3600) if seconds < 172_800 else say("span.days", n=seconds / 86_400)


def _of_run(progress: dict[str, Any]) -> list[str]:
    share = min(progress["weight_done"] / progress["weight"], 1) if progress["weight"] else 0.0
    done, units, rate = progress["units_done"], progress["units"], f"{progress['frames_per_s']:g}"
    parts = _parts(done, units, share, progress["frames"], rate, progress["left_s"])
    return [say("batch.this_run", parts=words().join("clauses", parts))]


def _parts(done: int, units: int, share: float | None, frames: int, rate: str, left_s: float | None) -> list[str]:
    parts = [say("batch.progress_units", done=done, n=units)]
    parts += [] if share is None else [say("batch.progress_share", share=share)]
    parts += [say("count.frames", n=frames), say("batch.progress_rate", rate=rate)]
    return parts + ([] if left_s is None else [say("batch.progress_left", span=span(left_s))])
