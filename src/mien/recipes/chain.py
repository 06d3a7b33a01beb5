"""Recipes that go on from what other recipes trained: who they are, and in which order all of them are trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mien.errors import InputError, RecipeError, UnknownName
from mien.recipes.recipe import Recipe, load_recipe, recipe_folders, recipe_names
from mien.recipes.saved import RECIPE_FILE

REFERENCE = "recipe:"
"""How settings that name runs begin where they name a recipe, not a folder."""

_FIXED = ("name", "network.weights", "network.averaged", "loss.teachers", "export.partners")
"""Settings that make a chain: changed for all of its recipes alike, it would be none."""


def predecessors(recipe: Recipe) -> tuple[str, ...]:
    """Names of the recipes whose runs this one goes on from, averages, learns from or is averaged with, each once."""
    named = (recipe.network.weights, *recipe.network.averaged, *recipe.loss.teachers, *recipe.export.partners)
    return tuple(dict.fromkeys(each.removeprefix(REFERENCE) for each in named if each.startswith(REFERENCE)))


def run_of(reference: str, recipe: Recipe, runs: Path) -> str:
    """The run folder that a recipe names: `recipe:NAME` is the folder NAME among the runs; all else is as it is.

    Args:
        reference: a value of `network.weights`, `network.averaged`, `loss.teachers` or `export.partners`.
        recipe: that names it.
        runs: the folder in which the recipe's own run lies.

    Raises:
        InputError: there is no run in that folder.
    """
    if not reference.startswith(REFERENCE):
        return reference
    name = reference.removeprefix(REFERENCE)
    run = runs / name
    if not (run / RECIPE_FILE).is_file():
        raise InputError(
            f"The recipe {recipe.name} needs a run of the recipe {name}, and {run} holds none; train {name} first, or "
            "add --chain to train all of them one after another"
        )
    return str(run)


def training_order(name_or_path: str | Path, *, changes: Mapping[str, str] | None = None) -> tuple[Recipe, ...]:
    """A recipe and all that it goes on from, each after those that it needs itself.

    A recipe names another as `recipe:NAME`: the file NAME.toml beside its own file (or beside one that it extends), or
    the package's recipe of that name.

    Args:
        name_or_path: as for `load_recipe`; comes last.
        changes: settings of every recipe, as for `load_recipe`.

    Raises:
        UnknownName: there is no such recipe, or an unknown setting.
        RecipeError: a recipe goes on from itself, over others perhaps; two have the same name; one is called otherwise
            than it is named; or a setting would be changed that makes the chain.
    """
    for dotted in changes or ():
        if dotted in _FIXED:
            raise RecipeError(
                f"{dotted} cannot be changed for a whole chain, since its recipes name one another there; change it in "
                "a recipe of your own"
            )
    order: dict[str, tuple[Recipe, str]] = {}
    _visit(str(name_or_path), (), order, changes)
    return tuple(recipe for recipe, _ in order.values())


def _visit(
    name_or_path: str, way: tuple[str, ...], order: dict[str, tuple[Recipe, str]], changes: Mapping[str, str] | None
) -> Recipe:
    """Put a recipe behind its predecessors into `order`, by name with where it was found; `way` led to it."""
    recipe = load_recipe(name_or_path, changes=changes)
    if recipe.name in way:
        raise RecipeError(f"The recipe {recipe.name} goes on from itself: {' <- '.join((*way, recipe.name))}")
    if recipe.name in order:
        found = order[recipe.name][1]
        if found != name_or_path:
            raise RecipeError(
                f"Two recipes of the chain are called {recipe.name}: {found} and {name_or_path}; rename one of them"
            )
        return recipe
    folders = recipe_folders(name_or_path)
    for name in predecessors(recipe):
        source = _source(name, recipe, folders)
        before = _visit(source, (*way, recipe.name), order, changes)
        if before.name != name:
            raise RecipeError(
                f"The recipe {recipe.name} goes on from {REFERENCE}{name}, but {source} calls itself {before.name}; "
                "use one name for both"
            )
    order[recipe.name] = recipe, name_or_path
    return recipe


def _source(name: str, recipe: Recipe, folders: tuple[Path, ...]) -> str:
    """What `load_recipe` takes for a recipe that another one names."""
    files = [folder / f"{name}.toml" for folder in folders]
    beside = next((file for file in files if file.is_file()), None)
    if beside is not None:
        return str(beside)
    if name in recipe_names():
        return name
    own = sorted(file.stem for folder in folders for file in folder.glob("*.toml"))
    raise UnknownName(f"recipe for {recipe.name} to go on from called", name, (*own, *recipe_names()))
