"""Tables of numbers as shades, each field with its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LIGHT = 0.408  # luminance from which dark text is read better


def shade_table(
    axes: Axes,
    values: NDArray[np.float64] | NDArray[np.int64],
    texts: Sequence[Sequence[str]] | NDArray[np.str_],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    colours: str,
    font_size: float,
) -> None:
    """Draw (R, C) values, first row at the top.

    Args:
        axes: where to draw.
        values: what the shades show, from the least to the greatest; NaN is left white and without text.
        texts: (R, C) what is written in each field.
        rows: names of the rows.
        columns: names of the columns.
        colours: a colour map of matplotlib, by name.
        font_size: of the texts, in points.
    """
    masked = np.ma.masked_invalid(values)
    mesh = axes.pcolormesh(masked, cmap=colours, edgecolors="white", linewidth=0.5)
    height, width = values.shape
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_xticks(np.arange(width) + 0.5, columns)
    axes.set_yticks(np.arange(height) + 0.5, rows)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    shades = mesh.to_rgba(masked)[..., :3]
    for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
        ink = "#262626" if _luminance(shades[row, column]) > _LIGHT else "white"
        text = str(texts[row][column])
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=font_size, color=ink)


def _luminance(rgb: NDArray[np.float64]) -> float:
    """Relative luminance of WCAG 2, 0 to 1, of RGB from 0 to 1."""
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
