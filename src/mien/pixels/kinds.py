"""What a file is, by its first bytes and its suffix: a photo, a video, a picture that is not read, or none of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

HEAD_BYTES = 1024
"""How much of the beginning of a file is enough to tell what it is."""


def _suffixes(names: str) -> frozenset[str]:
    return frozenset(names.split())


PHOTO_SUFFIXES = _suffixes(
    ".jpg .jpeg .jpe .jfif .jif .mpo .png .apng .webp .bmp .dib .tif .tiff .gif .avif .avifs .heic .heics .heif .heifs "
    ".hif .jp2 .j2k .j2c .jpc .jpf .jpx .ppm .pgm .pbm .pnm"
)
"""Suffixes, in lower case, of files that are taken for photos."""

VIDEO_SUFFIXES = _suffixes(
    ".mp4 .m4v .mov .qt .avi .divx .mkv .webm .mpg .mpeg .mpe .m1v .m2v .mpv .vob .mod .tod .wmv .asf .flv .f4v .3gp "
    ".3g2 .ts .mts .m2ts .m2t .ogv .ogm .mxf .dv .rm .rmvb .mjpg .mjpeg .y4m .ivf .insv .lrv"
)
"""Suffixes, in lower case, of files that are taken for videos."""

MJPEG_SUFFIXES = _suffixes(".mjpg .mjpeg")
"""Suffixes, in lower case, of videos that are one JPEG after another, and begin as a photo does."""

RAW_SUFFIXES = _suffixes(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .iiq .k25 .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .rw2 .rwl "
    ".sr2 .srf .srw .x3f"
)
"""Suffixes, in lower case, of what cameras store instead of a picture."""

OTHER_SUFFIXES: Mapping[str, str] = {
    ".jxl": "JPEG XL",
    ".psd": "Photoshop",
    ".psb": "Photoshop",
    ".exr": "OpenEXR",
    ".hdr": "Radiance HDR",
    ".tga": "Targa",
    ".xcf": "GIMP",
    ".jxr": "JPEG XR",
    ".wdp": "JPEG XR",
    ".bpg": "BPG",
    ".flif": "FLIF",
    ".qoi": "QOI",
    ".pcx": "PCX",
    ".dcm": "DICOM",
}
"""Suffixes, in lower case, of pictures that mien does not read, and what they are."""

SOUND_SUFFIXES = _suffixes(".aac .aif .aiff .flac .m4a .m4b .mka .mp3 .oga .ogg .opus .wav .weba .wma")
"""Suffixes, in lower case, of sound, which shares its containers with videos."""

UNFINISHED_SUFFIXES = frozenset((".part", ".crdownload", ".download", ".partial", ".tmp"))
"""Suffixes, in lower case, of files that are still being written, by mien itself among others."""

MEDIA_SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES | RAW_SUFFIXES | frozenset(OTHER_SUFFIXES)
"""Suffixes, in lower case, of files that a folder lists; what cannot be read is reported when its turn comes."""

_SHARED_SUFFIXES = frozenset((".hdr", ".mod", ".mts", ".rm", ".ts"))
"""Suffixes that programmers and others use for texts: here the contents decide."""

_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_HEIF_BRANDS = frozenset((b"mif1", b"mif2", b"msf1", b"miaf", b"1pic"))
_SOUND_BRANDS = frozenset((b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "))

_PICTURES: Mapping[str, re.Pattern[bytes]] = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "GIF": re.compile(rb"GIF8[79]a"),
    "WebP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "BMP": re.compile(rb"BM.{4}.{8}[\x0c-\x7c]\0\0\0", re.DOTALL),
    "TIFF": re.compile(rb"II[*+]\0|MM\0\*"),
    "JPEG 2000": re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    "PNM": re.compile(rb"P[1-6][\s#]"),
}

_RAW: Mapping[str, re.Pattern[bytes]] = {
    "CR2": re.compile(rb"(?:II\*\0|MM\0\*).{4}CR", re.DOTALL),
    "CR3": re.compile(rb".{4}ftypcrx ", re.DOTALL),
    "CRW": re.compile(rb"II\x1a\0\0\0HEAP"),
    "RAF": re.compile(rb"FUJIFILMCCD-RAW"),
    "ORF": re.compile(rb"IIR[OS]|MMOR"),
    "RW2": re.compile(rb"IIU\0"),
    "IIQ": re.compile(rb"(?:II\*\0|MM\0\*).{4}(?:IIII|MMMM)", re.DOTALL),
    "MRW": re.compile(rb"\0MRM"),
    "X3F": re.compile(rb"FOVb"),
}

_OTHERS: Mapping[str, re.Pattern[bytes]] = {
    "JPEG XL": re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "),
    "Photoshop": re.compile(rb"8BPS\0"),
    "OpenEXR": re.compile(rb"v/1\x01"),
    "Radiance HDR": re.compile(rb"#\?(?:RADIANCE|RGBE)"),
    "GIMP": re.compile(rb"gimp xcf "),
    "JPEG XR": re.compile(rb"II\xbc\x01"),
    "BPG": re.compile(rb"BPG\xfb"),
    "FLIF": re.compile(rb"FLIF[1-4A-T]"),
    "QOI": re.compile(rb"qoif"),
    "DICOM": re.compile(rb".{128}DICM", re.DOTALL),
}

_VIDEOS = re.compile(
    rb"\x1aE\xdf\xa3"  # Matroska, WebM
    rb"|RIFF....AVI "
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11"  # ASF, WMV
    rb"|FLV\x01"
    rb"|\0\0\x01[\xb3\xba]"  # MPEG video, MPEG program stream
    rb"|.{4}(?:moov|mdat|wide|pnot)"  # QuickTime before there was ftyp
    rb"|OggS.{0,120}(?:theora|video\0|OVP80|BBCD)"
    rb"|\x06\x0e\x2b\x34\x02\x05\x01\x01"  # MXF
    rb"|\.RMF\0"
    rb"|DKIF\0\0"
    rb"|YUV4MPEG2 "
    rb"|G.{187}G.{187}G"  # MPEG transport stream
    rb"|.{4}G.{191}G.{191}G",  # the same with a time before each packet
    re.DOTALL,
)


_DOCUMENTS = re.compile(
    rb"%PDF-|PK\x03\x04|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|\x1f\x8b\x08|BZh[1-9]1AY|\xfd7zXZ\0|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    rb"|.{257}ustar",
    re.DOTALL,
)


def is_document(head: bytes) -> bool:
    """Whether it is a document or an archive, which holds pictures and videos among other things.

    Args:
        head: the first `HEAD_BYTES` of the file, or all of it.
    """
    return _DOCUMENTS.match(head) is not None


def picture_kind(head: bytes) -> str | None:
    """The picture format that mien reads and that a file's first bytes announce, e.g. `JPEG`; None if there is none.

    Args:
        head: the first `HEAD_BYTES` of the file, or all of it.
    """
    if unread_kind(head) is not None:
        return None
    brands = _brands(head)
    if brands is not None:
        for brand in brands:  # the first is the major one
            if brand in _AVIF_BRANDS:
                return "AVIF"
            if brand in _HEIC_BRANDS:
                return "HEIC"
        return "HEIC" if brands and brands[0] in _HEIF_BRANDS else None
    return next((kind for kind, pattern in _PICTURES.items() if pattern.match(head)), None)


def unread_kind(head: bytes) -> str | None:
    """The picture format that mien does not read and that the first bytes announce; None if there is none.

    What a camera stores instead of a picture is `camera RAW (CR2)` and the like. Most of these are TIFF files inside,
    which `mien.pixels.raw` tells apart.
    """
    raw = next((kind for kind, pattern in _RAW.items() if pattern.match(head)), None)
    if raw is not None:
        return f"camera RAW ({raw})"
    return next((kind for kind, pattern in _OTHERS.items() if pattern.match(head)), None)


def is_video_head(head: bytes) -> bool:
    """Whether the first bytes are those of a container of videos; one that holds only sound may be among them."""
    brands = _brands(head)
    if brands is not None:
        is_picture = picture_kind(head) is not None or unread_kind(head) is not None
        return not is_picture and bool(brands) and brands[0] not in _SOUND_BRANDS
    return _VIDEOS.match(head) is not None


def is_media(path: str | Path, head: bytes) -> bool:
    """Whether a file in a folder is a photo or video, or looks like one, so that it has to be read or reported.

    Args:
        path: its name.
        head: its first `HEAD_BYTES`, or all of it.
    """
    suffix = Path(path).suffix.lower()
    if suffix in MEDIA_SUFFIXES and not (suffix in _SHARED_SUFFIXES and _is_text(head)):
        return True
    if suffix in UNFINISHED_SUFFIXES:
        return False
    if picture_kind(head) is not None:
        return not (head[:1] == b"P" and not _is_pnm(head))
    return unread_kind(head) is not None or (suffix not in SOUND_SUFFIXES and is_video_head(head))


def _is_pnm(head: bytes) -> bool:
    """Whether a file that begins like a PNM goes on like one; a text may begin with P1 too."""
    return re.match(rb"P[1-6](?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+\d+\s", head) is not None


def _is_text(head: bytes) -> bool:
    """Whether it reads as a text; nothing at all does not."""
    text = head.decode("utf-8", "ignore")
    shown = sum(char.isprintable() or char.isspace() for char in text)
    return b"\0" not in head and bool(text) and shown == len(text) and len(text.encode()) >= len(head) - 3


def _brands(head: bytes) -> list[bytes] | None:
    """The brands of an ISO base media file, the major one first; None if it is none."""
    if head[4:8] != b"ftyp":
        return None
    end = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]
