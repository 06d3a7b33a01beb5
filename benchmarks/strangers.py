"""How an emotion model reads people that no data set of its own has: a set of posed faces, and the media photos.

    python benchmarks/strangers.py LONDON_FOLDER [MEDIA_FOLDER] [--model NAME_OR_FOLDER]

LONDON_FOLDER is a copy of the Face Research Lab London Set (DeBruine & Jones 2017): `neutral/` and `smiling/` with a
photo of each person under the same name, and `people.csv` with the columns person, age, gender and ethnicity, as the
people said. Measure on it only; nothing is chosen on it. MEDIA_FOLDER holds the photos that `MEDIA` names.

Every photo goes the way of `mien look`: detector, crop, network, grades. Printed for all, by gender and by ethnicity:
    neutral      neutral faces answered as neutral
    smiles       smiling faces answered as happy, by themselves
    baseline     smiling faces answered as happy, read against the neutral photo of the same person
    changed      neutral faces answered as something else, read against themselves a moment before: a photo is turned by
                 up to 3 degrees, moved and scaled by up to 3 %, lit up to 10 % differently and given noise
    sure, right  share of sure answers, and how many of these are right; the same with a baseline
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mien.pipeline import Analyzer, Options
from mien.pixels.images import read_image
from mien.scene import Face, Prediction
from mien.stages.classify import EMOTION_MODEL

MEDIA: dict[str, tuple[str, ...]] = {
    "0-f1-su-ph.jpg": ("surprise",),
    "0-f15-hao-ph.jpg": ("happy",),
    "15-f13-anc-ph.jpg": ("angry",),
    "45-m7-di-ph.jpg": ("disgust",),
    "justin.jpg": ("happy",),
    "multi_face.jpg": ("happy, neutral", "happy", "happy, neutral", "happy", "happy"),
    "single_face.jpg": ("happy",),
}
"""What people see in each face, from left to right; the first four as they were posed."""

NEUTRAL, SMILING = "neutral", "happy"


@dataclass(frozen=True, slots=True)
class Person:
    """One person's two photos, read in three ways; None where no face was found."""

    gender: str
    ethnicity: str
    neutral: Prediction | None
    smiling: Prediction | None
    against: Prediction | None
    again: Prediction | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("london", type=Path)
    parser.add_argument("media", type=Path, nargs="?")
    parser.add_argument("--model", default=EMOTION_MODEL)
    arguments = parser.parse_args()
    people = _people(arguments.london, arguments.model)
    table = Table(title=f"{arguments.model} on the London Set, {len(people)} people", title_justify="left", box=None)
    for i, heading in enumerate(
        ("who", "people", "neutral", "smiles", "baseline", "changed", "sure", "right", "sure, baseline", "right")
    ):
        table.add_column(heading, justify="right" if i else "left")
    table.add_row("all", *_row(people))
    for kind in ("gender", "ethnicity"):
        for name in sorted({getattr(person, kind) for person in people}):
            table.add_row(name, *_row([person for person in people if getattr(person, kind) == name]))
    console = Console(width=120)
    console.print(table)
    if arguments.media is not None:
        console.print(_media(arguments.media, arguments.model))


def _people(folder: Path, model: str) -> list[Person]:
    with (folder / "people.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    draw, found = np.random.default_rng(1), []
    with Analyzer(Options(tasks=("emotion",), emotion_model=model)) as analyzer:
        for row in rows:
            neutral, smiling = (read_image(folder / kind / f"{row['person']}.jpg") for kind in ("neutral", "smiling"))
            analyzer.use_baseline(None)
            alone = _largest(analyzer, neutral), _largest(analyzer, smiling)
            analyzer.use_baseline(neutral)
            related = _largest(analyzer, smiling), _largest(analyzer, _a_moment_later(neutral, draw))
            found.append(Person(row["gender"], row["ethnicity"], *alone, *related))
    return found


def _largest(analyzer: Analyzer, image_rgb: NDArray[np.uint8]) -> Prediction | None:
    faces = analyzer.look(image_rgb).faces
    return max(faces, key=_width).prediction if faces else None


def _width(face: Face) -> float:
    return face.box_xyxy[2] - face.box_xyxy[0]


def _a_moment_later(image_rgb: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
    height, width = image_rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), draw.uniform(-3, 3), draw.uniform(0.97, 1.03))
    matrix[:, 2] += draw.uniform(-0.03, 0.03, 2) * (width, height)
    moved = cv2.warpAffine(image_rgb, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    lit = moved * draw.uniform(0.9, 1.1) + draw.normal(0, 3, image_rgb.shape)
    return np.clip(np.round(lit), 0, 255).astype(np.uint8)


def _row(people: Sequence[Person]) -> tuple[str, ...]:
    alone = [(one.neutral, NEUTRAL) for one in people] + [(one.smiling, SMILING) for one in people]
    related = [(one.again, NEUTRAL) for one in people] + [(one.against, SMILING) for one in people]
    return (
        str(len(people)),
        _share([_is(one.neutral, NEUTRAL) for one in people]),
        _share([_is(one.smiling, SMILING) for one in people]),
        _share([_is(one.against, SMILING) for one in people]),
        _share([not _is(one.again, NEUTRAL) for one in people]),
        *_sure(alone),
        *_sure(related),
    )


def _is(prediction: Prediction | None, label: str) -> bool:
    return prediction is not None and prediction.label == label


def _sure(answers: Sequence[tuple[Prediction | None, str]]) -> tuple[str, str]:
    """The share of sure answers, and how many of them are right."""
    sure = [(answer, label) for answer, label in answers if answer is not None and answer.grade == "sure"]
    right = [answer.label in label.split(", ") for answer, label in sure]
    return _share([True] * len(sure), of=len(answers)), f"{_share(right)} ({sum(right)} of {len(right)})"


def _share(values: Sequence[bool], *, of: int = 0) -> str:
    whole = of or len(values)
    return f"{100 * sum(values) / whole:.1f} %" if whole else "-"


def _media(folder: Path, model: str) -> Table:
    """What each face of the media photos is read as, and how many of the sure answers are right."""
    table = Table(title=f"{model} on the media photos", title_justify="left", box=None)
    for heading in ("photo", "people see", "answer", "grade"):
        table.add_column(heading)
    answers: list[tuple[Prediction | None, str]] = []
    left: Callable[[Face], float] = lambda face: face.box_xyxy[0]  # noqa: E731
    with Analyzer(Options(tasks=("emotion",), emotion_model=model)) as analyzer:
        for name, labels in MEDIA.items():
            faces = sorted(analyzer.look(folder / name).faces, key=left)
            if len(faces) != len(labels):
                table.add_row(name, ", ".join(labels), f"{len(faces)} faces found", "left out")
                continue
            for face, label in zip(faces, labels, strict=True):
                answers.append((face.prediction, label))
                table.add_row(name, label, f"{face.label} {face.confidence:.2f}", face.grade)
    share, right = _sure(answers)
    table.add_row("sure, right", "", share, right)
    return table


if __name__ == "__main__":
    main()
