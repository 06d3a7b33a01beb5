"""Animated pictures as videos: GIF, WebP, PNG (APNG) and AVIF, one frame after another, with the file's own times."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.addresses import named
from mien.errors import UnreadableMedia
from mien.pixels.colours import rgb8
from mien.pixels.damage import frames_of_gif
from mien.pixels.images import read_error
from mien.pixels.kinds import picture_kind
from mien.pixels.photos import MAX_PIXELS, PhotoFile, decoding, opened, orientation_of, upright
from mien.scene import Frame
from mien.sources.base import Kind, Source
from mien.sources.selection import ALL, Selection
from mien.wording import count

if TYPE_CHECKING:
    from PIL import Image

UNTIMED_S = 0.1
"""Seconds for a frame whose duration is 0, as in browsers."""

_WEBP_IS_ANIMATED = 0x02  # a flag of the extended header


def is_animation(path: str | Path, head: bytes) -> bool:
    """Whether a picture has more than one frame; no frame is decoded.

    Args:
        path: of the file.
        head: its first `HEAD_BYTES`.
    """
    kind = picture_kind(head)
    if kind == "WebP":
        may_be = head[12:16] == b"VP8X" and bool(head[20] & _WEBP_IS_ANIMATED)
    elif kind == "AVIF":
        may_be = b"avis" in head[8:64]
    else:
        may_be = kind in ("GIF", "PNG")
    if not may_be or kind is None:
        return False
    with suppress(OSError, UnreadableMedia):  # a damaged one is a photo that cannot be read
        data = Path(path).read_bytes()
        if kind == "GIF":
            frames, is_whole = frames_of_gif(data)
            return frames > 1 or (frames == 1 and not is_whole)
        if kind == "PNG" and b"acTL" not in data[: max(data.find(b"IDAT"), 0)]:
            return False
        with opened(PhotoFile(data, named(path), max_pixels=2**62), kind) as image:
            return _frames_in(image) - _first_of(image) > 1
    return False


class AnimationSource(Source):
    """The frames of an animated picture as they are shown: upright, in sRGB, transparency on white.

    A GIF that breaks off gives the frames it has, then raises UnreadableMedia.

    Args:
        path: the file.
        selection: which frames to give.
        max_pixels: the largest size that is decoded.

    Raises:
        UnreadableMedia: missing, damaged, or too large.
    """

    kind: Kind = "video"

    def __init__(self, path: str | Path, *, selection: Selection = ALL, max_pixels: int = MAX_PIXELS) -> None:
        self.name = str(path)
        self._selection = selection
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise read_error(path, error) from None
        self._photo = PhotoFile(data, named(path), max_pixels)
        self._format = self._photo.kind()
        with opened(self._photo, self._format) as image:
            self._first, self._is_whole = _first_of(image), True
            if self._format == "GIF":
                self.frame_count, self._is_whole = frames_of_gif(data)
            else:
                self.frame_count = _frames_in(image) - self._first
            image.seek(self._first)
            image.load()
            self.fps = 1 / _duration_s(image)
        self._image = image
        self._is_closed = False
        self._reading = threading.Lock()
        self._frames = self._decoded()

    def __next__(self) -> Frame:
        with self._reading:
            frame = next(self._frames)
        if self._is_closed:
            raise StopIteration
        return frame

    def close(self) -> None:
        """Release the file; a frame that another thread is decoding is finished first, and given to nobody."""
        self._is_closed = True

    def _decoded(self) -> Generator[Frame, None, None]:
        picker, time_s = self._selection.picker(), 0.0
        for index in range(self.frame_count or 0):
            if self._is_closed or picker.is_over(time_s):
                return
            try:
                with decoding(self._photo, self._format):
                    self._image.seek(self._first + index)
                    self._image.load()
                    wanted = picker.wants(index, time_s)
                    image_rgb = self._image_rgb() if wanted else None
                    step_s = _duration_s(self._image)
            except UnreadableMedia as error:
                raise self._cut(index) from error
            if image_rgb is not None:
                yield Frame(image_rgb, index, time_s, self.name)
            time_s += step_s
        if not self._is_closed and not self._is_whole:
            raise self._cut(self.frame_count or 0)

    def _image_rgb(self) -> NDArray[np.uint8]:
        return upright(rgb8(self._image, self._photo.name), orientation_of(self._image, self._format))

    def _cut(self, frames: int) -> UnreadableMedia:
        """The error for one that ends, or cannot be decoded, after so many frames."""
        return UnreadableMedia(
            f"{self._photo.name} is damaged or truncated: {count(frames, 'frame')} could be read and were kept; "
            "get a complete copy for the rest."
        )


def _frames_in(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1))


def _first_of(image: Image.Image) -> int:
    """The first frame that is shown: an APNG may begin with a picture for programs that show no animation."""
    return int(bool(getattr(image, "default_image", False)))


def _duration_s(image: Image.Image) -> float:
    milliseconds = image.info.get("duration", 0)
    return float(milliseconds) / 1000 if milliseconds and milliseconds > 0 else UNTIMED_S
