"""The timeline of a source: which labels each person showed when, in bins that fit on a page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.records.session import Detections
from mien.reports.session.plots import UNSURE, Panel
from mien.reports.session.times import Floats, LabelDurations, Segment, columns, coverage
from mien.reports.session.words import counted, duration, occurring, percent, person
from mien.words import say

MOST_PANELS = 8
"""At most this many people, those longest in view, get their own panel."""

MOST_BINS = 1500

_BUDGET = 60_000
_SMALL_PART = 0.2


def panels_of(segment: Segment, task: str, found: LabelDurations, labels: Sequence[str]) -> tuple[list[Panel], bool]:
    """A panel for all together, if there are several, and one for each of those longest in view, as they appeared.

    If these were in view for small parts of a long session, each panel shows its own part of the time.

    Args:
        stretch: what was recorded.
        task: `emotion` or `gesture`; something of it was seen.
        found: the seconds of its tracks.
        labels: all labels.

    Returns:
        The panels, and whether each shows its own part.
    """
    seen = segment.of(task)
    chosen = np.argsort(found.first_s[:MOST_PANELS], kind="stable")
    spans = found.last_s[chosen] - found.first_s[chosen]
    is_zoomed = bool(np.median(spans) < _SMALL_PART * (segment.end_s - segment.begin_s))
    rows = int(np.count_nonzero(found.seconds[chosen])) + len(labels) + 1
    bins = min(MOST_BINS, _BUDGET // rows)
    panels = []
    if len(found.tracks) > 1:
        whole = float(found.seconds.sum())
        title = say(f"report.{task}.all_tracks", n=len(found.tracks), duration=duration(whole))
        edges = _edges(segment, segment.begin_s, segment.end_s, bins)
        panels.append(_panel(segment, seen, edges, title, found.seconds.sum(axis=0), task, labels))
    for row in chosen:
        begin, end = (found.first_s[row], found.last_s[row]) if is_zoomed else (segment.begin_s, segment.end_s)
        who = person(task, int(found.tracks[row]), int(found.side[row]))
        title = say("report.track", who=who, duration=duration(found.seconds[row].sum()))
        mine = seen.where(seen.track == found.tracks[row])
        edges = _edges(segment, float(begin), float(end), bins)
        panels.append(_panel(segment, mine, edges, title, found.seconds[row], task, labels))
    return panels, is_zoomed


def _panel(
    segment: Segment, seen: Detections, edges_s: Floats, title: str, seconds: Floats, task: str, labels: Sequence[str]
) -> Panel:
    """Rows are shares of the time in view while one face fills a bin; with several faces, of their total time."""
    positions = columns(seen, len(labels))
    in_view = _filled(segment, seen.frame, edges_s)
    rows = []
    for i in occurring(task, seconds, labels):
        share = _filled(segment, seen.frame[positions == i], edges_s)
        label = UNSURE if i == 2 * len(labels) else labels[i % len(labels)]
        rows.append(
            (
                f"{counted(task, i, labels)}  {percent(seconds[i], seconds.sum())}",
                label,
                share / np.maximum(in_view, 1.0),
            )
        )
    return Panel(title, edges_s, np.minimum(in_view, 1.0), rows)


def _filled(segment: Segment, frames: NDArray[np.int64], edges_s: Floats) -> Floats:
    """How many faces fill each bin; `frames` has a position for every face."""
    counts = np.bincount(frames, minlength=segment.frames)
    at = np.flatnonzero(counts)
    return coverage(segment.time_s[at], segment.duration_s[at], edges_s, counts[at].astype(np.float64))


def _edges(segment: Segment, begin_s: float, end_s: float, most: int) -> Floats:
    """Edges of the bins; no more bins than frames."""
    frames = int(np.searchsorted(segment.time_s, end_s) - np.searchsorted(segment.time_s, begin_s))
    return np.linspace(begin_s, end_s, max(min(most, frames), 1) + 1)
