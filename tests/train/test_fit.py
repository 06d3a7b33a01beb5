from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mien.data.dataset import Dataset
from mien.errors import DataError, InputError, OutputError
from mien.labels import GESTURES
from mien.train.fit import RunOptions, fit, run_recipe, trained_network
from mien.train.learner import Learner
from mien.train.recipe import Recipe, load_recipe

MakeRecipe = Callable[..., Recipe]

EVERYTHING: dict[str, Any] = {
    "augment": {"rotation": 10.0, "flip": True, "contrast": 0.2, "erasing": 0.2, "mixup": 0.2},
    "loss": {"label_smoothing": 0.1, "votes_weight": 0.5, "balance": 0.5},
    "fit": {"ema": 0.9, "sizes": [[12, 0.5], [16, 0.5]]},
}


def options(out: Path, **changes: Any) -> RunOptions:
    return RunOptions(out=out, device="cpu", progress=False, threads=1, **changes)


def weights(run: Path, name: str = "last") -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
    return state


def curves(run: Path) -> list[dict[str, str]]:
    with (run / "curves" / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def epochs_with(run: Path, metric: str) -> list[int]:
    return [int(row["epoch"]) for row in curves(run) if row.get(metric)]


class Broken(Exception):
    pass


def break_in_epoch(monkeypatch: pytest.MonkeyPatch, epoch: int, batch: int) -> None:
    """The power goes off in the middle of an epoch, counted from 0."""
    step = Learner.training_step

    def breaking(self: Learner, batch_: Any, index: int) -> torch.Tensor:
        if (self.current_epoch, index) == (epoch, batch):
            raise Broken
        return step(self, batch_, index)

    monkeypatch.setattr(Learner, "training_step", breaking)


def test_a_run_learns_and_leaves_a_whole_folder(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe, run = tiny_recipe(fit={"epochs": 6}), tmp_path / "runs" / "one"
    with caplog.at_level(logging.INFO, logger="mien"):
        summary = fit(recipe, tiny_faces, options(run))
    assert summary["best_val_accuracy"] >= 0.9
    assert summary["last"]["train_loss"] < 1.0  # chance is log 7 = 1.95

    assert json.loads((run / "summary.json").read_text("utf-8")) == summary
    assert (summary["train_samples"], summary["validation_samples"]) == (140, 42)
    assert summary["data_sha256"] == tiny_faces.fingerprint()
    assert summary["epochs"] == 6
    assert run_recipe(run) == recipe
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert epochs_with(run, "val_accuracy") == epochs_with(run, "train_loss") == list(range(6))
    assert [message for message in caplog.messages if "epoch 6 of 6" in message]
    assert list((run / "tensorboard").iterdir())

    _, network = trained_network(run)
    assert not network.training
    # The best checkpoint is the one whose accuracy the summary states.
    validation = tiny_faces.part("validation")
    learner = Learner(recipe, [1] * 7)
    inputs = learner.normalised(learner._scaled(torch.from_numpy(validation.samples)))
    with torch.inference_mode():
        right = network(inputs).argmax(dim=1).numpy() == validation.labels
    assert right.mean() == pytest.approx(summary["best_val_accuracy"], abs=1e-4)


def test_the_recipe_says_which_weights_are_kept(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    fit(tiny_recipe(fit={"epochs": 1}), tiny_faces, options(tmp_path))
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    last["state_dict"] = {name: value + 1 for name, value in last["state_dict"].items()}
    torch.save(last, tmp_path / "checkpoints" / "last.ckpt")
    kept = {}
    for keep in ("best", "last"):
        recipe = tiny_recipe(fit={"epochs": 1, "keep": keep})
        (tmp_path / "recipe.json").write_text(json.dumps(recipe.to_dict()), "utf-8")
        kept[keep] = trained_network(tmp_path)[1].state_dict()
    for name, value in kept["best"].items():
        torch.testing.assert_close(kept["last"][name], value + 1)


def test_every_step_draws_its_own_random_numbers(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []
    augmented = Learner._augmented

    def watching(self: Learner, samples: torch.Tensor) -> torch.Tensor:
        drawn.append(torch.rand(()).item())
        return augmented(self, samples)

    monkeypatch.setattr(Learner, "_augmented", watching)
    fit(tiny_recipe(fit={"epochs": 2}), tiny_faces, options(tmp_path))
    assert len(set(drawn)) == len(drawn) == 2 * 8


def test_the_same_seed_gives_the_same_weights(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        fit(tiny_recipe(**EVERYTHING | {"fit": {"epochs": 2, "seed": seed}}), tiny_faces, options(tmp_path / name))
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_each_epoch_has_its_own_order(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, list[int]] = {}
    step = Learner.training_step

    def watching(self: Learner, batch: Any, index: int) -> torch.Tensor:
        seen.setdefault(self.current_epoch, []).extend(batch[0].sum(dim=(1, 2)).tolist())
        return step(self, batch, index)

    monkeypatch.setattr(Learner, "training_step", watching)
    fit(tiny_recipe(fit={"batch": 14}), tiny_faces, options(tmp_path / "run"))
    assert sorted(seen) == [0, 1, 2]
    assert sorted(seen[0]) == sorted(seen[1]) == sorted(seen[2])
    assert seen[0] != seen[1] != seen[2] != seen[0]


@pytest.mark.parametrize("sections", [{}, EVERYTHING], ids=["plain", "everything"])
def test_a_resumed_run_ends_like_an_unbroken_one(
    tiny_recipe: MakeRecipe,
    tiny_faces: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sections: dict[str, Any],
) -> None:
    recipe = tiny_recipe(**sections)
    unbroken = fit(recipe, tiny_faces, options(tmp_path / "unbroken"))
    with monkeypatch.context() as patch:
        break_in_epoch(patch, 1, 4)
        with pytest.raises(Broken):
            fit(recipe, tiny_faces, options(tmp_path / "broken"))
    assert not (tmp_path / "broken" / "summary.json").exists()
    torch.manual_seed(99)  # another process has other random numbers
    resumed = fit(recipe, tiny_faces, options(tmp_path / "broken", resume=True))
    for name in ("last", "best"):
        expected, got = weights(tmp_path / "unbroken", name), weights(tmp_path / "broken", name)
        assert all(torch.equal(expected[key], got[key]) for key in expected)
    assert resumed["last"] == unbroken["last"]
    assert resumed["best_val_accuracy"] == unbroken["best_val_accuracy"]
    assert curves(tmp_path / "broken") == curves(tmp_path / "unbroken")


def test_a_folder_with_a_run_is_not_overwritten(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    recipe, run = tiny_recipe(fit={"epochs": 1}), tmp_path / "run"
    fit(recipe, tiny_faces, options(run))
    before = weights(run)
    with pytest.raises(InputError, match="already holds a run; go on with --resume"):
        fit(recipe, tiny_faces, options(run))
    with pytest.raises(InputError, match="was started with other settings"):
        fit(tiny_recipe(fit={"epochs": 2}), tiny_faces, options(run, resume=True))
    assert all(torch.equal(before[name], value) for name, value in weights(run).items())


def test_a_run_that_broke_in_its_first_epoch_starts_again(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, run = tiny_recipe(fit={"epochs": 1}), tmp_path / "run"
    with monkeypatch.context() as patch:
        break_in_epoch(patch, 0, 1)
        with pytest.raises(Broken):
            fit(recipe, tiny_faces, options(run))
    with pytest.raises(InputError, match="no checkpoint to resume from; leave out --resume"):
        fit(recipe, tiny_faces, options(run, resume=True))
    with pytest.raises(InputError, match="no finished epoch yet"):
        trained_network(run)
    fit(recipe, tiny_faces, options(run))
    assert trained_network(run)[0] == recipe


def test_a_folder_without_a_run(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no trained run"):
        run_recipe(tmp_path)
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        fit(tiny_recipe(), tiny_faces, options(tmp_path, resume=True))
    (tmp_path / "recipe.json").write_text('{"name": ', "utf-8")
    with pytest.raises(InputError, match=r"recipe\.json is damaged"):
        run_recipe(tmp_path)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(OutputError, match="cannot be made"):
        fit(tiny_recipe(), tiny_faces, options(tmp_path / "file" / "run"))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_both_splits_are_needed(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, split: str) -> None:
    with pytest.raises(DataError, match=f"no samples in its split '{split}'"):
        fit(tiny_recipe(), tiny_faces.where(tiny_faces.split != split), options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_data_of_another_form_is_refused_before_the_folder_is_made(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    for recipe in (tiny_recipe(input={"size_hw": [48, 48]}), tiny_recipe(input={"colour": "rgb"})):
        with pytest.raises(DataError, match=r"takes samples of .* the data set has \(16, 16\)"):
            fit(recipe, tiny_faces, options(tmp_path / "run"))
    few = tiny_faces.where(tiny_faces.labels < 5)
    with pytest.raises(DataError, match=r"labels of emotions, the data set has .* gestures"):
        fit(tiny_recipe(), replace(few, label_set=GESTURES, votes=None), options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_gestures_are_learned_from_landmarks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    shapes = random.normal(0, 1, (5, 21, 3))
    labels = np.tile(np.arange(5), 40)
    dataset = Dataset(
        samples=(shapes[labels] + random.normal(0, 0.1, (200, 21, 3))).astype(np.float32),
        labels=labels,
        split=np.array(["train"] * 150 + ["validation"] * 50),
        groups=np.full(200, "a"),
        label_set=GESTURES,
        source="points",
    )
    changes = {"fit.epochs": "5", "fit.batch": "16", "network.widths": "[32]", "fit.rate": "0.01"}
    summary = fit(load_recipe("gesture", changes=changes), dataset, options(tmp_path / "run"))
    assert summary["last"]["val_accuracy"] >= 0.95
