from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.compose import composed_hands, with_composed
from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.labels import GESTURES

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
    labels = np.repeat(np.arange(len(GESTURES)), 4)
    return Dataset(
        samples=np.stack([hand(GESTURES.labels[i]) for i in labels]),
        labels=labels,
        split=np.full(len(labels), "train", "<U10"),
        groups=np.array([f"signer{i % 2}" for i in range(len(labels))]),
        label_set=GESTURES,
    )


def stretched(hands: NDArray[np.float32]) -> list[str]:
    chains = hands[:, 1:].reshape(-1, 5, 4, 3)
    lengths = np.linalg.norm(chains[:, :, 3] - chains[:, :, 0], axis=2)
    palms = np.linalg.norm(hands[:, 9] - hands[:, 0], axis=1)
    return [
        "".join("1" if length > 0.5 * palm else "0" for length in row) for row, palm in zip(lengths, palms, strict=True)
    ]


def test_poses_are_none_of_the_four(dataset: Dataset) -> None:
    made = composed_hands(dataset.samples, dataset.labels, 200, np.random.default_rng(0))
    assert made.shape == (200, 21, 3)
    assert made.dtype == np.float32
    poses = set(stretched(made))
    assert not poses & {BENT[name] for name in ("loser", "punch", "super", "victory")}
    assert {"11111", "10000"} <= poses, "open hands and thumbs held up"


def test_they_are_canonical(dataset: Dataset) -> None:
    made = composed_hands(dataset.samples, dataset.labels, 50, np.random.default_rng(0)).astype(np.float64)
    np.testing.assert_allclose(made[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(made[:, 9, 0], 0, atol=1e-5)
    spread = np.sqrt(((made - made.mean(axis=1, keepdims=True)) ** 2).sum(axis=2).mean(axis=1))
    np.testing.assert_allclose(spread, 1, atol=1e-5)


def test_a_finger_of_a_turned_and_larger_hand_stands_as_on_its_own(dataset: Dataset) -> None:
    angle = 0.7
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = dataset.samples.copy()
    donors = dataset.labels != GESTURES.index("none")
    turned[donors] = 2.5 * turned[donors] @ turn
    plain = composed_hands(dataset.samples, dataset.labels, 40, np.random.default_rng(3))
    other = composed_hands(turned.astype(np.float32), dataset.labels, 40, np.random.default_rng(3))
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
    assert set(more.labels[added].tolist()) == {GESTURES.index("none")}
    assert set(more.split[added].tolist()) == {"train"}
    assert with_composed(parts, 0.5, seed=1).fingerprint() == more.fingerprint()


def test_all_four_gestures_are_needed(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="no super, victory"):
        with_composed(dataset.where(dataset.labels < 2), 1.0, seed=1)
