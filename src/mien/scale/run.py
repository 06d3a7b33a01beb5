"""A batch from beginning to end: what is unfinished goes to an engine, again if a worker dies, until all is done."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mien.errors import MienError
from mien.files.whole import write_whole
from mien.scale.engine import Advanced, Ended, Engine
from mien.scale.folder import BatchFolder, Log, contents_of, read_json, write_json
from mien.scale.job import Part, Settings, Unit, WorkItem
from mien.scale.ranges import rough_seam
from mien.scale.tasks import failed_result
from mien.wording import json_text
from mien.words import say

TRIES = 2
"""How often a source is tried that fails or takes its worker with it."""

KILLS = 4
"""How often a source is tried whose worker is killed from outside, which need not be its fault."""

_POLL_S = 0.5
_TELL_S = 2.0


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Args:
        units: how many there are, as far as is known.
        units_done: how many of them are finished.
        weight: about how many frames they have.
        weight_done: about how many of them are done, in this run and before.
        weight_before: about how many were done before this run.
        frames: frames looked at in this run.
        failed: units with a problem.
        begun_s: when this run began, by `time.monotonic`.
        is_whole: whether all units are known.
    """

    units: int = 0
    units_done: int = 0
    weight: float = 0.0
    weight_done: float = 0.0
    weight_before: float = 0.0
    frames: int = 0
    failed: int = 0
    begun_s: float = field(default_factory=time.monotonic)
    is_whole: bool = False

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.begun_s

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """About how long it will take yet; None while that cannot be told."""
        fresh = self.weight_done - self.weight_before
        if not self.is_whole or fresh <= 0:
            return None
        return self.elapsed_s * max(self.weight - self.weight_done, 0.0) / fresh


def _ignored(progress: Progress) -> None:
    del progress


class Run:
    """The work of one run on a folder that it holds.

    Args:
        folder: of the batch; `prepare` has made or checked its job.
        settings: of the batch.
        parts: of the batch.
        log: where to say what happened.
        on_part: takes each part whose units are finished, in order, in place of making its Parquet file.
        on_progress: called about twice a second.
    """

    def __init__(
        self,
        folder: BatchFolder,
        settings: Settings,
        parts: Sequence[Part],
        log: Log,
        *,
        on_part: Callable[[Part, tuple[Unit, ...]], object] | None = None,
        on_progress: Callable[[Progress], object] = _ignored,
    ) -> None:
        self._folder, self._settings, self._parts, self._log = folder, settings, parts, log
        self._on_part, self._on_progress = on_part, on_progress
        self.progress = Progress()
        self.problems: list[str] = []
        self._queue: deque[WorkItem] = deque()
        self._units: dict[int, tuple[Unit, ...]] = {}
        self._open: dict[int, int] = {}
        self._tries: Counter[str] = Counter()
        self._kills: Counter[str] = Counter()
        self._under_way: dict[str, int] = {}
        self._unsplit = 0
        self._next = 0
        self._told_s = 0.0

    def work(self, engine: Engine) -> None:
        """Do everything that is unfinished.

        Raises:
            MienError: it cannot go on; what is finished stays so.
        """
        self._collect()
        running = 0
        while self._queue or running:
            while self._queue and engine.free > 0:
                engine.submit(self._queue.popleft())
                running += 1
            event = engine.wait(_POLL_S)
            if isinstance(event, Advanced):
                self._advance(event)
            elif isinstance(event, Ended):
                running -= 1
                self._end(event)
            self._tell()
        self._tell(is_last=True)

    def _collect(self) -> None:
        """Find out what is unfinished."""
        splits: list[WorkItem] = []
        for part in self._parts:
            if self._on_part is None and self._folder.facts(part).exists():
                self._folder.clear(part)
                facts = self._folder.read_facts(part)
                self._known(len(facts["units"]), float(facts["frames"]), done=True)
                self.progress.failed += sum(bool(unit["problem"]) for unit in facts["units"])
            elif part.is_video and not self._folder.plan(part).exists():
                splits.append(WorkItem(kind="split", part=part))
            else:
                of_photos = () if part.is_video else part.photo_units(self._settings.selection)
                self._add(part, self._folder.units(part) if part.is_video else of_photos)
        self._unsplit = len(splits)
        self._queue.extendleft(reversed(splits))
        self.progress.weight_before = self.progress.weight_done
        self._hand_over()

    def _known(self, units: int, weight: float, *, done: bool) -> None:
        self.progress.units += units
        self.progress.weight += weight
        if done:
            self.progress.units_done += units
            self.progress.weight_done += weight

    def _add(self, part: Part, units: tuple[Unit, ...], *, first: bool = False) -> None:
        """Units of a part that is not finished."""
        self._units[part.number] = units
        left = [unit for unit in units if not self._folder.result(unit).exists()]
        for unit in units:
            self._known(1, unit.weight, done=False)
        finished = sum(unit.weight for unit in units) - sum(unit.weight for unit in left)
        self.progress.units_done += len(units) - len(left)
        self.progress.weight_done += finished
        self._open[part.number] = len(left)
        tasks = [WorkItem(kind="look", part=part, unit=unit) for unit in left]
        if first:
            self._queue.extendleft(reversed(tasks))
        else:
            self._queue.extend(tasks)
        if not left:
            self._finish(part)

    def _finish(self, part: Part) -> None:
        """All units of a part are finished."""
        if part.is_video:
            units = self._units[part.number]
            with contents_of(self._folder.result(units[0])):
                rough = rough_seam(units, [read_json(self._folder.result(unit)) for unit in units])
            if rough is not None:
                self._log.say(
                    f"looked at again, going on with what was before: {rough.source} from {rough.selection.start_s:g} s"
                )
                self._open[part.number] = 1
                self.progress.units_done -= 1
                self.progress.weight_done -= rough.weight
                self._queue.appendleft(WorkItem(kind="look", part=part, unit=rough))
                return
        if self._on_part is None:
            self._queue.appendleft(WorkItem(kind="join", part=part))

    def _hand_over(self) -> None:
        """Give finished parts away, in order."""
        while self._on_part is not None and self._next < len(self._parts):
            part = self._parts[self._next]
            if self._open.get(part.number, 1):
                return
            self._on_part(part, self._units[part.number])
            self._next += 1

    def _advance(self, event: Advanced) -> None:
        key = event.task.key
        self.progress.frames += event.frames - self._under_way.get(key, 0)
        self._under_way[key] = event.frames

    def _end(self, event: Ended) -> None:
        task = event.task
        before = self._under_way.pop(task.key, 0)
        if event.outcome == "fatal":
            self._log.say(event.reason)
            error = MienError(event.reason)
            error.exit_code = event.exit_code
            raise error
        if event.outcome == "done":
            if task.unit is not None:
                self.progress.frames += event.facts["frames"] - before
                self._looked(task, event.facts["problem"])
            elif task.kind == "split":
                self._split(task.part)
            return
        self.progress.frames -= before
        self._log.say(f"{event.outcome}: {event.reason}")
        self._kills[task.key] += event.outcome == "killed"
        self._tries[task.key] += event.outcome != "killed"
        if self._tries[task.key] < TRIES and self._kills[task.key] < KILLS:
            self._queue.append(task)
            return
        self._give_up(task, event.reason)

    def _give_up(self, task: WorkItem, reason: str) -> None:
        tries = self._tries[task.key] + self._kills[task.key]
        self._log.say(f"given up after {tries} tries: {task.about}")
        if task.unit is not None:
            write_json(self._folder.result(task.unit), failed_result(reason, tries), keep_names=True)
            self._looked(task, reason)
        elif task.kind == "split":
            (item,) = task.part.items
            whole = Unit(
                part=task.part.number,
                number=0,
                source=item.source,
                path=item.path,
                selection=self._settings.selection,
            )
            self._folder.write_units(task.part, (whole,))
            write_json(self._folder.result(whole), failed_result(reason, tries), keep_names=True)
            self.progress.failed += 1
            self.problems.append(reason)
            self._split(task.part)
        else:
            self.problems.append(reason)

    def _looked(self, task: WorkItem, problem: str) -> None:
        """A unit is finished."""
        if task.unit is None:
            return
        self.progress.units_done += 1
        self.progress.weight_done += task.unit.weight
        if problem:
            self.progress.failed += 1
            self.problems.append(problem)
            self._log.say(problem)
        self._open[task.unit.part] -= 1
        if not self._open[task.unit.part]:
            self._finish(self._parts[task.unit.part])
            self._hand_over()

    def _split(self, part: Part) -> None:
        self._unsplit -= 1
        self._add(part, self._folder.units(part))
        self._hand_over()

    def _tell(self, *, is_last: bool = False) -> None:
        self.progress.is_whole = not self._unsplit
        shown = replace(self.progress)
        shown.weight_done += sum(self._under_way.values())
        self._on_progress(shown)
        if is_last or time.monotonic() - self._told_s >= _TELL_S:
            self._told_s = time.monotonic()
            facts = {**asdict(shown), "frames_per_s": round(shown.frames_per_s, 2), "left_s": shown.left_s}
            del facts["begun_s"]
            write_json(self._folder.progress, facts)


def conclude(folder: BatchFolder, parts: Sequence[Part], settings: Settings) -> dict[str, Any]:
    """Write the manifest, and the list of failures if there are any; returns the manifest.

    Raises:
        OutputError: they cannot be written.
    """
    facts = [folder.read_facts(part) for part in parts if folder.facts(part).exists()]
    failures = [unit for part in facts for unit in part["units"] if unit["problem"]]
    if failures:
        write_whole(folder.failures, "".join(f"{json_text(unit)}\n" for unit in failures).encode())
    else:
        folder.failures.unlink(missing_ok=True)
    manifest = {
        "settings": settings.to_dict(),
        "parts": facts,
        "rows": sum(part["rows"] for part in facts),
        "frames": sum(part["frames"] for part in facts),
        "failures": len(failures),
        "is_complete": len(facts) == len(parts),
    }
    write_json(folder.manifest, manifest)
    if not manifest["is_complete"]:
        return manifest
    for path in folder.work.glob("*"):
        path.unlink(missing_ok=True)
    folder.work.rmdir()
    return manifest


def summary(manifest: dict[str, Any], folder: BatchFolder) -> str:
    """A run in one sentence."""
    sources = len({unit["source"] for part in manifest["parts"] for unit in part["units"]})
    told = {
        "sources": say("count.sources", n=sources),
        "frames": say("count.frames", n=manifest["frames"]),
        "rows": say("count.rows", n=manifest["rows"]),
        "files": say("count.files", n=len(manifest["parts"])),
        "folder": folder.parts,
    }
    if not manifest["failures"]:
        return say("batch.summary_line", **told)
    failures = say("count.failures", n=manifest["failures"])
    return say("batch.summary_failed", **told, failures=failures, list=folder.failures)
