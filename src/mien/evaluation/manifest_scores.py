"""The figures of an evaluation as the flat list of scores that a manifest holds and a model card shows.

Names of the scores: as in metrics.json (`accuracy`, `macro_f1`, `ece`, ...); `accuracy_low_95` and `accuracy_high_95`
for the ends of its interval; suffixes `_flip_averaged`, `_without_copies` and `_ferplus` for those counted in another
way; `coverage_at_` and `accuracy_at_` before a confidence, for the answers that have it or more; `precision_`,
`recall_` and `f1_` before a label; `_taken_for_` between two labels, for the share of the first answered as the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import InputError
from mien.models.manifest import Score

TAKEN_FOR = "_taken_for_"
COVERAGE, CERTAIN = "coverage_at_", "accuracy_at_"
BY_LABEL = {"precision_": "precision", "recall_": "recall", "f1_": "f1-score"}
"""Prefixes of the names of per-label scores, and their names in metrics.json."""

_PLAIN = ("accuracy", "macro_f1", "balanced_accuracy", "top_2_accuracy")
_CALIBRATION = ("ece", "brier", "nll")
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


def evaluation_scores(figures: Mapping[str, Any], measurement: Measurement) -> tuple[Score, ...]:
    """Scores of an evaluation.

    Args:
        figures: of `mien.evaluation.evaluate.Evaluation`, or `figures` of its metrics.json.
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
        for name, value, on in _figures(figures, m.what)
    )


def read_scores(path: Path) -> tuple[Score, ...]:
    """Scores from a file: a JSON list as the project's benchmarks write it, or a metrics.json of `mien evaluate`.

    Raises:
        InputError: it is neither.
    """
    try:
        data = json.loads(path.read_text("utf-8-sig"))
        if isinstance(data, dict):
            return _of_metrics(data)
        return tuple(Score(**entry) for entry in data)
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}") from exc
    except KeyError as exc:
        raise InputError(f"{path} is not a metrics.json of this version: it lacks {exc}; evaluate again") from exc
    except (ValueError, TypeError) as exc:
        raise InputError(f"{path} is not a list of scores as written by the benchmarks: {exc}") from exc


def measured_at(scores: Iterable[Score], threshold: float) -> bool:
    """Whether one of the scores is the coverage at this threshold."""
    return any(score.metric == f"{COVERAGE}{threshold:g}" for score in scores)


def _of_metrics(metrics: Mapping[str, Any]) -> tuple[Score, ...]:
    data = metrics["data"]
    measurement = Measurement(
        data=str(data["source"] or "the data"), split=str(data["split"]), command=str(metrics["command"])
    )
    return evaluation_scores(metrics["figures"], measurement)


def _figures(figures: Mapping[str, Any], what: str) -> Iterator[Figure]:
    one_view = f"all {figures['samples']:,} {what}, one view"
    yield from ((name, figures[name], one_view) for name in _PLAIN if name in figures)
    low, high = figures["intervals_95"]["accuracy"]
    yield from (("accuracy_low_95", low, one_view), ("accuracy_high_95", high, one_view))
    if "calibration" in figures:
        after = figures["calibration"].get("after") or figures["calibration"]["as_given"]
        yield from ((name, after[name], one_view) for name in _CALIBRATION)
    yield from _other_counts(figures, what)
    risk = figures.get("risk_coverage", {})
    if "threshold" in risk:
        certain = certain_figures(risk["threshold"], risk["coverage"], risk["accuracy"])
        yield from ((name, value, one_view) for name, value in certain.items())
    for label, row in figures["report"].items():
        if label in figures["confusion"]["labels"]:
            yield from ((f"{start}{label}", row[name], one_view) for start, name in BY_LABEL.items())
    for pair in figures["most_confused"][:_MOST_CONFUSED]:
        yield f"{pair['true']}{TAKEN_FOR}{pair['predicted']}", pair["share"], one_view


def _other_counts(figures: Mapping[str, Any], what: str) -> Iterator[Figure]:
    flip = figures.get("views", {}).get("flip")
    if flip is not None:
        on = f"all {figures['samples']:,} {what}, averaged with the mirror image"
        yield from ((f"{name}_flip_averaged", flip[name], on) for name in ("accuracy", "macro_f1", "ece"))
    copies = figures["without_copies"]
    if copies["samples"]:
        on = f"{copies['samples']:,} {what} that equal no training sample and no earlier one, one view"
        yield from ((f"{name}_without_copies", copies[name], on) for name in ("accuracy", "macro_f1"))
    votes = figures.get("ferplus")
    if votes is not None and votes["labels_agree_with_votes"] < 1:  # else the labels are those of the raters
        on = f"{votes['samples']:,} {what} with FER+ votes, one view"
        yield from ((f"{name}_ferplus", votes[name], on) for name in ("accuracy", "macro_f1"))
        yield "labels_agree_ferplus", votes["labels_agree_with_votes"], on


def certain_figures(threshold: float, coverage: float, accuracy: float | None) -> dict[str, float]:
    """By name, the share of answers with a confidence of the threshold or more, and how many of these are right."""
    figures = {f"{COVERAGE}{threshold:g}": coverage}
    return figures if accuracy is None else figures | {f"{CERTAIN}{threshold:g}": accuracy}
