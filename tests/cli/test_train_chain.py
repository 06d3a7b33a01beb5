"""`mien train --chain`: what is said before anything is read; `tests/train/test_chain.py` has what it trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

Run = Callable[..., object]


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is no data set: whoever reads it fails."""
    path = tmp_path_factory.mktemp("data") / "faces.npz"
    path.touch()
    return path


def test_a_dry_run_wants_data_that_is_there(mien: Run, tmp_path: Path) -> None:
    ended = mien("train", "--chain", "emotion_deeper", "--data", "nowhere.npz", "--out", tmp_path, "--dry-run")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "mien: nowhere.npz does not exist; check --data\n"


def test_a_dry_run_prints_the_order_and_reads_nothing(mien: Run, tmp_path: Path, data: Path) -> None:
    ended = mien("train", "--chain", "emotion_deeper", "--data", data, "--out", tmp_path, "--dry-run")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"1. emotion ({tmp_path / 'emotion'}): 42 epochs, from nothing",
        f"2. emotion_camera ({tmp_path / 'emotion_camera'}): 24 epochs, from emotion",
        f"3. emotion_deeper ({tmp_path / 'emotion_deeper'}): 18 epochs, from emotion_camera, emotion",
    ]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--dry-run",), "add --chain"),
        (("--chain", "--weights", "runs/x"), "--weights starts one run"),
        (("--chain", "--nodes", 2), "--nodes is for one run"),
        (("--chain", "--set", "network.weights=x"), "network.weights cannot be changed for a whole chain"),
    ],
)
def test_what_does_not_go_together_is_refused(
    mien: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = mien("train", "emotion_camera", "--data", "nowhere.npz", *words)
    assert ended.code in (1, 2)
    assert told in " ".join(ended.err.replace("│", " ").split())
    assert not any(tmp_path.iterdir())


def test_a_run_folder_with_other_files_is_refused(mien: Run, tmp_path: Path) -> None:
    (tmp_path / "emotion").mkdir()
    (tmp_path / "emotion" / "letter.txt").touch()
    ended = mien("train", "--chain", "emotion_camera", "--data", "nowhere.npz", "--out", tmp_path)
    assert ended.code == 2
    assert "holds files but no run of mien train" in ended.err
