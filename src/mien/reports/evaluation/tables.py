"""Tables of a report: the main figures, and the same figures counted in other ways."""

from __future__ import annotations

from mien.evaluation.evaluate import Evaluation
from mien.evaluation.results import AnswerScores, CopyFreeScores, Interval
from mien.words import percent, say, words

_NAMES = ("accuracy", "macro_f1", "balanced_accuracy", "top_2_accuracy")


def summary_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """The main figures: name, value, 95 % interval; in percent except for F1."""
    measures = evaluation.measures
    rows = []
    for key in _NAMES:
        value, interval = getattr(measures, key), measures.intervals_95.get(key)
        if value is not None:
            rows.append(
                (say(f"evaluation.{key}"), _share(key, value), "" if interval is None else _interval(key, interval))
            )
    if measures.accuracy_with_left_out is not None:
        rows.append((say("evaluation.with_left_out"), percent(measures.accuracy_with_left_out, 2), ""))
    copies = measures.without_copies
    if copies.accuracy is not None and copies.accuracy_95 is not None:
        name = say("evaluation.without_copies", n=copies.samples)
        rows.append((name, percent(copies.accuracy, 2), _interval("accuracy", copies.accuracy_95)))
    rows.append((say("evaluation.most_frequent"), percent(measures.most_frequent_label, 2), ""))
    return rows


def count_rows(evaluation: Evaluation) -> list[tuple[str, str, str, str, str]]:
    """How counted, number of samples, accuracy, macro F1, balanced accuracy: a row for each way of counting."""
    measures = evaluation.measures
    copies, votes = measures.without_copies, measures.ferplus
    rows = [_count_row(say("evaluation.one_view"), measures.samples, measures)]
    if copies.samples:
        rows.append(_count_row(say("evaluation.clean"), copies.samples, copies))
    for name, view in (measures.views or {}).items():
        rows.append(_count_row(say(f"evaluation.{name.replace(' ', '_')}"), measures.samples, view))
    if votes is not None:
        rows.append(_count_row(say("evaluation.by_plurality"), votes.samples, votes))
    return rows


def _count_row(name: str, samples: int, scores: AnswerScores | CopyFreeScores) -> tuple[str, str, str, str, str]:
    return (
        name,
        f"{samples:,}",
        percent(scores.accuracy or 0.0, 2),
        f"{scores.macro_f1 or 0.0:.3f}",
        percent(scores.balanced_accuracy or 0.0, 2),
    )


def _share(key: str, value: float) -> str:
    return f"{value:.3f}" if key == "macro_f1" else percent(value, 2)


def _interval(key: str, interval: Interval) -> str:
    return words().join("range", [_share(key, end) for end in interval])
