"""Equal and nearly equal samples: where they are, and which training samples they affect."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import SPLITS, Dataset
from mien.data.likeness import CORRELATION, DISTANCE, check_images, near_pairs
from mien.errors import DataError
from mien.extras import needs
from mien.words import kept, listed, say, words

logger = logging.getLogger(__name__)

NOT_A_FACE = "not a face"
HELD_OUT = "equals a held-out image"
TWO_LABELS = "two labels"
REPEATED = "repeated"
NEAR_HELD_OUT = "near copy of a held-out image"
FAULTS = (NOT_A_FACE, HELD_OUT, TWO_LABELS, REPEATED, NEAR_HELD_OUT)
"""Why a training sample is left out; if there are several reasons, the first one is given."""


@dataclass(frozen=True, slots=True)
class CopyCounts:
    """How many samples have copies.

    Args:
        groups: sets of two or more samples that are copies of one another.
        redundant: samples that could be removed while keeping one of each set.
        mixed_groups: sets whose samples have different labels.
        mixed_samples: samples in these.
    """

    groups: int
    redundant: int
    mixed_groups: int
    mixed_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCopies:
    """Copies among the samples of one group.

    Args:
        samples: of the group.
        equal_inside: those with an equal one in the group.
        equal_outside: those with an equal one in another group, or in none.
        near_inside: those with an equal or near one in the group; expected in a burst of one signer.
        near_outside: those with an equal or near one elsewhere.
    """

    samples: int
    equal_inside: int
    equal_outside: int
    near_inside: int
    near_outside: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Duplicates:
    """Which samples of a data set are copies of which.

    Args:
        dataset: the samples.
        equal: (N,) int64 number of the set of equal samples that each belongs to, from 0 in order of appearance.
        near: (P, 2) int64 pairs of such sets whose pictures are near copies but not equal.
    """

    dataset: Dataset
    equal: NDArray[np.int64]
    near: NDArray[np.int64]

    def members(self, *, near: bool) -> NDArray[np.int64]:
        """(N,) number of the set each sample belongs to.

        Args:
            near: join near copies too, and near copies of near copies.
        """
        if not near:
            return self.equal
        with needs("data"):
            from scipy.sparse import coo_array
            from scipy.sparse.csgraph import connected_components
        count = int(self.equal.max(initial=-1)) + 1
        graph = coo_array((np.ones(len(self.near), np.bool_), self.near.T), shape=(count, count))
        _, joined = connected_components(graph, directed=False)
        return np.asarray(joined[self.equal], np.int64)

    def counts(self, *, near: bool) -> CopyCounts:
        """Sets of copies and how many have different labels; `near` as in `members`."""
        of = self.members(near=near)
        sizes = np.bincount(of)
        kinds = np.unique(np.stack((of, self.dataset.labels)), axis=1)[0]
        mixed = np.bincount(kinds, minlength=len(sizes)) > 1
        return CopyCounts(
            groups=int((sizes > 1).sum()),
            redundant=int((sizes - 1).sum()),
            mixed_groups=int(mixed.sum()),
            mixed_samples=int(mixed[of].sum()),
        )

    def has_copy_in(self, mask: NDArray[np.bool_], *, near: bool) -> NDArray[np.bool_]:
        """(N,) whether another sample, one of those at which the (N,) mask is true, is a copy of each.

        Args:
            mask: among which samples to look.
            near: count near copies too (but not near copies of near copies).
        """
        count = int(self.equal.max(initial=-1)) + 1
        inside = np.bincount(self.equal[mask], minlength=count)
        has = inside[self.equal] > mask
        if near and len(self.near):
            one, other = self.near.T
            beside = np.bincount(one, weights=inside[other], minlength=count)
            beside += np.bincount(other, weights=inside[one], minlength=count)
            has |= beside[self.equal] > 0
        return np.asarray(has)

    def across_splits(self, *, near: bool) -> dict[str, dict[str, int]]:
        """Number of samples of each split that have a copy, other than themselves, in each split."""
        split = self.dataset.split
        present = [name for name in SPLITS if (split == name).any()]
        has = {name: self.has_copy_in(split == name, near=near) for name in present}
        return {of: {name: int(has[name][split == of].sum()) for name in present} for of in present}

    def by_group(self) -> dict[str, GroupCopies]:
        """For each named group of samples (a signer, a clip), how many have copies within it and outside it."""
        groups, found = self.dataset.groups, {}
        for name in np.unique(groups[groups != ""]):
            inside = groups == name
            found[str(name)] = GroupCopies(
                samples=int(inside.sum()),
                equal_inside=int(self.has_copy_in(inside, near=False)[inside].sum()),
                equal_outside=int(self.has_copy_in(~inside, near=False)[inside].sum()),
                near_inside=int(self.has_copy_in(inside, near=True)[inside].sum()),
                near_outside=int(self.has_copy_in(~inside, near=True)[inside].sum()),
            )
        return found

    def sets(self, *, near: bool) -> Iterator[NDArray[np.int64]]:
        """Positions of the samples in every set of two or more, in order of appearance."""
        of = self.members(near=near)
        order = np.argsort(of, kind="stable")
        starts = np.flatnonzero(np.diff(of[order], prepend=-1))
        found = [part for part in np.split(order, starts[1:]) if len(part) > 1]
        yield from sorted(found, key=lambda part: int(part[0]))


def find_duplicates(
    dataset: Dataset,
    *,
    distance: int = DISTANCE,
    correlation: float = CORRELATION,
    on_step: Callable[[int], None] | None = None,
) -> Duplicates:
    """Find equal pictures (every pixel) and near copies (see `mien.data.likeness`).

    Args:
        dataset: of (N, H, W[, 3]) uint8 pictures.
        distance: largest number of bits, of 64, in which the hashes of near copies differ.
        correlation: lowest correlation of the pixels of near copies.
        on_step: called with the number of different pictures compared so far.

    Raises:
        DataError: the samples are not pictures, or there are none.
    """
    if not len(dataset):
        raise DataError(f"{dataset.source or 'The data set'} has no samples to compare")
    check_images(dataset.samples, source=dataset.source)
    equal = equal_numbers(dataset)
    _, first = np.unique(equal, return_index=True)
    near = near_pairs(dataset.samples[first], distance=distance, correlation=correlation, on_step=on_step)
    return Duplicates(dataset=dataset, equal=equal, near=near)


def training_faults(dataset: Dataset, *, copies: Duplicates | None = None) -> NDArray[np.str_]:
    """Why each training sample should be left out: what misleads training, or measuring on the other splits.

    Left out are pictures marked as not a face, pictures that equal one in validation or test, pictures that have two
    labels within training, and all but the first of equal pictures.

    Args:
        dataset: its `not_a_face` marks are used if it has them.
        copies: of this data set; near copies of pictures in validation and test are then left out too.

    Returns:
        (N,) one of `FAULTS`, or an empty string for a sample that stays; all samples outside train stay.
    """
    train = dataset.split == "train"
    equal = equal_numbers(dataset) if copies is None else copies.equal
    faults = np.full(len(dataset), "", dtype=f"<U{max(map(len, FAULTS))}")

    def mark(spoiled: NDArray[np.bool_], why: str) -> None:
        faults[train & spoiled & (faults == "")] = why

    if dataset.not_a_face is not None:
        mark(dataset.not_a_face, NOT_A_FACE)
    mark(np.isin(equal, equal[~train]), HELD_OUT)
    kinds = np.unique(np.stack((equal[train], dataset.labels[train])), axis=1)[0]
    mark((np.bincount(kinds, minlength=len(equal)) > 1)[equal], TWO_LABELS)
    stays = np.flatnonzero(train & (faults == ""))
    _, first = np.unique(equal[stays], return_index=True)
    repeated = np.zeros(len(dataset), np.bool_)
    repeated[np.delete(stays, first)] = True
    mark(repeated, REPEATED)
    if copies is not None:
        mark(copies.has_copy_in(~train, near=True), NEAR_HELD_OUT)
    return faults


def clean_training(dataset: Dataset) -> Dataset:
    """Without the training samples that `training_faults` names; the other splits are unchanged."""
    faults = training_faults(dataset)
    train = dataset.split == "train"
    found = {fault: int((faults == fault).sum()) for fault in FAULTS if (faults == fault).any()}
    dropped = listed(say("data.reason", reason=words().label("reason", fault), n=n) for fault, n in found.items())
    stay = int((faults[train] == "").sum())
    logger.info("%s", say("train.cleaned", kept=stay, n=int(train.sum()), dropped=dropped or say("train.none_dropped")))
    return replace(dataset.where(faults == ""), source=kept("kept.cleaned", data=dataset.source))


def held_out_copies(dataset: Dataset) -> int:
    """Number of validation and test samples that equal a training sample in every pixel."""
    train, equal = dataset.split == "train", equal_numbers(dataset)
    return int(np.isin(equal[~train], equal[train]).sum())


def equal_numbers(dataset: Dataset) -> NDArray[np.int64]:
    """(N,) a number for each sample; samples equal in every pixel have the same one."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in sample_keys(dataset.samples)], np.int64)


def sample_keys(samples: NDArray[Any]) -> list[bytes]:
    """One for each of (N, ...) samples; those of equal samples, and no others, are equal."""
    return [hashlib.sha256(sample.tobytes()).digest() for sample in samples]
