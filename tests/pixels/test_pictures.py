from __future__ import annotations

import base64
import importlib.util
import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pi_heif import HeifImageFile
from PIL import Image, ImageCms

from mien.errors import InputError, UnreadableMedia
from mien.pixels.images import read_image, write_image
from mien.pixels.pictures import image_from_array, read_picture

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
    with pytest.raises(UnreadableMedia, match=r"The file has already been read to the end; call seek\(0\)"):
        read_picture(file)


def test_a_matrix_is_an_array_like_others() -> None:
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix(RGB[..., 0])  # NumPy 2 ended Python over a third axis of one
    assert type(image_from_array(matrix)) is np.ndarray
    assert np.array_equal(image_from_array(matrix), image_from_array(RGB[..., 0]))


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
        ("", "name of a source is empty; name a photo"),
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
    assert np.array_equal(told, read_image(path))


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


def test_a_pil_image_is_read_as_its_file_is(tmp_path: Path, heic: Any) -> None:
    """Through the same door: profiles, orientations and pages count alike."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # with red and blue exchanged
    profile = profile.replace(b"rXYZ", b"once").replace(b"bXYZ", b"rXYZ").replace(b"once", b"bXYZ")
    exif = Image.Exif()
    exif[0x0112] = 7
    for suffix, options in ((".png", {}), (".jpg", {}), (".webp", {}), (".tif", {}), (".avif", {})):
        path = tmp_path / f"a{suffix}"
        Image.fromarray(RGB).save(path, exif=exif, icc_profile=profile, **options)
        with Image.open(path) as image:
            told = image_of(image)
            assert told.shape == (40, 24, 3)
            assert np.array_equal(told, read_image(path)), suffix
            assert np.abs(told.astype(int) - np.asarray(image.convert("RGB").resize((24, 40)))).mean() > 9
            assert np.array_equal(image_of(image), told), "the user's own may be given again"
    (tmp_path / "a.heic").write_bytes(heic(6))
    with HeifImageFile(tmp_path / "a.heic") as image:
        assert np.array_equal(image_of(image), read_image(tmp_path / "a.heic"))


def test_a_picture_may_be_larger_or_smaller_than_usual() -> None:
    for picture in (RGB, Image.fromarray(RGB), RGB[..., 0]):
        assert read_picture(picture, max_pixels=24 * 40)[0].shape == (24, 40, 3)
        with pytest.raises(UnreadableMedia, match="40 x 24 pixels exceed the limit of 959"):
            read_picture(picture, max_pixels=24 * 40 - 1)


def test_arrays_by_their_interface() -> None:
    class Interface:
        __array_interface__ = RGB.__array_interface__
        kept = RGB

    class Tensor:
        """As torch gives one: channels first."""

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return RGB.transpose(2, 0, 1)

    assert np.array_equal(image_of(Interface()), RGB)
    with pytest.raises(InputError, match=r"channels of an array must come last, got shape \(3, 24, 40\)"):
        read_picture(Tensor())


def test_tensors_of_torch() -> None:
    """In a process of its own, for torch stays imported."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    program = (
        "import numpy as np, torch\n"
        "from mien.errors import InputError\n"
        "from mien.pixels.pictures import read_picture\n"
        "image = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)\n"
        "tensor = torch.from_numpy(image.copy())\n"
        "for given in (tensor, tensor.permute(2, 0, 1).permute(1, 2, 0)):\n"
        "    assert np.array_equal(read_picture(given)[0], image)\n"
        "assert np.array_equal(read_picture(tensor[..., 0])[0], np.dstack([image[..., 0]] * 3))\n"
        "chw, scaled = tensor.permute(2, 0, 1), tensor.float() / 255\n"
        "for wrong in (chw, chw[None], scaled, scaled.clone().requires_grad_()):\n"
        "    try:\n        read_picture(wrong)\n"
        "    except InputError as error:\n        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    chw, batch, scaled, graded = done.stdout.splitlines()
    assert "channels of an array must come last, got shape (3, 24, 40); give array.transpose(1, 2, 0)" in chw
    assert "Expected one picture, got an array of shape (1, 3, 24, 40)" in batch
    assert "uint8, 0 to 255, got float32; give (array * 255).round().astype(np.uint8)" in scaled
    assert "Tensor cannot be read as a NumPy array" in graded


def test_frames_of_pyav() -> None:
    av = pytest.importorskip("av")
    smooth = np.kron(RGB[:3, :5], np.ones((16, 16, 1), np.uint8))
    for layout in ("rgb24", "bgr24", "yuv444p", "gray", "rgba"):
        frame = av.VideoFrame.from_ndarray(smooth, format="rgb24").reformat(format=layout)
        told = image_of(frame)
        assert told.shape == (48, 80, 3)
        expected = np.dstack([frame.to_ndarray(format="gray")] * 3) if layout == "gray" else smooth
        assert np.abs(told.astype(int) - expected).max() <= (0 if layout in ("rgb24", "bgr24", "rgba") else 6)
    with pytest.raises(UnreadableMedia, match="80 x 48 pixels exceed"):
        read_picture(av.VideoFrame.from_ndarray(smooth, format="rgb24"), max_pixels=99)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3, "mirrored"])
def test_a_frame_of_pyav_is_turned_upright(quarters: Any, tmp_path: Path) -> None:
    """As its file says: the display matrix of the track, as phones write it."""
    av = pytest.importorskip("av")
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:, :32] = (200, 30, 40)
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for packet in [*stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")), *stream.encode()]:
            out.mux(packet)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    matrices = {0: (1, 0, 0, 1), 1: (0, -1, 1, 0), 2: (-1, 0, 0, -1), 3: (0, 1, -1, 0), "mirrored": (-1, 0, 0, 1)}
    a, b, c, d = matrices[quarters]
    struct.pack_into(">5i", data, data.index(b"tkhd") + 44, a << 16, b << 16, 0, c << 16, d << 16)
    (tmp_path / "a.mp4").write_bytes(data)
    with av.open(str(tmp_path / "a.mp4")) as read:
        told = image_of(next(read.decode(video=0)))
    expected = stored[:, ::-1] if quarters == "mirrored" else np.rot90(stored, quarters)
    assert told.shape == expected.shape
    assert np.abs(told.astype(int) - expected).mean() < 12


def test_nothing_is_imported_to_tell_what_a_picture_is() -> None:
    program = (
        "import sys, numpy as np\n"
        "from mien.pixels.pictures import read_picture\n"
        "read_picture(np.zeros((4, 4, 3), np.uint8))\n"
        "print([name for name in ('torch', 'av', 'PIL') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
