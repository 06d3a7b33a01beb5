"""`mien data explore`: a page that shows what is in a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console.interruption import SAVED, interruption_tells
from mien.cli.console.overview import Problems
from mien.cli.console.pages import plan_page, tell_page
from mien.cli.console.reading import read_dataset, watched
from mien.errors import MienError
from mien.files.targets import is_stream
from mien.words import say


@interruption_tells("no page was written")
def explore(
    data: Annotated[Path, typer.Argument(help="FER2013 CSV, packed file, CSV of paths, or folder.", metavar="DATA")],
    out: Annotated[
        Path, typer.Option(help="The page; its figures are also saved as PNG files in a folder next to it.")
    ] = Path("report.html"),
    ferplus: Annotated[Path | None, typer.Option(help="FER+ table fer2013new.csv, to compare the labels with.")] = None,
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed for choosing the pictures shown.")] = 1,
    size: Annotated[
        int, typer.Option(min=16, max=512, help="Height and width in pixels of pictures read from files.")
    ] = 64,
    colour: Annotated[str, typer.Option(help="rgb or grey, for pictures read from files.")] = "rgb",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False,
) -> None:
    """Show what is in a data set on one page: counts, pictures, sizes, brightness, copies, votes, groups.

    A bad file or row is reported and left out; the rest is done, and the exit code is 1.
    """
    from mien.reports.dataset.findings import file_sizes_hw
    from mien.reports.dataset.page import explore as look_at
    from mien.reports.dataset.sections import Origin

    plan_page(out, inputs=(data, ferplus), overwrite=overwrite)
    sentences: list[str] = []
    with Problems("row_or_file") as problems:

        def report(problem: MienError) -> None:
            sentences.append(str(problem))
            problems(problem)

        dataset = read_dataset(data, ferplus=ferplus, size=size, colour=colour, on_problem=report)
        origin = Origin(
            title=title or say("dataset.title", name=data.name),
            sizes_hw=file_sizes_hw(data if data.is_dir() else data.parent, dataset),
            problems=sentences,
            seed=seed,
        )
        with watched(say("data.comparing"), total=len(dataset)) as on_step:
            page, findings = look_at(dataset, origin, on_step=on_step)
        with interruption_tells(SAVED):
            page.save(out)
            for sentence in findings:
                typer.echo(sentence, err=is_stream(out))
            tell_page(out)
