"""`mien compare`: runs and evaluations side by side."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console.options import print_note
from mien.cli.console.pages import plan_page
from mien.errors import InputError, RefusedOutput
from mien.extras import needs
from mien.files.plan import WritePlan
from mien.files.targets import is_stream
from mien.files.whole import write_whole
from mien.wording import markdown_table
from mien.words import say

if TYPE_CHECKING:
    from mien.evaluation.run_comparison import Entry

_PAGE = "compare.html"
_TABLE = "compare.md"


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders of mien train, or folders of mien evaluate.", metavar="RUN"),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for a page with the table and all curves.")] = None,
    reproduction: Annotated[
        Path | None,
        typer.Option(
            help="Markdown file with the author's figures next to ours, e.g. docs/reproduction.md; rows of other "
            "results stay, and a file that holds anything else is refused."
        ),
    ] = None,
    measured: Annotated[
        Path | None,
        typer.Option(
            help="JSON file with our figure for each recipe, as mien recipes shows it; its other entries stay."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files; never an input.")] = False,
) -> None:
    """Print a Markdown table of several runs: parameters, epochs, time, the author's figure and ours. Needs mien[data].

    Everything comes from recipe.json, summary.json and metrics.json. Evaluations inside a run folder are found; a run
    and its evaluations given separately become one row. A folder that cannot be read is reported and skipped; the
    others are done, and the exit code is 1.
    """
    with needs("data"):
        from mien.evaluation.evaluated_model import read_json
        from mien.evaluation.run_comparison import measured_figures, merged
        from mien.reports.runs.tables import (
            comparison_header,
            comparison_page,
            comparison_rows,
            is_reproduction,
            reproduction_text,
        )
    plan = WritePlan(runs, overwrite=overwrite)
    plan.file(reproduction, "--reproduction")
    plan.file(measured, "--measured", grows=True)
    if out is not None:
        plan.file(out / _TABLE, "--out")
        plan_page(out / _PAGE, inputs=runs, overwrite=overwrite)
    before = ""
    if reproduction is not None and not is_stream(reproduction) and reproduction.is_file():
        before = _text_of(reproduction)
        if not is_reproduction(before):
            raise RefusedOutput(
                f"{reproduction} holds something other than what --reproduction writes; name another file."
            )
    kept = read_json(measured) if measured is not None and measured.exists() else {}
    found, failed = _read(runs)
    if found:
        entries = merged(found)
        table = markdown_table(comparison_header(), comparison_rows(entries))
        typer.echo(table, nl=False)
        if out is not None:
            comparison_page(entries).save(out / _PAGE)
            write_whole(out / _TABLE, table.encode("utf-8"))
            typer.echo(say("compare.page_at", page=out / _PAGE), err=True)
        if reproduction is not None:
            named = [run.name if run.is_absolute() else str(run) for run in runs]  # no folder of this machine
            command = shlex.join(["mien", "compare", *named, "--reproduction", reproduction.name])
            text = reproduction_text(entries, command=command, earlier=before)
            write_whole(reproduction, text.encode("utf-8"))
            typer.echo(say("compare.written", path=reproduction), err=True)
        if measured is not None:
            figures = dict(sorted({**kept, **measured_figures(entries)}.items()))
            write_whole(measured, (json.dumps(figures, indent=2) + "\n").encode("utf-8"))
            typer.echo(say("compare.written", path=measured), err=True)
    if failed:
        raise typer.Exit(1)


def _text_of(page: Path) -> str:
    try:
        return page.read_text("utf-8-sig", "replace")
    except OSError as exc:
        raise InputError(f"{page} cannot be read: {exc.strerror}") from exc


def _read(folders: list[Path]) -> tuple[list[Entry], int]:
    """The entries that can be read, and how many cannot."""
    from mien.evaluation.run_comparison import read_entry

    entries, failed = [], 0
    for folder in folders:
        try:
            entries.append(read_entry(folder))
        except InputError as problem:
            failed += 1
            print_note(problem)
    return entries, failed
