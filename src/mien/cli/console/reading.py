"""Reading a data set for a verb: with a progress bar in a terminal, and a sentence for every problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress

from mien.cli.console.plain import is_plain, narrowed, plain_cells, shows_progress, wide_console
from mien.errors import MienError, UnknownName
from mien.pixels.preprocess import ColourMode
from mien.words import say

if TYPE_CHECKING:
    from mien.data.dataset import Dataset

_WIDTH = 120  # columns, where there is no terminal


def read_dataset(
    path: Path, *, ferplus: Path | None, size: int, colour: str, on_problem: Callable[[MienError], None]
) -> Dataset:
    """Read any data set of pictures; colour samples that are all grey become grey samples.

    Args:
        path: anything that `mien.data.readers.load.load_dataset` accepts.
        ferplus: the FER+ table, for FER2013.
        size: height and width in pixels of samples made from files.
        colour: grey or rgb, for samples made from files.
        on_problem: called with each row or file that cannot be read and is left out.
    """
    from mien.data.readers.ferplus import load_ferplus
    from mien.data.readers.load import load_dataset

    valid: tuple[ColourMode, ...] = ("grey", "rgb")
    known = next((name for name in valid if name == colour), None)
    if known is None:
        raise UnknownName("colour", colour, valid)
    votes = None if ferplus is None else load_ferplus(ferplus)
    with watched(say("page_file.reading", name=path.name)) as on_step:
        dataset = load_dataset(
            path, size_hw=(size, size), colour=known, votes=votes, on_problem=on_problem, on_step=on_step
        )
    samples = dataset.samples
    is_grey = samples.ndim == 4 and samples.shape[-1] == 3 and (samples == samples[..., :1]).all()
    return replace(dataset, samples=np.ascontiguousarray(samples[..., 0])) if is_grey else dataset


@contextmanager
def watched(what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, only in a terminal; yields a function that takes the number of steps done."""
    with Progress(console=Console(stderr=True), transient=True, disable=not shows_progress()) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda done: progress.update(bar, completed=done)


def table_lines(header: Sequence[str] | None, rows: Sequence[Sequence[object]]) -> list[str]:
    """A text table: the first column left-aligned, the others right-aligned, thousands separated by commas.

    Chinese and other wide letters count double, as terminals draw them. With --plain it has one cell per line.

    Args:
        header: names of the columns; None for a table without them.
        rows: cells, as many in each as there are columns; they may have several lines.
    """
    told = [[_shown(cell) for cell in row] for row in rows]
    if is_plain():
        return plain_cells(header or [""] * len(told[0]), told)
    cells = told if header is None else [list(header), *told]
    cells = [list(line) for row in cells for line in zip_longest(*(cell.split("\n") for cell in row), fillvalue="")]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        others = [right(cell, width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return "  ".join([left(row[0], widths[0]), *others]).rstrip()

    return [line(row) for row in cells]


def fitted_lines(
    header: Sequence[str], rows: Sequence[Sequence[object]], *, spare: Sequence[int] = (), indent: int = 0
) -> list[str]:
    """`table_lines` for a terminal of any width: in a narrow one, the first column is folded.

    Args:
        header: names of the columns.
        rows: cells, as many in each as there are columns.
        spare: the columns that may be missing where there is still no room, the first to go first.
        indent: blanks before each line.
    """
    console = wide_console(_WIDTH)
    console.width -= indent
    cells = [[_shown(cell) for cell in row] for row in rows]
    return [" " * indent + line for line in table_lines(*narrowed(header, cells, console, spare=spare, folded=(0,)))]


def left(text: str, width: int) -> str:
    """With blanks after it, up to so many columns of a terminal."""
    return text + " " * (width - cell_len(text))


def right(text: str, width: int) -> str:
    """With blanks before it, up to so many columns of a terminal."""
    return " " * (width - cell_len(text)) + text


def _shown(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
