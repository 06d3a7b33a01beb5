"""What a verb says when it is interrupted is true: something is saved, or nothing is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.cli.console.interruption import SAVED, Interrupted, interruption_tells, told_of
from mien.data.dataset import Dataset

Run = Callable[..., Any]

SMALL = [
    *("--set", "network.widths=[4,8]", "--set", "fit.batch=16", "--set", "fit.sizes=[]", "--set", "fit.epochs=2"),
    *("--set", "input.size_hw=[16,16]", "--set", "fit.precision=32-true", "--device", "cpu", "--threads", "1"),
]


def stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def faces(tiny_faces: Dataset, tmp_path: Path) -> Path:
    tiny_faces.save(tmp_path / "faces.npz")
    return tmp_path / "faces.npz"


def test_the_innermost_knows_best() -> None:
    inner, outer = interruption_tells(lambda: "inner"), interruption_tells("outer")
    with pytest.raises(Interrupted) as caught, outer, inner:
        raise KeyboardInterrupt
    assert str(caught.value) == "inner"
    end = SystemExit(130)
    end.__context__ = caught.value
    assert told_of(end) == "inner"
    assert told_of(SystemExit(130)) == SAVED
    with pytest.raises(ValueError, match="other"), interruption_tells("outer"):
        raise ValueError("other")


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("mien.recipes.recipe.load_recipe", "no run was begun"),
        ("mien.train.corpus.load_corpus", "no epoch was finished, so there is nothing to resume"),
        ("mien.train.learner.Learner.training_step", "no epoch was finished, so there is nothing to resume"),
        ("mien.train.fit.keep_summary", "what was finished is saved"),
    ],
)
def test_a_training_says_whether_it_can_be_resumed(
    mien: Run, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, told: str
) -> None:
    pytest.importorskip("torch")
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(at, stop)
        ended = mien("train", "emotion", "--data", faces, "--out", run, *SMALL)
    assert (ended.code, ended.sentences[-1]) == (130, f"mien: interrupted; {told}.")
    assert (run / "checkpoints" / "last.ckpt").is_file() is (told == SAVED)
    assert run.exists() is ("training_step" in at or told == SAVED), "nothing stays of what was not begun"


def test_an_evaluation_without_a_report_says_so(
    mien: Run, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("evaluate", "emotion_residual", "--data", faces, "--split", "validation", "--out", tmp_path / "report")
    monkeypatch.setattr("mien.evaluation.predictions.answers_of_subject", stop)
    ended = mien(*words)
    assert (ended.code, ended.err) == (130, "mien: interrupted; no report was written.\n")
    assert not (tmp_path / "report").exists()


def test_an_exploration_without_a_page_says_so(
    mien: Run, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.reports.dataset.page.explore", stop)
    ended = mien("data", "explore", faces, "--out", tmp_path / "page.html")
    assert (ended.code, ended.err) == (130, "mien: interrupted; no page was written.\n")
    assert not (tmp_path / "page.html").exists()


def test_an_export_without_a_model_says_so(
    mien: Run, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("mien.train.corpus.load_corpus", stop)
    words = ("export", "emotion_residual", tmp_path / "model", "--data", faces, "--recipe", "emotion")
    ended = mien(*words)
    assert (ended.code, ended.err) == (130, "mien: interrupted; no model was written.\n")
    assert not (tmp_path / "model").exists()


def test_a_lesson_that_is_not_fitted_says_that_nothing_changed(
    mien: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.setattr("mien.teach.examples.takes_of", lambda *_, **__: [])
    monkeypatch.setattr("mien.teach.teach_takes", stop)
    ended = mien("teach", "wave", "--from", photo, "--model", tmp_path / "mine")
    assert (ended.code, ended.sentences[-1]) == (130, "mien: interrupted; the model is as it was.")
    assert not (tmp_path / "mine").exists()
