"""A run goes on with what it was started with, or not at all; `test_fit.py` has what it learns."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mien.data.dataset import Dataset
from mien.errors import InputError, RefusedOutput
from mien.files.locks import hold_folder
from mien.recipes.recipe import Recipe
from mien.recipes.saved import RunSummary
from mien.train.fit import RunOptions, fit
from mien.train.learner import Learner
from mien.train.runs import run_recipe
from mien.train.start import START_FILE, check_recipe, held_run, last_figures, reached_by

MakeRecipe = Callable[..., Recipe]


class PowerCut(Exception):
    pass


def options(out: Path, **changes: Any) -> RunOptions:
    return RunOptions(**{"out": out, "device": "cpu", "progress": False, "threads": 1} | changes)


def contents(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.fixture
def begun(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Recipe]:
    """A run of three epochs that was killed in its second."""
    step = Learner.training_step

    def breaking(self: Learner, batch: Any, index: int) -> torch.Tensor:
        if (self.current_epoch, index) == (1, 2):
            raise PowerCut
        return step(self, batch, index)

    run, recipe = tmp_path / "run", tiny_recipe()
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", breaking)
        with pytest.raises(PowerCut):
            fit(recipe, tiny_faces, options(run))
    return run, recipe


def test_a_finished_run_stays_as_it_is(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    summary = fit(tiny_recipe(), tiny_faces, options(tmp_path))
    before = contents(tmp_path)
    with caplog.at_level(logging.INFO, logger="mien"):
        assert fit(tiny_recipe(), tiny_faces, options(tmp_path, resume=True)) == summary
    assert contents(tmp_path) == before
    assert "is finished" in caplog.text


def fewer(dataset: Dataset) -> Dataset:
    """As after a clean list: a training sample less."""
    return dataset.where(np.arange(len(dataset)) != 3)


def other_pixel(dataset: Dataset) -> Dataset:
    samples = dataset.samples.copy()
    samples[0, 0, 0] ^= 1
    return replace(dataset, samples=samples)


def other_votes(dataset: Dataset) -> Dataset:
    assert dataset.votes is not None
    return replace(dataset, votes=dataset.votes[::-1].copy())


DATA = [
    (fewer, "it was trained on 140 samples of bars, now 139 of bars"),
    (other_pixel, r"the pictures, labels or splits of bars are different \(SHA-256 \w{12}\.\.\., now \w{12}\.\.\.\)"),
    (other_votes, "the raters' votes are different"),
    (lambda dataset: replace(dataset, votes=None), "the raters' votes are different"),
    (lambda dataset: replace(fewer(dataset), source="more"), "140 samples of bars, now 139 of more"),
]


@pytest.mark.parametrize(("changed", "told"), DATA)
@pytest.mark.parametrize("is_finished", [False, True])
def test_other_data_is_refused_at_once_with_what_differs(
    begun: tuple[Path, Recipe], tiny_faces: Dataset, changed: Callable[[Dataset], Dataset], told: str, is_finished: bool
) -> None:
    run, recipe = begun
    if is_finished:
        fit(recipe, tiny_faces, options(run, resume=True))
    before = contents(run)
    with pytest.raises(RefusedOutput, match=told):
        fit(recipe, changed(tiny_faces), options(run, resume=True))
    assert contents(run) == before


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"fit": {"epochs": 5}}, "fit.epochs was 3, now 5"),
        ({"fit": {"batch": 8}}, "fit.batch was 16, now 8"),
        ({"fit": {"precision": "bf16-mixed"}}, "fit.precision was '32-true', now 'bf16-mixed'"),
        ({"fit": {"sizes": [[8, 0.5], [16, 0.5]]}}, r"fit.sizes was \[\], now \["),
        ({"loss": {"balance": 0.5}, "augment": {"flip": True}}, "augment.flip was False, now True; loss.balance was"),
    ],
)
def test_other_settings_are_refused_and_each_is_named(
    begun: tuple[Path, Recipe], tiny_recipe: MakeRecipe, tiny_faces: Dataset, sections: dict[str, Any], told: str
) -> None:
    run, _ = begun
    with pytest.raises(RefusedOutput, match=f"was started with other settings: {told}"):
        fit(tiny_recipe(**sections), tiny_faces, options(run, resume=True))


def test_another_recipe_in_the_same_folder_is_named(begun: tuple[Path, Recipe], tiny_faces: Dataset) -> None:
    run, recipe = begun
    with pytest.raises(RefusedOutput, match="name was 'tiny', now 'other'"):
        fit(replace(recipe, name="other"), tiny_faces, options(run, resume=True))


@pytest.mark.parametrize("changes", [{"devices": 2}, {"nodes": 2}, {"devices": 3, "nodes": 2}])
def test_another_number_of_devices_is_refused_before_the_data_is_read(
    begun: tuple[Path, Recipe], tiny_faces: Dataset, changes: dict[str, int]
) -> None:
    run, recipe = begun
    now = changes.get("devices", 1) * changes.get("nodes", 1)
    with pytest.raises(RefusedOutput, match=f"it was trained on 1 device, now {now}"):
        check_recipe(run, recipe, devices=now)
    with pytest.raises(RefusedOutput, match=f"it was trained on 1 device, now {now}"):
        fit(recipe, tiny_faces, options(run, resume=True, **changes))


def test_another_precision_that_the_machine_chose_is_said(
    begun: tuple[Path, Recipe], tiny_faces: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    run, recipe = begun
    start = json.loads((run / START_FILE).read_text("utf-8"))
    (run / START_FILE).write_text(json.dumps(start | {"precision": "bf16-mixed"}), "utf-8")
    fit(recipe, tiny_faces, options(run, resume=True))
    assert "has been computed in bf16-mixed so far, and continues in 32-true" in caplog.text


@pytest.mark.parametrize("start", [None, {}, {"devices": "two", "data_sha256": None, "train_samples": [1]}])
def test_a_folder_of_an_earlier_version_goes_on_unless_its_steps_differ(
    begun: tuple[Path, Recipe], tiny_faces: Dataset, start: dict[str, Any] | None
) -> None:
    run, recipe = begun
    if start is None:
        (run / START_FILE).unlink()
    else:
        (run / START_FILE).write_text(json.dumps(start), "utf-8")
    with pytest.raises(RefusedOutput, match="an epoch had 8 steps, now 4: other samples or devices"):
        fit(recipe, tiny_faces, options(run, resume=True, devices=2))
    half = tiny_faces.where((np.arange(len(tiny_faces)) % 2 == 0) | (tiny_faces.split != "train"))
    with pytest.raises(RefusedOutput, match="an epoch had 8 steps, now 4"):
        fit(recipe, half, options(run, resume=True))
    assert fit(recipe, tiny_faces, options(run, resume=True)).epochs == 3


def test_an_earlier_versions_summary_tells_its_data(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    fit(tiny_recipe(), tiny_faces, options(tmp_path))
    (tmp_path / START_FILE).unlink()
    with pytest.raises(RefusedOutput, match="140 samples of bars, now 139 of bars"):
        fit(tiny_recipe(), fewer(tiny_faces), options(tmp_path, resume=True))
    (tmp_path / "summary.json").write_text('{"recipe": "tiny"}', "utf-8")
    assert fit(tiny_recipe(), tiny_faces, options(tmp_path, resume=True)) == RunSummary(recipe="tiny")


def test_a_run_killed_between_its_last_epoch_and_its_summary_gets_one(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    summary = fit(tiny_recipe(), tiny_faces, options(tmp_path))
    (tmp_path / "summary.json").unlink()
    again = fit(tiny_recipe(), tiny_faces, options(tmp_path, resume=True))
    assert again.last.keys() > {"train_loss", "val_accuracy", "lr"}
    expected = (summary.epochs, summary.best_val_accuracy, summary.last)
    assert (again.epochs, again.best_val_accuracy, again.last) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "recipe.json is damaged: it does not hold a table of settings"),
        ('{"name": "x"', "recipe.json is damaged"),
        ('{"name": "x"}', "recipe.json is not a recipe of this version of mien"),
        ('{"name": "x", "task": "emotion", "label_set": "emotions", "colour": 1}', "not a recipe of this version"),
        ('{"name": "x", "task": "emotion", "label_set": "emotions", "fit": {"warmth": 1}}', "There is no .*'warmth'"),
        ('{"name": "x", "task": "emotion", "label_set": "emotions", "fit": 3}', "not a recipe of this version"),
        ('{"name": "x", "task": "emotion", "label_set": "moods"}', "not a recipe of this version"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "recipe.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=told) as refused:
        run_recipe(tmp_path)
    assert str(tmp_path / "recipe.json") in str(refused.value)


def test_settings_that_an_earlier_version_had_not_are_the_defaults(begun: tuple[Path, Recipe]) -> None:
    run, recipe = begun
    kept = json.loads((run / "recipe.json").read_text("utf-8"))
    del kept["export"], kept["fit"]["ema"], kept["reference"]
    (run / "recipe.json").write_text("\ufeff" + json.dumps(kept), "utf-8")
    assert run_recipe(run) == recipe


def test_how_far_a_run_has_come(begun: tuple[Path, Recipe], tmp_path: Path) -> None:
    run, _ = begun
    reached = reached_by(run)
    assert reached is not None
    assert (reached.epochs, reached.steps) == (1, 8)
    assert reached.best == pytest.approx(last_figures(run)["val_accuracy"])
    assert reached_by(tmp_path) is None
    assert last_figures(tmp_path) == {}
    torch.save([1], run / "checkpoints" / "last.ckpt")
    with pytest.raises(InputError, match=r"last\.ckpt is damaged"):
        reached_by(run)


def test_checkpoints_without_the_last_one_lead_out_of_the_folder_and_stay(
    begun: tuple[Path, Recipe], tiny_faces: Dataset
) -> None:
    run, recipe = begun
    (run / "checkpoints" / "last.ckpt").unlink()
    before = contents(run)
    with pytest.raises(RefusedOutput, match=r"not last\.ckpt to continue from; move it away"):
        fit(recipe, tiny_faces, options(run))
    with pytest.raises(RefusedOutput, match=r"no checkpoint to resume from \(last\.ckpt\); move it away"):
        fit(recipe, tiny_faces, options(run, resume=True))
    assert contents(run) == before


def in_another_thread(call: Callable[[], object]) -> BaseException | None:
    """What a call raises in a thread of its own, which shares no held folder with this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).exception()


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_training_in_the_folder_is_refused_and_changes_nothing(
    begun: tuple[Path, Recipe], tiny_faces: Dataset, tmp_path: Path, resume: bool
) -> None:
    run, recipe = begun
    run = run if resume else tmp_path / "deep" / "new"
    with held_run(run):
        before = contents(run)
        refused = in_another_thread(lambda: fit(recipe, tiny_faces, options(run, resume=resume)))
        assert isinstance(refused, RefusedOutput)
        assert str(refused) == (
            f"Cannot write {run}: another run is writing it; name another folder or wait for that run."
        )
        assert contents(run) == before
    assert (tmp_path / "deep").exists() is False, "a folder in which nothing was written goes"
    assert fit(recipe, tiny_faces, options(run, resume=resume)).epochs == 3


def test_who_is_refused_does_not_remove_the_folder_of_the_first(
    tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    with held_run(tmp_path / "run"):
        for _ in range(2):
            assert in_another_thread(lambda: fit(tiny_recipe(), tiny_faces, options(tmp_path / "run"))) is not None
        assert (tmp_path / "run").is_dir()


def test_a_folder_that_its_holder_removed_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trainings: the second opens the folder just before the first, which has written nothing, removes it."""
    run, locks = tmp_path / "run", []

    def late(folder: Path) -> int | None:
        if not locks:
            folder.rmdir()
            folder.mkdir()
            other = os.open(tmp_path, os.O_RDONLY)  # a folder that is not this one
            locks.append(other)
            return other
        locks.append(held := hold_folder(folder))
        return held

    monkeypatch.setattr("mien.train.start.hold_folder", late)
    with held_run(run):
        assert len(locks) == 2
        assert run.is_dir()
        assert isinstance(in_another_thread(lambda: hold_folder(run)), RefusedOutput)


def test_the_hold_of_a_killed_process_is_gone(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from mien.train.start import held_run\n"
        "with held_run(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)\n"
    )
    run, recipe = tmp_path / "run", tiny_recipe(fit={"epochs": 1})
    process = subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(RefusedOutput, match="another run is writing it"):
            fit(recipe, tiny_faces, options(run))
        process.kill()
    assert fit(recipe, tiny_faces, options(run)).epochs == 1


def test_a_run_that_is_there_is_refused_before_teachers_are_asked(
    begun: tuple[Path, Recipe], tiny_recipe: MakeRecipe, tiny_faces: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = begun
    monkeypatch.setattr("mien.train.fit.soft_targets", lambda *_, **__: pytest.fail("the teachers were asked"))
    with pytest.raises(RefusedOutput, match="already holds a run"):
        fit(tiny_recipe(loss={"teachers": [str(run)]}), tiny_faces, options(run))


def test_a_file_is_no_run_folder(tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine", "utf-8")
    with pytest.raises(RefusedOutput, match="run is a file; name a folder"):
        fit(tiny_recipe(), tiny_faces, options(tmp_path / "run"))
    assert (tmp_path / "run").read_text("utf-8") == "mine"
