"""The text of a session's page: what a face looked like or a hand showed, and for how long; never what people felt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.labels import EMOTIONS_8, GESTURES
from mien.records.session import Detections
from mien.reports.session.plots import clock
from mien.reports.session.times import LabelDurations, columns
from mien.words import say, words


def person(task: str, track: int, side: int = 0) -> str:
    """Who a track is: "person 1", "hand 2 (right)"."""
    if not track:
        return say(f"report.{task}.nobody")
    name = say(f"report.{task}.person", track=track)
    return say("report.sided", who=name, side=say(f"side.{('left', 'right')[side - 1]}")) if side else name


def duration(seconds: float) -> str:
    """A duration: "0.2 s", "12.4 s", "3 min 05 s", "2 h 40 min"."""
    if seconds < 59.95:
        return say("seconds", seconds=seconds)
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return say("report.minutes", minutes=minutes, seconds=rest)
    return say("report.hours", hours=minutes // 60, minutes=minutes % 60)


def percent(part: float, whole: float) -> str:
    """A share: "31 %", "0.4 %"; a dash if the whole is nothing."""
    if whole <= 0:
        return "-"
    share = 100 * part / whole
    if 0 < share < 0.05:
        return say("report.percent_least")
    return say("report.percent_tenths" if 0 < share < 0.95 else "percent", share=share)


def occurring(task: str, amounts: NDArray[np.float64], labels: Sequence[str]) -> list[int]:
    """Positions of the labels that have an amount, in the order of the task's own set, foreign ones last.

    Args:
        task: `emotion` or `gesture`.
        amounts: (2 L + 1,) by the positions of `columns`; the last is of what was unclear, and comes at the end.
        labels: all L labels.
    """
    known = EMOTIONS_8.labels if task == "emotion" else GESTURES.labels
    rank = {label: place for place, label in enumerate(known)}
    there = [int(i) for i in np.flatnonzero(amounts[:-1])]
    order = sorted(there, key=lambda i: (i >= len(labels), rank.get(labels[i % len(labels)], len(rank)), i))
    return [*order, 2 * len(labels)] if amounts[-1] else order


def counted(task: str, position: int, labels: Sequence[str]) -> str:
    """What a position of `columns` stands for: "happy", "perhaps sad", "unclear"."""
    if position == 2 * len(labels):
        return say("report.unclear")
    word = words().label(task, labels[position % len(labels)])
    return say("report.perhaps", word=word) if position >= len(labels) else word


def told(task: str, position: int, labels: Sequence[str]) -> str:
    """What somebody did with a position of `columns`: "looked happy", "looked perhaps sad", "unclear"."""
    if position == 2 * len(labels):
        return say("report.unclear")
    grade = "perhaps" if position >= len(labels) else "sure"
    return say(f"report.{task}.{grade}", word=words().label(task, labels[position % len(labels)], grade))


def sentence(task: str, shares: LabelDurations, row: int, labels: Sequence[str]) -> str:
    """One track in words: "Person 1 was in view for 40.2 s (0:03 to 0:45); looked happy for 12.4 s (31 %), ..."."""
    seconds = shares.seconds[row]
    whole = float(seconds.sum())
    who = person(task, int(shares.tracks[row]), int(shares.side[row]))
    begin, end = clock(shares.first_s[row], tenths=True), clock(shares.last_s[row], tenths=True)
    key = "report.in_view" if shares.tracks[row] else "report.in_view_several"
    parts = [say(key, who=f"{who[0].upper()}{who[1:]}", duration=duration(whole), begin=begin, end=end)]
    each = [_lasted(task, i, seconds, labels) for i in _longest(seconds, len(labels)) if seconds[i] > 0]
    if each:
        parts.append(say(f"report.{task}.looked", each=words().join("clauses", each)))
    if seconds[-1] > 0:
        parts.append(_lasted(task, len(seconds) - 1, seconds, labels))
    return say("report.sentence", parts=words().join("parts", parts))


def _lasted(task: str, position: int, seconds: NDArray[np.float64], labels: Sequence[str]) -> str:
    share = percent(seconds[position], float(seconds.sum()))
    return say("report.lasted", what=counted(task, position, labels), duration=duration(seconds[position]), share=share)


def still(task: str, seen: Detections, labels: Sequence[str]) -> str:
    """What a photo shows: "looks happy (91 %)", "2 look happy, 1 perhaps sad, 1 unclear"; a dash for nothing.

    Args:
        task: `emotion` or `gesture`.
        seen: its faces, or its hands.
        labels: all labels.
    """
    positions = columns(seen, len(labels)).tolist()

    def looks(position: int, number: int) -> str:
        if position >= len(labels):
            return counted(task, position, labels)
        return say(f"report.{task}.looks", n=number, word=words().label(task, labels[position], "sure"))

    if not len(seen.frame):
        return "-"
    if len(seen.frame) == 1:
        only = looks(positions[0], 1)
        share = say("percent", share=100 * seen.confidence[0])
        return only if seen.unclear[0] else say("report.with_share", what=only, share=share)
    each = [
        say(f"report.{task}.several", number=number, looks=looks(at, number))
        for at, number in Counter(positions).most_common()
    ]
    return words().join("clauses", each)


def _longest(seconds: NDArray[np.float64], labels: int) -> list[int]:
    """Positions but the last, sure ones first, longest first."""
    parts = (seconds[:labels], seconds[labels : 2 * labels])
    return [n * labels + int(i) for n, part in enumerate(parts) for i in np.argsort(-part, kind="stable")]
