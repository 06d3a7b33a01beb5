from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.labels import GESTURES


def dataset(**changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "samples": np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2),
        "labels": np.array([0, 1, 2, 3, 4, 0]),
        "split": np.array(["train", "train", "train", "validation", "test", "test"]),
        "groups": np.array(["a", "a", "b", "b", "c", "c"]),
        "label_set": GESTURES,
        "votes": np.eye(6, 5, dtype=np.float32),
        "source": "made up",
    }
    return Dataset(**(values | changes))


@pytest.mark.parametrize("column", ["labels", "split", "groups", "votes"])
def test_columns_have_as_many_rows_as_samples(column: str) -> None:
    with pytest.raises(DataError, match=f"6 samples came with 5 {column}"):
        dataset(**{column: getattr(dataset(), column)[:5]})


@pytest.mark.parametrize("label", [-1, 5])
def test_labels_are_of_the_label_set(label: int) -> None:
    with pytest.raises(DataError, match="between 0 and 4 for gestures"):
        dataset(labels=np.array([0, 1, 2, 3, 4, label]))


def test_votes_have_a_column_a_label() -> None:
    with pytest.raises(DataError, match="votes"):
        dataset(votes=np.zeros((6, 7), np.float32))


def test_splits_are_the_three_known_ones() -> None:
    with pytest.raises(DataError, match="'dev'"):
        dataset(split=np.array(["train"] * 5 + ["dev"]))


def test_a_part_keeps_rows_together_and_in_order() -> None:
    part = dataset().part("test")
    assert len(part) == 2
    assert part.labels.tolist() == [4, 0]
    assert part.groups.tolist() == ["c", "c"]
    np.testing.assert_array_equal(part.samples, dataset().samples[4:])
    assert part.votes is not None
    np.testing.assert_array_equal(part.votes, np.eye(6, 5)[4:])


def test_votes_may_be_missing() -> None:
    assert dataset(votes=None).part("train").votes is None


def test_a_split_without_samples_is_refused() -> None:
    with pytest.raises(DataError, match="made up has no samples in its split 'validation'"):
        dataset().where(np.array([True, True, True, False, True, True])).part("validation")


def test_an_empty_data_set_is_possible() -> None:
    assert len(dataset().where(np.zeros(6, bool))) == 0


def test_counts_by_split_and_label() -> None:
    assert dataset().counts() == {
        "train": {"loser": 1, "punch": 1, "super": 1, "victory": 0, "none": 0},
        "validation": {"loser": 0, "punch": 0, "super": 0, "victory": 1, "none": 0},
        "test": {"loser": 1, "punch": 0, "super": 0, "victory": 0, "none": 1},
    }
    assert list(dataset().part("test").counts()) == ["test"]


def test_the_fingerprint_changes_with_the_data_and_only_with_it() -> None:
    first = dataset()
    assert first.fingerprint() == dataset(source="elsewhere").fingerprint()
    # How wide the text column is stored is no change of the data.
    assert first.fingerprint() == replace(first, split=first.split.astype("<U20")).fingerprint()
    changed = {
        replace(first, samples=first.samples[::-1]).fingerprint(),
        replace(first, labels=first.labels[::-1]).fingerprint(),
        replace(first, split=first.split[::-1]).fingerprint(),
        first.where(first.split != "test").fingerprint(),
    }
    assert len(changed | {first.fingerprint()}) == 5
