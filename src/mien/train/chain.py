"""Runs of recipes that go on from one another, one after the other: what was trained stays, what broke off goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mien.data.dataset import Dataset
from mien.errors import RefusedOutput
from mien.recipes.chain import predecessors
from mien.recipes.recipe import Recipe
from mien.recipes.saved import RunSummary
from mien.train.fit import RunOptions, checked_start, fit
from mien.train.start import check_recipe, ended, held_run, reached_by
from mien.words import listed, say

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Link:
    """One run of a chain.

    Args:
        recipe: of the run.
        run: its folder.
        epochs: finished ones.
        is_finished: whether it was carried to its end.
    """

    recipe: Recipe
    run: Path
    epochs: int
    is_finished: bool

    def __str__(self) -> str:
        """What is there, and what is to be done, in words."""
        before = predecessors(self.recipe)
        planned = say("count.epochs", n=self.recipe.fit.epochs)
        if self.is_finished:
            told = say("train.finished")
        elif self.epochs:
            told = say("train.goes_on", done=self.epochs, epochs=self.recipe.fit.epochs)
        elif before:
            told = say("train.from_others", epochs=planned, names=listed(before))
        else:
            told = say("train.from_nothing", epochs=planned)
        return say("train.step_is", recipe=self.recipe.name, folder=self.run, state=told)


def plan_chain(order: Sequence[Recipe], runs: Path, *, devices: int = 1) -> list[Link]:
    """The runs that the last recipe of a chain needs, in their order; those before a finished one are not asked for.

    Args:
        order: as `mien.recipes.chain.training_order` gives it.
        runs: the folder in which the run folders lie, each called as its recipe.
        devices: on all machines together.

    Raises:
        RefusedOutput: a run that is there was started with another recipe, or on other devices; what differs is named.
    """
    wanted = {order[-1].name}
    links = []
    for recipe in reversed(order):
        if recipe.name not in wanted:
            continue
        link = _link(recipe, runs / recipe.name, devices)
        links.append(link)
        if not link.is_finished:
            wanted.update(predecessors(recipe))
    return links[::-1]


def fit_chain(links: Sequence[Link], load: Callable[[Recipe], Dataset], options: RunOptions) -> RunSummary:
    """Train the runs of a plan that are not finished, one after another.

    All folders are held and all data is read and checked before the first run begins: nothing is refused that could
    have been refused hours earlier.

    Args:
        links: of `plan_chain`.
        load: the data of a recipe; asked once for recipes that want the same.
        options: of every run; `out` and `resume` are each run's own.

    Returns:
        The summary of the last run.

    Raises:
        InputError, DataError, OutputError, TrainingStopped, KeyboardInterrupt: as `fit`.
    """
    with ExitStack() as held:
        for link in links:
            if not link.is_finished:
                held.enter_context(held_run(link.run))
        return _fit_links(links, load, options)


def _fit_links(links: Sequence[Link], load: Callable[[Recipe], Dataset], options: RunOptions) -> RunSummary:
    data: dict[object, Dataset] = {}
    for link in links:
        wish = _data_wish(link.recipe)
        if wish not in data:
            data[wish] = load(link.recipe)
        checked_start(link.recipe, data[wish], _options(link, options))
    summary = RunSummary()
    for number, link in enumerate(links, 1):
        if not link.is_finished:
            logger.info("%s", say("train.run", number=number, runs=len(links), step=link))
        summary = fit(link.recipe, data[_data_wish(link.recipe)], _options(link, options))
    return summary


def _link(recipe: Recipe, run: Path, devices: int) -> Link:
    reached, is_finished = reached_by(run), ended(run) is not None
    if reached is not None or is_finished:
        check_recipe(run, recipe, devices=devices)
    elif (run / "checkpoints").is_dir() and any((run / "checkpoints").iterdir()):
        raise RefusedOutput(f"{run} has no last checkpoint to go on from; move it away, and it will be trained anew")
    return Link(recipe=recipe, run=run, epochs=0 if reached is None else reached.epochs, is_finished=is_finished)


def _options(link: Link, options: RunOptions) -> RunOptions:
    return replace(options, out=link.run, resume=link.is_finished or link.epochs > 0)


def _data_wish(recipe: Recipe) -> object:
    """What a recipe's data depends on: equal for recipes that are trained on the same samples."""
    chance = recipe.fit.seed if recipe.data.share != 1 or recipe.data.composed else 0
    return recipe.data, recipe.input, recipe.label_set, bool(recipe.loss.votes_weight), recipe.task, chance
