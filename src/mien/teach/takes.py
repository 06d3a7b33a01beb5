"""Takes: the examples of a gesture that were shown at one time, kept as landmarks so that a model can be fitted anew.

There is no picture in them and no name of a file or person: only landmarks, the date, and the kind of source.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.labels import check_label
from mien.stages.classify import POINTS_WITH_TOP

TAKES_FILE = "takes.npz"

MOST_EXAMPLES = 400
"""A longer take is thinned out evenly: neighbouring frames say the same."""

ENOUGH = 40
"""Different examples after which more of the same take add little."""

FEWEST = 10
"""Different examples that a take must have."""

_DIFFERENT = 0.04
"""Least mean distance of landmarks, in units of the hand, between two examples that count as different."""


@dataclass(frozen=True, slots=True)
class Take:
    """Examples of one gesture.

    Args:
        label: the gesture's name.
        samples: (N, 22, 3) float32 canonical landmarks with the direction of the picture's top, in the order shown.
        kind: camera, video or photos.
        day: when it was taught, as in 2026-11-26.
    """

    label: str
    samples: NDArray[np.float32]
    kind: str
    day: str

    def __post_init__(self) -> None:
        check_label(self.label)
        shape = self.samples.shape
        if len(shape) != 3 or not shape[0] or shape[1:] != (POINTS_WITH_TOP, 3) or not np.isfinite(self.samples).all():
            raise ValueError(f"a take must have finite landmarks (N, {POINTS_WITH_TOP}, 3), got {shape}")

    @property
    def different(self) -> int:
        """How many of its examples differ from one another."""
        seen = Distinct()
        return sum(seen.add(sample) for sample in self.samples)


class Distinct:
    """Counts examples that differ from all before."""

    def __init__(self) -> None:
        self._kept: list[NDArray[np.float32]] = []

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, sample: NDArray[np.float32]) -> bool:
        """Whether (22, 3) canonical landmarks differ from those added before."""
        points = sample[: POINTS_WITH_TOP - 1]
        if self._kept and _distances(np.stack(self._kept), points).min() < _DIFFERENT:
            return False
        self._kept.append(points)
        return True


def _distances(hands: NDArray[np.float32], hand: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(hands - hand, axis=2).mean(axis=1), np.float32)


def new_take(label: str, samples: Sequence[NDArray[np.float32]], kind: str) -> Take:
    """A take of today; if it is long, of a part of the examples, evenly spaced."""
    rows = np.stack(samples).astype(np.float32)
    if len(rows) > MOST_EXAMPLES:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_EXAMPLES).round().astype(int)]
    return Take(label, rows, kind, date.today().isoformat())


def takes_bytes(takes: Sequence[Take]) -> bytes:
    """The contents of the file of takes."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        samples=np.concatenate([take.samples for take in takes]),
        counts=np.array([len(take.samples) for take in takes], np.int64),
        labels=np.array([take.label for take in takes], np.str_),
        kinds=np.array([take.kind for take in takes], np.str_),
        days=np.array([take.day for take in takes], np.str_),
    )
    return file.getvalue()


def read_takes(path: Path) -> tuple[Take, ...]:
    """The takes of a file.

    Raises:
        ModelError: it is missing, damaged, or holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            samples, counts = np.asarray(stored["samples"], np.float32), np.asarray(stored["counts"], np.int64)
            words = [np.asarray(stored[name], np.str_).tolist() for name in ("labels", "kinds", "days")]
        if counts.ndim != 1 or (counts < 1).any() or counts.sum() != len(samples):
            raise ValueError("counts do not fit")  # noqa: TRY301
        parts = np.split(samples, np.cumsum(counts)[:-1])
        return tuple(Take(label, part, kind, day) for part, label, kind, day in zip(parts, *words, strict=True))
    except Exception as exc:  # a damaged archive raises errors of zipfile, zlib and numpy
        raise ModelError(f"The examples {path} cannot be read; restore the file, or teach into a new folder.") from exc
