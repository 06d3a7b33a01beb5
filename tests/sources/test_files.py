from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.errors import InputError, UnreadableMedia
from mien.pixels.images import write_image
from mien.scene import Frame
from mien.sources import FakeSource, PhotoSource, Selection, VideoSource, expand_sources, open_source, videos

HEIGHT, WIDTH = 48, 64


def _picture(index: int) -> np.ndarray:
    """Grey that tells the frame's number, with a red left edge that tells colour order and rotation."""
    image = np.full((HEIGHT, WIDTH, 3), 40 + 5 * index, np.uint8)
    image[:, :16] = (230, 20, 20)
    return image


def _number(frame: Frame) -> int:
    return round((float(frame.image_rgb[8:-8, 28:-8].mean()) - 37.5) / 5)  # MPEG-4 costs it 2 or 3


def _make(path: Path, count: int = 30, fps: float = 10.0, codec: str = "mp4v") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for index in range(count):
        writer.write(_picture(index)[..., ::-1].copy())
    writer.release()
    return path


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    position = 0
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, position, position + length
        position += length


def _index_first(path: Path) -> bytes:
    """The MP4 with its index in front, as for streaming."""
    data = path.read_bytes()
    parts = {name: data[start:end] for name, start, end in _boxes(data)}
    moov = bytearray(parts[b"moov"])
    at = moov.index(b"stco")
    (count,) = struct.unpack_from(">I", moov, at + 8)
    for entry in range(at + 12, at + 12 + 4 * count, 4):
        struct.pack_into(">I", moov, entry, struct.unpack_from(">I", moov, entry)[0] + len(moov))
    rest = b"".join(part for name, part in parts.items() if name not in (b"ftyp", b"moov"))
    return parts[b"ftyp"] + bytes(moov) + rest


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make(tmp_path_factory.mktemp("clip") / "clip.mp4")


def test_every_frame_in_order(clip: Path) -> None:
    with open_source(clip) as source:
        assert (source.kind, source.frame_count, source.fps, source.name) == ("video", 30, 10.0, str(clip))
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(30))
    assert [_number(frame) for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 10 for i in range(30)])
    red = frames[0].image_rgb[8:-8, 4:8].mean((0, 1))
    assert red[0] > 150 > 100 > red[2]
    assert {frame.source for frame in frames} == {str(clip)}
    assert list(source) == []


@pytest.mark.parametrize("every", [1, 2, 7, 29, 30, 100])
def test_every_nth_has_its_true_index(clip: Path, every: int) -> None:
    with VideoSource(clip, selection=Selection(every=every)) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(0, 30, every))
    assert [_number(frame) for frame in frames] == list(range(0, 30, every))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 10 for i in range(0, 30, every)])


@pytest.mark.parametrize("every", [0, -1])
def test_every_below_one(clip: Path, every: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        open_source(clip, selection=Selection(every=every))


def test_variable_frame_rate(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    at = data.index(b"stts")
    count, frames, step = struct.unpack_from(">III", data, at + 8)
    assert (count, frames) == (1, 30)
    new = struct.pack(">4sII", b"stts", 0, 2) + struct.pack(">IIII", 10, step, 20, 3 * step)
    struct.pack_into(">I", data, data.index(b"elst") + 12, 9000)
    moved = bytes(data[: at - 4]) + struct.pack(">I", 32) + new + bytes(data[at - 4 + 24 :])
    (tmp_path / "vfr.mp4").write_bytes(_grown(moved, 8, within=(b"moov", b"trak", b"mdia", b"minf", b"stbl")))
    with open_source(tmp_path / "vfr.mp4") as source:
        times = [frame.time_s for frame in source]
    assert times == pytest.approx([*(i / 10 for i in range(11)), *(1.0 + 0.3 * i for i in range(1, 20))], abs=2e-3)


def _grown(data: bytes, by: int, *, within: tuple[bytes, ...]) -> bytes:
    """Add to the lengths of nested boxes after one inside them has grown (the index is last, so nothing moves)."""
    out = bytearray(data)
    for name in within:
        at = out.rindex(name) - 4
        struct.pack_into(">I", out, at, struct.unpack_from(">I", out, at)[0] + by)
    return bytes(out)


def test_rotation_is_applied(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    one = 0x10000
    assert struct.unpack_from(">i", data, matrix) == (one,)
    struct.pack_into(">9i", data, matrix, 0, one, 0, -one, 0, 0, HEIGHT * one, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    with open_source(tmp_path / "turned.mp4") as source:
        frame = next(source)
    assert frame.size_hw == (WIDTH, HEIGHT)
    top = frame.image_rgb[4:8, 8:-8].mean((0, 1))
    assert top[0] > 150 > 100 > top[2]  # the left edge has become the upper one


def test_a_trimmed_clip_is_no_cut_one(clip: Path, tmp_path: Path) -> None:
    """Phones trim by an edit list: the file keeps, and announces, frames that are not shown."""
    data = bytearray(clip.read_bytes())
    struct.pack_into(">I", data, data.index(b"elst") + 12, 1500)
    (tmp_path / "trimmed.mp4").write_bytes(data)
    with open_source(tmp_path / "trimmed.mp4") as source:
        assert source.frame_count == 30
        assert 14 <= len(list(source)) <= 17


class _Capture:
    """A video that OpenCV might have opened."""

    def __init__(self, stamps_ms: list[float], *, fps: float = 10.0, error: Exception | None = None) -> None:
        self.stamps_ms, self.fps, self.error = stamps_ms, fps, error
        self.at = -1
        self.released = False
        self.held = 0

    def get(self, name: int) -> float:
        known = {cv2.CAP_PROP_FRAME_COUNT: float(len(self.stamps_ms)), cv2.CAP_PROP_FPS: self.fps}
        return known[name] if name in known else self.stamps_ms[self.at]

    def grab(self) -> bool:
        self.at += 1
        if self.at == len(self.stamps_ms) and self.error:
            raise self.error
        return self.at < len(self.stamps_ms)

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, _picture(self.at % 30)

    def release(self) -> None:
        self.released = True


def _fake(monkeypatch: pytest.MonkeyPatch, capture: _Capture) -> _Capture:
    monkeypatch.setattr(videos, "_open_capture", lambda _: capture)
    monkeypatch.setattr(videos, "is_whole", lambda _: None)
    return capture


@pytest.mark.parametrize(
    ("stamps_ms", "times_s"),
    [
        ([0, 0, 0, 0], [0, 0.1, 0.2, 0.3]),
        ([-16.7, 33.3, 66.7], [0, 0.0333, 0.0667]),
        ([0, 100, 100, 300], [0, 0.1, 0.2, 0.3]),
        ([0, 100, 50, 300], [0, 0.1, 0.2, 0.3]),
        ([0, float("nan"), 200], [0, 0.1, 0.2]),
    ],
)
def test_times_never_go_back(stamps_ms: list[float], times_s: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(monkeypatch, _Capture(stamps_ms))
    with VideoSource("x.mp4") as source:
        times = [frame.time_s for frame in source]
    assert times[1:] == pytest.approx(times_s[1:], abs=1e-4)
    assert times[0] >= 0
    assert (np.diff(times) > 0).all()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (cv2.error("boom"), UnreadableMedia),
        (OSError("boom"), UnreadableMedia),
        (MemoryError("boom"), UnreadableMedia),
        (RuntimeError("boom"), RuntimeError),
    ],
)
def test_an_error_while_decoding(error: Exception, expected: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    capture = _fake(monkeypatch, _Capture([100.0 * i for i in range(5)], error=error))
    seen = []
    with VideoSource("x.mp4") as source, pytest.raises(expected, match="boom"):
        seen.extend(source)
    assert capture.released
    assert next(source, None) is None


def test_a_frame_is_decoded_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = _fake(monkeypatch, _Capture([100.0 * i for i in range(30)]))
    with VideoSource("x.mp4") as source:
        assert all(capture.at == frame.index for frame in source)


def test_close_at_any_moment(clip: Path) -> None:
    for taken in (0, 1, 5, 30):
        source = open_source(clip)
        for _ in range(taken):
            next(source)
        source.close()
        source.close()
        assert list(source) == []


def test_closed_while_another_thread_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is released when the frame is done, never under the decoder's feet; the frame is given to nobody."""
    begun, go = threading.Event(), threading.Event()
    capture = _fake(monkeypatch, _Capture([0.0, 100.0]))
    monkeypatch.setattr(capture, "retrieve", lambda: (begun.set(), go.wait(5), (True, _picture(0)))[2])
    source = VideoSource("x.mp4")
    given: list[Frame] = []
    reader = threading.Thread(target=lambda: given.extend(source))
    reader.start()
    assert begun.wait(5)
    source.close()
    assert not capture.released
    go.set()
    reader.join(5)
    assert capture.released
    assert given == []


def test_moov_at_the_end_and_cut_cannot_be_opened(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableMedia, match=r"cut\.mp4: the video is truncated"):
        open_source(tmp_path / "cut.mp4")


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("part", [0.6, 0.8, 0.95])
def test_moov_in_front_and_cut_gives_the_frames_it_has(clip: Path, tmp_path: Path, part: float, every: int) -> None:
    data = _index_first(clip)
    path = tmp_path / "whole.mp4"
    path.write_bytes(data)
    assert len(list(open_source(path))) == 30
    path.write_bytes(data[: int(len(data) * part)])
    frames = []
    with open_source(path, selection=Selection(every=every)) as source, pytest.raises(UnreadableMedia) as caught:
        frames.extend(source)
    assert 0 < len(frames) < 30
    assert [_number(frame) for frame in frames[:-1]] == [frame.index for frame in frames[:-1]]
    read = int(str(caught.value).split(": ")[1].split()[0])
    assert f"{read} of 30 announced frames" in str(caught.value)
    assert frames[-1].index < read <= frames[-1].index + every


def test_cut_avi(tmp_path: Path) -> None:
    data = _make(tmp_path / "a.avi", codec="MJPG").read_bytes()
    (tmp_path / "a.avi").write_bytes(data[: len(data) // 2])
    frames = []
    with open_source(tmp_path / "a.avi") as source, pytest.raises(UnreadableMedia, match="of 30 announced"):
        frames.extend(source)
    assert 0 < len(frames) < 25


@pytest.mark.parametrize(
    ("announced", "read", "is_cut"),
    [(100, 100, False), (100, 98, False), (100, 95, False), (100, 80, True), (98, 95, False), (10, 9, False)],
)
def test_what_counts_as_missing(announced: int, read: int, is_cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = _fake(monkeypatch, _Capture([100.0 * i for i in range(announced)]))
    whole = capture.grab
    monkeypatch.setattr(capture, "grab", lambda: capture.at + 1 < read and whole())
    with VideoSource("x.mp4", selection=Selection(every=10)) as source:
        if is_cut:
            with pytest.raises(UnreadableMedia, match=f"{read} of {announced}"):
                list(source)
        else:
            list(source)


def test_an_estimate_that_is_too_high_is_no_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matroska announces duration times frame rate, which is too many when the rate varies: time decides."""
    capture = _fake(monkeypatch, _Capture([*(50.0 * i for i in range(20)), *(1000 + 200.0 * i for i in range(10))]))
    capture.fps = 20.0
    real = capture.get
    monkeypatch.setattr(capture, "get", lambda name: 60.0 if name == cv2.CAP_PROP_FRAME_COUNT else real(name))
    with VideoSource("x.mkv") as source:
        assert len(list(source)) == 30


def test_unusable_videos(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/x.ts\n#EXT-X-ENDLIST\n")
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    for name, words in (
        ("missing.mp4", "no such file"),
        ("empty.mp4", "empty"),
        ("text.mp4", "not a video of a known kind"),
        ("list.mp4", "not a video of a known kind"),
        ("noise.mp4", "not a video of a known kind"),
        (".", "it is a folder"),
    ):
        with pytest.raises(UnreadableMedia, match=words) as caught:
            open_source(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_video_without_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(monkeypatch, _Capture([]))
    with VideoSource("x.mp4") as source, pytest.raises(UnreadableMedia, match="no decodable frames"):
        list(source)


@pytest.mark.parametrize("name", ["with space.mp4", "żółć 视频.mp4", "-dash.mp4", "a:b.mp4", "%02d.mp4"])
def test_names(name: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(clip.read_bytes())
    with open_source(name) as source:
        assert len(list(source)) == 30
        assert source.name == name


def test_contents_decide_what_a_file_is(clip: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", _picture(3))
    for name, original, kind in (
        ("really-a-photo.mp4", tmp_path / "photo.png", "photo"),
        ("no-suffix", tmp_path / "photo.png", "photo"),
        ("really-a-clip.jpg", clip, "video"),
        ("clip-without-suffix", clip, "video"),
    ):
        (tmp_path / name).write_bytes(original.read_bytes())
        with open_source(tmp_path / name) as source:
            assert source.kind == kind
            assert next(source).size_hw == (HEIGHT, WIDTH)
    (tmp_path / "text.jpg").write_text("nothing")
    with open_source(tmp_path / "text.jpg") as source, pytest.raises(UnreadableMedia, match="not a picture"):
        list(source)


def test_photo(tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", _picture(3))
    source = PhotoSource(tmp_path / "photo.png")
    assert (source.kind, source.frame_count, source.fps) == ("photo", 1, None)
    (frame,) = source
    assert (frame.index, frame.time_s, frame.source) == (0, 0.0, str(tmp_path / "photo.png"))
    assert (frame.image_rgb == _picture(3)).all()
    closed = PhotoSource(tmp_path / "photo.png")
    closed.close()
    assert list(closed) == []


def test_fake() -> None:
    with FakeSource([_picture(i) for i in range(3)], fps=10, error=UnreadableMedia("cut")) as source:
        assert (source.frame_count, source.fps, source.kind) == (3, 10, "video")
        assert [next(source).time_s for _ in range(3)] == [0, 0.1, 0.2]
        with pytest.raises(UnreadableMedia, match="cut"):
            next(source)
        assert list(source) == []
    assert source.closed


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_expand_a_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "f10.jpg", "f2.JPG", "f1.png", "a/z.mp4", "a/b/c.webp", ".hidden.jpg", ".git/x.jpg", "n.txt", "b")
    paths, problems = expand_sources([str(tmp_path)])
    assert [str(path.relative_to(tmp_path)) for path in paths] == [
        *("a/b/c.webp", "a/z.mp4", "f1.png", "f2.JPG", "f10.jpg")
    ]
    assert not problems


def test_expand_in_the_order_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _touch(tmp_path, "b.jpg", "a.jpg", "notes.txt", "x/10.png", "x/9.png", "-d.jpg", "lit[1].jpg", "empty/notes.txt")
    paths, problems = expand_sources(["b.jpg", "nothing.jpg", "x", "a.jpg", "notes.txt", "empty", "*.gif", "b.jpg"])
    assert [str(path) for path in paths] == ["b.jpg", "x/9.png", "x/10.png", "a.jpg", "notes.txt", "b.jpg"]
    assert [str(problem).split(":")[0] for problem in problems] == [
        "Cannot read nothing.jpg",
        "The folder empty holds no photo or video; name another one.",
        "Cannot read *.gif",
    ]
    assert expand_sources(["-d.jpg", "lit[1].jpg"]) == ([Path("-d.jpg"), Path("lit[1].jpg")], [])
    assert expand_sources([]) == ([], [])


def test_expand_globs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _touch(tmp_path, "p2.jpg", "p10.jpg", "p1.txt", "sub/p3.jpg", "sub/deep/p4.mp4", "none/n.txt")

    def names(spec: str) -> list[str]:
        paths, problems = expand_sources([spec])
        assert not problems
        return [str(path) for path in paths]

    assert names("p*") == ["p2.jpg", "p10.jpg"]
    assert names("*") == ["p2.jpg", "p10.jpg", "sub/deep/p4.mp4", "sub/p3.jpg"]
    assert names("**") == names("*")
    assert names("**/*.jpg") == ["p2.jpg", "p10.jpg", "sub/p3.jpg"]
    assert names("p[0-9].jpg") == ["p2.jpg"]


def test_expand_strange_specs(tmp_path: Path) -> None:
    for spec in ("", "nul\0byte", "x" * 5000, str(tmp_path / "no" / "where")):
        paths, problems = expand_sources([spec])
        assert (paths == [] and len(problems) == 1) or spec == ""


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path, "a.jpg", "locked/b.jpg")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    paths, problems = expand_sources([tmp_path])
    assert [path.name for path in paths] == ["a.jpg"]
    assert "no permission" in str(problems[0])
    assert "locked" in str(problems[0])


def test_nothing_on_stderr(media_like: Path) -> None:
    program = (
        "import sys\n"
        "from mien.errors import UnreadableMedia\n"
        "from mien.sources import open_source\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n        print(len(list(open_source(name))))\n"
        "    except UnreadableMedia as error:\n        print(error)\n"
    )
    names = [str(path) for path in sorted(media_like.iterdir())]
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(names)


@pytest.fixture
def media_like(clip: Path, tmp_path: Path) -> Path:
    """Files that FFmpeg has something to say about."""
    data = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "front-cut.mp4").write_bytes(_index_first(clip)[: len(data) * 4 // 5])
    damaged = bytearray(data)
    damaged[200:400] = bytes(200)
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    return tmp_path


def test_a_dead_process_is_not_held_up(clip: Path) -> None:
    program = "import sys; from mien.sources import open_source; s = open_source(sys.argv[1]); next(s)"
    done = subprocess.run([sys.executable, "-c", program, str(clip)], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.data
def test_real_clips(media: Path) -> None:
    expected = {
        "fer_test.mp4": (115, 4.56),
        "hand_video.mp4": (202, 8.04),
        "no_face.mp4": (95, 3.9167),
        "single_face.mp4": (72, 2.3667),
        "face_noface.mov": (169, 6.3604),
    }
    for name, (count, last_s) in expected.items():
        with open_source(media / name, selection=Selection(every=10)) as source:
            frames = list(source)
        assert [frame.index for frame in frames] == list(range(0, count, 10)), name
        times = [frame.time_s for frame in frames]
        assert (np.diff(times) > 0).all()
        assert times[-1] <= last_s
        assert last_s - times[-1] < 0.6
