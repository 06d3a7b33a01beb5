"""A page about a batch: tables by file and person, and the time lines of its longest videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mien import __version__
from mien.labels import TASKS
from mien.records.session import Session
from mien.reports.page import Page
from mien.reports.session.page import session_report
from mien.reports.session.words import duration
from mien.words import language, say, words

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
    about = say("batch.about", version=__version__)
    page = Page(say("batch.title", name=name), about=about, language=language())
    page.heading(say("batch.summary"))
    for caption, rows in tables.items():
        if not rows:
            page.paragraph(say("batch.nothing", caption=caption))
            continue
        header = [_heading(column) for column in rows[0]]
        cells = [[_cell(column, value) for column, value in row.items()] for row in rows[:MOST_ROWS]]
        page.table(header, cells, caption=caption)
        if len(rows) > MOST_ROWS:
            page.paragraph(say("batch.more_rows", n=len(rows) - MOST_ROWS))
    page.paragraph(say("batch.explained"))
    if longest is not None:
        page.extend(session_report(longest))
    return page


def _heading(column: str) -> str:
    """What a column is called: "in view" for `in_view_s`; that of a label by its word."""
    name = column.removesuffix("_s")
    if name.startswith("share_"):
        return _label(name.removeprefix("share_"))
    return words().label("batch.column", name).replace("_", " ")


def _label(label: str) -> str:
    said = words()
    section = next((one for one in ("batch.column", *TASKS) if f"{one}.{label}" in said.texts), "")
    return said.label(section, label, "label").replace("_", " ")


def _cell(column: str, value: object) -> str:
    if value is None:
        return "-"
    if column == "kind":
        return words().label("batch.kind", str(value))
    if column in _SECONDS:
        return duration(float(str(value)))
    return f"{value:.0%}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
