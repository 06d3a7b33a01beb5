"""Throughput of `mien batch`: workers and engines against each other and against `mien look`, on copies of one video.

python benchmarks/scale.py VIDEO [--copies 4] [--rounds 3] [--ray]

Each way runs once per round, in turn, so that other load on the machine affects all alike; medians are compared. The
seconds include starting and loading models; `start_s` is a run over a single small photo. Prints JSON.
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
from pathlib import Path

import numpy as np
import psutil

from mien.pixels.images import write_image


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "videos"
        folder.mkdir()
        for index in range(asked.copies):
            shutil.copy(asked.video, folder / f"{index}{asked.video.suffix}")
        wall = Path(scratch) / "wall.png"
        write_image(wall, np.full((48, 64, 3), 120, np.uint8))
        ways = {
            "look": ["look", str(folder), "--quiet", "--jsonl", "OUT.jsonl"],
            "batch, 1 worker": ["batch", str(folder), "--jobs", "1", "--threads", "1", "--quiet", "--out", "OUT"],
            "batch, 2 workers": ["batch", str(folder), "--jobs", "2", "--quiet", "--out", "OUT"],
            "start": ["batch", str(wall), "--jobs", "1", "--quiet", "--out", "OUT"],
            "one video, look": ["look", str(asked.video), "--quiet", "--jsonl", "OUT.jsonl"],
            "one video, batch": ["batch", str(asked.video), "--jobs", "2", "--range", "2", "--quiet", "--out", "OUT"],
        }
        if asked.ray:
            ways["ray, 2 workers"] = ["batch", str(folder), "--jobs", "2", "--engine", "ray", "--quiet", "--out", "OUT"]
            ways["ray start"] = ["batch", str(wall), "--jobs", "1", "--engine", "ray", "--quiet", "--out", "OUT"]
        took: dict[str, list[float]] = {name: [] for name in ways}
        used: dict[str, list[float]] = {name: [] for name in ways}
        memory = 0.0
        for turn in range(asked.rounds):
            for number, (name, words) in enumerate(ways.items()):
                out = str(Path(scratch) / f"out-{turn}-{number}")
                seconds, processor_s, most = timed([word.replace("OUT", out) for word in words])
                took[name].append(round(seconds, 2))
                used[name].append(round(processor_s, 2))
                print(name, seconds, processor_s, file=sys.stderr)
                memory = max(memory, most)
        medians = {name: statistics.median(seconds) for name, seconds in took.items()}
        net = {name: medians[name] - medians["start"] for name in ways}
        told = {
            "seconds": took,
            "median_s": medians,
            "processor_s": {name: statistics.median(seconds) for name, seconds in used.items()},
            "two workers against one, without starting": round(net["batch, 1 worker"] / net["batch, 2 workers"], 2),
            "batch against look, one video": round(medians["one video, look"] / medians["one video, batch"], 2),
            "batch against look, folder": round(medians["look"] / medians["batch, 2 workers"], 2),
            "memory of a worker, MB": round(memory),
            "load": round(os.getloadavg()[2], 1),
        }
        if asked.ray:
            of_ray = medians["ray, 2 workers"] - medians["ray start"]
            told["ray against local, without starting"] = round(net["batch, 2 workers"] / of_ray, 2)
        print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
