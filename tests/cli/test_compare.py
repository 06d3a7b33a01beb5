from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., object]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder without weights."""
    folder = tmp_path / "run"
    (folder / "curves").mkdir(parents=True)
    reference = {"ref": "A-emo2", "author_score": 0.656, "author_metric": "validation accuracy", "protocol": "90/10"}
    recipe = {"name": "cnn", "fit": {"epochs": 1}, "reference": reference}
    (folder / "recipe.json").write_text(json.dumps(recipe), "utf-8")
    (folder / "summary.json").write_text(json.dumps({"best_val_accuracy": 0.66, "seconds": 60.0}), "utf-8")
    (folder / "curves" / "metrics.csv").write_text("epoch,step,val_loss,val_accuracy\n0,9,1.0,0.66\n", "utf-8")
    return folder


def test_a_table_on_stdout_and_a_page(mien: Run, run: Path, tmp_path: Path) -> None:
    ended = mien("compare", run, "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("| name |")
    assert "65.6 % validation accuracy" in ended.out
    assert (tmp_path / "out" / "compare.md").read_text("utf-8") == ended.out
    assert "<svg" in (tmp_path / "out" / "compare.html").read_text("utf-8")


def test_the_document_of_rebuilt_systems(mien: Run, run: Path, tmp_path: Path) -> None:
    document = tmp_path / "docs" / "reproduction.md"
    ended = mien("compare", run, "--reproduction", document)
    assert ended.code == 0, ended.err
    text = document.read_text("utf-8")
    assert "| A-emo2 | `mien train cnn --data DATA` | 90/10 |" in text
    assert str(tmp_path) not in text, "no folder of this machine"


def test_figures_for_the_list_of_recipes(mien: Run, run: Path, tmp_path: Path) -> None:
    ended = mien("compare", run, "--measured", tmp_path / "new" / "measured.json")
    assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "new" / "measured.json").read_text("utf-8")) == {
        "cnn": {
            "accuracy": 0.66,
            "on": "validation, best epoch",
            "command": "mien train cnn --data DATA",
            "ref": "A-emo2",
            "author_score": 0.656,
        }
    }


def test_figures_of_other_recipes_stay_in_the_list(mien: Run, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    file.write_text('{"zebra": {"accuracy": 0.5}, "cnn": {"accuracy": 0.1}}', "utf-8")
    assert mien("compare", run, "--measured", file).code == 0
    figures = json.loads(file.read_text("utf-8"))
    assert list(figures) == ["cnn", "zebra"]
    assert (figures["cnn"]["accuracy"], figures["zebra"]) == (0.66, {"accuracy": 0.5})


def test_a_damaged_list_of_figures_is_left_as_it_is(mien: Run, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    file.write_text("{", "utf-8")
    ended = mien("compare", run, "--measured", file)
    assert (ended.code, ended.out) == (1, "")
    assert "is damaged" in ended.err
    assert file.read_text("utf-8") == "{"


def test_a_bad_folder_is_reported_and_the_rest_done(mien: Run, run: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "metrics.json").write_text("{", "utf-8")
    ended = mien("compare", tmp_path / "bad", run, tmp_path / "none")
    assert ended.code == 1
    assert len(ended.sentences) == 2
    assert "is damaged" in ended.sentences[0]
    assert "holds no run" in ended.sentences[1]
    assert "| cnn |" in ended.out


def test_damaged_curves_are_reported_and_the_rest_done(mien: Run, run: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(run, bad)
    (bad / "curves" / "metrics.csv").write_text("epoch,step\nx,\n", "utf-8")
    ended = mien("compare", bad, run)
    assert ended.code == 1
    assert len(ended.sentences) == 1
    assert "is damaged: its columns must hold numbers, but epoch does not" in ended.sentences[0]
    assert "| cnn |" in ended.out


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_notes_of_somebody_are_not_replaced_by_the_document(mien: Run, run: Path, tmp_path: Path, mark: str) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text(f"{mark}# Mine\n", "utf-8")
    ended = mien("compare", run, "--reproduction", notes, "--overwrite")
    assert (ended.code, ended.out) == (2, "")
    assert f"{notes} holds something other than what --reproduction writes; name another file." in ended.err
    assert notes.read_text("utf-8") == f"{mark}# Mine\n"
    notes.write_text(f"{mark}\n", "utf-8")
    assert mien("compare", run, "--reproduction", notes, "--overwrite").code == 0
    written = notes.read_text("utf-8")
    notes.write_text(f"{mark}{written}", "utf-8")
    assert mien("compare", run, "--reproduction", notes, "--overwrite").code == 0
    assert notes.read_text("utf-8") == written


def test_nothing_to_compare_writes_nothing(mien: Run, run: Path, tmp_path: Path) -> None:
    ended = mien("compare", tmp_path / "none", "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (1, "")
    assert not (tmp_path / "out").exists()
    recipe = json.loads((run / "recipe.json").read_text("utf-8"))
    del recipe["reference"]
    (run / "recipe.json").write_text(json.dumps(recipe), "utf-8")
    ended = mien("compare", run, "--reproduction", tmp_path / "r.md")
    assert ended.code == 1
    assert "no section [reference]" in ended.err
    assert not (tmp_path / "r.md").exists()
