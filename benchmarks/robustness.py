"""What a camera's troubles cost an emotion model: accuracy on FER2013 with each of them, by the run-time path.

    python benchmarks/robustness.py FER2013 [--split validation] [--model NAME_OR_FOLDER] [--scores FILE]

FER2013 is what `mien train --data` takes. Every image gets every trouble, with the same draws for every model:

    blur         Gaussian, standard deviation 1 pixel of 48
    distance     24 x 24 pixels, enlarged again
    noise        Gaussian, standard deviation 10 of 255
    dark         a third of the light, noise of standard deviation 4
    bright       1.6 times the light, cut off at white
    jpeg         quality 30
    turned       by up to 15 degrees
    box          the face's box off by up to 10 % of its side, and up to 10 % too large or small

Images of 48 pixels have no surroundings: what a turned or moved frame would show beyond them repeats their border.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import cv2
import numpy as np
from emotion_accuracy import USAGES, command, name_of, parser
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mien.data.dataset import Dataset
from mien.data.readers.load import load_dataset
from mien.evaluation.manifest_scores import DROP
from mien.pixels.preprocess import to_batch
from mien.stages.classify import ExpressionClassifier

Image = NDArray[np.uint8]
Trouble = Callable[[Image, np.random.Generator], Image]


def blurred(image: Image, _draw: np.random.Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), np.uint8)


def distant(image: Image, _draw: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def noisy(image: Image, draw: np.random.Generator) -> Image:
    return _light(image, 1.0, 10.0, draw)


def dark(image: Image, draw: np.random.Generator) -> Image:
    return _light(image, 1 / 3, 4.0, draw)


def bright(image: Image, draw: np.random.Generator) -> Image:
    return _light(image, 1.6, 0.0, draw)


def jpeg(image: Image, _draw: np.random.Generator) -> Image:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


def turned(image: Image, draw: np.random.Generator) -> Image:
    return _moved(image, draw.uniform(-15, 15), 1.0, (0.0, 0.0))


def boxed(image: Image, draw: np.random.Generator) -> Image:
    x, y = draw.uniform(-0.1, 0.1, 2)
    return _moved(image, 0.0, float(draw.uniform(0.9, 1.1)), (float(x), float(y)))


TROUBLES: dict[str, Trouble] = {
    "blur": blurred,
    "distance": distant,
    "noise": noisy,
    "dark": dark,
    "bright": bright,
    "jpeg": jpeg,
    "turned": turned,
    "box": boxed,
}


def main() -> None:
    arguments = parser(__doc__).parse_args()
    part = load_dataset(arguments.data, size_hw=(48, 48), colour="grey").part(arguments.split)
    table = Table(title=f"{arguments.model} on {arguments.split} of {part.source}, {len(part)} images", box=None)
    for heading in ("trouble", "accuracy", "drop in points"):
        table.add_column(heading, justify="right")
    with ExpressionClassifier(arguments.model) as classifier:
        plain = _accuracy(classifier, part.samples, part)
        table.add_row("none", f"{plain:.4f}", "")
        drops = {}
        for name, trouble in TROUBLES.items():
            draw = np.random.default_rng(7)
            troubled = np.stack([trouble(image, draw) for image in part.samples])
            accuracy = _accuracy(classifier, troubled, part)
            drops[name] = plain - accuracy
            table.add_row(name, f"{accuracy:.4f}", f"{100 * drops[name]:.1f}")
    mean = float(np.mean(list(drops.values())))
    table.add_row("mean", f"{plain - mean:.4f}", f"{100 * mean:.1f}")
    Console(width=120).print(table)
    if arguments.scores:
        figures = {"robustness_drop": mean, **{f"{DROP}{name}": drop for name, drop in drops.items()}}
        _write(arguments, figures, part)


def _accuracy(classifier: ExpressionClassifier, images: Image, part: Dataset) -> float:
    """Share of right answers, by their names: a model may leave labels of the data out of its answers."""
    answers = classifier.probabilities(to_batch(images, classifier.spec)).argmax(axis=1)
    names = np.array(classifier.labels.labels)[answers]
    return float((names == np.array(part.label_set.labels)[part.labels]).mean())


def _light(image: Image, gain: float, noise: float, draw: np.random.Generator) -> Image:
    levels = image * gain + (draw.normal(0, noise, image.shape) if noise else 0.0)
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def _moved(image: Image, degrees: float, zoom: float, shift: tuple[float, float]) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
    matrix[:, 2] += (shift[0] * width, shift[1] * height)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _write(arguments: argparse.Namespace, figures: dict[str, float], part: Dataset) -> None:
    scores = [
        {
            "metric": name,
            "value": round(value, 4),
            "data": name_of(part),
            "split": USAGES[arguments.split],
            "protocol": f"accuracy on all {len(part)} images less that with the trouble, one view",
            "command": command("robustness", part, arguments),
        }
        for name, value in figures.items()
    ]
    arguments.scores.write_text(json.dumps(scores, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
