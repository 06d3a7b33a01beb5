"""The order of things and what is done after failures, with an engine that does what a test says, at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mien.errors import MienError, RefusedOutput
from mien.scale.engine import Advanced, Ended, Outcome
from mien.scale.folder import BatchFolder, HeldFolder, Log, read_json, write_json
from mien.scale.job import Item, Part, Settings, Unit, WorkItem
from mien.scale.prepare import prepare
from mien.scale.run import Progress, Run, conclude
from mien.scale.sources import item_of
from mien.sources import Selection

Make = Callable[..., Settings]
Script = dict[str, list[Outcome]]


class ScriptedEngine:
    """Does tasks at once; what a script names fails first in the ways that it lists."""

    workers = 2

    def __init__(self, folder: BatchFolder, script: Script | None = None) -> None:
        self.folder = folder
        self.script = script or {}
        self.done: list[str] = []
        self._events: deque[Ended | Advanced] = deque()
        self._waiting = 0

    @property
    def free(self) -> int:
        return self.workers - self._waiting

    def submit(self, task: WorkItem) -> None:
        self._waiting += 1
        left = self.script.get(task.key, [])
        if left:
            self._events.append(Ended(task=task, outcome=left.pop(0), reason=f"{task.about}: trouble.", exit_code=1))
            return
        self.done.append(task.key)
        facts: dict[str, Any] = {}
        if task.kind == "split":
            (item,) = task.part.items
            units = tuple(
                Unit(part=task.part.number, number=n, source=item.source, path=item.path, selection=SELECTION)
                for n in range(3)
            )
            self.folder.write_units(task.part, units)
        elif task.unit is not None:
            facts = {"frames": 2, "problem": "", "tries": 1, "took_s": 0.1}
            write_json(self.folder.result(task.unit), facts)
            self._events.append(Advanced(task=task, frames=1))
        else:
            units = self.folder.units(task.part) if task.part.is_video else task.part.photo_units(SELECTION)
            results = [read_json(self.folder.result(unit)) for unit in units]
            told = [
                {"source": u.source, "from_s": 0, "to_s": None, **{n: r[n] for n in ("frames", "problem", "tries")}}
                for u, r in zip(units, results, strict=True)
            ]
            table = self.folder.table(task.part)
            table.write_bytes(b"rows")
            frames = sum(r["frames"] for r in results)
            facts = {"file": table.name, "rows": 1, "frames": frames, "size": 4, "sha256": "", "units": told}
            write_json(self.folder.facts(task.part), facts)
            self.folder.clear(task.part)
        self._events.append(Ended(task=task, outcome="done", facts=facts))

    def wait(self, timeout_s: float) -> Ended | Advanced | None:
        assert timeout_s > 0
        event = self._events.popleft()
        self._waiting -= isinstance(event, Ended)
        return event

    def close(self) -> None:
        self._events.clear()


SELECTION = Selection()
ITEMS = [
    Item(source="a.jpg", path="/a.jpg", is_video=False, size=1, changed_ns=1),
    Item(source="b.mp4", path="/b.mp4", is_video=True, size=1, changed_ns=1),
    Item(source="c.jpg", path="/c.jpg", is_video=False, size=1, changed_ns=1),
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[BatchFolder]:
    made = BatchFolder(tmp_path / "out")
    with HeldFolder(made):
        yield made


@pytest.fixture
def work(folder: BatchFolder, settings: Make) -> Callable[..., tuple[Run, ScriptedEngine, list[Progress]]]:
    """One run with a script."""

    def run(
        script: Script | None = None, *, kind: type[ScriptedEngine] = ScriptedEngine, **options: Any
    ) -> tuple[Run, ScriptedEngine, list[Progress]]:
        parts = prepare(folder, settings(), ITEMS)
        told: list[Progress] = []
        with Log(folder.log) as log:
            made = Run(folder, settings(), parts, log, on_progress=told.append, **options)
            engine = kind(folder, script)
            made.work(engine)
        return made, engine, told

    return run


def _parts(folder: BatchFolder) -> list[Part]:
    return [Part.from_dict(part) for part in read_json(folder.job)["parts"]]


def test_everything_is_done_once_and_each_part_is_joined_when_its_units_are_there(
    folder: BatchFolder, settings: Make, work: Callable[..., Any]
) -> None:
    run, engine, told = work()
    assert sorted(engine.done) == sorted(
        ["000001-split", "000000-00000", "000000-join", "000002-00000", "000002-join"]
        + [f"000001-{n:05d}" for n in range(3)]
        + ["000001-join"]
    )
    assert engine.done.index("000001-join") > max(engine.done.index(f"000001-{n:05d}") for n in range(3))
    assert run.problems == []
    last = told[-1]
    assert (last.units_done, last.units, last.frames, last.failed) == (5, 5, 10, 0)
    assert last.left_s == 0
    manifest = conclude(folder, _parts(folder), settings())
    assert manifest["is_complete"]
    assert not folder.work.exists()
    assert not folder.failures.exists()


@pytest.mark.parametrize("outcome", ["failed", "crashed"])
def test_a_poison_source_is_tried_twice_then_listed_and_the_rest_is_done(
    folder: BatchFolder, settings: Make, work: Callable[..., Any], outcome: Outcome
) -> None:
    run, engine, _ = work({"000001-00001": [outcome] * 5})
    assert engine.script["000001-00001"] == [outcome] * 3
    assert run.problems == ["b.mp4: trouble."]
    manifest = conclude(folder, _parts(folder), settings())
    assert (manifest["failures"], manifest["is_complete"]) == (1, True)
    failure = read_json(folder.failures)
    assert (failure["source"], failure["problem"], failure["tries"]) == ("b.mp4", "b.mp4: trouble.", 2)
    assert len(engine.done) == 8


def test_a_worker_that_is_killed_from_outside_is_not_held_against_its_source(work: Callable[..., Any]) -> None:
    run, engine, told = work({"000000-00000": ["killed"] * 3, "000001-split": ["killed", "crashed"]})
    assert run.problems == []
    assert "000000-00000" in engine.done
    assert told[-1].frames == 10


def test_but_it_is_given_up_in_the_end(work: Callable[..., Any]) -> None:
    run, engine, _ = work({"000000-00000": ["killed"] * 9})
    assert run.problems == ["a.jpg: trouble."]
    assert len(engine.script["000000-00000"]) == 5


def test_a_video_that_kills_whoever_opens_it_is_given_up(work: Callable[..., Any]) -> None:
    run, engine, _ = work({"000001-split": ["crashed"] * 9})
    assert run.problems == ["b.mp4: trouble."]
    assert "000001-join" in engine.done
    assert "000001-00000" not in engine.done


def test_a_fatal_trouble_ends_the_run_with_its_exit_code(folder: BatchFolder, work: Callable[..., Any]) -> None:
    with pytest.raises(MienError, match="trouble") as caught:
        work({"000000-00000": ["fatal"]})
    assert caught.value.exit_code == 1
    assert "trouble" in folder.log.read_text()


def test_a_restart_does_only_what_is_left(folder: BatchFolder, work: Callable[..., Any]) -> None:
    with pytest.raises(MienError):
        work({"000001-00002": ["fatal"]})
    before = {path.name for path in folder.work.iterdir()}
    assert "000001-00000.json" in before
    _, engine, told = work()
    assert "000001-00000" not in engine.done
    assert "000001-split" not in engine.done
    assert "000001-00002" in engine.done
    assert told[-1].units_done == told[-1].units == 5
    _, engine, _ = work()
    assert engine.done == []


def _changed(item: Item, **changes: Any) -> Item:
    return replace(item, **{"size": 2, "changed_ns": 2, **changes})


def test_a_source_that_failed_and_has_changed_is_read_again_and_one_that_was_read_is_refused(
    folder: BatchFolder, settings: Make, work: Callable[..., Any]
) -> None:
    work({"000001-00001": ["failed"] * 2, "000002-00000": ["failed"] * 2})
    conclude(folder, _parts(folder), settings())
    folder.work.mkdir()
    a, b, c = ITEMS
    before = {path: path.read_bytes() for path in sorted(folder.path.rglob("*")) if path.is_file()}
    with pytest.raises(
        RefusedOutput, match=r"^a\.jpg has been read and has changed since; put back .* a new folder\.$"
    ):
        prepare(folder, settings(), [_changed(a), _changed(b), c])
    assert before == {path: path.read_bytes() for path in before}, (
        "nothing is touched before all is known to be allowed"
    )
    told: list[tuple[str, dict[str, Any]]] = []
    now = [a, _changed(b), _changed(c)]
    parts = prepare(folder, settings(), now, on_redo=lambda key, **values: told.append((key, values)))
    assert told == [("batch.read_again", {"n": 2, "source": "b.mp4"})]
    assert [item for part in parts for item in part.items] == now
    assert parts == _parts(folder)
    assert not folder.manifest.exists()
    with Log(folder.log) as log:
        engine = ScriptedEngine(folder)
        Run(folder, settings(), parts, log).work(engine)
    assert sorted(key for key in engine.done if "join" not in key and "split" not in key) == [
        *(f"000001-{number:05d}" for number in range(3)),
        "000002-00000",
    ]
    manifest = conclude(folder, parts, settings())
    assert (manifest["failures"], manifest["is_complete"]) == (0, True)
    assert not folder.failures.exists()
    with pytest.raises(RefusedOutput, match=r"b\.mp4 has been read and has changed"):
        prepare(folder, settings(), [a, _changed(b, size=3), _changed(c)])


@pytest.mark.parametrize("step", range(6))
def test_wherever_reading_again_is_interrupted_the_next_run_does_the_rest(
    folder: BatchFolder, settings: Make, work: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    work({"000001-00001": ["failed"] * 2})
    conclude(folder, _parts(folder), settings())
    folder.work.mkdir()
    now = [ITEMS[0], _changed(ITEMS[1]), ITEMS[2]]
    left = step

    def until_interrupted(done: Callable[..., Any]) -> Callable[..., Any]:
        def do(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return done(*args, **options)

        return do

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", until_interrupted(Path.unlink))
        patched.setattr("mien.scale.prepare.write_json", until_interrupted(write_json))
        with suppress(KeyboardInterrupt):
            prepare(folder, settings(), now)
    parts = prepare(folder, settings(), now)
    with Log(folder.log) as log:
        Run(folder, settings(), parts, log).work(ScriptedEngine(folder))
    manifest = conclude(folder, parts, settings())
    assert (manifest["failures"], manifest["is_complete"]) == (0, True)
    assert _parts(folder)[1].items == (now[1],)


def test_with_it_all_photos_of_its_part_are_read_again_if_they_are_still_the_same(
    folder: BatchFolder, settings: Make, tmp_path: Path
) -> None:
    def run(items: list[Item], script: Script | None = None) -> list[str]:
        parts = prepare(folder, settings(), items)
        engine = ScriptedEngine(folder, script)
        with Log(folder.log) as log:
            Run(folder, settings(), parts, log).work(engine)
        conclude(folder, parts, settings())
        folder.work.mkdir()
        return engine.done

    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(b"")
    items = [item_of(tmp_path / f"{name}.jpg") for name in "abc"]
    run(items, {"000000-00001": ["failed"] * 2})
    (tmp_path / "b.jpg").write_bytes(b"changed")
    (tmp_path / "c.jpg").write_bytes(b"changed")
    with pytest.raises(RefusedOutput, match=r"c\.jpg would be read again, because .* but it has changed or is gone"):
        run([item_of(tmp_path / "b.jpg")])
    os.truncate(tmp_path / "c.jpg", 0)
    os.utime(tmp_path / "c.jpg", ns=(0, items[2].changed_ns or 0))
    assert run([item_of(tmp_path / "b.jpg")]) == [*(f"000000-{number:05d}" for number in range(3)), "000000-join"]


def test_a_photo_that_has_become_a_video_gets_a_part_of_its_own(folder: BatchFolder, settings: Make) -> None:
    photos = [replace(ITEMS[0], source=f"{name}.jpg", path=f"s3://{name}.jpg") for name in "abc"]
    parts = prepare(folder, settings(), photos)
    with Log(folder.log) as log:
        Run(folder, settings(), parts, log).work(ScriptedEngine(folder, {"000000-00001": ["failed"] * 2}))
    now = [photos[0], _changed(photos[1], is_video=True), photos[2]]
    parts = prepare(folder, settings(), now)
    assert [part.items for part in parts] == [(now[0], now[2]), (now[1],)]
    assert [part.number for part in parts] == [0, 1]


def test_of_an_interrupted_batch_only_what_failed_or_was_not_read_may_change(
    folder: BatchFolder, settings: Make, work: Callable[..., Any]
) -> None:
    photos = [replace(ITEMS[0], source=f"{name}.jpg", path=f"s3://{name}.jpg") for name in "abcd"]
    parts = prepare(folder, settings(), photos)
    units = parts[0].photo_units(SELECTION)
    for unit, problem in zip(units, ("", "trouble", ""), strict=False):
        write_json(folder.result(unit), {"frames": 1, "problem": problem, "tries": 1, "took_s": 0})
    with pytest.raises(RefusedOutput, match=r"c\.jpg has been read and has changed since"):
        prepare(folder, settings(), [*photos[:2], _changed(photos[2])])
    prepare(folder, settings(), [photos[0], _changed(photos[1]), photos[2], _changed(photos[3])])
    assert [folder.result(unit).exists() for unit in units] == [True, False, True, False]
    assert _parts(folder)[0].items == (photos[0], _changed(photos[1]), photos[2], _changed(photos[3]))


@pytest.mark.parametrize(
    ("damage", "told"),
    [(b"row", "batch.damaged_again"), (b"rows!", "batch.damaged_again"), (None, "batch.missing_again")],
)
def test_a_part_of_another_size_is_made_again(
    folder: BatchFolder, settings: Make, work: Callable[..., Any], damage: bytes | None, told: str
) -> None:
    work()
    conclude(folder, _parts(folder), settings())
    folder.work.mkdir()
    table = folder.table(_parts(folder)[1])
    if damage is None:
        table.unlink()
    else:
        table.write_bytes(damage)
    keys: list[str] = []
    parts = prepare(folder, settings(), ITEMS, on_redo=lambda key, **_: keys.append(key))
    assert keys == [told]
    with Log(folder.log) as log:
        engine = ScriptedEngine(folder)
        Run(folder, settings(), parts, log).work(engine)
    assert table.read_bytes() == b"rows"
    assert "000001-join" in engine.done
    assert not any(key.startswith(("000000", "000002")) for key in engine.done)
    assert conclude(folder, parts, settings())["is_complete"]


@pytest.mark.parametrize("handed_over", [False, True])
def test_a_range_that_began_otherwise_than_it_should_is_done_again_before_its_part_is_finished(
    work: Callable[..., Any], folder: BatchFolder, handed_over: bool
) -> None:
    again: list[Unit] = []
    given: list[int] = []

    class Remembers(ScriptedEngine):
        def submit(self, task: WorkItem) -> None:
            super().submit(task)
            if task.unit is not None and task.part.number == 1:
                if task.unit.goes_on:
                    again.append(task.unit)
                memory = {"before": "warm", "after": "warm"}
                if task.unit.number == 1:
                    memory = {"before": "warm" if task.unit.goes_on else "cold", "after": "warm"}
                result = {**read_json(self.folder.result(task.unit)), **memory}
                write_json(self.folder.result(task.unit), result)

    def take(part: Part, units: tuple[Unit, ...]) -> None:
        assert len(again) == (part.number > 0) or part.number == 0
        given.append(part.number)

    _, engine, told = work(kind=Remembers, **({"on_part": take} if handed_over else {}))
    assert [unit.number for unit in again] == [1]
    assert engine.done.count("000001-00001") == 2
    assert (told[-1].units_done, told[-1].units) == (5, 5)
    if handed_over:
        assert given == [0, 1, 2]
    else:
        assert engine.done.index("000001-join") > max(i for i, key in enumerate(engine.done) if key == "000001-00001")


def test_finished_parts_are_handed_over_in_order(work: Callable[..., Any]) -> None:
    given: list[int] = []

    def take(part: Part, units: tuple[Unit, ...]) -> None:
        assert all(unit.part == part.number for unit in units)
        given.append(part.number)

    work({"000000-00000": ["failed"]}, on_part=take)
    assert given == [0, 1, 2]


def test_other_settings_are_refused_and_new_sources_added(folder: BatchFolder, settings: Make) -> None:
    parts = prepare(folder, settings(), ITEMS)
    assert prepare(folder, settings(), ITEMS) == parts
    with pytest.raises(
        RefusedOutput, match=r"other settings \(--fps: not given before, now 2\); give the same .* new folder"
    ):
        prepare(folder, settings(fps=2), ITEMS)
    with pytest.raises(RefusedOutput, match=r"^other\.mp4 was given as b\.mp4 before; give it by that name, or choose"):
        prepare(folder, settings(), [ITEMS[0], replace(ITEMS[1], source="other.mp4")])
    more = prepare(folder, settings(), [*ITEMS, Item(source="d.jpg", path="/d.jpg", is_video=False)])
    assert more[: len(parts)] == parts
    assert [item.source for part in more[len(parts) :] for item in part.items] == ["d.jpg"]


def test_a_folder_of_something_else_and_one_at_work_are_refused(folder: BatchFolder, tmp_path: Path) -> None:
    with pytest.raises(RefusedOutput, match="another run"), HeldFolder(folder):
        pass
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(RefusedOutput, match=r"thesis\.txt"):
        BatchFolder(other).check()
    (tmp_path / "file").write_text("x")
    with pytest.raises(RefusedOutput, match="is a file"):
        BatchFolder(tmp_path / "file").check()


def test_a_run_that_ended_at_any_moment_leaves_a_folder_that_can_be_gone_on_with(
    tmp_path: Path, settings: Make
) -> None:
    """A full disk or a kill, before job.json is there, or while a file of the folder itself is written."""
    folder = BatchFolder(tmp_path / "out")
    with HeldFolder(folder):
        folder.log.write_text("begun")
    (folder.path / "job.json.part").write_text("{")
    folder.check()
    with HeldFolder(folder):
        assert not (folder.path / "job.json.part").exists()
        prepare(folder, settings(), ITEMS)
    (folder.path / "manifest.json.2.part").write_text("{")
    folder.check()
    folder.job.unlink()
    (folder.parts / "part-000000.parquet").write_text("rows")
    with pytest.raises(RefusedOutput, match="parts"):
        folder.check()


def test_time_left_follows_from_what_this_run_did() -> None:
    progress = Progress(units=4, weight=100, weight_done=50, weight_before=40, is_whole=True)
    progress.begun_s -= 5
    assert progress.left_s == pytest.approx(25, rel=0.1)
    progress.is_whole = False
    assert progress.left_s is None
