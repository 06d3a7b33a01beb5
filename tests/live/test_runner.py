from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mien.errors import UnreadableMedia
from mien.live.runner import AnalyzedFrame, Runner
from mien.scene import Frame, Scene
from mien.sources import Source

IMAGE = np.zeros((4, 6, 3), np.uint8)


class Numbered(Source):
    """Frames with numbers, as fast as they are taken or every `pace_s`; `then` is raised after the last."""

    kind = "video"

    def __init__(
        self, count: int, *, live: bool = False, pace_s: float = 0.0, then: BaseException | None = None
    ) -> None:
        self.name, self.is_live, self.closed = "numbered", live, threading.Event()
        self._left, self._pace_s, self._then = iter(range(count)), pace_s, then
        self.taken = 0

    def __next__(self) -> Frame:
        if self.closed.wait(self._pace_s) or self.closed.is_set():
            raise StopIteration
        index = next(self._left, None)
        if index is None:
            if self._then is not None:
                raise self._then
            raise StopIteration
        self.taken += 1
        return Frame(IMAGE, index, index / 30, self.name)

    def close(self) -> None:
        self.closed.set()


class Stuck(Numbered):
    """A driver that never comes back, not even when it is closed."""

    def __init__(self, count: int, *, live: bool = False) -> None:
        super().__init__(count, live=live)
        self.go = threading.Event()

    def __next__(self) -> Frame:
        self.go.wait(60)
        raise StopIteration


def seen(frame: Frame) -> Scene:
    return Scene(source=frame.source, frame=frame.index, time_s=frame.time_s, size_hw=frame.size_hw)


def slow(seconds: float) -> Callable[[Frame], Scene]:
    def analysis(frame: Frame) -> Scene:
        time.sleep(seconds)
        return seen(frame)

    return analysis


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and any(t.name == "mien-analysis" for t in threading.enumerate()):
        time.sleep(0.01)
    assert not [t.name for t in threading.enumerate() if t.name == "mien-analysis"]


def test_every_frame_of_a_file_comes_in_order() -> None:
    with Runner(Numbered(50), slow(0.001)) as runner:
        moments = list(runner)
    assert [moment.scene.frame for moment in moments] == list(range(50))


def test_a_live_source_keeps_its_newest_frame_and_counts_the_others() -> None:
    with Runner(Numbered(60, live=True, pace_s=0.005), slow(0.03)) as runner:
        moments = list(runner)
    frames = [moment.scene.frame for moment in moments]
    assert frames == sorted(set(frames))
    assert len(frames) < 30
    assert frames[-1] == 59, "the newest is never lost"


def test_the_delay_of_a_live_source_does_not_grow_with_slow_analysis() -> None:
    delays = []
    with Runner(Numbered(100, live=True, pace_s=0.005), slow(0.05)) as runner:
        for moment in runner:
            delays.append(time.monotonic() - moment.captured_s)
    assert len(delays) >= 5
    assert max(delays[-3:]) < 0.05 + 0.005 + 0.1


def test_never_more_than_three_frames_are_under_way() -> None:
    source = Numbered(40)
    done = 0
    most = 0
    with Runner(source, seen) as runner:
        for _ in runner:
            time.sleep(0.004)
            most = max(most, source.taken - done)
            done += 1
    assert done == 40
    assert most <= 3


@pytest.mark.parametrize("live", [False, True])
def test_an_error_of_the_source_comes_after_the_frames_before_it(live: bool) -> None:
    got: list[AnalyzedFrame] = []
    with (
        pytest.raises(UnreadableMedia, match="broke off"),
        Runner(Numbered(3, live=live, pace_s=0.2, then=UnreadableMedia("it broke off")), seen) as runner,
    ):
        got.extend(runner)
    # `extend` keeps what came before the error.
    assert [moment.scene.frame for moment in got] == [0, 1, 2]


def test_an_error_of_the_analysis_ends_the_run_at_once() -> None:
    def broken(frame: Frame) -> Scene:
        if frame.index >= 2:  # a busy machine may pass over any one frame
            raise ValueError("no such model")
        return seen(frame)

    source = Numbered(10_000, live=True, pace_s=0.001)
    started = time.monotonic()
    with pytest.raises(ValueError, match="no such model"), Runner(source, broken) as runner:
        for _ in runner:
            pass
    assert time.monotonic() - started < 2
    assert source.closed.is_set()


def test_an_error_of_the_caller_closes_everything() -> None:
    source = Numbered(10_000)

    def use() -> None:
        with Runner(source, seen) as runner:
            for _ in runner:
                raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        use()
    assert source.closed.is_set()


def test_a_source_that_hangs_is_left_behind() -> None:
    started = time.monotonic()
    source = Stuck(1, live=True)
    with Runner(source, seen) as runner:
        assert runner.next(0.05) is None
    assert time.monotonic() - started < 2
    source.go.set()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_frame_that_is_looked_at_until_after_the_end_is_given_to_nobody(when: str) -> None:
    looking, go = threading.Event(), threading.Event()

    def analysis(frame: Frame) -> Scene:
        looking.set()
        go.wait(5)
        return seen(frame)

    runner = Runner(Numbered(5), analysis)
    assert looking.wait(5)
    if when == "before":  # it is ready when the end comes, and nobody has asked for it
        go.set()
        while runner._ready is None:
            time.sleep(0.001)
        runner.close()
    else:
        threading.Timer(0.1, go.set).start()
        runner.close()
        assert go.wait(5)
    with pytest.raises(StopIteration):
        runner.next(1.0)
    runner.close()


def test_a_late_error_of_the_analysis_is_nobodys_any_more() -> None:
    looking, go = threading.Event(), threading.Event()

    def analysis(_: Frame) -> Scene:
        looking.set()
        go.wait(5)
        raise ValueError("the models are closed")

    runner = Runner(Numbered(5), analysis)
    assert looking.wait(5)
    threading.Timer(0.1, go.set).start()
    runner.close()
    with pytest.raises(StopIteration):
        runner.next(1.0)


def test_asking_does_not_wait_longer_than_said() -> None:
    with Runner(Numbered(3, live=True, pace_s=0.2), seen) as runner:
        started = time.monotonic()
        assert runner.next(0.01) is None
        assert time.monotonic() - started < 0.15
        assert runner.next() is not None
    with pytest.raises(StopIteration):
        runner.next()


def test_a_pause_keeps_a_file_waiting_and_lets_a_live_source_pass() -> None:
    with Runner(Numbered(20), seen) as runner:
        first = runner.next()
        runner.paused = True
        drained = [runner.next(0.1) for _ in range(4)]
        runner.paused = False
        rest = list(runner)
    given = [first, *filter(None, drained), *rest]
    assert [moment.scene.frame for moment in given if moment is not None] == list(range(20))
    assert drained[-1] is None
    with Runner(Numbered(40, live=True, pace_s=0.005), seen) as runner:
        runner.paused = True
        time.sleep(0.15)
        runner.paused = False
        frames = [moment.scene.frame for moment in runner]
    assert frames[0] > 5 or frames[1] > 10


def test_ten_thousand_frames_leave_nothing_behind() -> None:
    tracemalloc.start()
    try:
        with Runner(Numbered(10_000), seen) as runner:
            for _ in range(1_000):
                runner.next()
            before = tracemalloc.get_traced_memory()[0]
            count = 1_000 + sum(1 for _ in runner)
            after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert count == 10_000
    assert after - before < 200_000
