"""Animated pictures are videos."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.errors import UnreadableMedia
from mien.pixels.images import read_head, read_image
from mien.sources import AnimationSource, PhotoSource, Selection, captured, open_source, source_kind
from mien.sources.animations import UNTIMED_S, is_animation

HEIGHT, WIDTH = 40, 64
DURATIONS_MS = [100, 50, 200, 30, 1000, 70]
TIMES_S = [0, 0.1, 0.15, 0.35, 0.38, 1.38]
KINDS: dict[str, dict[str, Any]] = {
    ".gif": {},
    ".webp": {"lossless": True},
    ".png": {},
    ".avif": {"quality": 100, "subsampling": "4:4:4"},
}
Saved = Callable[..., Path]


def plain(index: int) -> np.ndarray:
    """A level that tells the number, with a red left edge."""
    image = np.full((HEIGHT, WIDTH, 3), 30 + 30 * index, np.uint8)
    image[:, :16] = (230, 20, 20)
    return image


def moving(index: int) -> np.ndarray:
    """RGBA: a square on nothing, at a place that tells the number."""
    image = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    image[8:24, 8 * index : 8 * index + 16] = (200, 30, 40, 255)
    return image


def on_white(image_rgba: np.ndarray) -> np.ndarray:
    return np.where(image_rgba[..., 3:] == 255, image_rgba[..., :3], 255)


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    def save(suffix: str, frames: list[np.ndarray], durations: Any = DURATIONS_MS, **options: Any) -> Path:
        path = tmp_path / f"moving{suffix}"
        first, *others = (Image.fromarray(frame) for frame in frames)
        first.save(path, save_all=True, append_images=others, duration=durations, loop=0, **KINDS[suffix], **options)
        return path

    return save


@pytest.mark.parametrize("suffix", KINDS)
def test_every_frame_with_its_own_time(saved: Saved, suffix: str) -> None:
    path = saved(suffix, [plain(index) for index in range(6)])
    assert source_kind(path) == "video"
    with open_source(path) as source:
        assert isinstance(source, AnimationSource)
        assert (source.kind, source.frame_count, source.name) == ("video", 6, str(path))
        assert source.fps == pytest.approx(10)
        frames = list(source)
        assert list(source) == []
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.time_s for frame in frames] == pytest.approx(TIMES_S)
    assert {frame.source for frame in frames} == {str(path)}
    for index, frame in enumerate(frames):
        assert np.abs(frame.image_rgb.astype(int) - plain(index)).max() <= 3
        assert frame.image_rgb.flags.c_contiguous


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_frames_are_shown_whole_on_white(saved: Saved, suffix: str) -> None:
    """Each frame replaces the one before, however it is stored."""
    options = {".gif": {"disposal": 2}, ".png": {"disposal": 1}, ".webp": {"kmin": 1, "kmax": 1}}[suffix]
    frames = list(open_source(saved(suffix, [moving(index) for index in range(6)], **options)))
    for index, frame in enumerate(frames):
        assert np.array_equal(frame.image_rgb, on_white(moving(index))), index


def test_frames_that_stay_lie_under_those_that_follow(saved: Saved) -> None:
    shown = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for index, frame in enumerate(open_source(saved(".gif", [moving(index) for index in range(6)], disposal=1))):
        shown = np.where(moving(index)[..., 3:] == 255, moving(index)[..., :3], shown)
        assert np.array_equal(frame.image_rgb, shown), index


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize(
    ("selection", "indices"),
    [
        (Selection(every=2), [0, 2, 4]),
        (Selection(every=7), [0]),
        (Selection(start_s=0.3, end_s=1.0), [3, 4]),
        (Selection(fps=5), [0, 3, 5]),
        (Selection(keyframes=True), [0, 1, 2, 3, 4, 5]),
        (Selection(start_s=9), []),
    ],
)
def test_the_wanted_frames(saved: Saved, suffix: str, selection: Selection, indices: list[int]) -> None:
    path = saved(suffix, [plain(index) for index in range(6)])
    frames = list(open_source(path, selection=selection))
    assert [frame.index for frame in frames] == indices
    assert [frame.time_s for frame in frames] == pytest.approx([TIMES_S[index] for index in indices])
    assert all(np.abs(frame.image_rgb.astype(int) - plain(frame.index)).max() <= 3 for frame in frames)


def test_frames_without_a_duration(saved: Saved) -> None:
    path = saved(".gif", [plain(index) for index in range(4)], durations=0)
    assert [frame.time_s for frame in open_source(path)] == pytest.approx([UNTIMED_S * i for i in range(4)])


def test_the_picture_for_programs_that_show_no_animation_is_no_frame(saved: Saved) -> None:
    path = saved(".png", [plain(5), plain(0), plain(1)], durations=40, default_image=True)
    frames = list(open_source(path))
    assert [int(frame.image_rgb[20, 40, 0]) for frame in frames] == [30, 60]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04])
    assert read_image(path)[20, 40, 0] == 180


@pytest.mark.parametrize("suffix", KINDS)
def test_one_frame_is_a_photo(saved: Saved, suffix: str, tmp_path: Path) -> None:
    path = saved(suffix, [plain(2)], durations=100)
    assert not is_animation(path, read_head(path))
    with open_source(path) as source:
        assert isinstance(source, PhotoSource)
        assert np.abs(next(source).image_rgb.astype(int) - plain(2)).max() <= 3


@pytest.mark.parametrize("suffix", KINDS)
def test_as_a_photo_it_is_its_first_frame(saved: Saved, suffix: str) -> None:
    path = saved(suffix, [plain(index) for index in range(3)], durations=40)
    assert np.abs(read_image(path).astype(int) - plain(0)).max() <= 3


@pytest.mark.parametrize(
    "suffix", [".webp", ".png"]
)  # Pillow 13 crashes when it writes an animated AVIF that is turned
def test_orientation_counts_for_every_frame(saved: Saved, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(suffix, [plain(index) for index in range(3)], durations=40, exif=exif)
    frames = list(open_source(path))
    assert len(frames) == 3
    for index, frame in enumerate(frames):
        assert np.abs(frame.image_rgb.astype(int) - np.rot90(plain(index), -1)).max() <= 3


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_gif_that_breaks_off_gives_what_it_has(saved: Saved, part: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, HEIGHT, WIDTH, 3), np.uint8)
    data = saved(".gif", list(noise)).read_bytes()
    (tmp_path / "cut.gif").write_bytes(data[: int(len(data) * part)])
    frames = []
    with open_source(tmp_path / "cut.gif") as source, pytest.raises(UnreadableMedia) as caught:
        frames.extend(source)
    assert 0 < len(frames) < 6
    assert f"cut.gif is damaged or truncated: {len(frames)} frame" in str(caught.value)


def test_a_gif_that_breaks_off_before_the_pixels_of_a_frame(saved: Saved) -> None:
    """There Pillow takes it for a shorter one."""
    path = saved(".gif", [plain(index) for index in range(4)], durations=40)
    data = path.read_bytes()
    at = data.rindex(b"\x21\xf9\x04")  # what comes before the last frame
    for cut in (at + 1, at + 4, at + 8, at + 12):
        path.write_bytes(data[:cut])
        with open_source(path) as source, pytest.raises(UnreadableMedia, match="damaged or truncated: 3 frames"):
            list(source)


def test_a_gif_without_its_end_mark_is_whole(saved: Saved) -> None:
    path = saved(".gif", [plain(index) for index in range(4)], durations=40)
    assert path.read_bytes()[-1:] == b";"
    path.write_bytes(path.read_bytes()[:-1])
    assert len(list(open_source(path))) == 4
    path.write_bytes(path.read_bytes() + b";something that a program has put behind it")
    assert len(list(open_source(path))) == 4


@pytest.mark.parametrize("suffix", [".webp", ".png", ".avif"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_others_that_break_off_are_damaged(saved: Saved, suffix: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, HEIGHT, WIDTH, 3), np.uint8)
    path = saved(suffix, list(noise))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(UnreadableMedia, match="is damaged"), open_source(path) as source:
        list(source)


@pytest.mark.parametrize("suffix", KINDS)
def test_too_many_pixels(saved: Saved, suffix: str) -> None:
    path = saved(suffix, [plain(index) for index in range(3)], durations=40)
    assert source_kind(path) == "video"
    with pytest.raises(UnreadableMedia, match=r"64 x 40 pixels exceed the limit of 2,000"):
        open_source(path, max_pixels=2000)


@pytest.mark.parametrize("suffix", KINDS)
def test_flipped_bits_never_crash(saved: Saved, suffix: str, tmp_path: Path) -> None:
    path = saved(suffix, [plain(index) for index in range(4)], durations=40)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(11)
    for _ in range(60):
        mutant = data.copy()
        mutant[random.integers(0, len(mutant), 3)] ^= np.uint8(1) << random.integers(0, 8, 3, np.uint8)
        path.write_bytes(mutant.tobytes())
        try:
            with open_source(path, max_pixels=10**6) as source:
                assert all(frame.image_rgb.ndim == 3 for frame in source)
        except UnreadableMedia as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_closed_at_any_moment_and_read_ahead(saved: Saved) -> None:
    path = saved(".gif", [plain(index) for index in range(6)])
    for taken in (0, 1, 6):
        source = open_source(path)
        for _ in range(taken):
            next(source)
        source.close()
        source.close()
        assert list(source) == []
    with captured(open_source(path)) as ahead:
        assert [frame.index for frame in ahead] == list(range(6))


def test_a_long_animation_is_decoded_frame_by_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    frames = [Image.new("L", (8, 8), index % 256) for index in range(300)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=10)
    (tmp_path / "long.gif").write_bytes(out.getvalue())
    loads: list[int] = []
    with open_source(tmp_path / "long.gif") as source:
        real = Image.Image.convert
        monkeypatch.setattr(Image.Image, "convert", lambda *a, **k: (loads.append(1), real(*a, **k))[1])
        next(source)
        assert len(loads) < 5
        assert sum(1 for _ in source) == 299
