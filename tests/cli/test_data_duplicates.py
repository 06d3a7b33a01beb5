from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.data.clean import apply_clean_list
from mien.data.dataset import Dataset, load_packed
from mien.labels import EMOTIONS
from mien.pixels.images import write_image

Run = Callable[..., object]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Four scenes: 0 twice in train; 1 in train and test; 2 in train and, darker, in validation; 3 with two labels."""
    coarse = np.random.default_rng(0).integers(0, 256, (4, 7, 7), dtype=np.uint8)
    scenes = [cv2.resize(image, (48, 48), interpolation=cv2.INTER_CUBIC) for image in coarse]
    darker = (scenes[2] * 0.8).astype(np.uint8)
    path = tmp_path / "set.npz"
    Dataset(
        samples=np.stack([scenes[0], scenes[0], scenes[1], scenes[1], scenes[2], darker, scenes[3], scenes[3]]),
        labels=np.array([0, 0, 1, 1, 2, 2, 3, 4]),
        split=np.array(["train", "train", "train", "test", "train", "validation", "train", "train"]),
        groups=np.array(["x", "x", "x", "y", "x", "y", "x", "x"]),
        names=np.array([f"row {i}" for i in range(1, 9)]),
        not_a_face=np.zeros(8, bool),
        label_set=EMOTIONS,
        source="made up",
    ).save(path)
    return path


def words_of(text: str, start: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return line.split()


def test_the_report_says_what_there_is(mien: Run, packed: Path) -> None:
    ended = mien("data", "duplicates", packed)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("made up: 8 pictures (train 6, validation 1, test 1)")
    assert words_of(ended.out, "sets of copies")[-2:] == ["3", "4"]
    assert words_of(ended.out, "redundant copies")[-2:] == ["3", "4"]
    assert words_of(ended.out, "sets with different labels")[-2:] == ["1", "1"]
    assert words_of(ended.out, "pictures in these")[-2:] == ["2", "2"]
    assert "no face (FER+): 0 (train 0, validation 0, test 0)" in ended.out
    assert "for training: 2 of 6 stay" in ended.out
    for fault, count in (("equals a held-out image", "1"), ("two labels", "2"), ("repeated", "1")):
        assert words_of(ended.out, fault)[-1] == count
    assert max(map(len, ended.out.splitlines())) < 100


def test_json_holds_the_figures_and_the_names(mien: Run, packed: Path, tmp_path: Path) -> None:
    ended = mien("data", "duplicates", packed, "--json", "-")
    facts = json.loads(ended.out)
    assert facts["splits"] == {"train": 6, "validation": 1, "test": 1}
    assert facts["equal"]["across"]["test"] == {"train": 1, "validation": 0, "test": 0}
    assert facts["near"]["across"]["validation"] == {"train": 1, "validation": 0, "test": 0}
    assert facts["equal_sets"] == [["row 1", "row 2"], ["row 3", "row 4"], ["row 7", "row 8"]]
    assert facts["near_sets"] == [["row 1", "row 2"], ["row 3", "row 4"], ["row 5", "row 6"], ["row 7", "row 8"]]
    assert facts["groups"]["y"] == {
        "samples": 2, "equal_inside": 0, "equal_outside": 1, "near_inside": 0, "near_outside": 2,
    }  # fmt: skip
    ended = mien("data", "duplicates", packed, "--json", tmp_path / "facts.json")
    assert json.loads((tmp_path / "facts.json").read_text("utf-8")) == facts
    assert "sets of copies" in ended.out


@pytest.mark.parametrize(("words", "kept"), [((), 4), (("--near",), 3)])
def test_the_clean_list_is_what_training_reads(
    mien: Run, packed: Path, tmp_path: Path, words: tuple[str, ...], kept: int
) -> None:
    ended = mien("data", "duplicates", packed, "--write", tmp_path / "clean.csv", *words)
    assert ended.code == 0
    assert "clean.csv lists what training may use" in ended.err
    with (tmp_path / "clean.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["name", "split", "use", "reason"]
    assert sum(row["use"] == "yes" for row in rows) == kept
    assert len(apply_clean_list(load_packed(packed), tmp_path / "clean.csv")) == kept


def test_thresholds_decide_what_is_near(mien: Run, packed: Path) -> None:
    ended = mien("data", "duplicates", packed, "--likeness", "1", "--json", "-")
    facts = json.loads(ended.out)
    assert facts["near"]["groups"] == facts["equal"]["groups"]


def test_a_folder_with_a_bad_file_is_done_and_ends_in_one(mien: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for i, label in enumerate(("loser", "punch", "loser", "punch")):
        picture = cv2.resize(random.integers(0, 256, (5, 5, 3), dtype=np.uint8), (40, 40))
        write_image(tmp_path / "set" / label / f"{i}.png", picture)
        write_image(tmp_path / "set" / label / f"{i} again.png", picture)
    (tmp_path / "set" / "loser" / "bad.jpg").write_text("no picture")
    ended = mien("data", "duplicates", tmp_path / "set", "--json", "-")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "bad.jpg" in sentence
    facts = json.loads(ended.out)
    assert (facts["equal"]["groups"], facts["equal"]["redundant"]) == (4, 4)
    assert ["loser/0 again.png", "loser/0.png"] in [sorted(found) for found in facts["equal_sets"]]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("nothing.npz",), 1, "nothing.npz"),
        (("SET", "--colour", "red"), 2, "There is no colour 'red'"),
        (("SET", "--distance", "99"), 2, "--distance"),
        (("SET", "--ferplus", "nothing.csv"), 1, "nothing.csv"),
        (("SET", "--write", "SET/clean.csv"), 1, "Cannot write"),
    ],
)
def test_wrong_use(mien: Run, packed: Path, words: tuple[str, ...], code: int, says: str) -> None:
    ended = mien("data", "duplicates", *(word.replace("SET", str(packed)) for word in words))
    assert ended.code == code
    assert says in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("kind", ["landmarks", "empty"])
def test_what_is_no_set_of_pictures_is_refused(mien: Run, packed: Path, tmp_path: Path, kind: str) -> None:
    pictures = load_packed(packed)
    shown = pictures.where(np.zeros(8, bool))
    if kind == "landmarks":
        shown = Dataset(
            samples=np.zeros((2, 21, 3), np.float32), labels=np.zeros(2, np.int64), split=np.array(["train"] * 2),
            groups=np.array(["", ""]), label_set=EMOTIONS,
        )  # fmt: skip
    shown.save(tmp_path / "odd.npz")
    ended = mien("data", "duplicates", tmp_path / "odd.npz", "--write", tmp_path / "clean.csv")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert ("not pictures" if kind == "landmarks" else "no samples") in sentence
    assert not (tmp_path / "clean.csv").exists()
