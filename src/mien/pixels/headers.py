"""What a picture file says about itself before it is decoded: kind, size, orientation, completeness."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

_BROKEN_OFF = "it is truncated"
_NO_SIZE = "its header does not give a size"
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0x0100, 0x0101
_JPEG_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
_PNM = re.compile(rb"P[1-6](?:\s+#[^\n]*\n)*\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s")
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture file states about itself.

    Args:
        kind: name of the format, e.g. `JPEG`.
        size_hw: height and width in pixels as stored, before the orientation is applied; None when not found.
        orientation: EXIF orientation, 1 to 8, where the decoder is not trusted to apply it; 1 otherwise.
        damage: what is wrong with the structure, as a clause; None if nothing was found.
    """

    kind: str
    size_hw: tuple[int, int] | None = None
    orientation: int = 1
    damage: str | None = None


def picture_kind(head: bytes) -> str | None:
    """Name of the picture format that a file's first 32 bytes announce; None if it is not a known one."""
    for kind, pattern in _MAGIC.items():
        if pattern.match(head):
            return kind
    if head[4:8] == b"ftyp":
        if head[8:12] in _AVIF_BRANDS:
            return "AVIF"
        if head[8:12] in _HEIF_BRANDS:
            return "AVIF" if any(brand in head[16:32] for brand in _AVIF_BRANDS) else "HEIC"
    return None


def read_header(data: bytes, kind: str) -> PictureHeader:
    """Read the structure of a whole file without decoding its pixels."""
    try:
        return _READERS[kind](data)
    except (struct.error, IndexError):
        return PictureHeader(kind, damage=_BROKEN_OFF)


def plain_png(data: bytes) -> bytes:
    """The PNG reduced to its picture, because decoders print warnings about profiles and text they do not like."""
    wanted = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
    return data[:8] + b"".join(data[start : end + 4] for name, start, end in _png_chunks(data) if name in wanted)


def _jpeg(data: bytes) -> PictureHeader:
    size_hw: tuple[int, int] | None = None
    orientation = 1
    position = 2
    while found := _JPEG_MARKER.search(data, position):
        marker, position = found.group()[-1], found.end()
        if marker == 0xD9:
            return PictureHeader("JPEG", size_hw, orientation, None if size_hw else _NO_SIZE)
        if marker == 0x01:
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size_hw = struct.unpack_from(">HH", data, position + 3)
        if marker == 0xE1 and data[position + 2 : position + 8] == b"Exif\0\0":
            orientation = _orientation(data[position + 8 : position + length])
        position += length
    return PictureHeader("JPEG", size_hw, orientation, _BROKEN_OFF)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte, and end of the contents of each chunk, up to and including IEND."""
    position = 8
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, position, position + 8 + length
        if name == b"IEND":
            return
        position += 12 + length
    raise struct.error("no IEND")


def _png(data: bytes) -> PictureHeader:
    size_hw: tuple[int, int] | None = None
    orientation = 1
    view = memoryview(data)
    for name, start, end in _png_chunks(data):
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(view[start + 4 : end]) != checksum:
            return PictureHeader("PNG", size_hw, 1, "a checksum inside it is wrong")
        if name == b"IHDR":
            width, height = struct.unpack_from(">II", data, start + 8)
            size_hw = height, width
        if name == b"eXIf":
            orientation = _orientation(data[start + 8 : end])
    return PictureHeader("PNG", size_hw, orientation, None if size_hw else _NO_SIZE)


def _webp(data: bytes) -> PictureHeader:
    if len(data) < 8 + struct.unpack_from("<I", data, 4)[0]:
        return PictureHeader("WebP", damage=_BROKEN_OFF)
    form, orientation = data[12:16], 1
    if form == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        position = 12
        while position + 8 <= len(data):
            name, length = struct.unpack_from("<4sI", data, position)
            if name == b"EXIF":
                block = data[position + 8 : position + 8 + length]
                orientation = _orientation(block.removeprefix(b"Exif\0\0"))
            position += 8 + length + length % 2
    elif form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", data, 26))
    return PictureHeader("WebP", (height, width), orientation)


def _gif(data: bytes) -> PictureHeader:
    width, height = struct.unpack_from("<HH", data, 6)
    return PictureHeader("GIF", (height, width))


def _bmp(data: bytes) -> PictureHeader:
    old = struct.unpack_from("<I", data, 14)[0] == 12
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return PictureHeader("BMP", (abs(height), abs(width)))


def _tiff(data: bytes) -> PictureHeader:
    tags = _tiff_tags(data)
    if not {_WIDTH, _HEIGHT} <= tags.keys():
        return PictureHeader("TIFF", damage=_NO_SIZE)
    return PictureHeader("TIFF", (tags[_HEIGHT], tags[_WIDTH]))


def _avif(data: bytes) -> PictureHeader:
    sizes = [struct.unpack_from(">II", data, m.end() + 4) for m in re.finditer(b"ispe", data[:65536])]
    if not sizes:
        return PictureHeader("AVIF", damage=_NO_SIZE)
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return PictureHeader("AVIF", (height, width))


def _jpeg2000(data: bytes) -> PictureHeader:
    position = data.find(b"ihdr", 0, 4096)
    if position >= 0:
        height, width = struct.unpack_from(">II", data, position + 4)
    else:
        width, height = struct.unpack_from(">II", data, 8)
    return PictureHeader("JPEG 2000", (height, width))


def _pnm(data: bytes) -> PictureHeader:
    found = _PNM.match(data[:4096])
    if not found:
        return PictureHeader("PNM", damage=_NO_SIZE)
    return PictureHeader("PNM", (int(found[2]), int(found[1])))


def _orientation(exif: bytes) -> int:
    """EXIF orientation, 1 when the block has none or is damaged."""
    try:
        value = _tiff_tags(exif).get(_ORIENTATION, 1)
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def _tiff_tags(data: bytes) -> Mapping[int, int]:
    """Single whole numbers (16 or 32 bit) of the first directory, by tag."""
    order: Literal["<", ">"] = "<" if data[:2] == b"II" else ">"
    (position,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, position)
    tags: dict[int, int] = {}
    for entry in range(position + 2, position + 2 + 12 * count, 12):
        tag, form, length = struct.unpack_from(f"{order}HHI", data, entry)
        if form in (3, 4) and length == 1:
            (tags[tag],) = struct.unpack_from(order + ("H" if form == 3 else "I"), data, entry + 8)
    return tags


_MAGIC: Mapping[str, re.Pattern[bytes]] = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "WebP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "BMP": re.compile(rb"BM.{4}\0\0\0\0.{4}[\x0c-\x7c]\0\0\0", re.DOTALL),
    "TIFF": re.compile(rb"II\*\0|MM\0\*"),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    "PNM": re.compile(rb"P[1-6]\s"),
}

_READERS: Mapping[str, Callable[[bytes], PictureHeader]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WebP": _webp,
    "BMP": _bmp,
    "TIFF": _tiff,
    "AVIF": _avif,
    "JPEG 2000": _jpeg2000,
    "PNM": _pnm,
    "HEIC": lambda data: PictureHeader("HEIC"),  # noqa: ARG005
}
