"""What following hands from frame to frame saves, and what it changes, against a palm search in every frame.

    python benchmarks/following.py clip.mp4 photo.jpg ... [--fps 30] [--within 0.25] [--limit 300] [--letters FOLDER]

Both ways see the same frames in turn, so that a busy machine slows both. A photo becomes a clip of three seconds as
from a hand-held camera: it sways, nears and recedes, with the noise of a webcam. The drawn clip of `mien demo` and a
drawn hand that comes and goes are always measured. `--letters` names a folder with pictures in A/, F/, L/ and V/: each
of them becomes a clip of a second, and the share of frames in which its gesture is read is printed.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from mien.artwork.drawings import CLIP_FPS, demo_frames, draw_hand
from mien.labels import LETTERS
from mien.pixels.images import read_image
from mien.scene import Frame, Hand
from mien.sources import open_source
from mien.stages.classify import GestureClassifier
from mien.stages.faces import FaceDetector
from mien.stages.hands import HandDetector
from mien.stages.schedule import DetectionScheduler

PHOTO_SECONDS = 3.0
SIDE = 640
HEADINGS = ("clip", "frames", "ms every", "p95", "cpu", "ms followed", "p95", "cpu", "hand every", "followed",
            "same label", "apart", "late", "face ms", "cpu")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--fps", type=float, default=30.0, help="of photos made into clips and of thinned-out videos")
    parser.add_argument("--within", type=float, default=0.25, help="seconds a new hand may wait")
    parser.add_argument("--limit", type=int, default=300, help="frames of each clip")
    parser.add_argument("--letters", type=Path, help="folder of pictures by letter")
    parser.add_argument("--count", type=int, default=5, help="pictures of each letter")
    arguments = parser.parse_args()
    table = Table(box=None)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "clip" else "right")
    clips = {path.name: clip_frames(path, arguments.fps) for path in arguments.sources}
    clips["drawn demo"] = (Frame(image_rgb=rgb, index=i, time_s=i / CLIP_FPS) for i, rgb in enumerate(demo_frames()))
    clips["drawn, comes and goes"] = _coming_and_going(arguments.fps)
    with HandDetector(threads=2) as hands, GestureClassifier(threads=2) as gestures, FaceDetector(threads=2) as faces:
        for name, frames in clips.items():
            shown = [frame for _, frame in zip(range(arguments.limit), frames)]  # noqa: B905
            table.add_row(name, *_compared(shown, hands, gestures, faces, arguments.within))
        if arguments.letters:
            _print_right(arguments, hands, gestures)
    Console(width=160).print(table)
    print("cpu: mean processor time a frame, in ms; apart: median distance of the landmarks, in parts of the hand's")
    print(
        "longer side; late: the longest time without a hand where the palm search had one, in seconds; face ms: median"
    )


def _compared(
    frames: list[Frame], hands: HandDetector, gestures: GestureClassifier, faces: FaceDetector, within_s: float
) -> list[str]:
    follower = DetectionScheduler(hands, within_s=within_s)
    every: list[tuple[Hand, ...]] = []
    followed: list[tuple[Hand, ...]] = []
    watches = [_Watch() for _ in range(3)]
    for frame in frames:
        with watches[0]:
            every.append(gestures.classify(hands.detect(frame.image_rgb)))
        with watches[1]:
            followed.append(gestures.classify(follower.update(frame.image_rgb, frame.time_s)))
        with watches[2]:
            faces.detect(frame.image_rgb)
    pairs = [pair for one, other in zip(every, followed, strict=True) for pair in _pairs(one, other)]
    same = np.mean([_shown(one) == _shown(other) for one, other in pairs]) if pairs else math.nan
    apart = np.median([_apart(one, other) for one, other in pairs]) if pairs else math.nan
    return [
        str(len(frames)),
        *(text for watch in watches[:2] for text in (watch.median, watch.p95, watch.cpu)),
        str(sum(map(bool, every))),
        str(sum(map(bool, followed))),
        f"{same:.3f}",
        f"{apart:.3f}",
        f"{_late(frames, every, followed):.2f}",
        watches[2].median,
        watches[2].cpu,
    ]


class _Watch:
    """Wall and processor time of what is done inside, in milliseconds."""

    def __init__(self) -> None:
        self._wall: list[float] = []
        self._cpu: list[float] = []

    def __enter__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self._wall.append(1000 * (time.perf_counter() - self._start[0]))
        self._cpu.append(1000 * (time.process_time() - self._start[1]))

    @property
    def median(self) -> str:
        return f"{np.median(self._wall):.1f}"

    @property
    def p95(self) -> str:
        return f"{np.quantile(self._wall, 0.95):.1f}"

    @property
    def cpu(self) -> str:
        return f"{np.mean(self._cpu):.1f}"


def _print_right(arguments: argparse.Namespace, hands: HandDetector, gestures: GestureClassifier) -> None:
    """The share of frames read rightly, and how often the answer changes, on clips of pictures of known gestures."""
    right, changes, count = np.zeros(2), np.zeros(2, int), 0
    for letter, gesture in LETTERS.items():
        paths = sorted(path for path in (arguments.letters / letter).iterdir() if path.is_file())
        for path in paths[:: max(1, len(paths) // arguments.count)][: arguments.count]:
            follower = DetectionScheduler(hands, within_s=arguments.within)
            answers = []
            for frame in clip_frames(path, arguments.fps, 1.0):
                found = hands.detect(frame.image_rgb), follower.update(frame.image_rgb, frame.time_s)
                answers.append(["".join(map(_shown, gestures.classify(some)[:1])) for some in found])
            table = np.array(answers)
            right += (table == gesture).sum(axis=0)
            changes += (table[1:] != table[:-1]).sum(axis=0)
            count += len(table)
    for name, r, c in zip(("a search in every frame", "following"), right / count, changes, strict=True):
        print(f"{arguments.letters.name}, {name}: {r:.4f} of {count} frames read rightly, {c} changes of the answer")


def _shown(hand: Hand) -> str:
    return "" if hand.uncertain else str(hand.label)


def _pairs(every: tuple[Hand, ...], followed: tuple[Hand, ...]) -> Iterator[tuple[Hand, Hand]]:
    for hand in every:
        nearest = min(followed, key=lambda other, hand=hand: _apart(hand, other), default=None)
        if nearest is not None and _apart(hand, nearest) < 0.5:
            yield hand, nearest


def _apart(one: Hand, other: Hand) -> float:
    first, second = np.array(one.landmarks_xyz)[:, :2], np.array(other.landmarks_xyz)[:, :2]
    return float(np.linalg.norm(first - second, axis=1).mean() / np.ptp(first, axis=0).max())


def _late(frames: list[Frame], every: list[tuple[Hand, ...]], followed: list[tuple[Hand, ...]]) -> float:
    longest, since = 0.0, None
    for frame, one, other in zip(frames, every, followed, strict=True):
        since = (frame.time_s if since is None else since) if one and not other else None
        longest = longest if since is None else max(longest, frame.time_s - since)
    return longest


def clip_frames(path: Path, fps: float, seconds: float = PHOTO_SECONDS) -> Iterator[Frame]:
    """The frames of a video, at most `fps` a second, or of a photo as if a camera in the hand had filmed it."""
    if path.suffix.lower() in (".mp4", ".mov", ".avi", ".mkv", ".webm"):
        with open_source(path) as source:
            last_s = -math.inf
            for frame in source:
                if frame.time_s - last_s > 0.75 / fps:
                    last_s = frame.time_s
                    yield frame
        return
    yield from _swaying(read_image(path), fps, seconds)


def _swaying(photo_rgb: np.ndarray, fps: float, seconds: float) -> Iterator[Frame]:
    random = np.random.default_rng(0)
    height, width = photo_rgb.shape[:2]
    for i in range(round(seconds * fps)):
        t = i / fps
        scale = SIDE / max(height, width) * (0.8 + 0.1 * math.sin(2 * math.pi * t / 3))
        turn = 0.1 * math.sin(2 * math.pi * t / 2)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), math.degrees(turn), scale)
        shake = random.normal(0, 0.5, 2)
        sway = 60 * math.sin(2 * math.pi * t / 1.5), 30 * math.sin(2 * math.pi * t / 1.1)
        matrix[:, 2] += (SIDE / 2 - width / 2 + sway[0] + shake[0], SIDE * 0.375 - height / 2 + sway[1] + shake[1])
        size_wh = SIDE, SIDE * 3 // 4
        picture = cv2.warpAffine(photo_rgb, matrix, size_wh, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        picture += random.normal(0, 5, picture.shape)
        yield Frame(image_rgb=np.clip(picture, 0, 255).astype(np.uint8), index=i, time_s=t)


def _coming_and_going(fps: float) -> Iterable[Frame]:
    """A second of a hand, a second without, and so on for six seconds."""
    hand, empty = draw_hand("victory", size=480), np.full((480, 480, 3), 150, np.uint8)
    empty[:] = cv2.GaussianBlur(hand, (0, 0), 80)
    for i in range(round(6 * fps)):
        yield Frame(image_rgb=empty if int(i / fps) % 2 else hand, index=i, time_s=i / fps)


if __name__ == "__main__":
    main()
