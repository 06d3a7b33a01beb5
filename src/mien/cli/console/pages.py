"""A page about to be written, and the folder for its figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer

from mien.errors import RefusedOutput
from mien.files.plan import WritePlan
from mien.files.targets import is_stream
from mien.files.whole import spare_foreign
from mien.reports.page import Page
from mien.words import say


def plan_page(out: Path, *, inputs: Iterable[Path | None], overwrite: bool, option: str = "--out") -> None:
    """Refuse a page that would replace something, before anything is read.

    Raises:
        RefusedOutput: the page, or the folder of figures next to it, would replace something.
    """
    plan = WritePlan(inputs, overwrite=overwrite)
    plan.file(out, option)
    if is_stream(out):
        return
    figures = Page.figures_folder(out)
    plan.folder(figures, f"{option}: the folder of figures")
    if figures.is_dir() and any(figures.iterdir()):
        if not overwrite:
            raise RefusedOutput(f"{figures} already exists; name another page or use --overwrite.")
        spare_foreign(figures, ["*.png"])


def tell_page(out: Path) -> None:
    """Say where a page and its figures are; on stderr where the page itself went to a stream, maybe to stdout."""
    if is_stream(out):
        typer.echo(say("page_file.streamed", page=out), err=True)
    else:
        typer.echo(say("page_file.saved", page=out, figures=Page.figures_folder(out)))
