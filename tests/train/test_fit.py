from __future__ import annotations

import csv
import errno
import json
import logging
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mien.data.dataset import Dataset
from mien.errors import DataError, InputError, OutputError, RecipeError, RefusedOutput, TrainingStopped, UnknownName
from mien.labels import EMOTIONS, EMOTIONS_6, EMOTIONS_8, GESTURES_5, LabelSet
from mien.recipes.recipe import Recipe, changed_recipe, load_recipe
from mien.recipes.saved import saved_summary
from mien.train.fit import RunOptions, check_training, fit
from mien.train.learner import Learner
from mien.train.networks.network import Network
from mien.train.runs import run_recipe, trained_network

MakeRecipe = Callable[..., Recipe]

EVERYTHING: dict[str, Any] = {
    "augment": {"rotation": 10.0, "flip": True, "contrast": 0.2, "erasing": 0.2, "mixup": 0.2},
    "loss": {"label_smoothing": 0.1, "votes_weight": 0.5, "balance": 0.5},
    "fit": {"ema": 0.9, "sizes": [[12, 0.5], [16, 0.5]]},
}


def options(out: Path, **changes: Any) -> RunOptions:
    return RunOptions(out=out, device="cpu", progress=False, threads=1, **changes)


def interrupted_by(number: signal.Signals) -> Callable[..., torch.Tensor]:
    """A training step that gets a signal in the third epoch."""
    step = Learner.training_step

    def training_step(self: Learner, batch: Any, index: int) -> torch.Tensor:
        if (self.current_epoch, index) == (2, 1):
            signal.raise_signal(number)
        return step(self, batch, index)

    return training_step


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
    assert summary.best_val_accuracy >= 0.9
    assert summary.last["train_loss"] < 1.0  # chance is log 7 = 1.95

    assert saved_summary(json.loads((run / "summary.json").read_text("utf-8")), run) == summary
    assert (summary.train_samples, summary.validation_samples) == (140, 42)
    assert summary.data_sha256 == tiny_faces.fingerprint()
    assert summary.epochs == 6
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
    assert right.mean() == pytest.approx(summary.best_val_accuracy, abs=1e-4)


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
    augmented = Learner.as_trained

    def watching(self: Learner, samples: torch.Tensor) -> torch.Tensor:
        drawn.append(torch.rand(()).item())
        return augmented(self, samples)

    monkeypatch.setattr(Learner, "as_trained", watching)
    fit(tiny_recipe(fit={"epochs": 2}), tiny_faces, options(tmp_path))
    assert len(set(drawn)) == len(drawn) == 1 + 2 * 8  # one look at the first batch, for TensorBoard


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
    assert resumed.last == unbroken.last
    assert resumed.best_val_accuracy == unbroken.best_val_accuracy
    tables = [(tmp_path / name / "curves" / "metrics.csv").read_bytes() for name in ("broken", "unbroken")]
    assert curves(tmp_path / "broken") == curves(tmp_path / "unbroken")
    assert tables[0] == tables[1], "line ends too"


def test_the_time_of_earlier_starts_counts(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        break_in_epoch(patch, 1, 4)
        with pytest.raises(Broken):
            fit(tiny_recipe(), tiny_faces, options(run))
    path = run / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    kept = checkpoint["callbacks"]["EpochLines"]
    assert kept["seconds"] > 0, "one epoch was finished"
    kept["seconds"] += 1000
    torch.save(checkpoint, path)
    assert fit(tiny_recipe(), tiny_faces, options(run, resume=True)).seconds > 1000


class Episodes:
    """Code that a pickle runs when it is loaded: it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("form", ["pickle", "torch", "inside"])
def test_code_in_a_checkpoint_is_refused_and_not_run(
    form: str, tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    recipe, run, made = tiny_recipe(fit={"epochs": 1}), tmp_path / "run", tmp_path / "made"
    fit(recipe, tiny_faces, options(run))
    (run / "summary.json").unlink()
    for name in ("last", "best"):
        path = run / "checkpoints" / f"{name}.ckpt"
        if form == "pickle":
            path.write_bytes(pickle.dumps(Episodes(made)))
        elif form == "torch":
            torch.save(Episodes(made), path)
        else:
            torch.save({**torch.load(path, weights_only=True), "extra": Episodes(made)}, path)
    with pytest.raises(InputError, match=r"last\.ckpt is damaged, or holds more than weights.*not loaded"):
        fit(recipe, tiny_faces, options(run, resume=True))
    with pytest.raises(InputError, match=r"best\.ckpt is damaged, or holds more than weights.*not loaded"):
        trained_network(run)
    with pytest.raises(InputError, match=r"best\.ckpt is damaged, or holds more than weights.*not loaded"):
        fit(tiny_recipe(fit={"epochs": 1}, network={"weights": str(run)}), tiny_faces, options(tmp_path / "next"))
    assert not made.exists()


def test_a_folder_with_a_run_is_not_overwritten(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    recipe, run = tiny_recipe(fit={"epochs": 1}), tmp_path / "run"
    fit(recipe, tiny_faces, options(run))
    before = weights(run)
    with pytest.raises(RefusedOutput, match="already holds a run; continue it with --resume"):
        fit(recipe, tiny_faces, options(run))
    with pytest.raises(RefusedOutput, match="was started with other settings"):
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
    with pytest.raises(RefusedOutput, match=r"no checkpoint to resume from \(last.ckpt\); leave out --resume"):
        fit(recipe, tiny_faces, options(run, resume=True))
    with pytest.raises(InputError, match="no finished epoch yet"):
        trained_network(run)
    fit(recipe, tiny_faces, options(run))
    assert trained_network(run)[0] == recipe


def test_a_folder_without_a_run(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no trained run"):
        run_recipe(tmp_path)
    with pytest.raises(RefusedOutput, match=r"no checkpoint to resume from"):
        fit(tiny_recipe(), tiny_faces, options(tmp_path, resume=True))
    (tmp_path / "recipe.json").write_text('{"name": ', "utf-8")
    with pytest.raises(InputError, match=r"recipe\.json is damaged"):
        run_recipe(tmp_path)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(OutputError, match="cannot be created"):
        fit(tiny_recipe(), tiny_faces, options(tmp_path / "file" / "run"))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_both_splits_are_needed(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, split: str) -> None:
    with pytest.raises(DataError, match=f"no samples in its split '{split}'"):
        fit(tiny_recipe(), tiny_faces.where(tiny_faces.split != split), options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_data_of_another_form_is_refused_before_the_folder_is_made(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"takes samples of \(16, 16, 3\).* the data set has \(16, 16\)"):
        fit(tiny_recipe(input={"colour": "rgb"}), tiny_faces, options(tmp_path / "run"))
    few = tiny_faces.where(tiny_faces.labels < 5)
    with pytest.raises(DataError, match=r"learns emotions\. .* has labels of gestures"):
        fit(tiny_recipe(), replace(few, label_set=GESTURES_5, votes=None), options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_network_that_answers_one_label_only_is_told_of(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="mien"):
        fit(tiny_recipe(fit={"epochs": 1, "rate": 1e-9}), tiny_faces, options(tmp_path / "idle"))
        fit(tiny_recipe(fit={"epochs": 6}), tiny_faces, options(tmp_path / "learned"))
    lines = [record.getMessage() for record in caplog.records if "epoch" in record.getMessage()]
    assert re.search(rf"the network answers ({'|'.join(EMOTIONS.labels)}) only$", lines[0])
    assert "only" not in lines[-1]


def test_images_of_another_size_are_resized_on_the_device(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    for side in (12, 24):
        recipe = tiny_recipe(input={"size_hw": [side, side]}, fit={"epochs": 4})
        assert fit(recipe, tiny_faces, options(tmp_path / str(side))).best_val_accuracy > 0.5


@pytest.mark.parametrize("name", ["cnn3_relu", "step_base", "vgg16", "landmark_mlp"])
def test_a_network_made_for_other_images_is_refused(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, name: str
) -> None:
    with pytest.raises(RecipeError, match=f"The network {name} cannot take grey images of 16x16 pixels; change"):
        fit(tiny_recipe(network={"name": name}), tiny_faces, options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_images_too_small_for_the_network_at_the_start_are_refused(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    told = "The network residual_cnn cannot take grey images of 1x1 pixels; change fit.sizes, or name another network"
    recipe = tiny_recipe(fit={"sizes": [[1, 0.5], [16, 0.5]]})
    with pytest.raises(RecipeError, match=told):
        check_training(recipe, options(tmp_path / "run"))
    with pytest.raises(RecipeError, match=told):
        fit(recipe, tiny_faces, options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    check_training(tiny_recipe(fit={"sizes": [[2, 0.5], [16, 0.5]]}), options(tmp_path / "run"))


def test_views_in_turn_without_other_networks_are_refused_before_training(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    recipe = tiny_recipe(export={"mirror": "turns"})
    for call in (lambda: check_training(recipe, options(tmp_path)), lambda: fit(recipe, tiny_faces, options(tmp_path))):
        with pytest.raises(RecipeError, match=r'export\.mirror = "turns" .* name others in export\.partners'):
            call()
    check_training(tiny_recipe(export={"mirror": "turns", "partners": ["emotion_residual"]}), options(tmp_path))


@pytest.mark.parametrize("warm_up", [0.0, 0.125, 0.999])
def test_a_warm_up_of_any_length_ends_in_training(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, warm_up: float
) -> None:
    """0.125 is one of eight steps, for which torch divided by zero."""
    assert fit(tiny_recipe(fit={"epochs": 1, "warm_up": warm_up}), tiny_faces, options(tmp_path)).epochs == 1


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (EMOTIONS_6, "has labels of emotions6 and lacks disgust; add --set label_set=emotions6, or"),
        (EMOTIONS_8, "has labels of emotions8; add --set label_set=emotions8, or"),
        (GESTURES_5, "has labels of gestures; name a recipe for these"),
        (
            LabelSet("custom", (*EMOTIONS.labels[:5], "suprise", "bored")),
            "bars has the classes 'suprise', 'bored', which are none of emotions: .*Did you mean 'surprise'. Rename",
        ),
    ],
)
def test_labels_that_are_not_the_recipes_are_named_with_a_cure(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, labels: LabelSet, told: str
) -> None:
    data = replace(tiny_faces, label_set=labels, labels=np.arange(len(tiny_faces)) % len(labels), votes=None)
    with pytest.raises(DataError, match=f"The recipe tiny learns emotions. .*{told}"):
        fit(tiny_recipe(), data, options(tmp_path / "run"))
    if "add --set" in told:
        recipe = changed_recipe(tiny_recipe(fit={"epochs": 1}), {"label_set": labels.name})
        assert fit(recipe, data, options(tmp_path / "run")).epochs == 1


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (
            ("happy",),
            "bars has no pictures of angry, disgust, fear, sad, surprise, neutral; import pictures of all labels",
        ),
        (
            ("happy", "angry", "sad"),
            "bars has no pictures of disgust, fear, surprise, neutral; import pictures of all labels",
        ),
    ],
)
def test_of_few_classes_all_that_are_missing_are_named(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, there: tuple[str, ...], told: str
) -> None:
    """A folder of `happy` alone counts as labels of emotions6, but with that label set it would be refused as well."""
    labels = np.array([EMOTIONS_6.index(label) for label in there])[np.arange(len(tiny_faces)) % len(there)]
    few = replace(tiny_faces, label_set=EMOTIONS_6, labels=labels, votes=None)
    with pytest.raises(DataError) as refused:
        fit(tiny_recipe(), few, options(tmp_path / "run"))
    assert str(refused.value) == f"The recipe tiny learns emotions. {told}"


def test_a_missing_class_is_named(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    few = tiny_faces.where((tiny_faces.labels != 1) | (tiny_faces.split != "train"))
    with pytest.raises(DataError, match="training split of bars has no disgust"):
        fit(tiny_recipe(), few, options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_one_training_sample_is_too_few_for_batch_norm(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    one = replace(
        tiny_faces, label_set=LabelSet("emotions", ("angry",)), labels=np.zeros(len(tiny_faces), np.int64), votes=None
    )
    keep = tiny_faces.split != "train"
    keep[0] = True
    with pytest.raises(DataError, match="1 training sample is too few for batches of 16 on 1 device: batch norm"):
        fit(tiny_recipe(), one.where(keep), options(tmp_path / "run"))


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_and_names_the_batch(
    tiny_recipe: MakeRecipe,
    tiny_faces: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: float,
) -> None:
    step = Learner.training_step

    def breaking(self: Learner, batch: Any, index: int) -> torch.Tensor:
        loss = step(self, batch, index)
        return loss * broken if (self.current_epoch, index) == (1, 2) else loss

    monkeypatch.setattr(Learner, "training_step", breaking)
    with pytest.raises(TrainingStopped, match="in epoch 2, batch 3; the checkpoints of earlier epochs are kept"):
        fit(tiny_recipe(), tiny_faces, options(tmp_path))
    assert all(torch.isfinite(value).all() for value in weights(tmp_path).values())
    assert trained_network(tmp_path)[0] == tiny_recipe()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_its_epochs_and_goes_on(
    tiny_recipe: MakeRecipe,
    tiny_faces: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", interrupted_by(number))
        try:
            with pytest.raises(KeyboardInterrupt):
                fit(tiny_recipe(), tiny_faces, options(tmp_path))
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
    assert not (tmp_path / "summary.json").exists()
    assert fit(tiny_recipe(), tiny_faces, options(tmp_path, resume=True)).epochs == 3


def test_a_moved_run_goes_on_and_keeps_its_best_epoch(
    tiny_recipe: MakeRecipe,
    tiny_faces: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", interrupted_by(signal.SIGTERM))
        with pytest.raises(KeyboardInterrupt):
            fit(tiny_recipe(), tiny_faces, options(tmp_path / "before"))
    moved = (tmp_path / "before").rename(tmp_path / "after")
    last, best = (moved / "checkpoints" / f"{name}.ckpt" for name in ("last", "best"))
    checkpoint = torch.load(last, weights_only=True)
    (state,) = (
        each
        for each in checkpoint["callbacks"].values()
        if each.get("monitor") == "val_accuracy" and "kth_value" in each
    )
    state["kth_value"] = state["best_model_score"] = torch.tensor(0.999)  # no epoch of this run will be better
    state["best_k_models"] = dict.fromkeys(state["best_k_models"], state["kth_value"])
    torch.save(checkpoint, last)
    found = best.read_bytes()
    assert fit(tiny_recipe(), tiny_faces, options(moved, resume=True)).epochs == 3
    assert best.read_bytes() == found
    assert not [each for each in recwarn if "dirpath" in str(each.message)]


def test_a_device_that_is_not_there(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device that torch can use here; --device cpu or auto"):
        fit(tiny_recipe(), tiny_faces, replace(options(tmp_path / "run"), device="cuda"))
    with pytest.raises(UnknownName, match="no device 'gpu'"):
        fit(tiny_recipe(), tiny_faces, replace(options(tmp_path / "run"), device="gpu"))
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_network_is_refused(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    fit(tiny_recipe(fit={"epochs": 1}), tiny_faces, options(tmp_path))
    other = tiny_recipe(fit={"epochs": 1}, network={"widths": [4, 16]})
    (tmp_path / "recipe.json").write_text(json.dumps(other.to_dict()), "utf-8")
    with pytest.raises(InputError, match=r"best\.ckpt is damaged, or belongs to another recipe or version"):
        trained_network(tmp_path)
    (tmp_path / "checkpoints" / "best.ckpt").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"best\.ckpt is damaged"):
        trained_network(tmp_path)


def test_a_full_disk_at_a_checkpoint_keeps_the_one_before(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save
    saved: list[int] = []

    def filling(*args: Any, **kwargs: Any) -> None:
        saved.append(1)
        if len(saved) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", filling)
        with pytest.raises(OutputError, match=r"Cannot write .*checkpoints: the disk is full"):
            fit(tiny_recipe(), tiny_faces, options(tmp_path))
    assert trained_network(tmp_path)[0] == tiny_recipe()
    resumed = fit(tiny_recipe(), tiny_faces, options(tmp_path, resume=True))
    assert resumed.epochs == 3


def test_the_rate_falls_on_a_plateau_and_the_run_stops_early(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    noise = replace(tiny_faces, samples=np.full_like(tiny_faces.samples, 80))  # nothing to learn
    recipe = tiny_recipe(
        fit={
            "epochs": 40,
            "optimizer": "adam",
            "rate": 0.001,
            "schedule": "plateau",
            "plateau_patience": 1,
            "plateau_factor": 0.5,
            "least_rate": 0.0002,
            "stop_patience": 12,
        }
    )
    summary = fit(recipe, noise, options(tmp_path))
    rates = [float(row["lr"]) for row in curves(tmp_path) if row.get("lr")]
    assert summary.epochs < 40
    assert rates == sorted(rates, reverse=True)
    assert (rates[0], rates[-1]) == (pytest.approx(0.001), pytest.approx(0.0002))


def test_a_constant_rate_and_a_penalty_on_named_weights(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    norms = {}
    for l2 in (0.0, 1.0):
        recipe = tiny_recipe(
            input={"size_hw": [48, 48]},
            network={"name": "step_tuned"},
            loss={"l2": l2},
            fit={"epochs": 1, "optimizer": "adam", "rate": 0.001, "schedule": "constant"},
        )
        fit(recipe, tiny_faces, options(tmp_path / str(l2)))
        assert [float(row["lr"]) for row in curves(tmp_path / str(l2)) if row.get("lr")] == [pytest.approx(0.001)]
        network = trained_network(tmp_path / str(l2))[1]
        assert isinstance(network, Network)
        norms[l2] = sum(float(w.detach().square().sum()) for w in network.regularised())
    assert norms[1.0] < norms[0.0]


def test_training_accuracy_is_left_out_when_images_are_blended(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    plain = fit(tiny_recipe(), tiny_faces, options(tmp_path / "plain"))
    mixed = fit(tiny_recipe(augment={"mixup": 0.2}), tiny_faces, options(tmp_path / "mixed"))
    assert 0 < plain.last["train_accuracy"] <= 1
    assert "train_accuracy" not in mixed.last


@pytest.mark.slow
def test_two_processes_see_what_one_with_the_doubled_batch_sees(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    """No dropout and no augmentation, which each process draws for itself; batch norm sees half a batch in each."""
    same = {"network": {"dropout": 0.0}}
    one = fit(tiny_recipe(**same, fit={"epochs": 3, "batch": 20, "rate": 0.02}), tiny_faces, options(tmp_path / "one"))
    two = fit(
        tiny_recipe(**same, fit={"epochs": 3, "batch": 10, "rate": 0.02}),
        tiny_faces,
        options(tmp_path / "two", devices=2),
    )
    losses = {
        name: [float(row["train_loss"]) for row in curves(tmp_path / name) if row.get("train_loss")]
        for name in ("one", "two")
    }
    assert len(losses["one"]) == 3
    np.testing.assert_allclose(losses["one"], losses["two"], rtol=0.06)
    assert two.parameters == one.parameters
    # What other processes learned is in the summary of the first.
    assert two.epochs == 3
    accuracies = [float(row["val_accuracy"]) for row in curves(tmp_path / "two") if row.get("val_accuracy")]
    assert two.best_val_accuracy == round(max(accuracies), 5)
    assert two.last.keys() == one.last.keys()
    assert two.last["train_loss"] == round(losses["two"][-1], 5)
    before = (tmp_path / "two" / "summary.json").read_bytes()
    recipe = trained_network(tmp_path / "two")[0]
    assert fit(recipe, tiny_faces, options(tmp_path / "two", devices=2, resume=True)) == two
    assert (tmp_path / "two" / "summary.json").read_bytes() == before
    assert trained_network(tmp_path / "two")[0].fit.batch == 10


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_end(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    recipe = tiny_recipe(**EVERYTHING | {"fit": {"epochs": 6}})
    unbroken = fit(recipe, tiny_faces, options(tmp_path / "unbroken"))
    tiny_faces.save(tmp_path / "faces.npz")
    (tmp_path / "recipe.json").write_text(json.dumps(recipe.to_dict()), "utf-8")
    code = (
        "import json, sys, torch; from pathlib import Path; from mien.data.dataset import load_packed\n"
        "from mien.train.fit import RunOptions, fit; from mien.recipes.recipe import changed_recipe, recipe_from_dict\n"
        "from mien.train.learner import Learner; import time; torch.set_num_threads(1)\n"
        "step = Learner.training_step\n"
        "def slow(self, batch, index):\n    time.sleep(0.02); return step(self, batch, index)\n"
        "Learner.training_step = slow; here = Path(sys.argv[1])\n"
        "recipe = recipe_from_dict(json.loads((here / 'recipe.json').read_text()))\n"
        "options = RunOptions(out=here / 'killed', device='cpu', progress=False, threads=1)\n"
        "fit(recipe, load_packed(here / 'faces.npz'), options)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    try:
        curve = tmp_path / "killed" / "curves" / "metrics.csv"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (curve.is_file() and len(curve.read_text("utf-8").splitlines()) > 4):
            time.sleep(0.005)
    finally:
        process.kill()  # SIGKILL
        process.wait()
    assert not (tmp_path / "killed" / "summary.json").exists()
    resumed = fit(recipe, tiny_faces, options(tmp_path / "killed", resume=True))
    assert resumed.last == unbroken.last
    expected, got = weights(tmp_path / "unbroken"), weights(tmp_path / "killed")
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_gestures_are_learned_from_landmarks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    shapes = random.normal(0, 1, (5, 21, 3))
    labels = np.tile(np.arange(5), 40)
    dataset = Dataset(
        samples=(shapes[labels] + random.normal(0, 0.1, (200, 21, 3))).astype(np.float32),
        labels=labels,
        split=np.array(["train"] * 150 + ["validation"] * 50),
        groups=np.full(200, "a"),
        label_set=GESTURES_5,
        source="points",
    )
    changes = {"fit.epochs": "5", "fit.batch": "16", "network.widths": "[32]", "fit.rate": "0.01"}
    summary = fit(load_recipe("gesture_four", changes=changes), dataset, options(tmp_path / "run"))
    assert summary.last["val_accuracy"] >= 0.95
