"""A whole data set in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError
from mien.labels import LabelSet

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Samples with labels, splits and groups as parallel arrays.

    Args:
        samples: (N, H, W[, 3]) uint8 images (grey, or RGB 0 to 255), or (N, F) float32 features.
        labels: (N,) int64, positions in the label set.
        split: (N,) names of the split of each sample: train, validation or test.
        groups: (N,) names of who or what each sample belongs to (a signer, a clip); empty when unknown.
        label_set: the names.
        votes: (N, L) float32 distribution over the label set by several raters, rows of zeros where there is none.
        source: where the samples came from, for reports.
    """

    samples: NDArray[Any]
    labels: NDArray[np.int64]
    split: NDArray[np.str_]
    groups: NDArray[np.str_]
    label_set: LabelSet
    votes: NDArray[np.float32] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        count = len(self.samples)
        columns = {"labels": self.labels, "split": self.split, "groups": self.groups}
        if self.votes is not None:
            columns["votes"] = self.votes
        for name, column in columns.items():
            if len(column) != count:
                raise DataError(f"a data set of {count} samples came with {len(column)} {name}")
        if count and not (self.labels.min() >= 0 and self.labels.max() < len(self.label_set)):
            raise DataError(f"labels lie between 0 and {len(self.label_set) - 1} for {self.label_set.name}")
        if self.votes is not None and self.votes.shape[1:] != (len(self.label_set),):
            raise DataError(f"votes have {len(self.label_set)} columns, one a label; got {self.votes.shape}")
        for split in np.unique(self.split):
            if split not in SPLITS:
                raise DataError(f"a split is one of {', '.join(SPLITS)}, got {str(split)!r}")

    def __len__(self) -> int:
        return len(self.samples)

    def where(self, mask: NDArray[np.bool_]) -> Dataset:
        """The samples at which the (N,) mask is true, in their order."""
        return replace(
            self,
            samples=self.samples[mask],
            labels=self.labels[mask],
            split=self.split[mask],
            groups=self.groups[mask],
            votes=None if self.votes is None else self.votes[mask],
        )

    def part(self, split: str) -> Dataset:
        """The samples of one split; raises DataError when there are none."""
        mask = self.split == split
        if not mask.any():
            raise DataError(f"the data set {self.source or '(unnamed)'} has no samples in its split {split!r}")
        return self.where(mask)

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of samples by split and label."""
        return {
            split: {
                label: int(((self.split == split) & (self.labels == i)).sum())
                for i, label in enumerate(self.label_set.labels)
            }
            for split in SPLITS
            if (self.split == split).any()
        }

    def fingerprint(self) -> str:
        """SHA-256 over samples, labels and splits: two runs with the same value saw the same data."""
        digest = hashlib.sha256()
        for array in (self.samples, self.labels, self.split.astype("S10")):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
