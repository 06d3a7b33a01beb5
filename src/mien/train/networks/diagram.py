"""A diagram of a network: boxes from the input to the labels."""

from __future__ import annotations

import io
import math
import textwrap
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from mien.extras import needs
from mien.train.networks.summary import Layer, Summary
from mien.wording import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEAD, _LINE, _GAP, _PAD = 0.95, 0.2, 0.22, 0.1  # inches
_WIDTH, _LEFT, _RIGHT = 7.6, 1.75, 5.55
_AFTER = ("ReLU", "ReLU6", "ELU", "Batch norm", "Dropout", "Flatten")
"""Layers that are named on the line of the layer before them."""
_POOLING = ("Max-pool", "Average", "Flatten")


@dataclass(frozen=True)
class _Block:
    lines: tuple[str, ...]
    output: tuple[int, ...]
    total: int
    trainable: int
    frozen: bool


def draw_network(summary: Summary, *, title: str, labels: tuple[str, ...]) -> Figure:
    """A network as a column of blocks; a block ends where the picture gets smaller or where freezing ends.

    To the right of each block are its parameters and a bar, as long as the square root of their share; to the left is
    its output shape. Frozen blocks are hatched and say so.

    Args:
        summary: of the network.
        title: above the diagram.
        labels: the labels of the outputs.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    with needs("data"):
        from matplotlib.figure import Figure
    blocks = _blocks(summary)
    first = (f"input  {_shape(summary.input)}",)
    last = tuple(textwrap.wrap(f"{count(len(labels), 'label')}: {', '.join(labels)}", 48))
    heights = [_height(lines) + _GAP for lines in (first, *(block.lines for block in blocks), last)]
    height = _HEAD + sum(heights)
    figure = Figure(figsize=(_WIDTH, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    axes.text(_WIDTH / 2, 0.35, title, ha="center", va="center", fontsize=14, weight="bold")
    counts = f"{summary.total:,} parameters, {summary.trainable:,} of them learn"
    axes.text(_WIDTH / 2, 0.65, counts, ha="center", va="center", fontsize=10, color="#333333")
    for x, side, words in ((_LEFT - 0.12, "right", "shape after it"), (_RIGHT + 0.12, "left", "parameters")):
        axes.text(x, _HEAD + _height(first) / 2, words, ha=side, va="center", fontsize=9, style="italic")
    y = _box(axes, _HEAD, first, fill="#eeeeee")
    for block in blocks:
        y = _arrow(axes, y)
        _facts(axes, y + _height(block.lines) / 2, block, summary.total)
        y = _box(axes, y, block.lines, fill=_fill(block), hatched=block.frozen)
    _box(axes, _arrow(axes, y), last, fill="#eeeeee")
    return figure


def _blocks(summary: Summary) -> list[_Block]:
    groups: list[list[Layer]] = []
    for layer in summary.steps:
        if groups and not (layer.total and _begins_anew(groups[-1], layer)):
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return [_block(group) for group in groups]


def _begins_anew(block: list[Layer], layer: Layer) -> bool:
    """Whether a layer with weights starts a block: after pooling, where the shape changes, where freezing ends."""
    is_pooled = any(each.kind.startswith(_POOLING) for each in block)
    is_frozen = next((each.frozen for each in reversed(block) if each.total), layer.frozen)
    return is_pooled or layer.output[1:] != block[-1].output[1:] or layer.frozen != is_frozen


def _block(layers: list[Layer]) -> _Block:
    weighty = [layer for layer in layers if layer.total]
    return _Block(
        lines=_lines(layers),
        output=layers[-1].output,
        total=sum(layer.total for layer in layers),
        trainable=sum(layer.trainable for layer in layers),
        frozen=bool(weighty) and all(layer.frozen for layer in weighty),
    )


def _lines(layers: list[Layer]) -> tuple[str, ...]:
    """One line per layer and those that follow it; equal lines are merged."""
    lines: list[str] = []
    for layer in layers:
        if lines and layer.kind.startswith(_AFTER):
            lines[-1] += f" · {layer.kind}"
        else:
            head = f"{layer.name.replace('_', ' ')}: " if layer.name.endswith("_head") else ""
            lines.append(head + layer.kind)
    counted = [(line, len(list(equal))) for line, equal in groupby(lines)]
    return tuple(f"{count} x ({line})" if count > 1 else line for line, count in counted)


def _box(axes: Axes, y: float, lines: tuple[str, ...], *, fill: str, hatched: bool = False) -> float:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    height = _height(lines)
    style = "round,pad=0,rounding_size=0.08"
    box = FancyBboxPatch((_LEFT, y), _RIGHT - _LEFT, height, boxstyle=style, facecolor=fill, edgecolor="#222222")
    axes.add_patch(box)
    if hatched:
        axes.add_patch(Rectangle((_LEFT + 0.05, y + 0.05), 0.2, height - 0.1, hatch="////", fill=False, ec="#7a8591"))
    for i, line in enumerate(lines):
        middle = y + _PAD + _LINE * (i + 0.5)
        axes.text((_LEFT + _RIGHT) / 2, middle, line, ha="center", va="center", fontsize=9)
    return y + height


def _arrow(axes: Axes, y: float) -> float:
    middle = (_LEFT + _RIGHT) / 2
    axes.annotate("", (middle, y + _GAP), (middle, y), arrowprops={"arrowstyle": "-|>", "color": "#222222"})
    return y + _GAP


def _facts(axes: Axes, middle: float, block: _Block, total: int) -> None:
    axes.text(_LEFT - 0.12, middle, _shape(block.output), ha="right", va="center", fontsize=9)
    if not block.total:
        return
    words = f"{block.total:,}" + (" frozen" if block.frozen else "")
    axes.text(_RIGHT + 0.12, middle - 0.07, words, ha="left", va="center", fontsize=9)
    length = (_WIDTH - _RIGHT - 0.3) * math.sqrt(block.total / total)
    axes.barh(middle + 0.08, length, height=0.08, left=_RIGHT + 0.12, color="#9aa5b1" if block.frozen else "#2f6db3")


def _fill(block: _Block) -> str:
    if not block.total:
        return "#ffffff"
    return "#eef0f2" if block.frozen else "#e3eefb"


def _height(lines: tuple[str, ...]) -> float:
    return _LINE * len(lines) + 2 * _PAD


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def encode_figure(figure: Figure, suffix: str) -> bytes:
    """The figure as a file; equal figures give equal bytes.

    Args:
        figure: the drawn figure.
        suffix: `.svg`, `.png` or `.pdf`.
    """
    import matplotlib as mpl

    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "mien"}):
        figure.savefig(file, format=suffix[1:], dpi=150, metadata=dated.get(suffix))
    return file.getvalue()
