"""tools/train_flagship.py and train_recorded.py on a few tiny pictures: they train and leave run folders."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.labels import EMOTIONS_8

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from mien.errors import RecipeError  # noqa: E402
from mien.recipes.recipe import load_recipe  # noqa: E402
from mien.train.fit import RunOptions, fit  # noqa: E402
from mien.train.runs import trained_network  # noqa: E402
from mien.train.start import ended  # noqa: E402

TOOL = Path(__file__).parents[2] / "tools" / "train_flagship.py"
SMALL = (
    "network.widths=[4,8]", "fit.batch=16", "fit.sizes=[]", "input.size_hw=[16,16]", "fit.precision='32-true'",
)  # fmt: skip

PLAIN = {"augment.zoom": "0.0", "augment.shift": "0.0", "augment.flip": "false"}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(TOOL.parent)
    return importlib.import_module("train_recorded")


def run(data: Path, out: Path, minutes: float, *more: str) -> subprocess.CompletedProcess[str]:
    changes = [part for change in SMALL for part in ("--set", change)]
    command = [sys.executable, str(TOOL), "--data", str(data), "--minutes", str(minutes), "--out", str(out)]
    return subprocess.run(
        [*command, "--device", "cpu", "--threads", "1", *changes, *more],
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )


@pytest.mark.slow
def test_teachers_and_student_in_two_calls(tiny_faces: Dataset, tmp_path: Path) -> None:
    data, out = tmp_path / "faces.npz", tmp_path / "out"
    tiny_faces.save(data)
    first = run(data, out, 1 / 600)  # too short for any run
    assert "call again to go on" in first.stderr
    plan = json.loads((out / "plan.json").read_text("utf-8"))
    names = [planned["name"] for planned in plan["runs"]]
    assert len(names) >= 6
    assert names[-2:] == ["student_1", "student_2"]
    assert len({name.partition("_")[0] for name in names[:3]}) == 3
    run(data, out, 30)
    rows = (out / "teachers.md").read_text("utf-8").splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == names
    assert json.loads((out / "plan.json").read_text("utf-8")) == plan
    answers = np.load(out / "results" / "answers.npz")
    assert answers["student_1_validation"].shape == (tiny_faces.size("validation"), 7)
    told = json.loads((out / "results" / "student_2.json").read_text("utf-8"))
    assert told["recipe.json"]["loss"]["teachers"] == [f"recipe:{name}" for name in names[:-2]]
    kept, whole = out / "results" / "student_1.ckpt", out / "student_1" / "checkpoints" / "last.ckpt"
    assert kept.stat().st_size < whole.stat().st_size


@pytest.mark.slow
def test_views_give_teachers_students_and_their_kin_of_other_labels(
    tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, ferplus, out, kept = (tmp_path / name for name in ("faces.npz", "ferplus.npz", "out", "kept"))
    tiny_faces.save(data)
    none = np.zeros((len(tiny_faces), 1), np.float32)
    votes = None if tiny_faces.votes is None else np.hstack([tiny_faces.votes, none])
    labels = np.where(np.arange(len(tiny_faces)) % 8 == 7, 7, tiny_faces.labels)
    replace(tiny_faces, labels=labels, label_set=EMOTIONS_8, votes=votes).save(ferplus)
    earlier = np.full((tiny_faces.size("train"), 7), 1 / 7, np.float32)
    np.save(tmp_path / "answers.npy", earlier)
    run(
        data, out, 0.1, "--views", "3", "--ferplus", str(ferplus), "--answers", str(tmp_path / "answers.npy"),
        "--results", str(kept), "--set", "data.clean=false",
    )  # fmt: skip
    trained = sorted(path.name for path in out.iterdir() if path.is_dir())
    students = [name for name in trained if name.startswith("student")]
    assert students == ["student_1", "student_1_ferplus", "student_2", "student_2_ferplus"]
    assert len(trained) == 6 + len(students)
    for name in trained:  # whole run folders: they are read as those of `mien train`
        recipe, network = trained_network(out / name)
        summary = ended(out / name)
        assert summary is not None
        assert summary.epochs == recipe.fit.epochs >= 1
        few = torch.zeros(2, 1, *recipe.input.size_hw)
        assert network(few).shape == (2, 8 if name.endswith("ferplus") else 7)
    assert trained_network(out / "student_2")[0].network.squeeze == 8
    monkeypatch.syspath_prepend(TOOL.parent)
    again = importlib.import_module("flagship_plan").unpack_results(kept, tmp_path / "again")
    assert [path.name for path in again] == students
    for path in again:
        one, other = (trained_network(folder / path.name)[1].state_dict() for folder in (out, tmp_path / "again"))
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_recorded_run_is_that_of_mien_train(tiny_faces: Dataset, tmp_path: Path, recorded: ModuleType) -> None:
    """Without augmentation the two learn the same: order, losses and choice are one."""
    recipe = load_recipe(
        "emotion_cnn6",
        changes={"fit.epochs": "2", "fit.batch": "16", "network.dropout": "0.0", "data.split": '"usage"', **PLAIN},
    )
    slow = fit(recipe, tiny_faces, RunOptions(out=tmp_path / "slow", device="cpu", progress=False))
    fast = recorded.fit_recorded(recipe, tiny_faces, tmp_path / "fast", device=torch.device("cpu"))
    assert fast.epochs == slow.epochs == 2
    assert fast.best_val_accuracy == slow.best_val_accuracy
    assert fast.last["train_loss"] == pytest.approx(slow.last["train_loss"], rel=1e-3)
    one, other = (trained_network(tmp_path / name)[1].state_dict() for name in ("slow", "fast"))
    assert all(torch.allclose(one[key], other[key], atol=1e-3) for key in one)


def test_recorded_passes_refuse_what_they_do_not_do(tiny_faces: Dataset, tmp_path: Path, recorded: ModuleType) -> None:
    with pytest.raises(RecipeError, match="needs `mien train`"):
        recorded.fit_recorded(load_recipe("emotion"), tiny_faces, tmp_path / "run", device=torch.device("cpu"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--minutes", "nan"), 2, "must be a number of minutes above 0, got nan"),
        (("--minutes", "1", "--set", "foo"), 2, "argument --set: must be KEY=VALUE, got foo"),
        (("--minutes", "1", "--set", "fit.epoch=3"), 2, "There is no setting in recipe.fit 'epoch'"),
        (("--minutes", "1"), 1, "/none.npz does not exist"),
    ],
)
def test_wrong_use_gets_a_sentence(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    command = [sys.executable, str(TOOL), "--data", str(tmp_path / "none.npz"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--device", "cpu", *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator")
def test_an_accelerator_that_is_not_there(tmp_path: Path) -> None:
    words = ["emotion", "--data", str(tmp_path / "none.npz"), "--out", str(tmp_path / "out"), "--device", "cuda"]
    command = [sys.executable, str(TOOL.parent / "train_recorded.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "torch finds no accelerator here" in done.stderr) == (2, True), done.stderr
