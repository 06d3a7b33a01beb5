from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.labels import GESTURES_5, LabelSet
from mien.pixels.images import write_image
from mien.reports.dataset import findings

THREE = LabelSet("three", ("a", "b", "c"))


def made(labels: list[int], splits: list[str] | None = None, **columns: Any) -> Dataset:
    count = len(labels)
    values: dict[str, Any] = {
        "samples": np.zeros((count, 4, 4), np.uint8),
        "labels": np.array(labels, np.int64),
        "split": np.array(splits or ["train"] * count),
        "groups": np.full(count, ""),
        "label_set": THREE,
    }
    return Dataset(**(values | columns))


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ((10, 10, 10), "The classes are about equal: each has 33.3 % to 33.3 % of train"),
        ((10, 12, 14), "The classes are about equal: each has 27.8 % to 38.9 % of train"),
        ((10, 20, 20), "A is the smallest class: 20.0 % of train, 2.0 times fewer than b"),
        ((2, 1, 97), "B is rare: 1.0 % of train, 97.0 times fewer than c"),
        ((10, 10, 20), "A and b are the smallest classes: 25.0 % of train each, 2.0 times fewer than c"),
        ((1, 98, 1), "A and c are rare: 1.0 % of train each, 98.0 times fewer than b"),
        ((0, 5, 5), "No pictures of a in train; b has the most, 50.0 %"),
        ((0, 0, 5), "Only one class, c, has pictures in train"),
    ],
)
def test_balance_of_classes(counts: tuple[int, int, int], says: str) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    assert findings.balance_of_classes(made(labels)) == says


def test_balance_is_told_of_train_or_of_what_there_is() -> None:
    both = made([0, 1, 2, 0, 0, 0, 0, 1, 2], ["train"] * 3 + ["test"] * 6)
    assert "of train" in findings.balance_of_classes(both)
    assert "of test" in findings.balance_of_classes(both.part("test"))


@pytest.mark.parametrize(
    ("labels", "splits", "says"),
    [
        (
            [0, 1, 0, 1],
            ["train", "train", "test", "test"],
            "nearly the same class shares: at most 0.0 points apart (a)",
        ),
        ([0, 1, 0, 0], ["train", "train", "test", "test"], "different class shares: at most 50.0 points apart (a)"),
        ([0, 1], ["train", "train"], "All pictures are in train: nothing is set apart to measure on"),
        ([0, 1], ["test", "test"], "All pictures are in test: nothing is set apart to train on"),
    ],
)
def test_balance_of_splits(labels: list[int], splits: list[str], says: str) -> None:
    assert findings.balance_of_splits(made(labels, splits)).endswith(says)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_brightness_and_contrast_are_mean_and_deviation(channels: tuple[int, ...]) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (3, 5, 6, *channels), dtype=np.uint8)
    brightness, contrast = findings.brightness_and_contrast(made([0, 1, 2], samples=samples))
    for i in range(3):
        assert brightness[i] == pytest.approx(samples[i].astype(float).mean())
        assert contrast[i] == pytest.approx(samples[i].astype(float).std())


def test_spread_names_the_ends() -> None:
    values = np.array([10.0, 20, 30, 200])
    sentence = findings.spread_of(values, made([0, 0, 1, 2]), "brightness")
    assert sentence == "C is the brightest class (median 200 of 255), a the darkest (15)"
    assert findings.spread_of(values[:2], made([0, 0]), "contrast") == "A has a median of 15 of 255"


def test_agreement_counts_single_winners_only() -> None:
    votes = np.array([[1, 0, 0], [0.2, 0.8, 0], [0.5, 0.5, 0], [0, 0, 0], [0, 0.1, 0.9]], np.float32)
    dataset = made([0, 0, 0, 1, 2], ["train", "train", "train", "train", "test"], votes=votes)
    agreement = findings.label_agreement(dataset, votes)
    assert agreement.matrices.tolist() == [
        [[1, 1, 0], [0, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 1]],
    ]
    assert (agreement.tied, agreement.unvoted) == (1, 1)
    *recalls, share = findings.recalls_of(agreement.matrix)
    assert recalls[0] == 0.5
    assert np.isnan(recalls[1])
    assert share == pytest.approx(2 / 3)
    sentence = findings.agreement_of_labels(agreement, ["train", "test"], THREE.labels)
    assert sentence == (
        "Labels and votes agree on 66.7 % of the pictures (train 50.0 %, test 100.0 %): c 100.0 %, a 50.0 %"
    )


def test_agreement_without_any_vote() -> None:
    votes = np.zeros((2, 3), np.float32)
    agreement = findings.label_agreement(made([0, 1], votes=votes), votes)
    assert findings.agreement_of_labels(agreement, ["train"], THREE.labels).startswith("No picture")


def test_groups_are_counted_largest_first() -> None:
    dataset = made([0, 1, 1, 2, 0], groups=np.array(["x", "y", "y", "y", ""]))
    names, counts = findings.group_counts(dataset)
    assert names == ["y", "x"]
    assert counts.tolist() == [[0, 2, 1], [1, 0, 0]]
    assert findings.balance_of_groups(names, counts, THREE.labels) == (
        "y has 75.0 % of the pictures of 2 groups; y has no a, x has no b, x has no c"
    )


def test_groups_that_show_everything_one_group_and_none() -> None:
    even = np.array([[1, 1, 0], [2, 1, 0]])
    assert findings.balance_of_groups(["x", "y"], even, THREE.labels).endswith("every group shows every class")
    assert "they cannot show how a model does on others" in findings.balance_of_groups(["x"], even[:1], THREE.labels)
    many = np.eye(3, dtype=np.int64)
    assert findings.balance_of_groups(list("xyz"), many, THREE.labels).endswith("and 3 more such gaps")
    assert findings.group_counts(made([0, 1]))[0] == []


@pytest.mark.parametrize(
    ("equal", "near", "says"),
    [
        (0, 0, "No picture is a copy of another"),
        (0, 4, "No picture equals another; 4 redundant if near copies count too"),
        (1000, 2000, "1,000 redundant exact copies; 2,000 redundant if near copies count too"),
    ],
)
def test_redundancy(equal: int, near: int, says: str) -> None:
    assert findings.redundancy(equal, near) == says


def test_sizes_of_files_are_read_and_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.zeros((5, 7, 3), np.uint8))
    write_image(tmp_path / "b.jpg", np.zeros((8, 6, 3), np.uint8))
    (tmp_path / "c.png").write_text("no picture")
    names = np.array(["a.png", "b.jpg", "c.png", "gone.png"])
    sizes = findings.file_sizes_hw(tmp_path, made([0, 1, 2, 0], names=names))
    assert sizes == {(5, 7): 1, (8, 6): 1}
    assert findings.spread_of_sizes(sizes) == "The files have 2 sizes, from 7 x 5 to 6 x 8 pixels"
    assert findings.spread_of_sizes(Counter({(5, 7): 3})) == "All files are 7 x 5 pixels"
    assert not findings.file_sizes_hw(tmp_path, made([0, 1]))


def test_counts_are_by_split_and_label() -> None:
    dataset = made([0, 4, 4, 1], ["train", "test", "test", "train"], label_set=GESTURES_5)
    assert findings.class_counts(dataset).tolist() == [[1, 1, 0, 0, 0], [0, 0, 0, 0, 2]]
    assert findings.present_splits(dataset) == ["train", "test"]
