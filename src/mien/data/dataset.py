"""A whole data set in memory, and the one packed file that holds it."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien import wording
from mien.errors import DataError, UnreadableMedia
from mien.files.targets import output_error
from mien.files.whole import PartFile
from mien.labels import LABEL_SETS, LabelSet

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
PACKED_SUFFIX = ".npz"

_PACKED_VERSION = 1
_DAMAGE = (
    DataError,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a packed file raises if it is truncated, altered, or something else."""
_COLUMNS = ("labels", "split", "groups", "names", "votes", "not_a_face")


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Samples with labels, splits and groups as parallel arrays.

    Args:
        samples: (N, H, W[, 3]) uint8 images (grey, or RGB 0 to 255), or (N, ...) float32 features.
        labels: (N,) int64, positions in the label set.
        split: (N,) names of the split of each sample: train, validation or test.
        groups: (N,) names of who or what each sample belongs to (a signer, a clip); empty when unknown.
        label_set: the names.
        names: (N,) where each sample is from: a row of a table, a file's path within its set; distinct.
        votes: (N, L) float32 distribution over the label set by several raters, rows of zeros if there is none.
        not_a_face: (N,) bool, where raters saw no face.
        source: where the samples came from, for reports.
        caveats: what readers of any figure measured on this set must know, one sentence each.
    """

    samples: NDArray[Any]
    labels: NDArray[np.int64]
    split: NDArray[np.str_]
    groups: NDArray[np.str_]
    label_set: LabelSet
    names: NDArray[np.str_] | None = None
    votes: NDArray[np.float32] | None = None
    not_a_face: NDArray[np.bool_] | None = None
    source: str = ""
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.samples)
        for name, column in self._columns().items():
            if len(column) != count:
                raise DataError(f"a data set of {wording.count(count, 'sample')} came with {len(column)} {name}")
        if count and not (self.labels.min() >= 0 and self.labels.max() < len(self.label_set)):
            raise DataError(f"labels must lie between 0 and {len(self.label_set) - 1} for {self.label_set.name}")
        if self.votes is not None and self.votes.shape[1:] != (len(self.label_set),):
            raise DataError(
                f"votes have {wording.count(len(self.label_set), 'column')}, one per label; got {self.votes.shape}"
            )
        for split in np.unique(self.split):
            if split not in SPLITS:
                raise DataError(f"a split must be one of {', '.join(SPLITS)}, got {str(split)!r}")

    def __len__(self) -> int:
        return len(self.samples)

    def where(self, mask: NDArray[np.bool_]) -> Dataset:
        """The samples at which the (N,) mask is true, in their order; views of these arrays where they lie together."""
        rows = np.flatnonzero(mask)
        together = len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1
        chosen = slice(int(rows[0]), int(rows[-1]) + 1) if together else mask
        columns = {name: column[chosen] for name, column in self._columns().items()}
        return replace(self, samples=self.samples[chosen], **columns)

    def size(self, split: str) -> int:
        """How many samples a split has; raises DataError when there are none."""
        size = int(np.count_nonzero(self.split == split))
        if not size:
            raise DataError(f"the data set {self.source or '(unnamed)'} has no samples in its split {split!r}")
        return size

    def part(self, split: str) -> Dataset:
        """The samples of one split; raises DataError when there are none."""
        self.size(split)
        return self.where(self.split == split)

    def without(self, labels: Collection[str], *, label_set: LabelSet | None = None) -> Dataset:
        """The samples of all other labels, in a label set without these.

        Votes for the labels left out are dropped and the rest of each row is scaled to 1 again.

        Args:
            labels: names to leave out; an unknown one raises UnknownName.
            label_set: the set that remains; found among the known ones, or named after the present one, by default.
        """
        out = {self.label_set.index(label) for label in labels}
        kept = [i for i in range(len(self.label_set)) if i not in out]
        remaining = tuple(self.label_set.labels[i] for i in kept)
        if label_set is None:
            known = (known for known in LABEL_SETS.values() if known.labels == remaining)
            label_set = next(known, None) or LabelSet(f"{self.label_set.name}-{len(kept)}", remaining)
        part = self.where(np.isin(self.labels, kept))
        position = np.full(len(self.label_set), -1)
        position[kept] = np.arange(len(kept))
        votes = part.votes
        if votes is not None:
            votes = votes[:, kept]
            total = votes.sum(axis=1, keepdims=True)
            votes = np.divide(votes, total, out=np.zeros_like(votes), where=total > 0)
        return replace(part, labels=position[part.labels], label_set=label_set, votes=votes)

    def counts(self) -> dict[Split, dict[str, int]]:
        """Number of samples by split and label; splits without samples are absent."""
        labels = self.label_set.labels
        counted = {split: np.bincount(self.labels[self.split == split], minlength=len(labels)) for split in SPLITS}
        return {
            split: dict(zip(labels, numbers.tolist(), strict=True))
            for split, numbers in counted.items()
            if numbers.any()
        }

    def name(self, i: int) -> str:
        """Where sample i is from."""
        return f"sample {i}" if self.names is None else str(self.names[i])

    def fingerprint(self) -> str:
        """SHA-256 over samples, labels and splits: two runs with the same value saw the same data."""
        digest = hashlib.sha256()
        for array in (self.samples, self.labels, self.split.astype("S10")):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write everything to one packed file (an uncompressed .npz without pickles), completely or not at all.

        Raises:
            OutputError: the file cannot be written.
        """
        facts = {
            "version": _PACKED_VERSION,
            "label_set": self.label_set.name,
            "labels": self.label_set.labels,
            "mirror_safe": self.label_set.mirror_safe,
            "source": self.source,
            "caveats": self.caveats,
        }
        part = PartFile(path)
        try:
            with part.path.open("wb") as file:
                np.savez(file, facts=np.array(json.dumps(facts)), samples=self.samples, **self._columns())
        except BaseException as error:
            part.discard()
            if isinstance(error, OSError):
                raise output_error(path, error) from error
            raise
        part.commit()

    def _columns(self) -> dict[str, Any]:
        columns = {name: getattr(self, name) for name in _COLUMNS}
        return {name: column for name, column in columns.items() if column is not None}


def load_packed(path: str | Path) -> Dataset:
    """Read what `Dataset.save` wrote.

    Raises:
        UnreadableMedia: the file is missing, damaged, or not a packed data set.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableMedia(f"{path} is not a file; `mien data` writes packed data sets (.npz)")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            if facts["version"] != _PACKED_VERSION:
                raise UnreadableMedia(
                    f"{path} was packed in form {facts['version']}, this version of mien reads {_PACKED_VERSION}; "
                    "pack it again"
                )
            labels = tuple(facts["labels"])
            known = LABEL_SETS.get(facts["label_set"])
            return Dataset(
                samples=stored["samples"],
                **{name: stored[name] for name in _COLUMNS if name in stored},
                label_set=known
                if known is not None and known.labels == labels
                else LabelSet(facts["label_set"], labels, mirror_safe=facts["mirror_safe"]),
                source=facts["source"],
                caveats=tuple(facts["caveats"]),
            )
    except _DAMAGE as exc:
        raise UnreadableMedia(f"{path} is damaged or not a packed data set: {exc}; pack it again") from exc
