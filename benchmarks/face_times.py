"""How long faces take to find in 640x480 frames, here and in another checkout of mien, alternating in one run.

    python benchmarks/face_times.py OTHER_CHECKOUT CLIP... [--rounds 5] [--frames 60]

Each round starts a process for each checkout, which looks at the frames of each clip and prints milliseconds of
processor time per frame: `search` finds the faces of every frame anew; `video` and `live` are what `mien look` and
`mien live` do, faces only, without reading their expressions; `both tasks` is a whole frame of `mien live`. The first
lines are for the drawn clip of `mien demo`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1] + "/src")
import cv2
import numpy as np
from mien.artwork.drawings import demo_frame
from mien.pipeline import Analyzer, Options
from mien.scene import Frame

def frames(path, count):
    if path == "drawn":
        return [demo_frame(index % 36) for index in range(count)], 12.0
    capture, out = cv2.VideoCapture(path), []
    while len(out) < count:
        there, frame = capture.read()
        if not there:
            break
        out.append(np.ascontiguousarray(cv2.resize(frame, (640, 480), interpolation=cv2.INTER_AREA)[..., ::-1]))
    return out, capture.get(cv2.CAP_PROP_FPS) or 25.0

def timed(run, items):
    for item in items[:5]:
        run(item)
    took = []
    for item in items:
        started = time.process_time()
        run(item)
        took.append(1000 * (time.process_time() - started))
    return float(np.mean(took))

for path in sys.argv[3:]:
    images, fps = frames(path, int(sys.argv[2]))
    for name in ("search", "video", "live", "both tasks"):
        options = Options(tasks=("emotion", "gesture") if name == "both tasks" else ("emotion",), threads=2,
                          follow=name in ("live", "both tasks"))
        with Analyzer(options) as analyzer:
            if name == "search":
                detect = analyzer._faces.detect
                try:
                    detect(images[0], still=False)
                    run = lambda image: detect(image, still=False)
                except TypeError:
                    run = detect
                took = timed(run, images)
            else:
                if name != "both tasks":
                    analyzer._expressions.classify = lambda image_rgb, faces: faces  # not timed here
                shots = [Frame(image, index, index / fps) for index, image in enumerate(images)]
                if name == "video":
                    list(analyzer.scenes(shots[:5]))
                    started = time.process_time()
                    list(analyzer.scenes(shots))
                    took = 1000 * (time.process_time() - started) / len(shots)
                else:
                    took = timed(analyzer.step, shots)
        print(path, name.replace(" ", "_"), took)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("clips", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=60)
    arguments = parser.parse_args()
    if not (arguments.other / "src" / "mien").is_dir():
        parser.error(f"{arguments.other} is not a checkout of mien")
    here = Path(__file__).resolve().parents[1]
    took: dict[tuple[str, str], dict[Path, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(arguments.rounds):
        for checkout in (arguments.other, here):
            command = [sys.executable, "-c", CHILD, str(checkout), str(arguments.frames), "drawn", *arguments.clips]
            for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
                clip, name, value = line.rsplit(" ", 2)
                took[clip, name][checkout].append(float(value))
    for (clip, name), by_checkout in took.items():
        other, ours = (np.array(by_checkout[checkout]) for checkout in (arguments.other, here))
        print(
            f"{Path(clip).name:20} {name:10} other {other.min():6.2f} / {np.median(other):6.2f} ms, "
            f"here {ours.min():6.2f} / {np.median(ours):6.2f} ms (least / median of rounds), "
            f"ratio {ours.min() / other.min():.2f} / {np.median(ours) / np.median(other):.2f}"
        )


if __name__ == "__main__":
    main()
