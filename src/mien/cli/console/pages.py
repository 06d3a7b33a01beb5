"""A page about to be written, and the folder for its figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mien.errors import RefusedOutput
from mien.files import WritePlan, spare_foreign
from mien.reports.page import Page


def plan_page(out: Path, *, inputs: Iterable[Path | None], overwrite: bool, option: str = "--out") -> None:
    """Refuse a page that would replace something, before anything is read.

    Raises:
        RefusedOutput: the page, or the folder of figures next to it, would replace something.
    """
    plan = WritePlan(inputs, overwrite=overwrite)
    plan.file(out, option)
    figures = Page.figures_folder(out)
    plan.folder(figures, f"{option}: the folder of figures")
    if figures.is_dir() and any(figures.iterdir()):
        if not overwrite:
            raise RefusedOutput(f"{figures} already exists; name another page or use --overwrite.")
        spare_foreign(figures, ["*.png"])
