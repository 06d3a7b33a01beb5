from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation, VideoReformatter

from mien.outputs.video_frames import to_yuv420p


@pytest.mark.parametrize("size_hw", [(6, 10), (402, 8), (240, 322)])
def test_the_same_as_ffmpeg_within_one(size_hw: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    settings = {"dst_colorspace": 5, "dst_color_range": 1, "interpolation": Interpolation.AREA}
    expected = VideoReformatter().reformat(frame, format="yuv420p", **settings).to_ndarray()
    planes = to_yuv420p(image)
    assert (planes.shape, planes.dtype) == (expected.shape, np.uint8)
    assert np.abs(planes.astype(int) - expected).max() <= 1


def test_a_thin_line_keeps_half_its_colour() -> None:
    """One of two pixels is red: the colour of the pair is their mean, wherever the line is."""
    for column in (3, 4):
        image = np.zeros((8, 8, 3), np.uint8)
        image[:, column] = 255, 0, 0
        red = to_yuv420p(image)[10:].reshape(4, 4)[:, column // 2]
        assert red.tolist() == pytest.approx([128 + 56] * 4, abs=1)
