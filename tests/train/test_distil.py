from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.errors import DataError, UnknownName
from mien.labels import EMOTIONS_6
from mien.recipes.recipe import Recipe
from mien.train.distil import kept_answers, soft_targets
from mien.train.fit import RunOptions, fit

MakeRecipe = Callable[..., Recipe]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: MakeRecipe, tiny_faces: Dataset) -> str:
    folder = tmp_path_factory.mktemp("teacher") / "run"
    fit(tiny_recipe(fit={"epochs": 6}), tiny_faces, RunOptions(out=folder, device="cpu", progress=False))
    return str(folder)


def test_answers_are_distributions_and_mostly_right(teacher: str, tiny_faces: Dataset) -> None:
    train = tiny_faces.part("train")
    answers = soft_targets(train, (teacher,))
    assert answers.shape == (140, 7)
    assert answers.dtype == np.float32
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert (answers.argmax(axis=1) == train.labels).mean() > 0.9
    assert np.allclose(soft_targets(train, (teacher, teacher)), answers, atol=1e-6)


def test_a_mirror_changes_no_answer(teacher: str, tiny_faces: Dataset) -> None:
    train = tiny_faces.part("train")
    mirrored = replace(train, samples=np.ascontiguousarray(train.samples[:, :, ::-1]))
    assert np.allclose(soft_targets(train, (teacher,)), soft_targets(mirrored, (teacher,)), atol=1e-5)


def test_run_folders_answer_in_the_precision_of_the_training(
    teacher: str, tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    train = tiny_faces.part("train")
    exact, rough = soft_targets(train, (teacher,)), soft_targets(train, (teacher,), bfloat16=True)
    assert 0 < np.abs(rough - exact).max() < 0.02
    recipe = tiny_recipe(fit={"epochs": 1, "precision": "bf16-mixed"}, loss={"teachers": [teacher]})
    options = RunOptions(out=tmp_path / "student", device="cpu", progress=False)
    fit(recipe, tiny_faces, options)
    np.testing.assert_array_equal(kept_answers(options.out, train), rough)


def test_a_student_believes_its_teacher_more_than_its_labels(
    teacher: str, tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path
) -> None:
    wrong = np.where(tiny_faces.split == "train", (tiny_faces.labels + 1) % 7, tiny_faces.labels)
    misled = replace(tiny_faces, labels=wrong)
    scores = {}
    for weight in (0.0, 1.0):
        recipe = tiny_recipe(fit={"epochs": 6}, loss={"teachers": [teacher], "teacher_weight": weight})
        out = tmp_path / str(weight)
        best = fit(recipe, misled, RunOptions(out=out, device="cpu", progress=False)).best_val_accuracy
        assert best is not None
        scores[weight] = best
    assert scores[1.0] > 0.85
    assert scores[0.0] < 0.3


def test_a_resumed_run_does_not_ask_its_teachers_again(
    teacher: str, tiny_recipe: MakeRecipe, tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(fit={"epochs": 2}, loss={"teachers": [teacher]})
    options = RunOptions(out=tmp_path / "run", device="cpu", progress=False)
    fit(recipe, tiny_faces, options)
    train = tiny_faces.part("train")
    np.testing.assert_array_equal(kept_answers(options.out, train), soft_targets(train, (teacher,)))

    def asked(*_: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr("mien.train.fit.soft_targets", asked)
    fit(recipe, tiny_faces, replace(options, resume=True))
    assert kept_answers(options.out, tiny_faces) is None, "another number of samples"
    (options.out / "teachers.npy").write_bytes(b"\x93NUMPY")
    assert kept_answers(options.out, train) is None


def test_a_teacher_with_other_labels_or_none_at_all(teacher: str, tiny_faces: Dataset, tmp_path: Path) -> None:
    train = tiny_faces.part("train")
    six = train.without(("disgust",), label_set=EMOTIONS_6)
    with pytest.raises(DataError, match=r"answers with angry, disgust, .* the recipe has angry, fear"):
        soft_targets(six, (teacher,))
    with pytest.raises(UnknownName, match="emotoin"):
        soft_targets(train, ("emotoin",))
    (tmp_path / "answers.csv").write_text("name,label\n", "utf-8")
    with pytest.raises(DataError, match="file of predictions"):
        soft_targets(train, (str(tmp_path / "answers.csv"),))
