from __future__ import annotations

from fractions import Fraction
from itertools import product

import av
import numpy as np
import pytest

from mien.pixels.planes import ToRgb, matrix_of, square_hw, to_sdr

_WEIGHTS = {5: (0.299, 0.114), 6: (0.299, 0.114), 1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 7: (0.212, 0.087)}
_COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 100, 50), (255, 255, 255), (0, 0, 0), (90, 90, 90))


def _frame(
    rgb: tuple[int, ...], *, matrix: int, is_full: bool, pix_fmt: str, size_hw: tuple[int, int] = (16, 48)
) -> av.VideoFrame:
    """One colour, by the formulas of ITU-T H.273."""
    depth = 10 if pix_fmt.endswith("10le") else 8
    scale, (k_r, k_b) = 2 ** (depth - 8), _WEIGHTS[matrix]
    r, g, b = (value / 255 for value in rgb)
    y = k_r * r + (1 - k_r - k_b) * g + k_b * b
    u, v = (b - y) / 2 / (1 - k_b), (r - y) / 2 / (1 - k_r)
    most = 256 * scale - 1
    if is_full:
        values = [most * y, most * u + 128 * scale, most * v + 128 * scale]
    else:
        values = [scale * (16 + 219 * y), scale * (128 + 224 * u), scale * (128 + 224 * v)]
    frame = av.VideoFrame(size_hw[1], size_hw[0], pix_fmt)
    dtype = np.uint8 if depth == 8 else np.dtype("<u2")
    for plane, value in zip(frame.planes, values, strict=True):
        plane.update(np.full(plane.buffer_size // np.dtype(dtype).itemsize, min(round(value), most), dtype).tobytes())
    frame.colorspace, frame.color_range = matrix, 2 if is_full else 1
    return frame


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9])
def test_matrix_and_range(matrix: int, is_full: bool, pix_fmt: str) -> None:
    for rgb in _COLOURS:
        image_rgb = ToRgb().convert(_frame(rgb, matrix=matrix, is_full=is_full, pix_fmt=pix_fmt))
        assert image_rgb.shape == (16, 48, 3)
        assert image_rgb[8, 24].tolist() == pytest.approx(rgb, abs=3)


@pytest.mark.parametrize(
    ("size_hw", "primaries", "expected"),
    [((480, 640), 2, 6), ((576, 720), 2, 6), ((720, 1280), 2, 1), ((1920, 1080), 2, 1), ((480, 640), 9, 9)],
)
def test_the_matrix_that_nobody_stated(size_hw: tuple[int, int], primaries: int, expected: int) -> None:
    frame = av.VideoFrame(size_hw[1], size_hw[0], "yuv420p")
    frame.color_primaries = primaries
    assert matrix_of(frame) == expected
    frame.colorspace = 7
    assert matrix_of(frame) == 7


@pytest.mark.parametrize("width", [1, 2, 7, 31, 33, 401, 640])
@pytest.mark.parametrize("height", [1, 7, 64])
def test_every_size_comes_whole(height: int, width: int) -> None:
    image_rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(image_rgb, format="rgb24")
    out = ToRgb().convert(frame)
    assert (out == image_rgb).all()
    assert out.flags.c_contiguous
    assert out.flags.writeable


@pytest.mark.parametrize(
    ("aspect", "expected"),
    [
        (None, (360, 320)),
        (Fraction(0), (360, 320)),
        (Fraction(1), (360, 320)),
        (Fraction(200, 201), (360, 320)),
        (Fraction(2), (360, 640)),
        (Fraction(4, 3), (360, 427)),
        (Fraction(1, 2), (720, 320)),
        (Fraction(8, 9), (405, 320)),
        (Fraction(1, 1000), (360, 320)),
        (Fraction(65535), (360, 320)),
    ],
)
def test_square_pixels(aspect: Fraction | None, expected: tuple[int, int]) -> None:
    assert square_hw((360, 320), aspect) == expected


def _pq(nits: np.ndarray) -> np.ndarray:
    power = (nits / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def _hlg(scene: np.ndarray) -> np.ndarray:
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    )


_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


@pytest.mark.parametrize(("transfer", "abs_error"), [(16, 6), (18, 6), (14, 4)])
def test_sdr_in_hdr_comes_back(transfer: int, abs_error: int) -> None:
    """Colours of BT.709, up to white, put into BT.2020 by the formulas of BT.2100 and BT.2408."""
    levels = (0, 30, 90, 160, 255)
    rgb = np.array(list(product(levels, repeat=3)), float)
    light = (rgb / 255) ** 2.4
    wide = np.clip(light @ _TO_2020.T, 0, 1)
    # HLG: what a display of 1000 cd/m² shows of a signal, the other way round.
    signal = {16: _pq(wide * 203), 18: _hlg((wide * 203 / 1000) ** (1 / 1.2)), 14: wide ** (1 / 2.4)}[transfer]
    image_rgb = np.round(255 * signal).astype(np.uint8).reshape(5, 25, 3)
    out = to_sdr(image_rgb, transfer, 9).reshape(-1, 3).astype(int)
    is_bright = (rgb.min(axis=1) >= 90) | (rgb.max(axis=1) == rgb.min(axis=1))
    assert np.abs(out - rgb)[is_bright].max() <= abs_error
    assert np.abs(out - rgb).mean() < abs_error


def test_white_of_hdr_is_white_and_brighter_is_too() -> None:
    for transfer, white in ((16, 0.5807), (18, 0.75)):
        signal = np.array([[[0.0] * 3, [white] * 3, [1.0] * 3]])
        black, shown, brighter = to_sdr(np.round(255 * signal).astype(np.uint8), transfer, 9)[0]
        assert black.tolist() == [0, 0, 0]
        assert shown.min() >= 250
        assert brighter.tolist() == [255, 255, 255]


@pytest.mark.parametrize(("transfer", "primaries"), [(1, 1), (2, 2), (6, 6), (13, 1), (1, 12)])
def test_sdr_stays_as_it_is(transfer: int, primaries: int) -> None:
    image_rgb = np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)
    assert to_sdr(image_rgb, transfer, primaries) is image_rgb
