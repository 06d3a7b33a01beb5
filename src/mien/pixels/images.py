"""Photos in and out. Inside mien a picture is (H, W, 3) uint8, RGB, upright; other forms are converted here."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.addresses import named
from mien.errors import OutputError, UnreadableMedia
from mien.files import write_whole
from mien.pixels.headers import PictureHeader, picture_kind, plain_png, read_header

MAX_PIXELS = 200_000_000
"""Largest picture that is decoded, in pixels; one of this size takes about 1.2 GB while it is read."""

PHOTO_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".gif",
        ".avif",
        ".jp2",
        ".ppm",
        ".pgm",
        ".pbm",
    }
)
"""Suffixes, in lower case, of the files in a folder that count as photos."""

_WITH_ALPHA = frozenset({"PNG", "WebP", "GIF", "TIFF"})
_ENCODERS: dict[str, list[int]] = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".png": [],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
    ".gif": [],
}
_BAND_ROWS = 512


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a photo: (H, W, 3) uint8 RGB, upright, transparency on white, the first picture of an animation.

    Raises:
        UnreadableMedia: missing, not a file, empty, damaged, not a picture, or larger than `MAX_PIXELS`.
    """
    name = named(path)
    _check_kind(read_head(path), name)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise read_error(path, error) from None  # the system's message repeats the whole path
    return decode_image(data, name)


def decode_image(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode a photo from the bytes of its file, like `read_image`.

    Args:
        data: the whole file.
        name: what to call it in an error.
    """
    header = read_header(data, _check_kind(data[:32], name))
    if header.damage:
        raise _damaged(name, header, header.damage)
    if header.size_hw:
        check_size(header.size_hw, name)
    plain = plain_png(data) if header.kind == "PNG" else data
    flags = cv2.IMREAD_UNCHANGED if header.kind in _WITH_ALPHA else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        with quiet_opencv():
            decoded: Any = cv2.imdecode(np.frombuffer(plain, np.uint8), flags)
    except cv2.error as error:
        raise _damaged(name, header, "its contents cannot be decoded") from error
    except MemoryError as error:
        raise UnreadableMedia(f"Cannot read {name}: it does not fit in memory; make it smaller.") from error
    if decoded is None:
        raise _damaged(name, header, "its contents cannot be decoded")
    return _upright(to_rgb8(decoded, name), header.orientation)


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
    """The first 32 bytes of a photo or video, enough to tell what it is.

    Raises:
        UnreadableMedia: missing, not an ordinary file, empty, or not permitted.
    """
    name = named(path)
    try:
        if Path(path).exists() and not Path(path).is_file():
            what = "a folder" if Path(path).is_dir() else "not an ordinary file"
            raise UnreadableMedia(f"Cannot read {name}: it is {what}; name a photo or video.")
        with Path(path).open("rb") as file:
            head = file.read(32)
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


_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_before = 0


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from writing to stderr in this block; safe in any number of threads.

    FFmpeg reads its variable once per process, when the first video is opened, so it is set here and stays set.
    """
    global _quiet_users, _quiet_before
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    log: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    with _quiet_lock:
        if _quiet_users == 0:
            _quiet_before = log.setLogLevel(0)
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                log.setLogLevel(_quiet_before)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what native code writes to stderr while OpenCV opens an encoder.

    It prints a line about WebM's codec tags that bypasses its own log. Nothing is done if stderr is not a real file.
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check_kind(head: bytes, name: str) -> str:
    if not head:
        raise UnreadableMedia(f"Cannot read {name}: the file is empty; get a complete copy of it.")
    kind = picture_kind(head)
    if kind is None:
        raise UnreadableMedia(
            f"Cannot read {name}: its contents are not a picture of a known kind, whatever its name says; "
            "give a JPEG, PNG, WebP, BMP, TIFF or GIF."
        )
    if kind == "HEIC":
        raise UnreadableMedia(f"Cannot read {name}: HEIC pictures are not supported; save it as JPEG or PNG.")
    return kind


def check_size(size_hw: tuple[int, int], name: str) -> None:
    """Refuse a picture of more than `MAX_PIXELS` with UnreadableMedia."""
    height, width = size_hw
    if height * width > MAX_PIXELS:
        raise UnreadableMedia(
            f"Cannot read {name}: {width} x {height} pixels exceed the limit of {MAX_PIXELS // 10**6} "
            "million; make it smaller."
        )


def _damaged(name: str, header: PictureHeader, what: str) -> UnreadableMedia:
    return UnreadableMedia(f"Cannot read {name}: this {header.kind} is damaged ({what}); get a complete copy of it.")


def _too_large(image_rgb: NDArray[np.uint8], suffix: str) -> OutputError:
    height, width = image_rgb.shape[:2]
    return OutputError(f"A picture of {width} x {height} pixels cannot be written as {suffix}; try .png.")


def to_rgb8(decoded: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """OpenCV's (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA, 8 or 16 bit, as (H, W, 3) uint8 RGB on white."""
    if decoded.dtype not in (np.uint8, np.uint16):
        raise UnreadableMedia(
            f"Cannot read {name}: its pixels are {decoded.dtype}, not 8 or 16 bits; save it with 8 bits."
        )
    check_size(decoded.shape[:2], name)
    if decoded.ndim == 2:
        decoded = decoded[:, :, None]
    h, w, c = decoded.shape
    if c == 3 and decoded.dtype == np.uint8:
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
    image_rgb = np.empty((h, w, 3), np.uint8)
    for top in range(0, h, _BAND_ROWS):  # in bands, so that a large picture needs no float copy of itself
        band = decoded[top : top + _BAND_ROWS]
        if band.dtype == np.uint16:
            band = (band.astype(np.uint32) + 128) // 257
        colour = band[..., [0, 0, 0]] if c < 3 else band[..., [2, 1, 0]]
        if c in (2, 4):
            alpha = band[..., -1:].astype(np.uint32)
            colour = (colour * alpha + 255 * (255 - alpha) + 127) // 255
        image_rgb[top : top + _BAND_ROWS] = colour
    return image_rgb


def _upright(image_rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image_rgb = image_rgb.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image_rgb = image_rgb[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image_rgb = image_rgb[::-1]
    return np.ascontiguousarray(image_rgb)
