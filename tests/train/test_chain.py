"""Runs that go on from one another: in their order, each once, and from where a kill left them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mien.data.dataset import Dataset
from mien.errors import DataError, InputError, RefusedOutput
from mien.recipes.recipe import Recipe
from mien.train.chain import Link, fit_chain, plan_chain
from mien.train.fit import RunOptions, fit
from mien.train.learner import Learner
from mien.train.runs import trained_network

MakeRecipe = Callable[..., Recipe]


class PowerCut(Exception):
    pass


@pytest.fixture
def order(tiny_recipe: MakeRecipe) -> tuple[Recipe, ...]:
    """Two recipes: the second goes on from the first and is taught by it."""
    first = tiny_recipe(fit={"epochs": 2})
    changes = {"network": {"weights": "recipe:tiny"}, "loss": {"teachers": ["recipe:tiny"]}, "fit": {"rate": 0.02}}
    second = tiny_recipe(**changes)
    return first, Recipe(**{**vars(second), "name": "second"})


def options(**changes: Any) -> RunOptions:
    return RunOptions(**{"out": Path("unused"), "device": "cpu", "progress": False, "threads": 1} | changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def weights(run: Path) -> list[torch.Tensor]:
    return list(trained_network(run)[1].state_dict().values())


def told(links: list[Link]) -> list[str]:
    return [str(link).partition("): ")[2] for link in links]


def test_a_chain_killed_in_its_second_run_goes_on_there_and_learns_the_same(
    order: tuple[Recipe, ...], tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    summary = fit_chain(plan_chain(order, whole), lambda _: tiny_faces, options())
    assert summary.recipe == "second"
    assert told(plan_chain(order, broken)) == ["2 epochs, from nothing", "3 epochs, from tiny"]
    step = Learner.training_step

    def breaking(self: Learner, batch: Any, index: int) -> torch.Tensor:
        if self.recipe.name == "second" and (self.current_epoch, index) == (1, 2):
            raise PowerCut
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", breaking)
        with pytest.raises(PowerCut):
            fit_chain(plan_chain(order, broken), lambda _: tiny_faces, options())
    first = contents(broken / "tiny")
    assert told(plan_chain(order, broken)) == ["is finished", "goes on after epoch 1 of 3"]

    fit_chain(plan_chain(order, broken), lambda _: tiny_faces, options())
    assert contents(broken / "tiny") == first, "a finished run is not touched"
    for one, other in zip(weights(whole / "second"), weights(broken / "second"), strict=True):
        torch.testing.assert_close(one, other)
    everything = contents(broken)
    assert told(plan_chain(order, broken)) == ["is finished"]
    assert fit_chain(plan_chain(order, broken), lambda _: tiny_faces, options()).epochs == 3
    assert contents(broken) == everything


def test_a_run_starts_from_what_the_named_recipe_found(
    order: tuple[Recipe, ...], tiny_faces: Dataset, tmp_path: Path
) -> None:
    first, second = order
    still = Recipe(**{**vars(second), "fit": type(second.fit)(epochs=1, batch=16, rate=1e-9)})
    fit_chain(plan_chain((first, still), tmp_path), lambda _: tiny_faces, options())
    names = [name for name, _ in trained_network(tmp_path / "tiny")[1].named_parameters()]
    before, after = (dict(trained_network(tmp_path / each)[1].named_parameters()) for each in ("tiny", "second"))
    for name in names:
        torch.testing.assert_close(before[name], after[name], atol=1e-6, rtol=0)


def test_alone_a_recipe_needs_the_other_run_beside_its_own(
    order: tuple[Recipe, ...], tiny_faces: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"The recipe second needs a run of the recipe tiny, .* add --chain"):
        fit(order[1], tiny_faces, options(out=tmp_path / "second"))
    assert not (tmp_path / "second").exists()


def test_what_is_wrong_in_a_later_run_is_said_before_the_first_begins(
    order: tuple[Recipe, ...], tiny_faces: Dataset, tmp_path: Path
) -> None:
    first, second = order
    other = Recipe(**{**vars(second), "label_set": "emotions8"})
    with pytest.raises(DataError, match="The recipe second learns emotions8"):
        fit_chain(plan_chain((first, other), tmp_path), lambda _: tiny_faces, options())
    assert not any(tmp_path.iterdir())


def test_data_that_all_recipes_share_is_read_once(
    order: tuple[Recipe, ...], tiny_faces: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def load(recipe: Recipe) -> Dataset:
        asked.append(recipe.name)
        return tiny_faces

    with caplog.at_level(logging.INFO, logger="mien"):
        fit_chain(plan_chain(order, tmp_path), load, options())
    assert asked == ["tiny"]
    assert [line for line in caplog.messages if line.startswith("run ")] == [
        f"run 1 of 2: tiny ({tmp_path / 'tiny'}): 2 epochs, from nothing",
        f"run 2 of 2: second ({tmp_path / 'second'}): 3 epochs, from tiny",
    ]


def test_a_run_of_other_settings_or_data_is_refused(
    order: tuple[Recipe, ...], tiny_faces: Dataset, tmp_path: Path, tiny_recipe: MakeRecipe
) -> None:
    fit(tiny_recipe(fit={"epochs": 2}), tiny_faces, options(out=tmp_path / "tiny"))
    with pytest.raises(RefusedOutput, match=r"tiny was started with other settings: fit\.epochs was 2, now 4"):
        plan_chain((tiny_recipe(fit={"epochs": 4}), order[1]), tmp_path)
    with pytest.raises(RefusedOutput, match="it was trained on 1 device, now 2"):
        plan_chain(order, tmp_path, devices=2)
    fewer = tiny_faces.where(np.arange(len(tiny_faces)) != 3)
    before = contents(tmp_path)
    with pytest.raises(RefusedOutput, match="it was trained on 140 samples of bars, now 139"):
        fit_chain(plan_chain(order, tmp_path), lambda _: fewer, options())
    assert contents(tmp_path) == before


def test_a_chain_holds_all_its_folders_before_it_reads_the_data(
    order: tuple[Recipe, ...], tiny_faces: Dataset, tmp_path: Path
) -> None:
    """Two chains at once: the second is refused at its start, not when it comes to the run of the first."""

    def load(_: Recipe) -> Dataset:
        with ThreadPoolExecutor(1) as pool:
            for recipe in order:
                out = options(out=tmp_path / recipe.name)
                refused = pool.submit(fit, recipe, tiny_faces, out).exception()
                assert isinstance(refused, RefusedOutput)
                assert "another run is writing it" in str(refused)
        return tiny_faces

    assert fit_chain(plan_chain(order, tmp_path), load, options()).recipe == "second"


def test_checkpoints_without_the_last_are_not_trained_over(order: tuple[Recipe, ...], tmp_path: Path) -> None:
    (tmp_path / "tiny" / "checkpoints").mkdir(parents=True)
    assert told(plan_chain(order, tmp_path))[0] == "2 epochs, from nothing"
    (tmp_path / "tiny" / "checkpoints" / "best.ckpt").touch()
    with pytest.raises(RefusedOutput, match="tiny has no last checkpoint to go on from; move it away"):
        plan_chain(order, tmp_path)
