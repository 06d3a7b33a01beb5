"""`mien data asl`: turns folders of letters into folders of gestures, or one packed file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console.overview import Problems, fractions_of, one_of, say_caveats, say_counts, seeds_of
from mien.cli.console.plain import is_plain, plain_line
from mien.cli.console.reading import right, watched
from mien.files.plan import WritePlan
from mien.labels import LETTERS
from mien.words import listed, say

if TYPE_CHECKING:
    from mien.data.dataset import Dataset
    from mien.data.readers.pictures import Listing, OnProblem

_GESTURE_NAME = re.compile(r"[\w][\w -]*")
_SPLIT_BY_NUMBER = {"train": "train1", "validation": "validation1", "test": "test1"}
_SIGNERS_SHOWN = 8


def asl(
    root: Annotated[Path, typer.Argument(help="Folder that holds one folder per letter.", metavar="DIR")],
    out: Annotated[Path, typer.Argument(help="Folder to create, or a .npz file with --layout packed.", metavar="OUT")],
    layout: Annotated[str, typer.Option(help="folders (copies of the files) or packed (one file).")] = "folders",
    letters: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FOLDER=GESTURE",
            help="In addition to L=loser, A=punch, F=super, V=victory; F= leaves F out. May be repeated.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="number (the published protocol), signer (no signer in two splits), or random.")
    ] = "number",
    first: Annotated[
        int, typer.Option(min=1, help="For a split by number: how many of each folder are for training.")
    ] = 2400,
    groups: Annotated[
        Path | None,
        typer.Option(help="CSV with columns file,group[,split]: the signer of each file, and optionally its split."),
    ] = None,
    validation: Annotated[
        list[str] | None,
        typer.Option(metavar="SIGNER", help="For a split by signer: a signer for validation; may be repeated."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(metavar="SIGNER", help="For a split by signer: a signer for test; may be repeated."),
    ] = None,
    fractions: Annotated[
        str, typer.Option(help="For a random split: share for test, and share of the rest for validation.")
    ] = "0.1,0.1",
    seed: Annotated[str, typer.Option(help="For a random split: seeds for drawing test and validation.")] = "1,1",
    i_know: Annotated[
        bool, typer.Option("--i-know", help="Split at random even though a signer's pictures resemble one another.")
    ] = False,
    size: Annotated[int, typer.Option(min=8, max=1024, help="For packed pictures: height and width in pixels.")] = 100,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing data set in OUT.")] = False,
) -> None:
    """Import letters of a manual alphabet as gestures: the ASL Alphabet, Massey's hands, or folders like these.

    A picture that cannot be read is reported and left out; the others are done, and the exit code is 1.
    """
    from mien.data.layouts import check_target
    from mien.data.readers.asl import list_letters

    one_of("layout", layout, ("folders", "packed"))
    one_of("split", split, ("number", "signer", "random"))
    choice = _Choice(
        split, first, groups, validation or [], test or [], fractions_of(fractions), seeds_of(seed), i_know
    )
    if split != "signer" and (validation or test):
        raise typer.BadParameter("is only for --split signer", param_hint="--validation" if validation else "--test")
    plan = WritePlan((root, groups), overwrite=overwrite)
    if layout == "packed":
        plan.file(out, "OUT")
    plan.folder(out, "OUT")
    check_target(out, layout, overwrite=overwrite)
    with Problems("picture") as problems:
        listing = list_letters(root, letters=_letters(letters or (), root), on_problem=problems)
        listing = _split(listing, choice, problems)
        names = _SPLIT_BY_NUMBER if split == "number" else {}
        dataset = _write(listing, out, _Target(layout, size, overwrite, names), problems)
        _say(dataset, root, out, names if layout == "folders" else None)
        if listing.folders_left_out:
            typer.echo("\n" + say("data.asl.left_out", names=listed(listing.folders_left_out)))


@dataclass(frozen=True)
class _Choice:
    """How to split; see the options."""

    split: str
    first: int
    groups: Path | None
    validation: Sequence[str]
    test: Sequence[str]
    fractions: tuple[float, float]
    seeds: Sequence[int]
    i_know: bool


@dataclass(frozen=True)
class _Target:
    """How to write; see the options."""

    layout: str
    size: int
    overwrite: bool
    splits: Mapping[str, str]


def _letters(texts: Sequence[str], root: Path) -> dict[str, str]:
    """Folders and their gestures: the usual letters, changed by FOLDER=GESTURE."""
    mapped: dict[str, str] = {}
    for text in texts:
        folder, sign, gesture = (part.strip() for part in text.partition("="))
        if not folder or not sign or (gesture and not _GESTURE_NAME.fullmatch(gesture)):
            raise typer.BadParameter(f"{text!r} is not FOLDER=GESTURE, e.g. Y=call", param_hint="--map")
        mapped[folder] = gesture
    named = {folder.casefold() for folder in mapped}
    usual = {
        letter: gesture
        for letter, gesture in LETTERS.items()
        # A missing default letter does not matter when its gesture comes from another folder.
        if letter.casefold() not in named and (gesture not in mapped.values() or (root / letter).is_dir())
    }
    letters = {**usual, **{folder: gesture for folder, gesture in mapped.items() if gesture}}
    if not letters:
        raise typer.BadParameter("leaves out everything", param_hint="--map")
    return letters


def _split(listing: Listing, choice: _Choice, on_problem: OnProblem) -> Listing:
    from mien.data.readers.asl import read_groups, split_by_number, unread, with_groups, with_splits
    from mien.data.split import split_at_random, split_by_group

    table = read_groups(choice.groups) if choice.groups else {}
    if choice.groups:
        listing = with_groups(listing, table, on_problem=on_problem)
    if choice.split == "number":
        return split_by_number(listing, first=choice.first)
    if choice.split == "random":
        dataset = split_at_random(unread(listing), fractions=choice.fractions, seeds=choice.seeds, i_know=choice.i_know)
        return with_splits(listing, dataset)
    if choice.validation or choice.test:
        dataset = split_by_group(unread(listing), validation=choice.validation, test=choice.test)
        return with_splits(listing, dataset)
    if not any(row.split for row in table.values()):
        raise typer.BadParameter(
            "signer needs --validation or --test with a signer, or --groups with a split column", param_hint="--split"
        )
    return listing


def _write(listing: Listing, out: Path, target: _Target, on_problem: OnProblem) -> Dataset:
    from mien.data.layouts import write_folders
    from mien.data.readers.asl import unread, whole_file
    from mien.data.readers.pictures import read_listing
    from mien.pixels.preprocess import InputSpec

    with watched(say("page_file.reading", name=listing.source), total=len(listing.pictures)) as on_step:
        if target.layout == "folders":
            return write_folders(
                unread(listing),
                out,
                splits=target.splits,
                content=lambda i: whole_file(listing.pictures[i].path),
                on_problem=on_problem,
                on_step=on_step,
                overwrite=target.overwrite,
            )
        spec = InputSpec(size_hw=(target.size, target.size), colour="rgb")
        dataset = read_listing(listing, spec, on_problem=on_problem, on_step=on_step)
    dataset.save(out)
    return dataset


def _say(dataset: Dataset, root: Path, out: Path, folders: Mapping[str, str] | None) -> None:
    """Print counts, signers and where everything is; without folders it is in one file."""
    signers = sorted(set(dataset.groups.tolist()))
    shown = listed(signers[:_SIGNERS_SHOWN])
    if len(signers) > _SIGNERS_SHOWN:
        shown = say("data.asl.more_signers", names=shown)
    pictures, hands = say("count.pictures", n=len(dataset)), say("count.signers", n=len(signers))
    typer.echo(say("data.asl.read", root=root, pictures=pictures, signers=hands, names=shown))
    typer.echo("\n" + say("data.asl.by_class"))
    say_counts(dataset)
    typer.echo("\n" + say("data.written"))
    for split, counts in dataset.counts().items():
        where = out if folders is None else out / folders.get(split, split)
        told = say("count.pictures", n=sum(counts.values()))
        line = plain_line(split, told, str(where)) if is_plain() else f"{split:<10}  {right(told, 15)}  {where}"
        typer.echo(f"  {line}")
    if folders is None:
        typer.echo("  " + say("data.asl.shape", shape=dataset.samples.shape))
    say_caveats(dataset)
