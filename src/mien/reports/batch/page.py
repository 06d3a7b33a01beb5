"""A page about a batch: tables by file and person, and the time lines of its longest videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mien import __version__
from mien.records.session import Session
from mien.reports.batch.words import cell, heading
from mien.reports.page import Page
from mien.reports.session.page import session_report
from mien.words import language, say

MOST_ROWS = 200
"""At most this many rows of a table are on the page; the CSV file has all."""


def batch_report(name: str, tables: Mapping[str, Sequence[Mapping[str, object]]], longest: Session | None) -> Page:
    """The page of a batch.

    Args:
        name: of the batch.
        tables: captions, and the rows under each, as `mien summarize` counts them.
        longest: the records of its longest videos, whose time lines are shown; None without any.
    """
    about = say("batch.about", version=__version__)
    page = Page(say("batch.title", name=name), about=about, language=language())
    page.heading(say("batch.summary"))
    for caption, rows in tables.items():
        if not rows:
            page.paragraph(say("batch.nothing", caption=caption))
            continue
        header = [heading(column) for column in rows[0]]
        cells = [[cell(column, value) for column, value in row.items()] for row in rows[:MOST_ROWS]]
        page.table(header, cells, caption=caption)
        if len(rows) > MOST_ROWS:
            page.paragraph(say("batch.more_rows", n=len(rows) - MOST_ROWS))
    page.paragraph(say("batch.explained"))
    if longest is not None:
        page.extend(session_report(longest))
    return page
