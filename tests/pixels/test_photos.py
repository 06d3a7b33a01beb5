"""Photos as people have them: turned by their metadata, in other colours, in files of several, of kinds not read."""

from __future__ import annotations

import io
import logging
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from mien.errors import UnreadableMedia
from mien.pixels.images import decode_image, picture_size_hw, read_image
from mien.pixels.photos import MAX_PIXELS
from mien.pixels.pillow import quiet_pillow

Heic = Callable[..., bytes]

ORIENTATION = 0x0112


def quadrants(height: int = 48, width: int = 64) -> np.ndarray:
    """Red, green / blue, white: every flip and turn and channel order shows."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[: height // 2, : width // 2] = (250, 10, 20)
    image[: height // 2, width // 2 :] = (15, 240, 25)
    image[height // 2 :, : width // 2] = (5, 30, 230)
    return image


def turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """How a viewer shows it."""
    return {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.transpose(1, 0, 2),
        6: np.rot90(image, -1),
        7: image[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(image),
    }[orientation]


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def xmp_of(orientation: int, *, as_element: bool = False) -> bytes:
    said = f"<tiff:Orientation>{orientation}</tiff:Orientation>"
    inside = f"<rdf:Description>{said}" if as_element else f'<rdf:Description tiff:Orientation="{orientation}">'
    return f"<x:xmpmeta><rdf:RDF>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>".encode()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunk(png: bytes, name: bytes, data: bytes) -> bytes:
    """The PNG with another chunk before its pixels."""
    return png[:33] + chunk(name, data) + png[33:]


def apart(image: np.ndarray, expected: np.ndarray) -> float:
    assert image.shape == expected.shape
    return float(np.abs(image.astype(int) - expected).mean())


RGB = quadrants()
PICTURE = Image.fromarray(RGB)
NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
        ("AVIF", {"quality": 95}),
    ],
)
def test_exif_turns_a_picture_once(kind: str, options: dict[str, Any], orientation: int) -> None:
    image = decode_image(encode(PICTURE, kind, exif=exif_of(orientation), **options), "x")
    assert apart(image, turned(RGB, orientation)) < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("as_element", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_xmp_turns_a_picture_once(kind: str, as_element: bool, orientation: int) -> None:
    xmp = xmp_of(orientation, as_element=as_element)
    if kind == "PNG":
        data = with_chunk(encode(PICTURE, kind), b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    elif kind == "TIFF":
        data = encode(PICTURE, kind, tiffinfo={700: xmp})
    else:
        data = encode(PICTURE, kind, xmp=xmp)
    assert apart(decode_image(data, "x"), turned(RGB, orientation)) < 12


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_exif_comes_before_xmp(kind: str) -> None:
    said: dict[str, Any] = {"exif": exif_of(6), "xmp": xmp_of(3)}
    if kind == "TIFF":
        said = {"tiffinfo": {ORIENTATION: 6, 700: xmp_of(3)}}
    image = decode_image(encode(PICTURE, kind, **said), "x")
    assert apart(image, turned(RGB, 6)) < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_turned_by_its_container_alone(heic: Heic, orientation: int) -> None:
    exif = exif_of(6).tobytes().removeprefix(b"Exif\0\0")
    for more in ({}, {"exif": exif}, {"xmp": xmp_of(6)}, {"exif": exif, "xmp": xmp_of(8)}):
        assert apart(decode_image(heic(orientation, **more), "x"), turned(RGB, orientation)) < 5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_by_its_container_alone(orientation: int) -> None:
    """Pillow writes the EXIF orientation as transforms of the container, and takes it out of the EXIF."""
    data = encode(PICTURE, "AVIF", quality=95, exif=exif_of(orientation), xmp=xmp_of(6))
    assert apart(decode_image(data, "x"), turned(RGB, orientation)) < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_pictures_of_16_bits_are_turned_too(suffix: str, orientation: int) -> None:
    data = cv2.imencode(suffix, RGB.astype(np.uint16)[..., ::-1] * 257)[1].tobytes()
    if suffix == ".png":
        data = with_chunk(data, b"eXIf", exif_of(orientation).tobytes().removeprefix(b"Exif\0\0"))
    else:
        data = _with_tag(data, ORIENTATION, orientation)
    assert np.array_equal(decode_image(data, "x"), turned(RGB, orientation))


def _with_tag(tiff: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF whose first directory, copied to the end, has one more short number."""
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    entries = [tiff[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    entries = [entry for entry in entries if entry[:2] != struct.pack("<H", tag)]
    entries.append(struct.pack("<HHIHH", tag, 3, 1, value, 0))
    directory = struct.pack("<H", len(entries)) + b"".join(sorted(entries, key=lambda e: e[1::-1])) + bytes(4)
    return tiff[:4] + struct.pack("<I", len(tiff)) + tiff[8:] + directory


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_that_does_not_exist_changes_nothing(value: int) -> None:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert apart(decode_image(encode(PICTURE, kind, exif=exif_of(value)), "x"), RGB) < 12


def test_a_damaged_exif_block_costs_nothing_but_its_orientation() -> None:
    for exif in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0rubbish", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        assert apart(decode_image(encode(PICTURE, "JPEG", exif=exif), "x"), RGB) < 12
        assert apart(decode_image(encode(PICTURE, "WEBP", exif=exif), "x"), RGB) < 12


def test_heic_says_which_of_several_pictures_is_read(heic: Heic, caplog: pytest.LogCaptureFixture) -> None:
    decode_image(heic(pictures=1), "one.heic")
    assert not caplog.messages
    assert decode_image(heic(3, pictures=3), "burst.heic").shape == RGB.shape
    assert caplog.messages == ["burst.heic holds 3 pictures; the main one is read."]


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_heic_is_damaged(heic: Heic, part: float) -> None:
    data = heic()
    with pytest.raises(UnreadableMedia, match=r"phone\.heic: this HEIC is damaged"):
        decode_image(data[: int(len(data) * part)], "phone.heic")


def test_heic_of_another_size_than_it_says(heic: Heic) -> None:
    for size_hw in ((24, 32), (4800, 6400)):
        with pytest.raises(UnreadableMedia, match="damaged"):
            decode_image(heic(size_hw=size_hw), "x")


@pytest.mark.parametrize(
    "brands",
    [
        (b"mif1", b"mif1", b"miaf", b"heic"),
        (b"heix", b"mif1", b"heix"),
        (b"msf1", b"hevc", b"heic", b"mif1"),
        (b"mif1", b"miaf", b"MiHB", b"mif1", b"heix"),
    ],
)
def test_heic_by_other_brands(heic: Heic, brands: tuple[bytes, ...]) -> None:
    assert decode_image(heic(brands=brands), "x").shape == RGB.shape


def display_p3() -> bytes:
    """A profile with the primaries of Display P3 and the curve of sRGB, made from the one of lcms for sRGB."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    matrix = {b"rXYZ": (0.5151, 0.2412, -0.0011), b"gXYZ": (0.2919, 0.6922, 0.0419), b"bXYZ": (0.1572, 0.0666, 0.7841)}
    for at in range(132, 132 + 12 * int.from_bytes(data[128:132], "big"), 12):
        name, start = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "big")
        if name in matrix:
            struct.pack_into(">3i", data, start + 8, *(round(v * 65536) for v in matrix[name]))
    return bytes(data)


def p3_as_srgb(image: np.ndarray) -> np.ndarray:
    """The same colours in sRGB, by the published matrix from linear Display P3 to linear sRGB."""
    matrix = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])
    values = image / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) @ matrix.T
    linear = linear.clip(0, 1)
    curved = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(curved * 255)


SOFT = np.stack(np.meshgrid(np.arange(60, 200, 4), np.arange(70, 190, 3), [120]), -1)[:, :, 0].astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_a_profile_is_brought_to_srgb(kind: str) -> None:
    options: dict[str, Any] = {
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 100, "subsampling": 0},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }.get(kind, {})
    image = decode_image(encode(Image.fromarray(SOFT), kind, icc_profile=display_p3(), **options), "x")
    assert apart(image, p3_as_srgb(SOFT)) < (1 if kind in ("PNG", "TIFF", "WEBP") else 3)
    assert apart(image, SOFT) > 4


def test_the_profile_of_a_heic(heic: Heic) -> None:
    plain, converted = decode_image(heic(), "x"), decode_image(heic(icc=display_p3()), "x")
    assert apart(converted, p3_as_srgb(plain)) < 1


def test_profiles_with_alpha_grey_16_bits_and_cmyk() -> None:
    alpha = np.full((*SOFT.shape[:2], 1), 255, np.uint8)
    alpha[:, :9] = 0
    data = encode(Image.fromarray(np.dstack([SOFT, alpha])), "PNG", icc_profile=display_p3())
    expected = np.where(alpha == 255, p3_as_srgb(SOFT), 255)
    assert apart(decode_image(data, "x"), expected) < 1

    deep = cv2.imencode(".png", SOFT.astype(np.uint16)[..., ::-1] * 257)[1].tobytes()
    deep = with_chunk(deep, b"iCCP", b"p3\0\0" + zlib.compress(display_p3()))
    assert apart(decode_image(deep, "x"), p3_as_srgb(SOFT)) < 1

    palette = Image.fromarray(SOFT).convert("P", palette=Image.Palette.ADAPTIVE)
    data = encode(palette, "PNG", icc_profile=display_p3())
    assert apart(decode_image(data, "x"), p3_as_srgb(np.asarray(palette.convert("RGB")))) < 1

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    cmyk = Image.fromarray(SOFT).convert("CMYK")
    assert apart(decode_image(encode(cmyk, "TIFF", icc_profile=lab), "x"), np.asarray(cmyk.convert("RGB"))) == 0


def test_the_profile_of_srgb_itself_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode_image(encode(Image.fromarray(NOISE), "PNG", icc_profile=srgb), "x"), NOISE)


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 500, display_p3()[:300], display_p3()[:-40] + b"\xff" * 40])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_broken_profile_is_left_aside(kind: str, profile: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert apart(decode_image(encode(PICTURE, kind, icc_profile=profile), "x"), RGB) < 12
    assert capfd.readouterr() == ("", "")


def test_lab() -> None:
    lab = Image.fromarray(SOFT).convert("LAB")
    assert apart(decode_image(encode(lab, "TIFF"), "x"), SOFT) < 1


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {"quality": 98}), ("TIFF", {}), ("TIFF", {"compression": "jpeg"})]
)
def test_cmyk_is_not_inverted(kind: str, options: dict[str, Any]) -> None:
    """Of JPEG, Pillow writes the values inverted and Adobe's mark, as Photoshop does."""
    data = encode(PICTURE.convert("CMYK"), kind, **options)
    assert apart(decode_image(data, "x"), RGB) < 12


@pytest.mark.parametrize(("kind", "options"), [("AVIF", {"quality": 95}), ("JPEG2000", {}), ("WEBP", {}), ("TIFF", {})])
def test_transparency_is_white_in_every_kind(kind: str, options: dict[str, Any]) -> None:
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :16] = 0
    image = decode_image(encode(Image.fromarray(np.dstack([RGB, alpha])), kind, **options), "x")
    assert np.abs(image[:, :14].astype(int) - 255).max() <= 4
    assert apart(image[:, 18:], RGB[:, 18:]) < 8


def test_a_transparent_grey_level_and_colour() -> None:
    grey = np.repeat(np.arange(64, dtype=np.uint8)[None], 48, 0)
    image = decode_image(encode(Image.fromarray(grey), "PNG", transparency=9), "x")
    assert (image[:, 9] == 255).all()
    assert np.array_equal(np.delete(image, 9, 1)[..., 0], np.delete(grey, 9, 1))
    image = decode_image(encode(PICTURE, "PNG", transparency=(250, 10, 20)), "x")
    assert (image[:24, :32] == 255).all()
    assert np.array_equal(image[24:], RGB[24:])


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_rounded(suffix: str, channels: int) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (40, 50, channels), np.uint16)
    image = decode_image(cv2.imencode(suffix, deep)[1].tobytes(), "x")
    rounded = ((deep.astype(int) + 128) // 257)[..., {1: [0, 0, 0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]]
    if channels == 4:
        alpha = rounded[..., 3:]
        rounded = (rounded[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    assert np.array_equal(image, rounded)


def test_16_bits_of_jpeg_2000_do_not_turn_over() -> None:
    deep = np.full((64, 64, 3), 65_500, np.uint16)
    deep[:32] = 300
    image = decode_image(cv2.imencode(".jp2", deep)[1].tobytes(), "x")
    assert image[:24].max() <= 4
    assert image[40:].min() >= 251


def test_a_tiff_says_which_of_its_pages_is_read(caplog: pytest.LogCaptureFixture) -> None:
    others = [Image.fromarray(np.full_like(RGB, level)) for level in (0, 90)]
    data = encode(PICTURE, "TIFF", save_all=True, append_images=others)
    assert np.array_equal(decode_image(data, "scan.tif"), RGB)
    assert caplog.messages == ["scan.tif holds 3 pictures; the first is read."]


def test_the_small_copy_in_a_tiff_is_not_the_photo(caplog: pytest.LogCaptureFixture) -> None:
    """Some programs put a preview first; NewSubfileType says what it is."""
    out = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(out, True) as writer:
        for picture, kind in ((PICTURE.resize((16, 12)), 1), (PICTURE, 0), (Image.new("1", (64, 48)), 4)):
            info = TiffImagePlugin.ImageFileDirectory_v2()
            info[254] = kind
            picture.save(writer, "TIFF", tiffinfo=info)
            writer.newFrame()
    assert np.array_equal(decode_image(out.getvalue(), "x.tif"), RGB)
    assert not caplog.messages


def test_an_mpo_says_which_picture_is_read(caplog: pytest.LogCaptureFixture) -> None:
    other = Image.fromarray(np.full_like(RGB, 90))
    data = encode(PICTURE, "MPO", save_all=True, append_images=[other])
    assert apart(decode_image(data, "portrait.mpo"), RGB) < 12
    assert caplog.messages == ["portrait.mpo holds 2 pictures; the first is read."]


def test_the_list_in_an_mpo_may_be_damaged(caplog: pytest.LogCaptureFixture) -> None:
    data = bytearray(encode(PICTURE, "MPO", save_all=True, append_images=[PICTURE]))
    at = data.index(b"MPF\0") + 4
    random = np.random.default_rng(3)
    for _ in range(60):
        damaged = data.copy()
        damaged[at + int(random.integers(0, 80))] = int(random.integers(0, 256))
        assert decode_image(bytes(damaged), "x").shape == RGB.shape
    assert all("pictures; the first is read." in message for message in caplog.messages)


def _raw_tiff(photometric: int = 32803, *, inside: bool = True, dng: bool = False, compression: int = 1) -> bytes:
    """A TIFF of the layout of NEF, ARW and DNG: a small picture first, and what the sensor saw in a directory below."""
    thumbnail = encode(PICTURE.resize((16, 12)), "TIFF")
    (start,) = struct.unpack_from("<I", thumbnail, 4)
    (count,) = struct.unpack_from("<H", thumbnail, start)
    entries = [thumbnail[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    below = struct.pack("<H", 2) + struct.pack("<HHIHH", 259, 3, 1, compression, 0)
    below += struct.pack("<HHIHH", 262, 3, 1, photometric, 0) + bytes(4)
    if inside:
        entries.append(struct.pack("<HHII", 330, 4, 1, len(thumbnail)))
    if dng:
        entries.append(struct.pack("<HHI4B", 50706, 1, 4, 1, 4, 0, 0))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    place = len(thumbnail) + len(below)
    return thumbnail[:4] + struct.pack("<I", place) + thumbnail[8:] + below + directory


@pytest.mark.parametrize(
    ("data", "name", "form"),
    [
        (_raw_tiff(dng=True), "a.dng", "DNG"),
        (_raw_tiff(2, inside=False, dng=True), "renamed.tif", "DNG"),
        (_raw_tiff(), "a.nef", "NEF"),
        (_raw_tiff(), "renamed.jpg", "TIFF-based"),
        (_raw_tiff(34892), "a.srw", "SRW"),
        (_raw_tiff(1, compression=34713), "renamed.tif", "TIFF-based"),
        (_raw_tiff(1, compression=32767), "a.ARW", "ARW"),
        (_raw_tiff(1, compression=65535), "a.pef", "PEF"),
        (encode(PICTURE, "TIFF"), "whatever-is-inside.3fr", "3FR"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(80), "a.cr2", "CR2"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(80), "renamed.jpg", "CR2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(80), "a.cr3", "CR3"),
        (b"FUJIFILMCCD-RAW 0201FF159502X-T1" + bytes(80), "renamed.png", "RAF"),
        (b"IIRO\x08\0\0\0" + bytes(80), "a.orf", "ORF"),
        (b"IIU\0\x18\0\0\0" + bytes(80), "a.rw2", "RW2"),
        (b"FOVb\0\0\2\0" + bytes(80), "a.x3f", "X3F"),
        (b"II*\0\x08\0\0\0IIII" + bytes(80), "a.iiq", "IIQ"),
        (b"\0MRM" + bytes(80), "a.mrw", "MRW"),
        (b"II\x1a\0\0\0HEAPCCDR" + bytes(80), "a.crw", "CRW"),
    ],
)
def test_camera_raw_is_refused_by_name(data: bytes, name: str, form: str) -> None:
    with pytest.raises(UnreadableMedia, match=rf"{name}: camera RAW \({form}\) .*give the JPEG or TIFF"):
        decode_image(data, name)


def test_a_tiff_of_a_camera_is_no_raw() -> None:
    data = encode(PICTURE, "TIFF", tiffinfo={271: "Camera maker", 272: "Model 1"})
    assert np.array_equal(decode_image(data, "x.tif"), RGB)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\x0a\xfa\x5f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\1", "Photoshop"),
        (b"v/1\1\2\0", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"gimp xcf v011", "GIMP"),
        (bytes(128) + b"DICM", "DICOM"),
    ],
)
def test_other_kinds_of_pictures_are_named(head: bytes, kind: str) -> None:
    with pytest.raises(UnreadableMedia, match=rf"x\.jpg: {kind} pictures are not supported; save it as JPEG or PNG"):
        decode_image(head + bytes(99), "x.jpg")


def _truncating(data: bytes, part: float) -> bytes:
    """The JPEG with some of its pixels gone and its end mark in place, as a careless recovery leaves it."""
    start = data.rindex(b"\xff\xda")
    return data[: start + int((len(data) - start) * part)] + b"\xff\xd9"


def _higher(data: bytes, rows: int) -> bytes:
    out = bytearray(data)
    at = max(out.find(b"\xff\xc0"), out.find(b"\xff\xc2")) + 5
    out[at : at + 2] = (int.from_bytes(out[at : at + 2], "big") + rows).to_bytes(2, "big")
    return bytes(out)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"optimize": True}, {"progressive": True}])
def test_a_half_grey_jpeg_is_no_photo(mode: str, options: dict[str, Any]) -> None:
    blocks = np.kron(NOISE[:30, :40], np.ones((8, 8, 1), np.uint8))
    blocks[-90:] = (200, 220, 240)  # a picture that ends in one colour is good all the same
    data = encode(Image.fromarray(blocks).convert(mode), "JPEG", **options)
    assert decode_image(data, "x").shape == (240, 320, 3)
    assert decode_image(data + b"trailer" * 99, "x").shape == (240, 320, 3)
    for damaged in (_truncating(data, 0.5), _higher(data, 64)):
        with pytest.raises(UnreadableMedia, match=r"this JPEG is damaged \(it is truncated\)"):
            decode_image(damaged, "x")


def _inflating(mebibytes: int) -> bytes:
    pack = zlib.compressobj(9)
    return b"".join(pack.compress(bytes(2**20)) for _ in range(mebibytes)) + pack.flush()


@pytest.mark.parametrize(
    ("name", "before"),
    [
        (b"zTXt", b"Comment\0\0"),
        (b"iTXt", b"Comment\0\1\0\0\0"),
        (b"iCCP", b"icc\0\0"),
        (b"zTXt", b"XML:com.adobe.xmp\0\0"),
    ],
)
def test_a_chunk_that_inflates_without_end_is_harmless(name: bytes, before: bytes) -> None:
    bomb = with_chunk(encode(PICTURE, "PNG"), name, before + _inflating(300))
    assert len(bomb) < 400_000
    assert np.array_equal(decode_image(bomb, "x"), RGB)


def test_an_exif_block_that_points_everywhere_is_harmless() -> None:
    entries = [struct.pack("<HHII", 0x9000 + i, 7, 0xFFFF_FFF0, 0x10) for i in range(200)]
    loop = struct.pack("<HHII", 0x8769, 4, 1, 8)
    block = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 201) + loop + b"".join(entries) + struct.pack("<I", 8)
    for kind in ("JPEG", "WEBP", "PNG"):
        data = encode(PICTURE, kind, **({} if kind == "PNG" else {"exif": block}))
        data = with_chunk(data, b"eXIf", block[6:]) if kind == "PNG" else data
        assert apart(decode_image(data, "x"), RGB) < 12


def _huge(kind: str, heic: Heic) -> bytes:
    """A file of a few hundred bytes that says it is 20,000 x 20,000 pixels."""
    side = 20_000
    if kind == "PNG":
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    if kind == "HEIC":
        return heic(size_hw=(side, side))
    if kind == "PNM":
        return b"P6\n# a comment\n%d %d\n255\n" % (side, side)
    data = bytearray(encode(PICTURE, {"JPEG 2000": "JPEG2000"}.get(kind, kind)))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", side, side)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", side, side)
    elif kind == "BMP":
        data[18:26] = struct.pack("<ii", side, -side)
    elif kind == "TIFF":
        for tag in (256, 257):
            at = data.index(struct.pack("<HHI", tag, 3, 1)) if struct.pack("<HHI", tag, 3, 1) in data else -1
            at = at if at >= 0 else data.index(struct.pack("<HHI", tag, 4, 1))
            data[at : at + 12] = struct.pack("<HHII", tag, 4, 1, side)
    elif kind == "AVIF":
        at = data.index(b"ispe") + 8
        data[at : at + 8] = struct.pack(">II", side, side)
    elif kind == "JPEG 2000":
        at = data.index(b"ihdr") + 4
        data[at : at + 8] = struct.pack(">II", side, side)
        at = data.index(b"\xff\x4f\xff\x51") + 8
        data[at : at + 8] = struct.pack(">II", side, side)
        data[at + 16 : at + 24] = struct.pack(">II", side, side)
    return bytes(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "HEIC", "JPEG 2000", "PNM"])
def test_too_many_pixels_are_refused_before_decoding(kind: str, heic: Heic, monkeypatch: pytest.MonkeyPatch) -> None:
    data = _huge(kind, heic)
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UnreadableMedia, match=r"20000 x 20000 pixels exceed the limit of 250 million.*--max-pixels"):
        decode_image(data, "big")


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "JPEG2000"):
        data = encode(PICTURE, kind)
        assert decode_image(data, "x", max_pixels=48 * 64).shape == RGB.shape
        with pytest.raises(UnreadableMedia, match=r"64 x 48 pixels exceed the limit of 3,071;"):
            decode_image(data, "x", max_pixels=48 * 64 - 1)
    (tmp_path / "a.png").write_bytes(encode(PICTURE, "PNG"))
    with pytest.raises(UnreadableMedia, match="exceed the limit"):
        read_image(tmp_path / "a.png", max_pixels=100)
    assert picture_size_hw(tmp_path / "a.png") == (48, 64)
    assert MAX_PIXELS == 250_000_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_200_megapixels_of_a_phone_are_read(kind: str) -> None:
    with quiet_pillow(MAX_PIXELS):
        picture = Image.new("RGB", (16_320, 12_240), (90, 120, 30))
        picture.paste((200, 10, 10), (0, 0, 8_000, 6_000))
        data = encode(picture, kind, **({"quality": 80} if kind == "JPEG" else {"compress_level": 1}))
    image = decode_image(data, "x")
    assert image.shape == (12_240, 16_320, 3)
    assert np.abs(image[5, 5].astype(int) - (200, 10, 10)).max() <= 3
    assert np.abs(image[-1, -1].astype(int) - (90, 120, 30)).max() <= 3


@pytest.mark.parametrize("fault", ["a tag beyond the end", "a count beyond the end", "palette with transparency"])
def test_what_pillow_warns_of_is_not_heard(fault: str) -> None:
    if fault == "palette with transparency":
        data = encode(PICTURE.convert("P"), "PNG", transparency=bytes(range(256)))
    else:
        data = _with_tag(encode(PICTURE, "TIFF"), 305, 0)
        at = data.rindex(struct.pack("<HHIHH", 305, 3, 1, 0, 0))
        wrong = (2, 99, len(data) + 5) if fault == "a tag beyond the end" else (2, 2**31, 8)
        data = data[:at] + struct.pack("<HHII", 305, *wrong) + data[at + 12 :]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert decode_image(data, "x").shape == RGB.shape
    assert heard == []


def test_pillow_is_left_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    """In any number of threads, its limit and the warnings of the process come back when the last one is done."""
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    data, gate = encode(PICTURE, "PNG"), threading.Barrier(6)

    def work(number: int) -> None:
        gate.wait()
        for size in range(30):
            with quiet_pillow(10**9 + number + size):
                assert Image.MAX_IMAGE_PIXELS is not None
                assert 10**9 + number + size <= Image.MAX_IMAGE_PIXELS
            decode_image(data, "x")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limit == Image.MAX_IMAGE_PIXELS
    assert list(warnings.filters) == filters


def test_what_c_libraries_print_is_not_heard_and_other_lines_are(tmp_path: Path) -> None:
    damaged = bytearray(encode(Image.fromarray(NOISE), "TIFF", compression="jpeg"))
    at = damaged.index(b"\xff\xdb") + 2
    damaged[at : at + 20] = bytes(20)
    (tmp_path / "damaged.tif").write_bytes(damaged)
    program = (
        "import os, sys\n"
        "from mien.errors import UnreadableMedia\n"
        "from mien.pixels.images import read_image\n"
        "from mien.pixels.quiet import quiet_c_libraries\n"
        "try:\n    read_image(sys.argv[1])\n"
        "except UnreadableMedia as error:\n    print('refused')\n"
        "with quiet_c_libraries():\n"
        "    os.write(2, b'mien: a line\\n')\n"
        "    print('mien: another line', file=sys.stderr)\n"
        "print('mien: after', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "damaged.tif")], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("refused\n", "mien: a line\nmien: another line\nmien: after\n")


def test_heavy_libraries_are_imported_when_needed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(PICTURE, "PNG"))
    program = (
        "import sys, mien, mien.pixels.images, mien.sources\n"
        "heavy = ('PIL', 'pi_heif', 'av')\n"
        "print([m for m in heavy if m in sys.modules])\n"
        "mien.pixels.images.read_image(sys.argv[1])\n"
        "print([m for m in (*heavy, 'PIL.ImageCms', 'PIL.TiffImagePlugin') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.png")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n['PIL']\n"


def test_a_note_goes_through_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        decode_image(encode(PICTURE, "TIFF", save_all=True, append_images=[PICTURE]), "x")
    assert not caplog.messages
