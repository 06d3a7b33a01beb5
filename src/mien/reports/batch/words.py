"""The table of a batch in words: what its columns and cells say, and a line for each fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mien.labels import TASKS
from mien.reports.session.words import duration
from mien.words import say, words

_SECONDS = ("first_s", "last_s", "in_view_s", "unseen_s")
_ABOUT = ("file", "person", "minute", "kind")


def heading(column: str) -> str:
    """What a column is called: "in view" for `in_view_s`; that of a label by its word."""
    name = column.removesuffix("_s")
    if name.startswith("share_"):
        return _label(name.removeprefix("share_"))
    return words().label("batch.column", name).replace("_", " ")


def _label(label: str) -> str:
    said = words()
    section = next((one for one in ("batch.column", *TASKS) if f"{one}.{label}" in said.texts), "")
    return said.label(section, label, "label").replace("_", " ")


def cell(column: str, value: object) -> str:
    """What a cell says; - if there is nothing to say."""
    if value is None:
        return "-"
    if column == "kind":
        return words().label("batch.kind", str(value))
    if column in _SECONDS:
        return duration(float(str(value)))
    return f"{value:.0%}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def facts(row: Mapping[str, object]) -> Iterator[str]:
    """A line for each fact of a row: "clip.mp4, person 1, face, happy: 61 %"."""
    named = [f"{heading(column)} {row[column]}" for column in ("person", "minute") if column in row]
    subject = words().join("clauses", [str(row["file"]), *named, cell("kind", row["kind"])])
    for column, value in row.items():
        if column not in _ABOUT and value is not None:
            yield say("plain.fact", subject=subject, name=heading(column), value=cell(column, value))
