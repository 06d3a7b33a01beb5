"""Models side by side on one split of one data set: one row each, ours and other people's."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.evaluation.manifest_scores import HIGH_95, LOW_95
from mien.evaluation.metrics import (
    answer_matrix,
    answer_scores,
    expected_calibration_error,
    score_intervals,
)
from mien.evaluation.predictions import Predictions
from mien.wording import markdown_table
from mien.words import kept, percent, words

UNKNOWN = "-"


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known about a model besides its answers; empty or None if unknown.

    Args:
        name: its name in the table.
        kind: model, run or predictions.
        licence: of the weights.
        parameters: of the network.
        bytes: of its file.
        ms_1: median milliseconds per face, one at a time, on one thread.
        ms_32: the same, 32 at a time.
        notes: what a reader must know, one sentence each.
    """

    name: str
    kind: str
    licence: str = ""
    parameters: int | None = None
    bytes: int | None = None
    ms_1: float | None = None
    ms_32: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """A model with its figures on the split.

    Args:
        facts: what is known about it.
        samples: how many could be scored: those whose label it can answer.
        left_out: how many could not.
        accuracy, macro_f1: shares from 0 to 1.
        accuracy_95: bootstrap interval of the accuracy.
        ece: expected calibration error in 15 bins; None if only labels were given.
    """

    facts: ModelFacts
    samples: int
    left_out: int
    accuracy: float
    accuracy_95: tuple[float, float]
    macro_f1: float
    ece: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        figures = asdict(self)
        facts = figures.pop("facts")
        return {**facts, **figures, "accuracy_95": list(self.accuracy_95), "notes": list(self.facts.notes)}


def model_row(facts: ModelFacts, answers: Predictions, *, seed: int = 0) -> ModelRow:
    """Score answers.

    Args:
        facts: of the model that gave them.
        answers: to the split.
        seed: seed of the resampling.
    """
    labels, p = answers.part.labels, answers.probabilities
    scores = answer_scores(answers.predicted, labels)
    matrix = answer_matrix(answers.predicted, labels, len(answers.part.label_set))
    return ModelRow(
        facts=replace(facts, notes=(*facts.notes, *answers.notes, *_calibration_note(answers))),
        samples=len(labels),
        left_out=answers.left_out,
        accuracy=scores.accuracy,
        accuracy_95=score_intervals(matrix, seed=seed)["accuracy"],
        macro_f1=scores.macro_f1,
        ece=None if p is None else expected_calibration_error(p, labels),
    )


def by_plurality(answers: Predictions) -> Predictions:
    """The same answers against the label that most FER+ raters chose, for samples with votes.

    Raises:
        DataError: the data has no votes.
    """
    votes = votes_of(answers.part)
    voted = votes.sum(axis=1) > 0
    part = answers.part.where(voted)
    p = answers.probabilities
    return replace(
        answers,
        part=replace(part, labels=votes[voted].argmax(axis=1)),
        predicted=answers.predicted[voted],
        probabilities=None if p is None else p[voted],
        before=None if answers.before is None else answers.before[voted],
        views={name: view[voted] for name, view in answers.views.items()},
    )


def votes_of(dataset: Dataset) -> NDArray[np.float32]:
    """(N, L) shares of the raters' votes; raises DataError if the data has none."""
    if dataset.votes is None or not dataset.votes.any():
        raise DataError(
            "The data has no FER+ votes to use as labels; give --votes fer2013new.csv with FER2013's CSV, or a "
            "file packed with them"
        )
    return dataset.votes


def ranked(rows: Sequence[ModelRow]) -> list[ModelRow]:
    """Most accurate first."""
    return sorted(rows, key=lambda row: -row.accuracy)


def table_header() -> tuple[str, ...]:
    """What the columns of the table are called."""
    return words().all("models.compared")


def table_rows(rows: Sequence[ModelRow]) -> list[tuple[str, ...]]:
    """Cells under `table_header`."""
    return [
        (
            row.facts.name,
            percent(row.accuracy, 2),
            words().join("range", [f"{100 * end:.1f}" for end in row.accuracy_95]),
            f"{row.macro_f1:.3f}",
            UNKNOWN if row.ece is None else f"{row.ece:.3f}",
            UNKNOWN if row.facts.parameters is None else f"{row.facts.parameters:,}",
            _size(row.facts.bytes),
            _time(row.facts.ms_1),
            _time(row.facts.ms_32),
            row.facts.licence or UNKNOWN,
        )
        for row in rows
    ]


def markdown_text(rows: Sequence[ModelRow]) -> str:
    """The table in Markdown."""
    return markdown_table(table_header(), table_rows(rows))


def csv_text(rows: Sequence[ModelRow]) -> str:
    """One row per model with unrounded figures; notes are only in the JSON."""
    entries = [row.to_dict() for row in rows]
    for entry in entries:
        entry[LOW_95], entry[HIGH_95] = entry.pop("accuracy_95")
        del entry["notes"]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(entries[0]) if entries else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)
    return text.getvalue()


def _calibration_note(answers: Predictions) -> tuple[str, ...]:
    fitted_here = answers.temperature_from in map(kept, ("kept.temperature_here", "kept.temperature_own_here"))
    return (kept("kept.temperature_note", temperature=answers.temperature_from),) if fitted_here else ()


def _size(count: int | None) -> str:
    if count is None:
        return UNKNOWN
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _time(ms: float | None) -> str:
    return UNKNOWN if ms is None else f"{ms:.2f}"
