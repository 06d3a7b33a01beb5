"""Plots of a report. Lines differ in colour, dash and label, for greyscale print and colour-blind readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.evaluated_model import Curves
from mien.evaluation.metrics import Reliability, RiskCoverage
from mien.extras import needs
from mien.outputs.lettering.fonts import drawn_words
from mien.reports.shades import shade_table
from mien.words import percent, say

with needs("data"):
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (7, 2)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
GREY = "#666666"
PALETTE = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#949494", "#56b4e9")
"""Colours that colour-blind people tell apart: seaborn's "colorblind" but for two, too pale for thin lines on white."""

_WIDTH = 9.0
_METRICS = ("loss", "accuracy")

Curve = Literal["before", "after", "given"]
"""Which answers a calibration curve is of: before the temperature, after it, or as they were given."""


def new_figure(height: float, *, columns: int = 1, width: float = _WIDTH) -> tuple[Figure, list[Axes]]:
    """An empty figure with plots side by side; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, columns)))
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25)
    return figure, axes


@drawn_words()
def curves_figure(curves: Curves) -> Figure:
    """Loss and accuracy over epochs, training against validation in one plot each; the best epoch is marked."""
    figure, axes = new_figure(3.6, columns=2)
    best = best_epoch(curves)
    for ax, metric in zip(axes, _METRICS, strict=True):
        for kind, colour, dash in (("train", PALETTE[0], "-"), ("val", PALETTE[1], "--")):
            x, y = series(curves, f"{kind}_{metric}")
            if len(x):
                last = say("evaluation.plot.last", name=say(f"evaluation.plot.{kind}"), value=y[-1])
                marker = "o" if len(x) == 1 else None
                ax.plot(x, y, dash, color=colour, marker=marker, label=last)
        if best is not None:
            told = say("evaluation.plot.best_epoch", epoch=best)
            ax.axvline(best, color=GREY, linestyle=":", linewidth=1, label=told)
        ax.set(xlabel=say("evaluation.plot.epoch"), ylabel=say(f"evaluation.plot.{metric}"))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False, fontsize=8)
    return figure


@drawn_words()
def compared_curves_figure(curves: dict[str, Curves], metric: str) -> Figure:
    """One metric over the epochs for several runs: validation on the left, training on the right."""
    figure, axes = new_figure(4.0, columns=2, width=11)
    for ax, kind in zip(axes, ("val", "train"), strict=True):
        for i, (name, logged) in enumerate(curves.items()):
            x, y = series(logged, f"{kind}_{metric}")
            if len(x):
                best = f"{y.max() if metric == 'accuracy' else y.min():.3f}"
                style = {"color": PALETTE[i % 8], "linestyle": DASHES[(i + i // 8) % 8]}
                told = say("evaluation.plot.best", name=name, value=best)
                ax.plot(x, y, marker="o" if len(x) == 1 else None, label=told, **style)
        ax.set(title=say(f"evaluation.plot.{kind}"), xlabel=say("evaluation.plot.epoch"))
        ax.set_ylabel(say(f"evaluation.plot.{metric}"))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False, fontsize=8)
        else:
            ax.text(0.5, 0.5, say("evaluation.plot.not_logged"), ha="center", color=GREY, transform=ax.transAxes)
    return figure


def series(curves: Curves, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Epochs and values of one logged metric, where it was logged."""
    there = [(entry["epoch"], entry[name]) for entry in curves if name in entry]
    columns = np.array(there, np.float64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def best_epoch(curves: Curves) -> int | None:
    """The epoch of the highest validation accuracy; None if none was logged."""
    x, y = series(curves, "val_accuracy")
    return int(x[y.argmax()]) if len(x) else None


@drawn_words()
def confusion_figure(matrix: NDArray[np.int64], labels: Sequence[str]) -> Figure:
    """Counts, and shares of each true label, side by side; (L, L + 1) with samples without an answer last."""
    columns = [*labels, say("evaluation.sample_no_answer")]
    if not matrix[:, -1].any():
        matrix, columns = matrix[:, :-1], columns[:-1]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure, axes = new_figure(1.6 + 0.42 * len(labels), columns=2, width=11)
    for ax, values, form, title in (
        (axes[0], matrix, "d", say("evaluation.plot.samples")),
        (axes[1], 100 * shares, ".1f", say("evaluation.plot.percent")),
    ):
        texts = [[format(value, form) for value in row] for row in values]
        shade_table(ax, values, texts, rows=labels, columns=columns, colours="Blues", font_size=9)
        ax.set(title=title, xlabel=say("evaluation.plot.predicted"), ylabel=say("evaluation.plot.true"))
        ax.tick_params(axis="x", rotation=45)
    return figure


@drawn_words()
def roc_figure(p: NDArray[np.float64], truth: NDArray[np.int64], labels: Sequence[str]) -> Figure:
    """Each label against the rest; labels that never occur, or are the only ones, are left out."""
    figure, (ax,) = new_figure(5.2, width=7)
    for i, label, is_label in _present(truth, labels):
        false, hits, _ = roc_curve(is_label, p[:, i])
        area = roc_auc_score(is_label, p[:, i])
        ax.plot(
            false,
            hits,
            color=PALETTE[i % 8],
            linestyle=DASHES[i % 8],
            linewidth=1.7,
            label=say("evaluation.plot.area", label=label, area=area),
        )
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label=say("evaluation.plot.by_chance"))
    ax.set(xlabel=say("evaluation.plot.false_positives"), ylabel=say("evaluation.plot.true_positives"))
    ax.set(xlim=(0, 1), ylim=(0, 1.01))
    ax.legend(frameon=False, fontsize=9)
    return figure


@drawn_words()
def precision_recall_figure(p: NDArray[np.float64], truth: NDArray[np.int64], labels: Sequence[str]) -> Figure:
    """Each label against the rest; labels that never occur, or are the only ones, are left out."""
    figure, (ax,) = new_figure(5.2, width=7)
    for i, label, is_label in _present(truth, labels):
        precision, recall, _ = precision_recall_curve(is_label, p[:, i])
        mean = average_precision_score(is_label, p[:, i])
        told = say("evaluation.plot.average", label=label, mean=mean, chance=is_label.mean())
        ax.plot(recall, precision, color=PALETTE[i % 8], linestyle=DASHES[i % 8], linewidth=1.7, label=told)
    ax.set(xlabel=say("evaluation.plot.recall"), ylabel=say("evaluation.plot.precision"), xlim=(0, 1), ylim=(0, 1.01))
    ax.legend(frameon=False, fontsize=9)
    return figure


@drawn_words()
def calibration_figure(curves: dict[Curve, Reliability]) -> Figure:
    """Accuracy against confidence, and how often each confidence occurs."""
    figure, (left, right) = new_figure(4.2, columns=2)
    left.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label=say("evaluation.plot.perfect"))
    for i, (of, curve) in enumerate(curves.items()):
        name = say(f"evaluation.curve_{of}")
        style = {"color": PALETTE[i], "linestyle": DASHES[i], "marker": "os"[i % 2], "markersize": 4}
        left.plot(curve.confidence, curve.accuracy, label=name, **style)
        right.plot(curve.confidence, 100 * curve.share, label=name, **style)
    left.set(xlabel=say("evaluation.plot.confidence"), ylabel=say("evaluation.plot.accuracy"))
    left.set(xlim=(0, 1), ylim=(0, 1.01))
    right.set(xlabel=say("evaluation.plot.confidence"), ylabel=say("evaluation.plot.answers"))
    right.set(xlim=(0, 1), ylim=(0, None))
    right.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    left.legend(frameon=False, fontsize=9)
    right.legend(frameon=False, fontsize=9)
    return figure


@drawn_words()
def risk_figure(curve: RiskCoverage, *, threshold: float | None, wanted: float = 0.9) -> Figure:
    """Accuracy of the answers kept, over their share, as the threshold rises from right to left."""
    figure, (ax,) = new_figure(4.2, width=7)
    ax.plot(100 * curve.coverage, 100 * curve.accuracy, color=PALETTE[0])
    ax.axhline(100 * wanted, color=GREY, linestyle=":", linewidth=1)
    reached = curve.coverage_at(wanted)
    if reached is not None:
        told = say("evaluation.plot.reached", wanted=percent(wanted, 0), coverage=percent(reached))
        height = float(curve.accuracy[curve.coverage == reached][0])
        ax.plot([100 * reached], [100 * height], "s", color=PALETTE[2], label=told)
    if threshold is not None:
        coverage, accuracy = curve.at(threshold)
        if accuracy is not None:
            shares = {"coverage": percent(coverage), "accuracy": percent(accuracy)}
            told = say("evaluation.plot.threshold", threshold=threshold, **shares)
            ax.plot([100 * coverage], [100 * accuracy], "o", color=PALETTE[3], label=told)
    lowest = 100 * float(curve.accuracy[curve.coverage > 0.02].min(initial=1.0))
    ax.set(xlabel=say("evaluation.plot.answered"), ylabel=say("evaluation.plot.right"))
    ax.set(xlim=(0, 101), ylim=(max(0, lowest - 5), 101))
    ax.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    ax.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize=9, loc="lower left")
    return figure


def _present(truth: NDArray[np.int64], labels: Sequence[str]) -> list[tuple[int, str, NDArray[np.bool_]]]:
    masks = [(i, label, truth == i) for i, label in enumerate(labels)]
    return [(i, label, mask) for i, label, mask in masks if mask.any() and not mask.all()]
