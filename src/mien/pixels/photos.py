"""A photo from the bytes of its file: upright, in sRGB, refused when it is damaged, too large or none at all."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError, TooManyPixels, UnreadableMedia
from mien.pixels.colours import eight_bits, has_other_colours, in_srgb, on_white, pixels, rgb8, unread_values
from mien.pixels.damage import (
    TRUNCATED,
    damage_of_png,
    end_of_jpeg,
    lacks_rows,
    may_lack_rows,
    passes_of_jpeg,
    plain_png,
)
from mien.pixels.kinds import HEAD_BYTES, RAW_SUFFIXES, is_video_head, picture_kind, unread_kind
from mien.pixels.pillow import open_picture, quiet_pillow
from mien.pixels.quiet import quiet_opencv
from mien.pixels.tiff import TiffPages, read_pages

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 250_000_000
"""Largest picture that is read unless another limit is given, in pixels: those of 200-megapixel phones are below it."""

_MOST_PASSES = 200  # over the pixels of a progressive JPEG; encoders make about ten
_CANNOT_DECODE = "its contents cannot be decoded"
_ORIENTATION = 0x0112
_MP_ENTRIES = 0xB002
_AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_CODESTREAM, _DEPTH_AT = b"\xff\x4f\xff\x51", 42  # of JPEG 2000; where it says how many bits the first colour has

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """The bytes of a photo that is about to be read.

    Args:
        data: the whole file.
        name: what to call it in an error.
        max_pixels: the largest size that is decoded.
    """

    data: bytes
    name: str
    max_pixels: int = MAX_PIXELS

    def kind(self) -> str:
        """Its format.

        Raises:
            UnreadableMedia: it is empty, or none that is read.
        """
        return check_kind(self.data[:HEAD_BYTES], self.name)


def decode_photo(photo: PhotoFile) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright, in sRGB, transparency on white, the first picture of an animation.

    Of several pictures in a file the first is read, and the log says so.

    Raises:
        UnreadableMedia: empty, damaged, not a picture, of a kind that is not read, or too large.
    """
    kind = photo.kind()
    with opened(photo, kind) as image:
        if _is_deep(image, photo.data, kind):
            return upright(_decoded_deep(photo, kind, image), orientation_of(image, kind))
        if kind == "JPEG" and image.mode in ("RGB", "L") and not has_other_colours(image):
            image_rgb = _decoded_jpeg(photo)
        else:
            image.load()
            image_rgb = rgb8(image, photo.name)
        if kind == "JPEG" and may_lack_rows(image_rgb) and lacks_rows(photo.data):
            raise damaged(photo.name, kind, TRUNCATED)
        orientation = orientation_of(image, kind)
        image.close()
        return upright(image_rgb, orientation)


@contextmanager
def opened(photo: PhotoFile, kind: str) -> Iterator[Image.Image]:
    """The picture with its header read, to be used as in `decoding`."""
    with decoding(photo, kind):
        yield _open(photo, kind)


@contextmanager
def decoding(photo: PhotoFile, kind: str) -> Iterator[None]:
    """Whatever Pillow says against a picture in this block becomes UnreadableMedia; warnings are not heard."""
    try:
        with quiet_pillow(photo.max_pixels):
            yield
    except (MienError, ImportError):
        raise
    except MemoryError as error:
        raise UnreadableMedia(f"Cannot read {photo.name}: it does not fit in memory; make it smaller.") from error
    except Exception as error:  # decoders raise anything for a damaged file, down to IndexError and RuntimeError
        truncated = "truncat" in str(error).lower()
        raise damaged(photo.name, kind, TRUNCATED if truncated else _CANNOT_DECODE) from error


def check_kind(head: bytes, name: str) -> str:
    """The format of a photo that begins like this.

    Raises:
        UnreadableMedia: it is empty, or none that is read.
    """
    if not head:
        raise UnreadableMedia(f"Cannot read {name}: the file is empty; get a complete copy of it.")
    kind = picture_kind(head)
    if kind is not None:
        return kind
    unread = unread_kind(head)
    if unread is None and is_video_head(head):
        raise UnreadableMedia(
            f"Cannot read {name}: it is a video or a sound, and a picture is needed; "
            "videos are for `mien look` and mien.stream()."
        )
    if unread is None:
        raise UnreadableMedia(
            f"Cannot read {name}: its contents are not a picture of a known kind, whatever its name says; "
            "give a JPEG, PNG, WebP, HEIC, AVIF, BMP, TIFF or GIF."
        )
    raise unread_photo(name, unread)


def unread_photo(name: str, kind: str) -> UnreadableMedia:
    """The error for a picture of a kind that is not read.

    Args:
        name: of the file.
        kind: as `mien.pixels.kinds.unread_kind` gives it.
    """
    if kind.startswith("camera RAW"):
        return UnreadableMedia(
            f"Cannot read {name}: {kind} holds what the sensor saw, not a finished picture; "
            "develop it and give the JPEG or TIFF."
        )
    return UnreadableMedia(f"Cannot read {name}: {kind} pictures are not supported; save it as JPEG or PNG.")


def damaged(name: str, kind: str, what: str) -> UnreadableMedia:
    """The error for a damaged picture.

    Args:
        name: of the file.
        kind: its format.
        what: is wrong with it, as a clause.
    """
    return UnreadableMedia(f"Cannot read {name}: this {kind} is damaged ({what}); get a complete copy of it.")


def check_size(size_hw: tuple[int, int], name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse a picture of more than so many pixels with TooManyPixels."""
    height, width = size_hw
    if height * width > max_pixels:
        raise TooManyPixels(
            f"Cannot read {name}: {width} x {height} pixels exceed the limit of {_millions(max_pixels)}; "
            "make it smaller, or raise the limit (--max-pixels, max_pixels=)."
        )


def upright(image_rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation, 1 to 8; another number changes nothing."""
    if orientation in (5, 6, 7, 8):
        image_rgb = image_rgb.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image_rgb = image_rgb[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image_rgb = image_rgb[::-1]
    return np.ascontiguousarray(image_rgb)


def orientation_of(image: Image.Image, kind: str) -> int:
    """What is left to be done for a picture that Pillow has loaded: EXIF orientation, 1 to 8.

    Of HEIC and TIFF nothing is left: their decoders have done it. In AVIF only the transforms of the container count,
    which Pillow puts into the EXIF; in others EXIF, and where it says nothing XMP.
    """
    if kind in ("HEIC", "TIFF"):
        return 1
    try:
        if kind == "AVIF":
            from PIL.Image import Exif

            exif = Exif()
            exif.load(image.info.get("exif", b""))
        else:
            exif = image.getexif()
        value = exif.get(_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block raises anything, and the picture is good without it
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _open(photo: PhotoFile, kind: str) -> Image.Image:
    data = photo.data
    pages = TiffPages()
    if kind == "TIFF":
        pages = read_pages(data)
        suffix = Path(photo.name).suffix.lower()
        if pages.raw is not None or suffix in RAW_SUFFIXES:
            form = suffix[1:].upper() if suffix in RAW_SUFFIXES else pages.raw
            raise unread_photo(photo.name, f"camera RAW ({form})")
        if pages.is_truncated:
            raise damaged(photo.name, kind, TRUNCATED)
        if pages.unread_values is not None:
            raise unread_values(photo.name, pages.unread_values)
    damage = damage_of_png(data) if kind == "PNG" else None
    if damage is not None:
        raise damaged(photo.name, kind, damage)
    passes = passes_of_jpeg(data) if kind == "JPEG" else 1
    if passes > _MOST_PASSES:
        raise damaged(photo.name, kind, f"it goes over its pixels more than {_MOST_PASSES} times")
    try:
        image = open_picture(data, kind)
    except ValueError:
        if kind != "PNG":
            raise
        image = open_picture(plain_png(data), kind)  # a text or profile that inflates to more than a megabyte
    if pages.photo:
        image.seek(pages.photo)
    check_size(image.size[::-1], photo.name, photo.max_pixels)
    count = pages.count if kind == "TIFF" else _photos_in_mpo(data, image) if kind == "JPEG" else 1
    if kind == "HEIC":
        count = getattr(image, "n_frames", 1)
    if count > 1:
        which = "the main one" if kind == "HEIC" else "the first"
        _log.warning("%s holds %d pictures; %s is read.", photo.name, count, which)
    return image


def _photos_in_mpo(data: bytes, image: Image.Image) -> int:
    """How many photos a JPEG holds; small copies for screens do not count. A damaged list of them is no harm."""
    if "mp" not in image.info:
        return 1
    from PIL.JpegImagePlugin import jpeg_factory

    try:
        listed: Any = jpeg_factory(io.BytesIO(data))
        kinds = [str(entry["Attribute"]["MPType"]) for entry in listed.mpinfo[_MP_ENTRIES]]
    except Exception:  # anything, from AssertionError on; the first photo is there without it
        return 1
    return sum("Thumbnail" not in kind for kind in kinds)


def _is_deep(image: Image.Image, data: bytes, kind: str) -> bool:
    """Whether it has colours of more than 8 bits, of which Pillow cuts off the rest, in JPEG 2000 even wrongly."""
    if image.mode not in ("RGB", "RGBA", "RGBX", "LA") or image.tell():
        return False
    if kind == "JPEG 2000":
        depth = data.find(_CODESTREAM) + _DEPTH_AT
        return len(data) > depth and data[depth] & 0x7F >= 8  # one less than the number of bits
    return any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def _decoded_jpeg(photo: PhotoFile) -> NDArray[np.uint8]:
    """The pixels of a JPEG in RGB or grey, by OpenCV: bit for bit those of Pillow, for both have libjpeg-turbo.

    It takes a fifth less time, for Pillow keeps the pixels in a form of its own first. Unlike Pillow it does not miss
    an end mark.
    """
    if end_of_jpeg(photo.data) is None:
        raise damaged(photo.name, "JPEG", TRUNCATED)
    with quiet_opencv():
        decoded: Any = cv2.imdecode(np.frombuffer(photo.data, np.uint8), _AS_STORED)
    if decoded is None:
        raise damaged(photo.name, "JPEG", _CANNOT_DECODE)
    image_rgb: NDArray[np.uint8] = decoded
    return image_rgb


def _decoded_deep(photo: PhotoFile, kind: str, image: Image.Image) -> NDArray[np.uint8]:
    """Colours of more than 8 bits, which OpenCV brings to 8 as they should be."""
    from PIL.Image import fromarray

    data = plain_png(photo.data) if kind == "PNG" else photo.data
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION if kind == "JPEG 2000" else cv2.IMREAD_UNCHANGED
    with quiet_opencv():
        decoded: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if decoded is None or decoded.dtype not in (np.uint8, np.uint16):
        raise damaged(photo.name, kind, _CANNOT_DECODE)
    shallow = decoded if decoded.dtype == np.uint8 else eight_bits(decoded)
    channels = 1 if shallow.ndim == 2 else shallow.shape[2]
    order = {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    array = np.ascontiguousarray(shallow.reshape(*shallow.shape[:2], channels)[..., order])
    converted = pixels(in_srgb(fromarray(array), image)) if image.info.get("icc_profile") else array
    return on_white(converted) if converted.shape[2] == 4 else converted


def _millions(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f} million" if pixels >= 10**6 else f"{pixels:,}"
