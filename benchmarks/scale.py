"""Throughput of `mien batch`: workers and engines against each other and against `mien look`, on copies of one video.

python benchmarks/scale.py VIDEO [--copies 4] [--rounds 3] [--long 120] [--only one,start] [--ray]

A folder of copies of the video; 72 frames of it; and one video as long as is asked for, made of it by repeating it.
Each way runs once per round, in turn, so that other load on the machine affects all alike, and the ratios are medians
of those of the rounds, in seconds and in processor seconds. The seconds include starting and loading models, but where
it says "without starting", which is a run over a single small photo. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import psutil
from interrupted import looped

from mien.pixels.images import write_image
from mien.sources import open_source


def timed(words: list[str]) -> tuple[float, float, float]:
    """Seconds and processor seconds of a command, and the most memory that one of its workers had, in MB."""
    most = 0.0
    done = threading.Event()
    started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([sys.executable, "-m", "mien", *words], stdout=subprocess.DEVNULL)

    def watch() -> None:
        nonlocal most
        while not done.wait(0.2):
            try:
                for child in psutil.Process(process.pid).children(recursive=True):
                    if "mien.scale.worker" in " ".join(child.cmdline()):
                        most = max(most, child.memory_info().rss / 1e6)
            except psutil.Error:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    took_s = time.perf_counter() - started
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"mien {' '.join(words)} ended with {code}")
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took_s, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, most


FRAMES = 72


def ways_of(video: Path, folder: Path, long: Path, wall: Path, *, with_ray: bool) -> dict[str, list[str]]:
    """The commands by name, with OUT for what they write."""
    fps = rate(video)
    batch = ["batch", "--jobs", "2", "--quiet", "--out", "OUT"]
    look = ["look", "--quiet", "--jsonl", "OUT.jsonl"]
    part = [str(video), "--to", f"{FRAMES / fps:.3f}"]
    ways = {
        "folder: look": [*look, str(folder)],
        "folder: 1 worker": ["batch", str(folder), "--jobs", "1", "--threads", "1", "--quiet", "--out", "OUT"],
        "folder: 2 workers": [*batch, str(folder)],
        "start": ["batch", str(wall), "--jobs", "1", "--quiet", "--out", "OUT"],
        "one short: look": [*look, *part],
        "one short: batch": [*batch, *part],
        "one long: look": [*look, str(long)],
        "one long: batch": [*batch, str(long)],
    }
    if with_ray:
        ways["folder: 2 workers, ray"] = [*batch, str(folder), "--engine", "ray"]
        ways["start, ray"] = ["batch", str(wall), "--jobs", "1", "--engine", "ray", "--quiet", "--out", "OUT"]
    return ways


def rate(video: Path) -> float:
    """Frames per second of a video."""
    with open_source(video) as source:
        return source.fps or 25.0


class Measured:
    """Seconds of every way in every round, of one kind.

    Args:
        took: for each way, one number per round.
    """

    def __init__(self, took: Mapping[str, Sequence[float]]) -> None:
        self._took = took

    def ratio(self, slow: str, fast: str, start: str = "", other_start: str = "") -> float | None:
        """How many times faster one way is, the median of the rounds; without the seconds of starting if these are
        named. None where one of them was not measured, or took no time beyond starting."""
        names = [slow, fast, *([start, other_start or start] if start else [])]
        if not all(self._took.get(name) for name in names):
            return None
        rounds = zip(*(self._took[name] for name in names), strict=True)
        pairs = [(row[0] - row[2], row[1] - row[3]) if start else row for row in rounds]
        found = [above / below for above, below in pairs if above > 0 and below > 0]
        return round(statistics.median(found), 2) if found else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", type=float, default=120.0, help="seconds of the long video")
    parser.add_argument("--only", default="", help="only ways whose names begin so, e.g. one,start")
    parser.add_argument("--ray", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, long, wall = (Path(scratch) / name for name in ("videos", f"long{asked.video.suffix}", "wall.png"))
        folder.mkdir()
        for index in range(asked.copies):
            shutil.copy(asked.video, folder / f"{index}{asked.video.suffix}")
        looped(asked.video, long, asked.long)
        write_image(wall, np.full((48, 64, 3), 120, np.uint8))
        ways = ways_of(asked.video, folder, long, wall, with_ray=asked.ray)
        ways = {name: words for name, words in ways.items() if name.startswith(tuple(asked.only.split(",")))}
        took: dict[str, list[float]] = {name: [] for name in ways}
        used: dict[str, list[float]] = {name: [] for name in ways}
        memory = 0.0
        for turn in range(asked.rounds):
            for number, (name, words) in enumerate(ways.items()):
                out = str(Path(scratch) / f"out-{turn}-{number}")
                seconds, processor_s, most = timed([word.replace("OUT", out) for word in words])
                took[name].append(round(seconds, 2))
                used[name].append(round(processor_s, 2))
                print(name, round(seconds, 2), round(processor_s, 2), file=sys.stderr)
                memory = max(memory, most)
        told: dict[str, object] = {"rounds": asked.rounds, "seconds": took, "processor seconds": used}
        for kind, measured in (("seconds", Measured(took)), ("processor seconds", Measured(used))):
            ratios = {
                "two workers against one, without starting": measured.ratio(
                    "folder: 1 worker", "folder: 2 workers", "start"
                ),
                "batch against look, folder": measured.ratio("folder: look", "folder: 2 workers"),
                f"batch against look, one video of {FRAMES} frames": measured.ratio(
                    "one short: look", "one short: batch"
                ),
                f"batch against look, one video of {asked.long:g} s": measured.ratio(
                    "one long: look", "one long: batch"
                ),
                "ray against local, without starting": measured.ratio(
                    "folder: 2 workers", "folder: 2 workers, ray", "start", "start, ray"
                ),
            }
            told[f"times faster, in {kind}"] = {name: ratio for name, ratio in ratios.items() if ratio is not None}
        told |= {"memory of a worker, MB": round(memory), "load": round(os.getloadavg()[1], 1)}
        print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
