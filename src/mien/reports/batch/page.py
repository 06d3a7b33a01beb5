"""A page about a batch: tables by file and person, and the time lines of its longest videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mien import __version__
from mien.records.session import Session
from mien.reports.page import Page
from mien.reports.session.page import session_report
from mien.reports.session.words import duration
from mien.wording import count

MOST_ROWS = 200
"""At most this many rows of a table are on the page; the CSV file has all."""

_SECONDS = ("first_s", "last_s", "in_view_s", "unseen_s")


def batch_report(name: str, tables: Mapping[str, Sequence[Mapping[str, object]]], longest: Session | None) -> Page:
    """The page of a batch.

    Args:
        name: of the batch.
        tables: captions, and the rows under each, as `mien summarize` counts them.
        longest: the records of its longest videos, whose time lines are shown; None without any.
    """
    page = Page(f"Batch {name}", about=f"Page by mien {__version__}.")
    page.heading("Summary")
    for caption, rows in tables.items():
        if not rows:
            page.paragraph(f"{caption}: nothing was seen.")
            continue
        header = [_heading(column) for column in rows[0]]
        cells = [[_cell(column, value) for column, value in row.items()] for row in rows[:MOST_ROWS]]
        page.table(header, cells, caption=caption)
        if len(rows) > MOST_ROWS:
            page.paragraph(f"Not listed: {count(len(rows) - MOST_ROWS, 'more row')}; --csv writes all of them.")
    page.paragraph(
        "A person is unseen between the first and the last frame in which they are seen; of a file, unseen is the time "
        "in which nobody is. An episode is an unbroken run of frames in which one person shows one label that is not "
        "hard to read. Shares are of the time in view, in photos of the frames."
    )
    if longest is not None:
        page.extend(session_report(longest))
    return page


def _heading(column: str) -> str:
    return column.removesuffix("_s").replace("share_", "").replace("_", " ")


def _cell(column: str, value: object) -> str:
    if value is None:
        return "-"
    if column in _SECONDS:
        return duration(float(str(value)))
    return f"{value:.0%}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
