"""`mien summarize`: who showed what and for how long, over all files of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console.options import CsvBomOption
from mien.cli.console.pages import plan_page, tell_page
from mien.cli.console.plain import is_plain
from mien.cli.console.reading import watched
from mien.errors import InputError
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of
from mien.records.writers import WordFile
from mien.words import say, words

if TYPE_CHECKING:
    from mien.records.session import Session

_MOST_VIDEOS = 6


def summarize(
    folder: Annotated[Path, typer.Argument(help="Folder that mien batch --out wrote.", metavar="DIR")],
    by: Annotated[
        str, typer.Option(help="What a row is about: file; file,person; file,minute; or file,person,minute.")
    ] = "file",
    csv: Annotated[
        str | None, typer.Option(help="File for the table; - is stdout, also without --page and --plain.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="A page with the tables and the time lines of the longest videos.")
    ] = None,
    csv_bom: CsvBomOption = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Show per file, person and minute: shares of each label, time in view and unseen, episodes.

    Needs mien[scale]. People are track numbers within a file; nobody is identified.
    """
    from mien.scale.summary import grouping, summarize_batch, write_csv

    try:
        chosen = grouping(by)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error
    in_words = csv is None and page is None and is_plain()
    target = "-" if csv is None and page is None and not in_words else csv
    WritePlan([folder], overwrite=overwrite).file(target, "--csv")
    if page is not None:
        plan_page(page, inputs=(), overwrite=overwrite, option="--page")
    with watched(say("batch.counting")):
        table = summarize_batch(folder, chosen)
    if in_words:
        from mien.reports.batch.words import facts

        with WordFile() as lines:
            for row in table.to_pylist():
                for fact in facts(row):
                    lines.write(fact)
    if target is not None:
        write_csv(table, target, bom=csv_bom)
        if descriptor_of(target) != 1:
            typer.echo(say("page_file.table", table=target))
    if page is not None:
        from mien.reports.batch.page import batch_report

        tables = {_title(chosen): table.to_pylist()}
        if chosen != ("file",):
            tables = {_title(("file",)): summarize_batch(folder, ("file",)).to_pylist(), **tables}
        with watched(say("page_file.drawing")):
            batch_report(folder.resolve().name, tables, _longest(folder)).save(page)
        tell_page(page)


def _title(chosen: Sequence[str]) -> str:
    """Above a table: "By file, person"."""
    said = words()
    return say("batch.by", columns=said.join("items", [said.label("batch.column", name) for name in chosen]))


def _longest(folder: Path) -> Session | None:
    """The records of the longest videos."""
    import pyarrow as pa

    from mien.records.session import session_of
    from mien.records.tables import read_rows
    from mien.scale.summary import longest_parts

    parts = longest_parts(folder, _MOST_VIDEOS)
    return session_of(pa.concat_tables([read_rows(part) for part in parts]), folder) if parts else None
