"""Numbers that stay with a face or a hand from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mien.pixels.boxes import area, shared_area
from mien.scene import Box, Face, Hand, Point

T = TypeVar("T", Face, Hand)

# Boxes that overlap less (intersection over union) may be neighbours.
_MIN_OVERLAP = 0.1

# How far something may be from where it was last seen, in box sizes, at this many sizes per second (a hand of 0.2 m at
# 2 m/s); at most less than a neighbour's head is away.
_REACH_PER_S = 10.0
_REACH = 0.8, 1.5

# A velocity is averaged over the first time, so that the jitter of a detector is not taken for speed, and fades within
# the second while nothing is seen, because nobody keeps walking for ever.
_VELOCITY_S = 0.12
_FADE_S = 1.0

# The side of a hand is averaged too: the landmark network errs in single frames. A hand of the other side is taken
# for the same one only when it is clearly nearer. Tried on made-up hands that clap, the side wrong in 5 % of the
# frames: none of 240 exchanged, against 4 with 0.3 s and 0.5.
_SIDE_S = 0.6
_OTHER_SIDE = 0.25


@dataclass(slots=True)
class _Track:
    """`velocity_xy` is in pixels per second; `right` is how surely it is a right hand, 0..1, and None for a face."""

    number: int
    box_xyxy: Box
    time_s: float
    right: float | None
    velocity_xy: Point = (0.0, 0.0)

    def expected(self, time_s: float) -> Box:
        """Where it should be now if it keeps moving as before."""
        vx, vy = self.velocity_xy
        way_s = _FADE_S * (1 - math.exp(-(time_s - self.time_s) / _FADE_S))
        x1, y1, x2, y2 = self.box_xyxy
        return x1 + vx * way_s, y1 + vy * way_s, x2 + vx * way_s, y2 + vy * way_s

    def see(self, item: Face | Hand, time_s: float) -> None:
        passed_s = time_s - self.time_s
        if passed_s > 0:
            (ax, ay), (bx, by), (vx, vy) = _centre(self.box_xyxy), _centre(item.box_xyxy), self.velocity_xy
            share = 1 - math.exp(-passed_s / _VELOCITY_S)
            self.velocity_xy = vx + share * ((bx - ax) / passed_s - vx), vy + share * ((by - ay) / passed_s - vy)
            right = _right(item)
            if self.right is not None and right is not None:
                self.right += (1 - math.exp(-passed_s / _SIDE_S)) * (right - self.right)
        self.box_xyxy, self.time_s = item.box_xyxy, time_s

    def likeness(self, item: Face | Hand) -> float:
        """1 for faces and for hands of the same side, down to `_OTHER_SIDE` for hands of different sides."""
        right = _right(item)
        if self.right is None or right is None:
            return 1.0
        return 1 - (1 - _OTHER_SIDE) * abs(self.right - right)


class Tracker:
    """Gives each detection the number of the track it continues, greedily, closest pair first.

    A track is expected where its velocity takes it; detections near there come first, then those near the place where a
    track was last seen. Closeness is the overlap of the boxes (intersection over union), or where that is
    small, as for a box of another size in the same place, how near their centres are in box sizes; for hands the side
    counts too. One tracker handles one kind of object in one source.

    Only the times of frames count. Equal times count as no time passed, and so does a step back by up to `lost_s`. A
    larger step back, as in a clip that starts over, loses all tracks, just as a larger step forward does.

    Args:
        lost_s: how long, in seconds, a track is remembered while nothing matches it.
    """

    def __init__(self, *, lost_s: float = 1.0) -> None:
        if not lost_s >= 0:
            raise ValueError(f"lost_s must be 0 or more seconds, got {lost_s}")
        self.lost_s = lost_s
        self._tracks: list[_Track] = []
        self._next = 1
        self._time_s = -math.inf

    def update(self, found: Sequence[T], time_s: float) -> tuple[T, ...]:
        """The detections of one frame with their track numbers, in order of the number.

        Args:
            found: faces or hands of the frame.
            time_s: the frame's time.
        """
        self._move_to(time_s)
        taken = self._matches(found, time_s)
        numbered = []
        for i, item in enumerate(found):
            track = taken.get(i)
            if track is None:
                track = _Track(self._next, item.box_xyxy, time_s, _right(item))
                self._next += 1
                self._tracks.append(track)
            track.see(item, time_s)
            numbered.append(replace(item, track=track.number))
        return tuple(sorted(numbered, key=lambda item: item.track or 0))

    def _move_to(self, time_s: float) -> None:
        back_s = self._time_s - time_s
        if back_s > self.lost_s:
            self._tracks.clear()
        elif back_s > 0:
            for track in self._tracks:
                track.time_s -= back_s
        self._time_s = time_s
        self._tracks = [track for track in self._tracks if time_s - track.time_s <= self.lost_s]

    def _matches(self, found: Sequence[T], time_s: float) -> dict[int, _Track]:
        """Tracks by the position of what continues them."""
        taken: dict[int, _Track] = {}
        for going_on in (True, False):
            used = {track.number for track in taken.values()}
            free = [track for track in self._tracks if track.number not in used]
            for i, track in _closest_first(free, found, time_s, going_on=going_on):
                if i not in taken and track.number not in used:
                    taken[i] = track
                    used.add(track.number)
        return taken


def _closest_first(
    tracks: Sequence[_Track], found: Sequence[T], time_s: float, *, going_on: bool
) -> Iterator[tuple[int, _Track]]:
    """Positions and tracks that may belong together if the tracks keep moving or stay where they were.

    Tracks of the last frame come first: when two objects pass each other, the one in front stays in sight.
    """
    pairs = []
    seen_s = max((track.time_s for track in tracks), default=0.0)
    for t, track in enumerate(tracks):
        box_xyxy = track.expected(time_s) if going_on else track.box_xyxy
        reach = _REACH[0] if going_on else _reach(time_s - track.time_s)
        waited = track.time_s < seen_s
        for i, item in enumerate(found):
            closeness = _closeness(box_xyxy, item.box_xyxy, reach)
            if closeness > 0:
                pairs.append((waited, -closeness * track.likeness(item), t, i))
    return ((i, tracks[t]) for _, _, t, i in sorted(pairs))


def _reach(unseen_s: float) -> float:
    return min(max(_REACH_PER_S * unseen_s, _REACH[0]), _REACH[1])


def _closeness(first_xyxy: Box, second_xyxy: Box, reach: float) -> float:
    """1 for equal boxes, falling to 0 where nothing overlaps and the centres are `reach` mean box sizes apart."""
    overlap = shared_area(first_xyxy, second_xyxy)
    areas = area(first_xyxy), area(second_xyxy)
    size = (math.sqrt(areas[0]) + math.sqrt(areas[1])) / 2
    (ax, ay), (bx, by) = _centre(first_xyxy), _centre(second_xyxy)
    near = 0.5 * (1 - math.hypot(ax - bx, ay - by) / size / reach)
    share = overlap / (sum(areas) - overlap)
    return max(near, share if share >= _MIN_OVERLAP else 0.0)


def _centre(box_xyxy: Box) -> Point:
    x1, y1, x2, y2 = box_xyxy
    return (x1 + x2) / 2, (y1 + y2) / 2


def _right(item: Face | Hand) -> float | None:
    return float(item.side == "right") if isinstance(item, Hand) else None
