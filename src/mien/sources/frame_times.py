"""The times of a video's frames on the file's own clock, whatever single stamps say, and their positions."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def timed(stamped: Iterable[tuple[_T, float | None]], step_s: float) -> Iterator[tuple[_T, float]]:
    """Things with times that only grow, from things with the stamps that a file gives them.

    A stamp is taken as it is, with late starts, gaps and any rate. One that is missing, or out of line with those
    before and after it, gets a time between its neighbours and moves no other. Where stamps start over, as in joined
    recordings, time goes on from where it was. To know what follows, each thing is given when the next one is there.

    Args:
        stamped: in the order of showing, each with its stamp: seconds from the start of the file, None if it has none.
        step_s: time between two things where the stamps do not tell.
    """
    clock = _Clock(step_s)
    held: tuple[_T, float | None] | None = None
    for following in stamped:
        if held is not None:
            yield held[0], clock.time_s(held[1], following[1])
        held = following
    if held is not None:
        yield held[0], clock.time_s(held[1], None)


class _Clock:
    """Decides about one stamp after another."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._shift_s = 0.0  # added to stamps since they last started over
        self._last_s: float | None = None

    def time_s(self, stamp_s: float | None, next_s: float | None) -> float:
        """The time of a stamp, given the one that follows it."""
        last_s = self._last_s
        stamp_s = None if stamp_s is None else stamp_s + self._shift_s
        next_s = None if next_s is None else next_s + self._shift_s
        if last_s is None:
            is_early = next_s is not None and (stamp_s is None or stamp_s > next_s)
            time_s = max(next_s - self._step_s, 0.0) if is_early and next_s is not None else stamp_s or 0.0
        elif stamp_s is not None and stamp_s > last_s and not (next_s is not None and last_s < next_s < stamp_s):
            time_s = stamp_s
        elif next_s is not None and next_s > last_s:
            time_s = last_s + min(self._step_s, (next_s - last_s) / 2)
        else:
            time_s = last_s + self._step_s
            if stamp_s is not None and next_s is not None and next_s > stamp_s:  # two in a row: they started over
                self._shift_s += time_s - stamp_s
        self._last_s = time_s
        return time_s


class Positions:
    """Which frame of a video one is, when not all are decoded: by the stamps of all that are stored.

    Attributes:
        missed: how many were taken for missing so far, where not more than some can be.
    """

    def __init__(self) -> None:
        self.missed = 0
        self._ahead: list[int] = []
        self._passed: set[int] = set()
        self._index = 0

    @property
    def left(self) -> int:
        """How many stored frames have not been asked for, nor passed over."""
        return len(self._ahead)

    def begin(self, index: int) -> None:
        """This many frames are before the first that is added."""
        self._index = index

    def add(self, pts: int | None) -> None:
        """A stored frame, in the order of decoding."""
        if pts is not None:
            heapq.heappush(self._ahead, pts)

    def of(self, pts: int | None, lost: int | None = None) -> int | None:
        """The position, from 0, of a decoded frame; each is asked for once, in the order of showing.

        None for one that comes so late that it has been taken for missing: damage can make a decoder give a frame
        before its turn.

        Args:
            pts: its stamp.
            lost: how many may be missing so far; no more than these are taken for missing before it, and without a
                stamp all of these. None where not all are decoded.
        """
        if pts in self._passed:
            return None
        missing = 0 if pts is not None or lost is None else max(lost - self.missed, 0)
        passed: list[int] = []
        while pts is not None and self._ahead and self._ahead[0] < pts:
            passed.append(heapq.heappop(self._ahead))
            missing += 1
        if self._ahead and self._ahead[0] == pts:
            heapq.heappop(self._ahead)
        if lost is not None:
            missing = min(missing, max(lost - self.missed, 0))
            self.missed += missing
            self._passed.update(passed[len(passed) - missing :] if passed else ())
        index = self._index + missing
        self._index = index + 1
        return index
