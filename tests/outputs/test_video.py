from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import OutputError
from mien.outputs import encoders, video
from mien.outputs.animation import ANIMATIONS, AnimationWriter
from mien.outputs.encoders import SUFFIXES, Encoder
from mien.outputs.video import VideoWriter
from mien.sources import open_source

SIZE = (48, 64)


def _picture(index: int, size_hw: tuple[int, int] = SIZE) -> np.ndarray:
    image = np.full((*size_hw, 3), 40 + 5 * index, np.uint8)
    image[:, : size_hw[1] // 4] = (230, 20, 20)
    return image


def _write(path: Path, count: int, size_hw: tuple[int, int] = SIZE, fps: float = 10.0) -> None:
    with VideoWriter(path, fps, size_hw) as writer:
        for index in range(count):
            writer.write(_picture(index, size_hw))


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".MP4"])
@pytest.mark.parametrize("size_hw", [SIZE, (47, 63), (480, 641)])
def test_write_and_read(suffix: str, size_hw: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "new" / f"żółć out{suffix}"
    _write(path, 12, size_hw)
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    with open_source(path) as source:
        assert source.fps == pytest.approx(10)
        frames = list(source)
    assert len(frames) == 12
    height, width = size_hw
    assert frames[0].size_hw == (height + height % 2, width + width % 2)
    for index, frame in enumerate(frames):
        assert frame.time_s == pytest.approx(index / 10)
        right = frame.image_rgb[8:-8, width // 2 : -4]
        assert abs(float(right.mean()) - 40 - 5 * index) < 5
    red = frames[0].image_rgb[8:-8, 4 : width // 4 - 8].mean((0, 1))
    assert red[0] > 150 > 100 > red[2]


@pytest.mark.parametrize("fps", [0.5, 12.345, 23.976, 29.97, 59.94, 120])
def test_rates(fps: float, tmp_path: Path) -> None:
    _write(tmp_path / "out.mp4", 8, fps=fps)
    with open_source(tmp_path / "out.mp4") as source:
        assert source.fps == pytest.approx(fps, rel=1e-3)
        assert len(list(source)) == 8


def test_one_frame_and_small_ones(tmp_path: Path) -> None:
    for size_hw in ((1, 1), (16, 2), (48, 64)):
        _write(tmp_path / "out.mp4", 1, size_hw)
        with open_source(tmp_path / "out.mp4") as source:
            assert len(list(source)) == 1


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 5000])
def test_impossible_rates(fps: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frames per second"):
        VideoWriter(tmp_path / "out.mp4", fps, SIZE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size_hw", [(0, 5), (5, 0), (20_000, 5)])
def test_impossible_sizes(size_hw: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="high and wide"):
        VideoWriter(tmp_path / "out.mp4", 10, size_hw)


def test_what_is_no_frame(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 10, SIZE) as writer:
        writer.write(_picture(0))
        for wrong in (_picture(0).astype(float), _picture(0)[..., 0], _picture(0)[:0]):
            with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
                writer.write(wrong)  # type: ignore[arg-type]
    assert writer.frames == 1


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.jpg"])
def test_unknown_suffix(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.mp4, .*or \.m4v"):
        VideoWriter(tmp_path / name, 10, SIZE)
    assert not list(tmp_path.iterdir())


def test_impossible_targets(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    for target, words in (
        (tmp_path / "file" / "out.mp4", "a file, not a folder"),
        (tmp_path / "folder.mp4", "it is a folder"),
        (tmp_path / "pipe.mp4", "ordinary file"),
        (Path("/proc/out.mp4"), "Cannot write /proc/out.mp4"),
    ):
        with pytest.raises(OutputError, match=words):
            VideoWriter(target, 10, SIZE)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_video_keeps_its_frames(error: type[BaseException], tmp_path: Path) -> None:
    def run() -> None:
        with VideoWriter(tmp_path / "out.mp4", 10, SIZE) as writer:
            for index in range(5):
                writer.write(_picture(index))
            assert not (tmp_path / "out.mp4").exists()
            raise error

    with pytest.raises(error):
        run()
    with open_source(tmp_path / "out.mp4") as source:
        assert len(list(source)) == 5
    assert [item.name for item in tmp_path.iterdir()] == ["out.mp4"]


def test_no_frames_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_text("earlier")
    with VideoWriter(tmp_path / "out.mp4", 10, SIZE):
        pass
    assert (tmp_path / "out.mp4").read_text() == "earlier"
    assert [item.name for item in tmp_path.iterdir()] == ["out.mp4"]


def test_closed(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", 10, SIZE)
    writer.write(_picture(0))
    writer.close()
    writer.close()
    with pytest.raises(OutputError, match="closed"):
        writer.write(_picture(1))


def test_no_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(encoders.ENCODERS, ".mp4", (Encoder(name="xxxx"), Encoder(name="h264_v4l2m2m")))
    with pytest.raises(OutputError, match="no encoder"):
        VideoWriter(tmp_path / "out.mp4", 10, SIZE)
    assert not list(tmp_path.iterdir())


def test_the_disk_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The room is watched: the video ends early, but whole."""
    usage = namedtuple("usage", "total used free")
    free = iter([10**9, 10**9, 10**9, 10**6])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, next(free)))
    with pytest.raises(OutputError, match=r"less than .* MB of the disk are free"):
        _write(tmp_path / "out.mp4", 100)
    with open_source(tmp_path / "out.mp4") as source:
        assert len(list(source)) == 32


def test_no_room_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "FREE_BYTES", 2**62)
    with pytest.raises(OutputError, match=r"less than .* MB of the disk are free"):
        VideoWriter(tmp_path / "out.mp4", 10, SIZE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_limit_that_nobody_can_see_coming(suffix: str, tmp_path: Path) -> None:
    program = (
        "import resource, sys, numpy as np\n"
        "from mien.errors import OutputError\n"
        "from mien.outputs.video import VideoWriter\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "rng = np.random.default_rng(0)\n"
        "try:\n"
        "    with VideoWriter(sys.argv[1], 10, (240, 320)) as writer:\n"
        "        for _ in range(40):\n"
        "            writer.write(rng.integers(0, 255, (240, 320, 3), np.uint8))\n"
        "except OutputError as error:\n    print(error)\n"
    )
    path = tmp_path / f"out{suffix}"
    path.write_text("earlier")
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert "larger than the system allows" in done.stdout
    assert done.stderr == ""
    assert path.read_text() == "earlier"
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_the_folder_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OutputError, match="no permission"):
        VideoWriter(tmp_path / "out.mp4", 10, SIZE)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_nothing_on_stderr(suffix: str, tmp_path: Path) -> None:
    program = (
        "import sys, numpy as np\n"
        "from mien.outputs.video import VideoWriter\n"
        "with VideoWriter(sys.argv[1], 10, (48, 64)) as writer:\n"
        "    writer.write(np.zeros((48, 64, 3), np.uint8))\n"
        "    sys.stderr.write(writer.codec)\n"
    )
    path = tmp_path / f"out{suffix}"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr in ("H.264", "VP9")
    assert done.stdout == ""


@pytest.mark.parametrize("kind", [VideoWriter, AnimationWriter])
def test_an_interruption_leaves_the_earlier_file(
    kind: type[VideoWriter] | type[AnimationWriter], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ("out.mp4" if kind is VideoWriter else "out.gif")
    path.write_bytes(b"yesterday's")

    def run() -> None:
        with kind(path, 10.0, SIZE) as writer:
            writer.write(_picture(0))
            writer.write(_picture(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert path.read_bytes() == b"yesterday's"
    part = tmp_path / f"{path.name}.part{path.suffix}"
    assert part.stat().st_size > 100
    assert f"what was finished is in {part}" in caplog.text


class TestAnimation:
    def test_frames_and_times(self, tmp_path: Path) -> None:
        for suffix in ANIMATIONS:
            path = tmp_path / f"out{suffix}"
            with AnimationWriter(path, 8.0, SIZE) as writer:
                for index, time_s in enumerate((0.0, 0.05, 0.3, 0.37, 1.8)):
                    writer.write(_picture(index), time_s)
            with Image.open(path) as image:
                assert image.size == (SIZE[1], SIZE[0])
                assert image.info["loop"] == 0
                lengths_ms = []
                for i in range(image.n_frames):
                    image.seek(i)
                    image.load()
                    lengths_ms.append(image.info["duration"])
                    red, grey = np.asarray(image.convert("RGB"), int)[20, [5, 50]]
                    assert np.abs(red - (230, 20, 20)).max() <= 8
                    assert np.abs(grey - (40 + 5 * i)).max() <= 4
            assert lengths_ms[:-1] == [50, 250, 70, 1430]
            assert 0 < lengths_ms[-1] < 1000

    def test_more_frames_than_browsers_play(self, tmp_path: Path) -> None:
        with AnimationWriter(tmp_path / "out.gif", 100.0, SIZE) as writer:
            for index in range(20):
                writer.write(_picture(index))
        with Image.open(tmp_path / "out.gif") as image:
            assert (image.n_frames, image.info["duration"]) == (10, 20)

    def test_too_large(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match=r"at most 16383 pixels.*write \.mp4"):
            AnimationWriter(tmp_path / "out.webp", 10.0, (64, 16384))
        assert not list(tmp_path.iterdir())

    def test_another_size(self, tmp_path: Path) -> None:
        with AnimationWriter(tmp_path / "out.gif", 10.0, SIZE) as writer:
            writer.write(_picture(0))
            writer.write(_picture(0, (128, 64)))
        with Image.open(tmp_path / "out.gif") as image:
            image.seek(1)
            columns = np.asarray(image.convert("RGB")).max(axis=(0, 2))
        assert (columns > 30).tolist() == [False] * 20 + [True] * 24 + [False] * 20

    def test_no_frames_leave_nothing(self, tmp_path: Path) -> None:
        _animate(tmp_path / "out.gif", 0)
        assert not list(tmp_path.iterdir())


def _animate(path: Path, count: int) -> None:
    with AnimationWriter(path, 10.0, SIZE) as writer:
        for index in range(count):
            writer.write(_picture(index))
