"""--plain, for screen readers and logs: one fact per line, no columns, no colours, and nothing that is drawn over."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from typing import Annotated, TypeAlias

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from mien.words import say, words

VARIABLE = "MIEN_PLAIN"

PlainOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--plain",
        help="For screen readers: one fact per line, no columns, colours or progress bars (also: MIEN_PLAIN=1).",
    ),
]

_FOLDED = 20  # columns of a terminal for a cell that may be folded
_GAP = 2
_MOST_LINES = 20

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


def narrowed(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    console: Console,
    *,
    spare: Sequence[int],
    folded: Collection[int] = (),
) -> tuple[list[str], list[list[str]]]:
    """The columns of a table for which a terminal has room; elsewhere, and plainly, all of them.

    Args:
        header: names of the columns.
        rows: cells, as many in each as there are columns.
        console: on which the table will be printed.
        spare: the columns that may be missing, the first to go first.
        folded: those whose cells may be folded; of a single one, they and its name come in lines.
    """
    columns = [[name, *(row[i] for row in rows)] for i, name in enumerate(header)]
    needs = [max(map(cell_len, column)) for column in columns]
    needs = [min(need, _FOLDED) if i in folded else need for i, need in enumerate(needs)]
    kept = list(range(len(header)))
    for place in spare:
        is_fitting = sum(needs[i] + _GAP for i in kept) - _GAP <= console.width
        if is_fitting or not console.is_terminal or is_plain():
            break
        kept.remove(place)
    names, cells = [header[i] for i in kept], [[row[i] for i in kept] for row in rows]
    wide = [place for place, i in enumerate(kept) if i in folded]
    if len(wide) == 1 and not is_plain():
        room = console.width - sum(needs[i] + _GAP for i in kept if i not in folded)
        for row in (names, *cells):
            row[wide[0]] = _in_lines(row[wide[0]], room)
    return names, cells


def _in_lines(cell: str, width: int) -> str:
    """A cell in lines, between words or Chinese characters; rich breaks only English well."""
    if width < _FOLDED // 2:
        return cell
    from mien.window.layout import wrap

    return "\n".join(wrap(cell, width, cell_len, most=_MOST_LINES))


def indented(text: str, place: int) -> str:
    """A text that begins at this column of a terminal; its further lines begin there, too.

    Where there is no terminal, or hardly room beside what stands before it, it is one line.
    """
    console = Console()
    room = console.width - place
    is_path = text.isascii() and " " not in text  # which people copy
    if is_path or not console.is_terminal or is_plain() or room < _FOLDED:
        return text
    from mien.window.layout import wrap

    return f"\n{' ' * place}".join(wrap(text, room, cell_len, most=_MOST_LINES))


def wide_console(width: int) -> Console:
    """A console as wide as the terminal; where there is none, `width` columns at least."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, width)
    return console


def print_table(table: Table, console: Console) -> None:
    """Print a table in columns; plainly, each cell that is not empty on a line of its own, after its row and column."""
    if not is_plain():
        console.print(table)
        return
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    for line in plain_cells([str(column.header) for column in table.columns], list(zip(*columns, strict=True))):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def plain_cells(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Each cell of a table that is not empty in a line of its own, after its row and column."""
    lines = []
    for name, *cells in rows:
        for heading, cell in zip(header[1:], cells, strict=True):
            if cell.strip():
                named = say("plain.named", name=name, cell=cell)
                lines.append(say("plain.cell", name=name, heading=heading, cell=cell) if heading else named)
    return lines


def plain_line(name: str, *cells: str) -> str:
    """What stands in columns elsewhere: a name and what is known of it; "train: 32 pictures, letters/train"."""
    return say("plain.named", name=name, cell=words().join("clauses", [cell.strip() for cell in cells if cell]))
