"""What is in a written video file: times, colours, key frames, tables, and what is left of it when a run is killed."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.outputs import container, encoders
from mien.outputs.encoders import SUFFIXES, Encoder
from mien.outputs.video import VideoWriter

SIZE_HW = (48, 64)
PATCHES = {
    "black": (0, 0, 0),
    "dark": (20, 20, 20),
    "grey": (128, 128, 128),
    "light": (200, 200, 200),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "orange": (230, 120, 20),
}


def flat(level: int, size_hw: tuple[int, int] = SIZE_HW) -> NDArray[np.uint8]:
    return np.full((*size_hw, 3), level, np.uint8)


def times_s(path: Path) -> list[float]:
    """When each frame is shown, and at the end when the last one ends, on the file's own clock."""
    with av.open(str(path)) as opened:
        packets = [packet for packet in opened.demux(video=0) if packet.size]
    packets.sort(key=lambda packet: packet.pts)
    last = packets[-1]
    return [float(packet.pts * packet.time_base) for packet in packets] + [
        float((last.pts + last.duration) * last.time_base)
    ]


def atoms(path: Path) -> list[str]:
    """The names of the parts of an MP4, in their order."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        found.append(name.decode())
        at += size if size > 1 else struct.unpack_from(">Q", data, at + 8)[0]
    return found


def written(path: Path, times: list[float | None], fps: float = 25.0, **settings: Any) -> list[float]:
    with VideoWriter(path, fps, SIZE_HW, **settings) as writer:
        for i, time_s in enumerate(times):
            writer.write(flat(20 + i % 200), time_s)
    return times_s(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "times",
    [
        [i / 120 for i in range(70)],  # slow motion
        [i / 30 for i in range(10)] + [10 / 30 + i / 7.5 for i in range(10)],  # 30, then 7.5 frames per second
        [0.0, 0.033, 0.072, 0.101, 0.140],  # a browser's recording
        [2.5 + i / 30 for i in range(10)],  # the camera began later than the sound
        [i * 1001 / 24000 for i in range(30)],
        [0.0, 0.04, 3.2, 3.24],  # a gap
    ],
)
def test_every_frame_is_shown_at_its_own_time(suffix: str, times: list[float], tmp_path: Path) -> None:
    tick = 1e-6 if suffix in (".mp4", ".mov", ".m4v") else 1e-3
    found = written(tmp_path / f"out{suffix}", list(times))
    assert found[:-1] == pytest.approx(times, abs=0.51 * tick + 1e-9)


def test_the_last_frame_is_shown_as_long_as_those_before_it(tmp_path: Path) -> None:
    assert written(tmp_path / "a.mp4", [0.0, 0.1, 0.2, 0.3])[-1] == pytest.approx(0.4, abs=1e-4)
    assert written(tmp_path / "b.mp4", [0.0])[-1] == pytest.approx(0.04, abs=1e-4)
    assert written(tmp_path / "c.mp4", [0.0, 30.0])[-1] == pytest.approx(31.0, abs=1e-4), "no longer than a second"
    assert written(tmp_path / "d.mp4", [0.0, 0.1], last_s=0.5)[-1] == pytest.approx(0.6, abs=1e-4)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_stamps_that_do_not_grow_end_nothing(suffix: str, tmp_path: Path) -> None:
    found = written(tmp_path / f"out{suffix}", [0.5, 0.5, 0.5, 0.2, -3.0, 0.6])
    assert len(found) == 7
    assert found == sorted(set(found))
    assert found[0] == pytest.approx(0.5)
    assert found[4] < 0.51
    assert found[5] == pytest.approx(0.6)


def test_frames_without_times_have_the_nominal_rate(tmp_path: Path) -> None:
    assert written(tmp_path / "out.mp4", [None] * 4, fps=12.5) == pytest.approx([0, 0.08, 0.16, 0.24, 0.32], abs=1e-5)


def test_a_long_gap_can_be_jumped_into(tmp_path: Path) -> None:
    """The frame is repeated every five seconds, and in MP4 no frame lasts longer than its tables can say."""
    found = written(tmp_path / "out.mp4", [0.0, 4000.0])
    assert len(found) == 801 + 1
    assert max(np.diff(found[:-1])) == pytest.approx(5.0)
    assert (tmp_path / "out.mp4").stat().st_size < 100_000


def decoded(path: Path) -> tuple[NDArray[np.float64], Any]:
    """The middle of the first frame as R, G, B by the matrix and range that the file states, not rounded."""
    with av.open(str(path)) as opened:
        frame = next(opened.decode(video=0))
    planes = frame.to_ndarray(format="yuv420p")
    height, width = frame.height, frame.width
    y = planes[height // 2, width // 2]
    u = planes[height + height // 8].reshape(2, -1)[0][width // 4]
    v = planes[height + height // 4 + height // 8].reshape(2, -1)[0][width // 4]
    assert frame.color_range == 1, "limited range, as players assume"
    kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114)}[int(frame.colorspace)]
    luma, blue, red = (float(y) - 16) / 219, (float(u) - 128) / 224, (float(v) - 128) / 224
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return 255 * np.array([r, (luma - kr * r - kb * b) / (1 - kr - kb), b]), frame


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("size_hw", [(64, 64), (720, 1280)])
def test_colours_are_kept_within_one_level_and_stated(suffix: str, size_hw: tuple[int, int], tmp_path: Path) -> None:
    """MPEG-4 by OpenCV darkened everything by 3 of 255."""
    for name, colour in PATCHES.items():
        path = tmp_path / f"{name}{suffix}"
        with VideoWriter(path, 25.0, size_hw) as writer:
            writer.write(np.full((*size_hw, 3), colour, np.uint8))
        rgb, frame = decoded(path)
        assert np.abs(np.clip(rgb, 0, 255).round() - colour).max() <= 1, (name, rgb)
        assert int(frame.colorspace) in (5, 6)
        if suffix == ".mp4":
            assert (int(frame.color_primaries), int(frame.color_trc)) == (1, 1)


def test_mpeg_4_in_place_of_h264_keeps_grey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = encoders.ENCODERS[".mp4"][-1]
    assert spare.name == "mpeg4"
    monkeypatch.setitem(encoders.ENCODERS, ".mp4", (Encoder(name="libnothing264"), spare))
    with VideoWriter(tmp_path / "out.mp4", 25.0, (64, 64)) as writer:
        assert writer.codec == "MPEG-4 part 2"
        assert writer.advice.startswith("Browsers may not play it: this PyAV has no encoder for H.264")
        for i in range(10):
            writer.write(flat(128, (64, 64)), i / 120)
    assert times_s(tmp_path / "out.mp4")[:-1] == pytest.approx([i / 120 for i in range(10)], abs=2e-5)
    rgb, _ = decoded(tmp_path / "out.mp4")
    assert np.abs(rgb - 128).max() <= 2


def test_hardware_that_opens_but_gives_nothing_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """nvenc is compiled in, and there is no such card: it must truly encode a frame to be chosen."""
    hardware = [encoder for encoder in encoders.ENCODERS[".mp4"] if encoder.is_hardware]
    assert len(hardware) >= 4

    class Idle:
        time_base = Fraction(1, 1000)

        def open(self) -> None: ...

        def encode(self, _: object) -> list[object]:
            return []

    created, set_up = encoders._created, encoders.set_up
    monkeypatch.setattr(encoders, "_created", lambda one: Idle() if one.is_hardware else created(one))
    monkeypatch.setattr(encoders, "set_up", lambda context, *rest: isinstance(context, Idle) or set_up(context, *rest))
    monkeypatch.setitem(encoders.ENCODERS, ".mp4", tuple(hardware))
    with pytest.raises(OutputError, match="no encoder"):
        encoders.best_encoder(".mp4", SIZE_HW, 25.0)
    monkeypatch.setitem(encoders.ENCODERS, ".mp4", (*hardware, Encoder(name="libx264")))
    assert encoders.best_encoder(".mp4", SIZE_HW, 25.0).name == "libx264"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("size_hw", [(1, 1), (2, 2), (401, 7), (3, 16384), (16384, 2)])
def test_unusual_sizes(suffix: str, size_hw: tuple[int, int], tmp_path: Path) -> None:
    """The codecs store colours for two by two pixels, so an odd size gets a repeated row or column."""
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, 25.0, size_hw) as writer:
        writer.write(flat(90, size_hw))
        writer.write(flat(90, size_hw))
    with av.open(str(path)) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert [frame.shape[:2] for frame in frames] == [(size_hw[0] + size_hw[0] % 2, size_hw[1] + size_hw[1] % 2)] * 2
    assert np.abs(frames[0].astype(int) - 90).max() <= 2


def test_a_size_that_changes_is_fitted_into_the_first(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 25.0, (90, 160)) as writer:
        writer.write(flat(200, (90, 160)))
        writer.write(flat(200, (160, 90)))
    with av.open(str(tmp_path / "out.mp4")) as opened:
        first, second = (frame.to_ndarray(format="rgb24").mean(axis=(0, 2)) for frame in opened.decode(video=0))
    assert (first > 190).all()
    assert (second > 190).sum() == pytest.approx(51, abs=4), "as wide as fits, not distorted"
    assert (second[:50] < 10).all()
    assert (second[-50:] < 10).all()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_the_tables_are_at_the_front(suffix: str, tmp_path: Path) -> None:
    written(tmp_path / f"out{suffix}", [i / 25 for i in range(120)])
    names = atoms(tmp_path / f"out{suffix}")
    assert names.index("moov") < names.index("mdat")
    assert "moof" not in names
    assert [item.name for item in tmp_path.iterdir()] == [f"out{suffix}"]


def test_without_room_to_rearrange_the_file_is_whole_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mien.outputs.video.rearrange", full)
    assert len(written(tmp_path / "out.mp4", [i / 25 for i in range(120)])) == 121
    assert "moov" in atoms(tmp_path / "out.mp4")


def test_there_is_a_key_frame_every_two_seconds(tmp_path: Path) -> None:
    written(tmp_path / "out.mp4", [i / 10 for i in range(100)])
    with av.open(str(tmp_path / "out.mp4")) as opened:
        keys = [float(packet.pts * packet.time_base) for packet in opened.demux(video=0) if packet.is_keyframe]
    assert keys == pytest.approx([0, 2, 4, 6, 8], abs=1e-4)


_GROWING = """
import sys, time
import numpy as np
from mien.outputs.video import VideoWriter
from mien.outputs.sound import SoundOf
writer = VideoWriter(sys.argv[1], 25.0, (48, 64))
for i in range(250):
    writer.write(np.full((48, 64, 3), i, np.uint8), i / 25)
print("written", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_killed_run_leaves_all_but_the_last_seconds(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    process = subprocess.Popen(
        [sys.executable, "-c", _GROWING, str(path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    part = tmp_path / f"out{suffix}.part{suffix}"
    assert [item.name for item in tmp_path.iterdir()] == [part.name]
    with av.open(str(part)) as opened:
        kept = [float(frame.pts * frame.time_base) for frame in opened.decode(video=0)]
    assert kept == pytest.approx([i / 25 for i in range(len(kept))], abs=1e-3)
    assert len(kept) >= 250 - 2 * 25, "of ten seconds, at most two are lost"


def test_what_the_system_did_not_store_is_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that lost its tail without an error keeps what can be read, and the loss is told."""
    copied = container.rearrange

    def losing(path: Path, suffix: str, target: Path) -> int:
        return copied(path, suffix, target) - 3

    monkeypatch.setattr("mien.outputs.video.rearrange", losing)
    with pytest.raises(OutputError, match="did not store all of it"):
        written(tmp_path / "out.mp4", [i / 25 for i in range(10)])
