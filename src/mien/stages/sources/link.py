"""A connection that is made again when it is lost: what cameras, streams and their fakes have in common."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, UnreadableMedia
from mien.scene import Frame
from mien.stages.sources.base import Clock, Kind, Source

QUIET_S = 2.0
"""Seconds without a picture after which the status says so."""

BLACK_S = 1.0
"""Seconds of black pictures after which the status says so."""

BLACK_LEVEL = 8.0
"""Mean level, 0 to 255, below which a picture counts as black. Chosen, not measured: a covered lens gives noise."""

_MOMENT_S = 0.001


class Feed(Protocol):
    """One connection to a camera or stream."""

    @property
    def damaged(self) -> int:
        """Pictures that came damaged and were passed over, so far."""

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, (H, W, 3) uint8 RGB, as soon as it is there; None when there will be no more.

        Raises:
            InputError: the connection is lost, or nothing came for too long.
        """

    def close(self) -> None:
        """Give the device or connection back; called by the thread that reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """What to do when a camera or stream is lost.

    Args:
        pauses_s: seconds before the first, second, ... new attempt; the last one holds for all that follow.
        stall_s: seconds without a picture after which a connection counts as lost.
        first_s: seconds to wait for the first picture of a connection.
        give_up_s: seconds without a picture after which the source raises; None to go on for ever.
        at_start: whether to try again also when the first attempt fails, instead of raising at once.
    """

    pauses_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
    stall_s: float = 5.0
    first_s: float = 10.0
    give_up_s: float | None = None
    at_start: bool = False

    def __post_init__(self) -> None:
        if not self.pauses_s or min(*self.pauses_s, self.stall_s, self.first_s) <= 0:
            raise ValueError(f"the pauses and limits are above 0 s, got {self}")


class Link:
    """Connects, reads, and connects again after growing pauses.

    Args:
        connect: makes a connection, or raises InputError; is given an event that ends any waiting.
        name: what the frames say they come from.
        what: what to call it in the status: camera, stream.
        retry: what to do when the connection is lost.
        clock: what times and pauses go by.
        fps: give times by this rate instead of by the clock, for pictures that are not of now.

    Attributes:
        stop: set it to end everything.
    """

    def __init__(
        self,
        connect: Callable[[threading.Event], Feed],
        *,
        name: str,
        what: str = "stream",
        retry: Retry | None = None,
        clock: Clock | None = None,
        fps: float | None = None,
    ) -> None:
        self._connect = connect
        self._name = name
        self._what = what
        self._retry = retry or Retry()
        self._clock = clock or Clock()
        self._fps = fps
        self.stop = threading.Event()
        self._count = 0
        self._damaged_before = 0
        self._feed: Feed | None = None
        self._start_s = self._last_s = self._clock.now()
        self._black_s: float | None = None
        self._next_try_s: float | None = None
        self._losses = 0
        self._problem: InputError | None = None

    @property
    def damaged(self) -> int:
        """Pictures that came damaged and were passed over."""
        feed = self._feed
        return self._damaged_before + (feed.damaged if feed else 0)

    @property
    def status(self) -> str:
        """As `Source.status`; may be asked from any thread."""
        now_s, next_try_s, black_s = self._clock.now(), self._next_try_s, self._black_s
        if self._problem is not None:
            if next_try_s is None or next_try_s - now_s < _MOMENT_S:
                return f"{self._what} lost, trying again"
            return f"{self._what} lost, trying again in {math.ceil(round(next_try_s - now_s, 3))} s"
        if not self._count:
            return f"waiting for the {self._what}"
        if now_s - self._last_s >= QUIET_S:
            return f"no picture from the {self._what} for {int(now_s - self._last_s)} s"
        if black_s is not None and now_s - black_s >= BLACK_S:
            return f"the {self._what} gives black pictures: is it covered?"
        return ""

    def check(self) -> None:
        """Raise when there was no picture for longer than the limit.

        Raises:
            UnreadableMedia: with the last reason, if one is known.
        """
        limit_s = self._retry.give_up_s
        if limit_s is not None and self._clock.now() - self._last_s >= limit_s:
            why = self._problem or f"The {self._what} gives no picture."
            raise UnreadableMedia(f"Gave up on {self._name} after {limit_s:g} s without a picture. {why}") from (
                self._problem
            )

    def frames(self) -> Generator[Frame, None, None]:
        """Frames until the end, `stop`, or an error; closes the connection when it is closed.

        Raises:
            InputError: the first attempt failed, or the limit of `check` is reached.
        """
        while not self.stop.is_set():
            try:
                yield from self._connected()
                return
            except InputError as problem:
                if not self._count and not self._retry.at_start:
                    raise
                self._pause(problem)

    def _connected(self) -> Generator[Frame, None, None]:
        begin_s = self._clock.now()
        with closing(self._connect(self.stop)) as feed:
            self._feed = feed
            try:
                while not self.stop.is_set() and (image_rgb := feed.read()) is not None:
                    yield self._frame(image_rgb, begin_s)
            finally:
                self._damaged_before += feed.damaged
                self._feed = None

    def _frame(self, image_rgb: NDArray[np.uint8], begin_s: float) -> Frame:
        now_s = self._clock.now()
        self._last_s, self._problem, self._next_try_s = now_s, None, None
        if self._losses and now_s - begin_s > self._wait_s(self._losses):
            self._losses = 0  # it held longer than it was waited for; one that breaks at once keeps its long pauses
        # Every 16th pixel both ways: 1200 of 640x480, which costs 0.02 ms.
        if float(image_rgb[::16, ::16].mean()) >= BLACK_LEVEL:
            self._black_s = None
        elif self._black_s is None:
            self._black_s = now_s
        time_s = now_s - self._start_s if self._fps is None else self._count / self._fps
        self._count += 1
        return Frame(image_rgb, self._count - 1, time_s, self._name)

    def _pause(self, problem: InputError) -> None:
        self._losses += 1
        self._black_s = None
        self._problem = problem
        self.check()
        wait_s = self._wait_s(self._losses)
        if self._retry.give_up_s is not None:
            wait_s = min(wait_s, self._last_s + self._retry.give_up_s - self._clock.now())
        self._next_try_s = self._clock.now() + wait_s
        self._clock.wait(wait_s, self.stop)

    def _wait_s(self, losses: int) -> float:
        return self._retry.pauses_s[min(losses, len(self._retry.pauses_s)) - 1]


class LinkSource(Source):
    """The frames of a link, read in the thread that asks for them; none is dropped."""

    kind: Kind = "video"

    def __init__(self, link: Link, *, name: str) -> None:
        self.name = name
        self._link = link
        self._frames = link.frames()

    @property
    def status(self) -> str:
        return self._link.status

    @property
    def damaged(self) -> int:
        """Pictures that came damaged and were passed over."""
        return self._link.damaged

    def __next__(self) -> Frame:
        frame = next(self._frames)
        if self._link.stop.is_set():
            self.close()
            raise StopIteration
        return frame

    def close(self) -> None:
        self._link.stop.set()
        with suppress(ValueError):  # another thread is reading; it ends by itself
            self._frames.close()
