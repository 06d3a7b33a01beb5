"""Damage that Pillow passes over."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

TRUNCATED = "it is truncated"
WRONG_CHECKSUM = "a checksum inside it is wrong"

_BLOCK = 8  # rows that a JPEG stores together, at least
_MARKER, _PIXELS, _END_MARK = 0xFF, 0xDA, b"\xff\xd9"
_WITHOUT_SEGMENT = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
_EXTENSION, _FRAME_FOLLOWS, _GIF_FRAME = 0x21, 0xF9, 0x2C
_PICTURE_CHUNKS = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"eXIf"))


def damage_of_png(data: bytes) -> str | None:
    """What is wrong with a PNG, as a clause; None if nothing was found.

    Pillow compares no checksum of the pixels, and does not miss the end mark.
    """
    view = memoryview(data)
    try:
        for _, start, end in _chunks(data):
            (checksum,) = struct.unpack_from(">I", data, end)
            if zlib.crc32(view[start + 4 : end]) != checksum:
                return WRONG_CHECKSUM
    except struct.error:
        return TRUNCATED
    return None


def may_lack_rows(image_rgb: NDArray[np.uint8]) -> bool:
    """Whether a decoded JPEG ends in one colour, right of the middle, as where data is missing, and some drawings do.

    Args:
        image_rgb: (H, W, 3) uint8, as it is stored.
    """
    end = image_rgb[-_BLOCK:, image_rgb.shape[1] // 2 :]
    return bool((end == end[:1, :1]).all())


def lacks_rows(data: bytes) -> bool:
    """Whether a JPEG holds fewer pixels than its header says, so that Pillow fills the rest with grey.

    FFmpeg's decoder notices it. It takes as long as decoding, so that it is asked only where `may_lack_rows`.
    """
    import av

    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.options = {"err_detect": "explode"}
    try:
        decoder.decode(av.Packet(data[: end_of_jpeg(data)]))
    except av.error.InvalidDataError:
        return True
    except av.error.FFmpegError:  # a kind of JPEG that FFmpeg does not know
        return False
    return False


def end_of_jpeg(data: bytes) -> int | None:
    """Where the first picture of a JPEG file ends; None if it has no end mark.

    The segments in front of the pixels are stepped over, for a small picture in one has an end mark of its own.
    """
    position = 2
    while position + 4 <= len(data):
        if data[position] != _MARKER or data[position + 1] == _MARKER:  # filling
            position += 1
            continue
        kind = data[position + 1]
        position += 2
        if kind not in _WITHOUT_SEGMENT:
            position += int.from_bytes(data[position : position + 2], "big")
        if kind == _PIXELS:
            end = data.find(_END_MARK, position)
            return None if end < 0 else end + len(_END_MARK)
    return None


def passes_of_jpeg(data: bytes) -> int:
    """How many passes over its pixels the first picture of a JPEG file has; each takes time, and needs a few bytes."""
    return data.count(bytes((_MARKER, _PIXELS)), 0, end_of_jpeg(data) or len(data))


def frames_of_gif(data: bytes) -> tuple[int, bool]:
    """How many frames of a GIF are there from end to end, and whether it does not break off inside one.

    Pillow takes one that breaks off for a shorter one, or refuses it all, depending on where that is.
    """
    frames, announced = 0, False
    try:
        position = 13 + _colours(data[10])
        while position < len(data) and data[position] in (_EXTENSION, _GIF_FRAME):
            is_frame = data[position] == _GIF_FRAME
            announced = not is_frame and (announced or data[position + 1] == _FRAME_FOLLOWS)
            position += 11 + _colours(data[position + 9]) if is_frame else 2
            while data[position]:
                position += 1 + data[position]
            position += 1
            frames += is_frame
    except IndexError:
        return frames, False
    return frames, not announced


def _colours(flags: int) -> int:
    """Bytes of the colour table that the flags of a GIF announce."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def plain_png(data: bytes) -> bytes:
    """The PNG without its texts and colour profiles, which may inflate to more than anybody wants.

    Raises:
        struct.error: the PNG is truncated.
    """
    kept = (data[start : end + 4] for name, start, end in _chunks(data) if name in _PICTURE_CHUNKS)
    return data[:8] + b"".join(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte, and end of the contents of each chunk, up to and including IEND."""
    position = 8
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, position, position + 8 + length
        if name == b"IEND":
            return
        position += 12 + length
    raise struct.error("no IEND")
