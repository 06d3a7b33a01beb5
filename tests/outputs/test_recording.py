from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.outputs import recording as recording_module
from mien.outputs.recording import LONGEST_GAP_S, Recording
from mien.scene import Scene
from mien.sources.videos import VideoSource

SIZE_HW = (120, 160)


def scene(time_s: float, level: int, *, size_hw: tuple[int, int] = SIZE_HW) -> Scene:
    image_rgb = np.full((*size_hw, 3), level, np.uint8)
    return Scene(source="x", frame=round(time_s * 1000), time_s=time_s, size_hw=size_hw, image_rgb=image_rgb)


def textured(time_s: float, seed: int, size_hw: tuple[int, int]) -> Scene:
    height, width = size_hw
    coarse = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    image_rgb: NDArray[np.uint8] = np.asarray(cv2.resize(coarse, (width, height)), np.uint8)
    return Scene(source="x", frame=0, time_s=time_s, size_hw=size_hw, image_rgb=image_rgb)


def record(path: Path, times_s: list[tuple[float, int]], fps: float = 15.0) -> list[tuple[float, int]]:
    """Time and level of each frame of the file."""
    recording = Recording(path, fps=fps)
    for time_s, level in times_s:
        recording.write(scene(time_s, level))
    recording.close()
    assert not recording.problem
    return [(frame.time_s, round(float(frame.image_rgb.mean()))) for frame in VideoSource(path)]


def level_at(frames: list[tuple[float, int]], time_s: float) -> int:
    return [level for at, level in frames if at <= time_s + 1e-3][-1]


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("gap_s", [0.5, 58.0])
def test_over_a_gap_the_last_picture_is_held_and_no_later_one_is_shown_early(
    tmp_path: Path, suffix: str, gap_s: float
) -> None:
    before = [(i / 10, 40) for i in range(20)]
    after = [(1.9 + gap_s + i / 10, 220) for i in range(20)]
    frames = record(tmp_path / f"clip{suffix}", before + after)
    bright = [at for at, level in frames if level > 130]
    assert min(bright) == pytest.approx(1.9 + gap_s, abs=0.001), "0.1 s was the aim, WebM was off by up to 0.7 s"
    assert level_at(frames, 1.9 + gap_s / 2) == pytest.approx(40, abs=6)
    assert frames[-1][0] == pytest.approx(1.9 + gap_s + 1.9, abs=0.001)
    assert len(frames) == len({at for at, _ in frames})


def test_several_gaps_keep_their_own_pictures(tmp_path: Path) -> None:
    frames = record(tmp_path / "clip.mp4", [(0.0, 40), (30.0, 100), (31.0, 160), (45.0, 220), (45.2, 220)])
    assert [level_at(frames, time_s) // 40 for time_s in (0, 29.9, 30.1, 30.9, 31.1, 44.9, 45.1)] == [
        0,
        0,
        2,
        2,
        3,
        3,
        5,
    ]
    assert [at for at, _ in frames] == pytest.approx([*range(0, 35, 5), *(31, 36, 41), 45, 45.2], abs=1e-3)


def test_a_gap_is_held_for_a_limited_time(tmp_path: Path) -> None:
    frames = record(tmp_path / "clip.mp4", [(0.0, 40), (LONGEST_GAP_S + 500, 220), (LONGEST_GAP_S + 501, 220)])
    assert frames[-1][0] == pytest.approx(LONGEST_GAP_S + 1, abs=1e-3)
    assert level_at(frames, LONGEST_GAP_S - 0.1) < 60
    assert level_at(frames, LONGEST_GAP_S) > 200


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_gap_of_ten_minutes_costs_hardly_more_than_a_short_one(tmp_path: Path, suffix: str) -> None:
    def cost_s(gap_s: float) -> tuple[float, int]:
        recording = Recording(tmp_path / f"clip{suffix}")
        for i in range(5):
            recording.write(textured(i / 15, i, (480, 640)))
        begin_s = time.process_time()
        recording.write(textured(gap_s, 9, (480, 640)))
        recording.close()
        return time.process_time() - begin_s, recording.path.stat().st_size

    short_s, small = cost_s(1.0)
    (tmp_path / f"clip{suffix}").unlink()
    long_s, large = cost_s(600.0)
    # 0.03 s in MP4; a limit by the clock would measure what else runs here. 1800 frames cost seconds to encode.
    assert long_s < short_s + (0.1 if suffix == ".mp4" else 0.4)
    assert large < small + 5 * 2**20


def test_times_within_a_frame_and_times_that_step_back_are_no_frames(tmp_path: Path) -> None:
    times = [(0.0, 40), (0.01, 60), (0.02, 80), (0.5, 100), (0.2, 120), (0.3, 140), (0.4, 160)]
    frames = record(tmp_path / "clip.mp4", times, fps=10)
    assert [at for at, _ in frames] == pytest.approx([0.0, 0.1, 0.5, 0.6, 0.7], abs=1e-3)
    assert [level for _, level in frames] == pytest.approx([40, 80, 100, 140, 160], abs=3)


def test_a_single_picture_is_a_frame(tmp_path: Path) -> None:
    assert len(record(tmp_path / "clip.mp4", [(7.0, 90)])) == 1


@pytest.mark.parametrize("fps", [5.0, 30.0, 29.97])
def test_the_rate_is_the_users(tmp_path: Path, fps: float) -> None:
    frames = record(tmp_path / "clip.mp4", [(i / 30, 40 + i) for i in range(61)], fps=fps)
    assert len(frames) == pytest.approx(2.0 * fps + 1, abs=1)
    assert VideoSource(tmp_path / "clip.mp4").fps == pytest.approx(fps, rel=0.02)
    for at, level in frames:
        assert level == pytest.approx(40 + 30 * at, abs=2), "a picture is shown at its own time"


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), 1001.0])
def test_an_impossible_rate_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ValueError, match="frames per second"):
        Recording(tmp_path / "clip.mp4", fps=fps)


def test_a_picture_of_another_size_after_a_gap(tmp_path: Path) -> None:
    """A phone that is turned: the picture is fitted in between black bars, not distorted."""
    recording = Recording(tmp_path / "clip.mp4")
    recording.write(scene(0.0, 40))
    recording.write(scene(20.0, 220, size_hw=(320, 240)))
    recording.close()
    first, *_, second = VideoSource(recording.path)
    assert first.size_hw == second.size_hw == SIZE_HW
    bright = second.image_rgb.mean(axis=(0, 2)) > 110
    assert bright.sum() == pytest.approx(90, abs=2)
    assert bright[36:124].all()


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_other_programs_read_what_was_held(tmp_path: Path, suffix: str) -> None:
    ffprobe, ffmpeg = shutil.which("ffprobe"), shutil.which("ffmpeg")
    if ffprobe is None or ffmpeg is None:
        pytest.skip("ffmpeg is not installed")
    path = tmp_path / f"clip{suffix}"
    record(path, [(0.0, 40), (30.0, 100), (31.0, 160), (75.0, 220), (75.2, 220)])
    probe = [ffprobe, "-v", "error", "-show_entries", "format=duration", "-of", "json", str(path)]
    seconds = json.loads(subprocess.run(probe, capture_output=True, check=True).stdout)["format"]["duration"]
    assert float(seconds) == pytest.approx(75.27, abs=0.02)
    # Sought in the middle of a gap, as a player's slider does; one grey pixel comes out.
    seek = [ffmpeg, "-v", "error", "-ss", "50", "-i", str(path), "-frames:v", "1", "-vf", "scale=1:1", "-f", "rawvideo"]
    sought = subprocess.run([*seek, "-pix_fmt", "gray", "-"], capture_output=True, check=True)
    assert sought.stderr == b""
    assert sought.stdout[0] == pytest.approx(160, abs=8)


def test_a_camera_that_is_not_exact_loses_no_frames(tmp_path: Path) -> None:
    jitter = np.random.default_rng(3).uniform(-0.008, 0.008, 60)
    times = [(i / 30 + 0.008 + float(jitter[i]), 40 + i) for i in range(60)]
    frames = record(tmp_path / "clip.mp4", times, fps=30)
    assert len(frames) >= 58


def test_the_encoder_is_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live run goes on: its frames are left out, and the file says how many. A file's frames wait."""
    begun, free, drained = threading.Event(), threading.Event(), threading.Event()
    written = recording_module.VideoWriter.write

    def stuck(self: Any, *args: Any) -> None:
        begun.set()
        free.wait(30)
        written(self, *args)
        if self.frames == 5:  # one was being encoded and four were waiting
            drained.set()

    monkeypatch.setattr(recording_module.VideoWriter, "write", stuck)
    live = Recording(tmp_path / "live.mp4", fps=30, waits=False)
    live.write(scene(0.0, 40))
    assert begun.wait(30)
    for i in range(1, 20):
        live.write(scene(i / 30, 40 + i))  # returns at once though nothing is encoded
    assert not free.is_set()
    free.set()
    assert drained.wait(30)
    live.write(scene(2.0, 100))
    live.close()
    kept = [frame.time_s for frame in VideoSource(live.path)]
    assert len(kept) < 10
    assert kept[-1] == pytest.approx(2.0, abs=1e-3)
    assert re.search(r"1\d of 2\d frames came too fast", live.advice)

    patient = Recording(tmp_path / "file.mp4", fps=30)
    for i in range(20):
        patient.write(scene(i / 30, 40 + i))
    patient.close()
    assert len(list(VideoSource(patient.path))) == 20
    assert patient.advice == ""


def test_a_fault_of_the_encoder_ends_the_recording_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OutputError("Cannot write clip.mp4: the disk is full.")

    recording = Recording(tmp_path / "clip.mp4")
    recording.write(scene(0.0, 40))
    monkeypatch.setattr(recording_module.VideoWriter, "write", full)
    for i in range(1, 9):
        recording.write(scene(i / 10, 40))
    recording.close()
    assert (
        recording.problem
        == "Cannot write clip.mp4: the disk is full. The recording has ended; everything else continues."
    )


def test_a_wrong_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.mp4, .* or \.m4v"):
        Recording(tmp_path / "clip.gif")
