from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.clean import write_clean_list
from mien.data.hands import HELD_BACK, crowd_part
from mien.errors import DataError, UnreadableMedia
from mien.labels import EMOTIONS, GESTURES_5
from mien.pixels.boxes import RotatedRoi
from mien.pixels.images import write_image
from mien.recipes.recipe import Recipe, load_recipe
from mien.scene import Hand
from mien.train.corpus import CorpusPaths, load_corpus

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
        return Hand(box_xyxy=(0, 0, 8, 8), detection_score=0.9, side="right", landmarks_xyz=tuple(map(tuple, points)))

    def landmarks_in_roi(self, image_rgb: NDArray[np.uint8], _square: RotatedRoi) -> Hand:
        return self.landmarks_of_crop(image_rgb)


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


def test_a_recipe_with_contempt_takes_the_labels_of_ferplus(tiny_recipe: MakeRecipe, faces: CorpusPaths) -> None:
    recipe = replace(tiny_recipe(data={"clean": False}), label_set="emotions8")
    dataset = load_corpus(recipe, faces)
    assert dataset.label_set.name == "emotions8"
    assert dataset.names is not None
    assert dataset.names.tolist() == ["row 1", "row 2", "row 4", "row 5"], "row 3 is no face to the raters"
    assert dataset.labels.tolist() == [3, 3, 3, 3]


def test_faces_as_they_are_when_the_recipe_says_so(tiny_recipe: MakeRecipe, faces: CorpusPaths) -> None:
    assert len(load_corpus(tiny_recipe(data={"clean": False}), faces)) == 5
    # Without the votes nobody says what is no face, so only the copy is dropped.
    assert len(load_corpus(tiny_recipe(), CorpusPaths(data=faces.data))) == 4


def test_a_recipe_that_learns_from_votes_asks_for_them(tiny_recipe: MakeRecipe, faces: CorpusPaths) -> None:
    recipe = tiny_recipe(loss={"votes_weight": 0.5})
    with pytest.raises(DataError, match=r"add --set loss.votes_weight=0, or give .* --votes fer2013new\.csv"):
        load_corpus(recipe, CorpusPaths(data=faces.data))
    assert len(load_corpus(recipe, CorpusPaths(data=faces.data), to_train=False)), "a report needs no votes"


def own_pictures(root: Path, *parts: str) -> CorpusPaths:
    """Pictures of one's own: two of each of the seven labels in each part, which is a split or nothing."""
    for number, part in enumerate(parts):
        for label in EMOTIONS.labels:
            for i in range(2):
                path = root / "mine" / part / label / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image = np.random.default_rng([number, EMOTIONS.index(label), i]).integers(0, 255, (20, 20, 3))
                write_image(path, image.astype(np.uint8))
    return CorpusPaths(data=root / "mine")


@pytest.mark.parametrize(
    ("parts", "cures", "splits"),
    [
        (("train", "test"), ["loss.votes_weight=0", "data.split=merged"], {"train", "validation"}),  # as Kaggle has it
        (("Training", "Testing"), ["loss.votes_weight=0", "data.split=merged"], {"train", "validation"}),
        (("",), ["loss.votes_weight=0", "data.split=random"], {"train", "validation", "test"}),
        (("train",), ["loss.votes_weight=0", "data.split=random"], {"train", "validation", "test"}),
        (("val", "test"), ["loss.votes_weight=0", "data.split=random"], {"train", "validation", "test"}),
        (("train", "valid"), ["loss.votes_weight=0"], {"train", "validation"}),
        (("train", "val", "test"), ["loss.votes_weight=0"], {"train", "validation", "test"}),
    ],
)
@pytest.mark.parametrize("with_votes", [False, True])
def test_the_first_message_names_every_setting_that_cures_it_and_they_do(
    tmp_path: Path, faces: CorpusPaths, parts: tuple[str, ...], cures: list[str], splits: set[str], with_votes: bool
) -> None:
    paths = own_pictures(tmp_path, *parts)
    given = replace(paths, votes=faces.votes) if with_votes else paths
    with pytest.raises(DataError) as refused:
        load_corpus(load_recipe("emotion"), given)
    named = re.findall(r"--set (\S+=[^\s,;]+)", str(refused.value))
    assert named == cures
    assert ("leave out --votes" in str(refused.value)) == with_votes
    recipe = load_recipe("emotion", changes=dict(setting.split("=", 1) for setting in named))
    dataset = load_corpus(recipe, paths)
    assert set(dataset.split.tolist()) == splits


def test_a_recipe_without_votes_refuses_them_for_other_pictures(
    tiny_recipe: MakeRecipe, tmp_path: Path, faces: CorpusPaths
) -> None:
    paths = own_pictures(tmp_path, "train", "val")
    with pytest.raises(DataError, match=r"which mine is not: leave out --votes$"):
        load_corpus(tiny_recipe(), replace(paths, votes=faces.votes))
    assert len(load_corpus(tiny_recipe(), paths)) == 28


def gesture_recipe(**changes: Any) -> Recipe:
    plain = {"data.validation": "[]", "data.copies": "0", "data.composed": "0.0"}
    return load_recipe("gesture_four", changes=plain | changes)


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
    changes = {"data.leave_out": '["massey/hand9"]'}
    with pytest.raises(DataError, match="holds back massey/hand9, which does not exist; available: asl, massey/hand1,"):
        load_corpus(gesture_recipe(**changes), hands)


@pytest.mark.parametrize("names", [("own/V/V1", "own/A/A1", "mine/V/V1", "mine/A/A1"), ("own/V/V1", "own/A/A1") * 2])
def test_own_hands_are_told_how_to_be_split_and_so_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr("mien.train.corpus.HandDetector", FakeHands)
    for i, name in enumerate(names):
        path = tmp_path / "hands" / f"{name}{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.full((8, 8, 3), 10 + i, np.uint8))
    paths = CorpusPaths(data=tmp_path / "hands")
    with pytest.raises(DataError, match="holds back massey/hand5") as refused:
        load_corpus(load_recipe("gesture_four"), paths)
    words = shlex.split(str(refused.value).partition("e.g. ")[2])
    changes = dict(word.split("=", 1) for word in words if "=" in word)
    assert changes
    if "data.split" in changes:  # four pictures are few to draw from
        changes["data.fractions"] = "[0.25, 0.34]"
    changes["data.composed"] = "0.0"  # needs all four gestures
    splits = load_corpus(load_recipe("gesture_four", changes=changes), paths).split.tolist()
    assert {"train", "validation"} <= set(splits)


def test_steps_are_counted_and_landmarks_kept(hands: CorpusPaths) -> None:
    steps: list[int] = []
    load_corpus(gesture_recipe(), hands, on_step=steps.append)
    assert steps == [1, 2, 3, 4, 5, 6]
    load_corpus(gesture_recipe(), hands, on_step=steps.append)
    assert len(steps) == 6


def test_copies_and_composed_hands_are_trained_on_only(hands: CorpusPaths) -> None:
    path = hands.data / "own/F/F1.png"
    path.parent.mkdir()
    write_image(path, np.full((8, 8, 3), 9, np.uint8))
    changes = {"data.leave_out": '["massey/hand1"]', "data.copies": "2", "data.composed": "0.5"}
    dataset = load_corpus(gesture_recipe(**changes), hands)
    train = dataset.split == "train"
    assert dataset.groups[~train].tolist() == ["massey/hand1"]
    assert train.sum() == round(1.5 * 3 * 6), "six pictures, two copies of each, and half as many composed"
    assert (dataset.groups == "composed").sum() == 9
    assert dataset.fingerprint() == load_corpus(gesture_recipe(**changes), hands).fingerprint()


def test_the_fifth_of_a_crowd_that_is_held_back_is_test_and_never_in_training(hands: CorpusPaths) -> None:
    """However the rest is split; a crowd has its own number of copies."""
    for name in "abcdefghij":
        path = hands.data / "many/palm" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.full((8, 8, 3), 100 + ord(name), np.uint8))
    crowd = {"data.crowds": '["many", "absent"]', "data.classes": '["palm=none"]', "data.limit": "2"}
    held = [crowd_part(f"{name}.png") == HELD_BACK for name in "abcdefghij"]
    for split in ("usage", "random"):
        changes = crowd | {"data.split": f'"{split}"', "data.copies": "3", "data.fractions": "[0.3, 0.3]"}
        dataset = load_corpus(gesture_recipe(**changes), hands)
        assert set(dataset.split[dataset.groups == f"many/{HELD_BACK}"]) == {"test"}
        assert (dataset.groups == f"many/{HELD_BACK}").sum() == sum(held)
        seen = np.array([group.startswith("many/part") for group in dataset.groups])
        assert seen.sum() == 10 - sum(held), "neither limited nor copied"
        assert {GESTURES_5.labels[i] for i in dataset.labels[seen]} == {"none"}
    changes = crowd | {"data.copies": "3", "data.crowd_copies": "2"}
    dataset = load_corpus(gesture_recipe(**changes), hands)
    seen = np.array([group.startswith("many/part") for group in dataset.groups])
    assert seen.sum() == 3 * (10 - sum(held)), "each picture and its two copies"
    assert (dataset.groups == f"many/{HELD_BACK}").sum() == sum(held), "what is held back has no copies"


def test_no_data(tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    for recipe in (tiny_recipe(), gesture_recipe()):
        with pytest.raises(UnreadableMedia, match="none"):
            load_corpus(recipe, CorpusPaths(data=tmp_path / "none"))


@pytest.fixture
def published(tmp_path: Path) -> CorpusPaths:
    """Seventy different images of seven emotions: 42 to train, 14 each to validate and test."""
    rows = [
        f"{i % 7},{' '.join([str(i)] * 2304)},{usage}"
        for i, usage in enumerate(["Training"] * 42 + ["PublicTest"] * 14 + ["PrivateTest"] * 14)
    ]
    (tmp_path / "published.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n", "utf-8")
    return CorpusPaths(data=tmp_path / "published.csv")


def of(paths: CorpusPaths, name: str = "emotion_tuned", **changes: str) -> Any:
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return load_corpus(load_recipe(name, changes=dotted), paths)


def test_six_classes_and_a_merged_test_split(published: CorpusPaths) -> None:
    dataset = of(published, "emotion_cnn3_elu")
    assert dataset.label_set.name == "emotions6"
    assert {split: sum(row.values()) for split, row in dataset.counts().items()} == {"train": 36, "validation": 24}
    assert dataset.counts()["train"] == dict.fromkeys(dataset.label_set.labels, 6)


def test_a_random_split_is_that_of_scikit_learn_and_its_seeds(published: CorpusPaths) -> None:
    first, again = (of(published, "emotion_cnn3_relu") for _ in range(2))
    other = of(published, "emotion_cnn3_relu", data__seeds="[7]")
    assert {split: sum(row.values()) for split, row in first.counts().items()} == {
        "train": 56,
        "validation": 7,
        "test": 7,
    }
    assert (first.split == again.split).all()
    assert (first.split != other.split).any()


def test_a_share_of_the_training_split_is_drawn_by_the_seed(published: CorpusPaths) -> None:
    dataset = of(published, data__share="0.5")
    assert {split: sum(row.values()) for split, row in dataset.counts().items()} == {
        "train": 21,
        "validation": 14,
        "test": 14,
    }
    assert set(dataset.names) == set(of(published, data__share="0.5").names)
    assert set(dataset.names) != set(of(published, data__share="0.5", fit__seed="2").names)


def test_a_clean_list_takes_the_place_of_the_recipes_own_rules(faces: CorpusPaths, tmp_path: Path) -> None:
    everything = of(faces)
    faults = np.where(everything.names == "row 3", "by hand", "")
    write_clean_list(tmp_path / "clean.csv", everything, faults)
    listed = of(replace(faces, clean_list=tmp_path / "clean.csv"), "emotion")
    assert "row 3" not in listed.names
    assert len(listed) == 4  # the repeated image stays: the list says so


def test_a_packed_set_holds_the_votes_a_recipe_needs(faces: CorpusPaths, tmp_path: Path) -> None:
    load_corpus(load_recipe("emotion", changes={"data.clean": "false"}), faces).save(tmp_path / "packed.npz")
    packed = of(CorpusPaths(data=tmp_path / "packed.npz"), "emotion")
    assert packed.votes is not None
    assert set(packed.names) == set(of(faces, "emotion").names)


def test_pictures_in_folders_are_kept_at_the_side_a_recipe_says(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        for i, label in enumerate(("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")):
            path = tmp_path / "set" / split / label / "1.png"
            path.parent.mkdir(parents=True)
            write_image(path, np.full((60, 60, 3), 30 * i, np.uint8))
    paths = CorpusPaths(data=tmp_path / "set")
    assert of(paths).samples.shape == (14, 48, 48)
    assert of(paths, data__side="20").samples.shape == (14, 20, 20)
