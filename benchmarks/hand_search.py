"""What it saves to search for hands that fill the picture only now and then, and what it changes.

    python benchmarks/hand_search.py [CLIP ...] [--limit 240]

Finding and reading hands in 640x480 frames of clips, and of three drawn ones: without a hand, with one that comes and
goes, and with a hand held so close that it fills the picture. Both ways see the same frames in turn, so that a busy
machine slows both: a second search in every frame without a hand, and as `mien look` does it
(`mien.stages.schedule.SearchDepth`). The ratio is that of the sums of processor times.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mien.artwork.drawings import demo_frame, draw_hand
from mien.sources import open_source
from mien.stages.classify import GestureClassifier
from mien.stages.hands import HandDetector
from mien.stages.schedule import SearchDepth

FPS = 30.0
SIZE_WH = (640, 480)

Clip = Iterator[tuple[float, NDArray[np.uint8]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--limit", type=int, default=240, help="frames of each clip")
    arguments = parser.parse_args()
    table = Table(box=None)
    for heading in ("clip", "frames", "with a hand, always", "now and then", "ms always", "now and then", "ratio"):
        table.add_column(heading, justify="left" if heading == "clip" else "right")
    clips = {path.name: _frames(path) for path in arguments.clips}
    clips |= {"drawn, no hand": _drawn(""), "drawn, comes and goes": _drawn("away"), "drawn, close": _drawn("close")}
    total = np.zeros(2)
    with HandDetector(threads=1) as hands, GestureClassifier(threads=1) as gestures:
        for name, frames in clips.items():
            spent, seen, count = _compared(islice(frames, arguments.limit), hands, gestures)
            total += spent
            milliseconds = (f"{1000 * each / count:.1f}" for each in spent)
            table.add_row(name, str(count), *map(str, seen), *milliseconds, f"{spent[1] / spent[0]:.2f}")
    Console(width=120).print(table)
    print(f"all clips: ratio {total[1] / total[0]:.2f}")


def _compared(
    frames: Clip, hands: HandDetector, gestures: GestureClassifier
) -> tuple[NDArray[np.float64], list[int], int]:
    """Seconds and frames with a hand, both ways, and the number of frames."""
    depth, spent, seen, count = SearchDepth(), np.zeros(2), [0, 0], 0
    for time_s, image_rgb in frames:
        thorough = depth.thorough(time_s)
        for way, deep in enumerate((True, thorough)):
            started = time.process_time()
            found = gestures.classify(hands.detect(image_rgb, thorough=deep))
            spent[way] += time.process_time() - started
            seen[way] += bool(found)
        depth.note(time_s, thorough=thorough, seen=bool(found))
        count += 1
    return spent, seen, count


def _frames(path: Path) -> Clip:
    with open_source(path) as source:
        for frame in source:
            image_rgb = cv2.resize(frame.image_rgb, SIZE_WH, interpolation=cv2.INTER_AREA)
            yield frame.time_s, np.asarray(image_rgb, np.uint8)


def _drawn(hand: str) -> Clip:
    """Eight seconds: nobody's hand, one there for a second of every four, or one that fills the picture from 1 s on."""
    shown = {
        "away": draw_hand("victory", size=300),
        "close": cv2.resize(draw_hand("punch", size=640)[140:620], SIZE_WH, interpolation=cv2.INTER_AREA),
    }
    noise = np.random.default_rng(0)
    for k in range(round(8 * FPS)):
        time_s = k / FPS
        image_rgb = demo_frame(0).copy()
        if hand == "away" and time_s % 4 >= 3:
            image_rgb[150:450, 320:620] = shown[hand]
        elif hand == "close" and time_s >= 1:
            image_rgb = shown[hand].copy()
        grainy = image_rgb + noise.normal(0, 3, image_rgb.shape)
        yield time_s, np.clip(grainy, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
