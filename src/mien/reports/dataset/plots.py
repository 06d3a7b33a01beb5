"""Plots of a data set. Shades differ in lightness and come with hatches, markers or numbers, so that they work in
greyscale print and for people who cannot tell red from green."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from mien.extras import needs
from mien.outputs.lettering.fonts import drawn_words
from mien.reports.shades import shade_table
from mien.window.layout import wrap
from mien.words import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SPLIT_LOOKS = (
    {"color": "#003f5c", "hatch": "", "marker": "o"},
    {"color": "#e69f00", "hatch": "///", "marker": "s"},
    {"color": "#cfe8f5", "hatch": "...", "marker": "^"},
)
_WIDTH = 10.0
_GAP = 4
_LINE = 100  # characters of a title, wide ones counted twice


def plain(text: str) -> str:
    """The text with literal dollar signs: matplotlib reads what is between two of them as a formula."""
    return text.replace("$", r"\$")


def new_figure(height: float) -> Figure:
    """An empty figure of the report's width; it belongs to no window."""
    with needs("data"):
        from matplotlib.figure import Figure
    return Figure(figsize=(_WIDTH, height), layout="constrained")


@drawn_words()
def count_bars(counts: NDArray[np.int64], splits: Sequence[str], labels: Sequence[str], *, title: str) -> Figure:
    """Bars of (S, L) counts, one group per label, with the number on each bar."""
    figure = new_figure(4.2)
    axes = _titled(figure.add_subplot(), title)
    width = 0.84 / len(splits)
    for s, (split, look) in enumerate(zip(splits, _SPLIT_LOOKS, strict=False)):
        places = np.arange(len(labels)) + (s - (len(splits) - 1) / 2) * width
        colours: dict[str, Any] = {"color": look["color"], "hatch": look["hatch"], "edgecolor": "#1a1a1a"}
        bars = axes.bar(places, counts[s], width, label=split, linewidth=0.8, **colours)
        axes.bar_label(bars, [f"{count:,}" for count in counts[s]], fontsize=7, padding=2, rotation=_tilt(labels))
    axes.set_xticks(range(len(labels)), [plain(label) for label in labels], rotation=_tilt(labels))
    axes.margins(y=0.12)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel(say("dataset.pictures_axis"))
    _legend(axes, splits)
    return figure


@drawn_words()
def count_scatter(counts: NDArray[np.int64], splits: Sequence[str], labels: Sequence[str], *, title: str) -> Figure:
    """Points of (S, L) counts on a logarithmic scale, where equal shares give parallel rows of points."""
    figure = new_figure(4.2)
    axes = _titled(figure.add_subplot(), title)
    for row, look in zip(counts, _SPLIT_LOOKS, strict=False):
        there = np.flatnonzero(row)
        axes.plot(there, row[there], color="#777777", linewidth=0.8, zorder=1)
        marks: dict[str, Any] = {"color": look["color"], "marker": look["marker"]}
        axes.scatter(there, row[there], s=70, edgecolors="#1a1a1a", zorder=2, **marks)
    axes.set_yscale("log")
    axes.set_yticks(*_log_ticks(counts), minor=False)
    axes.minorticks_off()
    axes.set_xticks(range(len(labels)), [plain(label) for label in labels], rotation=_tilt(labels))
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_ylabel(say("dataset.pictures_log_axis"))
    for name, handle in zip(splits, axes.collections, strict=True):
        handle.set_label(name)
    _legend(axes, splits)
    return figure


def spread(
    values: NDArray[np.float64], of: NDArray[np.int64], labels: Sequence[str], *, title: str, axis: str
) -> Figure:
    """Violins with quartiles: how (N,) values from 0 to 255 spread within each label that has samples."""
    figure = new_figure(3.8)
    axes = _titled(figure.add_subplot(), title)
    there = [i for i in range(len(labels)) if (of == i).any()]
    names = [plain(labels[i]) for i in there]
    quartiles = [(0.25, 0.5, 0.75)] * len(there)
    groups = [values[of == i] for i in there]
    violins = axes.violinplot(groups, range(len(there)), widths=0.8, showextrema=False, quantiles=quartiles)
    bodies: Any = violins["bodies"]
    for body in bodies:
        body.set(facecolor="#cfe8f5", edgecolor="#404040", alpha=1, linewidth=1.2)
    violins["cquantiles"].set(color="#404040", linewidth=1.2, linestyle="--")
    axes.set_xticks(range(len(there)), names, rotation=_tilt(names))
    axes.set_xlim(-0.5, len(there) - 0.5)
    axes.set_ylabel(axis)
    axes.set_ylim(bottom=0)
    return figure


def heat_map(
    values: NDArray[np.float64],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    texts: NDArray[np.str_],
    title: str,
    axes_names: tuple[str, str],
) -> Figure:
    """(R, C) values as shades from dark (low) to light (high), each with its text.

    Args:
        values: what the shades show; NaN stays white.
        rows: names of the rows.
        columns: names of the columns.
        texts: (R, C) what is written in each field.
        title: the finding.
        axes_names: of the rows and of the columns.
    """
    figure = new_figure(1.6 + 0.42 * len(rows))
    axes = _titled(figure.add_subplot(), title)
    names = {"rows": [plain(row) for row in rows], "columns": [plain(column) for column in columns]}
    shade_table(axes, values, texts, colours="cividis", font_size=8, **names)
    axes.tick_params(axis="x", rotation=_tilt(columns))
    axes.set_ylabel(axes_names[0])
    axes.set_xlabel(axes_names[1])
    return figure


def picture_rows(rows: Sequence[NDArray[np.uint8]], names: Sequence[str], *, title: str) -> Figure:
    """A row of pictures for each name.

    Args:
        rows: each (K, H, W[, 3]) uint8, grey or RGB; K may differ.
        names: of the rows.
        title: the finding.
    """
    mosaic = _mosaic(rows)
    height, width = mosaic.shape[:2]
    figure = new_figure(0.5 + min(_WIDTH * height / width, 30.0))
    axes = _titled(figure.add_subplot(), title)
    _show(axes, mosaic)
    step = height / len(rows)
    axes.set_yticks([(i + 0.5) * step - 0.5 for i in range(len(rows))], [plain(name) for name in names])
    axes.set_xticks([])
    return figure


def picture_captions(
    pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str], *, across: int, title: str
) -> Figure:
    """Pictures in reading order, each above its caption.

    Args:
        pictures: each (H, W[, 3]) uint8, of one shape.
        captions: short, with manual line breaks.
        across: pictures per row.
        title: the finding.
    """
    down = -(-len(pictures) // across)
    height, width = pictures[0].shape[:2]
    lines = max(caption.count("\n") + 1 for caption in captions)
    figure = new_figure(0.4 + down * (0.95 * _WIDTH / across * height / width + 0.2 * lines))
    grid = figure.subplots(down, across, squeeze=False)
    figure.suptitle(plain(_filled(title)), x=0.01, ha="left", fontsize=12, fontweight="bold")
    for i, axes in enumerate(grid.ravel()):
        axes.set_visible(i < len(pictures))
        if i < len(pictures):
            _show(axes, pictures[i])
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(plain(captions[i]), fontsize=8)
    return figure


def _show(axes: Axes, image: NDArray[np.uint8]) -> None:
    # Without interpolation the SVG holds the pixels as they are, not a drawing of them at the figure's resolution.
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="none")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _log_ticks(counts: NDArray[np.int64]) -> tuple[list[int], list[str]]:
    """Round numbers, 1, 2 and 5 of each power of ten, from below the least count to above the greatest."""
    least, most = int(counts[counts > 0].min()), int(counts.max())
    steps = [digit * 10**power for power in range(len(str(most)) + 1) for digit in (1, 2, 5)]
    first = max((i for i, step in enumerate(steps) if step <= least), default=0)
    last = min(i for i, step in enumerate(steps) if step >= most)
    ticks = steps[first : last + 1]
    return ticks, [f"{tick:,}" for tick in ticks]


def _mosaic(rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    across = max(map(len, rows))
    height, width, *channels = rows[0].shape[1:]
    full = np.full((len(rows), height + _GAP, across, width + _GAP, *channels), 255, np.uint8)
    for r, row in enumerate(rows):
        full[r, :height, : len(row), :width] = np.moveaxis(row, 0, 1)
    return full.reshape(len(rows) * (height + _GAP), across * (width + _GAP), *channels)


def _filled(title: str) -> str:
    """A title in lines, Chinese broken where Chinese may be."""
    return textwrap.fill(title, _LINE) if title.isascii() else "\n".join(wrap(title, _LINE, cell_len, most=9))


def _titled(axes: Axes, title: str) -> Axes:
    axes.set_title(plain(_filled(title)), loc="left", fontsize=12, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _legend(axes: Axes, splits: Sequence[str]) -> None:
    if len(splits) > 1:
        axes.legend(frameon=False, ncols=len(splits), loc="upper center", bbox_to_anchor=(0.5, -0.1))


def _tilt(labels: Sequence[str]) -> float:
    return 60 if len(labels) > 14 else 0
