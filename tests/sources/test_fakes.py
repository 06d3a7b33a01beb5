from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import UnreadableMedia
from mien.scene import Frame
from mien.sources import Clock, FakeClock, FakeLiveSource, FakeSource, Fault, PacedSource, Retry, Source


def _images(count: int = 5) -> list[NDArray[np.uint8]]:
    return [np.full((48, 64, 3), 60 + index, np.uint8) for index in range(count)]


def _number(image_rgb: NDArray[np.uint8]) -> int:
    return int(image_rgb[0, 0, 0]) - 60


class Watch(FakeClock):
    """A fake clock that notes what the source says of itself whenever time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.source: Source | None = None
        self.said: list[str] = []

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        if self.source is not None:
            self.said.append(self.source.status)
        return super().wait(seconds, stop)


def _live(*faults: Fault, count: int = 100, retry: Retry | None = None) -> tuple[FakeLiveSource, Watch]:
    clock = Watch()
    source = FakeLiveSource(_images(), fps=10, frame_count=count, faults=faults, retry=retry, clock=clock)
    clock.source = source
    return source, clock


def test_every_picture_on_time_and_then_the_end() -> None:
    source, clock = _live(count=30)
    with source:
        frames = list(source)
    assert source.is_live
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 10 for index in range(30)])
    assert [_number(frame.image_rgb) for frame in frames] == [index % 5 for index in range(30)]
    assert {frame.source for frame in frames} == {"fake camera"}
    assert set(clock.said) == {"waiting for the camera", ""}


def test_a_short_stall_is_a_gap() -> None:
    source, clock = _live(Fault("stall", at=10, amount=4.0), count=20)
    times_s = [frame.time_s for frame in source]
    assert np.diff(times_s).max() == pytest.approx(4.0)
    assert len(times_s) == 20
    assert not any(said.startswith("camera lost") for said in clock.said)
    assert source.status == ""


def test_a_long_stall_is_a_loss_and_it_comes_back() -> None:
    source, clock = _live(Fault("stall", at=10, amount=14.0), count=20)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(20)), "no picture is lost by the fake"
    assert "camera lost, trying again in 1 s" in clock.said
    assert [_number(frame.image_rgb) for frame in frames] == [index % 5 for index in range(20)]


def test_pauses_grow_and_are_said() -> None:
    source, clock = _live(Fault("break", at=10, amount=40.0), count=20)
    frames = list(source)
    pauses = [wait for wait in clock.waits if wait >= 0.4]
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert [said for said in clock.said if "in" in said.split()] == [
        f"camera lost, trying again in {seconds} s" for seconds in (1, 1, 2, 4, 8, 10, 10, 10)
    ]
    assert len(frames) == 20
    assert frames[10].time_s == pytest.approx(0.9 + sum(pauses))
    assert source.status == ""


def test_what_breaks_at_once_again_keeps_its_long_pauses_and_what_holds_does_not() -> None:
    often = [Fault("break", at=at, amount=0.1) for at in (1, 2, 3, 4)]
    source, clock = _live(*often, Fault("break", at=90, amount=0.1))
    list(source)
    assert [wait for wait in clock.waits if wait >= 0.4] == [0.5, 1, 2, 4, 0.5]


def test_giving_up_after_a_while() -> None:
    source, clock = _live(Fault("break", at=10, amount=1000.0), retry=Retry(give_up_s=12.0))
    with pytest.raises(UnreadableMedia, match=r"Gave up on fake camera after 12 s without a picture\. There is no"):
        list(source)
    assert clock.now() == pytest.approx(0.9 + 12)


def test_a_frozen_picture_is_said_and_the_camera_opened_anew(caplog: pytest.LogCaptureFixture) -> None:
    source, _ = _live(Fault("freeze", at=10, amount=10_000), count=800)
    shown = [_number(frame.image_rgb) for frame in source]
    assert shown[10:600] == [shown[9]] * 590, "a minute of the same picture"
    assert len(set(shown[620:])) == 5, "opened anew it goes on"
    assert caplog.messages == [
        "The camera has shown the same picture for 60 s: fake camera. Trying again in 0.5 s.",
        "The camera is back after 0.5 s: fake camera",
        "The picture of the camera changes again: fake camera",
    ]
    assert source.status == ""


def test_a_camera_that_stays_frozen_is_opened_less_and_less_often(caplog: pytest.LogCaptureFixture) -> None:
    still = np.full((48, 64, 3), 90, np.uint8)
    clock = Watch()
    source = FakeLiveSource([still], fps=1, frame_count=4000, clock=clock)
    clock.source = source
    assert len(list(source)) == 4000
    opened = [message for message in caplog.messages if "same picture" in message]
    assert [int(message.split(" for ")[1].split()[0]) for message in opened] == [60 * 2**i for i in range(7)]
    assert "the camera has shown the same picture for 61 s: is it frozen?" in clock.said


def test_a_picture_that_changes_anywhere_is_not_frozen(caplog: pytest.LogCaptureFixture) -> None:
    still = np.full((48, 64, 3), 90, np.uint8)
    other = still.copy()
    other[47, 63, 2] += 1
    source = FakeLiveSource([still, other], fps=1, frame_count=200, clock=Watch())
    assert len(list(source)) == 200
    assert caplog.messages == []


def test_a_loss_is_told_in_the_log_with_its_reason_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    source, _ = _live(Fault("break", at=10, amount=700.0), count=20)
    assert len(list(source)) == 20
    first, gone, *still, back = caplog.messages
    assert first == "The fake camera is gone; plug it in. Trying again in 0.5 s."
    assert gone == "There is no fake camera now; plug it in. Trying again in 1 s."
    assert [message.rpartition("; plug it in. ")[2] for message in still] == [
        "Still trying after 306 s.",
        "Still trying after 606 s.",
    ]
    assert back == "The camera is back after 705.5 s: fake camera"


def test_black_pictures_are_told_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    source, _ = _live(Fault("black", at=10, amount=60), count=100)
    assert len(list(source)) == 100
    assert caplog.messages == ["The camera sends only black pictures; is it covered? fake camera"]


def test_the_first_attempt_raises_unless_told_otherwise() -> None:
    gone = Fault("break", at=0, amount=3.0)
    source, _ = _live(gone)
    with pytest.raises(UnreadableMedia, match="plug it in"):
        next(source)
    source, clock = _live(gone, retry=Retry(at_start=True), count=5)
    assert len(list(source)) == 5
    assert "waiting for the camera, trying again in 2 s" in clock.said
    assert not any("lost" in said for said in clock.said), "what was never there is not lost"


def test_black_pictures_are_passed_on_and_said_after_a_second() -> None:
    source, _ = _live(Fault("black", at=10, amount=30), count=60)
    said = []
    for frame in source:
        assert (frame.image_rgb.max() == 0) == (10 <= frame.index < 40)
        said.append(source.status)
    question = "the camera sends only black pictures: is it covered?"
    assert said[:20] == [""] * 20
    assert said[21:40] == [question] * 19
    assert said[40:] == [""] * 20


def test_damaged_pictures_are_passed_over() -> None:
    source, _ = _live(Fault("damaged", at=10, amount=3), count=20)
    assert [_number(frame.image_rgb) for frame in source] == [n % 5 for n in (*range(10), *range(13, 20))]


def test_pictures_that_change_size_are_passed_on() -> None:
    source, _ = _live(Fault("size", at=10, size_hw=(24, 32)), count=20)
    assert [frame.size_hw for frame in source] == [(48, 64)] * 10 + [(24, 32)] * 10


def test_an_error_is_raised_and_an_end_is_the_end() -> None:
    source, _ = _live(Fault("end", at=7))
    assert len(list(source)) == 7
    source, _ = _live(Fault("error", at=7))
    with pytest.raises(RuntimeError, match="has a bug"):
        list(source)
    assert list(source) == []


@pytest.mark.parametrize("fault", [Fault("break", 0, 60.0), Fault("stall", 0, 60.0)], ids=lambda fault: fault.kind)
def test_close_ends_every_wait_at_once(fault: Fault) -> None:
    source = FakeLiveSource(_images(), faults=[fault], retry=Retry(at_start=True, pauses_s=(60.0,), stall_s=60.0))
    threading.Timer(0.1, source.close).start()
    begin_s = time.monotonic()
    assert list(source) == []
    assert time.monotonic() - begin_s < 2
    source.close()


def test_the_time_of_day_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    for source in (FakeLiveSource(_images(), fps=100), PacedSource(FakeSource(_images()), 100)):
        times_s = [frame.time_s for frame in source]
        assert times_s == pytest.approx([0, 0.01, 0.02, 0.03, 0.04], abs=0.5)
        assert times_s == sorted(times_s)


def test_in_real_time_it_takes_its_time() -> None:
    begin_s = time.monotonic()
    list(FakeLiveSource(_images(11), fps=50))
    assert time.monotonic() - begin_s > 0.19


def test_ten_thousand_frames_take_no_time() -> None:
    source = FakeLiveSource(_images(), frame_count=10_000, clock=FakeClock())
    assert sum(1 for _ in source) == 10_000


@pytest.mark.parametrize(
    "wrong", [{"pauses_s": ()}, {"pauses_s": (1.0, 0.0)}, {"stall_s": 0}, {"first_s": -1}], ids=str
)
def test_limits_are_above_zero(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Retry(**wrong)  # type: ignore[arg-type]


def test_a_clock_goes_forward_and_its_waits_can_be_ended() -> None:
    clock, stop = Clock(), threading.Event()
    before_s = clock.now()
    assert not clock.wait(0.02, stop)
    assert clock.now() - before_s >= 0.02
    assert not clock.wait(-1, stop)
    stop.set()
    assert clock.wait(100, stop)


def test_paced_frames_come_when_they_are_due() -> None:
    clock = FakeClock(100.0)
    with PacedSource(FakeSource(_images(), fps=25), 10, clock=clock) as source:
        assert (source.is_live, source.fps, source.frame_count, source.name) == (True, 10, 5, "fake")
        given = [(frame.index, frame.time_s, clock.now() - 100) for frame in source]
    assert given == [(index, pytest.approx(index / 10), pytest.approx(index / 10)) for index in range(5)]
    assert list(source) == []


def test_a_video_keeps_its_own_times_and_is_shown_by_them() -> None:
    stamps = [2.5, 2.6, 4.0, 4.01]
    clock = FakeClock()

    class Uneven(FakeSource):
        def __next__(self) -> Frame:
            frame = super().__next__()
            return replace(frame, time_s=stamps[frame.index])

    def make() -> Source:
        return Uneven(_images()[:1] * 4, fps=10)

    with PacedSource(make(), clock=clock) as source:
        assert [frame.time_s for frame in source] == stamps
    assert clock.waits == pytest.approx([0, 0.1, 1.4, 0.01])
    with PacedSource(make, repeat=True, clock=clock) as source:
        times = [next(source).time_s for _ in range(9)]
    assert times == pytest.approx([*stamps, 4.11, 4.21, 5.61, 5.62, 5.72])


def test_paced_frames_that_are_asked_for_late_keep_their_time_and_none_is_dropped() -> None:
    clock = FakeClock()
    times_s = []
    for frame in PacedSource(FakeSource(_images()), 10, clock=clock):
        times_s.append(frame.time_s)
        clock.pass_time(1.0)
    assert times_s == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("make", [lambda: FakeSource(_images()), lambda: lambda: FakeSource(_images())])
def test_paced_again_and_again(make: Callable[[], Source]) -> None:
    clock = FakeClock()
    with PacedSource(make(), 10, repeat=True, clock=clock) as source:
        frames = [next(source) for _ in range(23)]
    assert [_number(frame.image_rgb) for frame in frames] == [index % 5 for index in range(23)]
    assert [frame.index for frame in frames] == list(range(23))
    assert clock.now() == pytest.approx(2.2)
    assert source.frame_count is None


def test_nothing_again_and_again_is_nothing() -> None:
    assert list(PacedSource(FakeSource([]), repeat=True)) == []
    assert list(PacedSource(lambda: FakeSource([]), repeat=True)) == []


def test_a_paced_source_has_the_rate_and_errors_of_its_own() -> None:
    broken = FakeSource(_images(2), fps=50, error=UnreadableMedia("it breaks off"))
    with PacedSource(broken, clock=FakeClock()) as source:
        assert source.fps == 50
        next(source), next(source)
        with pytest.raises(UnreadableMedia, match="breaks off"):
            next(source)
    assert broken.closed
    with pytest.raises(ValueError, match="above 0"):
        PacedSource(broken, 0)


def test_closing_a_paced_source_ends_its_wait() -> None:
    source = PacedSource(FakeSource(_images()), 0.01)
    next(source)
    threading.Timer(0.1, source.close).start()
    begin_s = time.monotonic()
    assert list(source) == []
    assert time.monotonic() - begin_s < 2
