from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import InputError, UnreadableMedia
from mien.pixels.images import encode_image, write_image
from mien.sources import (
    CameraSource,
    FakeClock,
    Feed,
    FolderSource,
    LiveSource,
    PhotoSource,
    PipeSource,
    Retry,
    StreamSource,
    VideoSource,
    open_live,
)

QUICK = Retry(pauses_s=(0.05,), stall_s=0.3, first_s=5.0)


def _image(level: int = 100) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), level, np.uint8)


class ScriptedFeed:
    """Does what each step says: a picture, an error to raise, None for the end, or something to call first."""

    def __init__(self, *steps: object) -> None:
        self.steps = list(steps)
        self.closed = False
        self.is_endless = True

    def read(self) -> NDArray[np.uint8] | None:
        step = self.steps.pop(0)
        if callable(step):
            step = step()
        if isinstance(step, Exception):
            raise step
        return step  # type: ignore[return-value]

    def close(self) -> None:
        self.closed = True


def _live(*feeds: ScriptedFeed | Exception, retry: Retry = QUICK, clock: FakeClock | None = None) -> LiveSource:
    left = list(feeds)

    def connect(_: threading.Event) -> Feed:
        feed = left.pop(0) if left else UnreadableMedia("It is gone.")
        if isinstance(feed, Exception):
            raise feed
        return feed

    return LiveSource(connect, name="camera 0", what="camera", retry=retry, clock=clock)


def _until(what: Callable[[], object], limit_s: float = 5.0) -> None:
    end_s = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end_s, "it does not happen"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    gc.collect()
    _until(lambda: not any(thread.name.startswith("read ") for thread in threading.enumerate()))


def test_who_asks_late_gets_the_newest_frame() -> None:
    go = threading.Event()
    feed = ScriptedFeed(*(_image(level) for level in range(100, 120)), lambda: go.wait(5) and None)
    with _live(feed) as source:
        assert source.is_live
        _until(lambda: len(feed.steps) == 0)
        frame = next(source)
        assert (frame.index, int(frame.image_rgb[0, 0, 0]), frame.source) == (19, 119, "camera 0")
        go.set()
        assert list(source) == []
    assert feed.closed


def test_the_last_frame_is_given_before_the_end_and_before_an_error() -> None:
    with _live(ScriptedFeed(_image(), None)) as source:
        assert [frame.index for frame in source] == [0]
    with _live(ScriptedFeed(_image(), RuntimeError("a bug"))) as source:
        time.sleep(0.05)
        assert next(source).index == 0
        with pytest.raises(RuntimeError, match="a bug"):
            next(source)
        assert list(source) == []


def test_times_grow_by_the_clock() -> None:
    clock = FakeClock(50.0)
    steps = [lambda: (clock.pass_time(0.5), _image())[1]] * 4
    with _live(ScriptedFeed(*steps, None), clock=clock) as source:
        frames = list(source)
    assert frames[-1].index == 3
    assert frames[-1].time_s == pytest.approx(2.0)


def test_ready_waits_for_the_first_frame_and_does_not_take_it() -> None:
    go = threading.Event()
    threading.Timer(0.1, go.set).start()
    with _live(ScriptedFeed(lambda: go.wait(5) and _image(), lambda: time.sleep(0.1))) as source:
        assert source.status == "waiting for the camera"
        source.ready()
        assert go.is_set()
        source.ready()
        assert next(source).index == 0


@pytest.mark.parametrize("ask", [LiveSource.ready, next])
def test_what_hinders_the_start_is_raised_by_the_first_that_asks(ask: Callable[[LiveSource], object]) -> None:
    with _live(UnreadableMedia("There is no camera 0.")) as source, pytest.raises(UnreadableMedia, match="no camera 0"):
        ask(source)


def test_a_lost_camera_comes_back_and_the_count_goes_on() -> None:
    feeds = [ScriptedFeed(_image(), UnreadableMedia("gone")), ScriptedFeed(_image(), UnreadableMedia("gone"))]
    with _live(feeds[0], UnreadableMedia("still"), feeds[1], ScriptedFeed(_image(), None)) as source:
        _until(lambda: source.status.startswith("camera lost, trying again"))
        frames = list(source)
    assert frames[-1].index == 2
    assert all(feed.closed for feed in feeds)


def test_silence_is_said_while_the_driver_blocks_and_given_up_in_time() -> None:
    clock, go = FakeClock(), threading.Event()
    feed = ScriptedFeed(_image(), lambda: go.wait(10))
    source = _live(feed, retry=Retry(give_up_s=30.0), clock=clock)
    next(source)
    assert source.status == ""
    clock.pass_time(3.5)
    assert source.status == "no picture from the camera for 3 s"
    clock.pass_time(27)
    threading.Timer(0.3, go.set).start()
    with pytest.raises(UnreadableMedia, match="Gave up on camera 0 after 30 s without a picture"):
        next(source)
    assert list(source) == []


def test_close_does_not_wait_for_a_driver_that_blocks() -> None:
    go = threading.Event()
    source = _live(ScriptedFeed(lambda: go.wait(20)))
    threading.Timer(0.1, source.close).start()
    begin_s = time.monotonic()
    assert list(source) == []
    source.close()
    assert time.monotonic() - begin_s < 3
    go.set()


def test_close_ends_a_pause_at_once() -> None:
    source = _live(ScriptedFeed(_image(), UnreadableMedia("gone")), retry=Retry(pauses_s=(60.0,)))
    _until(lambda: source.status == "camera lost, trying again in 60 s")
    begin_s = time.monotonic()
    source.close()
    assert time.monotonic() - begin_s < 0.9
    assert list(source) == []


def test_a_source_that_is_dropped_unclosed_ends() -> None:
    feed = ScriptedFeed(*[lambda: (time.sleep(0.01), _image())[1]] * 1000)
    source = _live(feed)
    next(source)
    del source
    gc.collect()
    _until(lambda: feed.closed)


def test_a_program_ends_while_a_driver_blocks() -> None:
    program = """
import threading, time
from mien.sources import LiveSource

class Stuck:
    is_endless = True
    def read(self):
        time.sleep(60)
    def close(self):
        pass

source = LiveSource(lambda stop: Stuck(), name="stuck")
time.sleep(0.1)
"""
    begin_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begin_s < 30


HANGS = Retry(pauses_s=(0.05,), hang_s=0.2, first_s=0.1)


def test_a_driver_that_hangs_is_left_behind_and_the_camera_opened_anew(caplog: pytest.LogCaptureFixture) -> None:
    go = threading.Event()
    stuck = ScriptedFeed(_image(50), lambda: go.wait(20) and _image(60), None)
    lively = ScriptedFeed(*[lambda: (time.sleep(0.02), _image(70))[1]] * 20, None)
    with _live(stuck, lively, retry=HANGS) as source:
        levels = [(frame.index, int(frame.image_rgb[0, 0, 0])) for frame in source]
        assert levels[0] == (0, 50)
        assert levels[-1] == (20, 70)
        assert not stuck.closed
        go.set()
        _until(lambda: stuck.closed)
        assert list(source) == [], "what the driver gives when it comes back is given to nobody"
    assert caplog.messages[0] == "camera 0 no longer answers. Trying again in 0.05 s."
    assert caplog.messages[1].startswith("The camera is back after")


def test_a_driver_that_hangs_while_it_opens_is_an_error_at_the_start() -> None:
    go = threading.Event()
    retry = Retry(hang_s=0.1, first_s=0.1)
    with LiveSource(lambda _: go.wait(20) and ScriptedFeed(), name="camera 0", retry=retry) as source:
        with pytest.raises(UnreadableMedia, match="camera 0 does not answer"):
            source.ready()
        go.set()


def test_not_every_attempt_may_leave_a_thread_behind() -> None:
    go = threading.Event()
    opened: list[int] = []

    def connect(_: threading.Event) -> Feed:
        opened.append(1)
        go.wait(20)
        return ScriptedFeed(_image(), None)

    retry = Retry(pauses_s=(0.01,), hang_s=0.02, first_s=0.02, at_start=True)
    with LiveSource(connect, name="camera 0", retry=retry) as source:
        threading.Timer(1.2, go.set).start()
        source.ready()
    assert len(opened) == 4


# Where a spec leads


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the cameras that OpenCV was asked for; each gives grey pictures."""
    numbers: list[int] = []

    class Capture:
        def __init__(self, index: int, *_: int) -> None:
            numbers.append(index)

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def read(self) -> tuple[bool, NDArray[np.uint8]]:
            time.sleep(0.01)
            return True, _image()

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    return numbers


@pytest.mark.parametrize(("spec", "index"), [("0", 0), ("3", 3), ("/dev/video12", 12)])
def test_a_camera_by_number_or_device(opened: list[int], spec: str, index: int) -> None:
    with open_live(spec) as source:
        assert isinstance(source, CameraSource)
        frame = next(source)
        assert opened[0] == index
        assert frame.source == source.name == (f"camera {spec}" if spec.isdecimal() else spec)
        assert source.status == ""


def test_a_camera_by_name_is_found_again_under_another_number(
    opened: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [0, 0, 4]
    monkeypatch.setattr("mien.sources.live.find_camera", lambda _: numbers.pop(0))
    taken: list[int] = []

    def read(capture: object) -> tuple[bool, NDArray[np.uint8]]:
        taken.append(opened[-1])
        return opened[-1] == 4 or taken.count(0) < 3, _image()

    monkeypatch.setattr(cv2.VideoCapture, "read", read)
    with open_live("Webcam", retry=QUICK) as source:
        _until(lambda: 4 in taken)
        assert next(source).source == "Webcam"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="devices of Linux")
def test_a_camera_that_is_not_there() -> None:
    with open_live("63") as source, pytest.raises(UnreadableMedia, match="There is no camera 63; `mien doctor`"):
        source.ready()
    with pytest.raises(UnreadableMedia, match="There is no file, folder, address or camera 'kitchen'"):
        open_live("kitchen")


def test_a_missing_file_is_said_at_once(tmp_path: Path) -> None:
    for spec in (tmp_path / "none.mp4", "none.mp4", tmp_path / "no" / "where"):
        with pytest.raises(UnreadableMedia, match="no such file"):
            open_live(spec)


@pytest.mark.parametrize("spec", ["ftp://host/x", "file:///clip.mp4", "htp://host"])
def test_an_unknown_kind_of_address(spec: str) -> None:
    with pytest.raises(InputError, match=r"An address must start with http://, .*, got \w+://"):
        open_live(spec)


def test_files_and_folders_keep_every_frame(tmp_path: Path) -> None:
    write_image(tmp_path / "p10.png", _image(10))
    write_image(tmp_path / "p2.png", _image(2))
    path = tmp_path / "q.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(5):
        writer.write(_image())
    writer.release()
    (tmp_path / "q2.mp4").write_text("no video")
    write_image(tmp_path / "r.png", _image(200))
    with open_live(tmp_path / "p2.png") as photo, open_live(path) as video:
        assert isinstance(photo, PhotoSource)
        assert isinstance(video, VideoSource)
        assert not video.is_live
        assert video.status == ""
        assert len(list(video)) == 5
    for spec in (str(tmp_path), str(tmp_path / "*")):
        with open_live(spec) as folder:
            assert isinstance(folder, FolderSource)
            assert not folder.is_live
            folder.ready()
            frames = list(folder)
        assert [Path(frame.source).name for frame in frames] == ["p2.png", "p10.png", *["q.mp4"] * 5, "r.png"]
        assert [frame.index for frame in frames] == list(range(8))
        assert [frame.time_s for frame in frames] == pytest.approx([0, 1, 2, 2.1, 2.2, 2.3, 2.4, 2.5])
        assert ["q2.mp4" in str(problem) for problem in folder.problems] == [True]


def test_a_folder_can_be_left_at_any_time_and_may_hold_nothing_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="holds no photo or video"):
        open_live(tmp_path)
    (tmp_path / "a.jpg").write_text("no photo")
    with open_live(tmp_path) as folder, pytest.raises(UnreadableMedia, match=r"a\.jpg"):
        next(folder)
    write_image(tmp_path / "b.png", _image())
    write_image(tmp_path / "c.png", _image())
    folder = open_live(tmp_path)
    next(folder)
    folder.close()
    assert list(folder) == []


# Streams


class MjpegServer(threading.Thread):
    """Serves one connection after another over HTTP: so many pictures, then silence for a while, then it hangs up."""

    def __init__(self, *visits: tuple[int, float]) -> None:
        super().__init__(daemon=True)
        self.visits = visits
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://me:secret@127.0.0.1:{self.server.getsockname()[1]}/video"

    def run(self) -> None:
        data = encode_image(_image(), ".jpg")
        head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n"
        with self.server:
            for count, silence_s in self.visits:
                connection, _ = self.server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(head + (b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + data + b"\r\n") * count)
                    time.sleep(silence_s)


def test_a_stream_stalls_breaks_off_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    server = MjpegServer((3, 0.6), (2, 0.0), (4, 0.0))
    server.start()
    with open_live(server.url, retry=Retry(pauses_s=(0.05, 0.1, 0.2), stall_s=0.2)) as source:
        assert isinstance(source, StreamSource)
        assert "secret" not in source.name
        source.ready()
        _until(lambda: source.status.startswith("stream lost, trying again"))
        last = next(source)
        while last.index < 8:
            last = next(source)
        server.join()
        _until(lambda: source.status.startswith("stream lost, trying again"))
    assert last.size_hw == (48, 64)
    assert "secret" not in last.source


def test_a_stream_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with open_live("http://127.0.0.1:9/video") as source, pytest.raises(UnreadableMedia, match="nothing listens there"):
        source.ready()


# Standard input

READ_ALL = """
from mien.errors import MienError
from mien.sources import open_live
try:
    with open_live("-") as source:
        frames = list(source)
        print(source.is_live, frames[-1].index, len(frames), frames[-1].time_s)
except MienError as error:
    print(error)
"""


def _piped(data: bytes) -> str:
    done = subprocess.run([sys.executable, "-c", READ_ALL], input=data, capture_output=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_mjpeg_on_standard_input() -> None:
    data = encode_image(_image(), ".jpg")
    live, last, *_ = _piped(data * 3 + data[:300] + data * 2 + data[:50]).split()
    assert (live, last) == ("True", "4"), "damaged ones are passed over"


def test_something_else_on_standard_input() -> None:
    assert "MJPEG" in _piped(b"no pictures")
    assert "MJPEG" in _piped(b"")


def test_a_file_as_standard_input_keeps_every_frame(tmp_path: Path) -> None:
    (tmp_path / "clip.mjpeg").write_bytes(encode_image(_image(), ".jpg") * 50)
    with (tmp_path / "clip.mjpeg").open("rb") as file:
        done = subprocess.run([sys.executable, "-c", READ_ALL], stdin=file, capture_output=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split()[:4] == [b"False", b"49", b"50", b"1.96"]


def test_every_frame_of_a_pipe_that_nobody_paces() -> None:
    program = READ_ALL.replace('open_live("-")', 'open_live("-", every_frame=True, stdin_fps=10)')
    data = encode_image(_image(), ".jpg")
    done = subprocess.run([sys.executable, "-c", program], input=data * 72, capture_output=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split() == [b"False", b"71", b"72", b"7.1"]


@pytest.mark.parametrize("spec", ["0", "/dev/video0", "http://name:secret@127.0.0.1:9/video"])
def test_every_frame_of_what_is_of_now_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match="newest frame") as caught:
        open_live(spec, every_frame=True)
    assert "secret" not in str(caught.value)


def test_a_pipe_is_closed_while_it_is_silent() -> None:
    prediction, writing = os.pipe()
    try:
        os.write(writing, encode_image(_image(), ".jpg"))
        source = PipeSource(prediction)
        assert next(source).index == 0
        threading.Timer(0.1, source.close).start()
        begin_s = time.monotonic()
        assert list(source) == []
        assert time.monotonic() - begin_s < 2
    finally:
        os.close(prediction)
        os.close(writing)


def test_the_keyboard_or_nothing_as_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no standard input"):
        open_live("-")  # pytest's own has no descriptor
    with Path(os.devnull).open() as nowhere:
        monkeypatch.setattr(sys, "stdin", nowhere)
        monkeypatch.setattr(os, "isatty", lambda _: True)
        with pytest.raises(InputError, match="the keyboard here; pipe MJPEG into mien"):
            open_live("-")
