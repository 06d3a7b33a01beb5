"""Plots of a session. Every label has its own row besides its colour and pattern, so that nothing is lost in greyscale
print or to people who cannot tell red from green."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.extras import needs
from mien.outputs.palette import label_colour
from mien.words import say

with needs("data"):
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

UNSURE = "unclear"
"""The label of a row of a timeline for what was unclear."""

_WIDTH = 10.0
_INK = "#1a1a1a"
_PAUSE = "#d9d9d9"
_HEIGHT = 0.84
_STEPS = 40
# Of lines: a tile of dots takes 260 kB of SVG.
_HATCHES: Mapping[str, str] = {
    "angry": "////",
    "disgust": "xxxx",
    "fear": "\\\\\\\\",
    "happy": "",
    "sad": "||||",
    "surprise": "++++",
    "neutral": "----",
    "contempt": "//",
    "loser": "////",
    "punch": "xxxx",
    "super": "||||",
    "victory": "",
    "thumb_up": "++++",
    "thumb_down": "\\\\\\\\",
    "palm": "//",
    "point": "||",
    "call": "++",
    "rock": "--",
    "none": "----",
    UNSURE: "",
}
_OTHER_HATCH = "xx"
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_MOST_TICKS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One person or hand in a timeline, or all of them together.

    Args:
        title: who, and for how long in view.
        edges_s: (B + 1,) edges of the bins.
        in_view: how much of each bin it was in view, (B,) float64, 0 to 1.
        rows: from the top: name next to the row, the label that sets its appearance, and how much of each bin it fills,
            (B,) float64, 0 to 1.
    """

    title: str
    edges_s: Floats
    in_view: Floats
    rows: Sequence[tuple[str, str, Floats]]


def timeline_figure(panels: Sequence[Panel], pauses_s: Floats) -> Figure:
    """Panels stacked vertically; a row is as high as its share of the bin.

    Args:
        panels: at least one; panels over the same time share the axis under the last of them.
        pauses_s: (P, 2) start and length of the times without frames, which become grey.
    """
    spans = [(float(panel.edges_s[0]), float(panel.edges_s[-1])) for panel in panels]
    has_axis = [i + 1 == len(spans) or spans[i] != spans[i + 1] for i in range(len(spans))]
    heights = [1.4 + len(panel.rows) + 1.6 * axis for panel, axis in zip(panels, has_axis, strict=True)]
    figure = Figure(figsize=(_WIDTH, 0.2 + 0.22 * sum(heights)), layout="constrained")
    grid: Any = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)
    for axes, panel, axis in zip(grid[:, 0], panels, has_axis, strict=True):
        _draw(axes, panel, pauses_s)
        _time_axis(axes, panel.edges_s)
        if not axis:
            axes.tick_params(axis="x", labelbottom=False)
    grid[-1, 0].set_xlabel(say("report.time_axis"))
    return figure


def rate_figure(rate: Floats, edges_s: Floats, pauses_s: Floats) -> Figure:
    """Frames per second over time.

    Args:
        rate: (B,) in each bin.
        edges_s: (B + 1,) of the bins.
        pauses_s: as for `timeline_figure`.
    """
    figure = Figure(figsize=(_WIDTH, 1.7), layout="constrained")
    axes = figure.subplots()
    _shade(axes, pauses_s)
    axes.stairs(rate, edges_s, color=_INK, linewidth=1.0)
    axes.set_ylim(0, max(float(rate.max()) * 1.15, 1.0))
    axes.set_ylabel(say("report.rate_axis"))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    _time_axis(axes, edges_s)
    axes.set_xlabel(say("report.time_axis"))
    return figure


def clock(seconds: float, *, tenths: bool = False) -> str:
    """A time as on a media player: `0:07`, `12:40`, `7:59:58`; with tenths, below an hour, `0:07.2`."""
    steps = round(abs(seconds) * 10) if tenths and abs(seconds) < 3600 else 10 * round(abs(seconds))
    whole, tenth = divmod(steps, 10)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 and steps else ""
    if hours:
        return f"{sign}{hours}:{minutes:02d}:{rest:02d}"
    return f"{sign}{minutes}:{rest:02d}{f'.{tenth}' if tenths else ''}"


def _draw(axes: Axes, panel: Panel, pauses_s: Floats) -> None:
    edges = panel.edges_s
    _shade(axes, pauses_s[(pauses_s[:, 0] < edges[-1]) & (pauses_s.sum(axis=1) > edges[0])])
    count = len(panel.rows)
    for row, (_, label, share) in enumerate(panel.rows):
        base = count - 1 - row
        axes.axhline(base, color="#bbbbbb", linewidth=0.5, zorder=1)
        outline = _outline(share, edges, base, _HEIGHT)
        if outline is not None:
            colour = "#ffffff" if label == UNSURE else tuple(v / 255 for v in label_colour(label))
            looks: dict[str, Any] = {"facecolor": colour, "edgecolor": _INK, "hatch": _HATCHES.get(label, _OTHER_HATCH)}
            axes.add_artist(PathPatch(outline, linewidth=0.3, zorder=2, **looks))
    presence = _outline((panel.in_view > 0).astype(np.float64), edges, count + 0.15, 0.2)
    if presence is not None:
        axes.add_artist(PathPatch(presence, facecolor=_INK, linewidth=0, zorder=2))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(-0.1, count + 0.4)
    axes.set_yticks(np.arange(count) + 0.4, [name.replace("$", r"\$") for name, _, _ in reversed(panel.rows)])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_title(panel.title, loc="left", fontsize=9, fontweight="bold")
    axes.spines[["top", "right", "left"]].set_visible(False)


def _outline(share: Floats, edges_s: Floats, base: float, most: float) -> Outline | None:
    """The steps of a row as one shape, with equal neighbours joined; None if nothing is shown."""
    steps = np.where(share > 0, np.maximum(np.round(share * _STEPS), 1), 0)
    cuts = np.concatenate(([0], np.flatnonzero(np.diff(steps)) + 1, [len(steps)]))
    heights = steps[cuts[:-1]] / _STEPS * most
    corners: list[tuple[float, float]] = []
    codes: list[int] = []
    for begin, end, height, before in zip(cuts[:-1], cuts[1:], heights, [0.0, *heights[:-1]], strict=True):
        left, right = float(edges_s[begin]), float(edges_s[end])
        if height and not before:
            corners.append((left, base))
            codes.append(int(Outline.MOVETO))
        if height:
            corners += [(left, base + height), (right, base + height)]
            codes += [int(Outline.LINETO)] * 2
        if before and not height:
            corners.append((left, base))
            codes.append(int(Outline.LINETO))
    if corners and heights[-1]:
        corners.append((float(edges_s[-1]), base))
        codes.append(int(Outline.LINETO))
    return Outline(corners, codes) if corners else None


def _shade(axes: Axes, pauses_s: Floats) -> None:
    if len(pauses_s):
        bars = [(float(begin), float(length)) for begin, length in pauses_s]
        axes.broken_barh(bars, (0, 1), transform=axes.get_xaxis_transform(), color=_PAUSE, linewidth=0, zorder=0)


def _time_axis(axes: Axes, edges_s: Floats) -> None:
    length = float(edges_s[-1] - edges_s[0])
    step = next((step for step in _TICKS_S if length / step <= _MOST_TICKS), 86_400)
    axes.xaxis.set_major_locator(MaxNLocator(_MOST_TICKS) if length < _MOST_TICKS else MultipleLocator(step))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: say("report.tick", seconds=x) if length < _MOST_TICKS else clock(x))
    )
