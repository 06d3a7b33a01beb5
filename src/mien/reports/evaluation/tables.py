"""Tables of a report: the main figures, and the same figures counted in other ways."""

from __future__ import annotations

from typing import Any

from mien.evaluation.evaluate import Evaluation
from mien.evaluation.measures import percent
from mien.wording import count

_NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy (mean recall)",
    "top_2_accuracy": "top-2 accuracy",
}
_VIEWS = {
    "flip": "averaged with its mirror image",
    "ten crops": "averaged over ten crops",
    "five crops": "averaged over five crops",
}


def summary_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """The main figures: name, value, 95 % interval; percent but for F1."""
    figures = evaluation.figures
    rows = []
    for key, name in _NAMES.items():
        if key in figures:
            low, high = figures["intervals_95"].get(key, (None, None))
            rows.append((name, _share(key, figures[key]), "" if low is None else _interval(key, low, high)))
    if "accuracy_with_left_out" in figures:
        rows.append(("accuracy, samples left out counted as wrong", percent(figures["accuracy_with_left_out"], 2), ""))
    copies = figures["without_copies"]
    if copies["samples"]:
        low, high = copies["accuracy_95"]
        name = f"accuracy without copies ({count(copies['samples'], 'sample')})"
        rows.append((name, percent(copies["accuracy"], 2), _interval("accuracy", low, high)))
    rows.append(("always answering the most frequent label", percent(figures["most_frequent_label"], 2), ""))
    return rows


def count_rows(evaluation: Evaluation) -> list[tuple[str, str, str, str, str]]:
    """How counted, number of samples, accuracy, macro F1, balanced accuracy: a row for each way of counting."""
    figures = evaluation.figures
    copies = figures["without_copies"]
    rows = [_count_row("all samples, one view", figures["samples"], figures)]
    if copies["samples"]:
        rows.append(_count_row("without copies", copies["samples"], copies))
    rows += [_count_row(_VIEWS[name], figures["samples"], view) for name, view in figures.get("views", {}).items()]
    if "ferplus" in figures:
        rows.append(_count_row("labels by the FER+ plurality", figures["ferplus"]["samples"], figures["ferplus"]))
    return rows


def _count_row(name: str, samples: int, scores: dict[str, Any]) -> tuple[str, str, str, str, str]:
    return (
        name,
        f"{samples:,}",
        percent(scores["accuracy"], 2),
        f"{scores['macro_f1']:.3f}",
        percent(scores["balanced_accuracy"], 2),
    )


def _share(key: str, value: float) -> str:
    return f"{value:.3f}" if key == "macro_f1" else percent(value, 2)


def _interval(key: str, low: float, high: float) -> str:
    return f"{_share(key, low)} to {_share(key, high)}"
