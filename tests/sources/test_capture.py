from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.errors import UnreadableMedia
from mien.outputs.video import VideoWriter
from mien.scene import Frame
from mien.sources import Capture, FakeSource, PhotoSource, Source, captured, open_source

IMAGE = np.zeros((4, 6, 3), np.uint8)


class Gated(Source):
    """Gives a frame for each `release` of its gate; `then` is raised after the last."""

    kind = "video"

    def __init__(self, count: int, *, live: bool = False, then: BaseException | None = None) -> None:
        self.name, self.is_live, self.fps, self.frame_count = "gated", live, 30.0, count
        self.gate = threading.Semaphore(0)
        self.asked = self.given = self.closed = 0
        self._count, self._then = count, then

    def __next__(self) -> Frame:
        self.asked += 1
        self.gate.acquire(timeout=5)
        if self.closed or self.given == self._count:
            if self._then is not None:
                raise self._then
            raise StopIteration
        self.given += 1
        return Frame(IMAGE.copy(), self.given - 1, source=self.name)

    def open(self, count: int = 100) -> None:
        self.gate.release(count)

    def close(self) -> None:
        self.closed += 1
        self.gate.release(100)


def _until(what: Callable[[], object]) -> None:
    end_s = time.monotonic() + 5
    while not what():
        assert time.monotonic() < end_s, "it does not happen"
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()
    _until(lambda: not any(t.name.startswith("read ") for t in set(threading.enumerate()) - before))


def test_a_file_keeps_every_frame_and_one_waits_at_most() -> None:
    source = Gated(50)
    source.open()
    with Capture(source) as capture:
        for index in range(50):
            _until(lambda index=index: source.given > index)
            # Before the one that waits is taken, the next is not even asked for.
            assert source.asked == source.given == index + 1
            assert next(capture).index == index
        assert list(capture) == []
    assert not capture.is_live


def test_a_live_source_gives_its_newest_frame() -> None:
    source = Gated(20, live=True)
    with Capture(source) as capture:
        source.open(7)
        _until(lambda: source.asked == 8)
        assert next(capture).index == 6
        source.open()
        assert list(capture)[-1].index == 19
    assert capture.is_live


def test_a_frame_comes_with_the_moment_of_its_capture() -> None:
    source = Gated(2)
    with Capture(source) as capture:
        before_s = time.monotonic()
        source.open(1)
        capture.ready()
        after_s = time.monotonic()
        taken = capture.take()
        assert taken is not None
        assert before_s <= taken.captured_s <= after_s
        assert taken.frame.index == 0


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("error", [UnreadableMedia("boom"), RuntimeError("boom"), SystemExit("boom")])
def test_a_thread_that_dies_delivers_its_exception_once_and_after_the_frames(error: BaseException, live: bool) -> None:
    source = Gated(3, live=live, then=error)
    got: list[int] = []
    with Capture(source) as capture:
        for _ in range(3):
            source.open(1)
            got.append(next(capture).index)
        source.open(1)
        with pytest.raises(type(error), match="boom") as caught:
            next(capture)
        assert caught.value is error
        assert got == [0, 1, 2]
        assert list(capture) == []
        _until(lambda: source.closed)


def test_the_frame_that_waits_is_given_before_the_error() -> None:
    source = Gated(1, live=True, then=RuntimeError("boom"))
    source.open()
    with Capture(source) as capture:
        _until(lambda: source.closed)
        assert next(capture).index == 0
        with pytest.raises(RuntimeError, match="boom"):
            next(capture)


def test_close_wakes_who_waits_and_is_quick_when_the_source_is_stuck() -> None:
    go = threading.Event()

    class Stuck(FakeSource):
        def __next__(self) -> Frame:
            go.wait(20)
            raise StopIteration

    capture = Capture(Stuck([IMAGE]))
    got: list[Frame] = []
    reader = threading.Thread(target=lambda: got.extend(capture))
    reader.start()
    begin_s = time.monotonic()
    capture.close()
    capture.close()
    reader.join(5)
    assert time.monotonic() - begin_s < 3
    assert got == []
    go.set()


def test_close_while_the_thread_waits_for_room() -> None:
    source = Gated(10)
    source.open()
    capture = Capture(source)
    _until(lambda: source.given == 1)
    capture.close()
    assert source.closed
    assert list(capture) == []


def test_one_that_is_dropped_unclosed_ends_its_thread() -> None:
    source = Gated(10)
    source.open()
    capture = Capture(source)
    next(capture)
    gone = weakref.ref(capture)
    del capture
    gc.collect()
    assert gone() is None
    _until(lambda: source.closed)


def test_no_frame_is_kept_once_it_was_taken() -> None:
    source = Gated(10)
    with Capture(source) as capture:
        source.open(1)
        frame = next(capture)
        image = weakref.ref(frame.image_rgb)
        _until(lambda: source.asked == 2)  # the thread waits in the source
        del frame
        gc.collect()
        assert image() is None


def test_it_tells_what_the_source_tells() -> None:
    source = FakeSource([IMAGE] * 3, fps=12.0, name="clip")
    with captured(source) as capture:
        assert (capture.name, capture.kind, capture.fps, capture.frame_count) == ("clip", "video", 12.0, 3)
        assert captured(capture) is capture
        assert [frame.index for frame in capture] == [0, 1, 2]
    photo = PhotoSource("a.png")
    assert captured(photo) is photo


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    with VideoWriter(tmp_path / "clip.mp4", 10.0, (48, 64)) as video:
        for level in range(30):
            video.write(np.full((48, 64, 3), 8 * level, np.uint8))
    return tmp_path / "clip.mp4"


def test_a_video_is_the_same_read_ahead(clip: Path) -> None:
    with open_source(clip) as source:
        plain = [(frame.index, frame.time_s, frame.image_rgb.tobytes()) for frame in source]
    with captured(open_source(clip)) as source:
        assert [(frame.index, frame.time_s, frame.image_rgb.tobytes()) for frame in source] == plain
    assert len(plain) == 30


@pytest.mark.parametrize("taken", [0, 1, 5, 30])
def test_a_video_is_closed_at_any_moment(clip: Path, taken: int) -> None:
    source = captured(open_source(clip))
    for _ in range(taken):
        next(source)
    begin_s = time.monotonic()
    source.close()
    assert time.monotonic() - begin_s < 1
    assert list(source) == []


def test_a_program_that_closes_nothing_ends(clip: Path) -> None:
    program = (
        "import sys; from mien.sources import captured, open_source\ns = captured(open_source(sys.argv[1])); next(s)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(clip)], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
