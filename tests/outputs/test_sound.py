"""The sound of annotated copies: the same sounds at the same moments as in the source, by ear and eye of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.outputs.sound import SoundOf
from mien.outputs.video import VideoWriter

SIZE_HW = (48, 64)

Clip = Callable[..., Path]


def beeps_s(path: Path) -> list[float]:
    """When the sound becomes loud, on the file's own clock."""
    with av.open(str(path)) as container:
        zero_s = (container.start_time or 0) / 1e6
        loud: list[NDArray[np.float64]] = []
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray().astype(np.float64))
            if frame.format.name.startswith("s16"):
                wave /= 32768
            if not frame.format.is_planar:
                wave = wave.reshape(-1, frame.layout.nb_channels).T
            at = float(frame.pts * frame.time_base) - zero_s
            loud.append(at + np.flatnonzero(wave.max(axis=0) > 0.2) / frame.sample_rate)
    times = np.concatenate(loud)
    return [float(times[0]), *times[1:][np.diff(times) > 0.1].tolist()] if len(times) else []


def flashes_s(path: Path) -> list[float]:
    """When the picture becomes bright, on the file's own clock."""
    found, was_bright = [], False
    with av.open(str(path)) as container:
        zero_s = (container.start_time or 0) / 1e6
        for frame in container.decode(video=0):
            is_bright = frame.to_ndarray(format="gray").mean() > 120
            if is_bright and not was_bright:
                found.append(float(frame.pts * frame.time_base) - zero_s)
            was_bright = is_bright
    return found


def copied(source: Path, target: Path, *, start_s: float = 0.0, end_s: float | None = None, every: int = 1) -> str:
    """An annotated copy as `mien look --save` makes it; returns what is wrong with its sound."""
    sound = SoundOf(path=source, start_s=start_s, end_s=end_s)
    with av.open(str(source)) as container, VideoWriter(target, 25.0, SIZE_HW, sound=sound) as writer:
        zero_s = (container.start_time or 0) / 1e6
        for index, frame in enumerate(container.decode(video=0)):
            time_s = float(frame.pts * frame.time_base) - zero_s
            if time_s >= start_s and (end_s is None or time_s < end_s) and index % every == 0:
                writer.write(frame.to_ndarray(format="rgb24"), time_s - start_s)
    return writer.problem


def sound_codec(path: Path) -> str:
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.name if container.streams.audio else ""


@pytest.mark.parametrize(
    ("source", "codec", "suffix", "kept"),
    [
        (".mp4", "aac", ".mp4", True),
        (".mp4", "aac", ".webm", False),
        (".ts", "aac", ".mp4", True),
        (".mkv", "libmp3lame", ".mp4", True),
        (".mkv", "ac3", ".mp4", False),
        (".mkv", "ac3", ".mkv", True),
        (".mkv", "libmp3lame", ".webm", False),
        (".webm", "libopus", ".webm", True),
        (".webm", "libopus", ".mp4", True),
        (".avi", "pcm_s16le", ".mp4", False),
        (".mkv", "flac", ".mp4", True),
        (".mp4", "aac", ".mov", True),
    ],
)
def test_a_beep_sounds_with_its_flash(
    source: str, codec: str, suffix: str, kept: bool, clip: Clip, tmp_path: Path
) -> None:
    original = clip(tmp_path / f"in{source}", codec)
    assert copied(original, tmp_path / f"out{suffix}") == ""
    (flash,), (beep,) = flashes_s(tmp_path / f"out{suffix}"), beeps_s(tmp_path / f"out{suffix}")
    assert flash == pytest.approx(flashes_s(original)[0], abs=0.002)
    assert beep == pytest.approx(beeps_s(original)[0], abs=0.012)
    assert abs(beep - flash) < 0.06
    assert (sound_codec(tmp_path / f"out{suffix}") == sound_codec(original)) is kept


@pytest.mark.parametrize(("codec", "suffix"), [("aac", ".mp4"), ("ac3", ".mp4"), ("aac", ".webm")])
def test_a_picture_that_begins_later_than_its_sound(codec: str, suffix: str, clip: Clip, tmp_path: Path) -> None:
    original = clip(tmp_path / "in.mkv", codec, picture_from_s=1.2, flashes_s=(0.5, 2.0))
    assert copied(original, tmp_path / f"out{suffix}") == ""
    assert beeps_s(tmp_path / f"out{suffix}") == pytest.approx([0.5, 2.0], abs=0.03)
    assert flashes_s(tmp_path / f"out{suffix}") == pytest.approx([2.0], abs=0.03)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("aac", ".mp4"), ("ac3", ".mp4"), ("aac", ".webm"), ("libopus", ".webm")]
)
def test_a_part_of_a_video_has_the_sound_of_that_part(codec: str, suffix: str, clip: Clip, tmp_path: Path) -> None:
    original = clip(tmp_path / "in.mkv", codec, flashes_s=(0.4, 1.4, 2.4))
    target = tmp_path / f"out{suffix}"
    assert copied(original, target, start_s=1.0, end_s=2.0) == ""
    assert flashes_s(target) == pytest.approx([0.4], abs=0.03)
    assert beeps_s(target) == pytest.approx([0.4], abs=0.04)
    with av.open(str(target)) as container:
        assert (container.duration or 0) / 1e6 == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(("source", "suffix"), [(".ts", ".mp4"), (".mkv", ".mp4"), (".ts", ".webm"), (".mkv", ".mkv")])
@pytest.mark.parametrize("start_s", [0.0, 0.8])
def test_a_clock_that_starts_anywhere(source: str, suffix: str, start_s: float, clip: Clip, tmp_path: Path) -> None:
    """A recorded stream starts at any time, its copy at 0."""
    original = clip(tmp_path / f"in{source}", "aac", begin_s=600.0)
    with av.open(str(original)) as container:
        assert container.start_time == pytest.approx(600e6, abs=1e5)
    copied(original, tmp_path / f"out{suffix}", start_s=start_s)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert abs(container.start_time or 0) < 1e5
    (flash,), (beep,) = flashes_s(tmp_path / f"out{suffix}"), beeps_s(tmp_path / f"out{suffix}")
    assert flash == pytest.approx(1.0 - start_s, abs=0.05)
    assert beep - flash == pytest.approx(beeps_s(original)[0] - flashes_s(original)[0], abs=0.015)


def test_frames_left_out_change_nothing_about_the_sound(clip: Clip, tmp_path: Path) -> None:
    original = clip(tmp_path / "in.mp4", "aac")
    copied(original, tmp_path / "out.mp4", every=5)
    assert flashes_s(tmp_path / "out.mp4") == pytest.approx([1.0], abs=0.002)
    assert beeps_s(tmp_path / "out.mp4") == pytest.approx([1.0], abs=0.03)


def test_a_hole_in_the_sound_stays_a_hole(clip: Clip, tmp_path: Path) -> None:
    """Else everything after it is early; encoded sound has no holes, so there it is silence."""
    for codec, suffix in (("aac", ".mp4"), ("ac3", ".mp4"), ("aac", ".webm")):
        original = clip(tmp_path / "in.mkv", codec, flashes_s=(0.4, 2.4), silent=(1.0, 1.8))
        copied(original, tmp_path / f"out{suffix}")
        assert beeps_s(tmp_path / f"out{suffix}") == pytest.approx([0.4, 2.4], abs=0.04)
        with av.open(str(tmp_path / f"out{suffix}")) as container:
            heard_s = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
        assert heard_s == pytest.approx(2.2 if (codec, suffix) == ("aac", ".mp4") else 3.0, abs=0.07)


@pytest.mark.parametrize(("source", "suffix"), [(".mp4", ".mp4"), (".mkv", ".mkv"), (".mkv", ".webm")])
def test_texts_that_are_not_utf_8(source: str, suffix: str, clip: Clip, tmp_path: Path) -> None:
    plain = clip(tmp_path / "plain.mp4", "aac")
    original = tmp_path / f"in{source}"
    with av.open(str(plain)) as read, av.open(str(original), "w") as out:
        streams = [out.add_stream_from_template(stream) for stream in read.streams]
        for stream in streams:
            stream.metadata.update({"title": "Cafe_of_a_track", "handler_name": "Cafe_of_a_track"})
        for packet in read.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    data = original.read_bytes()
    assert data.count(b"Cafe_") >= 2
    original.write_bytes(data.replace(b"Cafe_", b"Caf\xe9\xff"))
    sound = SoundOf(path=original)
    with VideoWriter(tmp_path / f"out{suffix}", 25.0, SIZE_HW, sound=sound) as writer:
        for index in range(75):
            writer.write(np.zeros((*SIZE_HW, 3), np.uint8), index / 25)
    assert writer.problem == ""
    assert beeps_s(tmp_path / f"out{suffix}") == pytest.approx([1.0], abs=0.03)


@pytest.mark.parametrize("layout", ["mono", "5.1"])
def test_channels(layout: str, clip: Clip, tmp_path: Path) -> None:
    original = clip(tmp_path / "in.mkv", "ac3", layout=layout)
    copied(original, tmp_path / "out.mp4")
    assert beeps_s(tmp_path / "out.mp4") == pytest.approx([1.0], abs=0.04)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].layout.nb_channels == (1 if layout == "mono" else 2)


def test_a_video_without_sound_stays_without(clip: Clip, tmp_path: Path) -> None:
    original = clip(tmp_path / "in.mp4", "", with_sound=False)
    assert copied(original, tmp_path / "out.mp4") == ""
    assert sound_codec(tmp_path / "out.mp4") == ""


@pytest.mark.parametrize(
    ("codec", "suffix"), [("aac", ".mp4"), ("aac", ".webm"), ("libmp3lame", ".mp4"), ("ac3", ".mp4")]
)
def test_damaged_sound_is_left_out_and_told(codec: str, suffix: str, clip: Clip, tmp_path: Path) -> None:
    """The picture is copied to its end, and so is the sound before and after; no player stumbles over the copy."""
    original = clip(tmp_path / "in.mkv", codec, flashes_s=(0.4, 2.4))
    with av.open(str(original)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    data, at = original.read_bytes(), 0
    for number, packet in enumerate(packets):
        at = data.find(packet, at)
        if len(packets) // 2 <= number < len(packets) // 2 + 6:
            data = data[:at] + b"\xff" * len(packet) + data[at + len(packet) :]
        at += len(packet)
    original.write_bytes(data)
    target = tmp_path / f"out{suffix}"
    problem = copied(original, target)
    assert problem.startswith(f"The sound of {original} is damaged: ")
    assert problem.endswith("left out.")
    assert flashes_s(target) == pytest.approx([0.4, 2.4], abs=0.01)
    beeps = beeps_s(target)  # decodes without an error
    assert beeps[0] == pytest.approx(0.4, abs=0.04)
    assert beeps[-1] == pytest.approx(2.4, abs=0.04)


def test_a_source_that_has_gone_is_told(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 25.0, SIZE_HW, sound=SoundOf(path=tmp_path / "gone.mp4")) as writer:
        writer.write(np.zeros((*SIZE_HW, 3), np.uint8), 0.0)
    assert "gone.mp4 could not be taken over: no such file" in writer.problem


def test_an_interrupted_copy_has_no_sound_beyond_its_picture(clip: Clip, tmp_path: Path) -> None:
    original = clip(tmp_path / "in.mp4", "aac", flashes_s=(0.4, 2.4))
    writer = VideoWriter(tmp_path / "out.mp4", 25.0, SIZE_HW, sound=SoundOf(path=original))
    for i in range(25):
        writer.write(np.zeros((*SIZE_HW, 3), np.uint8), i / 25)
    writer.fail()
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert (container.duration or 0) / 1e6 == pytest.approx(1.0, abs=0.05)
    assert beeps_s(tmp_path / "out.mp4") == pytest.approx([0.4], abs=0.04)
