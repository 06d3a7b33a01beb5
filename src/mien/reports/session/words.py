"""The text of a session's page: what a face looked like or a hand showed, and for how long; never what people felt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.labels import EMOTIONS_8, GESTURES
from mien.records.session import Detections
from mien.reports.session.plots import UNSURE, clock
from mien.reports.session.times import LabelDurations, columns
from mien.words import words as spoken

KINDS = {"emotion": ("face", "faces", "person"), "gesture": ("hand", "hands", "hand")}
"""Singular, plural, and what a track is called."""

VERBS = {"emotion": "looked", "gesture": "showed"}

CAVEATS = (
    (
        "An expression is not a feeling. Facial movements do not reliably reveal emotions (Barrett et al. 2019). This "
        "page says what faces looked like to a model that is often wrong; do not make decisions about people with it."
    ),
    (
        "A person here is a track number, not somebody who was identified. The number stays with a face while it is in "
        "view, and may change when somebody leaves and returns, is hidden, or crosses another person: the same person "
        "may have several numbers. Hands have their own numbers, and nothing shows whose they are."
    ),
)
"""What the figures do not mean."""

COUNTING = (
    (
        "A frame stands for the time until the next one. If that is longer than a second and than five times the usual "
        "spacing, nothing was recorded: a pause, which counts for nobody."
    ),
    "Time in view is the time in which a face or hand was found; two faces in view for a second are two seconds.",
    (
        "A label without a word before it was sure. Perhaps: people might say so too, but it is below the model's "
        "threshold. Unclear: below that as well; no label gets this time."
    ),
    "A frame was skipped because of --every, or because a live source was faster than the machine.",
)
"""How the figures were obtained."""


def person(task: str, track: int, side: int = 0) -> str:
    """Who a track is: "person 1", "hand 2 (right)"."""
    name = f"{KINDS[task][2]} {track}" if track else f"{KINDS[task][1]} without a number"
    return f"{name} ({('left', 'right')[side - 1]})" if track and side else name


def shown(task: str, label: str) -> str:
    """What a label looks like: "afraid", "victory", "no known gesture"."""
    return spoken().label(task, label)


def duration(seconds: float) -> str:
    """A duration: "0.2 s", "12.4 s", "3 min 05 s", "2 h 40 min"."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def percent(part: float, whole: float) -> str:
    """A share: "31 %", "0.4 %"; a dash if the whole is nothing."""
    if whole <= 0:
        return "-"
    share = 100 * part / whole
    if 0 < share < 0.05:
        return "under 0.1 %"
    return f"{share:.1f} %" if 0 < share < 0.95 else f"{share:.0f} %"


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
        return UNSURE
    before = "perhaps " if position >= len(labels) else ""
    return f"{before}{shown(task, labels[position % len(labels)])}"


def sentence(task: str, shares: LabelDurations, row: int, labels: Sequence[str]) -> str:
    """One track in words: "Person 1 was in view for 40.2 s (0:03 to 0:45); looked happy for 12.4 s (31 %), ..."."""
    seconds = shares.seconds[row]
    whole = float(seconds.sum())
    who = person(task, int(shares.tracks[row]), int(shares.side[row]))
    verb = "were" if not shares.tracks[row] else "was"
    span = f"{clock(shares.first_s[row], tenths=True)} to {clock(shares.last_s[row], tenths=True)}"
    told = [
        f"{counted(task, i, labels)} for {duration(seconds[i])} ({percent(seconds[i], whole)})"
        for i in _longest(seconds, len(labels))
        if seconds[i] > 0
    ]
    words = f"{who[0].upper()}{who[1:]} {verb} in view for {duration(whole)} ({span})"
    if told:
        words += f"; {VERBS[task]} {', '.join(told)}"
    if seconds[-1] > 0:
        words += f"; {UNSURE} for {duration(seconds[-1])} ({percent(seconds[-1], whole)})"
    return f"{words}."


def still(task: str, seen: Detections, labels: Sequence[str]) -> str:
    """What a photo shows: "looks happy (91 %)", "2 look happy, 1 perhaps sad, 1 unclear"; a dash for nothing.

    Args:
        task: `emotion` or `gesture`.
        seen: its faces, or its hands.
        labels: all labels.
    """
    verbs = ("looks", "look") if task == "emotion" else ("shows", "show")
    positions = columns(seen, len(labels)).tolist()

    def words(position: int, number: int) -> str:
        named = counted(task, position, labels)
        return named if position >= len(labels) else f"{verbs[number > 1]} {named}"

    if not len(seen.frame):
        return "-"
    if len(seen.frame) == 1:
        only = words(positions[0], 1)
        return only if seen.unclear[0] else f"{only} ({100 * seen.confidence[0]:.0f} %)"
    return ", ".join(f"{number} {words(at, number)}" for at, number in Counter(positions).most_common())


def _longest(seconds: NDArray[np.float64], labels: int) -> list[int]:
    """Positions but the last, sure ones first, longest first."""
    parts = (seconds[:labels], seconds[labels : 2 * labels])
    return [n * labels + int(i) for n, part in enumerate(parts) for i in np.argsort(-part, kind="stable")]
