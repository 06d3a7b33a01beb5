"""How many faces and hands are found, a line per file, and how well faces are found where that is hard.

python benchmarks/detection.py MEDIA_FOLDER [--tiles] [--detail low|normal|high]
python benchmarks/detection.py --groups FOLDER      recall: photos and a faces.json {photo: [[x1, y1, x2, y2], ...]}
python benchmarks/detection.py --empty FILE...      photos, clips and wheels with photos: faces where there are none
python benchmarks/detection.py --near FILE...       photos and clips of one near face; photos are cut at their boxes
python benchmarks/detection.py --turned PHOTO...    turned by quarters: the upright answer, another one, or unsure
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from mien.artwork.drawings import draw_hands
from mien.errors import UnreadableMedia
from mien.pipeline import Analyzer, Options
from mien.pixels.boxes import iou
from mien.pixels.images import read_image
from mien.scene import Face, Frame, Scene
from mien.sources import expand_sources, open_source
from mien.stages.classify import EMOTION_MODEL

_FOUND = 0.35
"""Least intersection over union of a known face and the box that finds it."""

_REACHES = (0.15, 0.0, -0.1)
"""How far beyond its box, in box sides, a picture of one near face reaches; negative: the face is cut."""

_PEOPLE = ("astronaut", "camera", "lfw")
"""Pictures of scikit-image that show people."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--tiles", action="store_true")
    parser.add_argument("--detail", default="normal")
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--empty", nargs="+", type=Path, default=[])
    parser.add_argument("--near", nargs="+", type=Path, default=[])
    parser.add_argument("--turned", nargs="+", type=Path, default=[])
    parser.add_argument("--emotion-model", default=EMOTION_MODEL)
    arguments = parser.parse_args()
    how = {"tiles": arguments.tiles, "detail": arguments.detail}
    if arguments.folder:
        with Analyzer(Options(**how)) as analyzer:
            _print_files(analyzer, arguments.folder)
    with Analyzer(Options(tasks=("emotion",), emotion_model=arguments.emotion_model, **how)) as analyzer:
        if arguments.groups:
            _print_groups(analyzer, arguments.groups)
        if arguments.empty:
            _print_empty(analyzer, arguments.empty)
        if arguments.near:
            _print_near(analyzer, arguments.near)
        if arguments.turned:
            _print_turned(analyzer, arguments.turned)


def _print_files(analyzer: Analyzer, folder: str) -> None:
    headings = (
        "file",
        "frames",
        "with a face",
        "with a hand",
        "most faces",
        "most hands",
        "face tracks",
        "hand tracks",
    )
    table = _table(*headings)
    paths, _ = expand_sources([folder])
    for path in paths:
        table.add_row(Path(path).name, *_counted(analyzer, path))
    Console(width=120).print(table)


def _counted(analyzer: Analyzer, path: Path) -> list[str]:
    scenes = []
    try:
        for scene in _scenes(analyzer, path):
            scenes.append(
                (len(scene.faces), len(scene.hands), {f.track for f in scene.faces}, {h.track for h in scene.hands})
            )
    except UnreadableMedia as problem:
        print(problem)
    faces, hands, face_tracks, hand_tracks = zip(*scenes, strict=True) if scenes else ((0,), (0,), (set(),), (set(),))
    figures = (
        len(scenes),
        sum(n > 0 for n in faces),
        sum(n > 0 for n in hands),
        max(faces),
        max(hands),
        len(set().union(*face_tracks)),
        len(set().union(*hand_tracks)),
    )
    return [str(figure) for figure in figures]


def _print_groups(analyzer: Analyzer, folder: Path) -> None:
    """Recall; what is found beyond the known faces may well be one, so look at the pictures."""
    table = _table("photo", "known faces", "found of these", "boxes")
    totals = np.zeros(3, np.int64)
    for name, known in json.loads((folder / "faces.json").read_text(encoding="utf-8")).items():
        faces = analyzer.look(folder / name).faces
        row = np.array([len(known), _matches(np.array(known, np.float64), faces), len(faces)])
        totals += row
        table.add_row(name, *map(str, row))
    table.add_row("all", *map(str, totals))
    Console(width=120).print(table)
    print(f"recall {totals[1] / totals[0]:.1%} at an intersection over union of {_FOUND}")


def _matches(known_xyxy: NDArray[np.float64], faces: tuple[Face, ...]) -> int:
    """How many known boxes have a face of their own."""
    boxes = np.array([face.box_xyxy for face in faces], np.float64).reshape(-1, 4)
    overlaps = iou(known_xyxy.reshape(-1, 4), boxes)
    count = 0
    while overlaps.size and overlaps.max() >= _FOUND:
        row, column = np.unravel_index(int(overlaps.argmax()), overlaps.shape)
        overlaps[row] = overlaps[:, column] = 0
        count += 1
    return count


def _print_empty(analyzer: Analyzer, paths: list[Path]) -> None:
    table = _table("file", "pictures", "with a face")
    for path in paths:
        if path.suffix == ".whl":
            pictures = [picture for name, picture in _in_wheel(path) if not any(who in name for who in _PEOPLE)]
            counts = [len(analyzer.look(picture).faces) for picture in pictures]
        else:
            counts = [len(scene.faces) for scene in _scenes(analyzer, path)]
        table.add_row(path.name, str(len(counts)), str(sum(count > 0 for count in counts)))
    table.add_row("drawn hands", "1", str(int(bool(analyzer.look(draw_hands()).faces))))
    Console(width=120).print(table)


def _in_wheel(path: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    with zipfile.ZipFile(path) as files:
        for name in files.namelist():
            if "/data/" in name and name.endswith((".png", ".jpg")):
                yield name, np.asarray(Image.open(io.BytesIO(files.read(name))).convert("RGB"), np.uint8)


def _print_near(analyzer: Analyzer, paths: list[Path]) -> None:
    table = _table("file", "pictures", "with one face", "face tracks")
    for path in paths:
        scenes = list(_scenes(analyzer, path))
        tracks = {face.track for scene in scenes for face in scene.faces}
        table.add_row(path.name, str(len(scenes)), str(sum(len(s.faces) == 1 for s in scenes)), str(len(tracks)))
    Console(width=120).print(table)
    counts: dict[str, Counter[int]] = {"photo": Counter(), "frame of a video": Counter()}
    for path in paths:
        if len(list(_scenes(analyzer, path))) > 1:
            continue
        image = read_image(path)
        for face in analyzer.look(image).faces[:2]:
            for reach in _REACHES:
                cut = _cut(image, face, reach)
                counts["photo"][len(analyzer.look(cut).faces)] += 1
                counts["frame of a video"][len(next(iter(analyzer.scenes([Frame(cut)]))).faces)] += 1
    for kind, number in counts.items():
        print(f"cut at a face's box, as a {kind}: {number[1]} of {number.total()} show one face {dict(number)}")


def _cut(image: NDArray[np.uint8], face: Face, reach: float) -> NDArray[np.uint8]:
    x1, y1, x2, y2 = face.box_xyxy
    x, y = reach * (x2 - x1), reach * (y2 - y1)
    left, top = max(0, round(x1 - x)), max(0, round(y1 - y))
    return np.ascontiguousarray(image[top : round(y2 + y), left : round(x2 + x)])


def _print_turned(analyzer: Analyzer, paths: list[Path]) -> None:
    table = _table(
        "turned by",
        "as a",
        "faces",
        "found",
        "answer as upright",
        "another, not sure",
        "another, sure",
        "not found upright",
    )
    for still in (True, False):
        upright = [_seen(analyzer, read_image(path), still) for path in paths]
        for quarters in (1, 2, 3):
            verdicts: Counter[str] = Counter()
            for path, expected in zip(paths, upright, strict=True):
                image = read_image(path)
                scene = _seen(analyzer, np.ascontiguousarray(np.rot90(image, quarters)), still)
                verdicts += _compared(expected.faces, scene.faces, image.shape[:2], quarters)
            kind = "photo" if still else "frame of a video"
            figures = (verdicts["same"], verdicts["unsure"], verdicts["sure"], verdicts["alone"])
            total = sum(len(scene.faces) for scene in upright)
            table.add_row(f"{90 * quarters} degrees", kind, str(total), str(verdicts.total()), *map(str, figures))
    Console(width=120).print(table)


def _compared(
    upright: tuple[Face, ...], turned: tuple[Face, ...], size_hw: tuple[int, int], quarters: int
) -> Counter[str]:
    verdicts: Counter[str] = Counter()
    for face in turned:
        x, y = (face.box_xyxy[0] + face.box_xyxy[2]) / 2, (face.box_xyxy[1] + face.box_xyxy[3]) / 2
        height, width = size_hw if quarters % 2 == 0 else size_hw[::-1]
        for _ in range(quarters):
            x, y = height - y, x
            height, width = width, height
        near = [one for one in upright if _holds(one, x, y)]
        if near:
            same = face.label == near[0].label
            verdicts["same" if same else "unsure" if face.uncertain else "sure"] += 1
        else:
            verdicts["alone"] += 1
    return verdicts


def _holds(face: Face, x: float, y: float) -> bool:
    x1, y1, x2, y2 = face.box_xyxy
    return x1 < x < x2 and y1 < y < y2


def _seen(analyzer: Analyzer, image: NDArray[np.uint8], still: bool) -> Scene:
    return next(iter(analyzer.scenes([Frame(image, still=still)])))


def _scenes(analyzer: Analyzer, path: Path) -> Iterator[Scene]:
    with open_source(path) as source:
        yield from analyzer.scenes(source)


def _table(*headings: str) -> Table:
    table = Table(box=None)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("file", "photo", "as a") else "right")
    return table


if __name__ == "__main__":
    main()
