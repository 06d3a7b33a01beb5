from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mien.data.dataset import Dataset
from mien.errors import InputError
from mien.labels import EMOTIONS_6
from mien.recipes.recipe import Recipe
from mien.recipes.tables import NetworkRecipe
from mien.train.fit import RunOptions, fit
from mien.train.networks import build_network
from mien.train.runs import start_from_runs, trained_network

MakeRecipe = Callable[..., Recipe]


def train(recipe: Recipe, faces: Dataset, out: Path) -> dict[str, Any]:
    return fit(recipe, faces, RunOptions(out=out, device="cpu", progress=False))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Dataset, tiny_recipe: MakeRecipe) -> Path:
    folder = tmp_path_factory.mktemp("run") / "first"
    train(tiny_recipe(fit={"epochs": 6}), tiny_faces, folder)
    return folder


def test_a_run_starts_where_another_ended(
    run: Path, tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    first = trained_network(run)[1].state_dict()
    recipe = tiny_recipe(fit={"epochs": 1, "rate": 1e-9}, network={"weights": str(run)})
    summary = train(recipe, tiny_faces, tmp_path / "second")
    second = trained_network(tmp_path / "second")[1].state_dict()
    for name, tensor in first.items():
        if tensor.is_floating_point() and "running" not in name:
            assert torch.allclose(tensor, second[name], atol=1e-5), name
    assert summary.best_val_accuracy >= 0.9


def test_a_run_starts_from_the_average_of_several(
    run: Path, tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    other, averaged = tmp_path / "other", tmp_path / "averaged"
    train(tiny_recipe(fit={"epochs": 1, "seed": 5}, network={"weights": str(run)}), tiny_faces, other)
    together = {"weights": str(run), "averaged": (str(other),)}
    train(tiny_recipe(fit={"epochs": 1, "rate": 1e-9}, network=together), tiny_faces, averaged)
    first, second, mean = (trained_network(each)[1].state_dict() for each in (run, other, averaged))
    moved = 0.0
    for name, tensor in mean.items():
        if tensor.is_floating_point() and "running" not in name:
            assert torch.allclose(tensor, (first[name] + second[name]) / 2, atol=1e-5), name
            moved = max(moved, float((first[name] - second[name]).abs().max()))
    assert moved > 1e-3


def test_the_average_of_three_has_equal_parts(
    run: Path, tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    train(tiny_recipe(fit={"epochs": 1, "seed": 5}, network={"weights": str(run)}), tiny_faces, other)
    fresh = build_network(tiny_recipe())
    start_from_runs(fresh, tiny_recipe(), [run, run, other])
    first, second = (trained_network(each)[1].state_dict() for each in (run, other))
    name = "label_head.weight"
    assert torch.allclose(fresh.state_dict()[name], (2 * first[name] + second[name]) / 3, atol=1e-6)


def test_another_head_starts_anew(run: Path) -> None:
    recipe, network = trained_network(run)
    six = replace(recipe, label_set=EMOTIONS_6.name)
    fresh = build_network(six)
    head = fresh.state_dict()["label_head.weight"].clone()
    start_from_runs(fresh, six, [run])
    assert torch.equal(fresh.state_dict()["label_head.weight"], head)
    assert torch.equal(fresh.state_dict()["features.0.0.weight"], network.state_dict()["features.0.0.weight"])


def test_a_run_of_another_network_is_refused(run: Path, tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    recipe = tiny_recipe()
    other = replace(recipe, network=NetworkRecipe(name="cnn5"))
    with pytest.raises(InputError, match=r"trained the network residual_cnn, .* has cnn5"):
        start_from_runs(build_network(other), other, [run])
    wide = replace(recipe, network=NetworkRecipe(widths=(64, 256)))
    with pytest.raises(InputError, match="another form of residual_cnn"):
        start_from_runs(build_network(wide), wide, [run])
    with pytest.raises(InputError, match="holds no trained run"):
        start_from_runs(build_network(recipe), recipe, [run, tmp_path])


def test_a_trained_network_is_read_without_the_trainer() -> None:
    program = "import sys, mien.train.runs, mien.train.export.networks; sys.exit('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
