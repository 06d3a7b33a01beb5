from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

RATE = 48_000
LENGTH_S = 3.0
SIZE_HW = (48, 64)


def make_clip(
    path: Path,
    codec: str,
    *,
    picture_from_s: float = 0.0,
    begin_s: float = 0.0,
    flashes_s: tuple[float, ...] = (1.0,),
    silent: tuple[float, float] = (0.0, 0.0),
    layout: str = "stereo",
    with_sound: bool = True,
) -> Path:
    """A dark video that flashes, and beeps at the same moments; no packets at all in the silent seconds.

    Its clock starts at `begin_s`, as that of a recorded stream does; all other times are from there.
    """
    with av.open(str(path), "w") as container:
        picture, options = ("libvpx", {}) if path.suffix == ".webm" else ("libx264", {"preset": "ultrafast"})
        video = container.add_stream(picture, rate=25, options=options)
        video.width, video.height, video.pix_fmt = SIZE_HW[1], SIZE_HW[0], "yuv420p"
        frames = []
        for i in range(round((LENGTH_S - picture_from_s) * 25)):
            time_s = picture_from_s + i / 25
            level = 230 if any(at <= time_s + 1e-6 < at + 0.2 for at in flashes_s) else 20
            frame = av.VideoFrame.from_ndarray(np.full((*SIZE_HW, 3), level, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round((begin_s + time_s) * 25), Fraction(1, 25)
            frames.append((time_s, frame))
        pieces = []
        if with_sound:
            audio = container.add_stream(codec, rate=RATE, layout=layout)
            times = np.arange(int(LENGTH_S * RATE)) / RATE
            loud = np.any([(times >= at) & (times < at + 0.2) for at in flashes_s], axis=0)
            hiss = 0.004 * np.random.default_rng(0).standard_normal(len(times))
            wave = (0.5 * np.sin(2 * np.pi * 880 * times) * loud + hiss).astype(np.float32)
            for at in range(0, len(wave), 960):
                if not silent[0] <= at / RATE < silent[1]:
                    planes = np.repeat(wave[None, at : at + 960], av.AudioLayout(layout).nb_channels, axis=0)
                    piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), format="fltp", layout=layout)
                    piece.sample_rate, piece.time_base = RATE, Fraction(1, RATE)
                    piece.pts = at + round(begin_s * RATE)
                    pieces.append((at / RATE, piece))
        for _, piece in sorted([*frames, *pieces], key=lambda pair: pair[0]):
            stream = video if isinstance(piece, av.VideoFrame) else audio
            container.mux(stream.encode(piece))
        container.mux(video.encode(None))
        if with_sound:
            container.mux(audio.encode(None))
    return path


@pytest.fixture
def clip() -> Callable[..., Path]:
    """Makes a video that flashes and beeps."""
    return make_clip
