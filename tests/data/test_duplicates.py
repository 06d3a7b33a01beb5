from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.clean import apply_clean_list, write_clean_list
from mien.data.dataset import Dataset, load_packed
from mien.data.duplicates import (
    HELD_OUT,
    NEAR_HELD_OUT,
    NOT_A_FACE,
    REPEATED,
    TWO_LABELS,
    Duplicates,
    clean_training,
    find_duplicates,
    held_out_copies,
    training_faults,
)
from mien.errors import DataError
from mien.labels import EMOTIONS
from mien.words import again, choose

TRAIN, VALIDATION, TEST = "train", "validation", "test"


def made(values: list[int], labels: list[int], splits: list[str], **columns: Any) -> Dataset:
    """Pictures of one shade each: equal values are equal pictures, different ones never near copies."""
    images = np.array(values, np.uint8)[:, None, None].repeat(4, axis=1).repeat(4, axis=2)
    return Dataset(
        samples=images,
        labels=np.array(labels),
        split=np.array(splits),
        **({"groups": np.full(len(values), ""), "label_set": EMOTIONS, "source": "made up"} | columns),
    )


def with_near_copies() -> Dataset:
    """Two scenes: the first in train and, darker, in test; the second twice in train, once of them with noise."""
    coarse = np.random.default_rng(0).integers(0, 256, (2, 7, 7), dtype=np.uint8)
    one, two = (cv2.resize(image, (48, 48), interpolation=cv2.INTER_CUBIC) for image in coarse)
    noisy = np.clip(two + np.random.default_rng(1).normal(0, 5, two.shape), 0, 255).astype(np.uint8)
    return Dataset(
        samples=np.stack([one, (one * 0.8).astype(np.uint8), two, noisy]),
        labels=np.array([0, 0, 1, 2]),
        split=np.array([TRAIN, TEST, TRAIN, TRAIN]),
        groups=np.array(["a", "b", "b", "b"]),
        label_set=EMOTIONS,
    )


def found_in(dataset: Dataset) -> Duplicates:
    return find_duplicates(dataset)


def test_equal_pictures_are_counted_once_per_set() -> None:
    copies = found_in(made([1, 2, 1, 3, 1, 2], [0, 1, 0, 2, 3, 1], [TRAIN] * 6))
    assert copies.equal.tolist() == [0, 1, 0, 2, 0, 1]
    counts = copies.counts(near=False)
    assert (counts.groups, counts.redundant) == (2, 3)
    assert (counts.mixed_groups, counts.mixed_samples) == (1, 3)
    assert [found.tolist() for found in copies.sets(near=False)] == [[0, 2, 4], [1, 5]]


def test_nothing_is_found_where_nothing_is() -> None:
    copies = found_in(made([1, 2, 3], [0, 0, 1], [TRAIN, TEST, TEST]))
    for near in (False, True):
        assert copies.counts(near=near).redundant == 0
        assert list(copies.sets(near=near)) == []
        assert copies.across_splits(near=near) == {TRAIN: {TRAIN: 0, TEST: 0}, TEST: {TRAIN: 0, TEST: 0}}


def test_a_picture_is_no_copy_of_itself() -> None:
    across = found_in(made([1, 1, 2, 2, 2], [0] * 5, [TRAIN, TEST, VALIDATION, VALIDATION, TEST])).across_splits(
        near=False
    )
    assert across == {
        TRAIN: {TRAIN: 0, VALIDATION: 0, TEST: 1},
        VALIDATION: {TRAIN: 0, VALIDATION: 2, TEST: 2},
        TEST: {TRAIN: 1, VALIDATION: 1, TEST: 0},
    }


@pytest.mark.parametrize("near", [False, True])
def test_copies_across_splits_agree_with_counting_by_hand(near: bool) -> None:
    random = np.random.default_rng(3)
    dataset = made(
        random.integers(0, 60, 120).tolist(),
        random.integers(0, 3, 120).tolist(),
        random.choice([TRAIN, VALIDATION, TEST], 120).tolist(),
    )
    copies = found_in(dataset)
    of = copies.members(near=near)
    for a, row in copies.across_splits(near=near).items():
        for b, number in row.items():
            by_hand = sum(
                any(of[i] == of[j] and i != j and dataset.split[j] == b for j in range(120))
                for i in range(120)
                if dataset.split[i] == a
            )
            assert number == by_hand


def test_near_copies_join_sets_and_splits() -> None:
    copies = found_in(with_near_copies())
    assert copies.near.tolist() == [[0, 1], [2, 3]]
    assert copies.counts(near=False).redundant == 0
    near = copies.counts(near=True)
    assert (near.groups, near.redundant, near.mixed_groups, near.mixed_samples) == (2, 2, 1, 2)
    assert copies.across_splits(near=True) == {TRAIN: {TRAIN: 2, TEST: 1}, TEST: {TRAIN: 1, TEST: 0}}
    assert [found.tolist() for found in copies.sets(near=True)] == [[0, 1], [2, 3]]


def test_near_copies_of_near_copies_are_one_set() -> None:
    dataset = made([1, 2, 3, 4], [0] * 4, [TRAIN] * 4)
    chain = Duplicates(dataset=dataset, equal=np.arange(4), near=np.array([[0, 1], [1, 2]]))
    assert [found.tolist() for found in chain.sets(near=True)] == [[0, 1, 2]]
    ends = np.array([True, False, False, False])
    assert chain.has_copy_in(ends, near=True).tolist() == [False, True, False, False], "only neighbours are near"


def test_groups_tell_bursts_from_strangers() -> None:
    groups = found_in(with_near_copies()).by_group()
    assert list(groups) == ["a", "b"]
    assert (groups["a"].samples, groups["a"].near_inside, groups["a"].near_outside) == (1, 0, 1)
    assert (groups["b"].samples, groups["b"].near_inside, groups["b"].near_outside) == (3, 2, 1)
    assert (groups["b"].equal_inside, groups["b"].equal_outside) == (0, 0)


def test_no_groups_no_rows() -> None:
    assert found_in(made([1, 1], [0, 0], [TRAIN, TRAIN])).by_group() == {}


def test_an_empty_set_and_landmarks_are_refused() -> None:
    empty = made([1], [0], [TRAIN]).where(np.array([False]))
    with pytest.raises(DataError, match="made up has no samples"):
        find_duplicates(empty)
    landmarks = Dataset(
        samples=np.zeros((2, 21, 3), np.float32),
        labels=np.zeros(2, np.int64),
        split=np.array([TRAIN, TEST]),
        groups=np.array(["", ""]),
        label_set=EMOTIONS,
    )
    with pytest.raises(DataError, match="landmarks, not pictures"):
        find_duplicates(landmarks)


@pytest.mark.parametrize("splits", [[TRAIN, TRAIN], [TEST, TEST]])
def test_one_split_only(splits: list[str]) -> None:
    dataset = made([1, 1], [0, 0], splits)
    assert list(found_in(dataset).across_splits(near=True)) == [splits[0]]
    assert training_faults(dataset).tolist() == (["", REPEATED] if splits[0] == TRAIN else ["", ""])


@pytest.mark.parametrize(
    ("values", "labels", "splits", "no_face", "expected"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 2], [TRAIN, TRAIN, VALIDATION, TEST], [], ["", "", "", ""]),
        ([1, 2, 1], [0, 0, 0], [TRAIN, TRAIN, TEST], [], [HELD_OUT, "", ""]),
        ([1, 2, 1], [0, 0, 3], [TRAIN, TRAIN, VALIDATION], [], [HELD_OUT, "", ""]),
        ([1, 1, 1, 2], [0, 3, 0, 3], [TRAIN] * 4, [], [TWO_LABELS, TWO_LABELS, TWO_LABELS, ""]),
        ([5, 6, 5, 5], [1, 2, 1, 1], [TRAIN] * 4, [], ["", "", REPEATED, REPEATED]),
        ([1, 2, 3], [0] * 3, [TRAIN, TRAIN, TEST], [0, 2], [NOT_A_FACE, "", ""]),
        ([1, 1], [0, 0], [TRAIN, TRAIN], [0], [NOT_A_FACE, ""]),
        ([1, 1, 1, 1], [0, 1, 0, 1], [VALIDATION, VALIDATION, TEST, TEST], [], ["", "", "", ""]),
        ([1, 1, 1], [0, 1, 0], [TRAIN, TRAIN, TEST], [0], [NOT_A_FACE, HELD_OUT, ""]),
    ],
)
def test_why_a_training_sample_is_left_out(
    values: list[int], labels: list[int], splits: list[str], no_face: list[int], expected: list[str]
) -> None:
    marks = np.isin(np.arange(len(values)), no_face)
    assert training_faults(made(values, labels, splits, not_a_face=marks)).tolist() == expected


def test_near_copies_of_held_out_pictures_go_when_asked() -> None:
    dataset = with_near_copies()
    assert training_faults(dataset).tolist() == ["", "", "", ""]
    assert training_faults(dataset, copies=found_in(dataset)).tolist() == [NEAR_HELD_OUT, "", "", ""]


def flat(values: list[int], labels: list[int], splits: list[str]) -> Dataset:
    images = np.array(values, np.uint8)[:, None, None].repeat(4, axis=1).repeat(4, axis=2)
    return Dataset(
        samples=images,
        labels=np.array(labels),
        split=np.array(splits),
        groups=np.full(len(values), ""),
        label_set=EMOTIONS,
        source="made up",
    )


def kept(dataset: Dataset, not_a_face: NDArray[np.bool_] | None = None) -> list[int]:
    marked = dataset if not_a_face is None else replace(dataset, not_a_face=not_a_face)
    return clean_training(marked).samples[:, 0, 0].tolist()


def test_nothing_is_dropped_from_clean_data() -> None:
    assert kept(flat([1, 2, 3, 4], [0, 0, 1, 2], ["train", "train", "validation", "test"])) == [1, 2, 3, 4]


@pytest.mark.parametrize("held_out", ["validation", "test"])
def test_copies_of_held_out_images_are_dropped_from_training(held_out: str) -> None:
    dataset = flat([1, 2, 1], [0, 0, 0], ["train", "train", held_out])
    cleaned = clean_training(dataset)
    assert cleaned.samples[:, 0, 0].tolist() == [2, 1]
    assert cleaned.split.tolist() == ["train", held_out]


@pytest.mark.parametrize(
    ("language", "told", "source"),
    [
        ("en", "training images: 2 of 5 kept; dropped: equals a held-out image 1, repeated 2", "made up (cleaned)"),
        ("zh", "训练图片：5 张中保留 2 张；略去：与留作评测的图片相同 1、重复 2", "made up（清理过）"),
    ],
)
def test_what_was_dropped_is_said_in_words(
    language: str, told: str, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    choose(language)
    dataset = flat([1, 2, 2, 2, 3, 1], [0] * 6, ["train"] * 5 + ["test"])
    with caplog.at_level("INFO", "mien"):
        cleaned = clean_training(dataset)
        clean_training(flat([1, 2], [0, 0], ["train"] * 2))
    assert caplog.messages[0] == told
    assert caplog.messages[1].endswith({"en": "dropped: none", "zh": "略去：无"}[language])
    assert cleaned.source == "made up (cleaned)"  # data is English
    assert again(cleaned.source) == source


def test_all_images_with_two_labels_are_dropped() -> None:
    assert kept(flat([1, 1, 1, 2], [0, 3, 0, 3], ["train"] * 4)) == [2]


def test_the_first_of_equal_images_stays() -> None:
    dataset = flat([5, 6, 5, 5], [1, 2, 1, 1], ["train"] * 4)
    assert kept(dataset) == [5, 6]


def test_images_without_a_face_are_dropped_from_training_only() -> None:
    dataset = flat([1, 2, 3, 4], [0] * 4, ["train", "train", "validation", "test"])
    assert kept(dataset, np.array([True, False, True, True])) == [2, 3, 4]


def test_the_marks_of_the_data_set_itself_are_used(tmp_path: Path) -> None:
    dataset = flat([1, 2, 3, 4], [0] * 4, ["train", "train", "validation", "test"])
    marked = replace(dataset, not_a_face=np.array([True, False, True, True]))
    assert kept(marked) == [2, 3, 4]
    marked.save(tmp_path / "packed.npz")
    assert kept(load_packed(tmp_path / "packed.npz")) == [2, 3, 4]


def test_held_out_copies_are_counted() -> None:
    dataset = flat([1, 2, 1, 1, 3], [0] * 5, ["train", "train", "validation", "test", "test"])
    assert held_out_copies(dataset) == 2


def test_held_out_splits_stay_whole() -> None:
    dataset = flat([1, 1, 1, 1], [0, 1, 0, 1], ["validation", "validation", "test", "test"])
    assert kept(dataset) == [1, 1, 1, 1]


def test_one_pixel_makes_another_image() -> None:
    dataset = flat([1, 1], [0, 0], ["train", "train"])
    dataset.samples[1, 3, 3] = 2
    assert len(clean_training(dataset)) == 2


def test_cleaning_twice_changes_nothing_more() -> None:
    random = np.random.default_rng(0)
    splits = random.choice(["train", "validation", "test"], 300).tolist()
    dataset = flat(random.integers(0, 120, 300).tolist(), random.integers(0, 2, 300).tolist(), splits)
    once = clean_training(dataset)
    assert 0 < len(once) < 300
    assert clean_training(once).fingerprint() == once.fingerprint()


@pytest.mark.data
@pytest.mark.slow
def test_the_published_file(fer2013: Dataset, tmp_path: Path) -> None:
    dataset = fer2013
    assert dataset.not_a_face is not None
    copies = find_duplicates(dataset)
    # 1,853 in all. 13 of these show no face (11 of 12 that are blank, 2 of 3 that show the same thing), and there are
    # copies of FER2013 in which such pictures are compressed and no longer equal.
    faces = dataset.where(~dataset.not_a_face)
    assert len(faces) - len({image.tobytes() for image in faces.samples}) == 1_853 - 13
    assert 1_853 - 13 <= copies.counts(near=False).redundant <= 1_853
    across = copies.across_splits(near=False)
    assert across[TEST][TRAIN] == 288
    near = copies.across_splits(near=True)
    assert near[TEST][TRAIN] > across[TEST][TRAIN]
    faults = training_faults(dataset)
    assert (faults[dataset.split == TRAIN] == "").sum() == 26_775
    cleaned = clean_training(dataset)
    train, held_out = cleaned.part("train"), cleaned.where(cleaned.split != "train")
    assert (len(train), len(held_out)) == (26_775, 2 * 3_589)
    held_out_images = {image.tobytes() for image in held_out.samples}
    training_images = [image.tobytes() for image in train.samples]
    assert not held_out_images & set(training_images)
    assert len(set(training_images)) == len(training_images)
    write_clean_list(tmp_path / "clean.csv", dataset, faults)
    assert apply_clean_list(dataset, tmp_path / "clean.csv").fingerprint() == cleaned.fingerprint()
