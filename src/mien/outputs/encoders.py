"""Which encoder makes the picture of a video file, and how it is set: the first of a list that opens here.

H.264 by libx264 is what PyAV's wheels have; a PyAV built without it may have another one. `ultrafast` with CRF 22 was
chosen by measurement: at 1920 x 1080 it takes as much processor time as the MPEG-4 of OpenCV did (docs/media.md has the
figures), `superfast` two to three times as much, and it is closer to the picture than either. VP9 by libvpx
with its fastest real-time settings takes a tenth of what VP8 took.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from mien.errors import OutputError
from mien.resource import usable_threads

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

_log = logging.getLogger(__name__)

SUFFIXES = (".mp4", ".webm", ".mov", ".mkv", ".m4v")
"""Endings of the video files that can be written."""

KEY_S = 2.0
"""A frame that is stored whole comes at least this often, so that a player can jump there."""

_BITS = 0.15
_BT709, _BT601, _LIMITED = 1, 6, 1  # ITU-T H.273: of sRGB and BT.709, of the matrix, of the range


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """An encoder of FFmpeg and its settings.

    Args:
        name: FFmpeg's.
        codec: what it writes, in the words of people.
        options: FFmpeg's; without any, the rate is stated in bits, as hardware needs it.
        pixel_format: what it takes.
        most_ticks: the finest clock it knows, ticks per second.
        is_hardware: whether a part of the computer does it, which may be absent.
        plays_in_browsers: whether browsers play it.
    """

    name: str
    codec: str = "H.264"
    options: Mapping[str, str] = field(default_factory=dict)
    pixel_format: str = "yuv420p"
    most_ticks: int = 1_000_000
    is_hardware: bool = False
    plays_in_browsers: bool = True


_H264 = (
    Encoder(name="libx264", options={"preset": "ultrafast", "crf": "22", "forced-idr": "1"}),
    Encoder(name="libopenh264"),
    Encoder(name="h264_videotoolbox", is_hardware=True),
    Encoder(name="h264_nvenc", options={"preset": "p3", "cq": "22", "forced-idr": "1"}, is_hardware=True),
    Encoder(name="h264_qsv", pixel_format="nv12", is_hardware=True),
    Encoder(name="h264_amf", pixel_format="nv12", is_hardware=True),
    Encoder(name="h264_mf", pixel_format="nv12", is_hardware=True),
    Encoder(name="mpeg4", codec="MPEG-4 part 2", most_ticks=60_000, plays_in_browsers=False),
)
_VPX = {"deadline": "realtime", "cpu-used": "8", "b": "0"}
_WEBM = (
    Encoder(name="libvpx-vp9", codec="VP9", options={**_VPX, "crf": "26", "row-mt": "1", "tile-columns": "2"}),
    Encoder(name="libvpx", codec="VP8", options={**_VPX, "crf": "12", "b": "20M"}),
)

ENCODERS: dict[str, tuple[Encoder, ...]] = {suffix: _WEBM if suffix == ".webm" else _H264 for suffix in SUFFIXES}
"""The encoders to try for each ending, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a video shows: its size and about how often.

    Args:
        size_hw: height and width in pixels, both even.
        fps: frames per second, nominally.
        ticks: of the file's clock, per second.
    """

    size_hw: tuple[int, int]
    fps: float
    ticks: int

    @property
    def rate(self) -> Fraction:
        """The frames per second as encoders take them."""
        return Fraction(self.fps).limit_denominator(1001)


def best_encoder(suffix: str, size_hw: tuple[int, int], fps: float) -> Encoder:
    """The first encoder that opens here for pictures of this size.

    Args:
        suffix: of the file, in lower case.
        size_hw: even height and width in pixels.
        fps: frames per second, nominally.

    Raises:
        OutputError: none does.
    """
    tried = []
    for encoder in ENCODERS[suffix]:
        picture = Picture(size_hw=size_hw, fps=fps, ticks=encoder.most_ticks)
        reason = _fault(encoder, picture)
        if reason is None:
            return encoder
        tried.append(f"{encoder.name}: {reason}")
    height, width = size_hw
    _log.debug("No encoder: %s", "; ".join(tried))
    other = ".mp4" if suffix == ".webm" else ".webm"
    raise OutputError(f"PyAV has no encoder for {suffix} of {width} x {height} pixels here; try {other}.")


def set_up(context: VideoCodecContext, encoder: Encoder, picture: Picture) -> None:
    """Set an encoder up, before it is opened, for what `planes.to_yuv420p` gives; the file states its colours.

    Args:
        context: of the encoder.
        encoder: which.
        picture: what it is to encode.
    """
    height, width = picture.size_hw
    context.width, context.height = width, height
    context.pix_fmt = encoder.pixel_format
    context.time_base = Fraction(1, picture.ticks)
    context.framerate = picture.rate
    context.gop_size = max(round(20 * KEY_S * picture.fps), 1)  # key frames are asked for by time; this is the reserve
    context.max_b_frames = 0
    context.thread_count = usable_threads()
    context.color_range = _LIMITED
    context.color_primaries = context.color_trc = _BT709
    context.colorspace = _BT601
    options = dict(encoder.options)
    if encoder.name == "mpeg4":
        context.qmin, context.qmax = 2, 4
    if not options:
        context.bit_rate = round(max(height * width * picture.fps * _BITS, 200_000))
    context.options = options


def _created(encoder: Encoder) -> VideoCodecContext:
    import av

    return cast("VideoCodecContext", av.CodecContext.create(encoder.name, "w"))


def _fault(encoder: Encoder, picture: Picture) -> str | None:
    """Why an encoder cannot be used; None if it can. Hardware has to encode a frame, for it may open and do nothing."""
    import av

    try:
        context = _created(encoder)
        set_up(context, encoder, picture)
        context.open()
        if not encoder.is_hardware:
            return None
        height, width = picture.size_hw
        frame = av.VideoFrame(width, height, encoder.pixel_format)
        frame.pts, frame.time_base = 0, context.time_base
        packets = [*context.encode(frame), *context.encode(None)]
    except (av.error.FFmpegError, ValueError, RuntimeError) as error:
        return str(getattr(error, "strerror", None) or error).partition("\n")[0]
    return None if packets else "it gives no frame"
