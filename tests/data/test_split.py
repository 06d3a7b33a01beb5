from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.data.split import split_at_random, split_by_group
from mien.errors import DataError
from mien.labels import GESTURES_5


def dataset(groups: list[str] | None = None, count: int = 1000) -> Dataset:
    return Dataset(
        samples=np.arange(count, dtype=np.float32)[:, None],
        labels=np.arange(count) % 5,
        split=np.full(count, "train", "<U10"),
        groups=np.array(groups or [""] * count),
        label_set=GESTURES_5,
        source="made up",
        caveats=("A caveat.",),
    )


def sizes(split: Dataset) -> tuple[int, int, int]:
    return tuple(int((split.split == part).sum()) for part in ("train", "validation", "test"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [((0.1, 0.1), (810, 90, 100)), ((0.0, 0.1), (900, 100, 0)), ((0.2, 0.0), (800, 0, 200)), ((0, 0), (1000, 0, 0))],
)
def test_the_first_share_is_of_all_and_the_second_of_the_rest(
    fractions: tuple[float, float], expected: tuple[int, int, int]
) -> None:
    split = split_at_random(dataset(), fractions=fractions)
    assert sizes(split) == expected
    assert split.caveats == ("A caveat.",)
    np.testing.assert_array_equal(split.samples, dataset().samples, "samples stay in their order")


def test_the_draws_are_those_of_scikit_learn() -> None:
    from sklearn.model_selection import train_test_split

    rest, test = train_test_split(np.arange(1000), test_size=0.1, random_state=42)
    _, validation = train_test_split(rest, test_size=0.1, random_state=41)
    split = split_at_random(dataset(), fractions=(0.1, 0.1), seeds=(42, 41)).split
    assert np.flatnonzero(split == "test").tolist() == sorted(test)
    assert np.flatnonzero(split == "validation").tolist() == sorted(validation)


def test_seeds_decide() -> None:
    def parts(*seeds: int) -> list[list[int]]:
        split = split_at_random(dataset(), fractions=(0.1, 0.1), seeds=seeds).split
        return [np.flatnonzero(split == part).tolist() for part in ("test", "validation")]

    assert parts(1) == parts(1, 1)
    assert parts(1, 2)[0] == parts(1, 3)[0]
    assert parts(1, 2)[1] != parts(1, 3)[1]
    assert parts(2)[0] != parts(1)[0]


def test_an_earlier_split_is_forgotten() -> None:
    once = split_at_random(dataset(), fractions=(0.5, 0.5))
    assert sizes(split_at_random(once, fractions=(0.1, 0.1), seeds=(7,))) == (810, 90, 100)


@pytest.mark.parametrize("groups", [["ann"] * 1000, ["ann"] * 2 + [""] * 998, ["ann", "bo"] * 500])
def test_groups_are_not_torn_apart_unless_one_says_so(groups: list[str]) -> None:
    with pytest.raises(DataError, match=r"made up has samples of [12] groups? .*ann.* --i-know"):
        split_at_random(dataset(groups), fractions=(0.1, 0.1))
    split = split_at_random(dataset(groups), fractions=(0.1, 0.1), i_know=True)
    assert sizes(split) == (810, 90, 100)
    assert len(split.caveats) == 2
    assert "random" in split.caveats[1]


def test_groups_of_one_are_no_groups() -> None:
    split = split_at_random(dataset([str(i) for i in range(1000)]), fractions=(0.1, 0.1))
    assert split.caveats == ("A caveat.",)


def test_too_few_samples() -> None:
    with pytest.raises(DataError, match="1 sample cannot be split"):
        split_at_random(dataset(count=1), fractions=(0.1, 0.1))


def test_whole_groups_move_together() -> None:
    groups = ["massey/hand1", "massey/hand2", "masseyish", "webcam"] * 250
    split = split_by_group(dataset(groups), validation=["massey"], test=["webcam"])
    assert set(zip(split.groups.tolist(), split.split.tolist(), strict=True)) == {
        ("massey/hand1", "validation"),
        ("massey/hand2", "validation"),
        ("masseyish", "train"),
        ("webcam", "test"),
    }


@pytest.mark.parametrize("names", [{"validation": ["hand9"]}, {"test": ["mass"]}])
def test_an_unknown_group_is_named(names: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"There is no data set or signer .*; available: massey/hand1, webcam"):
        split_by_group(dataset(["massey/hand1", "webcam"] * 500), **names)
