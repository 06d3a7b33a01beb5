"""A connection that is made again when it is lost: what cameras, streams and their fakes have in common."""

from __future__ import annotations

import logging
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
from mien.sources.base import Clock, Kind, Source
from mien.words import say, words

QUIET_S = 2.0
"""Seconds without a picture after which the status says so."""

BLACK_S = 1.0
"""Seconds of black pictures after which the status says so."""

BLACK_LEVEL = 8.0
"""Mean level, 0 to 255, below which a picture counts as black. Chosen, not measured: a covered lens gives noise."""

_MOMENT_S = 0.001
_AGAIN_S = 300.0  # a lasting loss is reported again after this many seconds
_LONGEST_STILL_S = 3600.0

_log = logging.getLogger(__name__)


class Feed(Protocol):
    """One connection to a camera or stream."""

    @property
    def is_endless(self) -> bool:
        """Whether it can be connected to anew and then shows what is there now; a file would begin again."""

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
        frozen_s: seconds of one and the same picture, bit for bit, after which the connection is made anew; twice as
            long each time that this changes nothing. A sensor's noise makes every picture of a camera another one.
        hang_s: seconds without an answer, beyond those limits, after which a driver counts as hanging: it is left
            behind, and another connection is made.
    """

    pauses_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
    stall_s: float = 5.0
    first_s: float = 10.0
    give_up_s: float | None = None
    at_start: bool = False
    frozen_s: float = 60.0
    hang_s: float = 15.0

    def __post_init__(self) -> None:
        if not self.pauses_s or min(*self.pauses_s, self.stall_s, self.first_s, self.frozen_s, self.hang_s) <= 0:
            raise ValueError(f"the pauses and limits must be above 0 s, got {self}")


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
        turn: counts the calls of `abandon`.

    A loss, its end, black and frozen pictures are told in the log, as warnings, for those who run without a window.
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
        self._start_s = self._last_s = self._clock.now()
        self._black_s: float | None = None
        self._next_try_s: float | None = None
        self._losses = 0
        self._problem: InputError | None = None
        self._told = ""
        self._told_s = 0.0
        self._is_black_told = False
        self._picture: NDArray[np.uint8] | None = None
        self._still_s = self._start_s
        self._is_still_told = False
        self._most_still_s = self._retry.frozen_s
        self._busy_since_s: float | None = None
        self._busy_limit_s = 0.0
        self.turn = 0

    @property
    def status(self) -> str:
        """As `Source.status`; may be asked from any thread."""
        now_s, next_try_s, black_s = self._clock.now(), self._next_try_s, self._black_s
        if self._problem is not None:
            state = say("link.lost" if self._count else "link.waiting", what=self._named)
            if next_try_s is None or next_try_s - now_s < _MOMENT_S:
                return say("link.again", state=state)
            return say("link.again_in", state=state, seconds=math.ceil(round(next_try_s - now_s, 3)))
        if not self._count:
            return say("link.waiting", what=self._named)
        if now_s - self._last_s >= QUIET_S:
            return say("link.quiet", what=self._named, seconds=int(now_s - self._last_s))
        if black_s is not None and now_s - black_s >= BLACK_S:
            return say("link.black", what=self._named)
        if self._is_frozen:
            return say("link.frozen", what=self._named, seconds=int(now_s - self._still_s))
        return ""

    @property
    def _named(self) -> str:
        """What it is called in a sentence."""
        return words().label("link.source", self._what)

    @property
    def _is_frozen(self) -> bool:
        is_watched = self._fps is None and self._picture is not None
        return is_watched and self._last_s - self._still_s >= self._retry.frozen_s

    @property
    def has_answered(self) -> bool:
        """Whether there has been a frame."""
        return bool(self._count)

    @property
    def hangs(self) -> bool:
        """Whether the thread that reads has had no answer for longer than any driver should take."""
        busy_s = self._busy_since_s
        return busy_s is not None and self._clock.now() - busy_s >= self._busy_limit_s

    def abandon(self) -> None:
        """Leave the connection that hangs to its thread; whatever it brings later is not taken."""
        self.turn += 1
        self._busy_since_s = None

    def check(self) -> None:
        """Raise when there was no picture for longer than the limit.

        Raises:
            UnreadableMedia: with the last reason, if one is known.
        """
        limit_s = self._retry.give_up_s
        if limit_s is not None and self._clock.now() - self._last_s >= limit_s:
            why = self._problem or f"The {self._what} delivers no picture."
            raise UnreadableMedia(f"Gave up on {self._name} after {limit_s:g} s without a picture. {why}") from (
                self._problem
            )

    def frames(self, problem: InputError | None = None) -> Generator[Frame, None, None]:
        """Frames until the end, `stop`, `abandon` or an error; closes the connection when it is closed.

        Args:
            problem: why there is no connection any more, when there was one.

        Raises:
            InputError: the first attempt failed, or the limit of `check` is reached.
        """
        turn = self.turn
        while not self.stop.is_set():
            try:
                if problem is not None:
                    raise problem
                yield from self._connected(turn)
                return
            except InputError as error:
                if self.turn != turn:
                    return
                problem = None
                if not self._count and not self._retry.at_start:
                    raise
                self._pause(error)

    def _connected(self, turn: int) -> Generator[Frame, None, None]:
        begin_s = self._clock.now()
        self._expect(self._retry.first_s + self._retry.hang_s)
        with closing(self._connect(self.stop)) as feed:
            if self.turn != turn:
                return
            try:
                while not self.stop.is_set() and (image_rgb := feed.read()) is not None and self.turn == turn:
                    self._busy_since_s = None
                    yield self._frame(image_rgb, begin_s)
                    self._check_still(feed)
                    self._expect(self._retry.hang_s)
            finally:
                if self.turn == turn:
                    self._busy_since_s = None

    def _expect(self, limit_s: float) -> None:
        """An answer is asked for, and should be there before the limit."""
        self._busy_limit_s = limit_s
        self._busy_since_s = self._clock.now()

    def _frame(self, image_rgb: NDArray[np.uint8], begin_s: float) -> Frame:
        now_s = self._clock.now()
        if self._problem is not None:
            if self._count:
                after_s = now_s - self._last_s
                self._warn(say("link.back", what=self._named, seconds=after_s, name=self._name))
            else:
                self._warn(say("link.there", what=self._named, name=self._name))
        self._last_s, self._problem, self._next_try_s, self._told = now_s, None, None, ""
        if self._losses and now_s - begin_s > self._wait_s(self._losses):
            self._losses = 0  # it held longer than it was waited for; one that breaks at once keeps its long pauses
        # Every 16th pixel both ways: 1200 of 640x480, which costs 0.02 ms.
        if float(image_rgb[::16, ::16].mean()) >= BLACK_LEVEL:
            self._black_s, self._is_black_told = None, False
        elif self._black_s is None:
            self._black_s = now_s
        elif now_s - self._black_s >= BLACK_S and not self._is_black_told:
            self._is_black_told = True
            self._warn(say("link.told_black", what=self._named, name=self._name))
        self._compare(image_rgb, now_s)
        time_s = now_s - self._start_s if self._fps is None else self._count / self._fps
        self._count += 1
        return Frame(image_rgb, self._count - 1, time_s, self._name)

    def _compare(self, image_rgb: NDArray[np.uint8], now_s: float) -> None:
        """Note since when the picture has been the same, bit for bit."""
        if self._fps is not None:
            return
        before = self._picture
        if (
            before is None
            or before.shape != image_rgb.shape
            or not np.array_equal(before[::16, ::16], image_rgb[::16, ::16])
            or not np.array_equal(before, image_rgb)
        ):
            if self._is_still_told:
                self._is_still_told = False
                self._warn(say("link.changes_again", what=self._named, name=self._name))
            self._picture, self._still_s = image_rgb, now_s
            self._most_still_s = self._retry.frozen_s

    def _check_still(self, feed: Feed) -> None:
        """Give a connection up whose picture has not changed for too long."""
        still_s = self._clock.now() - self._still_s
        if self._fps is not None or still_s < self._most_still_s:
            return
        self._most_still_s = still_s + min(still_s, _LONGEST_STILL_S)
        self._is_still_told = True
        if feed.is_endless:
            raise UnreadableMedia(f"The {self._what} has shown the same picture for {still_s:.0f} s: {self._name}.")
        self._warn(say("link.told_frozen", what=self._named, seconds=still_s, name=self._name))

    def _pause(self, problem: InputError) -> None:
        self._losses += 1
        self._black_s = None
        if not self._is_still_told:
            self._picture = None
        self._problem = problem
        self.check()
        wait_s = self._wait_s(self._losses)
        if self._retry.give_up_s is not None:
            wait_s = min(wait_s, self._last_s + self._retry.give_up_s - self._clock.now())
        self._next_try_s = self._clock.now() + wait_s
        self._tell(problem, wait_s)
        self._clock.wait(wait_s, self.stop)

    def _tell(self, problem: InputError, wait_s: float) -> None:
        """A loss, once for each reason, and again now and then while it lasts."""
        now_s = self._clock.now()
        if str(problem) == self._told and now_s - self._told_s < _AGAIN_S:
            return
        is_news = str(problem) != self._told
        self._told, self._told_s = str(problem), now_s
        if is_news:
            self._warn(say("link.told_again", problem=problem, seconds=wait_s))
        else:
            self._warn(say("link.told_still", problem=problem, seconds=now_s - self._last_s))

    def _warn(self, sentence: str) -> None:
        _log.warning("%s", sentence)

    def _wait_s(self, losses: int) -> float:
        return self._retry.pauses_s[min(losses, len(self._retry.pauses_s)) - 1]


class LinkSource(Source):
    """The frames of a link, read in the thread that asks for them; none is dropped.

    Args:
        link: closed with the source.
        name: what the frames say they come from.
        is_live: whether its frames are of now.
    """

    kind: Kind = "video"

    def __init__(self, link: Link, *, name: str, is_live: bool = False) -> None:
        self.name = name
        self.is_live = is_live
        self._link = link
        self._frames = link.frames()

    @property
    def status(self) -> str:
        return self._link.status

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
