from __future__ import annotations

import gc
import io
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from mien.errors import InputError, UnreadableMedia
from mien.pixels.planes import ToRgb, to_sdr
from mien.scene import Frame
from mien.sources import Selection, VideoSource, open_source, source_kind, videos

WriteClip = Callable[..., Path]

ONE = 0x10000
BEST = {"crf": "4", "preset": "ultrafast"}
KINDS: dict[str, dict[str, Any]] = {
    "h264.mp4": {"options": BEST | {"bf": "2", "g": "10"}},
    "h264.mov": {"options": BEST | {"g": "10"}},
    "h264.ts": {"options": {"crf": "4", "bf": "3", "x264-params": "keyint=10:open-gop=1:scenecut=0:b-adapt=0"}},
    "h264.m2ts": {"options": BEST | {"g": "10"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=10:crf=4"}},
    "hevc-10-bit.mkv": {
        "codec": "libx265",
        "pix_fmt": "yuv420p10le",
        "options": {"x265-params": "log-level=none:keyint=10:crf=4"},
    },
    "444.mp4": {"pix_fmt": "yuv444p", "options": BEST | {"g": "10"}},
    "422-10-bit.mp4": {"pix_fmt": "yuv422p10le", "options": BEST | {"g": "10"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8", "crf": "4", "g": "10"}},
    "vp8.webm": {
        "codec": "libvpx",
        "options": {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "10", "b": "4M", "qmax": "4"},
    },
    "mpeg4.avi": {"codec": "mpeg4", "options": {"qmin": "1", "qmax": "2", "g": "10"}},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "colour": {"color_range": 2}, "options": {"qmax": "2"}},
    "flv.flv": {"codec": "flv", "options": {"qmax": "2", "g": "10"}},
    "wmv.asf": {"codec": "wmv2", "options": {"qmax": "2", "g": "10"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "rate": 25, "options": {"qmax": "2", "g": "10"}},
    "mpeg2.mxf": {"codec": "mpeg2video", "rate": 25, "options": {"qmax": "2", "g": "10"}},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "ffv1.nut": {"codec": "ffv1", "options": {"g": "10"}},
    "vp8.ivf": {"codec": "libvpx", "options": {"g": "10", "b": "4M", "qmax": "4"}},
    "ffv1.mkv": {"codec": "ffv1", "options": {"g": "10"}},
    "raw.h264": {"rate": 25, "options": BEST | {"g": "10"}},
}


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, write_clip: WriteClip) -> Callable[[str], Path]:
    """A clip of each kind, written when it is first asked for."""
    folder = tmp_path_factory.mktemp("clips")

    def clip(kind: str) -> Path:
        path = folder / kind
        return path if path.exists() else write_clip(path, **KINDS[kind])

    return clip


def _read(path: Path, **selection: Any) -> list[Frame]:
    with open_source(path, selection=Selection(**selection)) as source:
        return list(source)


def _same(one: Frame, other: Frame) -> bool:
    is_equal = np.array_equal(one.image_rgb, other.image_rgb)
    return is_equal and one.index == other.index and one.time_s == pytest.approx(other.time_s, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_once_in_order_upright_and_in_time(
    kind: str, clips: Callable[[str], Path], number: Callable[..., int], is_upright: Callable[..., bool]
) -> None:
    frames = _read(clips(kind))
    rate = KINDS[kind].get("rate", 10)
    assert [frame.index for frame in frames] == list(range(30))
    assert [number(frame.image_rgb) for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([index / rate for index in range(30)], abs=2e-3)
    assert all(is_upright(frame.image_rgb) for frame in frames)
    assert {frame.size_hw for frame in frames} == {(64, 96)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_what_the_whole_has_there(kind: str, clips: Callable[[str], Path]) -> None:
    whole = _read(clips(kind))
    second = KINDS[kind].get("rate", 10) / 10
    for start, end in ((1.05, None), (1.0, 2.0), (0.3, 0.45), (2.9, 9.0)):
        start, end = start / second, None if end is None else end / second
        part = _read(clips(kind), start_s=start, end_s=end)
        expected = [f for f in whole if f.time_s >= start - 1e-3 and not (end and f.time_s >= end - 1e-3)]
        assert [frame.index for frame in part] == [frame.index for frame in expected], (start, end)
        assert all(map(_same, part, expected))


@pytest.mark.parametrize("kind", KINDS)
def test_key_frames_are_those_of_the_whole_and_no_other_is_decoded(
    kind: str, clips: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with av.open(str(clips(kind))) as container:
        stored = sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size)
    whole = _read(clips(kind))
    decoded = 0
    real = VideoSource._frames_of

    def counted(source: VideoSource, packet: Any) -> Any:
        nonlocal decoded
        decoded += packet.size > 0
        return real(source, packet)

    monkeypatch.setattr(VideoSource, "_frames_of", counted)
    for start_s in (0.0, 0.5, 1.1 if whole[-1].time_s > 1.2 else 0.2):
        decoded = 0
        keys = _read(clips(kind), keyframes=True, start_s=start_s)
        assert decoded == len(keys)
        assert all(_same(key, whole[key.index]) for key in keys)
        assert len(keys) == stored or start_s
        assert all(key.time_s >= start_s - 1e-3 for key in keys)
    assert 2 <= stored <= 8 or "mjpeg" in kind or "prores" in kind


def test_the_end_of_a_long_video_is_not_waited_for(
    tmp_path: Path, write_clip: WriteClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An MP4 is entered near the start that is asked for; other files are read, but not decoded, up to it."""
    pictures = [np.full((64, 96, 3), index % 200, np.uint8) for index in range(400)]
    seen = 0
    real = VideoSource._is_shown

    def counted(source: VideoSource, packet: Any) -> bool:
        nonlocal seen
        seen += packet.size > 0
        return real(source, packet)

    monkeypatch.setattr(VideoSource, "_is_shown", counted)
    for name, most in (("a.mp4", 120), ("a.mkv", 10_000)):
        path = write_clip(tmp_path / name, pictures, options=BEST | {"g": "10", "bf": "2"})
        seen = 0
        (frame,) = _read(path, start_s=39.0, end_s=39.1)
        assert (frame.index, frame.time_s) == (390, pytest.approx(39.0))
        assert abs(float(frame.image_rgb.mean()) - 190) < 3
        assert 0 < seen < most


def test_what_vp8_keeps_for_reference_alone_is_no_frame(tmp_path: Path, write_clip: WriteClip) -> None:
    """An encoder may store pictures that are never shown; here, one out of ten is made so."""
    path = write_clip(tmp_path / "shown.webm", codec="libvpx", options={"g": "10"})
    hidden = tmp_path / "hidden.webm"
    with av.open(str(path)) as read, av.open(str(hidden), "w") as out:
        stream = out.add_stream_from_template(read.streams.video[0])
        for index, packet in enumerate(read.demux(video=0)):
            if packet.size:
                data = bytearray(bytes(packet))
                data[0] &= 0xEF if index % 10 == 5 else 0xFF
                packet.update(bytes(data))
                packet.stream = stream
                out.mux(packet)
    whole = _read(hidden)
    assert [frame.index for frame in whole] == list(range(len(whole)))
    assert len(whole) == 27
    for part in (_read(hidden, start_s=2.1), _read(hidden, keyframes=True), _read(hidden, keyframes=True, start_s=0.5)):
        assert len(part) >= 2
        assert all(_same(frame, whole[frame.index]) for frame in part)


def test_av1(
    tmp_path: Path, write_clip: WriteClip, number: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("av1.mp4", "av1.webm"):
        frames = _read(write_clip(tmp_path / name, codec="libsvtav1", options={"preset": "10", "crf": "4"}))
        assert [number(frame.image_rgb) for frame in frames] == list(range(30))
        assert frames[29].time_s == pytest.approx(2.9, abs=2e-3)
    capfd.readouterr()  # the encoder's, not ours


@pytest.mark.parametrize(
    ("matrix", "size_hw", "turn"),
    [
        ((1, 0, 0, 1), (64, 96), lambda image: image),
        ((-1, 0, 0, 1), (64, 96), lambda image: image[:, ::-1]),
        ((-1, 0, 0, -1), (64, 96), lambda image: image[::-1, ::-1]),
        ((1, 0, 0, -1), (64, 96), lambda image: image[::-1]),
        ((0, 1, 1, 0), (96, 64), lambda image: image.transpose(1, 0, 2)),
        ((0, 1, -1, 0), (96, 64), lambda image: np.rot90(image, -1)),
        ((0, -1, -1, 0), (96, 64), lambda image: image.transpose(1, 0, 2)[::-1, ::-1]),
        ((0, -1, 1, 0), (96, 64), lambda image: np.rot90(image)),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_all_eight_orientations(
    suffix: str,
    matrix: tuple[int, ...],
    size_hw: tuple[int, int],
    turn: Callable[[np.ndarray], np.ndarray],
    tmp_path: Path,
    write_clip: WriteClip,
    picture: Callable[..., np.ndarray],
) -> None:
    """x' = a x + c y and y' = b x + d y, as ISO/IEC 14496-12 has it."""
    a, b, c, d = (ONE * value for value in matrix)
    if suffix == ".mkv" and (a * d or b * c) != (ONE * ONE if a else -ONE * ONE):
        pytest.skip("Matroska can only turn")
    path = write_clip(tmp_path / f"turned{suffix}", 2, options=BEST, matrix=(a, b, 0, c, d, 0, 0, 0, 1 << 30))
    frame = _read(path)[0]
    assert frame.size_hw == size_hw
    right, *wrong = (np.abs(frame.image_rgb.astype(int) - image).mean() for image in _turned(turn(picture(0))))
    assert right < min(wrong) / 3


def _turned(image: np.ndarray) -> tuple[np.ndarray, ...]:
    """The picture, and the others of its size that it could be taken for."""
    return image, image[::-1], image[:, ::-1], image[::-1, ::-1]


@pytest.mark.parametrize(
    ("aspect", "size_hw"), [((2, 1), (64, 192)), ((1, 2), (128, 96)), ((4, 3), (64, 128)), ((16, 11), (64, 140))]
)
def test_pixels_become_square(
    aspect: tuple[int, int],
    size_hw: tuple[int, int],
    tmp_path: Path,
    write_clip: WriteClip,
    is_upright: Callable[..., bool],
) -> None:
    for name in ("a.mp4", "a.mkv"):
        path = write_clip(tmp_path / name, 3, options=BEST, aspect=Fraction(*aspect))
        assert {frame.size_hw for frame in _read(path)} == {size_hw}
        assert is_upright(_read(path)[0].image_rgb)


def test_pixels_become_square_before_the_picture_is_turned(tmp_path: Path, write_clip: WriteClip) -> None:
    matrix = (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30)
    path = write_clip(tmp_path / "a.mp4", 3, options=BEST, aspect=Fraction(2), matrix=matrix)
    assert _read(path)[0].size_hw == (192, 64)


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.mov"])
def test_a_picture_that_begins_after_its_sound(name: str, tmp_path: Path, write_clip: WriteClip) -> None:
    stamps = [2.5 + index / 10 for index in range(20)]
    path = write_clip(tmp_path / name, 20, stamps_s=stamps, sound_s=6, options=BEST)
    times = [frame.time_s for frame in _read(path)]
    assert np.diff(times) == pytest.approx(np.full(19, 0.1), abs=2e-3)
    assert 2.49 < times[0] < 2.65  # the encoder of the sound begins up to 0.13 s before it
    assert _read(path, start_s=3.0)[0].index in (4, 5)


@pytest.mark.parametrize("name", ["dump.flv", "dump.ts", "dump.mkv"])
def test_stamps_that_begin_at_ten_minutes(name: str, tmp_path: Path, write_clip: WriteClip) -> None:
    stamps = [600 + index / 10 for index in range(20)]
    codec = "flv" if name.endswith("flv") else "libx264"
    container = {"avoid_negative_ts": "disabled"}
    frames = _read(write_clip(tmp_path / name, 20, codec=codec, stamps_s=stamps, container=container))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 10 for index in range(20)], abs=2e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.flv"])
def test_a_rate_that_varies_and_gaps_are_kept(name: str, tmp_path: Path, write_clip: WriteClip) -> None:
    stamps = [round(float(value), 3) for value in np.cumsum([0, *([0.033] * 10), *([0.25] * 5), 4.0, 0.007, 0.5])]
    codec = {"a.webm": "libvpx", "a.flv": "flv"}.get(name, "libx264")
    times = [frame.time_s for frame in _read(write_clip(tmp_path / name, len(stamps), codec=codec, stamps_s=stamps))]
    assert times == pytest.approx(stamps, abs=2e-3)
    thinned = [frame.time_s for frame in _read(tmp_path / name, fps=4)]
    assert thinned == pytest.approx(
        [0, 0.25, *(stamps[i] for i in (11, 12, 13, 14, 15)), stamps[16], stamps[18]], abs=0.02
    )


def test_a_browsers_recording_has_no_rate(tmp_path: Path, write_clip: WriteClip) -> None:
    """MediaRecorder states no duration and no rate, and its clock ticks a thousand times per second."""
    stamps = [index * 0.033 + index % 7 * 0.005 for index in range(20)]
    path = write_clip(*(tmp_path / "a.webm", 20), codec="libvpx", rate=1000, stamps_s=stamps, container={"live": "1"})
    with open_source(path) as source:
        assert source.fps is None
        assert [frame.time_s for frame in source] == pytest.approx(stamps, abs=1e-3)


def test_one_wild_stamp_moves_no_other(tmp_path: Path, write_clip: WriteClip) -> None:
    """The stamp of one block of a Matroska file, which is relative to its cluster, is changed."""
    stamps = [index / 10 for index in range(20)]
    path = write_clip(tmp_path / "a.mkv", 20, options=BEST | {"g": "30"}, stamps_s=stamps)
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack(">BhB", 0x81, 900, 0))
    struct.pack_into(">h", data, at + 1, 30000)
    path.write_bytes(data)
    times = [frame.time_s for frame in _read(path)]
    assert [time for index, time in enumerate(times) if index != 9] == pytest.approx(stamps[:9] + stamps[10:])
    assert 0.8 < times[9] < 1.0


def test_recordings_joined_end_to_end(tmp_path: Path, write_clip: WriteClip) -> None:
    data = write_clip(tmp_path / "a.ts", 10, options=BEST).read_bytes()
    (tmp_path / "joined.ts").write_bytes(data + data)
    times = [frame.time_s for frame in _read(tmp_path / "joined.ts")]
    assert len(times) == 20
    assert (np.diff(times) > 0).all()
    assert times[-1] < 2.5


@pytest.mark.parametrize("name", ["turned.ts", "turned.webm"])
def test_a_size_that_changes_midway(
    name: str,
    tmp_path: Path,
    write_clip: WriteClip,
    picture: Callable[..., np.ndarray],
    is_upright: Callable[..., bool],
) -> None:
    """Two recordings of different sizes as one: a transport stream by joining, WebM packet by packet as a browser."""
    codec = "libvpx" if name.endswith("webm") else "libx264"
    sizes = ((64, 96), (96, 64))
    parts = [
        write_clip(tmp_path / f"{at}{Path(name).suffix}", [picture(i, size) for i in range(10)], codec=codec)
        for at, size in enumerate(sizes)
    ]
    if codec == "libx264":
        (tmp_path / name).write_bytes(parts[0].read_bytes() + parts[1].read_bytes())
    else:
        _joined(tmp_path / name, parts)
    frames = _read(tmp_path / name)
    assert [frame.size_hw for frame in frames] == [sizes[0]] * 10 + [sizes[1]] * 10
    assert all(is_upright(frame.image_rgb) for frame in frames)


@pytest.mark.parametrize("name", ["a.ts", "a.mpg", "a.h264"])
def test_a_pixel_aspect_that_changes_midway(name: str, tmp_path: Path, write_clip: WriteClip) -> None:
    """As television does between a film and the news; transport and program streams state it in the picture alone."""
    codec, options = ("mpeg2video", {}) if name.endswith("mpg") else ("libx264", {"bf": "2", "g": "10"})
    # 4:3 and 16:9, which are what MPEG-2 can state.
    parts = [
        write_clip(tmp_path / f"{at}-{name}", 20, codec=codec, options=options, rate=25, aspect=aspect)
        for at, aspect in enumerate((Fraction(8, 9), Fraction(32, 27)))
    ]
    (tmp_path / name).write_bytes(b"".join(part.read_bytes() for part in parts))
    sizes = [frame.size_hw for frame in _read(tmp_path / name)]
    assert sizes == [(72, 96)] * 20 + [(64, 114)] * 20


def test_the_pixel_aspect_of_the_container_counts(tmp_path: Path, write_clip: WriteClip) -> None:
    """MP4 and Matroska state one themselves, and may correct what the picture says."""
    data = bytearray(write_clip(tmp_path / "a.mp4", 10, aspect=Fraction(2)).read_bytes())
    struct.pack_into(">2I", data, data.index(b"pasp") + 4, 3, 2)
    (tmp_path / "corrected.mp4").write_bytes(data)
    assert {frame.size_hw for frame in _read(tmp_path / "corrected.mp4")} == {(64, 144)}


def _joined(path: Path, parts: Sequence[Path]) -> None:
    with av.open(str(path), "w") as out:
        stream = None
        for at, part in enumerate(parts):
            with av.open(str(part)) as read:
                stream = stream or out.add_stream_from_template(read.streams.video[0])
                for packet in read.demux(video=0):
                    if packet.size:
                        packet.pts += at * 1000
                        packet.dts = packet.pts
                        packet.stream = stream
                        out.mux(packet)


def _blocks() -> np.ndarray:
    """Eight colours, 16 pixels wide each, for what a wrong matrix or range does to them."""
    colours = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40), (40, 200, 200), (200, 40, 200)]
    row = np.repeat(np.array([*colours, (235, 235, 235), (16, 16, 16)], np.uint8), 16, axis=0)
    return np.broadcast_to(row, (64, 128, 3)).copy()


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("kind", ["a.mp4", "a.mkv", "a.webm"])
def test_matrix_and_range_are_those_that_the_file_states(
    kind: str, matrix: int, is_full: bool, tmp_path: Path, write_clip: WriteClip
) -> None:
    colour = {"colorspace": matrix, "color_range": 2 if is_full else 1, "color_primaries": 1, "color_trc": 1}
    codec: dict[str, Any] = {"options": BEST, "pix_fmt": "yuv444p"}
    if kind.endswith("webm"):
        codec = {"codec": "libvpx-vp9", "options": {"crf": "4", "b": "0"}, "pix_fmt": "yuv444p"}
    frame = _read(write_clip(tmp_path / kind, [_blocks()] * 3, colour=colour, **codec))[1]
    assert np.abs(frame.image_rgb.astype(int) - _blocks()).mean() < 3


@pytest.mark.parametrize(("transfer", "name"), [(16, "smpte2084"), (18, "arib-std-b67")])
def test_hdr_is_brought_to_sdr(transfer: int, name: str, tmp_path: Path, write_clip: WriteClip) -> None:
    colour = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": transfer}
    tags = f"log-level=none:crf=4:colorprim=bt2020:transfer={name}:colormatrix=bt2020nc"
    signal = _blocks() // 2 + 40
    path = write_clip(
        *(tmp_path / "hdr.mp4", [signal] * 3),
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": tags},
        colour=colour,
    )
    image_rgb = _read(path)[1].image_rgb.astype(int)
    middle = image_rgb[32, 8::16]
    expected = to_sdr(signal, transfer, 9).astype(int)[32, 8::16]
    assert np.abs(middle - expected).max() < 20
    assert np.abs(middle - expected).mean() < 6
    assert np.abs(middle - signal[32, 8::16]).mean() > 15


def _index_in_front(path: Path, write_clip: WriteClip, **options: Any) -> bytes:
    return write_clip(path, container={"movflags": "faststart"}, options=BEST | {"g": "10"}, **options).read_bytes()


def test_an_index_at_the_end_that_is_cut_off(clips: Callable[[str], Path], tmp_path: Path) -> None:
    data = clips("h264.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableMedia, match=r"cut\.mp4: the video is truncated"):
        open_source(tmp_path / "cut.mp4")


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("part", [0.6, 0.8, 0.95])
def test_a_cut_video_gives_the_frames_it_has(
    part: float, every: int, tmp_path: Path, write_clip: WriteClip, number: Callable[..., int]
) -> None:
    data = _index_in_front(tmp_path / "a.mp4", write_clip)
    (tmp_path / "a.mp4").write_bytes(data[: int(len(data) * part)])
    frames: list[Frame] = []
    with (
        open_source(tmp_path / "a.mp4", selection=Selection(every=every)) as source,
        pytest.raises(UnreadableMedia, match="is truncated") as caught,
    ):
        frames.extend(source)
    assert 0 < len(frames) < 30
    assert [number(frame.image_rgb) for frame in frames[:-1]] == [frame.index for frame in frames[:-1]]
    read = int(str(caught.value).split(": ")[1].split()[0])
    assert f"{read} of 30 announced frames" in str(caught.value)
    assert frames[-1].index < read <= frames[-1].index + every


@pytest.mark.parametrize("kind", ["mjpeg.avi", "ffv1.mkv", "vp9.webm", "mpeg4.avi"])
def test_a_cut_file_is_one_by_its_own_container(kind: str, clips: Callable[[str], Path], tmp_path: Path) -> None:
    data = clips(kind).read_bytes()
    path = tmp_path / kind
    path.write_bytes(data[: int(len(data) * 0.6)])
    frames: list[Frame] = []
    with open_source(path) as source, pytest.raises(UnreadableMedia, match="is truncated"):
        frames.extend(source)
    assert 0 < len(frames) < 28


def test_an_announced_length_alone_cuts_nothing(tmp_path: Path, write_clip: WriteClip) -> None:
    """Sound that is longer than the picture lengthens the file, and an edit list hides frames that are stored."""
    for name, codec in (("a.ts", "libx264"), ("a.mkv", "libx264"), ("a.mp4", "libx264"), ("a.flv", "flv")):
        container = {"flvflags": "no_duration_filesize"} if codec == "flv" else {}
        path = write_clip(tmp_path / name, 10, codec=codec, container=container, sound_s=6)
        assert len(_read(path)) == 10
    data = bytearray(write_clip(tmp_path / "b.mp4", 30, options=BEST).read_bytes())
    at = data.index(b"elst")
    struct.pack_into(">I", data, at + 12, struct.unpack_from(">I", data, at + 12)[0] // 2)
    (tmp_path / "trimmed.mp4").write_bytes(data)
    assert 14 <= len(_read(tmp_path / "trimmed.mp4")) <= 17


@pytest.mark.parametrize("at", [12, 17, 24, 28])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_cut_video_with_frames_out_of_order(
    suffix: str, at: int, tmp_path: Path, write_clip: WriteClip, number: Callable[..., int]
) -> None:
    """What the decoder holds back when it meets half a picture is given too, and the sentence counts what was given."""
    options = {"crf": "4", "bf": "3", "g": "10", "x264-params": "b-adapt=0:scenecut=0"}
    path = write_clip(tmp_path / f"a{suffix}", 30, options=options, container={"movflags": "faststart"})
    with av.open(str(path)) as whole:
        last = [packet for packet in whole.demux(video=0) if packet.size][at]
    path.write_bytes(path.read_bytes()[: last.pos + last.size - 1])
    frames: list[Frame] = []
    with open_source(path) as source, pytest.raises(UnreadableMedia, match=f"is truncated: {at} .*could be read"):
        frames.extend(source)
    assert len(frames) == at
    assert [number(frame.image_rgb) for frame in frames] == [round(frame.time_s * 10) for frame in frames]


@pytest.mark.parametrize(("broken", "gone"), [(0, range(10)), (10, range(9, 18)), (20, range(19, 28))])
def test_frames_that_need_a_broken_one_count_as_missing(
    broken: int, gone: range, tmp_path: Path, write_clip: WriteClip
) -> None:
    """A decoder leaves out without a word what cannot be decoded before the next key frame."""
    options = {"crf": "18", "bf": "3", "g": "10", "x264-params": "scenecut=0"}
    path = write_clip(tmp_path / "a.mp4", 30, options=options)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][broken]
    assert packet.is_keyframe
    data[packet.pos + 4 : packet.pos + packet.size] = bytes(packet.size - 4)
    path.write_bytes(data)
    frames: list[Frame] = []
    with open_source(path) as source, pytest.raises(UnreadableMedia) as caught:
        frames.extend(source)
    assert f"{30 - len(frames)} of 30 frames could not be decoded" in str(caught.value)
    assert len(frames) <= 30 - len(gone) + 1
    assert [frame.index for frame in frames] == [round(frame.time_s * 10) for frame in frames]
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})


@pytest.mark.parametrize("lost", [(7,), (0,), (29,), (5, 6, 20)])
@pytest.mark.parametrize("kind", ["mjpeg.avi", "prores.mov"])
def test_broken_frames_end_nothing_and_are_told(
    kind: str, lost: tuple[int, ...], clips: Callable[[str], Path], tmp_path: Path, number: Callable[..., int]
) -> None:
    data = bytearray(clips(kind).read_bytes())
    with av.open(str(clips(kind))) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for index in lost:
        position, size = places[index]
        data[position : position + size] = bytes(size)
    path = tmp_path / kind
    path.write_bytes(data)
    frames: list[Frame] = []
    told = f"{len(lost)} of 30 frames could not be decoded"
    with open_source(path) as source, pytest.raises(UnreadableMedia, match=told):
        frames.extend(source)
    assert [number(frame.image_rgb) for frame in frames] == [index for index in range(30) if index not in lost]
    assert [round(frame.time_s, 3) for frame in frames] == [index / 10 for index in range(30) if index not in lost]
    assert [frame.index for frame in frames] == [index for index in range(30) if index not in lost]


@pytest.mark.parametrize("at", [3, 7, 12, 28])
@pytest.mark.parametrize("kind", ["h264.mp4", "vp9.webm", "prores.mov"])
def test_a_broken_frame_leaves_the_others_their_numbers(
    kind: str, at: int, clips: Callable[[str], Path], tmp_path: Path
) -> None:
    """Whatever the decoder holds back: number and time agree, and the one that is missing is the broken one."""
    data = bytearray(clips(kind).read_bytes())
    with av.open(str(clips(kind))) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        broken = sorted(packet.pts for packet in packets).index(packets[at].pts)
        position, size = packets[at].pos, packets[at].size
    data[position + 8 : position + size] = bytes(size - 8)
    (tmp_path / kind).write_bytes(data)
    frames: list[Frame] = []
    with open_source(tmp_path / kind) as source, pytest.raises(UnreadableMedia, match="1 of 30 frames could not"):
        frames.extend(source)
    assert [frame.index for frame in frames] == [index for index in range(30) if index != broken]
    assert [frame.time_s for frame in frames] == pytest.approx([frame.index / 10 for frame in frames], abs=2e-3)


def test_a_recording_that_begins_in_the_middle_is_whole(clips: Callable[[str], Path], tmp_path: Path) -> None:
    data = clips("h264.ts").read_bytes()
    (tmp_path / "middle.ts").write_bytes(data[len(data) // 3 // 188 * 188 :])
    frames = _read(tmp_path / "middle.ts")
    assert 10 <= len(frames) < 25
    assert frames[0].index == 0


@pytest.mark.parametrize(
    ("size_hw", "codec", "pix_fmt"),
    [
        ((1, 1), "ffv1", "yuv444p"),
        ((401, 7), "ffv1", "yuv444p"),
        ((7, 401), "ffv1", "yuv420p"),
        ((64, 16384), "mjpeg", "yuvj420p"),
    ],
)
def test_strange_sizes(
    size_hw: tuple[int, int], codec: str, pix_fmt: str, tmp_path: Path, write_clip: WriteClip
) -> None:
    image = np.full((*size_hw, 3), (200, 100, 50), np.uint8)
    colour = {"color_range": 2} if pix_fmt == "yuvj420p" else {}
    path = write_clip(tmp_path / "a.mkv", [image] * 3, codec=codec, pix_fmt=pix_fmt, colour=colour)
    frames = _read(path)
    assert [frame.size_hw for frame in frames] == [size_hw] * 3
    assert np.abs(frames[1].image_rgb.astype(int) - image).mean() < 6


def test_a_frame_that_is_too_large_is_never_decoded(
    tmp_path: Path, write_clip: WriteClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mkv", 3, codec="ffv1")
    monkeypatch.setattr("mien.sources.ffmpeg.MAX_PIXELS", 96 * 64 - 1)
    with pytest.raises(UnreadableMedia, match="no decodable frames"):
        _read(path)


def test_nothing_to_see(tmp_path: Path, write_clip: WriteClip, clips: Callable[[str], Path]) -> None:
    with av.open(str(tmp_path / "sound.m4a"), "w") as out:
        _silence(out)
    with pytest.raises(UnreadableMedia, match="holds sound but no picture"):
        open_source(tmp_path / "sound.m4a")
    with av.open(str(tmp_path / "music.mp4"), "w") as out:
        cover: Any = out.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        _silence(out)
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packet in cover.encode(frame.reformat(format="yuvj420p")) + cover.encode(None):
            out.mux(packet)
    with pytest.raises(UnreadableMedia, match="holds sound but no picture"):
        open_source(tmp_path / "music.mp4")
    empty = write_clip(tmp_path / "empty.mkv", 0, codec="ffv1")
    with pytest.raises(UnreadableMedia, match=r"no decodable frames|not a video of a known kind"):
        _read(empty)
    with pytest.raises(InputError, match=r"ends at 2\.900 s, before 5 s"):
        _read(clips("h264.mp4"), start_s=5)
    with pytest.raises(InputError, match=r"no key frame from 2\.85 s on"):
        _read(clips("ffv1.mkv"), start_s=2.85, keyframes=True)


def _silence(out: Any) -> None:
    stream = out.add_stream("aac", rate=8000, layout="mono")
    for at in range(0, 8192, 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts = 8000, at
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def test_an_encrypted_file(tmp_path: Path, write_clip: WriteClip) -> None:
    protection = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "0123456789abcdef0123456789abcdef",
        "encryption_kid": "fedcba9876543210fedcba9876543210",
    }
    path = write_clip(tmp_path / "locked.mp4", 5, container=protection)
    with pytest.raises(UnreadableMedia, match=r"locked\.mp4: it is encrypted; get a copy without protection"):
        _read(path)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{clip}\n#EXT-X-ENDLIST\n",
        "\ufeff#EXTM3U\n#EXTINF:3,\nfile://{clip}\n",
        "ffconcat version 1.0\nfile '{clip}'\n",
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>file://{clip}</BaseURL></MPD>\n',
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 23953 RTP/AVP 33\n",
    ],
)
@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "list"])
def test_a_file_that_names_other_files_opens_none(
    name: str, text: str, tmp_path: Path, clips: Callable[[str], Path]
) -> None:
    (tmp_path / name).write_text(text.format(clip=clips("h264.ts")), encoding="utf-8")
    with pytest.raises(UnreadableMedia, match="names other files, which are not opened"):
        VideoSource(tmp_path / name)


def test_text_is_no_video_whatever_its_name(tmp_path: Path) -> None:
    for name in ("notes.txt", "info.nfo", "table.yuv", "x.rgb", "y.ans"):
        (tmp_path / name).write_text("nothing to see here\n" * 200)
        with pytest.raises(UnreadableMedia, match="not a video of a known kind"):
            VideoSource(tmp_path / name)


@pytest.mark.parametrize("kind", ["h264.mp4", "h264.mov", "h264.ts", "ffv1.mkv", "mpeg4.avi", "mjpeg.avi"])
@pytest.mark.parametrize("start_s", [3.0, 1e9, 1e20, 1e300])
@pytest.mark.parametrize("keyframes", [False, True])
def test_a_start_after_the_end_is_told(
    keyframes: bool, start_s: float, kind: str, clips: Callable[[str], Path]
) -> None:
    selection = Selection(start_s=start_s, keyframes=keyframes)
    with (
        open_source(clips(kind), selection=selection) as source,
        pytest.raises(InputError, match="choose an earlier start"),
    ):
        next(source)


def test_documents_and_archives_are_no_videos(
    tmp_path: Path, clips: Callable[[str], Path], picture: Callable[..., np.ndarray]
) -> None:
    """FFmpeg would take what is stored in them for the frames of one."""
    data = io.BytesIO()
    images = [Image.fromarray(picture(index)) for index in range(3)]
    images[0].save(data, "JPEG", quality=95)
    images[0].save(tmp_path / "a.pdf", save_all=True, append_images=images[1:])
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("word/media/image1.jpeg", data.getvalue())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(clips("raw.h264"), "a.h264")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(clips("h264.ts"), "a.ts")
    for name in ("a.pdf", "a.docx", "a.zip", "a.tar"):
        with pytest.raises(UnreadableMedia, match="a document or an archive, not a video"):
            open_source(tmp_path / name)
    for name, before in (("a.eml", b"From: me\n\n"), ("a.exe", b"MZ" + bytes(400)), ("a.mp3", b"ID3\x03" + bytes(99))):
        (tmp_path / name).write_bytes(before + data.getvalue() * 3)
        with pytest.raises(UnreadableMedia, match="not a video of a known kind"):
            open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["a.mjpeg", "a.MJPG"])
@pytest.mark.parametrize("maker", ["Pillow", "FFmpeg"])
def test_jpegs_one_after_another_are_a_video_by_their_name(
    maker: str,
    name: str,
    tmp_path: Path,
    write_clip: WriteClip,
    picture: Callable[..., np.ndarray],
    number: Callable[..., int],
) -> None:
    data = io.BytesIO()
    for index in range(5):
        Image.fromarray(picture(index)).save(data, "JPEG", quality=95)
    written = write_clip(tmp_path / "clip.mjpeg", 5, codec="mjpeg", pix_fmt="yuvj420p", colour={"color_range": 2})
    (tmp_path / name).write_bytes(data.getvalue() if maker == "Pillow" else written.read_bytes())
    with open_source(tmp_path / name) as source:
        assert source.kind == source_kind(tmp_path / name) == "video"
        assert [number(frame.image_rgb) for frame in source] == [0, 1, 2, 3, 4]


def test_a_cover_is_no_video(tmp_path: Path, write_clip: WriteClip, picture: Callable[..., np.ndarray]) -> None:
    clip = write_clip(tmp_path / "a.mp4", 5, options=BEST)
    with av.open(str(tmp_path / "covered.mp4"), "w") as out, av.open(str(clip)) as read:
        cover: Any = out.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 320, 320, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = out.add_stream_from_template(read.streams.video[0])
        frame = av.VideoFrame.from_ndarray(picture(0, (320, 320)), format="rgb24").reformat(format="yuvj420p")
        for packet in cover.encode(frame) + cover.encode(None):
            out.mux(packet)
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    frames = _read(tmp_path / "covered.mp4")
    assert [frame.size_hw for frame in frames] == [(64, 96)] * 5


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".nut"])
def test_texts_that_are_not_utf_8(suffix: str, tmp_path: Path, clips: Callable[[str], Path]) -> None:
    """Old cameras and programs write titles in the code page of their country."""
    path = tmp_path / f"a{suffix}"
    with av.open(str(clips("mpeg4.avi"))) as read, av.open(str(path), "w") as out:
        out.metadata["title"] = "Cafe_of_the_file"
        stream = out.add_stream_from_template(read.streams.video[0])
        stream.metadata.update({"title": "Cafe_of_the_picture", "handler_name": "Cafe_of_the_track"})
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    data = path.read_bytes()
    assert data.count(b"Cafe_") >= 1
    path.write_bytes(data.replace(b"Cafe_", b"Caf\xe9\xff"))
    assert [frame.index for frame in _read(path)] == list(range(30))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_motion_jpeg_whose_frames_have_exif(
    orientation: int, tmp_path: Path, picture: Callable[..., np.ndarray]
) -> None:
    """As cameras write it; PyAV 18 does not know this kind of side data, which FFmpeg attaches to each frame."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A maker of cameras", orientation
    pictures = [picture(index) for index in range(3)]
    with av.open(str(tmp_path / "a.avi"), "w") as out:
        stream: Any = out.add_stream("mjpeg", rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p"
        for index, image_rgb in enumerate(pictures):
            data = io.BytesIO()
            Image.fromarray(image_rgb).save(data, "JPEG", quality=95, exif=exif)
            packet = av.Packet(data.getvalue())
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 10), True
            packet.pts = packet.dts = index
            out.mux(packet)
    frames = _read(tmp_path / "a.avi")
    assert len(frames) == 3
    turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    for frame, image_rgb in zip(frames, pictures, strict=True):
        expected = np.rot90(image_rgb, turns)
        assert frame.image_rgb.shape == expected.shape
        assert np.abs(frame.image_rgb.astype(int) - expected).mean() < 12


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError("boom"), UnreadableMedia),
        (MemoryError("boom"), UnreadableMedia),
        (RuntimeError("boom"), RuntimeError),
    ],
)
def test_an_error_while_converting(
    error: Exception, expected: type[Exception], clips: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(ToRgb, "convert", fail)
    with VideoSource(clips("h264.mp4")) as source:
        with pytest.raises(expected, match="boom"):
            next(source)
        assert next(source, None) is None


def test_frames_that_were_given_are_kept_by_nobody(clips: Callable[[str], Path]) -> None:
    """Not even until garbage is collected: a hundred frames of 1920 x 1080 would be 900 MB."""
    gc.collect()
    gc.disable()
    gc.freeze()  # what is there already is not listed: millions of things where much has been imported
    most = 0
    try:
        with open_source(clips("h264.mp4")) as source:
            for frame in source:
                kept = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
                assert kept < 10, f"{kept} at frame {frame.index}"
                most = max(most, kept)
    finally:
        gc.unfreeze()
        gc.enable()
    assert most, "frames are seen at all"


def test_close_at_any_moment(clips: Callable[[str], Path]) -> None:
    for taken in (0, 1, 5, 30):
        source = open_source(clips("h264.mp4"))
        for _ in range(taken):
            next(source)
        source.close()
        source.close()
        assert list(source) == []


def test_closed_while_another_thread_decodes(clips: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is released when the frame is done, never under the decoder's feet; the frame is given to nobody."""
    begun, go = threading.Event(), threading.Event()
    real = ToRgb.convert

    def slow(self: ToRgb, *given: Any) -> Any:
        begun.set()
        go.wait(5)
        return real(self, *given)

    monkeypatch.setattr(ToRgb, "convert", slow)
    source = VideoSource(clips("h264.mp4"))
    given: list[Frame] = []
    reader = threading.Thread(target=lambda: given.extend(source))
    reader.start()
    assert begun.wait(5)
    source.close()
    assert len(source._container.streams.video) == 1
    go.set()
    reader.join(5)
    assert given == []
    assert len(source._container.streams.video) == 0


def test_a_file_that_gives_nothing_but_errors_ends(
    clips: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Container:
        tries = 0

        def demux(self, _: object) -> Any:
            self.tries += 1
            raise av.error.InvalidDataError(1, "broken")
            yield

        def close(self) -> None: ...

    source = VideoSource(clips("h264.mp4"))
    broken = Container()
    monkeypatch.setattr(source, "_container", broken)
    with pytest.raises(UnreadableMedia, match="truncated before its first frame"):
        next(source)
    assert broken.tries == videos._MOST_FAILURES
