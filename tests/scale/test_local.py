"""Real worker processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.artwork.drawings import demo_frame
from mien.errors import MienError
from mien.pixels.images import write_image
from mien.scale.folder import BatchFolder, HeldFolder, Log, read_json
from mien.scale.job import Settings
from mien.scale.local import LocalEngine
from mien.scale.prepare import prepare
from mien.scale.run import Progress, Run, conclude
from mien.scale.sources import items_of
from mien.scale.verify import verify

Make = Callable[..., Settings]
Rows = Callable[..., list[dict[str, Any]]]


def _setup(folder: BatchFolder, settings: Settings) -> dict[str, Any]:
    return {
        "folder": str(folder.path),
        "settings": settings.to_dict(),
        "how": settings.how,
    }


def _batch(
    folder: BatchFolder,
    settings: Settings,
    specs: list[str],
    *,
    workers: int = 2,
    chaos: Callable[[LocalEngine, Progress], None] | None = None,
) -> tuple[Run, dict[str, Any]]:
    """A whole batch in this process; `chaos` may do harm about twice a second."""
    items, problems = items_of(specs)
    assert problems == []
    with HeldFolder(folder), Log(folder.log) as log:
        parts = prepare(folder, settings, items)
        engine = LocalEngine(workers, _setup(folder, settings), log.file, log.say)

        def told(progress: Progress) -> None:
            if chaos is not None:
                chaos(engine, progress)

        run = Run(folder, settings, parts, log, on_progress=told)
        with engine:
            run.work(engine)
        return run, conclude(folder, parts, settings)


def _chaos(kills: int, *, seed: int = 5) -> tuple[Callable[[LocalEngine, Progress], None], list[int]]:
    """Kills a random worker after every unit or two, so many times; and who was killed."""
    pick = np.random.default_rng(seed)
    killed: list[int] = []
    at = 0

    def harm(engine: LocalEngine, progress: Progress) -> None:
        nonlocal at
        if len(killed) < kills and progress.units_done >= at and engine.pids:
            victim = int(pick.choice(engine.pids))
            if victim in killed:
                return
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            killed.append(victim)
            at = progress.units_done + int(pick.integers(1, 3))

    return harm, killed


def test_workers_that_are_killed_lose_and_double_nothing(
    tmp_path: Path, settings: Make, walls: Callable[[int], Path], rows: Rows, drawn_clip: Path
) -> None:
    photos = walls(12)
    specs = [str(photos), str(drawn_clip)]
    unbroken, broken = BatchFolder(tmp_path / "unbroken"), BatchFolder(tmp_path / "broken")
    _batch(unbroken, settings(range_s=1), specs)
    harm, killed = _chaos(3)
    run, manifest = _batch(broken, settings(range_s=1), specs, chaos=harm)
    assert len(killed) == 3
    assert run.problems == []
    assert broken.log.read_text().count("SIGKILL") >= 3
    assert rows(broken) == rows(unbroken)
    assert manifest["frames"] == 12 + 20
    assert verify(broken.path) == []
    assert [part["sha256"] for part in manifest["parts"]] == [
        part["sha256"] for part in read_json(unbroken.manifest)["parts"]
    ]


@pytest.mark.slow
def test_ten_kills_over_two_hundred_files(
    tmp_path: Path, settings: Make, walls: Callable[[int], Path], rows: Rows
) -> None:
    folder = BatchFolder(tmp_path / "out")
    harm, killed = _chaos(10)
    run, manifest = _batch(folder, settings(), [str(walls(200))], chaos=harm)
    assert len(killed) == 10
    assert run.problems == []
    assert (manifest["frames"], manifest["rows"], manifest["failures"]) == (200, 200, 0)
    assert sorted({row["source"] for row in rows(folder)}) == sorted(row["source"] for row in rows(folder))


def test_a_run_that_is_killed_goes_on_where_it_was(
    tmp_path: Path, rows: Rows, walls: Callable[[int], Path], drawn_clip: Path
) -> None:
    words = [walls(3), drawn_clip, "--range", "1", "--task", "emotion", "--jobs", "2", "--quiet"]

    def start(out: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "mien", "batch", *map(str, words), "--out", str(out)])

    assert start(tmp_path / "unbroken").wait(120) == 0
    out = tmp_path / "broken"
    run = start(out)
    _until(lambda: len(list(out.glob("work/??????-?????.json"))) >= 2 or run.poll() is not None)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = {path.name: path.stat().st_mtime_ns for path in out.glob("work/??????-?????.json")}
    assert done
    assert not (out / "manifest.json").exists()
    assert start(out).wait(120) == 0
    assert rows(out) == rows(tmp_path / "unbroken")
    assert verify(out) == []
    assert list(out.rglob("*.part*")) == []


def test_workers_end_with_their_run(tmp_path: Path, settings: Make) -> None:
    """Whether it is killed or not: their stdin ends."""
    folder = BatchFolder(tmp_path / "out")
    program = (
        "import json, sys, time; from mien.scale.local import LocalEngine;"
        "from mien.scale.job import Part, WorkItem, Item;"
        "e = LocalEngine(1, json.loads(sys.argv[1]), sys.stderr.buffer, print);"
        "e.submit(WorkItem(kind='split', part=Part(number=0, items=(Item(source='a', path='/a', is_video=True),))));"
        "print(e.pids[0], flush=True); sys.stdin.read()"
    )
    import json

    words = [sys.executable, "-c", program, json.dumps(_setup(folder, settings()))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        worker = int(run.stdout.readline())
        assert _is_there(worker)
        run.kill()
    _until(lambda: not _is_there(worker))


def test_a_model_that_cannot_be_loaded_ends_the_run_with_its_sentence(
    tmp_path: Path, settings: Make, walls: Callable[[int], Path]
) -> None:
    from dataclasses import replace

    asked = settings()
    folder = BatchFolder(tmp_path / "out")
    items, _ = items_of([str(walls(1))])
    with HeldFolder(folder), Log(folder.log) as log:
        parts = prepare(folder, asked, items)
        setup = _setup(folder, asked)
        setup["settings"]["options"]["emotion_model"] = "no_such_model"
        with LocalEngine(1, setup, log.file, log.say) as engine, pytest.raises(MienError, match="no_such_model"):
            Run(folder, replace(asked), parts, log).work(engine)


@pytest.mark.slow
def test_memory_of_a_worker_does_not_grow_with_the_video(
    tmp_path: Path, settings: Make, write_clip: Callable[..., Path]
) -> None:
    psutil = pytest.importorskip("psutil")
    picture = np.ascontiguousarray(demo_frame(30))
    most: list[int] = []
    for index, count in enumerate((40, 400)):
        clip = write_clip(tmp_path / f"{count}.mp4", [picture] * count, rate=20)
        seen: list[int] = []

        def watch(engine: LocalEngine, progress: Progress, seen: list[int] = seen) -> None:
            del progress
            for pid in engine.pids:
                with suppress(psutil.Error):
                    seen.append(psutil.Process(pid).memory_info().rss)

        _batch(BatchFolder(tmp_path / f"out{index}"), settings(range_s=1000), [str(clip)], workers=1, chaos=watch)
        most.append(max(seen))
    assert most[1] < 700e6
    assert most[1] < most[0] * 1.2


def test_a_source_that_ends_its_worker_is_tried_twice_and_listed(
    tmp_path: Path, settings: Make, walls: Callable[[int], Path], rows: Rows
) -> None:
    """The worker aborts at one photo, as a fault in a decoder would have it."""
    folder = BatchFolder(tmp_path / "out")
    photos = walls(3)
    write_image(photos / "poison.png", np.zeros((24, 32, 3), np.uint8))
    poisoned = tmp_path / "poisoned"
    poisoned.mkdir()
    (poisoned / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'mien.scale.worker' in ' '.join(sys.orig_argv):\n"
        "    def hook(name, words):\n"
        "        if name == 'open' and str(words[0]).endswith('poison.png'):\n"
        "            os.abort()\n"
        "    sys.addaudithook(hook)\n"
    )
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(poisoned), before)))
    try:
        run, manifest = _batch(folder, settings(), [str(photos)], workers=1)
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    assert manifest["failures"] == 1
    assert "SIGABRT" in run.problems[0]
    failure = read_json(folder.failures)
    assert (Path(failure["source"]).name, failure["tries"]) == ("poison.png", 2)
    assert len(rows(folder)) == 3


def _is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def _until(is_so: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.02)
