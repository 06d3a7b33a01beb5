"""`mien train` and its folder: what cannot be trained into is refused before the data is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

Run = Callable[..., Any]


@pytest.fixture
def unread(tmp_path: Path) -> Path:
    """A file that is no data set: whoever reads it fails in another way than is tested here."""
    path = tmp_path / "unread.npz"
    path.touch()
    return path


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A folder with a run of other settings, as far as it is looked at before the data is read."""
    from mien.recipes.recipe import load_recipe

    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "last.ckpt").touch()
    recipe = load_recipe("emotion", changes={"fit.epochs": "3"})
    (run / "recipe.json").write_text(json.dumps(recipe.to_dict()), "utf-8")
    return run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "already holds a run; continue it with --resume or name another folder"),
        (("--resume",), "was started with other settings: fit.epochs was 3, now 42"),
    ],
)
def test_a_run_that_is_there_is_wrong_use(
    mien: Run, run_folder: Path, unread: Path, words: tuple[str, ...], told: str
) -> None:
    ended = mien("train", "emotion", "--data", unread, "--out", run_folder, *words)
    assert ended.code == 2
    (sentence,) = ended.sentences
    assert told in sentence


def test_nothing_to_resume_is_wrong_use_and_leaves_nothing(mien: Run, tmp_path: Path, unread: Path) -> None:
    ended = mien("train", "emotion", "--data", unread, "--out", tmp_path / "new", "--resume")
    assert ended.code == 2
    assert "has no checkpoint to resume from" in ended.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("below", ["", "run"])
def test_a_file_is_no_folder(mien: Run, tmp_path: Path, unread: Path, below: str) -> None:
    (tmp_path / "file").touch()
    ended = mien("train", "emotion", "--data", unread, "--out", tmp_path / "file" / below)
    assert (ended.code, ended.err) == (2, f"mien: --out {tmp_path / 'file'} is a file; name a folder.\n")


def test_a_folder_in_which_another_training_is_at_work_is_refused_at_once(
    mien: Run, tmp_path: Path, unread: Path
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from mien.train.start import held_run

    with held_run(tmp_path / "run"), ThreadPoolExecutor(1) as pool:
        ended = pool.submit(mien, "train", "emotion", "--data", unread, "--out", tmp_path / "run").result()
    assert ended.code == 2
    (sentence,) = ended.sentences
    assert "another run is writing it; name another folder or wait for that run" in sentence
