"""The one door to Pillow and pi-heif: a picture of a known kind is opened, without a warning and within our limit."""

from __future__ import annotations

import importlib
import io
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mien.pixels.quiet import quiet_c_libraries

if TYPE_CHECKING:
    from PIL import Image

_OPENERS: Mapping[str, tuple[str, str]] = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "JPEG 2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "PNM": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "HEIC": ("pi_heif", "HeifImageFile"),
}

_lock = threading.Lock()
_users = 0
_quiet: warnings.catch_warnings[None] | None = None
_limit_before: int | None = None


@contextmanager
def quiet_pillow(max_pixels: int) -> Iterator[None]:
    """Let Pillow say nothing and read pictures of this many pixels in this block; safe in any number of threads.

    Pillow warns, through the warnings of Python, of much that does no harm, and refuses pictures above 179 million
    pixels, both for the whole process. So both are set for as long as any thread is in such a block. Warnings of other
    libraries are as they were; what the C libraries below Pillow print is discarded.
    """
    global _users, _quiet, _limit_before
    from PIL import Image

    with _lock:
        if _users == 0:
            _quiet = warnings.catch_warnings()
            _quiet.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.|pi_heif")
            _limit_before = Image.MAX_IMAGE_PIXELS
        _users += 1
        if Image.MAX_IMAGE_PIXELS is not None:
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)
    try:
        with quiet_c_libraries():
            yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _quiet is not None:
                Image.MAX_IMAGE_PIXELS = _limit_before
                _quiet.__exit__(None, None, None)
                _quiet = None


def open_picture(data: bytes, kind: str) -> Image.Image:
    """Read the header of a picture, not yet its pixels; call it, and what follows, inside `quiet_pillow`.

    Only the decoder of this kind is imported and asked, whatever else is registered with Pillow.

    Args:
        data: the whole file.
        kind: as `mien.pixels.kinds.picture_kind` gives it.

    Raises:
        SyntaxError, OSError and others of Pillow: the header is damaged.
    """
    module, name = _OPENERS[kind]
    opener: Any = getattr(importlib.import_module(module), name)
    picture: Image.Image = opener(io.BytesIO(data), "")
    return picture
