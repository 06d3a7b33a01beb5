"""When to search a frame for hands or faces, how thoroughly, and when to follow those of the previous frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.scene import Face, Hand

T = TypeVar("T", Face, Hand)

_SLOT = 5 / 6
"""Of the longest time between two searches: the length of a slot. From 24 frames per second on, the first frames of two
slots that meet are never further apart than that time."""
_ROUNDING_S = 1e-6


def _slot(time_s: float, every_s: float) -> float:
    """Which slot of the source a time is in. The first frame of each slot is searched whatever was before, so that when
    to search does not depend on where one began to look."""
    return (time_s + _ROUNDING_S) // (_SLOT * every_s) if every_s > 0 else time_s


class Follows(Protocol[T]):
    """What `DetectionScheduler` needs from a detector; `HandDetector` and `FaceDetector` provide it."""

    def follow(
        self, image_rgb: NDArray[np.uint8], previous: Sequence[T], *, search: bool = False, thorough: bool = True
    ) -> tuple[T, ...]:
        """The hands or faces of the previous frame in this frame and, if `search`, all others; if `thorough`, those too
        that only a second search finds."""
        ...


class SearchDepth:
    """Which frames of one source deserve the second search of `HandDetector`, for hands that fill the picture.

    All do in which a hand was lately seen, and photos; of others one in `every_s`, so that a hand held close to the
    camera is found within that time, and the first of each slot of a little less.

    Args:
        lately_s: how long after a hand was seen every frame is searched thoroughly, in seconds.
        every_s: longest time between thorough searches while there is no hand, in seconds.
    """

    def __init__(self, *, lately_s: float = 1.0, every_s: float = 0.25) -> None:
        if not (lately_s >= 0 and every_s >= 0):
            raise ValueError(f"lately_s and every_s must be 0 or more seconds, got {lately_s}, {every_s}")
        self.lately_s = lately_s
        self.every_s = every_s
        self._time_s = self._seen_s = self._searched_s = float("-inf")

    def thorough(self, time_s: float) -> bool:
        """Whether the frame at this time deserves it. A time that does not advance is another photo's, or a clip that
        starts over."""
        pace_s = time_s - self._time_s
        if not 0 < pace_s <= self.lately_s:
            return True
        due = (
            time_s - self._searched_s + pace_s > self.every_s  # waiting for the next frame would be too late
            or _slot(time_s, self.every_s) > _slot(self._time_s, self.every_s)
        )
        return due or 0 <= time_s - self._seen_s <= self.lately_s

    def note(self, time_s: float, *, thorough: bool, seen: bool) -> None:
        """What was done with the frame at this time, and whether a hand was seen in it."""
        self._time_s = time_s
        if thorough:
            self._searched_s = time_s
        if seen:
            self._seen_s = time_s

    def memory(self, at_s: float) -> dict[str, Any]:
        """What of the frames so far matters for those from a time on, as JSON: two that are equal go on alike."""
        if at_s - self._time_s > self.lately_s:
            return {}
        times = {"searched_s": (self._searched_s, self.every_s), "seen_s": (self._seen_s, self.lately_s)}
        kept = {name: time_s for name, (time_s, most_s) in times.items() if at_s - time_s <= most_s}
        return {"time_s": self._time_s, **kept}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on as the one that gave this memory would."""
        self._time_s, self._searched_s, self._seen_s = (
            memory.get(name, float("-inf")) for name in ("time_s", "searched_s", "seen_s")
        )


class DetectionScheduler(Generic[T]):
    """Finds the hands or faces of one source frame by frame, searching only as often as new ones must be found.

    The scheme of Zhang et al. 2020, "MediaPipe Hands", section 2, by time instead of by number of hands: every hand
    is followed by its landmarks, every face near where it was; the whole frame is searched when one was lost, for a
    while after that, and otherwise so often that a new one is found within `within_s`.

    Args:
        detector: finds and follows; not closed.
        within_s: longest time in seconds from when a new one comes into view, even just after a frame, to the frame in
            which it is found; slower frames are all searched, and with 0 every frame is. A hand that fills the picture
            may take twice as long.
        eager_s: how long, in seconds, every frame is searched after one was lost.
    """

    def __init__(self, detector: Follows[T], *, within_s: float = 0.25, eager_s: float = 0.5) -> None:
        if not (within_s >= 0 and eager_s >= 0):
            raise ValueError(f"within_s and eager_s must be 0 or more seconds, got {within_s}, {eager_s}")
        self.within_s = within_s
        self.eager_s = eager_s
        self._detector: Follows[T] = detector
        self.restart()

    def restart(self) -> None:
        """Forget all, because another source comes next."""
        self._hands: tuple[T, ...] = ()
        self._size_hw = (0, 0)
        self._depth = SearchDepth(every_s=2 * self.within_s)
        self._time_s = self._searched_s = self._lost_s = float("-inf")

    def update(self, image_rgb: NDArray[np.uint8], time_s: float) -> tuple[T, ...]:
        """The hands or faces of one frame, largest first, as the detector's `detect` gives them.

        Args:
            image_rgb: (H, W, 3) uint8 RGB, frame after frame of one source.
            time_s: the frame's time. After a jump, back or by more than `within_s`, nothing is followed.
        """
        pace_s = time_s - self._time_s
        size_hw = image_rgb.shape[0], image_rgb.shape[1]
        if not 0 <= pace_s <= self.within_s or size_hw != self._size_hw:
            self.restart()
            pace_s = 0.0
        due = (
            time_s - self._searched_s + pace_s > self.within_s  # waiting for the next frame would be too late
            or _slot(time_s, self.within_s) > _slot(self._time_s, self.within_s)
        )
        eager = time_s - self._lost_s <= self.eager_s
        thorough = self._depth.thorough(time_s)
        hands: tuple[T, ...] = self._detector.follow(image_rgb, self._hands, search=due or eager, thorough=thorough)
        if due or eager:
            self._searched_s = time_s
        self._depth.note(time_s, thorough=thorough and (due or eager), seen=bool(hands))
        if len(hands) < len(self._hands):
            self._lost_s = time_s
        self._hands, self._time_s, self._size_hw = hands, time_s, size_hw
        return hands

    def memory(self, at_s: float) -> dict[str, Any]:
        """As of `SearchDepth`."""
        if at_s - self._time_s > self.within_s:
            return {}
        times = {"searched_s": (self._searched_s, self.within_s), "lost_s": (self._lost_s, self.eager_s)}
        return {
            "time_s": self._time_s,
            **{name: time_s for name, (time_s, most_s) in times.items() if at_s - time_s <= most_s},
            "size_hw": list(self._size_hw),
            "found": [asdict(one) for one in self._hands],
            "depth": self._depth.memory(at_s),
        }

    def recall(self, memory: Mapping[str, Any], kind: type[T]) -> None:
        """As of `SearchDepth`; `kind` is that of what is followed."""
        self.restart()
        if not memory:
            return
        self._time_s, self._searched_s, self._lost_s = (
            memory.get(name, float("-inf")) for name in ("time_s", "searched_s", "lost_s")
        )
        height, width = memory["size_hw"]
        self._size_hw = height, width
        self._hands = tuple(kind(**{name: _tuples(value) for name, value in one.items()}) for one in memory["found"])
        self._depth.recall(memory["depth"])


def _tuples(value: Any) -> Any:
    """A value of JSON with tuples in place of lists."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
