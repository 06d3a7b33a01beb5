from __future__ import annotations

import base64
import builtins
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.errors import InputError, UnreadableMedia
from mien.pixels.images import read_image, write_image
from mien.pixels.pictures import read_picture

RGB = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    write_image(path, RGB)
    return path


def image_of(picture: Any) -> np.ndarray:
    image_rgb, _ = read_picture(picture)
    assert image_rgb.dtype == np.uint8
    assert image_rgb.flags.c_contiguous
    return image_rgb


def test_all_forms_of_one_photo_are_equal(photo: Path) -> None:
    data = photo.read_bytes()
    forms: list[Any] = [photo, str(photo), data, bytearray(data), memoryview(data), io.BytesIO(data), RGB]
    with photo.open("rb") as file, Image.open(photo) as image:
        for form in (*forms, file, image):
            assert np.array_equal(image_of(form), RGB), type(form)
        assert not file.closed


def test_what_has_a_name_keeps_it(photo: Path) -> None:
    with photo.open("rb") as file, Image.open(photo) as image:
        assert [read_picture(form)[1] for form in (photo, str(photo), file, image)] == [str(photo)] * 4
    assert [read_picture(form)[1] for form in (RGB, photo.read_bytes(), io.BytesIO(photo.read_bytes()))] == [""] * 3


def test_a_file_is_read_from_where_it_stands(photo: Path) -> None:
    file = io.BytesIO(b"head" + photo.read_bytes())
    file.seek(4)
    assert np.array_equal(image_of(file), RGB)
    with pytest.raises(UnreadableMedia, match="the file: the file is empty"):
        read_picture(file)


def test_arrays_of_grey_and_with_alpha() -> None:
    grey = RGB[..., 0]
    assert np.array_equal(image_of(grey), np.dstack([grey] * 3))
    assert np.array_equal(image_of(grey[..., None]), np.dstack([grey] * 3))
    clear = np.dstack([RGB, np.full((24, 40), 0, np.uint8)])
    assert (image_of(clear) == 255).all()
    assert np.array_equal(image_of(np.dstack([RGB, np.full((24, 40), 255, np.uint8)])), RGB)
    assert np.array_equal(image_of(RGB[::-1, ::-1]), RGB[::-1, ::-1])


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (RGB / 255.0, r"uint8, 0 to 255, got float64; give \(array \* 255\)\.round\(\)\.astype\(np\.uint8\)"),
        (RGB.astype(np.float32), r"got float32; give array\.clip\(0, 255\)\.astype\(np\.uint8\)"),
        (RGB.astype(np.int64), r"got int64; give array\.clip"),
        (RGB.astype(np.uint16) * 257, r"got uint16; give \(array // 257\)\.astype\(np\.uint8\)"),
        (RGB > 9, r"got bool; give array\.astype\(np\.uint8\) \* 255"),
        (np.full((2, 2, 3), "x"), "got <U1; give numbers"),
        (np.full((24, 40, 3), np.nan), "got float64"),
        (RGB.transpose(2, 0, 1), r"channels of an array must come last, got shape \(3, 24, 40\).*transpose\(1, 2, 0\)"),
        (RGB[None], r"Expected one picture, got an array of shape \(1, 24, 40, 3\)"),
        (RGB[..., :2], r"got \(24, 40, 2\)"),
        (RGB.ravel(), r"got \(2880,\)"),
        (RGB[:0], r"got \(0, 40, 3\)"),
        (np.zeros((), np.uint8), r"got \(\)"),
    ],
)
def test_another_array_is_refused_with_what_to_do(array: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        read_picture(array)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (None, "got None, which cv2.imread returns"),
        (5, "got int"),
        ([[1, 2]], "got list"),
        (object(), "got object"),
        (b"", "empty"),
        (b"no picture at all" * 50, "not a picture of a known kind"),
        (io.StringIO("text"), r'open for text; open it with open\(path, "rb"\)'),
        ("", "is a folder|no such file"),
        ("a\0b", "not a valid file name"),
    ],
)
def test_other_things_are_refused_with_a_sentence(thing: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_picture(thing)


@pytest.mark.parametrize("text", [base64.b64encode(RGB.tobytes() * 8).decode(), "x" * 10**6])
def test_a_long_text_is_no_path_and_is_not_repeated(text: str, photo: Path) -> None:
    with pytest.raises(UnreadableMedia, match=r"base64\.b64decode") as raised:
        read_picture(text)
    assert len(str(raised.value)) < 300
    for length in (250, 300, 4000):  # what the system refuses, and what it does not
        with pytest.raises(UnreadableMedia) as raised:
            read_picture(text[:length])
        assert len(str(raised.value)) < 300
        assert raised.value.__cause__ is None
    with pytest.raises(UnreadableMedia, match="base64"):
        read_picture("data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode())


def test_an_address_of_a_photo_shows_no_password() -> None:
    for url in ("http://me:s3cret@cam/a.jpg", "me:s3cret@cam/a.jpg", Path("http://me:s3cret@cam/a.jpg")):
        with pytest.raises(UnreadableMedia) as raised:
            read_picture(url)
        assert "s3cret" not in str(raised.value)


def test_a_file_that_gives_no_bytes() -> None:
    class Text:
        def read(self) -> str:
            return "text"

    class Other:
        def read(self) -> list[int]:
            return [1]

    closed = io.BytesIO(b"x")
    closed.close()
    cases = ((Text(), "open for text"), (Other(), "must return bytes, got list"), (closed, "cannot be read"))
    for file, words in cases:
        with pytest.raises(InputError, match=words):
            read_picture(file)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "I;16"])
def test_pil_images_of_all_modes_are_as_their_files(mode: str, tmp_path: Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) * 60)
    else:
        image = Image.fromarray(RGB).convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(Image.fromarray(RGB[..., 0]))
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
    image.save(path)
    told = image_of(image)
    assert told.shape == (24, 40, 3)
    if mode not in ("CMYK", "YCbCr"):  # of these PIL and OpenCV have conversions of their own
        assert np.abs(told.astype(int) - read_image(path)).max() <= 1


def test_a_pil_image_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(image_of(image), np.rot90(RGB, -1))
        assert image.size == (40, 24), "the user's own stays as it is"
    assert np.array_equal(image_of(tmp_path / "a.png"), np.rot90(RGB, -1))


def test_pil_images_that_cannot_be_used(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:800])
    with Image.open(tmp_path / "cut.png") as image, pytest.raises(UnreadableMedia, match=r"cut\.png: it is damaged"):
        read_picture(image)
    closed = Image.open(tmp_path / "a.png")
    closed.close()
    with pytest.raises(UnreadableMedia, match="its file is closed"):
        read_picture(closed)
    with pytest.raises(InputError, match="mode F"):
        read_picture(Image.fromarray(RGB[..., 0].astype(np.float32)))
    with pytest.raises(InputError, match="mode I must hold 0 to 65535"):
        read_picture(Image.fromarray(np.full((4, 4), 70_000, np.int32)))


def test_arrays_of_other_libraries() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return RGB

    class Elsewhere:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            raise TypeError("on a device")

    assert np.array_equal(image_of(Tensor()), RGB)
    with pytest.raises(InputError, match="Elsewhere cannot be read as a NumPy array"):
        read_picture(Elsewhere())


def test_pil_is_not_needed(monkeypatch: pytest.MonkeyPatch, photo: Path) -> None:
    monkeypatch.delitem(sys.modules, "PIL.Image")
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "PIL":
            raise ModuleNotFoundError(name=name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for form in (photo, photo.read_bytes(), RGB):
        assert np.array_equal(image_of(form), RGB)
