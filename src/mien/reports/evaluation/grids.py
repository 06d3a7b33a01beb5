"""Samples with their answers: each titled predicted (true), right and wrong differ in colour, mark and frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.metrics import NO_ANSWER
from mien.evaluation.predictions import Predictions
from mien.extras import needs
from mien.outputs.lettering.fonts import drawn_words
from mien.words import percent, say

with needs("data"):
    from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RIGHT, WRONG = "✓", "✗"
"""What stands before an answer."""

_COLUMNS = 6
_INK_RIGHT, _INK_WRONG = "#006b2d", "#b0002a"  # different in brightness too
_FINGERS = ((0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (0, 17, 18, 19, 20), (5, 9, 13, 17))
_LARGEST_SIDE = 128


def random_positions(answers: Predictions, count: int, *, seed: int) -> NDArray[np.intp]:
    """Positions of samples drawn at random; all of them if there are fewer."""
    total = len(answers.part)
    return np.random.default_rng(seed).choice(total, size=min(count, total), replace=False)


def worst_positions(answers: Predictions, count: int) -> NDArray[np.intp]:
    """Positions of the wrong answers, the most confident first."""
    if answers.probabilities is None:
        return np.array([], np.intp)
    wrong = np.flatnonzero(~answers.right & (answers.predicted != NO_ANSWER))
    confidence = answers.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidence, kind="stable")][:count]


@drawn_words()
def samples_figure(answers: Predictions, positions: Sequence[int] | NDArray[np.intp], *, confidence: bool) -> Figure:
    """A grid of samples.

    Args:
        answers: answers to the samples.
        positions: which samples.
        confidence: whether the title says how confident the answer was.
    """
    rows = -(-len(positions) // _COLUMNS)
    figure = Figure(figsize=(11, 2.1 * rows), layout="constrained")
    axes = np.atleast_2d(figure.subplots(rows, _COLUMNS)).ravel()
    for ax in axes[len(positions) :]:
        ax.set_visible(False)
    for ax, i in zip(axes, positions, strict=False):
        _show(ax, answers.part.samples[i])
        is_right = bool(answers.right[i])
        colour = _INK_RIGHT if is_right else _INK_WRONG
        ax.set_title(title(answers, int(i), confidence=confidence), color=colour, fontsize=8.5, fontweight="bold")
        ax.set(xticks=[], yticks=[])
        for side in ax.spines.values():
            side.set(color=colour, linewidth=1.5 if is_right else 3.5, capstyle="butt")
            side.set_linestyle("-" if is_right else (0, (2, 1)))
    return figure


def title(answers: Predictions, i: int, *, confidence: bool) -> str:
    """E.g. "✓ happy (happy)" or "✗ sad 93 % (fear)": the answer, and in brackets the truth."""
    labels = answers.part.label_set.labels
    answer = int(answers.predicted[i])
    told = say("evaluation.sample_no_answer") if answer == NO_ANSWER else labels[answer]
    if confidence and answers.probabilities is not None and answer != NO_ANSWER:
        told += f" {percent(answers.probabilities[i, answer], 0)}"
    mark = RIGHT if answers.right[i] else WRONG
    return say("evaluation.sample_answer", mark=mark, answer=told, label=labels[answers.part.labels[i]])


def _show(ax: Axes, sample: NDArray[Any]) -> None:
    if sample.dtype == np.uint8:
        step = max(1, max(sample.shape[:2]) // _LARGEST_SIDE)
        ax.imshow(sample[::step, ::step], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        return
    for chain in _FINGERS:  # a hand's landmarks, (21, 3)
        ax.plot(sample[list(chain), 0], sample[list(chain), 1], color="#222222", linewidth=1.2)
    ax.plot(sample[:, 0], sample[:, 1], "o", color="#222222", markersize=2)
    ax.set_aspect("equal", adjustable="datalim")
    ax.invert_yaxis()
