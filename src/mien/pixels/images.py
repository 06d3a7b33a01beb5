"""Photos in and out. Inside mien a picture is (H, W, 3) uint8, RGB, upright; other forms are converted here."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.addresses import named
from mien.errors import OutputError, UnreadableMedia
from mien.files.whole import write_whole
from mien.pixels.kinds import HEAD_BYTES
from mien.pixels.photos import MAX_PIXELS, PhotoFile, check_kind, decode_photo, opened
from mien.pixels.quiet import quiet_opencv

_ENCODERS: dict[str, list[int]] = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".png": [],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
    ".gif": [],
}


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read a photo: (H, W, 3) uint8 RGB, upright, in sRGB, transparency on white, the first picture of an animation.

    Args:
        path: the file.
        max_pixels: the largest size that is decoded.

    Raises:
        UnreadableMedia: missing, not a file, empty, damaged, not a picture, of a kind that is not read, or too large.
    """
    return decode_image(_bytes_of(path), named(path), max_pixels=max_pixels)


def decode_image(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode a photo from the bytes of its file, like `read_image`.

    Args:
        data: the whole file.
        name: what to call it in an error.
        max_pixels: the largest size that is decoded.
    """
    return decode_photo(PhotoFile(data, name, max_pixels))


def picture_size_hw(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of a photo as it is stored, in pixels; they are not decoded.

    Raises:
        UnreadableMedia: it cannot be read, by what its header says.
    """
    photo = PhotoFile(_bytes_of(path), named(path))
    with opened(photo, photo.kind()) as image:
        width, height = image.size
    return height, width


def encode_image(image_rgb: NDArray[np.uint8], suffix: str) -> bytes:
    """Encode a picture as the format of a suffix: .jpg, .jpeg, .png, .webp or .gif.

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
        suffix: with its dot, any case.

    Raises:
        OutputError: another suffix, or a picture too large for the format.
    """
    if suffix.lower() not in _ENCODERS:
        shown = f"the suffix {suffix!r}" if suffix else "no suffix"
        raise OutputError(f"A picture must be written as one of {', '.join(_ENCODERS)}, got {shown}.")
    try:
        with quiet_opencv():
            done, encoded = cv2.imencode(
                suffix.lower(), cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), _ENCODERS[suffix.lower()]
            )
    except cv2.error as error:
        raise _too_large(image_rgb, suffix) from error
    if not done:
        raise _too_large(image_rgb, suffix)
    return encoded.tobytes()


def write_image(path: str | Path, image_rgb: NDArray[np.uint8]) -> None:
    """Write a picture; the suffix sets the format. A missing folder is created; no partial file is left behind.

    Args:
        path: ends in .jpg, .jpeg, .png, .webp or .gif.
        image_rgb: (H, W, 3) uint8 RGB.

    Raises:
        OutputError: unknown suffix, full disk, no permission, or the like.
    """
    write_whole(path, encode_image(image_rgb, Path(path).suffix))


def read_head(path: str | os.PathLike[str]) -> bytes:
    """The first `HEAD_BYTES` of a photo or video, enough to tell what it is.

    Raises:
        UnreadableMedia: missing, not an ordinary file, empty, or not permitted.
    """
    name = named(path)
    if not os.fspath(path):  # else it is the folder one stands in
        raise UnreadableMedia("The name of a source is empty; name a photo or video.")
    try:
        if Path(path).exists() and not Path(path).is_file():
            what = "a folder" if Path(path).is_dir() else "not an ordinary file"
            raise UnreadableMedia(f"Cannot read {name}: it is {what}; name a photo or video.")
        with Path(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:
        raise read_error(path, error) from None
    if not head:
        raise UnreadableMedia(f"Cannot read {name}: the file is empty; get a complete copy of it.")
    return head


def read_error(path: str | os.PathLike[str], error: OSError | ValueError) -> UnreadableMedia:
    """The error for a system failure to open an input; raise it `from None` if that may be an address."""
    name = named(path)
    if isinstance(error, ValueError):
        return UnreadableMedia(f"Cannot read {name!r}: it is not a valid file name; check the name.")
    reasons = {
        errno.ENOENT: "there is no such file; check the name",
        errno.ENOTDIR: "a part of its path is a file, not a folder; check the name",
        errno.EACCES: "you have no permission to read it; change its permissions",
        errno.EPERM: "you have no permission to read it; change its permissions",
        errno.EISDIR: "it is a folder; name a photo or video",
        errno.ENAMETOOLONG: "the name is too long; check the name",
    }
    known = reasons.get(error.errno or 0)
    return UnreadableMedia(f"Cannot read {name}: {known or (error.strerror or str(error)).lower()}.")


def _bytes_of(path: str | os.PathLike[str]) -> bytes:
    """The whole file, once its beginning has shown that it may be a photo."""
    check_kind(read_head(path), named(path))
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise read_error(path, error) from None  # the system's message repeats the whole path


def _too_large(image_rgb: NDArray[np.uint8], suffix: str) -> OutputError:
    height, width = image_rgb.shape[:2]
    return OutputError(f"A picture of {width} x {height} pixels cannot be written as {suffix}; try .png.")
