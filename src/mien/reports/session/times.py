"""Durations: the seconds that frames stand for, and their sums by label, track, run and bin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.addresses import shown
from mien.labels import TASKS
from mien.records.session import Detections, Session
from mien.scene import Event

_LONGEST_PAUSE_S = 1.0
_LONGEST_PAUSE_FRAMES = 5
_NOTHING = 1e-6

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What was recorded of one source.

    A frame stands for the time until the next one. If that is longer than a second and than five times the usual
    spacing, nothing was recorded in between: this is a pause, and the frame before it stands for the usual spacing.

    Args:
        name: of the source.
        number: of each frame in the source, (N,) int64.
        time_s: of each frame, (N,) float64, never decreasing; if the records go back in time, it continues instead.
        duration_s: the time each frame stands for, (N,) float64; 0 if there is only one frame, as in a photo.
        pause_after: positions of the frames followed by a pause, (P,) int64.
        setbacks: how often the time goes back.
        seen: the faces and hands; their `frame` is a position in this stretch.
        asked: whether faces, and hands, were looked for: 1 yes, 0 no, -1 if the records do not say, (N, 2) int8.
    """

    name: str
    number: NDArray[np.int64]
    time_s: Floats
    duration_s: Floats
    pause_after: NDArray[np.int64]
    setbacks: int
    seen: Detections
    asked: NDArray[np.int8]

    @property
    def frames(self) -> int:
        return len(self.time_s)

    @property
    def is_photo(self) -> bool:
        """Whether there is no time to measure, because there is a single frame or all have the same time."""
        return self.recorded_s == 0

    @property
    def recorded_s(self) -> float:
        """Seconds without the pauses."""
        return float(self.duration_s.sum())

    @property
    def begin_s(self) -> float:
        return float(self.time_s[0])

    @property
    def end_s(self) -> float:
        return float(self.time_s[-1] + self.duration_s[-1])

    @property
    def pauses_s(self) -> Floats:
        """Start and length of every pause, (P, 2) float64."""
        begin = self.time_s[self.pause_after] + self.duration_s[self.pause_after]
        return np.stack((begin, self.time_s[self.pause_after + 1] - begin), axis=1)

    @property
    def frames_a_second(self) -> float:
        """Frames per second of recorded time; 0 for a photo."""
        return self.frames / self.recorded_s if self.recorded_s else 0.0

    @property
    def passed_over(self) -> int:
        """Frames of the source between the first and the last one that were skipped."""
        return max(int(self.number.max() - self.number.min()) + 1 - len(np.unique(self.number)), 0)

    def of(self, task: str) -> Detections:
        """The faces (`emotion`) or the hands (`gesture`)."""
        return self.seen.where(self.seen.task == TASKS.index(task))

    def tracks(self, task: str) -> int:
        """How many tracks of faces, or of hands, there are."""
        seen = self.of(task)
        return len(np.unique(seen.track[seen.track > 0]))

    def frames_asked(self, task: str) -> int:
        """Frames in which faces, or hands, were looked for, as far as the records say."""
        return int((self.asked[:, TASKS.index(task)] != 0).sum())

    def frames_without(self, task: str) -> int:
        """Frames in which faces, or hands, were looked for but not found."""
        return self.frames_asked(task) - len(np.unique(self.of(task).frame))


@dataclass(frozen=True, slots=True, eq=False)
class LabelDurations:
    """Seconds in view by track and label.

    Args:
        tracks: their numbers, longest in view first, (T,) int64; 0 for detections without a track.
        seconds: (T, 2 L + 1) float64; of each label while it was sure, then of each while it was perhaps right; the
            last column is time that was unclear, or not read at all.
        first_s: when each track was first seen, (T,) float64.
        last_s: until when it was last seen, (T,) float64.
        side: 1 for a left hand, 2 for a right one, by majority, 0 for a face, (T,) int64.
    """

    tracks: NDArray[np.int64]
    seconds: Floats
    first_s: Floats
    last_s: Floats
    side: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """Uninterrupted periods of one certain label, or the events that stand for them, in order of time.

    Args:
        task: position in `TASKS`, (R,) int64.
        track: (R,) int64.
        label: the name, (R,) objects.
        start_s: (R,) float64.
        duration_s: (R,) float64.
    """

    task: NDArray[np.int64]
    track: NDArray[np.int64]
    label: NDArray[np.object_]
    start_s: Floats
    duration_s: Floats


def segments(session: Session) -> list[Segment]:
    """The session source by source, in order of appearance."""
    order = np.argsort(session.source, kind="stable")
    ends = np.cumsum(np.bincount(session.source, minlength=len(session.sources)))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    seen_order = np.argsort(place[session.seen.frame], kind="stable")
    seen = session.seen.where(seen_order)
    seen_place = place[seen.frame]
    is_named = session.model >= 0
    asked = np.where(is_named.any(axis=1, keepdims=True), is_named, -1).astype(np.int8)
    found = []
    for name, begin, end in zip(session.sources, [0, *ends[:-1]], ends, strict=True):
        first, last = np.searchsorted(seen_place, (begin, end))
        part = seen.where(np.arange(first, last))
        part.frame[:] = seen_place[first:last] - begin
        rows = order[begin:end]
        found.append(_stretch(shown(name), session.number[rows], session.time_s[rows], part, asked[rows]))
    return found


def shares(segment: Segment, seen: Detections, labels: int) -> LabelDurations:
    """Seconds in view of those faces or hands.

    Args:
        stretch: where they were seen.
        seen: of one task.
        labels: how many labels there are.
    """
    tracks, at = np.unique(seen.track, return_inverse=True)
    duration = segment.duration_s[seen.frame]
    seconds = np.zeros((len(tracks), 2 * labels + 1))
    np.add.at(seconds, (at, columns(seen, labels)), duration)
    first, last = np.full(len(tracks), np.inf), np.full(len(tracks), -np.inf)
    np.minimum.at(first, at, segment.time_s[seen.frame])
    np.maximum.at(last, at, segment.time_s[seen.frame] + duration)
    sides = np.zeros((len(tracks), 3), np.int64)
    np.add.at(sides, (at, seen.side), 1)
    order = np.argsort(-seconds.sum(axis=1), kind="stable")
    return LabelDurations(tracks[order], seconds[order], first[order], last[order], sides.argmax(axis=1)[order])


def columns(seen: Detections, labels: int) -> NDArray[np.int64]:
    """(M,) what each detection counts as: its label if that is sure, L + its label if it is perhaps right, else 2 L.

    Args:
        seen: faces or hands.
        labels: how many labels there are, L.
    """
    return np.asarray(np.where(seen.unclear, 2 * labels, seen.label + labels * seen.perhaps), np.int64)


def runs(segment: Segment, labels: tuple[str, ...]) -> Episodes:
    """Uninterrupted runs of frames in which a track shows the same certain label."""
    s = segment.seen
    s = s.where((s.track > 0) & ~s.uncertain & (s.label >= 0))
    s = s.where(np.lexsort((s.frame, s.track, s.task)))
    section = np.searchsorted(segment.pause_after, s.frame)
    same = [np.diff(values) == 0 for values in (s.task, s.track, s.label, section)]
    broken = ~np.logical_and.reduce([*same, np.diff(s.frame) <= 1])
    start = np.flatnonzero(np.concatenate((np.ones(min(len(s.frame), 1), np.bool_), broken)))
    duration = np.add.reduceat(segment.duration_s[s.frame], start) if len(start) else np.zeros(0)
    names = np.array([*labels, ""], np.object_)[s.label[start]]
    order = np.argsort(segment.time_s[s.frame[start]], kind="stable")
    task, track = s.task[start].astype(np.int64), s.track[start]
    return Episodes(task[order], track[order], names[order], segment.time_s[s.frame[start]][order], duration[order])


def runs_of_events(events: Iterable[Event], *, end_s: float) -> Episodes:
    """What events say: each label from its start or takeover to its replacement or end.

    Args:
        events: in order of time.
        end_s: when a label ends that has no end among the events.
    """
    open_: dict[tuple[str, int], tuple[str, float]] = {}
    rows: list[tuple[int, int, str, float, float]] = []
    for event in events:
        key = (event.task, event.track)
        held = open_.pop(key, None)
        if held is not None:
            rows.append((TASKS.index(event.task), event.track, *held, event.duration_s or event.time_s - held[1]))
        if event.kind != "end":
            open_[key] = (event.label, event.time_s)
    rows += [(TASKS.index(k), t, label, at, max(end_s - at, 0.0)) for (k, t), (label, at) in open_.items()]
    rows.sort(key=lambda row: row[3])
    columns = list(zip(*rows, strict=True)) or [()] * 5
    task, track = np.array(columns[0], np.int64), np.array(columns[1], np.int64)
    label = np.array(columns[2], np.object_)
    return Episodes(task, track, label, np.array(columns[3], np.float64), np.array(columns[4], np.float64))


def coverage(start_s: Floats, duration_s: Floats, edges_s: Floats, weight: Floats | None = None) -> Floats:
    """How much of each bin is filled by intervals.

    Args:
        start_s: of the intervals, ascending; they do not overlap.
        duration_s: of the intervals.
        edges_s: (B + 1,) of the bins, ascending.
        weight: of each interval; 1 by default.

    Returns:
        (B,) float64, from 0; 1 for a bin that is full of intervals of weight 1.
    """
    if not len(start_s):
        return np.zeros(len(edges_s) - 1)
    amount = duration_s if weight is None else duration_s * weight
    done = np.cumsum(amount)
    places = np.stack((start_s, start_s + duration_s), axis=1).ravel()
    amounts = np.stack((done - amount, done), axis=1).ravel()
    share: Floats = np.diff(np.interp(edges_s, places, amounts)) / np.diff(edges_s)
    share[share < _NOTHING] = 0.0  # rounding errors between intervals count as nothing
    return share


def _stretch(
    name: str, number: NDArray[np.int64], time_s: Floats, seen: Detections, asked: NDArray[np.int8]
) -> Segment:
    steps = np.diff(time_s)
    forward = steps[steps > 0]
    usual = float(np.median(forward)) if len(forward) else 0.0
    setbacks = steps < 0
    if setbacks.any():
        seen = _told_apart(seen, np.concatenate(([0], np.cumsum(setbacks)))[seen.frame])
    steps = np.where(setbacks, usual, steps)
    time_s = time_s[0] + np.concatenate(([0.0], np.cumsum(steps))) if setbacks.any() else time_s
    is_pause = steps > max(_LONGEST_PAUSE_S, _LONGEST_PAUSE_FRAMES * usual)
    duration = np.concatenate((np.where(is_pause, usual, steps), [usual]))
    return Segment(name, number, time_s, duration, np.flatnonzero(is_pause), int(setbacks.sum()), seen, asked)


def _told_apart(seen: Detections, run: NDArray[np.int64]) -> Detections:
    """Keep track numbers distinct across program runs: the first face today need not be yesterday's.

    Args:
        seen: in order of time.
        run: of each of them, (M,) int64, never decreasing.
    """
    track = seen.track.copy()
    for task in range(len(TASKS)):
        mine = seen.task == task
        highest = np.zeros(int(run.max(initial=0)) + 1, np.int64)
        np.maximum.at(highest, run[mine], track[mine])
        before = np.concatenate(([0], np.cumsum(highest)[:-1]))
        track[mine] += np.where(track[mine] > 0, before[run[mine]], 0)
    return replace(seen, track=track)
