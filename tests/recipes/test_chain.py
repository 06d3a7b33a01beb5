"""Recipes name one another; nothing here trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mien.errors import InputError, RecipeError, UnknownName
from mien.recipes.chain import REFERENCE, predecessors, run_of, training_order
from mien.recipes.recipe import load_recipe, recipe_names
from mien.recipes.saved import RECIPE_FILE

Write = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes NAME.toml, which goes on from the recipes given."""

    def write(name: str, *before: str, teachers: tuple[str, ...] = (), called: str = "", folder: str = ".") -> Path:
        path = tmp_path / folder / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        weights, averaged = (before[0] if before else ""), list(before[1:])
        path.write_text(
            f'name = "{called or name}"\ntask = "emotion"\nlabel_set = "emotions"\n'
            f"[network]\nweights = {weights!r}\naveraged = {averaged}\n[loss]\nteachers = {list(teachers)}\n",
            "utf-8",
        )
        return path

    return write


def names(order: object) -> list[str]:
    assert isinstance(order, tuple)
    return [recipe.name for recipe in order]


def test_the_shipped_model_is_trained_from_nothing_by_recipes_alone() -> None:
    order = training_order("emotion_soup")
    assert names(order)[0] == "emotion"
    assert names(order)[-1] == "emotion_soup"
    assert not predecessors(order[0])
    for recipe in order:
        named = (recipe.network.weights, *recipe.network.averaged, *recipe.loss.teachers)
        assert all(each.startswith(REFERENCE) for each in named if each), "no folder of one machine"


@pytest.mark.parametrize("name", recipe_names())
def test_each_recipe_of_the_package_comes_after_what_it_needs(name: str) -> None:
    done: set[str] = set()
    for recipe in training_order(name):
        assert done >= set(predecessors(recipe))
        done.add(recipe.name)
    assert recipe.name == name


def test_weights_averaged_and_teachers_are_trained_before_in_this_order(written: Write) -> None:
    for name in ("teacher", "second", "first"):
        written(name)
    last = written("last", "recipe:first", "recipe:second", teachers=("recipe:teacher", "recipe:first"))
    assert names(training_order(last)) == ["first", "second", "teacher", "last"]
    assert predecessors(load_recipe(last)) == ("first", "second", "teacher")


def test_folders_and_models_are_no_recipes(written: Write) -> None:
    last = written("last", "runs/emotion", "recipe", teachers=("emotion_residual",))
    assert names(training_order(last)) == ["last"]


def test_changes_are_made_in_every_recipe(written: Write) -> None:
    written("first")
    order = training_order(written("last", "recipe:first"), changes={"fit.epochs": "2"})
    assert [recipe.fit.epochs for recipe in order] == [2, 2]


@pytest.mark.parametrize("dotted", ["name", "network.weights", "network.averaged", "loss.teachers"])
def test_what_makes_the_chain_cannot_be_changed_for_all(dotted: str) -> None:
    with pytest.raises(RecipeError, match=f"{dotted} cannot be changed for a whole chain"):
        training_order("emotion_soup", changes={dotted: "x"})


def test_a_recipe_of_ones_own_may_go_on_from_the_packages(written: Write) -> None:
    order = training_order(written("mine", "recipe:emotion_camera"))
    assert names(order) == ["emotion", "emotion_camera", "mine"]
    assert order[0] == load_recipe("emotion")


def test_a_recipe_is_sought_beside_the_file_that_is_extended_too(written: Write, tmp_path: Path) -> None:
    written("first", folder="base")
    written("second", "recipe:first", folder="base")
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "base/second.toml"\nname = "mine"\n', "utf-8")
    assert names(training_order(mine)) == ["first", "mine"]


def test_a_circle_is_refused_and_shown(written: Write) -> None:
    written("a", "recipe:c")
    written("b", "recipe:a")
    with pytest.raises(RecipeError, match="The recipe c goes on from itself: c <- b <- a <- c"):
        training_order(written("c", "recipe:b"))
    with pytest.raises(RecipeError, match="The recipe alone goes on from itself: alone <- alone"):
        training_order(written("alone", teachers=("recipe:alone",)))


def test_a_recipe_that_is_not_there_is_refused_with_the_nearest(written: Write) -> None:
    written("frist")
    with pytest.raises(UnknownName, match=r"no recipe for last to go on from called 'first'; .*Did you mean 'frist'\?"):
        training_order(written("last", "recipe:first"))


def test_one_name_means_one_recipe(written: Write) -> None:
    written("first", called="other")
    with pytest.raises(RecipeError, match=r"goes on from recipe:first, but .*first\.toml calls itself other"):
        training_order(written("last", "recipe:first"))
    written("emotion")
    with pytest.raises(RecipeError, match=r"Two recipes of the chain are called emotion: .*emotion\.toml and emotion;"):
        training_order(written("both", "recipe:emotion", teachers=("recipe:emotion_camera",)))


def test_a_reference_is_the_folder_of_that_name_beside_the_run(tmp_path: Path) -> None:
    recipe = load_recipe("emotion_camera")
    assert run_of("any/folder", recipe, tmp_path) == "any/folder"
    with pytest.raises(InputError, match=r"emotion holds none; train emotion first, or add --chain"):
        run_of("recipe:emotion", recipe, tmp_path)
    (tmp_path / "emotion").mkdir()
    (tmp_path / "emotion" / RECIPE_FILE).write_text("{}")
    assert run_of("recipe:emotion", recipe, tmp_path) == str(tmp_path / "emotion")
