"""`mien train`: turns a recipe into a run folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress

from mien.cli.console.interruption import SAVED, interruption_tells
from mien.cli.console.plain import indented, is_plain, plain_line, shows_progress
from mien.cli.console.reading import left
from mien.errors import RefusedOutput, UnreadableMedia
from mien.extras import needs
from mien.words import again, say, words

if TYPE_CHECKING:
    from mien.data.dataset import Dataset
    from mien.recipes.recipe import Recipe
    from mien.recipes.saved import RunSummary
    from mien.train.corpus import CorpusPaths


@interruption_tells("no run was begun")
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (`mien recipes` lists them) or a TOML file.")],
    data: Annotated[
        Path, typer.Option(help="Packed file, CSV or folder of a data set; for gesture, a folder of data sets.")
    ],
    votes: Annotated[Path | None, typer.Option(help="FER+ table fer2013new.csv.")] = None,
    clean_list: Annotated[
        Path | None, typer.Option(help="List of samples to use, from mien data duplicates --write.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder; runs/RECIPE by default. With --chain, the folder of all runs; runs by default."),
    ] = None,
    chain: Annotated[
        bool,
        typer.Option(
            "--chain",
            help="Train from nothing: first the recipes it builds on, one after another. Finished runs "
            "are skipped, and an interrupted one is resumed.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --chain: print what would be trained, in order, and stop.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint in the run folder.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Number of devices, each with its own batch.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Number of machines, under torchrun or SLURM.")] = 1,
    weights: Annotated[
        str | None, typer.Option(help="Weights to start from: a run folder, an ImageNet file, package or hub.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 leaves the choice to torch.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change a setting, e.g. fit.epochs=3."),
    ] = None,
) -> None:
    """Train a model from a recipe. Needs mien[train]."""
    with needs("train"):
        from mien.recipes.chain import training_order
        from mien.recipes.recipe import load_recipe
        from mien.train.chain import fit_chain, plan_chain
        from mien.train.corpus import CorpusPaths
        from mien.train.fit import RunOptions, check_training, fit
        from mien.train.machine import keep_freed_memory
        from mien.train.start import check_new, check_recipe, held_run
    changes = dict(setting(text) for text in settings or ())
    if dry_run and not chain:
        raise typer.BadParameter("it shows the order of a chain; add --chain", param_hint="--dry-run")
    if chain and (weights is not None or nodes > 1):
        what = "--weights starts one run" if weights is not None else "--nodes is for one run"
        raise typer.BadParameter(f"{what}, and a chain has several; train its recipes one by one", param_hint="--chain")
    if weights is not None:
        changes["network.weights"] = weights
    order = training_order(recipe, changes=changes) if chain else (load_recipe(recipe, changes=changes),)
    chosen = order[-1]
    runs = out or Path("runs")
    folder = runs / chosen.name if chain or out is None else out
    is_watched = shows_progress()
    if not is_watched:
        logging.getLogger("mien").setLevel(logging.INFO)
    for each in order:
        _check_place(runs / each.name if chain else folder, data)
    if not data.exists():
        raise UnreadableMedia(f"{data} does not exist; check --data")
    links = plan_chain(order, runs, devices=devices) if chain else []
    for number, link in enumerate(links, 1):
        typer.echo(say("train.step", number=number, step=link), err=not dry_run)
    if dry_run:
        return
    paths = CorpusPaths(data=data, votes=votes, clean_list=clean_list, cache=folder.parent / "cache")
    options = RunOptions(
        out=folder,
        device=device,
        devices=devices,
        nodes=nodes,
        resume=resume,
        threads=threads,
        progress=is_watched,
    )
    keep_freed_memory()
    with interruption_tells(lambda: _kept([link.run for link in links] or [folder])):
        for each in [link.recipe for link in links if not link.is_finished] if chain else [chosen]:
            check_training(each, options)
        if chain:
            summary = fit_chain(links, lambda each: corpus(each, paths), options)
        else:
            with held_run(folder):
                if resume:  # both before the data is read, which takes longer
                    check_recipe(folder, chosen, devices=devices * nodes)
                else:
                    check_new(folder)
                summary = fit(chosen, corpus(chosen, paths), options)
        _print_summary(summary)
        command = f"mien export {folder} MODEL_FOLDER --data {data}" + (f" --votes {votes}" if votes else "")
        typer.echo(say("train.next", command=command))


def _print_summary(summary: RunSummary) -> None:
    lines = [(say(f"train.summary.{name}"), _told(value)) for name, value in asdict(summary).items()]
    width = max(cell_len(name) for name, _ in lines) + 2
    for name, told in lines:
        if told and is_plain():
            typer.echo(plain_line(name, told))
        elif told:
            typer.echo(f"{left(name, width)}{indented(told, width)}")


def _told(value: object) -> str:
    """A value of the summary in words; empty if there is nothing to say."""
    from mien.train.callbacks import figures_in_words

    if isinstance(value, Mapping):
        return figures_in_words(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return words().join("sentences", list(map(again, value)))
    return "" if value is None else again(str(value))


def _kept(folders: Iterable[Path]) -> str:
    """What an interruption leaves: finished epochs, if there are any."""
    from mien.train.start import has_begun

    return SAVED if any(map(has_begun, folders)) else "no epoch was finished, so there is nothing to resume"


def _check_place(folder: Path, data: Path) -> None:
    """Refuse a run folder that is the data, a file, or holds something other than a run, before anything is read."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir():
        raise RefusedOutput(f"--out {there} is a file; name a folder.")
    if folder.exists() and data.exists() and folder.samefile(data):
        raise RefusedOutput(f"--out {folder} is the data; name another folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "recipe.json").is_file():
        raise RefusedOutput(f"{folder} holds files but no run of mien train; name another folder.")


def corpus(recipe: Recipe, paths: CorpusPaths, *, to_train: bool = True) -> Dataset:
    """The recipe's data, with a bar while landmarks are detected; for a report it may lack what training needs."""
    from mien.train.corpus import load_corpus

    with Progress(console=Console(stderr=True), transient=True, disable=not shows_progress()) as progress:
        bar = progress.add_task(say("page_file.reading", name=paths.data.name), total=None)
        return load_corpus(recipe, paths, to_train=to_train, on_step=lambda done: progress.update(bar, completed=done))


def setting(text: str) -> tuple[str, str]:
    """NAME=VALUE as a pair."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE, e.g. fit.epochs=3", param_hint="--set")
    return name, value
