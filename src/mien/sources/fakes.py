"""Sources that need no file, camera or network: for tests, demonstrations and measurements."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import UnreadableMedia
from mien.scene import Frame
from mien.sources.base import Clock, Kind, Source
from mien.sources.link import Link, LinkSource, Retry


class FakeSource(Source):
    """Frames from memory, for tests and demonstrations.

    Args:
        images_rgb: the pictures, each (H, W, 3) uint8 RGB.
        fps: pictures a second, which gives the time stamps.
        name: what the frames say they come from.
        error: raised after the last picture, like a video that breaks off.
    """

    kind: Kind = "video"

    def __init__(
        self,
        images_rgb: Sequence[NDArray[np.uint8]],
        *,
        fps: float = 25.0,
        name: str = "fake",
        error: Exception | None = None,
    ) -> None:
        self.name = name
        self.fps = fps
        self.frame_count = len(images_rgb)
        self.closed = False
        self._error = error
        self._left = iter([Frame(im, i, i / fps, name) for i, im in enumerate(images_rgb)])

    def __next__(self) -> Frame:
        if self.closed:
            raise StopIteration
        try:
            return next(self._left)
        except StopIteration:
            if self._error is None:
                raise
        error, self._error = self._error, None
        raise error

    def close(self) -> None:
        self.closed = True


class FakeClock(Clock):
    """A clock that stands still but for waits, which take no time; and but for `pass_time`.

    Attributes:
        waits: every wait so far, in seconds.
    """

    def __init__(self, now_s: float = 0.0) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self.waits: list[float] = []

    def now(self) -> float:
        return self._now_s

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        if not stop.is_set():
            self.waits.append(seconds)
            self.pass_time(seconds)
        return stop.is_set()

    def pass_time(self, seconds: float) -> None:
        """Move on."""
        with self._lock:
            self._now_s += max(seconds, 0.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to a fake camera.

    Args:
        kind: `stall`: it says nothing for `amount` seconds. `break`: it is gone for `amount` seconds. `black`: `amount`
            pictures are black. `damaged`: `amount` pictures come damaged. `freeze`: it gives the same picture until it
            is opened anew, `amount` times at most. `size`: from here on pictures have `size_hw`. `error`: it raises
            RuntimeError, as a bug would. `end`: it ends.
        at: index of the picture, counted as the camera takes them, that comes after it or suffers it.
        amount: seconds or pictures.
        size_hw: new height and width in pixels.
    """

    kind: Literal["stall", "break", "black", "damaged", "freeze", "size", "error", "end"]
    at: int
    amount: float = 1.0
    size_hw: tuple[int, int] = (48, 64)


class FakeLiveSource(LinkSource):
    """A camera that plays pictures from memory and has faults by plan; it retries and says so as real ones do.

    It reads in the thread that asks and gives every picture that it takes, so with a `FakeClock` all is the same each
    time, and takes no time.

    Args:
        images_rgb: the pictures, each (H, W, 3) uint8 RGB, played over and over.
        fps: pictures a second.
        frame_count: how many pictures it takes, then it ends; once all when None.
        faults: what happens to it.
        retry: what to do when it is lost.
        clock: what it goes by; real time when None.
        name: what the frames say they come from.
    """

    def __init__(
        self,
        images_rgb: Sequence[NDArray[np.uint8]],
        *,
        fps: float = 30.0,
        frame_count: int | None = None,
        faults: Sequence[Fault] = (),
        retry: Retry | None = None,
        clock: Clock | None = None,
        name: str = "fake camera",
    ) -> None:
        self.fps = fps
        clock = clock or Clock()
        rule = retry or Retry()
        count = len(images_rgb) if frame_count is None else frame_count
        device = _Device(list(images_rgb), fps, count, list(faults), clock, rule.stall_s)
        link = Link(device.connect, name=name, what="camera", retry=rule, clock=clock)
        super().__init__(link, name=name, is_live=True)


class _Device:
    """What stays when a connection goes: a fake camera, its pictures and its fate."""

    is_endless = True

    def __init__(
        self,
        images: list[NDArray[np.uint8]],
        fps: float,
        count: int,
        faults: list[Fault],
        clock: Clock,
        stall_s: float,
    ) -> None:
        self._images, self._fps, self._count, self._faults = images, fps, count, faults
        self._clock = clock
        self._stall_s = stall_s
        self._stop = threading.Event()
        self._taken = 0
        self._due_s = clock.now()
        self._silent_s = self._gone_s = self._due_s
        self._size_hw: tuple[int, int] | None = None
        self._left = {"black": 0.0, "damaged": 0.0, "freeze": 0.0}
        self._shown = 0

    def connect(self, stop: threading.Event) -> _Device:
        if self._clock.now() < self._gone_s:
            raise UnreadableMedia("There is no fake camera now; plug it in.")
        self._stop = stop
        self._left["freeze"] = 0
        return self

    def read(self) -> NDArray[np.uint8] | None:
        while not self._stop.is_set():
            self._suffer()
            if self._clock.now() < self._silent_s:
                self._stall()
            elif self._taken >= self._count or self._clock.wait(self._due_s - self._clock.now(), self._stop):
                return None
            else:
                image = self._take()
                if image is not None:
                    return image
        return None

    def close(self) -> None:
        self._due_s = self._clock.now()

    def _suffer(self) -> None:
        """What is planned before the next picture, once each."""
        for fault in [fault for fault in self._faults if fault.at <= self._taken]:
            self._faults.remove(fault)
            if fault.kind == "stall":
                self._silent_s = self._clock.now() + fault.amount
            elif fault.kind == "break":
                self._gone_s = self._clock.now() + fault.amount
                raise UnreadableMedia("The fake camera is gone; plug it in.")
            elif fault.kind == "size":
                self._size_hw = fault.size_hw
            elif fault.kind == "error":
                raise RuntimeError("the fake camera has a bug")
            elif fault.kind == "end":
                self._count = self._taken
            else:
                self._left[fault.kind] = fault.amount

    def _stall(self) -> None:
        silent_s = self._silent_s - self._clock.now()
        if not self._clock.wait(min(silent_s, self._stall_s), self._stop) and silent_s > self._stall_s:
            raise UnreadableMedia(f"The fake camera gives no picture for {self._stall_s:g} s; wait for it.")
        self._due_s = self._clock.now()

    def _take(self) -> NDArray[np.uint8] | None:
        """The picture that is due; None when it is damaged."""
        is_damaged, is_black, is_frozen = (self._left[kind] > 0 for kind in ("damaged", "black", "freeze"))
        self._shown = self._shown if is_frozen else self._taken % len(self._images)
        image = self._images[self._shown]
        self._taken += 1
        self._due_s += 1 / self._fps
        self._left = {kind: left - 1 for kind, left in self._left.items()}
        if is_damaged:
            return None
        if self._size_hw is not None:
            image = np.asarray(cv2.resize(image, self._size_hw[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        return np.zeros_like(image) if is_black else image
