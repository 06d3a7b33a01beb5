from __future__ import annotations

import numpy as np
import pytest

from mien.artwork.drawings import draw_hand
from mien.data.degrade import degraded_hand
from mien.pixels.boxes import RotatedRoi

SQUARE = RotatedRoi((100.0, 100.0), 160.0, 0.0)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return draw_hand("victory", size=200)


def copies(picture: np.ndarray, count: int, *, first_seed: int = 0) -> list[np.ndarray]:
    return [degraded_hand(picture, SQUARE, np.random.default_rng(first_seed + i)) for i in range(count)]


def test_copies_are_square_pictures_of_many_sizes(picture: np.ndarray) -> None:
    made = copies(picture, 60)
    assert all(copy.dtype == np.uint8 and copy.shape == (len(copy), len(copy), 3) for copy in made)
    sides = {len(copy) for copy in made}
    assert min(sides) >= 24
    assert max(sides) == 160
    assert len(sides) > 20


def test_the_same_seed_gives_the_same_copy_and_leaves_the_picture_alone(picture: np.ndarray) -> None:
    before = picture.copy()
    for a, b in zip(copies(picture, 10), copies(picture, 10), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(picture, before)


def test_some_are_darker_and_some_brighter(picture: np.ndarray) -> None:
    means = np.array([copy.mean() for copy in copies(picture, 80)]) / picture.mean()
    assert means.min() < 0.6
    assert means.max() > 1.1


def test_cut_out_hands_get_a_background_and_others_keep_theirs() -> None:
    cut_out = np.zeros((200, 200, 3), np.uint8)
    cut_out[70:130, 70:130] = 200
    corners = [copy[:3, :3].mean() for copy in copies(cut_out, 60)]
    assert np.mean(np.array(corners) > 25) > 0.5
    grey = np.full((200, 200, 3), 60, np.uint8)
    assert all(copy.std(axis=(0, 1)).max() < 20 for copy in copies(grey, 30)), "no blocks are put on a plain wall"


def test_a_hand_at_the_border_of_the_picture(picture: np.ndarray) -> None:
    copy = degraded_hand(picture, RotatedRoi((0.0, 199.0), 50.0, 2.0), np.random.default_rng(1))
    assert copy.shape[2] == 3
