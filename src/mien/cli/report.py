"""`mien report`: a page about a session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console.options import CsvBomOption
from mien.cli.console.pages import plan_page, tell_page
from mien.cli.console.reading import watched
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of
from mien.words import say


def report(
    session: Annotated[
        Path, typer.Argument(help="Records of mien live or mien look: .parquet, .jsonl or .csv.", metavar="SESSION")
    ],
    out: Annotated[
        Path, typer.Option(help="The page; its figures are also saved as PNG files in a folder next to it.")
    ] = Path("session.html"),
    events: Annotated[Path | None, typer.Option(help="Events of the same session, from mien live --events.")] = None,
    csv: Annotated[
        str | None, typer.Option(help="Write a table by person instead of the page; - is stdout; needs mien[scale].")
    ] = None,
    csv_bom: CsvBomOption = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False,
) -> None:
    """Show a session on one page: who looked like what and for how long, gestures, events, frames and gaps.

    Needs mien[data]. People are track numbers; nobody is identified.
    """
    if csv is not None:
        _write_table(session, csv, bom=csv_bom, overwrite=overwrite)
        return
    from mien.records.events import read_events
    from mien.records.session import read_session
    from mien.reports.session.page import session_report

    plan_page(out, inputs=(session, events), overwrite=overwrite)
    with watched(say("page_file.reading", name=session.name)):
        told = None if events is None else list(read_events(events))
        records = read_session(session)
    with watched(say("page_file.drawing")) as on_step:
        page = session_report(records, events=told, on_step=on_step)
        page.save(out)
    tell_page(out)


def _write_table(session: Path, csv: str, *, bom: bool, overwrite: bool) -> None:
    from mien.records.tables import read_rows
    from mien.scale.summary import summarize_rows, write_csv

    WritePlan([session], overwrite=overwrite).file(csv, "--csv")
    with watched(say("page_file.reading", name=session.name)):
        table = summarize_rows(read_rows(session), ("file", "person"))
    write_csv(table, csv, bom=bom)
    if descriptor_of(csv) != 1:
        typer.echo(say("page_file.table", table=csv))
