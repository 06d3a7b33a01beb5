"""A long video in `mien batch`, killed again and again, against the same in one go: the rows have to be the same.

    python benchmarks/interrupted.py CLIP [--hours 2] [--kills 6] [--jobs 2] [--keyframes | --fps 2] [--range 60]

The video is CLIP, repeated without coding it again. Every other kill is of a worker (the run goes on by itself), those
between are of the run itself, which is then started again. All kills are SIGKILL, at random moments that are spread
over the run. Prints JSON: frames and rows, whether they are the same, and the most memory that a worker had.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import psutil
import pyarrow.parquet as pq

POLL_S = 0.2
KILLED = -9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--range", type=float, default=60.0, help="seconds of a time range")
    parser.add_argument("--keyframes", action="store_true")
    parser.add_argument("--fps", type=float)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        video = Path(scratch) / f"long{asked.clip.suffix}"
        looped(asked.clip, video, 3600 * asked.hours)
        words = ["batch", str(video), "--jobs", str(asked.jobs), "--range", str(asked.range), "--quiet"]
        words += ["--keyframes"] if asked.keyframes else []
        words += ["--fps", str(asked.fps)] if asked.fps is not None else []
        whole, broken = Path(scratch) / "whole", Path(scratch) / "broken"
        began_s = time.monotonic()
        code, memory = watched([*words, "--out", str(whole)], deque(), [])
        whole_s = time.monotonic() - began_s
        if code:
            raise SystemExit(f"the run in one go ended with {code}")
        manifest = json.loads((whole / "manifest.json").read_text("utf-8"))
        moments = random.Random(asked.seed)
        plan = deque(
            (manifest["frames"] * (number + moments.uniform(0.3, 1)) / (asked.kills + 1), ("worker", "run")[number % 2])
            for number in range(asked.kills)
        )
        done: list[str] = []
        began_s, code = time.monotonic(), KILLED
        while code == KILLED:
            code, most = watched([*words, "--out", str(broken)], plan, done)
            memory = max(memory, most)
        same = rows_of(whole).equals(rows_of(broken))
        verified = subprocess.run([sys.executable, "-m", "mien", "batch", "--verify", "--quiet", "--out", str(broken)])
        told: dict[str, Any] = {
            "hours": asked.hours,
            "frames": manifest["frames"],
            "rows": manifest["rows"],
            "ranges": sum(len(part["units"]) for part in manifest["parts"]),
            "kills": done,
            "exit code": code,
            "same rows": same,
            "verified": verified.returncode == 0,
            "seconds in one go": round(whole_s),
            "seconds with kills": round(time.monotonic() - began_s),
            "most memory of a worker, MB": round(memory),
            "load": round(os.getloadavg()[1], 1),
        }
        print(json.dumps(told, indent=1))
        if not same or code or plan or verified.returncode:
            raise SystemExit(1)


def looped(clip: Path, path: Path, seconds: float) -> None:
    """Repeat the pictures of a video until it is so long, without coding them again."""
    with av.open(str(path), "w") as out:
        stream, shift = None, 0
        while True:
            with av.open(str(clip)) as read:
                source = read.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(source)
                assert source.time_base is not None
                first, length = source.start_time or 0, source.duration or 0
                if shift * source.time_base >= seconds:
                    return
                for packet in read.demux(source):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += shift - first
                    packet.dts += shift - first
                    packet.stream = stream
                    out.mux(packet)
                shift += length


def watched(words: Sequence[str], plan: deque[tuple[float, str]], done: list[str]) -> tuple[int, float]:
    """Run the command until it ends or is killed; returns its exit code and the most memory of a worker, in MB.

    Args:
        words: of the command, the output folder last.
        plan: after how many finished frames what is killed, a worker or the run; what has been done is taken out.
        done: gets a line for each kill.
    """
    process, out, most = subprocess.Popen([sys.executable, "-m", "mien", *words]), Path(words[-1]), 0.0
    while process.poll() is None:
        time.sleep(POLL_S)
        try:
            workers = [one for one in psutil.Process(process.pid).children() if "mien.scale.worker" in one.cmdline()]
            most = max([most, *(one.memory_info().rss / 1e6 for one in workers)])
        except psutil.Error:
            continue
        if not (plan and workers and finished(out) >= plan[0][0]):
            continue
        _, whom = plan.popleft()
        done.append(f"{whom} after {finished(out)} frames")
        (workers[0] if whom == "worker" else process).kill()
    return process.wait(), most


def finished(out: Path) -> int:
    """Frames of the ranges that are finished."""
    frames = 0
    for path in (out / "work").glob("*-*.json"):
        try:
            frames += json.loads(path.read_text("utf-8"))["frames"]
        except (OSError, ValueError):  # it is being written, or its part has been put together
            continue
    return frames


def rows_of(out: Path) -> Any:
    """All rows of a batch."""
    return pq.read_table(sorted((out / "parts").glob("*.parquet")))


if __name__ == "__main__":
    main()
