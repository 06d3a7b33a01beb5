"""An evaluation: every figure that answers to a split allow, with what is needed to judge it."""

from __future__ import annotations

import datetime
import os
import platform
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from typing import Any

import numpy as np

from mien import __version__
from mien.data.dataset import Dataset
from mien.evaluation.evaluated_model import ModelInfo
from mien.evaluation.measures import (
    by_group,
    by_votes,
    calibration,
    classification,
    confused_pairs,
    grade_scores,
    ranking,
    risk_curve,
    risk_scores,
    without_copies,
)
from mien.evaluation.metrics import answer_matrix, answer_scores, score_intervals, summary_scores, top_2_accuracy
from mien.evaluation.predictions import Predictions
from mien.evaluation.results import Confusion, DataFacts, EvaluationFacts, Measures, plain
from mien.wording import count
from mien.words import kept

FORMAT = 1
"""Format of metrics.json."""

_VERSIONS = ("numpy", "scikit-learn", "onnxruntime", "torch")


@dataclass(frozen=True, kw_only=True)
class EvaluationContext:
    """How an evaluation was made.

    Args:
        split: train, validation, test or all.
        seed: seed for resampling and for the samples shown.
        command: what the user typed.
        protocol: `author` or `honest`, for `mien compare`; empty if it is neither.
        notes: what else a reader must know, one sentence each.
    """

    split: str
    seed: int = 0
    command: str = ""
    protocol: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """Everything a report is made of.

    Args:
        about: what answered.
        answers: the samples and the answers to them.
        measures: what was measured.
        facts: data, protocol, command, versions, machine and time.
        notes: what a reader must know, one sentence each.
        circumstances: how it was made.
    """

    about: ModelInfo
    answers: Predictions
    measures: Measures
    facts: EvaluationFacts
    notes: tuple[str, ...]
    circumstances: EvaluationContext = field(default_factory=lambda: EvaluationContext(split="test"))

    def to_dict(self) -> dict[str, Any]:
        """The contents of metrics.json."""
        return {
            "format": FORMAT,
            "subject": {name: getattr(self.about, name) for name in ("kind", "name", "sha256", "bytes", "parameters")},
            **plain(self.facts),
            "notes": list(self.notes),
            "figures": plain(self.measures),
            "run": {
                "recipe": {} if self.about.recipe is None else self.about.recipe.settings,
                "summary": {} if self.about.summary is None else plain(self.about.summary),
                "curves": self.about.curves,
            },
        }


def evaluate(about: ModelInfo, answers: Predictions, dataset: Dataset, circumstances: EvaluationContext) -> Evaluation:
    """Measure everything that these answers allow.

    Args:
        about: what answered.
        answers: to a split of the data set.
        dataset: the whole data set: copies are looked for in its training split.
        circumstances: how the answers were obtained.
    """
    part, right, seed = answers.part, answers.right, circumstances.seed
    labels = part.label_set.labels
    matrix = answer_matrix(answers.predicted, part.labels, len(labels))
    p = answers.probabilities
    measures = Measures(
        samples=len(part),
        **asdict(answer_scores(answers.predicted, part.labels)),
        intervals_95=score_intervals(matrix, seed=seed),
        most_frequent_label=float(matrix.sum(axis=1).max() / len(part)),
        confusion=Confusion(labels=labels, counts=tuple(map(tuple, matrix.tolist()))),
        report=classification(answers),
        most_confused=confused_pairs(matrix, labels),
        never_predicted=tuple(label for i, label in enumerate(labels) if matrix[:, i].sum() == 0 < matrix[i].sum()),
        without_copies=without_copies(answers, dataset, circumstances.split, seed),
        accuracy_with_left_out=float(right.sum() / (len(part) + answers.left_out)) if answers.left_out else None,
        ferplus=by_votes(answers, seed),
        groups=by_group(answers),
    )
    if p is not None:
        measures = replace(
            measures,
            top_2_accuracy=top_2_accuracy(p, part.labels),
            calibration=calibration(answers, p),
            ranking=ranking(p, part.labels, labels),
            risk_coverage=risk_scores(risk_curve(answers), answers.threshold),
            views={name: summary_scores(view, part.labels) for name, view in answers.views.items()},
        )
    if p is not None and answers.threshold is not None:
        grades = grade_scores(
            p, part, threshold=answers.threshold, perhaps=answers.perhaps, predicted=answers.predicted
        )
        measures = replace(measures, grades=grades)
    return Evaluation(
        about=about,
        answers=answers,
        measures=measures,
        facts=_facts(answers, dataset, circumstances),
        notes=(*_notes(about, dataset, circumstances), *answers.notes, *circumstances.notes),
        circumstances=circumstances,
    )


def _notes(about: ModelInfo, dataset: Dataset, circumstances: EvaluationContext) -> list[str]:
    notes = list(dataset.caveats)
    split, seen = circumstances.split, None if about.summary is None else about.summary.data_sha256
    is_other = seen is not None and seen != dataset.fingerprint()
    if split in ("train", "all") and not is_other:
        notes.append(kept("kept.training_scored"))
    if about.kind != "run":
        notes.append(kept("kept.training_unknown"))
    elif is_other:
        notes.append(kept("kept.other_data"))
    elif split == "validation":
        notes.append(kept("kept.monitored"))
    if about.kind == "run" and about.summary is None:
        notes.append(kept("kept.run_unfinished"))
    return notes


def _facts(answers: Predictions, dataset: Dataset, circumstances: EvaluationContext) -> EvaluationFacts:
    part = answers.part
    counts = np.bincount(part.labels, minlength=len(part.label_set))
    return EvaluationFacts(
        data=DataFacts(
            source=dataset.source,
            fingerprint=dataset.fingerprint(),
            split=circumstances.split,
            samples=len(part),
            left_out=answers.left_out,
            counts={label: int(n) for label, n in zip(part.label_set.labels, counts, strict=True)},
        ),
        protocol=circumstances.protocol,
        command=circumstances.command,
        seed=circumstances.seed,
        versions={"mien": __version__, "python": platform.python_version(), **_versions()},
        machine=f"{platform.system()} {platform.machine()}, {count(os.cpu_count() or 1, 'core')}",
        time=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    )


def _versions() -> dict[str, str]:
    versions = {}
    for name in _VERSIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # an extra that is not installed
            continue
    return versions
