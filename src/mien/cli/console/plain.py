"""--plain, for screen readers and logs: one fact per line, no columns, no colours, and nothing that is drawn over."""

from __future__ import annotations

import os
import sys
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.table import Table

VARIABLE = "MIEN_PLAIN"

PlainOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="For screen readers: one fact per line, no columns, colours or progress bars (also: MIEN_PLAIN=1).",
    ),
]

_asked = False


def set_plain(asked: bool) -> None:
    """Print plainly from now on, or only if MIEN_PLAIN says so."""
    global _asked
    _asked = asked
    if is_plain():
        os.environ["NO_COLOR"] = "1"  # also what libraries go by
        os.environ.pop("FORCE_COLOR", None)


def is_plain() -> bool:
    """Whether what is printed should be plain."""
    return _asked or os.environ.get(VARIABLE, "0") not in ("", "0")


def shows_progress() -> bool:
    """Whether a bar may be drawn, and drawn over, on stderr: in a terminal, unless plain text is asked for."""
    return sys.stderr.isatty() and not is_plain()


def print_table(table: Table, console: Console) -> None:
    """Print a table in columns; plainly, each cell that is not empty on a line of its own, after its row and column."""
    if not is_plain():
        console.print(table)
        return
    columns = [(str(column.header), [str(cell) for cell in column.cells]) for column in table.columns]
    for row in zip(*(cells for _, cells in columns), strict=True):
        for (heading, _), cell in list(zip(columns, row, strict=True))[1:]:
            if cell.strip():
                console.print(f"{row[0]}, {heading}: {cell}", soft_wrap=True, highlight=False, markup=False)
