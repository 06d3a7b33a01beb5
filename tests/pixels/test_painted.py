from __future__ import annotations

import numpy as np
import pytest

from mien.pixels.painted import painted_over


def scene(size_hw: tuple[int, int]) -> np.ndarray:
    """A red rectangle in the middle of a picture that grows lighter to the right."""
    height, width = size_hw
    picture = np.repeat(np.linspace(40, 200, width).astype(np.uint8)[None, :, None], height, axis=0).repeat(3, axis=2)
    picture[height * 2 // 5 : height * 3 // 5, width * 2 // 5 : width * 3 // 5] = (255, 0, 0)
    return picture


@pytest.mark.parametrize("size_hw", [(100, 120), (900, 1200), (40, 30)])
def test_what_is_painted_over_has_the_colours_around_it_and_all_else_stays(size_hw: tuple[int, int]) -> None:
    height, width = size_hw
    picture = scene(size_hw)
    left, right, top, bottom = width * 2 // 5, width * 3 // 5, height * 2 // 5, height * 3 // 5
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    painted = painted_over(picture, [corners])
    assert (painted.shape, painted.dtype) == (picture.shape, np.uint8)
    is_red = (painted[..., 0].astype(int) - painted[..., 1] > 60).mean()
    assert is_red < 0.005
    middle = painted[height // 2, width // 2].astype(int)
    assert np.ptp(middle) < 20
    assert 80 < middle.mean() < 160
    far = np.ones(size_hw, bool)
    far[round(height * 0.3) : round(height * 0.7) + 1, round(width * 0.3) : round(width * 0.7) + 1] = False
    assert (painted[far] == picture[far]).all()


def test_several_things_and_points_outside() -> None:
    picture = scene((100, 100))
    assert (painted_over(picture, []) == picture).all()
    outside = np.array([[-30.0, -30.0], [10.0, -30.0], [10.0, 10.0], [-30.0, 10.0]])
    inside = np.array([[40.0, 40.0], [60.0, 40.0], [60.0, 60.0], [40.0, 60.0]])
    painted = painted_over(picture, [outside, inside])
    assert (painted[50, 50] != picture[50, 50]).any()
    assert (painted[5, 5] != picture[5, 5]).any()
