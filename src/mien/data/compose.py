"""Hands that nobody photographed: fingers of several hands on the palm of one, to show hands that are none of the four.

Sign-language pictures show few open hands, and no thumb held up or lone raised finger. Each of these is made of a thumb
and fingers that the four gestures do show, stretched or folded.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.labels import GESTURES

Hands = NDArray[np.float32]

_PALM = (0, 5, 9, 13, 17)
_WRIST, _MIDDLE_BASE = 0, 9
_BASES = (1, 5, 9, 13, 17)  # first of the four points of the thumb and each finger

_STRETCHED = ("loser",), ("loser", "victory"), ("victory", "super"), ("super",), ("super",)
"""Gestures in which the thumb, and each finger from index to little one, is stretched out."""
_FOLDED = ("punch", "victory"), ("punch",), ("punch", "loser"), ("punch", "loser", "victory"), ("loser", "victory")
"""Gestures in which they are folded or lie close."""

_POSES = (
    "11111",  # an open hand
    "11111",
    "01111",  # four
    "10000",  # a thumb held up
    "10000",
    "01000",  # pointing
    "11100",  # three
    "01110",
    "11110",
    "01001",  # horns
    "11001",
    "00001",  # the little finger
    "10001",
    "00100",
)
"""Thumb to little finger, stretched or not; the common ones are drawn more often."""


def composed_hands(hands: Hands, labels: NDArray[np.int64], count: int, rng: np.random.Generator) -> Hands:
    """Landmarks of hands in poses that are none of the four gestures.

    A finger is turned and scaled as the palms of both hands tell (Kabsch 1976), then set on its base.

    Args:
        hands: (N, 21, 3) canonical landmarks of hands that make the four gestures, among others.
        labels: (N,) positions in the label set of gestures; each of the four is there.
        count: how many to make.
        rng: source of all randomness.

    Returns:
        (count, 21, 3) float32; to be made canonical again, since their size and middle have moved.
    """
    by_gesture = {name: np.flatnonzero(labels == i) for i, name in enumerate(GESTURES.labels)}
    made = hands[rng.choice(np.flatnonzero(labels != GESTURES.index("none")), count)].astype(np.float64)
    poses = np.array([[flag == "1" for flag in pose] for pose in _POSES])[rng.integers(len(_POSES), size=count)]
    for finger, base in enumerate(_BASES):
        for stretched, sources in ((True, _STRETCHED[finger]), (False, _FOLDED[finger])):
            rows = np.flatnonzero(poses[:, finger] == stretched)
            donors = hands[rng.choice(np.concatenate([by_gesture[name] for name in sources]), len(rows))]
            made[rows, base : base + 4] = _fingers(donors.astype(np.float64), made[rows], base)
    return _canonical(made)


def with_composed(dataset: Dataset, share: float, *, seed: int) -> Dataset:
    """The data set with composed hands in its training split, made only from hands of that split.

    Args:
        dataset: canonical landmarks.
        share: how many are added per training sample.
        seed: seed for all randomness.

    Raises:
        DataError: one of the four gestures is not in the training split.
    """
    train = dataset.part("train")
    present = {dataset.label_set.labels[i] for i in np.unique(train.labels)}
    missing = [name for name in GESTURES.labels if name != "none" and name not in present]
    if missing:
        raise DataError(f"hands are composed of all four gestures, but the training split has no {', '.join(missing)}")
    count = round(share * len(train))
    made = composed_hands(train.samples, train.labels, count, np.random.default_rng(seed))
    return replace(
        dataset,
        samples=np.concatenate([dataset.samples, made]),
        labels=np.concatenate([dataset.labels, np.full(count, GESTURES.index("none"))]),
        split=np.concatenate([dataset.split, np.full(count, "train", dataset.split.dtype)]),
        groups=np.concatenate([dataset.groups, np.full(count, "composed")]),
    )


def _fingers(donors: NDArray[np.float64], hosts: NDArray[np.float64], base: int) -> NDArray[np.float64]:
    """(M, 4, 3) fingers of the donors as they stand on the palms of the hosts."""
    theirs, ours = (hands[:, _PALM] - hands[:, _PALM].mean(axis=1, keepdims=True) for hands in (donors, hosts))
    u, _, vh = np.linalg.svd(theirs.transpose(0, 2, 1) @ ours)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vh))[:, None]  # a turn, not a mirror
    scale = _length(hosts) / np.maximum(_length(donors), 1e-6)
    finger = donors[:, base : base + 4]
    placed = (finger - finger[:, :1]) @ (u @ vh) * scale[:, None, None] + hosts[:, base : base + 1]
    return np.asarray(placed, np.float64)


def _length(hands: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(hands[:, _MIDDLE_BASE] - hands[:, _WRIST], axis=1), np.float64)


def _canonical(hands: NDArray[np.float64]) -> Hands:
    """Of size 1 again; the wrist and the direction of the palm are those of the host, which was canonical."""
    spread = np.sqrt(((hands - hands.mean(axis=1, keepdims=True)) ** 2).sum(axis=2).mean(axis=1))
    return np.asarray(hands / np.maximum(spread, 1e-9)[:, None, None], np.float32)
