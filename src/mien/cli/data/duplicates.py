"""`mien data duplicates`: equal and nearly equal pictures, and a list of those to train on."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console.overview import Problems
from mien.cli.console.reading import read_dataset, table_lines, watched
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of
from mien.files.whole import write_whole
from mien.wording import count

if TYPE_CHECKING:
    from mien.data.duplicates import Duplicates


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
    with Problems("row or file") as problems:
        dataset = read_dataset(data, ferplus=ferplus, size=size, colour=colour, on_problem=problems)
        with watched("comparing", total=len(dataset)) as on_step:
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
            sys.stderr.write(f"mien: {write} lists what training may use; you may edit it by hand.\n")


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
    by_split = ", ".join(f"{split} {size:,}" for split, size in sizes.items())
    yield f"{facts['data']}: {count(sum(sizes.values()), 'picture')} ({by_split})"
    yield ""
    yield from table_lines(
        ("", "equal", "equal or near"),
        [
            ("sets of copies", equal["groups"], near["groups"]),
            ("redundant copies (all but one of each set)", equal["redundant"], near["redundant"]),
            ("sets with different labels", equal["mixed_groups"], near["mixed_groups"]),
            ("pictures in these", equal["mixed_samples"], near["mixed_samples"]),
        ],
    )
    yield f"Near: hashes at most {distance} of 64 bits apart, pixels correlate by {likeness:g} or more;"
    yield "near copies of near copies are in one set."
    for kind, found in (("an equal one", equal), ("an equal or near one", near)):
        yield ""
        yield from table_lines(
            (f"pictures with {kind} in", *sizes), [(of, *found["across"][of].values()) for of in sizes]
        )
    if facts["not_a_face"] is not None:
        marked = facts["not_a_face"]
        yield ""
        yield f"no face (FER+): {sum(marked.values()):,} ({', '.join(f'{k} {v:,}' for k, v in marked.items())})"
    if facts["groups"]:
        yield ""
        header = ("group", "pictures", "equal inside", "equal outside", "near inside", "near outside")
        yield from table_lines(header, [(name, *counts.values()) for name, counts in facts["groups"].items()])
    if "train" in sizes:
        yield ""
        yield f"for training: {facts['train_kept']:,} of {sizes['train']:,} stay"
        if facts["train_left_out"]:
            lines = table_lines(("", ""), list(facts["train_left_out"].items()))[1:]
            yield from (f"  {line}" for line in lines)


def _write_json(target: str, facts: dict[str, Any]) -> None:
    text = json_format.dumps(facts, ensure_ascii=False, indent=1)
    if target == "-":
        typer.echo(text)
    else:
        write_whole(target, f"{text}\n".encode())
