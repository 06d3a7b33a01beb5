from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.errors import UnreadableMedia
from mien.pixels.images import write_image
from mien.scene import Frame
from mien.sources import FakeSource, PhotoSource, Selection, expand_sources, open_source

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
    assert [str(path) for path in paths] == ["b.jpg", "x/9.png", "x/10.png", "a.jpg", "notes.txt"]
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
    (tmp_path / "cut.avi").write_bytes(_make(tmp_path / "whole.avi", codec="MJPG").read_bytes()[:-2000])
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
