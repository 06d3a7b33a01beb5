"""Hands that nobody photographed: fingers of several hands on the palm of one, and hands turned in the picture.

Pictures of gestures show few hands that are none of them. Each of these is made of a thumb and fingers that the four
gestures of the seeds do show, stretched, folded, or touching one another. All functions take landmarks with or without
the direction of the picture's top in a 22nd row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.labels import GESTURES_4, UPRIGHT, LabelSet

Hands = NDArray[np.float32]

_LANDMARKS = 21
_PALM = (0, 5, 9, 13, 17)
_WRIST, _MIDDLE_BASE = 0, 9
_BASES = (1, 5, 9, 13, 17)  # first of the four points of the thumb and each finger

_STRETCHED = ("loser",), ("loser", "victory"), ("victory", "super"), ("super",), ("super",)
"""Gestures in which the thumb, and each finger from index to little one, is stretched out."""
_FOLDED = ("punch", "victory"), ("punch",), ("punch", "loser"), ("punch", "loser", "victory"), ("loser", "victory")
"""Gestures in which they are folded or lie close."""

_POSES = (
    ("11111", "palm"),
    ("11111", "palm"),
    ("01111", ""),  # four
    ("10000", "thumb_up"),
    ("10000", "thumb_up"),
    ("01000", "point"),
    ("11100", ""),  # three
    ("01110", ""),
    ("11110", ""),
    ("01001", "rock"),
    ("11001", "rock"),
    ("00001", ""),  # the little finger
    ("10001", "call"),
    ("00100", ""),
)
"""Thumb to little finger, stretched or not, and a gesture that this may be; the common ones are drawn more often."""

_SPREAD = 0.6, 1.8  # of the fingers of a relaxed hand, as a multiple of how far they are apart
_LEANING = 14.0  # degrees to either side by which they lean together
_THUMB = (-0.1, -0.15, -0.3), (0.45, 0.5, 0.05)  # limits of its tip, from the forefinger's base: outwards, down, away
_HANGING = 90.0  # degrees to either side of straight down

_UP, _SIDEWAYS, _DOWN = 0.0, 90.0, 180.0
_HELD = 35.0  # degrees by which a thumb that is held up, down or sideways may lean


def composed_hands(
    hands: Hands, labels: NDArray[np.int64], label_set: LabelSet, count: int, rng: np.random.Generator
) -> Hands:
    """Landmarks of hands in poses that are none of the gestures.

    A finger is turned and scaled as the palms of both hands tell (Kabsch 1976), then set on its base.

    Args:
        hands: (N, 21 or 22, 3) canonical landmarks of hands that make the seeds' four gestures, among others.
        labels: (N,) positions in the label set; each of the four is there.
        label_set: the gestures.
        count: how many to make.
        rng: source of all randomness.

    Returns:
        (count, 21 or 22, 3) float32, canonical.
    """
    by_gesture = {name: np.flatnonzero(labels == label_set.index(name)) for name in GESTURES_4.labels}
    four = np.concatenate(list(by_gesture.values()))
    made = hands[rng.choice(np.sort(four), count)].astype(np.float64)
    others = [[flag == "1" for flag in pose] for pose, gesture in _POSES if gesture not in label_set]
    poses = np.array(others)[rng.integers(len(others), size=count)]
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
    train = _train(dataset, GESTURES_4.labels)
    rng, count = np.random.default_rng(seed), round(share * len(train))
    made = composed_hands(train.samples, train.labels, dataset.label_set, count, rng)
    return _more(dataset, made, np.full(count, dataset.label_set.index("none")), "composed")


def with_pinched(dataset: Dataset, share: float, *, seed: int) -> Dataset:
    """The data set with hands in its training split whose thumb touches the middle or the ring finger while the others
    are stretched, as in counting with one hand: they are easily taken for `super`, and are none.

    The fingers that touch are those of a hand that shows `super`, with the forefinger set on another base and the thumb
    turned towards its tip.

    Args:
        dataset: canonical landmarks.
        share: how many are added per training sample.
        seed: seed for all randomness.

    Raises:
        DataError: `super` or `victory` is not in the training split.
    """
    train = _train(dataset, ("super", "victory"))
    rng, count = np.random.default_rng(seed), round(share * len(train))
    supers, victories = (
        train.samples[train.labels == dataset.label_set.index(name)].astype(np.float64) for name in ("super", "victory")
    )
    made = supers[rng.integers(len(supers), size=count)]
    ring = rng.random(count) < 0.5
    for rows, base, straight in ((ring, 13, (5, 9)), (~ring, 9, (5,))):
        hosts = made[rows].copy()
        for finger in straight:
            made[rows, finger : finger + 4] = _fingers(_drawn(victories, len(hosts), rng), hosts, finger)
        bent = hosts[:, 5:9] - hosts[:, 5:6] + hosts[:, base : base + 1]
        made[rows, base : base + 4] = bent
        touch = bent[:, 3] + (hosts[:, 4] - hosts[:, 8])
        made[rows, 2:5] = _reaching(hosts[:, 1:5], touch)
    return _more(dataset, _canonical(made), np.full(count, dataset.label_set.index("none")), "pinched")


def with_turned(dataset: Dataset, share: float, *, seed: int) -> Dataset:
    """The data set with hands in its training split that are turned in the picture, by the direction of its top alone.

    Only a thumb means another thing when it is turned: one held up or down becomes the other, or, sideways, none. All
    other hands mean the same from every side.

    Args:
        dataset: canonical landmarks with the top.
        share: how many are added per training sample.
        seed: seed for all randomness.
    """
    train = dataset.part("train")
    rng, count = np.random.default_rng(seed), round(share * len(train))
    drawn = rng.integers(len(train), size=count)
    made, labels = train.samples[drawn].copy(), train.labels[drawn].copy()
    angles = rng.uniform(-180, 180, count)
    thumbs = [dataset.label_set.index(name) for name in UPRIGHT if name in dataset.label_set]
    held = np.flatnonzero(np.isin(labels, thumbs))
    wanted = rng.choice([_UP, _DOWN, _SIDEWAYS, -_SIDEWAYS], len(held))
    x, y = (made[held, 4, :2] - made[held, 2, :2]).T  # where the thumb points, seen from the turned hand
    lean = rng.uniform(-_HELD, _HELD, len(held)) * np.where(np.abs(wanted) == _SIDEWAYS, 0.7, 1.0)
    angles[held] = np.degrees(np.arctan2(x, -y)) - wanted - lean
    radians = np.radians(angles)
    made[:, -1] = np.stack([np.sin(radians), -np.cos(radians), np.zeros(count)], axis=1)
    if len(thumbs) == 2:
        up, down = thumbs
        none = dataset.label_set.index("none")
        labels[held] = np.select([wanted == _UP, wanted == _DOWN], [up, down], none)
    return _more(dataset, made, labels, "turned")


def with_relaxed(dataset: Dataset, share: float, *, seed: int) -> Dataset:
    """The data set with open hands in its training split that hang down, their thumb close to the forefinger.

    People who show an open hand hold it up, with the thumb stretched out or fingers closed. One that hangs at a
    person's side is held loosely: its thumb ends near the base of the forefinger, where that of an OK sign is, its
    fingers spread or lean to one side. Each is made from a hand that shows `palm`.

    Args:
        dataset: canonical landmarks with the top.
        share: how many are added per training sample.
        seed: seed for all randomness.

    Raises:
        DataError: `palm` is not in the training split.
    """
    train = _train(dataset, ("palm",))
    rng, count = np.random.default_rng(seed), round(share * len(train))
    palm = dataset.label_set.index("palm")
    made = _drawn(train.samples[train.labels == palm].astype(np.float64), count, rng)
    outwards = np.sign(made[:, 5, 0] - made[:, 17, 0])  # the palm or the back of the hand is seen
    spread = rng.uniform(*_SPREAD, count)[:, None]
    lean = np.radians(rng.uniform(-_LEANING, _LEANING, count))[:, None]
    for base in _BASES[1:]:
        x, y = np.moveaxis(made[:, base : base + 4, :2] - made[:, base : base + 1, :2], 2, 0)
        x = spread * x
        turned = np.stack([np.cos(lean) * x - np.sin(lean) * y, np.sin(lean) * x + np.cos(lean) * y], axis=2)
        made[:, base : base + 4, :2] = made[:, base : base + 1, :2] + turned
    tips = made[:, 5] + rng.uniform(*_THUMB, (count, 3)) * np.stack([outwards, *np.ones((2, count))], axis=1)
    made[:, 2:5] = _reaching(made[:, 1:5], tips)
    angles = np.radians(rng.uniform(-_HANGING, _HANGING, count))
    made[:, -1] = np.stack([np.sin(angles), np.cos(angles), np.zeros(count)], axis=1)
    return _more(dataset, _canonical(made), np.full(count, palm), "relaxed")


def _train(dataset: Dataset, needed: Collection[str]) -> Dataset:
    """The training split, if it has all gestures that hands are composed of."""
    train = dataset.part("train")
    present = {dataset.label_set.labels[i] for i in np.unique(train.labels)}
    missing = [name for name in needed if name not in present]
    if missing:
        raise DataError(
            f"hands are composed of {', '.join(needed)}, but the training split has no {', '.join(missing)}"
        )
    return train


def _more(dataset: Dataset, made: Hands, labels: NDArray[np.int64], group: str) -> Dataset:
    """The data set with made hands in its training split."""
    count = len(made)
    return replace(
        dataset,
        samples=np.concatenate([dataset.samples, made]),
        labels=np.concatenate([dataset.labels, labels]),
        split=np.concatenate([dataset.split, np.full(count, "train", dataset.split.dtype)]),
        groups=np.concatenate([dataset.groups, np.full(count, group)]),
    )


def _drawn(hands: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return hands[rng.integers(len(hands), size=count)]


def _reaching(thumbs: NDArray[np.float64], tips: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, 3, 3): thumbs (M, 4, 3) moved so that their tips are at (M, 3), each joint by as much of the way as it is
    away from the base; without the base, which stays."""
    lengths = np.cumsum(np.linalg.norm(np.diff(thumbs, axis=1), axis=2), axis=1)  # (M, 3)
    share = (lengths / np.maximum(lengths[:, -1:], 1e-6))[:, :, None]
    return np.asarray(thumbs[:, 1:] + share * (tips - thumbs[:, 3])[:, None], np.float64)


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
    points, top = hands[:, :_LANDMARKS], hands[:, _LANDMARKS:]
    spread = np.sqrt(((points - points.mean(axis=1, keepdims=True)) ** 2).sum(axis=2).mean(axis=1))
    return np.concatenate([points / np.maximum(spread, 1e-9)[:, None, None], top], axis=1).astype(np.float32)
