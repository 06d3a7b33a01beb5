"""Splitting a data set into train, validation and test."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.extras import needs
from mien.wording import count
from mien.words import kept


def split_at_random(
    dataset: Dataset, *, fractions: tuple[float, float], seeds: Sequence[int] = (1,), i_know: bool = False
) -> Dataset:
    """Every sample in a random split: first `fractions[0]` of all for test, then `fractions[1]` of the rest for
    validation, each drawn by scikit-learn's `train_test_split` (so that a published split can be reproduced).

    Args:
        dataset: the data set whose splits are replaced.
        fractions: share of all for test, and share of the rest for validation; each from 0 to below 1.
        seeds: for the first and the second draw; a single seed is used for both.
        i_know: split even though samples belong to groups (signers, clips); the data set then says so in its caveats.

    Raises:
        DataError: samples belong to groups and `i_know` is false, or a fraction leaves a split empty.
    """
    with needs("data"):
        from sklearn.model_selection import train_test_split
    names, sizes = np.unique(dataset.groups[dataset.groups != ""], return_counts=True)
    grouped = bool((sizes > 1).any())
    if grouped and not i_know:
        raise DataError(
            f"{dataset.source or 'The data set'} has samples of {count(len(names), 'group')} "
            f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''}); split at random, "
            "pictures of the same group end up in both train and test, so figures prove nothing. "
            "Split by group, or use --i-know, and every report will repeat this"
        )
    split = np.full(len(dataset), "train", "<U10")
    rest = np.arange(len(dataset))
    for part, fraction, seed in zip(("test", "validation"), fractions, (seeds[0], seeds[-1]), strict=True):
        if not fraction:
            continue
        try:
            rest, drawn = train_test_split(rest, test_size=fraction, random_state=seed)
        except ValueError as exc:
            raise DataError(
                f"{count(len(dataset), 'sample')} cannot be split by the fractions {fractions}: {exc}"
            ) from exc
        split[drawn] = part
    caveats = dataset.caveats
    if grouped:
        caveats += (kept("kept.random_groups"),)
    return replace(dataset, split=split, caveats=caveats)


def split_by_group(dataset: Dataset, *, validation: Collection[str] = (), test: Collection[str] = ()) -> Dataset:
    """Whole groups to validation and test, all others to train.

    Args:
        dataset: whose splits are replaced.
        validation: names of groups; a name also takes the groups below it (`massey` takes `massey/hand1`).
        test: names of groups, as above.

    Raises:
        DataError: a name fits no group.
    """
    split = np.full(len(dataset), "train", "<U10")
    for names, part in ((validation, "validation"), (test, "test")):
        for name in names:
            members = np.array([group == name or group.startswith(f"{name}/") for group in dataset.groups])
            if not members.any():
                there = ", ".join(sorted(set(dataset.groups.tolist()))) or "none"
                raise DataError(f"There is no data set or signer {name!r}; available: {there}")
            split[members] = part
    return replace(dataset, split=split)
