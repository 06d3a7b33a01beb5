"""Numbers that stay with a face or a hand from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mien.scene import Box, Face, Hand

T = TypeVar("T", Face, Hand)

_MIN_CLOSENESS = 0.1
"""Two boxes closer than this (see `_closeness`) may be the same thing."""


@dataclass(slots=True)
class _Track:
    number: int
    box_xyxy: Box
    time_s: float


class Tracker:
    """Gives each detection the number of the nearest earlier one, greedily from the closest pair on.

    Closeness is the overlap of the boxes (intersection over union), or where that is small, as for a box of another
    size in the same place, how near their centres are in box sizes. One tracker serves one kind of thing in one source.

    Args:
        lost_s: how long a track is remembered while nothing matches it, in seconds.
    """

    def __init__(self, *, lost_s: float = 1.0) -> None:
        if not lost_s >= 0:
            raise ValueError(f"lost_s is 0 or more seconds, got {lost_s}")
        self.lost_s = lost_s
        self._tracks: list[_Track] = []
        self._next = 1

    def update(self, found: Sequence[T], time_s: float) -> tuple[T, ...]:
        """The detections of one frame with their track numbers, in order of the number.

        Args:
            found: faces or hands of the frame.
            time_s: the frame's time; not before the last one.
        """
        self._tracks = [track for track in self._tracks if time_s - track.time_s <= self.lost_s]
        pairs = sorted(
            (
                (_closeness(track.box_xyxy, item.box_xyxy), -t, -i)
                for t, track in enumerate(self._tracks)
                for i, item in enumerate(found)
            ),
            reverse=True,
        )
        taken: dict[int, _Track] = {}
        used: set[int] = set()
        for closeness, minus_t, minus_i in pairs:
            if closeness < _MIN_CLOSENESS or -minus_t in used or -minus_i in taken:
                continue
            taken[-minus_i] = self._tracks[-minus_t]
            used.add(-minus_t)
        for i, item in enumerate(found):
            track = taken.get(i) or self._begin()
            track.box_xyxy, track.time_s = item.box_xyxy, time_s
            taken[i] = track
        numbered = [replace(item, track=taken[i].number) for i, item in enumerate(found)]
        return tuple(sorted(numbered, key=lambda item: item.track or 0))

    def _begin(self) -> _Track:
        track = _Track(self._next, (0.0, 0.0, 1.0, 1.0), 0.0)
        self._next += 1
        self._tracks.append(track)
        return track


def _closeness(first_xyxy: Box, second_xyxy: Box) -> float:
    """1 for equal boxes, falling to 0 where the centres are one mean box size apart and nothing overlaps."""
    ax1, ay1, ax2, ay2 = first_xyxy
    bx1, by1, bx2, by2 = second_xyxy
    overlap = max(0.0, min(ax2, bx2) - max(ax1, bx1)) * max(0.0, min(ay2, by2) - max(ay1, by1))
    areas = (ax2 - ax1) * (ay2 - ay1), (bx2 - bx1) * (by2 - by1)
    size = (math.sqrt(areas[0]) + math.sqrt(areas[1])) / 2
    apart = math.hypot((ax1 + ax2 - bx1 - bx2) / 2, (ay1 + ay2 - by1 - by2) / 2)
    return max(overlap / (sum(areas) - overlap), 0.5 * (1 - apart / size))
