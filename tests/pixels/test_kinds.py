from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mien.pixels.kinds import (
    HEAD_BYTES,
    MEDIA_SUFFIXES,
    PHOTO_SUFFIXES,
    VIDEO_SUFFIXES,
    is_media,
    is_video_head,
    picture_kind,
    unread_kind,
)


def brands(major: bytes, *compatible: bytes) -> bytes:
    box = b"ftyp" + major + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", len(box) + 4) + box + b"\0\0\0\x08free" + bytes(600)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (brands(b"avif"), "AVIF"),
        (brands(b"avis"), "AVIF"),
        (brands(b"mif1", b"miaf", b"avif"), "AVIF"),
        (brands(b"mif1", b"mif1", b"miaf", b"MA1B", b"iso8", b"avif"), "AVIF"),
        (brands(b"heic", b"mif1"), "HEIC"),
        (brands(b"heic", b"mif1", b"avif"), "HEIC"),
        (brands(b"heix", b"mif1", b"heix", b"tmap"), "HEIC"),
        (brands(b"mif1"), "HEIC"),
        (brands(b"isom", b"mp42"), None),
        (brands(b"isom", b"avc1", b"mp41"), None),
        (brands(b"crx ", b"isom"), None),
    ],
)
def test_brands_tell_the_kind(head: bytes, kind: str | None) -> None:
    assert picture_kind(head) == kind
    assert picture_kind(head[:64]) == kind


def test_brands_end_where_their_box_ends() -> None:
    assert picture_kind(brands(b"isom", b"mp42") + b"avifheic") is None


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("JPEG", "JPEG", {}),
        ("PNG", "PNG", {}),
        ("GIF", "GIF", {}),
        ("WEBP", "WebP", {}),
        ("WEBP", "WebP", {"lossless": True}),
        ("BMP", "BMP", {}),
        ("TIFF", "TIFF", {}),
        ("TIFF", "TIFF", {"big_tiff": True}),
        ("AVIF", "AVIF", {}),
        ("JPEG2000", "JPEG 2000", {}),
        ("PPM", "PNM", {}),
        ("MPO", "JPEG", {}),
    ],
)
def test_what_pillow_writes_is_known(kind: str, name: str, options: dict[str, Any]) -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30)).save(out, kind, **options)
    head = out.getvalue()[:HEAD_BYTES]
    assert picture_kind(head) == name
    assert unread_kind(head) is None
    assert not is_video_head(head)
    assert is_media("no-suffix", head)


VIDEO_HEADS = {
    "MP4": brands(b"isom", b"avc1"),
    "QuickTime": brands(b"qt  "),
    "old QuickTime": b"\0\0\0\x08wide\0\0\x10\0mdat",
    "Matroska": b"\x1aE\xdf\xa3\x93B\x82\x88matroska",
    "AVI": b"RIFF\x10\0\0\0AVI LIST",
    "ASF": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "FLV": b"FLV\1\5\0\0\0\x09",
    "MPEG program stream": b"\0\0\1\xba\x44",
    "MPEG video": b"\0\0\1\xb3\x16",
    "MPEG transport stream": (b"G" + bytes(187)) * 5,
    "the same of a camcorder": (bytes(4) + b"G" + bytes(187)) * 5,
    "Ogg with Theora": b"OggS\0\2" + bytes(22) + b"\x80theora",
    "MXF": bytes.fromhex("060e2b34020501010d010201"),
    "RealMedia": b".RMF\0\0\0\x12",
}
NO_MEDIA = {
    "text": b"dear diary, this is no picture\n" * 20,
    "text that begins with P1": b"P1 is where the car is parked.\n",
    "text that begins with BM": b"BMW and other makers of cars " * 9,
    "text that begins with G": b"G" + b"o" * 500,
    "a page": b"<!DOCTYPE html><html>",
    "a document": b"%PDF-1.7\n",
    "an archive": b"PK\3\4\x14\0\0\0",
    "numbers": b"\x93NUMPY\1\0v\0",
    "a program": b"\x7fELF\2\1\1\0",
    "sound in MP4": brands(b"M4A ", b"isom"),
    "sound in Ogg": b"OggS\0\2" + bytes(22) + b"\x01vorbis",
    "sound in RIFF": b"RIFF\x24\0\0\0WAVEfmt ",
    "nothing": b"",
}


@pytest.mark.parametrize("name", VIDEO_HEADS)
def test_videos_are_known_without_a_suffix(name: str) -> None:
    assert is_video_head(VIDEO_HEADS[name])
    assert picture_kind(VIDEO_HEADS[name]) is None
    for path in ("clip", "clip.backup", "clip.1", "clip.dat"):
        assert is_media(path, VIDEO_HEADS[name])


@pytest.mark.parametrize("name", NO_MEDIA)
def test_what_is_no_media(name: str) -> None:
    for path in ("file", "file.txt", "file.xmp", "file.json"):
        assert not is_media(path, NO_MEDIA[name])
    assert is_media("broken.jpg", NO_MEDIA[name]), "a wrong suffix is reported, not passed over"
    assert is_media("broken.MP4", NO_MEDIA[name])


def test_suffixes_that_programmers_use_too() -> None:
    for name in ("module.ts", "types.mts", "main.MOD"):
        assert not is_media(name, b"export const answer = 42;\n")
        assert is_media(name, VIDEO_HEADS["MPEG transport stream"])
        assert is_media(name, b""), "an empty one has to be reported"
        assert is_media(name, b"\0\1\2damaged")
    assert is_media("light.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n"), "a picture, though it begins with words"


def test_files_being_written_are_left_alone() -> None:
    for name in ("photo.jpg.part", "clip.mp4.crdownload", "x.tmp"):
        assert not is_media(name, b"\xff\xd8\xff\xe0")
        assert not is_media(name, VIDEO_HEADS["MP4"])


def test_sound_that_shares_a_container_is_no_video() -> None:
    for name in ("song.m4a", "song.mka", "song.wma", "song.ogg"):
        assert not is_media(name, VIDEO_HEADS["ASF"])
    assert is_media("cover.mp3", b"\xff\xd8\xff\xe0"), "a photo with a wrong suffix"


def test_suffixes_are_sorted_out() -> None:
    assert not PHOTO_SUFFIXES & VIDEO_SUFFIXES
    assert {".heic", ".jfif", ".mpo", ".j2k", ".m2ts", ".asf", ".dng", ".jxl", ".psd"} <= MEDIA_SUFFIXES
    assert all(suffix == suffix.lower() and Path(f"a{suffix}").suffix == suffix for suffix in MEDIA_SUFFIXES)
