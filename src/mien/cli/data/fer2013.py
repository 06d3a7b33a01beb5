"""`mien data fer2013`: turns the Kaggle CSV into folders of pictures, CSVs, or one packed file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.cells import cell_len

from mien.cli.console.overview import Problems, fractions_of, one_of, say_caveats, say_counts, seeds_of
from mien.cli.console.plain import is_plain, plain_cells, plain_line
from mien.cli.console.reading import left, table_lines, watched
from mien.files.plan import WritePlan
from mien.words import kept, listed, say, words

if TYPE_CHECKING:
    from mien.data.dataset import Dataset
    from mien.data.readers.fer2013 import Fer2013Table

_ROWS = 35_887
_HEAD = 5
_PIXELS_SHOWN = 6
_CHUNK = 1024


def fer2013(
    csv: Annotated[
        Path, typer.Argument(help="fer2013.csv, plain or as .xz, .gz, .bz2, .zip or .tar.gz.", metavar="CSV")
    ],
    out: Annotated[Path, typer.Argument(help="Folder to create, or a .npz file with --layout packed.", metavar="OUT")],
    layout: Annotated[
        str,
        typer.Option(help="folders (one PNG per image), csv (one per split), or packed (one file that loads fast)."),
    ] = "folders",
    merge_test: Annotated[
        bool, typer.Option("--merge-test", help="PublicTest and PrivateTest both become validation.")
    ] = False,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="EMOTION", help="Leave out an emotion, e.g. disgust; may be repeated.")
    ] = None,
    ferplus: Annotated[Path | None, typer.Option(help="FER+ table fer2013new.csv; packed keeps its votes.")] = None,
    labels: Annotated[
        str, typer.Option(help="fer2013 (its own), or ferplus: what most of ten raters chose, contempt included.")
    ] = "fer2013",
    split: Annotated[str, typer.Option(help="usage (the published split) or random.")] = "usage",
    fractions: Annotated[
        str | None,
        typer.Option(help="For a random split: share for test, share of the rest for validation. [default: 0.1,0.1]"),
    ] = None,
    seed: Annotated[
        str | None, typer.Option(help="For a random split: seeds for drawing test and validation. [default: 1,1]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing data set in OUT.")] = False,
) -> None:
    """Import FER2013: print what is in the CSV, and write OUT completely or not at all.

    A row that cannot be read is reported and left out; the others are done, and the exit code is 1.
    """
    from mien.data.layouts import LAYOUTS, check_target
    from mien.data.readers.fer2013 import read_fer2013
    from mien.data.readers.ferplus import load_ferplus
    from mien.labels import EMOTIONS, EMOTIONS_8

    one_of("layout", layout, LAYOUTS)
    by_raters = one_of("labels", labels, ("fer2013", "ferplus")) == "ferplus"
    label_set = EMOTIONS_8 if by_raters else EMOTIONS
    is_random = one_of("split", split, ("usage", "random")) == "random"
    for label in drop or ():
        label_set.index(label)
    if by_raters and not ferplus:
        raise typer.BadParameter("ferplus needs the votes: --ferplus fer2013new.csv", param_hint="--labels")
    if ferplus and not by_raters and layout != "packed":
        raise typer.BadParameter("only --layout packed keeps votes", param_hint="--ferplus")
    if not is_random and (fractions or seed):
        raise typer.BadParameter("is only for --split random", param_hint="--fractions" if fractions else "--seed")
    draw = (fractions_of(fractions or "0.1"), seeds_of(seed or "1"))
    plan = WritePlan((csv, ferplus), overwrite=overwrite)
    if layout == "packed":
        plan.file(out, "OUT")
    plan.folder(out, "OUT")
    check_target(out, layout, overwrite=overwrite)
    votes = None if ferplus is None else load_ferplus(ferplus, label_set=label_set, relabel=by_raters)
    with Problems("row") as problems:
        with watched(say("page_file.reading", name=csv.name), total=_ROWS) as on_step:
            table = read_fer2013(csv, votes=votes, on_problem=problems, on_step=on_step)
        _say_table(csv, table, by_raters=by_raters)
        dataset = table.dataset.without(drop) if drop else table.dataset
        if is_random:
            dataset = _split_at_random(dataset, *draw)
        if merge_test:
            dataset = replace(dataset, split=np.where(dataset.split == "test", "validation", dataset.split))
        _write(dataset, out, layout, overwrite)


def _split_at_random(dataset: Dataset, fractions: tuple[float, float], seeds: list[int]) -> Dataset:
    """The random split, with a caveat about figures on it."""
    from mien.data.duplicates import held_out_copies
    from mien.data.split import split_at_random

    dataset = split_at_random(dataset, fractions=fractions, seeds=seeds)
    copies, held_out = held_out_copies(dataset), int((dataset.split != "train").sum())
    caveat = kept("kept.random_copies", copies=copies, n=held_out)
    return replace(dataset, caveats=(*dataset.caveats, caveat)) if copies else dataset


def _write(dataset: Dataset, out: Path, layout: str, overwrite: bool) -> None:
    from mien.data.layouts import write_csv, write_folders

    with watched(say("data.writing", name=out.name), total=len(dataset)) as on_step:
        if layout == "folders":
            write_folders(dataset, out, on_step=on_step, overwrite=overwrite)
        elif layout == "csv":
            write_csv(dataset, out, on_step=on_step, overwrite=overwrite)
        else:
            dataset.save(out)
    typer.echo("\n" + say("data.fer2013.by_class"))
    say_counts(dataset)
    typer.echo("\n" + say("data.written"))
    for split, counts in dataset.counts().items():
        where = {"folders": out / split, "csv": out / f"{split}.csv", "packed": out}[layout]
        count = sum(counts.values())
        shape = f"({count}, {dataset.samples[0].size})"
        told = say("data.fer2013.images_shape", images=say("count.images", n=count), shape=shape)
        line = plain_line(split, told, str(where)) if is_plain() else f"{split:<10}  {told}  {where}"
        typer.echo(f"  {line}")
    if dataset.votes is not None and dataset.not_a_face is not None:
        voted, strange = int((dataset.votes.sum(axis=1) > 0).sum()), int(dataset.not_a_face.sum())
        counts_of = {"voted": say("count.images", n=voted), "strange": say("count.images", n=strange)}
        typer.echo("  " + say("data.fer2013.votes", **counts_of))
    say_caveats(dataset)


def _say_table(csv: Path, table: Fer2013Table, *, by_raters: bool) -> None:
    """Print the CSV's shape, missing values, head, emotions, usage and pixel statistics."""
    from mien.data.readers.fer2013 import USAGES

    dataset, rows, columns = table.dataset, table.rows, len(table.columns)
    size = {"rows": say("count.rows", n=rows), "columns": say("count.columns", n=columns)}
    names = listed(table.columns)
    typer.echo(say("data.fer2013.table", file=csv, **size, names=names, shape=(rows, columns)))
    if len(dataset) < rows:
        taken = "data.fer2013.taken_by_raters" if by_raters else "data.fer2013.taken"
        typer.echo("  " + say(taken, n=len(dataset), left_out=rows - len(dataset)))
    said = words()
    typer.echo("\n" + say("data.fer2013.missing_values"))
    for line in table_lines(said.all("data.fer2013.missing_columns"), list(table.missing.items())):
        typer.echo(f"  {line}")
    typer.echo("\n" + say("data.fer2013.head"))
    _say_head(dataset)
    typer.echo("\n" + say("data.fer2013.emotions", n=len(np.unique(dataset.labels))))
    labels = dataset.label_set.labels
    found = np.bincount(dataset.labels, minlength=len(labels)).tolist()
    emotions = [[f"{i} {name}", count] for i, (name, count) in enumerate(zip(labels, found, strict=True))]
    usages = [[usage, int((dataset.split == split).sum())] for usage, split in USAGES.items()]
    for line in (
        *table_lines(said.all("data.fer2013.emotion_columns"), emotions),
        "",
        *table_lines(said.all("data.fer2013.usage_columns"), usages),
    ):
        typer.echo(f"  {line}".rstrip())
    mean, deviation = _pixel_statistics(dataset)
    spread = {"least": dataset.samples.min(), "most": dataset.samples.max(), "mean": mean, "deviation": deviation}
    typer.echo("\n" + say("data.fer2013.pixels", **spread))


def _say_head(dataset: Dataset) -> None:
    """Print the first rows, with the first of their pixels."""
    from mien.data.readers.fer2013 import USAGES

    usage_of: dict[str, str] = {split: usage for usage, split in USAGES.items()}
    lines = [("", "emotion", "pixels", "Usage")]
    for i in range(min(_HEAD, len(dataset))):
        pixels = " ".join(str(pixel) for pixel in dataset.samples[i].ravel()[:_PIXELS_SHOWN])
        lines.append((dataset.name(i), str(dataset.labels[i]), f"{pixels} ...", usage_of[str(dataset.split[i])]))
    if is_plain():
        for cell in plain_cells(lines[0], lines[1:]):
            typer.echo(f"  {cell}")
        return
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  " + "  ".join(map(left, line, widths)).rstrip())


def _pixel_statistics(dataset: Dataset) -> tuple[float, float]:
    """Mean and standard deviation over all pixels, from a histogram, because a float copy would take 660 MB."""
    histogram = np.zeros(256, np.int64)
    for start in range(0, len(dataset), _CHUNK):
        histogram += np.bincount(dataset.samples[start : start + _CHUNK].ravel(), minlength=256)
    values = np.arange(256)
    mean = float(np.average(values, weights=histogram))
    return mean, float(np.average((values - mean) ** 2, weights=histogram)) ** 0.5
