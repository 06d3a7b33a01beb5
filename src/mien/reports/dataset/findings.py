"""What there is to say about a data set: numbers, and the sentence that sums up each of them."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import SPLITS, Dataset
from mien.errors import UnreadableMedia
from mien.pixels.images import picture_size_hw
from mien.words import listed, percent, say, words

_BALANCED = 1.5
"""Largest ratio of two class sizes that counts as about equal."""

_RARE = 4.0
"""Ratio to the largest class above which a class counts as rare."""


def present_splits(dataset: Dataset) -> list[str]:
    """The splits that have samples, in the usual order."""
    return [split for split in SPLITS if (dataset.split == split).any()]


def class_counts(dataset: Dataset) -> NDArray[np.int64]:
    """(S, L) number of samples of each existing split and each label."""
    return np.array([list(counts.values()) for counts in dataset.counts().values()], np.int64)


def balance_of_classes(dataset: Dataset) -> str:
    """Which class is rare, in train or otherwise in the first split."""
    split, counts, names = present_splits(dataset)[0], class_counts(dataset)[0], dataset.label_set.labels
    least, most = int(counts.argmin()), int(counts.argmax())
    if len(np.flatnonzero(counts)) == 1:
        return say("dataset.only_class", label=names[most], split=split)
    if not counts[least]:
        absent = listed(name for name, count in zip(names, counts, strict=True) if not count)
        share = percent(counts[most] / counts.sum())
        return say("dataset.no_pictures", labels=absent, split=split, most=names[most], share=share)
    ratio = counts[most] / counts[least]
    share = percent(counts[least] / counts.sum())
    if ratio <= _BALANCED:
        top = percent(counts[most] / counts.sum())
        return say("dataset.balanced", least=share, most=top, split=split)
    fewest = [name for name, count in zip(names, counts, strict=True) if count == counts[least]]
    fewer = {"share": share, "split": split, "ratio": ratio, "most": names[most]}
    is_rare, begun = ratio >= _RARE, words().begun
    if len(fewest) > 1:
        key = "dataset.classes_rare" if is_rare else "dataset.classes_smallest"
        return begun(say(key, labels=listed(fewest[:-1]), last=fewest[-1], **fewer))
    return begun(say("dataset.class_rare" if is_rare else "dataset.class_smallest", label=names[least], **fewer))


def balance_of_splits(dataset: Dataset) -> str:
    """How far apart the class shares of the splits are."""
    splits = present_splits(dataset)
    if len(splits) == 1:
        return say("dataset.nothing_to_measure" if "train" in splits else "dataset.nothing_to_train", split=splits[0])
    counts = class_counts(dataset)
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    apart = np.ptp(shares, axis=0)
    name, points = dataset.label_set.labels[int(apart.argmax())], apart.max()
    return say("dataset.splits_same" if points < 2 else "dataset.splits_different", points=points, label=name)


def brightness_and_contrast(dataset: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) mean and (N,) standard deviation of each picture's values, 0 to 255."""
    flat = dataset.samples.reshape(len(dataset), -1)
    return (
        np.array([row.mean() for row in flat], np.float64),
        np.array([row.std() for row in flat], np.float64),
    )


def spread_of(values: NDArray[np.float64], dataset: Dataset, kind: Literal["brightness", "contrast"]) -> str:
    """Which classes lie highest and lowest.

    Args:
        values: (N,) one for each sample, 0 to 255.
        dataset: the samples.
        kind: what the values are.
    """
    medians = {
        name: float(np.median(values[dataset.labels == i]))
        for i, name in enumerate(dataset.label_set.labels)
        if (dataset.labels == i).any()
    }
    top, bottom = max(medians, key=medians.__getitem__), min(medians, key=medians.__getitem__)
    if len(medians) == 1:
        return words().begun(say("dataset.one_median", label=top, median=medians[top]))
    ends = {"top": top, "high": medians[top], "bottom": bottom, "low": medians[bottom]}
    return words().begun(say(f"dataset.{kind}_spread", **ends))


def redundancy(equal: int, near: int) -> str:
    """How many pictures could go while one of each set of copies stays: of equal ones, and of equal or near ones."""
    if not near:
        return say("dataset.no_copy")
    return say("dataset.redundant", n=equal, near=near) if equal else say("dataset.near_only", near=near)


@dataclass(frozen=True, eq=False)
class Agreement:
    """How the labels compare with the votes of several raters.

    Args:
        matrices: (S, L, L) int64 number of samples by split, label, and the label with the most votes.
        tied: samples left out because two labels share the most votes.
        unvoted: samples left out because no vote was for a label of the set.
    """

    matrices: NDArray[np.int64]
    tied: int
    unvoted: int

    @property
    def matrix(self) -> NDArray[np.int64]:
        """(L, L) the same over all splits."""
        return np.asarray(self.matrices.sum(axis=0))


def recalls_of(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """(L + 1,) share of each row of an (L, L) matrix that lies on the diagonal, then of all; NaN for a row of zeros."""
    right = np.append(np.diagonal(matrix), np.trace(matrix))
    total = np.append(matrix.sum(axis=1), matrix.sum())
    out = np.full(len(total), np.nan)
    np.divide(right, total, out=out, where=total > 0)
    return out


def label_agreement(dataset: Dataset, votes: NDArray[np.float32]) -> Agreement:
    """Compare labels with the plurality of the votes, where one label alone has the most."""
    most = votes.max(axis=1, keepdims=True)
    voted = most[:, 0] > 0
    single = voted & ((votes == most).sum(axis=1) == 1)
    size, splits = len(dataset.label_set), present_splits(dataset)
    matrices = np.zeros((len(splits), size, size), np.int64)
    for matrix, split in zip(matrices, splits, strict=True):
        inside = single & (dataset.split == split)
        np.add.at(matrix, (dataset.labels[inside], votes[inside].argmax(axis=1)), 1)
    return Agreement(matrices, int((voted & ~single).sum()), int((~voted).sum()))


def agreement_of_labels(agreement: Agreement, splits: list[str], labels: tuple[str, ...]) -> str:
    """How far labels and votes agree, in each split, and for which labels most and least."""
    if not agreement.matrix.sum():
        return say("dataset.no_votes")
    *recalls, share = recalls_of(agreement.matrix)
    best, worst = int(np.nanargmax(recalls)), int(np.nanargmin(recalls))
    best_of, worst_of = {"best": labels[best], "most": percent(recalls[best])}, {"worst": labels[worst]}
    shares = [recalls_of(matrix)[-1] for matrix in agreement.matrices]
    of_splits = zip(splits, shares, strict=True)
    by_split = listed(
        say("dataset.split_share", split=name, share=percent(part)) for name, part in of_splits if part >= 0
    )
    extremes = {**best_of, **worst_of, "least": percent(recalls[worst])}
    return say("dataset.agreement", share=percent(share), splits=by_split, **extremes)


def group_counts(dataset: Dataset) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the groups, largest first, and (G, L) number of samples of each by label."""
    names = [str(name) for name in np.unique(dataset.groups) if name]
    counts = np.array(
        [np.bincount(dataset.labels[dataset.groups == name], minlength=len(dataset.label_set)) for name in names],
        np.int64,
    ).reshape(len(names), len(dataset.label_set))
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    return [names[i] for i in order], counts[order]


def balance_of_groups(names: list[str], counts: NDArray[np.int64], labels: tuple[str, ...]) -> str:
    """How much the largest group has, and whether a group lacks a class."""
    if len(names) == 1:
        return say("dataset.one_group", name=names[0])
    largest_share = percent(counts[0].sum() / counts.sum())
    largest = say("dataset.largest_group", name=names[0], share=largest_share, n=len(names))
    used = counts.sum(axis=0) > 0
    lacking = [(names[g], labels[i]) for g, i in np.argwhere(counts == 0) if used[i]]
    if not lacking:
        return say("dataset.every_class", largest=largest)
    gaps = words().join("clauses", [say("dataset.gap", group=group, label=label) for group, label in lacking[:3]])
    if len(lacking) > 3:
        return say("dataset.gaps_more", largest=largest, gaps=gaps, n=len(lacking) - 3)
    return say("dataset.gaps", largest=largest, gaps=gaps)


def file_sizes_hw(folder: Path, dataset: Dataset) -> Counter[tuple[int, int]]:
    """How many of the files that samples were read from have which height and width; empty when there are no files.

    Args:
        folder: to which the samples' names are relative.
        dataset: read from files.
    """
    found: Counter[tuple[int, int]] = Counter()
    for i in range(len(dataset) if dataset.names is not None else 0):
        path = folder / dataset.name(i)
        if not path.is_file():
            continue
        with suppress(UnreadableMedia):
            found[picture_size_hw(path)] += 1
    return found


def spread_of_sizes(sizes_hw: Counter[tuple[int, int]]) -> str:
    """One size, or the range of sizes."""
    if len(sizes_hw) == 1:
        ((height, width),) = sizes_hw
        return say("dataset.one_size", width=width, height=height)
    ordered = sorted(sizes_hw, key=lambda size: (size[0] * size[1], size))
    (low_h, low_w), (high_h, high_w) = ordered[0], ordered[-1]
    least, most = {"width": low_w, "height": low_h}, {"most_width": high_w, "most_height": high_h}
    return say("dataset.size_range", n=len(sizes_hw), **least, **most)
