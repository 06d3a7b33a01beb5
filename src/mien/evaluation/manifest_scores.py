"""The figures of an evaluation as the flat list of scores that a manifest holds and a model card shows.

Names of the scores: as in metrics.json (`accuracy`, `macro_f1`, `ece`, ...); `accuracy_low_95` and `accuracy_high_95`
for the ends of its interval; suffixes `_flip_averaged`, `_without_copies` and `_ferplus` for those counted in another
way; `coverage_at_`, `accuracy_at_` and `acceptable_at_` before a confidence, for the answers that have it or more;
`precision_`, `recall_` and `f1_` before a label; `_taken_for_` between two labels, for the share of the first answered
as the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mien.errors import InputError, UnknownName
from mien.evaluation.results import GradeScores, MeasuredEvaluation, Measures, measured_evaluation
from mien.models.manifest import Score
from mien.schema import checked

TAKEN_FOR = "_taken_for_"
COVERAGE, CERTAIN, ACCEPTED = "coverage_at_", "accuracy_at_", "acceptable_at_"
ACCEPTABLE = "acceptable"
BY_LABEL = {"precision_": "precision", "recall_": "recall", "f1_": "f1"}
"""Beginnings of the names of scores of one label, and the fields of `LabelScores`."""
FLIP_AVERAGED, WITHOUT_COPIES, FERPLUS = "_flip_averaged", "_without_copies", "_ferplus"
"""Ends of the names of scores that were counted in another way."""
LOW_95, HIGH_95 = "accuracy_low_95", "accuracy_high_95"
DROP = "drop_"
"""Beginning of the names of the points lost to one corruption."""

_PLAIN = ("accuracy", "macro_f1", "balanced_accuracy", "top_2_accuracy")
_DIGITS = 4
_MOST_CONFUSED = 5

Figure = tuple[str, float, str]
"""Name, value, and the samples it was measured on, in words."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """How figures were measured; part of each score.

    Args:
        data: the data set.
        split: which part of it.
        what: the samples, one word.
        chosen: how model and samples are related, in words.
        command: what prints the figures.
    """

    data: str
    split: str
    what: str = "samples"
    chosen: str = ""
    command: str


def evaluation_scores(measures: Measures, measurement: Measurement) -> tuple[Score, ...]:
    """Scores of an evaluation.

    Args:
        measures: of `mien.evaluation.evaluate.Evaluation`, or of its metrics.json.
        measurement: how they were measured.
    """
    m = measurement
    return tuple(
        Score(
            metric=name,
            value=round(float(value), _DIGITS),
            data=m.data,
            split=m.split,
            protocol=", ".join(filter(None, (on, m.chosen))),
            command=m.command,
        )
        for name, value, on in _figures(measures, m.what)
    )


def read_scores(path: Path) -> tuple[Score, ...]:
    """Scores from a file: a JSON list as the project's benchmarks write it, or a metrics.json of `mien evaluate`.

    Raises:
        InputError: it is neither.
    """
    try:
        data = json.loads(path.read_text("utf-8-sig"))
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise _no_scores(path, exc) from exc
    if isinstance(data, dict):
        return _of_metrics(measured_evaluation(data, path))
    if not isinstance(data, list):
        raise _no_scores(path, f"it holds {type(data).__name__}")
    try:
        return tuple(checked(Score, entry, whole="score", noun="key", wrong=ValueError) for entry in data)
    except (ValueError, UnknownName) as exc:
        raise _no_scores(path, exc) from exc


def measured_at(scores: Iterable[Score], threshold: float) -> bool:
    """Whether one of the scores is the coverage at this threshold."""
    return any(score.metric == f"{COVERAGE}{threshold:g}" for score in scores)


def _no_scores(path: Path, reason: object) -> InputError:
    return InputError(f"{path} is not a list of scores as written by the benchmarks: {reason}")


def _of_metrics(evaluation: MeasuredEvaluation) -> tuple[Score, ...]:
    measurement = Measurement(
        data=evaluation.data.source or "the data", split=evaluation.data.split, command=evaluation.command
    )
    return evaluation_scores(evaluation.figures, measurement)


def _figures(measures: Measures, what: str) -> Iterator[Figure]:
    one_view = f"all {measures.samples:,} {what}, one view"
    low, high = measures.intervals_95["accuracy"]
    plain = {name: getattr(measures, name) for name in _PLAIN} | {LOW_95: low, HIGH_95: high}
    if measures.calibration is not None:
        plain |= asdict(measures.calibration.last)
    yield from ((name, value, one_view) for name, value in plain.items() if value is not None)
    yield from _other_counts(measures, what)
    risk = measures.risk_coverage
    if risk is not None and risk.threshold is not None and risk.coverage is not None:
        certain = certain_figures(risk.threshold, risk.coverage, risk.accuracy)
        yield from ((name, value, one_view) for name, value in certain.items())
    if measures.grades is not None:
        yield from ((name, value, one_view) for name, value in grade_figures(measures.grades).items())
    for label in measures.confusion.labels:
        row = measures.report[label]
        yield from ((f"{start}{label}", getattr(row, name), one_view) for start, name in BY_LABEL.items())
    for pair in measures.most_confused[:_MOST_CONFUSED]:
        yield f"{pair.true}{TAKEN_FOR}{pair.predicted}", pair.share, one_view


def _other_counts(measures: Measures, what: str) -> Iterator[Figure]:
    flip = (measures.views or {}).get("flip")
    if flip is not None:
        on = f"all {measures.samples:,} {what}, averaged with the mirror image"
        for name, value in (("accuracy", flip.accuracy), ("macro_f1", flip.macro_f1), ("ece", flip.ece)):
            yield f"{name}{FLIP_AVERAGED}", value, on
    copies, votes = measures.without_copies, measures.ferplus
    if copies.accuracy is not None and copies.macro_f1 is not None:
        on = f"{copies.samples:,} {what} that equal no training sample and no earlier one, one view"
        yield f"accuracy{WITHOUT_COPIES}", copies.accuracy, on
        yield f"macro_f1{WITHOUT_COPIES}", copies.macro_f1, on
    if votes is not None and votes.labels_agree_with_votes < 1:  # else the labels are those of the raters
        on = f"{votes.samples:,} {what} with FER+ votes, one view"
        yield f"accuracy{FERPLUS}", votes.accuracy, on
        yield f"macro_f1{FERPLUS}", votes.macro_f1, on
        yield f"labels_agree{FERPLUS}", votes.labels_agree_with_votes, on


def grade_figures(grades: GradeScores) -> dict[str, float]:
    """By name, the share of answers of each grade or a better one, and how many of these people would accept.

    The share of the sure ones that are right is among `certain_figures`.
    """
    figures = {} if grades.acceptable is None else {ACCEPTABLE: grades.acceptable}
    for share in filter(None, (grades.sure, grades.perhaps)):
        if share is not grades.sure:
            figures |= certain_figures(share.threshold, share.coverage, share.accuracy)
        if share.acceptable is not None:
            figures[f"{ACCEPTED}{share.threshold:g}"] = share.acceptable
    return figures


def certain_figures(threshold: float, coverage: float, accuracy: float | None) -> dict[str, float]:
    """By name, the share of answers with a confidence of the threshold or more, and how many of these are right."""
    figures = {f"{COVERAGE}{threshold:g}": coverage}
    return figures if accuracy is None else figures | {f"{CERTAIN}{threshold:g}": accuracy}
