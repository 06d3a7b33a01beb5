"""When the frames of a video file are shown: the times of a source as whole ticks of the file's clock."""

from __future__ import annotations

from collections import deque
from statistics import median

_STEPS = 5
_LONGEST_LAST_S = 1.0


class Timeline:
    """Turns times into ticks that always grow.

    Args:
        ticks: per second.
        step_s: seconds between two frames that come without times; also how long a single frame is shown.
        least: ticks between two frames at least.
    """

    def __init__(self, ticks: int, step_s: float, *, least: int = 1) -> None:
        self.ticks = ticks
        self.least = least
        self.last: int | None = None
        self._step_s = step_s
        self._last_s = -step_s
        self._steps: deque[int] = deque(maxlen=_STEPS)

    def tick(self, time_s: float | None) -> int:
        """When a frame is to be shown, without adding it; one whose time does not come after the last follows at once.

        Args:
            time_s: seconds from the start of the file; None for one step after the last frame.
        """
        time_s = self._last_s + self._step_s if time_s is None else time_s
        wanted = max(round(time_s * self.ticks), 0)
        return wanted if self.last is None else max(wanted, self.last + self.least)

    def add(self, tick: int) -> None:
        """A frame is shown at this tick."""
        if self.last is not None:
            self._steps.append(tick - self.last)
        self.last, self._last_s = tick, tick / self.ticks

    @property
    def last_step(self) -> int:
        """How many ticks the last frame is shown: as long as those before it, but a second or a step at most."""
        usual = median(self._steps) if self._steps else self._step_s * self.ticks
        return max(round(min(usual, max(_LONGEST_LAST_S, self._step_s) * self.ticks)), self.least)
