"""FER+ (Barsoum et al. 2016): ten raters' votes for every FER2013 image."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.data.duplicates import equal_numbers
from mien.data.readers.archives import column_words
from mien.errors import DataError, UnreadableMedia
from mien.labels import EMOTIONS, FERPLUS_COLUMNS, LabelSet

UNCLEAR = -1
"""Stands for the label if raters chose none."""

_NO_EXPRESSION = ("unknown", "NF")


@dataclass(frozen=True, eq=False)
class Votes:
    """Raters' votes, in the row order of FER2013.

    Args:
        distribution: (N, L) float32 share of the votes for each label of the set; a row of zeros where none
            of the votes was for one of its labels.
        not_a_face: (N,) bool, where more raters said "no face" than named any single expression.
        label_set: the labels.
        labels: (N,) int64 positions of labels to take in place of FER2013's own, UNCLEAR where there is none; None
            keeps FER2013's.
    """

    distribution: NDArray[np.float32]
    not_a_face: NDArray[np.bool_]
    label_set: LabelSet = EMOTIONS
    labels: NDArray[np.int64] | None = None


def load_ferplus(path: str | Path, *, label_set: LabelSet = EMOTIONS, relabel: bool = False) -> Votes:
    """Read `fer2013new.csv`.

    Args:
        path: the vote table.
        label_set: votes for labels outside it (contempt, for the seven emotions) are left out, the rest rescaled.
        relabel: what most raters chose becomes the label; where two answers have as many, or most raters chose none of
            the labels (unknown, no face), there is none.

    Raises:
        UnreadableMedia: there is no such file.
        DataError: a column is missing or a row is not numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableMedia(f"{path} is not a file; give the FER+ table fer2013new.csv")
    wanted = [*FERPLUS_COLUMNS, *_NO_EXPRESSION]
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        try:
            words = column_words(reader.fieldnames or ())
            reader.fieldnames = [next((name for name in wanted if name.casefold() == word), word) for word in words]
            missing = [name for name in wanted if name not in reader.fieldnames]
            if missing:
                raise DataError(f"{path} has no column {', '.join(missing)}; FER+ has {', '.join(wanted)}")
            rows = [[_vote(row[name]) for name in wanted] for row in reader]
        except (UnicodeDecodeError, csv.Error) as exc:
            raise DataError(f"{path} cannot be read as a CSV: {exc}") from exc
        except (TypeError, ValueError) as exc:
            raise DataError(f"{path}, line {reader.line_num}: votes must be numbers of 0 or more ({exc})") from exc
    counts = np.asarray(rows, np.float32).reshape(-1, len(wanted))
    distribution = np.zeros((len(counts), len(label_set)), np.float32)
    for column, label in enumerate(FERPLUS_COLUMNS.values()):
        if label in label_set:
            distribution[:, label_set.index(label)] = counts[:, column]
    total = distribution.sum(axis=1, keepdims=True)
    np.divide(distribution, total, out=distribution, where=total > 0)
    not_a_face = counts[:, wanted.index("NF")] > counts[:, : len(FERPLUS_COLUMNS)].max(axis=1)
    return Votes(distribution, not_a_face, label_set, _most_chosen(counts, label_set) if relabel else None)


def relabelled(dataset: Dataset, labels: NDArray[np.int64]) -> Dataset:
    """The samples that have a label, with it.

    A training sample that equals a held-out one without a label goes as well: who trains on the rest has still seen no
    image of the published validation and test splits.

    Args:
        dataset: the samples.
        labels: (N,) positions in its label set, or UNCLEAR.
    """
    train = dataset.split == "train"
    equal = equal_numbers(dataset)
    copies = train & np.isin(equal, equal[~train & (labels == UNCLEAR)])
    there = (labels != UNCLEAR) & ~copies
    source = f"{dataset.source} with labels of FER+"
    return replace(dataset, labels=np.maximum(labels, 0), source=source).where(there)


def _most_chosen(counts: NDArray[np.float32], label_set: LabelSet) -> NDArray[np.int64]:
    """(N,) position of the one answer with the most votes, if it is a label."""
    positions = [label_set.index(label) if label in label_set else UNCLEAR for label in FERPLUS_COLUMNS.values()]
    of_column = np.array([*positions, *[UNCLEAR] * len(_NO_EXPRESSION)])
    most = counts.max(axis=1, keepdims=True)
    alone = (counts == most).sum(axis=1) == 1
    return np.where(alone, of_column[counts.argmax(axis=1)], UNCLEAR)


def _vote(text: str) -> float:
    vote = float(text)
    if not 0 <= vote < math.inf:
        raise ValueError(f"got {text!r}")
    return vote
