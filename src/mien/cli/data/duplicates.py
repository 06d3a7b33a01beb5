"""`mien data duplicates`: equal and nearly equal pictures, and a list of those to train on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console.options import print_note
from mien.cli.console.overview import Problems
from mien.cli.console.reading import fitted_lines, read_dataset, table_lines, watched
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of
from mien.files.whole import write_whole
from mien.wording import json_text
from mien.words import again, listed, say, words

if TYPE_CHECKING:
    from mien.data.duplicates import Duplicates

_SPARE = (4, 2, 1)
"""Columns of the groups that a narrow terminal has no room for: copies inside are to be expected."""


def duplicates(
    data: Annotated[Path, typer.Argument(help="FER2013 CSV, packed file, CSV of paths, or folder.", metavar="DATA")],
    ferplus: Annotated[
        Path | None, typer.Option(help="FER+ table fer2013new.csv: which pictures show no face.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="File for a CSV of the samples that training may use.")] = None,
    near: Annotated[
        bool, typer.Option("--near", help="Leave near copies of held-out pictures out of that list too.")
    ] = False,
    json: Annotated[
        str | None, typer.Option(help="File for figures and all sets of copies as JSON; - is stdout.")
    ] = None,
    distance: Annotated[
        int, typer.Option(min=0, max=32, help="Number of bits, of 64, in which near copies may differ.")
    ] = 10,
    likeness: Annotated[float, typer.Option(min=0, max=1, help="Lowest correlation of near copies.")] = 0.8,
    size: Annotated[
        int, typer.Option(min=16, max=512, help="Height and width in pixels of pictures read from files.")
    ] = 64,
    colour: Annotated[str, typer.Option(help="rgb or grey, for pictures read from files.")] = "rgb",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files; never an input.")] = False,
) -> None:
    """Find equal and nearly equal pictures within and across splits, and labels that contradict each other.

    A bad file or row is reported and left out; the rest is done, and the exit code is 1.
    """
    from mien.data.clean import write_clean_list
    from mien.data.duplicates import find_duplicates, training_faults

    plan = WritePlan((data, ferplus), overwrite=overwrite)
    plan.file(write, "--write")
    plan.file(json, "--json")
    with Problems("row_or_file") as problems:
        dataset = read_dataset(data, ferplus=ferplus, size=size, colour=colour, on_problem=problems)
        with watched(say("data.comparing"), total=len(dataset)) as on_step:
            copies = find_duplicates(dataset, distance=distance, correlation=likeness, on_step=on_step)
        faults = training_faults(dataset, copies=copies if near else None)
        facts = _facts(copies, faults.tolist())
        if json is not None:
            _write_json(json, facts | {"equal_sets": _sets(copies, near=False), "near_sets": _sets(copies, near=True)})
        if json is None or descriptor_of(json) != 1:
            for line in _report(facts, distance, likeness):
                typer.echo(line)
        if write is not None:
            write_clean_list(write, dataset, faults)
            print_note(say("data.list_written", path=write))


def _facts(copies: Duplicates, faults: list[str]) -> dict[str, Any]:
    """Everything in the report, as plain values."""
    from mien.data.duplicates import FAULTS

    dataset = copies.dataset
    sizes = {split: sum(counts.values()) for split, counts in dataset.counts().items()}
    not_a_face = dataset.not_a_face
    return {
        "data": dataset.source,
        "splits": sizes,
        "equal": asdict(copies.counts(near=False)) | {"across": copies.across_splits(near=False)},
        "near": asdict(copies.counts(near=True)) | {"across": copies.across_splits(near=True)},
        "not_a_face": None
        if not_a_face is None
        else {split: int(not_a_face[dataset.split == split].sum()) for split in sizes},
        "groups": {name: asdict(found) for name, found in copies.by_group().items()},
        "train_left_out": {fault: faults.count(fault) for fault in FAULTS if fault in faults},
        "train_kept": sizes.get("train", 0) - sum(fault != "" for fault in faults),
    }


def _sets(copies: Duplicates, *, near: bool) -> list[list[str]]:
    return [[copies.dataset.name(int(i)) for i in found] for found in copies.sets(near=near)]


def _report(facts: dict[str, Any], distance: int, likeness: float) -> Iterator[str]:
    sizes, equal, near = facts["splits"], facts["equal"], facts["near"]
    said = words()
    pictures = say("count.pictures", n=sum(sizes.values()))
    yield say("data.duplicates.read", name=again(facts["data"]), pictures=pictures, splits=_by_split(sizes))
    yield ""
    yield from fitted_lines(
        said.all("data.duplicates.columns"),
        [
            (say("data.duplicates.sets"), equal["groups"], near["groups"]),
            (say("data.duplicates.redundant"), equal["redundant"], near["redundant"]),
            (say("data.duplicates.mixed_sets"), equal["mixed_groups"], near["mixed_groups"]),
            (say("data.duplicates.mixed_pictures"), equal["mixed_samples"], near["mixed_samples"]),
        ],
    )
    yield say("data.duplicates.near", distance=distance, likeness=likeness)
    yield say("data.duplicates.near_sets")
    for key, found in (("data.duplicates.with_equal", equal), ("data.duplicates.with_near", near)):
        yield ""
        yield from fitted_lines((say(key), *sizes), [(of, *found["across"][of].values()) for of in sizes])
    if facts["not_a_face"] is not None:
        marked = facts["not_a_face"]
        yield ""
        yield say("data.duplicates.no_face", n=sum(marked.values()), splits=_by_split(marked))
    if facts["groups"]:
        yield ""
        header = said.all("data.duplicates.group_columns")
        rows = [(name, *counts.values()) for name, counts in facts["groups"].items()]
        yield from fitted_lines(header, rows, spare=_SPARE)
    if "train" in sizes:
        yield ""
        yield say("data.duplicates.for_training", kept=facts["train_kept"], n=sizes["train"])
        if facts["train_left_out"]:
            left_out = [(said.label("reason", fault), n) for fault, n in facts["train_left_out"].items()]
            yield from (f"  {line}" for line in table_lines(None, left_out))


def _by_split(counts: dict[str, int]) -> str:
    return listed(say("data.duplicates.split", split=split, n=n) for split, n in counts.items())


def _write_json(target: str, facts: dict[str, Any]) -> None:
    text = json_text(facts, indent=1)
    if target == "-":
        typer.echo(text)
    else:
        write_whole(target, f"{text}\n".encode())
