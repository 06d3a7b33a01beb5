from __future__ import annotations

import errno
import io
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.errors import OutputError, UnreadableMedia
from mien.outputs.video import VideoWriter
from mien.pixels.images import decode_image, encode_image, read_head, read_image, write_image
from mien.pixels.quiet import quiet_opencv


def _quadrants(height: int = 48, width: int = 64) -> np.ndarray:
    """Red, green / blue, white: every flip and turn and channel order shows."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[: height // 2, : width // 2] = (250, 10, 20)
    image[: height // 2, width // 2 :] = (15, 240, 25)
    image[height // 2 :, : width // 2] = (5, 30, 230)
    return image


def _encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


RGB = _quadrants()
GREY = RGB.mean(2).astype(np.uint8)
PICTURE = Image.fromarray(RGB)
NOISE = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("PPM", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("GIF", {}, 3),
        ("JPEG", {"quality": 95, "subsampling": 0}, 6),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 6),
    ],
)
def test_kinds(kind: str, options: dict[str, Any], tolerance: int) -> None:
    image = decode_image(_encode(PICTURE, kind, **options), "x")
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - RGB)[3:-3, 3:-3].mean() <= tolerance


def test_grey_becomes_three_equal_channels() -> None:
    for kind in ("PNG", "TIFF"):
        image = decode_image(_encode(Image.fromarray(GREY), kind), "x")
        assert (image == GREY[..., None]).all()


def test_one_bit_and_palette() -> None:
    image = decode_image(_encode(PICTURE.convert("1", dither=Image.Dither.NONE), "PNG"), "x")
    assert set(np.unique(image)) == {0, 255}
    image = decode_image(_encode(PICTURE.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), "x")
    assert np.abs(image.astype(int) - RGB).max() <= 4


def test_transparency_is_white() -> None:
    alpha = np.full(RGB.shape[:2], 255, np.uint8)
    alpha[:, :32] = 0
    alpha[:, 32:40] = 128
    image = decode_image(_encode(Image.fromarray(np.dstack([RGB, alpha])), "PNG"), "x")
    assert (image[:, :32] == 255).all()
    assert (image[:, 40:] == RGB[:, 40:]).all()
    half = np.rint((RGB[:, 32:40] * 128.0 + 255 * 127) / 255)
    assert np.abs(image[:, 32:40] - half).max() <= 1


def test_grey_with_transparency_is_white() -> None:
    grey_alpha = np.dstack([GREY, np.where(np.arange(64) < 32, 0, 255).astype(np.uint8)[None].repeat(48, 0)])
    image = decode_image(_encode(Image.fromarray(grey_alpha), "PNG"), "x")
    assert (image[:, :32] == 255).all()
    assert (image[:, 32:] == GREY[:, 32:, None]).all()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_scales_to_eight(suffix: str) -> None:
    deep = RGB.astype(np.uint16) * 257
    image = decode_image(cv2.imencode(suffix, deep[..., ::-1])[1].tobytes(), "x")
    assert (image == RGB).all()


def test_cmyk_jpeg() -> None:
    image = decode_image(_encode(PICTURE.convert("CMYK"), "JPEG", quality=95), "x")
    assert np.abs(image.astype(int) - RGB)[8:16, 8:24].mean() < 10


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(kind: str, orientation: int) -> None:
    upright = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, -1),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_image(_encode(PICTURE, kind, exif=exif), "x")
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).mean() < 12


def test_orientation_of_a_transparent_png() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)]))
    assert (decode_image(_encode(picture, "PNG", exif=exif), "x") == np.rot90(RGB, -1)).all()


def test_animation_gives_its_first_picture() -> None:
    others = [Image.fromarray(np.full_like(RGB, value)) for value in (0, 90)]
    data = _encode(PICTURE, "GIF", save_all=True, append_images=others, duration=100, loop=0)
    assert np.abs(decode_image(data, "x").astype(int) - RGB).mean() <= 3


def test_one_pixel() -> None:
    for kind in ("PNG", "JPEG", "BMP"):
        assert decode_image(_encode(Image.new("RGB", (1, 1), (200, 0, 0)), kind), "x").shape == (1, 1, 3)


@pytest.mark.slow
def test_108_megapixels() -> None:
    data = _encode(Image.new("L", (12_000, 9_000), 77), "PNG", compress_level=1)
    image = decode_image(data, "x")
    assert image.shape == (9_000, 12_000, 3)
    assert image[-1, -1].tolist() == [77, 77, 77]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_truncated_is_damaged(kind: str, part: float, capfd: pytest.CaptureFixture[str]) -> None:
    data = _encode(Image.fromarray(NOISE), kind)
    with pytest.raises(UnreadableMedia, match=r"half\.x: this .* is damaged .*complete copy"):
        decode_image(data[: int(len(data) * part)], "half.x")
    assert capfd.readouterr() == ("", "")


def test_jpeg_without_its_last_bytes_is_damaged() -> None:
    data = _encode(Image.fromarray(NOISE), "JPEG")
    with pytest.raises(UnreadableMedia, match="it is truncated"):
        decode_image(data[:-2], "x")


def test_jpeg_with_a_thumbnail_and_a_trailer() -> None:
    data = _encode(PICTURE, "JPEG")
    thumbnail = b"Exif\0\0" + _encode(PICTURE.resize((16, 12)), "JPEG")
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    assert decode_image(data + b"\0" * 300, "x").shape == RGB.shape
    with pytest.raises(UnreadableMedia):
        decode_image(data[:-40], "x")


def test_png_with_a_wrong_byte_is_damaged_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(_encode(Image.fromarray(NOISE), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(UnreadableMedia, match="checksum"):
        decode_image(bytes(data), "x")
    assert capfd.readouterr() == ("", "")


def test_png_profile_that_decoders_complain_about(capfd: pytest.CaptureFixture[str]) -> None:
    data = _encode(PICTURE, "PNG")
    bad = _png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"no profile"))
    assert (decode_image(data[:33] + bad + data[33:], "x") == RGB).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "data", [b"hello, this is text", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM" + bytes(60)]
)
def test_nothing_but_a_beginning(data: bytes) -> None:
    with pytest.raises(UnreadableMedia, match=r"x\.jpg"):
        decode_image(data, "x.jpg")


def test_random_damage_never_crashes() -> None:
    rng = np.random.default_rng(1)
    for kind in ("PNG", "WEBP", "TIFF", "BMP", "GIF"):
        whole = np.frombuffer(_encode(Image.fromarray(NOISE[:16, :16]), kind), np.uint8)
        for _ in range(40):
            data = whole.copy()
            data[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3)
            try:
                image = decode_image(data.tobytes(), "x")
            except UnreadableMedia:
                continue
            assert image.ndim == 3


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (GREY.astype(np.float32), "float32"),
        (NOISE.astype(np.float32) / 255, "float32"),
        (NOISE.astype(np.float64), "float64"),
        (GREY.astype(np.int32), "int32"),
        (NOISE.astype(np.int32), "int32"),
    ],
)
def test_values_without_a_known_white_are_refused(values: NDArray[Any], dtype: str) -> None:
    written, data = cv2.imencode(".tiff", values)
    assert written
    said = f"Cannot read deep.tiff: its pixels are {dtype}, not 8 or 16 bits; save it with 8 bits."
    with pytest.raises(UnreadableMedia, match=re.escape(said)):
        decode_image(data.tobytes(), "deep.tiff")


def test_unusable_paths(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    os.mkfifo(tmp_path / "pipe.jpg")
    cases = {
        tmp_path / "missing.jpg": "no such file",
        tmp_path: "a folder",
        tmp_path / "empty.jpg": "empty",
        tmp_path / "text.jpg": "not a picture of a known kind",
        tmp_path / "text.jpg" / "below.jpg": "not a folder",
        tmp_path / "pipe.jpg": "not an ordinary file",
        tmp_path / ("n" * 300): "too long",
        Path("nul\0byte.jpg"): "not a valid file name",
    }
    for path, words in cases.items():
        with pytest.raises(UnreadableMedia, match=words) as caught:
            read_image(path)
        assert "\n" not in str(caught.value)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(_encode(PICTURE, "JPEG"))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableMedia, match="no permission"):
        read_image(path)


@pytest.mark.parametrize("name", ["with space.png", "żółć 图片.png", "-dash.png", "%d.png", "a:b.png"])
def test_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(name, RGB)
    assert (read_image(name) == RGB).all()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".webp"])
def test_write_and_read(suffix: str, tmp_path: Path) -> None:
    write_image(tmp_path / "new" / f"out{suffix}", RGB)
    image = read_image(tmp_path / "new" / f"out{suffix}")
    assert np.abs(image.astype(int) - RGB).mean() < (1 if suffix == ".png" else 6)


def test_write_replaces_and_follows_links(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    write_image(tmp_path / "link.png", RGB)
    assert (tmp_path / "link.png").is_symlink()
    assert (read_image(tmp_path / "real.png") == RGB).all()


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.mp4"])
def test_write_unknown_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.jpg.*\.png"):
        write_image(tmp_path / name, RGB)
    assert not list(tmp_path.iterdir())


def test_an_empty_name_is_told_as_one() -> None:
    """To the system it is the folder one stands in, which nobody named."""
    for read in (read_image, read_head):
        with pytest.raises(UnreadableMedia, match="The name of a source is empty"):
            read("")


def test_write_to_impossible_places(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for path, words in (
        (tmp_path / "file" / "out.png", "file, not a folder"),
        (tmp_path / "folder.png", "it is a folder"),
        (Path("/proc/out.png"), "Cannot write /proc/out.png"),
    ):
        with pytest.raises(OutputError, match=words):
            write_image(path, RGB)


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no permission"), (errno.EROFS, "read-only")]
)
@pytest.mark.parametrize("call", ["write_bytes", "replace"])
def test_write_fails(code: int, words: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.png").write_bytes(b"earlier")

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(Path, call, fail)
        with pytest.raises(OutputError, match=words):
            write_image(tmp_path / "out.png", RGB)
    assert (tmp_path / "out.png").read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def test_write_beyond_the_allowed_size(tmp_path: Path) -> None:
    program = (
        "import resource, sys, numpy as np\n"
        "from mien.errors import OutputError\n"
        "from mien.pixels.images import write_image\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "noise = np.random.default_rng(0).integers(0, 255, (99, 99, 3), np.uint8)\n"
        "try:\n    write_image(sys.argv[1], noise)\n"
        "except OutputError as error:\n    print(error)\n"
    )
    path = tmp_path / "out.png"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert "larger than the system allows" in done.stdout
    assert not list(tmp_path.iterdir())


def test_picture_too_wide_for_jpeg() -> None:
    with pytest.raises(OutputError, match=r"70000 x 1 .*\.png"):
        encode_image(np.zeros((1, 70_000, 3), np.uint8), ".jpg")


def test_quiet_restores_the_log_level() -> None:
    log: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    before = log.getLogLevel()
    with quiet_opencv(), quiet_opencv():
        assert log.getLogLevel() == 0
    assert log.getLogLevel() == before


def test_import_sets_nothing() -> None:
    program = "import os, mien.pixels.images, mien.sources; print([k for k in os.environ if 'OPENCV' in k])"
    env = {key: value for key, value in os.environ.items() if "OPENCV" not in key}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "[]"


@pytest.mark.data
def test_real_photos(media: Path) -> None:
    photos = sorted(media.glob("*.jpg"))
    assert photos
    for path in photos:
        with Image.open(path) as expected:
            image = read_image(path)
            assert np.abs(image.astype(int) - np.asarray(expected.convert("RGB"))).mean() < 2, path
        data = path.read_bytes()
        with pytest.raises(UnreadableMedia, match="damaged"):
            decode_image(data[: len(data) * 2 // 3], path.name)


def test_a_video_is_no_picture(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10.0, NOISE.shape[:2]) as writer:
        writer.write(NOISE)
    with pytest.raises(UnreadableMedia, match=r"clip\.mp4: it is a video or a sound, and a picture is needed"):
        read_image(tmp_path / "clip.mp4")
