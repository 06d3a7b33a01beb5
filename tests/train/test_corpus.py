from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import DataError, UnreadableMedia
from mien.pixels.images import write_image
from mien.scene import Hand
from mien.train.corpus import CorpusPaths, load_corpus
from mien.train.recipe import Recipe, load_recipe

MakeRecipe = Callable[..., Recipe]
ROW = " ".join(["7"] * 2304)
OTHER_ROW = " ".join(["8"] * 2304)
THIRD_ROW = " ".join(["9"] * 2304)


class FakeHands:
    def __enter__(self) -> FakeHands:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def landmarks_of_crop(self, crop_rgb: NDArray[np.uint8]) -> Hand:
        points = np.random.default_rng(int(crop_rgb[0, 0, 0])).uniform(1, 60, (21, 3)).tolist()
        return Hand(box_xyxy=(0, 0, 8, 8), score=0.9, side="right", landmarks_xyz=tuple(map(tuple, points)))


@pytest.fixture
def faces(tmp_path: Path) -> CorpusPaths:
    """Two equal training images, one that FER+ calls no face, and one each to validate and test."""
    (tmp_path / "fer.csv").write_text(
        "emotion,pixels,Usage\n"
        f"3,{ROW},Training\n3,{ROW},Training\n4,{OTHER_ROW},Training\n"
        f"3,{THIRD_ROW},PublicTest\n3,{THIRD_ROW},PrivateTest\n",
        "utf-8",
    )
    columns = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    rows = ["0,9,0,0,0,0,0,0,1,0", "0,9,0,0,0,0,0,0,1,0", "0,0,0,0,0,0,0,0,0,10", *["0,10,0,0,0,0,0,0,0,0"] * 2]
    (tmp_path / "votes.csv").write_text("\n".join([columns, *rows]) + "\n", "utf-8")
    return CorpusPaths(data=tmp_path / "fer.csv", votes=tmp_path / "votes.csv")


@pytest.fixture
def hands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CorpusPaths:
    monkeypatch.setattr("mien.train.corpus.HandDetector", FakeHands)
    names = ["asl/A/A1", "asl/A/A2", "own/V/V1", "massey/L/hand1_l_1", "massey/L/hand5_l_1", "massey/L/hand55_l_1"]
    for i, name in enumerate(names):
        path = tmp_path / "hands" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.full((8, 8, 3), i, np.uint8))
    return CorpusPaths(data=tmp_path / "hands", cache=tmp_path / "cache")


def split_of(recipe: Recipe, paths: CorpusPaths) -> dict[str, list[str]]:
    dataset = load_corpus(recipe, paths)
    return {group: dataset.split[dataset.groups == group].tolist() for group in np.unique(dataset.groups).tolist()}


def test_faces_are_cleaned_with_the_votes(tiny_recipe: MakeRecipe, faces: CorpusPaths) -> None:
    dataset = load_corpus(tiny_recipe(loss={"votes_weight": 0.5}), faces)
    assert dataset.split.tolist() == ["train", "validation", "test"]
    assert dataset.votes is not None
    assert dataset.votes[:, 3].tolist() == [1, 1, 1]


def test_faces_as_they_are_when_the_recipe_says_so(tiny_recipe: MakeRecipe, faces: CorpusPaths) -> None:
    assert len(load_corpus(tiny_recipe(data={"clean": False}), faces)) == 5
    # Without the votes nobody says what is no face, so only the copy is dropped.
    assert len(load_corpus(tiny_recipe(), CorpusPaths(data=faces.data))) == 4


def test_a_recipe_that_learns_from_votes_asks_for_them(tiny_recipe: MakeRecipe, faces: CorpusPaths) -> None:
    with pytest.raises(DataError, match=r"name fer2013new\.csv with --votes"):
        load_corpus(tiny_recipe(loss={"votes_weight": 0.5}), CorpusPaths(data=faces.data))


def gesture_recipe(**changes: Any) -> Recipe:
    return load_recipe("gesture", changes={"data.validation": "[]"} | changes)


def test_data_sets_and_signers_are_left_out_whole(hands: CorpusPaths) -> None:
    assert split_of(gesture_recipe(), hands) == {
        "asl": ["train", "train"],
        "massey/hand1": ["train"],
        "massey/hand5": ["train"],
        "massey/hand55": ["train"],
        "own": ["train"],
    }
    changes = {"data.leave_out": '["own", "massey/hand1"]', "data.validation": '["massey/hand5"]'}
    assert split_of(gesture_recipe(**changes), hands) == {
        "asl": ["train", "train"],
        "massey/hand1": ["test"],
        "massey/hand5": ["validation"],
        "massey/hand55": ["train"],
        "own": ["test"],
    }
    whole = split_of(gesture_recipe(**{"data.leave_out": '["massey"]'}), hands)
    assert {name: parts for name, parts in whole.items() if parts != ["train"] * len(parts)} == {
        f"massey/hand{i}": ["test"] for i in (1, 5, 55)
    }


def test_a_name_that_fits_nothing_is_refused(hands: CorpusPaths) -> None:
    with pytest.raises(DataError, match="called 'massey/hand9'; there is asl, massey/hand1,"):
        load_corpus(gesture_recipe(**{"data.leave_out": '["massey/hand9"]'}), hands)


def test_steps_are_counted_and_landmarks_kept(hands: CorpusPaths) -> None:
    steps: list[int] = []
    load_corpus(gesture_recipe(), hands, on_step=steps.append)
    assert steps == [1, 2, 3, 4, 5, 6]
    load_corpus(gesture_recipe(), hands, on_step=steps.append)
    assert len(steps) == 6


def test_no_data(tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    for recipe in (tiny_recipe(), gesture_recipe()):
        with pytest.raises(UnreadableMedia, match="none"):
            load_corpus(recipe, CorpusPaths(data=tmp_path / "none"))
