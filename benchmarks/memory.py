"""Memory of `mien look` over a long video, second by second of its running time.

    python benchmarks/memory.py [--minutes 10] [--video FILE]

Without a video it draws one: 640x480 at 10 frames a second, a face and a hand. Linux only (reads /proc).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mien.artwork.drawings import demo_frames
from mien.outputs.video import VideoWriter

FPS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--video", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = arguments.video or _drawn(Path(folder) / "long.mp4", arguments.minutes)
        words = ["look", str(video), "--jsonl", f"{folder}/out.jsonl", "--save", f"{folder}/saved", "--quiet"]
        process = subprocess.Popen([sys.executable, "-c", "from mien.cli.main import run; run()", *words])
        samples = _watched(process)
        frames = Path(folder, "out.jsonl").read_bytes().count(b"\n")
    minute = next((mb for s, mb in samples if s >= 60), samples[-1][1])
    later = [mb for s, mb in samples if s >= 60] or [samples[-1][1]]
    print(f"exit code {process.returncode}, {frames} frames in {samples[-1][0]:.0f} s")
    print(f"after one minute {minute:.0f} MB, greatest later {max(later):.0f} MB, growth {max(later) - minute:.0f} MB")


def _drawn(path: Path, minutes: float) -> Path:
    import cv2

    frames = [cv2.resize(frame, (640, 480), interpolation=cv2.INTER_AREA) for frame in demo_frames()]
    there_and_back = [*frames, *frames[::-1]]
    with VideoWriter(path, FPS, (480, 640)) as video:
        for i in range(int(minutes * 60 * FPS)):
            video.write(there_and_back[i % len(there_and_back)])
    return path


def _watched(process: subprocess.Popen[bytes]) -> list[tuple[float, float]]:
    started, samples = time.monotonic(), []
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines() if ":" in line)
        if "VmRSS" in lines:
            samples.append((time.monotonic() - started, int(lines["VmRSS"].split()[0]) / 1024))
        time.sleep(0.5)
    return samples


if __name__ == "__main__":
    main()
