"""When to search a frame for hands, and when to follow those of the frame before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.scene import Hand


class FollowsHands(Protocol):
    """What `DetectionScheduler` asks of a detector; `HandDetector` does it."""

    def follow(
        self, image_rgb: NDArray[np.uint8], previous: Sequence[Hand], *, search: bool = False
    ) -> tuple[Hand, ...]:
        """The hands of the frame before in this frame and, if `search`, all others."""
        ...


class DetectionScheduler:
    """Finds the hands of one source frame by frame, searching only as often as a new hand may wait.

    The scheme of Zhang et al. 2020, "MediaPipe Hands", section 2, by time instead of by number of hands: every hand
    is followed by its landmarks; the whole frame is searched when a hand was lost, for a while after that, and
    otherwise so often that a new hand is found within `within_s`.

    Args:
        detector: finds and follows; stays open when this is done.
        within_s: longest time from when a new hand comes into view, be it just after a frame, to the frame in which it
            is found, in seconds; slower frames are all searched, and so are all with 0.
        eager_s: how long after a hand was lost every frame is searched, in seconds.
    """

    def __init__(self, detector: FollowsHands, *, within_s: float = 0.25, eager_s: float = 0.5) -> None:
        if not (within_s >= 0 and eager_s >= 0):
            raise ValueError(f"within_s and eager_s are 0 or more seconds, got {within_s}, {eager_s}")
        self.within_s = within_s
        self.eager_s = eager_s
        self._detector = detector
        self.restart()

    def restart(self) -> None:
        """Forget all hands: what comes next is another source."""
        self._hands: tuple[Hand, ...] = ()
        self._size_hw = (0, 0)
        self._time_s = self._searched_s = self._lost_s = float("-inf")

    def update(self, image_rgb: NDArray[np.uint8], time_s: float) -> tuple[Hand, ...]:
        """The hands of one frame, largest first, as `HandDetector.detect` gives them.

        Args:
            image_rgb: (H, W, 3) uint8 RGB, frame after frame of one source.
            time_s: the frame's time. After a jump, back or by more than `within_s`, nothing is followed.
        """
        pace_s = time_s - self._time_s
        size_hw = image_rgb.shape[0], image_rgb.shape[1]
        if not 0 <= pace_s <= self.within_s or size_hw != self._size_hw:
            self.restart()
            pace_s = 0.0
        # Left to the next frame the search would come too late.
        due = time_s - self._searched_s + pace_s > self.within_s
        eager = time_s - self._lost_s <= self.eager_s
        hands = self._detector.follow(image_rgb, self._hands, search=due or eager)
        if due or eager:
            self._searched_s = time_s
        if len(hands) < len(self._hands):
            self._lost_s = time_s
        self._hands, self._time_s, self._size_hw = hands, time_s, size_hw
        return hands
