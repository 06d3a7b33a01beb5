"""Whether a video file is all there, by the sizes that its own container states; no frame is decoded."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_MP4_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"styp", b"sidx", b"pnot"})


def is_whole(path: str | Path) -> bool | None:
    """Whether the file is as long as its container says; None where the container does not say.

    Knows MP4 and MOV (boxes), AVI (RIFF) and Matroska and WebM (segment).
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        head = file.read(16)
        try:
            if head[4:8] in _MP4_BOXES:
                return _mp4_end(file, size) <= size
            if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
                return 8 + int(struct.unpack_from("<I", head, 4)[0]) <= size
            if head[:4] == b"\x1aE\xdf\xa3":
                end = _matroska_end(file)
                return None if end is None else end <= size
        except struct.error:
            return False
    return None


def _mp4_end(file: BinaryIO, size: int) -> int:
    """Where the last top-level box should end."""
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(16)
        (length,) = struct.unpack_from(">I", head, 0)
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length == 0:
            return size
        position += max(length, 8)
    return position


def _matroska_end(file: BinaryIO) -> int | None:
    """Where the segment should end; None when its length is left open."""
    file.seek(4)
    head = file.read(256)
    length, position = _vint(head, 0)
    position += length
    if head[position : position + 4] != b"\x18S\x80g":
        return None
    length, end = _vint(head, position + 4)
    return 4 + end + length if length >= 0 else None


def _vint(data: bytes, position: int) -> tuple[int, int]:
    """A Matroska length, -1 for "left open", and the position after it."""
    if position >= len(data) or data[position] == 0:
        raise struct.error("no length")
    width = 9 - data[position].bit_length()
    bits = 7 * width
    value = int.from_bytes(data[position : position + width], "big") & ((1 << bits) - 1)
    return (-1 if value == (1 << bits) - 1 else value), position + width
