"""The directories of a TIFF file: which of its pictures is the photo, and whether it is a photo at all."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SUBFILE, _OLD_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLE_FORMAT = 254, 255, 258, 259, 262, 339
_STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 273, 279, 324, 325
_SUB_DIRECTORIES, _DNG_VERSION = 330, 50706
_MOSAIC = frozenset((32803, 34892))  # one colour per pixel; the same brought to linear light
# Compressions of Sony, Epson, Samsung, Nikon, Kodak and Pentax.
_RAW_COMPRESSION = frozenset((32767, 32769, 32770, 34713, 65000, 65535))
_JPEG = frozenset((6, 7))
_SORTS = {2: "int", 3: "float", 5: "complex int", 6: "complex float"}
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2
_MOST_PAGES = 10_000
_MOST_DIRECTORIES = 64


@dataclass(frozen=True, slots=True)
class TiffPages:
    """What the directories of a TIFF say.

    Args:
        photo: position of the picture to read: the first that is not a smaller copy of another, or a mask.
        count: how many there are of that sort.
        raw: `DNG`, or `TIFF-based` for others, when the file holds what a camera's sensor saw; None otherwise.
        is_truncated: whether compressed data of the photo should lie beyond the end of the file.
        unread_values: what the photo's pixels are, `float32` say, if they are not whole numbers of at most 16 bits.
    """

    photo: int = 0
    count: int = 1
    raw: str | None = None
    is_truncated: bool = False
    unread_values: str | None = None


def read_pages(data: bytes) -> TiffPages:
    """Read the directories of a whole TIFF file.

    Raises:
        SyntaxError, ValueError and others of Pillow: the directories are damaged.
    """
    pages: list[tuple[int, Mapping[int, Any]]] = []
    raw: str | None = None
    looked_at = 0
    for position, directory in enumerate(_chain(data, _first(data))):
        if not _is_reduced(directory):
            pages.append((position, directory))
        for inside in (directory, *_below(data, directory)):
            looked_at += 1
            if raw is None and looked_at <= _MOST_DIRECTORIES:
                raw = _raw(inside)
    if not pages:
        return TiffPages(raw=raw)
    position, directory = pages[0]
    return TiffPages(position, len(pages), raw, _is_truncated(directory, len(data)), _unread_values(directory))


def _first(data: bytes) -> int:
    return int(_directory(data).next)


def _directory(data: bytes) -> Any:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    return ImageFileDirectory_v2(data[:16] if data[2:3] == b"+" else data[:8])


def _chain(data: bytes, start: int) -> Iterator[Any]:
    """Directories that follow one another from a position on; a circle ends it."""
    file = io.BytesIO(data)
    seen: set[int] = set()
    while 0 < start < len(data) and start not in seen and len(seen) < _MOST_PAGES:
        seen.add(start)
        directory = _directory(data)
        file.seek(start)
        directory.load(file)
        yield directory
        start = int(directory.next)


def _below(data: bytes, directory: Mapping[int, Any]) -> Iterator[Any]:
    """The directories inside one."""
    for start in _numbers(directory, _SUB_DIRECTORIES)[:_MOST_DIRECTORIES]:
        yield next(_chain(data, start), {})


def _raw(directory: Mapping[int, Any]) -> str | None:
    if _DNG_VERSION in directory:
        return "DNG"
    is_raw = _number(directory, _PHOTOMETRIC) in _MOSAIC or _number(directory, _COMPRESSION) in _RAW_COMPRESSION
    return "TIFF-based" if is_raw else None


def _is_reduced(directory: Mapping[int, Any]) -> bool:
    kind = _number(directory, _SUBFILE)
    return bool(kind & (_REDUCED | _MASK)) or _number(directory, _OLD_SUBFILE) == _OLD_REDUCED


def _is_truncated(directory: Mapping[int, Any], size: int) -> bool:
    """Of JPEG inside a TIFF, whose decoder fills what is missing with grey; of others it says so itself."""
    if _number(directory, _COMPRESSION) not in _JPEG:
        return False
    pairs = ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES))
    return any(
        start + length > size
        for offsets, lengths in pairs
        for start, length in zip(_numbers(directory, offsets), _numbers(directory, lengths), strict=False)
    )


def _unread_values(directory: Mapping[int, Any]) -> str | None:
    bits = max(_numbers(directory, _BITS), default=1)
    sort = _SORTS.get(max(_numbers(directory, _SAMPLE_FORMAT), default=1), "uint")
    return f"{sort}{bits}" if bits > 16 or "float" in sort else None


def _numbers(directory: Mapping[int, Any], tag: int) -> tuple[int, ...]:
    value = directory.get(tag, ())
    return tuple(v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, int))


def _number(directory: Mapping[int, Any], tag: int) -> int:
    return next(iter(_numbers(directory, tag)), 0)
