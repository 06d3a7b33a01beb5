"""Accuracy of an emotion model on FER2013, by the run-time path (ONNX Runtime), and everything its card tells.

    python benchmarks/emotion_accuracy.py FER2013 [--votes fer2013new.csv] [--split validation] [--model NAME_OR_FOLDER]
                                          [--scores FILE] [--all-outputs]

FER2013 is its CSV or a packed file, with its own labels or (packed) those of FER+. One run prints: one view of each
image, averaged with its mirror image, without images that equal a training image or an earlier one, against the FER+
plurality; accuracy, macro F1, calibration; how many answers are not uncertain and how many of those are right;
precision, recall and F1 by label; confusions.
A model answers as in use: an image whose label it leaves out of its answers counts as wrong. `--all-outputs` counts
every output as an answer; the figures of emotion_ferplus are so.
`--scores` writes the same as JSON for `mien export --scores`.
Choose models on `--split validation` (PublicTest); `--split test` (PrivateTest) is for the model that was chosen.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mien.data.dataset import Dataset
from mien.data.readers.ferplus import load_ferplus
from mien.data.readers.load import load_dataset
from mien.evaluation.evaluate import Evaluation, EvaluationContext, evaluate
from mien.evaluation.evaluated_model import open_model
from mien.evaluation.manifest_scores import Measurement, evaluation_scores
from mien.evaluation.predictions import answers_of_subject
from mien.labels import EMOTIONS_8
from mien.reports.evaluation.tables import count_rows, summary_rows
from mien.stages.classify import EMOTION_MODEL
from mien.words import again

USAGES = {"validation": "PublicTest", "test": "PrivateTest"}


def main() -> None:
    arguments = _arguments()
    votes = load_ferplus(arguments.votes) if arguments.votes else None
    dataset = load_dataset(arguments.data, votes=votes)
    with open_model(arguments.model) as subject:
        left_out = subject.left_out
        if arguments.all_outputs:
            subject.left_out = ()
        answers = answers_of_subject(subject, dataset, arguments.split)
    evaluation = evaluate(subject.about, answers, dataset, EvaluationContext(split=arguments.split))
    _print(evaluation, USAGES[arguments.split])
    if arguments.scores:
        measurement = Measurement(
            data=name_of(dataset),
            split=USAGES[arguments.split],
            what="images",
            chosen=f"{_outputs(left_out, arguments)}chosen on PublicTest",
            command=command("emotion_accuracy", dataset, arguments),
        )
        scores = [asdict(score) for score in evaluation_scores(evaluation.measures, measurement)]
        arguments.scores.write_text(json.dumps(scores, indent=2) + "\n", "utf-8")


def name_of(dataset: Dataset) -> str:
    """FER2013 with its own labels, or FER+."""
    return "FER+" if dataset.label_set is EMOTIONS_8 else "FER2013"


def command(benchmark: str, dataset: Dataset, arguments: argparse.Namespace) -> str:
    """What prints these figures once the model is in the package, for its card."""
    if dataset.label_set is EMOTIONS_8:
        every = " --all-outputs" if "all_outputs" in arguments and arguments.all_outputs else ""
        return f"python benchmarks/{benchmark}.py FERPLUS --model emotion_ferplus --split {arguments.split}{every}"
    votes = " --votes fer2013new.csv" if "votes" in arguments else ""
    return f"python benchmarks/{benchmark}.py FER2013{votes} --split {arguments.split}"


def _outputs(left_out: tuple[str, ...], arguments: argparse.Namespace) -> str:
    """What the figures of a model that leaves labels out are of, for the protocol."""
    if not left_out:
        return ""
    return "all outputs, " if arguments.all_outputs else f"{' and '.join(left_out)} never answered, "


def _print(evaluation: Evaluation, usage: str) -> None:
    measures, about = evaluation.measures, evaluation.about
    rows = [(name, value, interval) for name, value, interval in summary_rows(evaluation)]
    if measures.calibration is not None:
        scores = measures.calibration.last
        rows += [("ECE, 15 bins", f"{scores.ece:.4f}", ""), ("NLL", f"{scores.nll:.4f}", "")]
    risk = measures.risk_coverage
    if risk is not None and risk.threshold is not None:
        rows.append((f"answers with a confidence of {risk.threshold:g} or more", f"{risk.coverage:.2%}", ""))
        if risk.accuracy is not None:
            rows.append(("their accuracy", f"{risk.accuracy:.2%}", ""))
    title = f"{about.name} on {usage} of {evaluation.facts.data.source}, {measures.samples:,} images"
    _table(title, ("figure", "value", "95 % interval"), rows)
    for note in evaluation.answers.notes:
        print(again(note))
    header = ("counted", "images", "accuracy", "macro F1", "balanced")
    _table("in other ways", header, count_rows(evaluation))
    report = [
        (label, *(f"{value:.3f}" for value in (row.precision, row.recall, row.f1)), f"{row.support:.0f}")
        for label, row in measures.report.items()
    ]
    _table("by label", ("label", "precision", "recall", "F1", "images"), report)
    print("rows true, columns predicted:", " ".join(measures.confusion.labels))
    print(np.array2string(measures.confusion.matrix[:, :-1]))


def _table(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left", box=None)
    for i, heading in enumerate(header):
        table.add_column(heading, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The data, the split, the model and the file of scores: what every benchmark of an expression model asks for."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("data", type=Path)
    made.add_argument("--split", choices=tuple(USAGES), default="validation")
    made.add_argument("--model", default=EMOTION_MODEL)
    made.add_argument("--scores", type=Path, help="write the figures as JSON, for `mien export --scores`")
    return made


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--votes", type=Path, help="the FER+ table; packed files have the votes in them")
    made.add_argument("--all-outputs", action="store_true", help="count outputs that the model never answers with, too")
    return made.parse_args()


if __name__ == "__main__":
    main()
