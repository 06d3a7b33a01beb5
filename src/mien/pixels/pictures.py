"""Every form that a picture may be given in, converted to the one that mien works with: upright (H, W, 3) uint8 RGB."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.addresses import named
from mien.errors import InputError, UnreadableMedia
from mien.pixels.colours import on_white, rgb8
from mien.pixels.images import decode_image, read_image
from mien.pixels.photos import MAX_PIXELS, check_size, orientation_of, upright
from mien.pixels.pillow import quiet_pillow

_LONGEST_PATH = 4096
_PIL_KINDS = {"HEIF": "HEIC", "TIFF": "TIFF", "AVIF": "AVIF"}
_KINDS = "a path, the bytes of a file, an open file, a PIL image, a VideoFrame, or an (H, W, 3) uint8 RGB array"


class BinaryFile(Protocol):
    """A file opened in binary mode, or anything that reads like one."""

    def read(self) -> bytes: ...


PictureLike: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | NDArray[Any] | Any"
"""What `read_picture` takes; naming the types of PIL images and other arrays would mean importing their libraries."""


def read_picture(picture: PictureLike, *, max_pixels: int = MAX_PIXELS) -> tuple[NDArray[np.uint8], str]:
    """A picture in any of its forms.

    Args:
        picture: a path; the bytes of a photo file, or a file opened in binary mode, read from its current position and
            left open; a PIL image, turned upright by its EXIF; or an array, uint8, 0 to 255: (H, W, 3) RGB, (H, W) or
            (H, W, 1) grey, or (H, W, 4) RGBA, whose transparency becomes white. OpenCV's arrays are BGR: give
            `image[..., ::-1]`. Arrays and tensors of other libraries count if NumPy can read them, and a VideoFrame of
            PyAV, turned upright.
        max_pixels: the largest picture that is accepted.

    Returns:
        (H, W, 3) uint8 RGB, and the name of the file, empty if there is none.

    Raises:
        UnreadableMedia: a photo is missing, empty, damaged or too large.
        InputError: it is none of these; the message repeats at most 200 characters of it.
    """
    if isinstance(picture, str | os.PathLike):
        return _from_path(picture, max_pixels)
    if isinstance(picture, bytes | bytearray | memoryview):
        return decode_image(bytes(picture), "the bytes", max_pixels=max_pixels), ""
    if isinstance(picture, np.ndarray):
        return image_from_array(picture, max_pixels=max_pixels), ""
    if _is_pil(picture):
        return _from_pil(picture, max_pixels), _name(getattr(picture, "filename", ""))
    if callable(getattr(picture, "read", None)):
        return _from_file(picture, max_pixels)
    if _is_video_frame(picture):
        return _from_video_frame(picture, max_pixels), ""
    if any(hasattr(picture, way) for way in ("__array__", "__array_interface__")):
        try:
            array = np.asarray(picture)
        except Exception as error:  # a tensor on a GPU, or one with a gradient: each library raises its own
            raise InputError(f"This {_kind(picture)} cannot be read as a NumPy array; convert it to one.") from error
        return image_from_array(array, max_pixels=max_pixels), ""
    if picture is None:
        raise InputError(f"A picture must be {_KINDS}, got None, which cv2.imread returns for an unreadable file.")
    raise InputError(f"A picture must be {_KINDS}, got {_kind(picture)}.")


def image_from_array(array: NDArray[Any], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """An array as (H, W, 3) uint8 RGB; `read_picture` says which arrays are accepted."""
    array = np.asarray(array)  # a subclass may have its own idea of a shape; np.matrix with a third axis ends Python
    if array.dtype != np.uint8:
        raise InputError(f"The array of a picture must be uint8, 0 to 255, got {array.dtype}; {_as_uint8(array)}.")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim == 4:
        raise InputError(f"Expected one picture, got an array of shape {array.shape}; give its pictures one by one.")
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        raise InputError(
            f"The channels of an array must come last, got shape {array.shape}; give array.transpose(1, 2, 0)."
        )
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        shape = str(array.shape) if array.ndim <= 8 else f"{array.ndim} dimensions"
        raise InputError(
            f"The array of a picture must be (H, W, 3) for RGB, (H, W) for grey or (H, W, 4) for RGBA, got {shape}."
        )
    check_size(array.shape[:2], "the array", max_pixels)
    if array.shape[2] == 3:
        return np.ascontiguousarray(array)
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    return on_white(array)


def _from_path(picture: str | os.PathLike[str], max_pixels: int) -> tuple[NDArray[np.uint8], str]:
    path = os.fsdecode(picture)
    if isinstance(picture, str) and (path.startswith("data:") or len(path) > _LONGEST_PATH):
        raise UnreadableMedia(
            f"Expected a path, got a string of {len(path):,} characters that begins with {path[:30]!r}; if it is a "
            "picture in base64, give base64.b64decode(text) of what follows the comma."
        )
    return read_image(path, max_pixels=max_pixels), path


def _from_file(file: Any, max_pixels: int) -> tuple[NDArray[np.uint8], str]:
    wrong = InputError('The file is open for text; open it with open(path, "rb").')
    if isinstance(file, io.TextIOBase):
        raise wrong
    name = _name(getattr(file, "name", ""))
    try:
        data = file.read()
    except (OSError, ValueError, TypeError) as error:  # closed; not open for reading; a read() that needs arguments
        raise UnreadableMedia(f"{named(name) or 'The file'} cannot be read; open it for reading bytes.") from error
    if isinstance(data, str):
        raise wrong
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(f"An open file must return bytes, got {_kind(data)} from {_kind(file)}.read().")
    if not data and _position(file):
        raise UnreadableMedia(f"{named(name) or 'The file'} has already been read to the end; call seek(0) first.")
    return decode_image(bytes(data), named(name) or "the file", max_pixels=max_pixels), name


def _position(file: Any) -> int:
    """How far a file has been read; 0 where it does not tell."""
    try:
        return int(file.tell())
    except (AttributeError, OSError, ValueError, TypeError):
        return 0


def _is_pil(picture: object) -> bool:
    """Whether it is a PIL image; PIL is not imported to find out, for without it there can be none."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(picture, module.Image)


def _from_pil(image: Any, max_pixels: int) -> NDArray[np.uint8]:
    name = named(_name(getattr(image, "filename", ""))) or "the PIL image"
    width, height = image.size
    if not width or not height:
        raise InputError(f"A picture must have a width and a height, got a PIL image of {width} x {height}.")
    check_size((height, width), name, max_pixels)
    if image.mode == "F":
        raise InputError("A PIL image of mode F has no known range; scale it to 0 to 255 and give image.convert('L').")
    try:
        with quiet_pillow(max_pixels):
            image.load()
            if image.mode == "I" and not all(0 <= value < 2**16 for value in image.getextrema()):
                raise InputError(f"A PIL image of mode {image.mode} must hold 0 to 65535; scale it to that range.")
            return upright(rgb8(image, name), orientation_of(image, _PIL_KINDS.get(image.format, "")))
    except (OSError, SyntaxError, ValueError, AttributeError, RuntimeError) as error:  # the last two when it is closed
        raise UnreadableMedia(f"Cannot read {name}: it is damaged or its file is closed; open it again.") from error


def _is_video_frame(picture: object) -> bool:
    """Whether it is a VideoFrame of PyAV; PyAV is not imported to find out, for without it there can be none."""
    module = sys.modules.get("av")
    return module is not None and isinstance(picture, module.VideoFrame)


def _from_video_frame(frame: Any, max_pixels: int) -> NDArray[np.uint8]:
    from mien.pixels.planes import ToRgb

    check_size((frame.height, frame.width), "the VideoFrame", max_pixels)
    try:
        return ToRgb().convert(frame)
    except Exception as error:  # a frame on a GPU, one without pixels, or one of an unknown format
        raise InputError("This VideoFrame has no pixels that can be read; give frame.to_ndarray().") from error


def _as_uint8(array: NDArray[Any]) -> str:
    """How to convert it, judging by its values."""
    if array.dtype == np.uint16:
        return "give (array // 257).astype(np.uint8) if it holds 0 to 65535"
    if array.dtype == np.bool_:
        return "give array.astype(np.uint8) * 255"
    if array.dtype.kind not in "fiu":
        return "give numbers"
    if array.dtype.kind == "f" and bool((array <= 1).all()):
        return "give (array * 255).round().astype(np.uint8) if it holds 0 to 1"
    return "give array.clip(0, 255).astype(np.uint8) if it holds 0 to 255"


def _name(name: object) -> str:
    """The name of a file; other objects keep a number or nothing there."""
    return os.fsdecode(name) if isinstance(name, str | os.PathLike) else ""


def _kind(thing: object) -> str:
    kind = type(thing)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"[:100]
