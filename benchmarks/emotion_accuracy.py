"""Accuracy of an emotion model on FER2013, by the run-time path: ONNX Runtime, one view of each image.

    python benchmarks/emotion_accuracy.py fer2013.csv.xz --votes fer2013new.csv [--split test] [--model NAME_OR_FOLDER]

Choose models on `--split validation` (PublicTest); `--split test` (PrivateTest) is for the model that was chosen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import classification_report, confusion_matrix

from mien.data.fer2013 import load_fer2013
from mien.data.ferplus import load_ferplus
from mien.pixels.preprocess import to_batch
from mien.stages.classify import EMOTION_MODEL, ExpressionClassifier
from mien.train.scores import accuracy_interval, summary_scores


def main() -> None:
    arguments = _arguments()
    votes = load_ferplus(arguments.votes) if arguments.votes else None
    dataset = load_fer2013(arguments.csv, votes=votes)
    part = dataset.part(arguments.split)
    with ExpressionClassifier(arguments.model) as classifier:
        probabilities = classifier.probabilities(to_batch(part.samples, classifier.spec))
        threshold = classifier.threshold
    right = probabilities.argmax(axis=1) == part.labels
    certain = probabilities.max(axis=1) >= threshold

    table = Table(
        title=f"{arguments.model} on {arguments.split} of {part.source}, {len(part)} images, one view", box=None
    )
    for heading in ("figure", "value"):
        table.add_column(heading)
    low, high = accuracy_interval(right)
    figures = summary_scores(probabilities, part.labels)
    for name, value in figures.items():
        table.add_row(
            name, f"{value:.4f}" + (f"  (95 % interval {low:.4f} to {high:.4f})" if name == "accuracy" else "")
        )
    fresh = ~_repeats(dataset.samples, dataset.split == "train", part.samples)
    table.add_row("accuracy without copies", f"{right[fresh].mean():.4f}  ({fresh.sum()} images)")
    table.add_row(f"answers with confidence {threshold:g} or more", f"{certain.mean():.4f} of all")
    table.add_row("their accuracy", f"{right[certain].mean():.4f}")
    if part.votes is not None:
        voted = part.votes.sum(axis=1) > 0
        plurality = part.votes[voted].argmax(axis=1)
        agrees = probabilities[voted].argmax(axis=1) == plurality
        table.add_row("accuracy against the FER+ plurality", f"{agrees.mean():.4f}  ({voted.sum()} images)")
    Console(width=120).print(table)
    if arguments.scores:
        _write_scores(arguments, figures, len(part))

    names = list(part.label_set.labels)
    print(classification_report(part.labels, probabilities.argmax(axis=1), target_names=names, digits=3))
    matrix = confusion_matrix(part.labels, probabilities.argmax(axis=1))
    print("rows true, columns predicted:", " ".join(names))
    print(np.array2string(matrix))


def _write_scores(arguments: argparse.Namespace, figures: dict[str, float], count: int) -> None:
    usage = {"validation": "PublicTest", "test": "PrivateTest"}[arguments.split]
    scores = [
        {
            "metric": name,
            "value": round(value, 4),
            "data": "FER2013",
            "split": usage,
            "protocol": f"all {count} images, one view, chosen on PublicTest",
            "command": f"python benchmarks/emotion_accuracy.py fer2013.csv.xz --split {arguments.split}",
        }
        for name, value in figures.items()
    ]
    arguments.scores.write_text(json.dumps(scores, indent=2) + "\n", "utf-8")


def _repeats(images: np.ndarray, train: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Which of the tested images equal a training image or an earlier tested one."""
    seen = {hashlib.sha1(image.tobytes()).hexdigest() for image in images[train]}
    repeats = np.zeros(len(tested), bool)
    for i, image in enumerate(tested):
        key = hashlib.sha1(image.tobytes()).hexdigest()
        repeats[i] = key in seen
        seen.add(key)
    return repeats


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--votes", type=Path)
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--model", default=EMOTION_MODEL)
    parser.add_argument("--scores", type=Path, help="write the figures as JSON, for `mien export --scores`")
    return parser.parse_args()


if __name__ == "__main__":
    main()
