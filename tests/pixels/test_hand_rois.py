from __future__ import annotations

import math

import numpy as np
import pytest

from mien.pixels.boxes import RotatedRoi
from mien.pixels.hand_rois import roi_of_landmarks, roi_of_palm, whole_roi


@pytest.fixture
def points() -> np.ndarray:
    """An upright hand: the wrist below, the knuckles in a row above it."""
    rng = np.random.default_rng(0)
    points = rng.uniform(40, 60, (21, 2))
    points[0], points[5], points[9], points[13] = (50, 90), (45, 50), (50, 50), (55, 50)
    return points


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.asarray((points - 50) @ np.array([[cos, sin], [-sin, cos]]) + 50)


def corners(roi: RotatedRoi) -> np.ndarray:
    return roi.to_pixels(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64))


@pytest.mark.parametrize("roomy", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0, math.pi / 2])
def test_the_square_turns_with_the_hand(points: np.ndarray, angle: float, roomy: bool) -> None:
    plain = roi_of_landmarks(points, roomy=roomy)
    assert plain.angle == pytest.approx(0)
    np.testing.assert_allclose(
        corners(roi_of_landmarks(turned(points, angle), roomy=roomy)), turned(corners(plain), angle), atol=1e-6
    )


def test_a_roomy_square_reaches_further_above_the_fingers(points: np.ndarray) -> None:
    tight, roomy = roi_of_landmarks(points), roi_of_landmarks(points, roomy=True)
    assert roomy.side > tight.side
    assert corners(roomy)[0, 1] < corners(tight)[0, 1], "the top"
    assert corners(roomy)[2, 1] > points[0, 1], "the wrist is still in it"


def test_landmarks_in_one_point_have_a_square() -> None:
    assert roi_of_landmarks(np.full((21, 2), 7.0)).side >= 1


def test_the_square_of_a_palm_lies_towards_the_fingers() -> None:
    points = np.full((7, 2), 50.0)
    points[0], points[2] = (50, 60), (50, 40)
    roi = roi_of_palm(np.array([40.0, 40.0, 60.0, 60.0]), points)
    assert roi.side == pytest.approx(52)
    assert roi.angle == pytest.approx(0)
    np.testing.assert_allclose(roi.centre_xy, (50, 40))


def test_a_whole_picture() -> None:
    assert whole_roi((50, 100)) == RotatedRoi((50.0, 25.0), 100, 0.0)
