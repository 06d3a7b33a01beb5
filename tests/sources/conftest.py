"""Clips that the tests of this room write: each picture tells its number and which way up it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

HEIGHT, WIDTH = 64, 96
BT2020 = 9  # of H.273
LEVEL, STEP = 40, 5


def _picture(index: int, size_hw: tuple[int, int] = (HEIGHT, WIDTH)) -> NDArray[np.uint8]:
    """Grey that tells the number (up to 40), with a red left quarter and a blue top right corner."""
    height, width = size_hw
    image_rgb = np.full((height, width, 3), LEVEL + STEP * index, np.uint8)
    image_rgb[:, : width // 4] = (230, 20, 20)
    image_rgb[: height // 4, -(width // 4) :] = (20, 20, 230)
    return image_rgb


def _number(image_rgb: NDArray[np.uint8]) -> int:
    """Which picture it is, after any codec; upright only."""
    height, width = image_rgb.shape[:2]
    middle = image_rgb[height // 2 : -height // 8, width // 3 : -width // 3]
    return round((float(middle.mean()) - LEVEL) / STEP)


def _is_upright(image_rgb: NDArray[np.uint8]) -> bool:
    """Whether the left is red, the top right blue and the bottom right grey."""
    height, width = image_rgb.shape[:2]
    y, x = height // 8, width // 8
    red, blue, grey = (image_rgb[at].astype(int) for at in ((height // 2, x), (y, -x), (-y, -x)))
    return bool(red[0] - max(red[1:]) > 80 and blue[2] - max(blue[:2]) > 80 and np.ptp(grey) < 40 and red.sum() < 400)


WriteClip = Callable[..., Path]


@pytest.fixture(scope="session")
def picture() -> Callable[..., NDArray[np.uint8]]:
    return _picture


@pytest.fixture(scope="session")
def number() -> Callable[[NDArray[np.uint8]], int]:
    return _number


@pytest.fixture(scope="session")
def is_upright() -> Callable[[NDArray[np.uint8]], bool]:
    return _is_upright


@pytest.fixture(scope="session")
def write_clip() -> WriteClip:
    """Writes a video with PyAV.

    Args of what it gives:
        path: its suffix says which container.
        count: how many pictures, numbered from 0; or the pictures.
        codec, pix_fmt, options: of the encoder.
        rate: pictures per second, unless `stamps_s` says when each is shown.
        container: options of the container.
        matrix: display matrix, 9 integers.
        aspect: of a pixel.
        colour: colorspace, color_range, color_primaries, color_trc by their numbers.
        sound_s: seconds of silence from 0 on.
    """

    def write(
        path: Path,
        count: int | Sequence[NDArray[np.uint8]] = 30,
        *,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        options: Mapping[str, str] | None = None,
        rate: int = 10,
        stamps_s: Sequence[float] | None = None,
        base: Fraction | None = None,
        container: Mapping[str, str] | None = None,
        matrix: Sequence[int] | None = None,
        aspect: Fraction | None = None,
        colour: Mapping[str, int] | None = None,
        sound_s: float = 0.0,
    ) -> Path:
        pictures = [_picture(index) for index in range(count)] if isinstance(count, int) else list(count)
        base = base or (Fraction(1, 1000) if stamps_s is not None else Fraction(1, rate))
        if (colour or {}).get("colorspace") == BT2020 and int(av.__version__.partition(".")[0]) < 18:
            pytest.skip("PyAV 17 cannot write BT.2020")
        with av.open(str(path), "w", options=dict(container or {})) as out:
            stream: Any = out.add_stream(codec, rate=rate, options=dict(options or {}))
            stream.height, stream.width = pictures[0].shape[:2] if pictures else (HEIGHT, WIDTH)
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = base
            if matrix is not None:
                stream.set_display_matrix(matrix)
            if aspect is not None:
                stream.codec_context.sample_aspect_ratio = aspect
            for name, value in (colour or {}).items():
                setattr(stream.codec_context, name, value)
            sound = out.add_stream("aac", rate=8000, layout="mono") if sound_s else None
            if not pictures:
                out.start_encoding()
            for index, image_rgb in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(image_rgb, format="rgb24").reformat(
                    format=pix_fmt,
                    dst_colorspace=(colour or {}).get("colorspace", 6),
                    dst_color_range=(colour or {}).get("color_range", 1),
                )
                time_s = index / rate if stamps_s is None else stamps_s[index]
                frame.pts, frame.time_base = round(time_s / base), base
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
            if sound is not None:
                _silence(out, sound, sound_s)
        return path

    return write


def _silence(out: Any, stream: Any, length_s: float) -> None:
    for at in range(0, int(length_s * 8000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = 8000, at, Fraction(1, 8000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
