"""Tables in a terminal of 60 columns, in both languages: no line is wider, and nothing is cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from mien.data.dataset import Dataset
from mien.labels import EMOTIONS

pytest.importorskip("matplotlib")

Run = Callable[..., Any]

WIDTH = 60


@pytest.fixture(params=["en", "zh"])
def narrow(request: pytest.FixtureRequest, mien: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a verb in a terminal of 60 columns, in each language; gives its lines of stdout."""
    monkeypatch.delenv("MIEN_PLAIN", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", str(WIDTH))

    def run(*words: object) -> list[str]:
        ended = mien(*words, "--language", request.param)
        assert ended.code == 0, ended.err
        lines: list[str] = ended.out.splitlines()
        return lines

    return run


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Faces with copies in two groups, one of them with a long name."""
    random = np.random.default_rng(0)
    count = 60
    samples = random.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    samples[40:44] = samples[:4]
    dataset = Dataset(
        samples=samples,
        labels=np.arange(count) % 7,
        split=np.array(["train"] * 40 + ["validation"] * 10 + ["test"] * 10),
        groups=np.where(np.arange(count) % 2, "anna", "the evening class of the second year"),
        label_set=EMOTIONS,
        source="faces",
    )
    path = tmp_path / "faces.npz"
    dataset.save(path)
    return path


def rows(lines: list[str]) -> list[str]:
    """The lines of tables: those with two or more columns."""
    return [line for line in lines if re.search(r"\S {2,}\S", line)]


def test_an_evaluation(narrow: Run, packed: Path, tmp_path: Path) -> None:
    lines = narrow("evaluate", "emotion_residual", "--data", packed, "--split", "test", "--out", tmp_path / "out")
    assert len(rows(lines)) >= 7
    assert max(map(cell_len, lines[:-1])) <= WIDTH, lines  # the last one is where the page is


def test_copies_in_a_data_set(narrow: Run, packed: Path) -> None:
    lines = narrow("data", "duplicates", packed)
    tables = rows(lines)
    assert max(map(cell_len, tables)) <= WIDTH, tables
    assert any("anna" in line for line in tables)
    named = re.findall(r"[a-z]+", "\n".join(lines).partition("anna")[2])
    assert named[:7] == ["the", "evening", "class", "of", "the", "second", "year"], "folded, not cut"


def test_the_layers_of_a_recipe(narrow: Run) -> None:
    pytest.importorskip("torch")
    lines = narrow("recipes", "show", "gesture_lite0")
    tables = [line for line in rows(lines) if line.startswith(("features.", "classifier."))]
    assert len(tables) > 100
    assert max(map(cell_len, tables)) <= WIDTH
    assert all(re.match(r"[a-z]+\.[\w.]+  ", line) for line in tables), "names of layers are whole"
