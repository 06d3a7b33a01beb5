"""HEIC files for tests, written box by box around one HEVC picture, because the decoder that mien uses writes none.

The picture is this project's own: 64 x 48 pixels, quarters of red (250, 10, 20), green (15, 240, 25), blue (5, 30, 230)
and white. It was encoded once with PyAV's libx265 (crf 8, yuv420p, full range, BT.601, one key frame, `info=0`) into an
MP4; `_HVCC` is the decoder configuration of that MP4, `_SAMPLE` its one sample without SEI units.
"""

from __future__ import annotations

import base64
import struct

import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 48, 64

_HVCC = base64.b64decode(
    "AQQIAAAAn6gAAAAAHvAA/P34+AAADwMgAAEAF0ABDAH//wQIAAADAJ+oAAADAAAeugJAIQABAClCAQEECAAAAwCfqAAAAwAAHqAg"
    "gxZbq5Mrm4EBAwIAAAMAAgAAAwACECIAAQAGRAHBc8CJ"
)
_SAMPLE = base64.b64decode(
    "AAAAF0ABDAH//wQIAAADAJ+oAAADAAAeugJAAAAAKUIBAQQIAAADAJ+oAAADAAAeoCCDFlurkyubgQEDAgAAAwACAAADAAIQAAAA"
    "BkQBwXPAiQAAAUUoAa8FeFAqZH9duv//WWDof0fBATsQB7/zDnB6g+eNLG/fkgWSimZ3vt1fSffVZDrBx2+c/7M3394X+zR/uEBz"
    "W8+qfh6anh4Jse4kHvdwSse5Zw++B+Ufm/jBMvcxYo/seIrxD2+YW0aX/gQ+HHuRVaISE5zcv8YF3Hul00yE69/yRMGxftp4P1vw"
    "Yk30EDf/wm6//sJTUjJa+oAD2lRQC/Yqrc0zbKGmS43Cg6g8/I7FHfhhn6sQjB/9OfmvDH6Rs1ZQr/7eARCQEO2+R/DEfjYfwrk4"
    "gx3+KU2dv75RVfZ0KVUTa3TfjpX5+z6P+kOnUyAXq3AVLkHRyHtcBuns4HWw29IIQAAuNmEPht6aPaFKo+mB35vMGLjAACLmZqJk"
    "hXHRNc8JHwNqNEKAAM/0tMXe6bYVVc/hmshuPNzL9J7Kl7/g"
)

# The transforms that stand for each EXIF orientation: quarter turns counterclockwise, then a mirror, 0 exchanging top
# and bottom, 1 left and right.
_TRANSFORMS = {
    1: (0, None),
    2: (0, 1),
    3: (2, None),
    4: (0, 0),
    5: (1, 0),
    6: (3, None),
    7: (3, 0),
    8: (1, None),
}


def quadrants(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Red, green / blue, white: every flip and turn and channel order shows."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[: height // 2, : width // 2] = (250, 10, 20)
    image[: height // 2, width // 2 :] = (15, 240, 25)
    image[height // 2 :, : width // 2] = (5, 30, 230)
    return image


def heic(
    orientation: int = 1,
    *,
    exif: bytes = b"",
    xmp: bytes = b"",
    icc: bytes = b"",
    size_hw: tuple[int, int] = (HEIGHT, WIDTH),
    pictures: int = 1,
    brands: tuple[bytes, ...] = (b"heic", b"mif1", b"heic"),
) -> bytes:
    """A HEIC file of `quadrants`.

    Args:
        orientation: of the container's transforms, written as an EXIF orientation.
        exif: a TIFF block, without `Exif\\0\\0`.
        xmp: a packet.
        icc: a profile.
        size_hw: what the file says its size is.
        pictures: how many times the picture is in it; the last is the main one.
        brands: the major one, then the compatible ones.
    """
    turns, mirror = _TRANSFORMS[orientation]
    height, width = size_hw
    properties = [_box(b"hvcC", _HVCC), _full(b"ispe", struct.pack(">II", width, height))]
    if icc:
        properties.append(_box(b"colr", b"prof" + icc))
    if turns:
        properties.append(_box(b"irot", bytes([turns])))
    if mirror is not None:
        properties.append(_box(b"imir", bytes([mirror])))
    items = [(number, b"hvc1", _SAMPLE) for number in range(1, pictures + 1)]
    if exif:
        items.append((len(items) + 1, b"Exif", b"\0\0\0\6Exif\0\0" + exif))
    if xmp:
        items.append((len(items) + 1, b"mime", xmp))
    head = _box(b"ftyp", brands[0] + b"\0\0\0\0" + b"".join(brands[1:]))
    start = len(head) + len(_meta(items, properties, pictures, 0)) + 8
    data = b"".join(item for _, _, item in items)
    return head + _meta(items, properties, pictures, start) + _box(b"mdat", data)


def _meta(items: list[tuple[int, bytes, bytes]], properties: list[bytes], pictures: int, start: int) -> bytes:
    places, entries = b"", b""
    for number, kind, data in items:
        places += struct.pack(">HHHII", number, 0, 1, start, len(data))
        start += len(data)
        name = b"\0application/rdf+xml\0" if kind == b"mime" else b"\0"
        entries += _full(b"infe", struct.pack(">HH", number, 0) + kind + name, version=2)
    used = bytes([len(properties), *(0x80 | at if at != 2 else at for at in range(1, len(properties) + 1))])
    uses = b"".join(struct.pack(">H", number) + used for number in range(1, pictures + 1))
    links = b"".join(
        _box(b"cdsc", struct.pack(">HHH", number, 1, pictures)) for number, kind, _ in items if kind != b"hvc1"
    )
    return _full(
        b"meta",
        _full(b"hdlr", struct.pack(">I4s12x", 0, b"pict") + b"\0")
        + _full(b"pitm", struct.pack(">H", pictures))
        + _full(b"iloc", b"\x44\0" + struct.pack(">H", len(items)) + places)
        + _full(b"iinf", struct.pack(">H", len(items)) + entries)
        + (_full(b"iref", links) if links else b"")
        + _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", struct.pack(">I", pictures) + uses)),
    )


def _box(name: bytes, contents: bytes) -> bytes:
    return struct.pack(">I", 8 + len(contents)) + name + contents


def _full(name: bytes, contents: bytes, *, version: int = 0) -> bytes:
    return _box(name, bytes([version, 0, 0, 0]) + contents)
