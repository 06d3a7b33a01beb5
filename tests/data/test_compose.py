from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.compose import composed_hands, with_composed, with_pinched, with_relaxed, with_turned
from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.labels import GESTURES, GESTURES_5

BENT = {"loser": "11000", "punch": "00000", "super": "00111", "victory": "01100", "none": "11111"}


def hand(gesture: str) -> NDArray[np.float32]:
    """A flat hand that points up; a finger of 4 points is 1.2 long when stretched, and 0 when folded."""
    points = np.zeros((21, 3))
    for finger, stretched in enumerate(BENT[gesture]):
        base = np.array([0.8 - 0.4 * finger, -0.5 if finger == 0 else -1.0, 0.0])
        for joint in range(4):
            points[1 + 4 * finger + joint] = base + np.array([0.0, -0.4 * joint * (stretched == "1"), 0.0])
    return points.astype(np.float32)


@pytest.fixture
def dataset() -> Dataset:
    labels = np.repeat(np.arange(len(GESTURES_5)), 4)
    return Dataset(
        samples=np.stack([hand(GESTURES_5.labels[i]) for i in labels]),
        labels=labels,
        split=np.full(len(labels), "train", "<U10"),
        groups=np.array([f"signer{i % 2}" for i in range(len(labels))]),
        label_set=GESTURES_5,
    )


def stretched(hands: NDArray[np.float32]) -> list[str]:
    chains = hands[:, 1:].reshape(-1, 5, 4, 3)
    lengths = np.linalg.norm(chains[:, :, 3] - chains[:, :, 0], axis=2)
    palms = np.linalg.norm(hands[:, 9] - hands[:, 0], axis=1)
    return [
        "".join("1" if length > 0.5 * palm else "0" for length in row) for row, palm in zip(lengths, palms, strict=True)
    ]


def test_poses_are_none_of_the_four(dataset: Dataset) -> None:
    made = composed_hands(dataset.samples, dataset.labels, GESTURES_5, 200, np.random.default_rng(0))
    assert made.shape == (200, 21, 3)
    assert made.dtype == np.float32
    poses = set(stretched(made))
    assert not poses & {BENT[name] for name in ("loser", "punch", "super", "victory")}
    assert {"11111", "10000"} <= poses, "open hands and thumbs held up"


def test_a_pose_that_has_a_name_is_not_composed_as_none(dataset: Dataset) -> None:
    labels = np.array([GESTURES.index(GESTURES_5.labels[i]) for i in dataset.labels])
    poses = set(stretched(composed_hands(dataset.samples, labels, GESTURES, 300, np.random.default_rng(0))))
    assert poses == {"01111", "11100", "01110", "11110", "00001", "00100"}


def thumbs(directions: NDArray[np.float64], labels: list[str]) -> Dataset:
    """Fists with a thumb that points to the right of a hand whose top is at these angles, clockwise, in degrees."""
    samples = np.zeros((len(labels), 22, 3), np.float32)
    samples[:, 4, 0] = 1.0
    samples[:, 21, 0], samples[:, 21, 1] = np.sin(np.radians(directions)), -np.cos(np.radians(directions))
    return Dataset(
        samples=samples,
        labels=np.array([GESTURES.index(label) for label in labels]),
        split=np.full(len(labels), "train", "<U10"),
        groups=np.full(len(labels), "somebody"),
        label_set=GESTURES,
    )


def test_a_turned_thumb_means_what_it_shows_and_other_hands_stay_what_they_are() -> None:
    some = thumbs(np.full(60, 90.0), ["thumb_up"] * 20 + ["thumb_down"] * 20 + ["victory"] * 20)
    more = with_turned(some, 20.0, seed=1)
    made, labels = more.samples[60:], [GESTURES.labels[i] for i in more.labels[60:]]
    # The thumb points to the right; seen from the picture's top, its angle is 90 degrees less that of the top.
    top = np.degrees(np.arctan2(made[:, 21, 0], -made[:, 21, 1]))
    leans = np.abs((90 - top + 180) % 360 - 180)
    for label, low, high in (("thumb_up", 0, 35.1), ("thumb_down", 144.9, 180)):
        mine = np.array([each == label for each in labels])
        assert mine.sum() > 100
        assert ((leans[mine] >= low) & (leans[mine] <= high)).all()
    none = np.array([label == "none" for label in labels])
    assert (np.abs(leans[none] - 90) <= 25).all()
    victories = np.array([label == "victory" for label in labels])
    assert np.ptp(top[victories]) > 300
    np.testing.assert_allclose(np.linalg.norm(made[:, 21], axis=1), 1, atol=1e-5)
    assert (made[:, :21] == some.samples[0, :21]).all(), "only the direction of the top changes"


def test_the_thumb_of_a_pinched_hand_touches_the_middle_or_the_ring_finger(dataset: Dataset) -> None:
    touching = dataset.samples.copy()
    supers = dataset.labels == GESTURES_5.index("super")
    touching[supers, 8] = touching[supers, 5] + np.float32((0.5, -0.3, 0.2))  # the forefinger bends to the thumb
    touching[supers, 4] = touching[supers, 8] + np.float32((0.05, 0.0, 0.0))
    more = with_pinched(replace(dataset, samples=touching), 5.0, seed=1)
    made = more.samples[len(dataset) :]
    palm = np.linalg.norm(made[:, 9] - made[:, 0], axis=1)
    apart = np.linalg.norm(made[:, [8, 12, 16, 20]] - made[:, 4:5], axis=2) / palm[:, None]
    assert set(apart.argmin(axis=1).tolist()) == {1, 2}
    assert apart.min(axis=1).max() < 0.15
    assert set(more.labels[len(dataset) :].tolist()) == {GESTURES_5.index("none")}


def open_hands(outwards: float) -> Dataset:
    """Hands with straight fingers, held up, whose thumb points away from them at the right (1) or the left (-1)."""
    points = hand("none") * np.float32((outwards, 1, 1))
    points[2:5, 0] = points[1, 0] + outwards * np.float32((0.3, 0.6, 0.9))
    samples = np.concatenate([np.tile(points, (8, 1, 1)), np.tile(np.float32((0, -1, 0)), (8, 1, 1))], axis=1)
    return Dataset(
        samples=samples,
        labels=np.full(8, GESTURES.index("palm")),
        split=np.full(8, "train", "<U10"),
        groups=np.full(8, "somebody"),
        label_set=GESTURES,
    )


@pytest.mark.parametrize("outwards", [1.0, -1.0])
def test_a_relaxed_hand_hangs_down_with_its_thumb_near_the_forefinger(outwards: float) -> None:
    some = open_hands(outwards)
    more = with_relaxed(some, 50.0, seed=1)
    made = more.samples[len(some) :].astype(np.float64)
    assert set(more.labels[len(some) :].tolist()) == {GESTURES.index("palm")}
    palm = np.linalg.norm(made[:, 9] - made[:, 0], axis=1)
    near = np.linalg.norm(made[:, 4, :2] - made[:, 5, :2], axis=1) / palm
    assert near.max() < 0.75 < np.linalg.norm(some.samples[0, 4, :2] - some.samples[0, 5, :2])
    assert near.min() < 0.15
    # Fingers stay straight and of their lengths, and lean to one side together.
    fingers = made[:, 5:21].reshape(-1, 4, 4, 3)
    ways = np.diff(fingers, axis=2)
    ways /= np.linalg.norm(ways, axis=3, keepdims=True)
    assert (ways[:, :, 1:] * ways[:, :, :-1]).sum(axis=3).min() > 0.999
    assert np.degrees(np.arctan2(ways[:, 0, 0, 0], -ways[:, 0, 0, 1])).std() > 5
    top = made[:, 21]
    assert (top[:, 1] >= -1e-6).all(), "the picture's top is where the fingers are not"
    np.testing.assert_allclose(np.linalg.norm(top, axis=1), 1, atol=1e-5)
    assert np.ptp(np.degrees(np.arctan2(top[:, 0], top[:, 1]))) > 120
    assert with_relaxed(some, 50.0, seed=1).fingerprint() == more.fingerprint()


def test_relaxed_hands_are_made_of_open_ones() -> None:
    with pytest.raises(DataError, match="no palm"):
        with_relaxed(thumbs(np.zeros(3), ["thumb_up"] * 3), 1.0, seed=1)


def test_the_top_stays_the_direction_that_it_is(dataset: Dataset) -> None:
    with_top = np.concatenate([dataset.samples, np.tile(np.float32((0.6, -0.8, 0)), (len(dataset), 1, 1))], axis=1)
    plain = with_composed(dataset, 2.0, seed=3).samples
    more = with_composed(replace(dataset, samples=with_top), 2.0, seed=3).samples
    assert (more[:, :21] == plain).all()
    np.testing.assert_allclose(more[:, 21], np.tile((0.6, -0.8, 0), (len(more), 1)), atol=1e-6)


def test_they_are_canonical(dataset: Dataset) -> None:
    made = composed_hands(dataset.samples, dataset.labels, GESTURES_5, 50, np.random.default_rng(0)).astype(np.float64)
    np.testing.assert_allclose(made[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(made[:, 9, 0], 0, atol=1e-5)
    spread = np.sqrt(((made - made.mean(axis=1, keepdims=True)) ** 2).sum(axis=2).mean(axis=1))
    np.testing.assert_allclose(spread, 1, atol=1e-5)


def test_a_finger_of_a_turned_and_larger_hand_stands_as_on_its_own(dataset: Dataset) -> None:
    angle = 0.7
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = dataset.samples.copy()
    donors = dataset.labels != GESTURES_5.index("none")
    turned[donors] = 2.5 * turned[donors] @ turn
    plain = composed_hands(dataset.samples, dataset.labels, GESTURES_5, 40, np.random.default_rng(3))
    other = composed_hands(turned.astype(np.float32), dataset.labels, GESTURES_5, 40, np.random.default_rng(3))
    assert stretched(plain) == stretched(other)


def test_only_the_training_split_gives_and_gets(dataset: Dataset) -> None:
    held_back = dataset.groups == "signer1"
    split = np.where(held_back, "test", "train").astype("<U10")
    parts = Dataset(
        **{**vars(dataset), "split": split, "samples": np.where(held_back[:, None, None], np.nan, dataset.samples)}
    )
    more = with_composed(parts, 0.5, seed=1)
    added = slice(len(dataset), None)
    assert len(more) == len(dataset) + round(0.5 * (~held_back).sum())
    assert np.isfinite(more.samples[added]).all(), "nothing of the test split is in it"
    assert set(more.labels[added].tolist()) == {GESTURES_5.index("none")}
    assert set(more.split[added].tolist()) == {"train"}
    assert with_composed(parts, 0.5, seed=1).fingerprint() == more.fingerprint()


def test_all_four_gestures_are_needed(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="no super, victory"):
        with_composed(dataset.where(dataset.labels < 2), 1.0, seed=1)
