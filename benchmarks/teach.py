"""What `mien teach` is worth: gestures taught from one signer's clip, read on other signers' clips, and what known
gestures lose.

    python benchmarks/teach.py GESTURES_FOLDER [--pairs ci,wr,ho,qu] [--teacher asl_alphabet] [--cache DIR]

The gestures are letters of the manual alphabet that are none of the package's: for each pair, pictures of both letters
in `TEACHER/other/` are made into a video each, five pictures per second and 20 seconds at most, and taught with
`mien.teach.teach_gesture`. The same letters in the `other` folders of the other data sets, each made into a video, are
read as by `mien look --gesture-model`: a frame is right when its largest hand has the taught gesture as its answer,
surely right when the answer is sure too; a hand that is not found is wrong. None of these letters is in the bank of
hands, whose `none` are HaGRID's.

Known gestures are the held-back fifth of `hands_many`, as in benchmarks/gesture_accuracy.py, read by the package's
model and by the taught one; `webcam/L`, which the bank lacks, stands for `loser`. Of pictures of no gesture (`none`),
those of hands that are the taught letter rightly change: three fingers are a W. --cache keeps landmarks for later runs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from mien.data.classes import shown_letter
from mien.data.hands import HELD_BACK, load_hands
from mien.labels import GESTURES, NOTHING
from mien.outputs.video import VideoWriter
from mien.pipeline import Analyzer, Options
from mien.pixels.images import read_image
from mien.recipes.recipe import load_recipe
from mien.stages.classify import GestureClassifier
from mien.stages.hands import HandDetector
from mien.teach import Taught, teach_gesture
from mien.train.corpus import recipe_pictures
from mien.wording import natural_key

SETS = ("asl_alphabet", "signer_b", "massey")
SIDE, FPS, SECONDS = 240, 5.0, 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", default="ci,wr,ho,qu", help="letters, two by two")
    parser.add_argument("--teacher", default="asl_alphabet", choices=SETS)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        clips = Path(scratch)
        taught = {pair: _taught(pair, arguments, clips) for pair in arguments.pairs.split(",")}
        table = Table(title=f"taught from {arguments.teacher}: right (surely right), %", box=None)
        others = [name for name in SETS if name != arguments.teacher]
        for heading in ("gesture", "read by fifths of its take", *others):
            table.add_column(heading)
        every = []
        for pair, (model, _) in taught.items():
            for letter in pair:
                figures = [_read(arguments.folder, name, letter, clips, pair) for name in others]
                every += figures
                own = model.estimates[letter]
                table.add_row(
                    letter,
                    f"{100 * own.right:.0f} ({100 * own.sure:.0f})",
                    *(f"{100 * right:.0f} ({100 * sure:.0f}) of {count}" for right, sure, count in figures),
                )
        Console().print(table)
        right, sure = (100 * np.mean([figures[i] for figures in every]) for i in (0, 1))
        print(f"mean over gestures and signers: {right:.1f} % right, {sure:.1f} % surely right")
        _print_known(arguments, clips, taught)


def _taught(pair: str, arguments: argparse.Namespace, clips: Path) -> tuple[Taught, float]:
    """The model of a pair, and the seconds that fitting took, the last of the two times."""
    for letter in pair:
        clip = _clip(arguments.folder, arguments.teacher, letter, clips, most=round(FPS * SECONDS))
        marks: list[float] = [time.monotonic()]
        model = teach_gesture(
            letter, str(clip), clips / pair, on_step=lambda _, marks=marks: marks.append(time.monotonic())
        )
        seconds = time.monotonic() - marks[-1]
        print(f"{pair} {letter}: {len(marks) - 1} frames in {marks[-1] - marks[0]:.1f} s, fitted in {seconds:.1f} s")
    return model, seconds


def _clip(folder: Path, name: str, letter: str, clips: Path, *, most: int) -> Path:
    """A video of all pictures of a letter, at most so many."""
    path = clips / f"{name}_{letter}.mp4"
    if path.is_file():
        return path
    there = sorted((folder / name / "other").iterdir(), key=lambda each: natural_key(each.name))
    pictures = [each for each in there if shown_letter(each.name).casefold() == letter][:most]
    with VideoWriter(path, FPS, (SIDE, SIDE)) as video:
        for picture in pictures:
            image = read_image(picture)
            scale = SIDE / max(image.shape[:2])
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[:SIDE, :SIDE]
            frame = np.zeros((SIDE, SIDE, 3), np.uint8)
            frame[: small.shape[0], : small.shape[1]] = small
            video.write(frame)
    return path


def _read(folder: Path, name: str, letter: str, clips: Path, pair: str) -> tuple[float, float, int]:
    """Shares of frames read right and surely right, and their number."""
    clip = _clip(folder, name, letter, clips, most=1000)
    right = sure = count = 0
    with Analyzer(Options(tasks=("gesture",), gesture_model=str(clips / pair))) as analyzer:
        for scene in analyzer.stream(str(clip)):
            count += 1
            if scene.hands and scene.hands[0].label == letter:
                right += 1
                sure += not scene.hands[0].uncertain
    return right / count, sure / count, count


def _print_known(arguments: argparse.Namespace, clips: Path, taught: dict[str, tuple[Taught, float]]) -> None:
    recipe = load_recipe("gesture_landmark")
    pictures = [
        picture
        for picture in recipe_pictures(recipe, arguments.folder)
        if picture.group.endswith(HELD_BACK) or (picture.collection == "webcam" and picture.gesture == "loser")
    ]
    if not any(picture.group.endswith(HELD_BACK) for picture in pictures):
        print(f"{arguments.folder} has no {' or '.join(recipe.data.crowds)}: known gestures are not measured")
        return
    options = {"whole_frames": recipe.data.whole_frames, "tight": recipe.data.crowds, "with_top": True}
    with HandDetector() as detector:
        dataset, found = load_hands(pictures, detector, cache=arguments.cache, **options)
    shown = np.array([picture.gesture for picture in pictures])[found]
    is_loser, is_none = shown == "loser", shown == NOTHING
    before = _answers(None, dataset.samples)
    table = Table(title=f"known gestures: {found.sum()} of {len(pictures)} pictures with a hand", box=None)
    for heading in ("model", "right", "lost", "surely right", "lost", "loser lost", "most lost by one", "none changed"):
        table.add_column(heading)
    known = ~is_none & ~is_loser
    for pair, (_, _) in {"": (None, 0.0), **taught}.items():
        labels, sure = _answers(clips / pair, dataset.samples) if pair else before
        right = labels == shown
        was = before[0] == shown
        by_label = {name: (was & (shown == name)).sum() - (right & (shown == name)).sum() for name in GESTURES.labels}
        worst = max((100 * by_label[name] / max((shown == name).sum(), 1), name) for name in set(shown) - {NOTHING})
        changed = (labels != before[0])[is_none].mean()
        figures = (right[known].mean(), was[known].mean() - right[known].mean(),
                   (right & sure)[known].mean(), (was & before[1])[known].mean() - (right & sure)[known].mean(),
                   was[is_loser].mean() - right[is_loser].mean())  # fmt: skip
        table.add_row(
            pair or "package's",
            *(f"{100 * figure:.2f}" for figure in figures),
            f"{worst[0]:.1f} {worst[1]}",
            f"{100 * changed:.1f}",
        )
    Console().print(table)


def _answers(model: Path | None, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and whether they are sure."""
    with GestureClassifier(**({} if model is None else {"model": str(model)})) as classifier:
        readings = classifier.read(samples)
    return np.array([reading.label for reading in readings]), np.array([not r.uncertain for r in readings])


if __name__ == "__main__":
    main()
