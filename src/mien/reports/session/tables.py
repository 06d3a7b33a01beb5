"""The tables of a session's page, as rows of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.labels import TASKS
from mien.reports.session.plots import clock
from mien.reports.session.times import Episodes, Floats, LabelDurations, Segment, columns
from mien.reports.session.words import KINDS, VERBS, counted, duration, occurring, percent, person, shown, still

Row = tuple[str, ...]

MOST_ROWS = 30
"""At most this many people, or events, in a table."""

OVERVIEW = ("source", "frames", "recorded", "frames per second", "without a face", "without a hand", "people", "hands")
RUNS = ("event", "times", "of 1 s or more", "median", "longest", "together")
LONGEST = ("from", "who", "what", "for")

_MOST_LONGEST = 10


def overview_row(part: Segment) -> Row:
    """One source among several."""
    return (
        part.name,
        f"{part.frames:,}",
        "-" if part.is_photo else duration(part.recorded_s),
        "-" if part.is_photo else f"{part.frames_a_second:.1f}",
        *(percent(part.frames_without(task), part.frames_asked(task)) for task in TASKS),
        *(f"{part.tracks(task):,}" if part.frames_asked(task) else "-" for task in TASKS),
    )


def total_rows(task: str, seconds: Floats, labels: Sequence[str]) -> list[Row]:
    """Time and share of each label; empty if nothing was in view.

    Args:
        task: `emotion` or `gesture`.
        seconds: (2 L + 1,) by the positions of `columns`.
        labels: all labels.
    """
    whole = float(seconds.sum())
    rows = [
        (_what(task, i, labels), duration(seconds[i]), percent(seconds[i], whole))
        for i in occurring(task, seconds, labels)
    ]
    return [*rows, ("together", duration(whole), "")] if rows else []


def person_rows(part: Segment, task: str, found: LabelDurations, labels: Sequence[str]) -> list[Row]:
    """The header, and one row for each of the tracks longest in view."""
    order = occurring(task, found.seconds.sum(axis=0), labels)
    names = [counted(task, i, labels) for i in order]
    rows: list[Row] = [(KINDS[task][2], "first seen", "last seen", "in view", "of the session", *names)]
    for row in range(min(len(found.tracks), MOST_ROWS)):
        seconds = found.seconds[row]
        whole = float(seconds.sum())
        cells = (
            person(task, int(found.tracks[row]), int(found.side[row])),
            clock(found.first_s[row], tenths=True),
            clock(found.last_s[row], tenths=True),
            duration(whole),
            percent(whole, part.recorded_s),
            *(percent(seconds[i], whole) for i in order),
        )
        rows.append(tuple(cell.replace(" ", "\u00a0") for cell in cells))
    return rows


def run_rows(found: Episodes) -> list[Row]:
    """How often each label held, and how long."""
    rows: list[Row] = []
    for code, task in enumerate(TASKS):
        for label in dict.fromkeys(found.label[found.task == code].tolist()):
            held = found.duration_s[(found.task == code) & (found.label == label)]
            figures = (duration(float(value)) for value in (np.median(held), held.max(), held.sum()))
            rows.append((f"{VERBS[task]} {shown(task, label)}", f"{len(held):,}", f"{(held >= 1).sum():,}", *figures))
    return rows


def longest_rows(found: Episodes) -> list[Row]:
    """The ten that held longest, in order of time."""
    rows: list[Row] = []
    for i in np.sort(np.argsort(-found.duration_s, kind="stable")[:_MOST_LONGEST]):
        task = TASKS[found.task[i]]
        what = f"{VERBS[task]} {shown(task, found.label[i])}"
        held = duration(float(found.duration_s[i]))
        rows.append((clock(float(found.start_s[i]), tenths=True), person(task, int(found.track[i])), what, held))
    return rows


def frame_rows(part: Segment) -> list[Row]:
    """Which frames there are, and what is missing."""
    lost = part.pauses_s[:, 1]
    faces, hands = (part.of(task) for task in TASKS)
    found = [str(np.bincount(seen.frame).max()) if len(seen.frame) else "0" for seen in (faces, hands)]
    most = [number if part.frames_asked(task) else "-" for number, task in zip(found, TASKS, strict=True)]
    passed = part.passed_over
    return [
        ("frames looked at", f"{part.frames:,}"),
        ("from, to", f"{clock(part.begin_s, tenths=True)}, {clock(part.end_s, tenths=True)}"),
        ("recorded, without pauses", duration(part.recorded_s)),
        ("frames per second", f"{part.frames_a_second:.1f}"),
        ("frames of the source skipped", _of(passed, passed + part.frames)),
        ("pauses without frames", f"{len(lost):,}, together {duration(float(lost.sum()))}" if len(lost) else "none"),
        ("frames without a face", _without(part, "emotion")),
        ("frames without a hand", _without(part, "gesture")),
        ("faces that were unclear", _of(int(faces.unclear.sum()), len(faces.frame))),
        ("hands that were unclear", _of(int(hands.unclear.sum()), len(hands.frame))),
        ("most faces, most hands in one frame", f"{most[0]}, {most[1]}"),
    ]


def photo_totals(task: str, photos: Sequence[Segment], labels: Sequence[str]) -> list[Row]:
    """How many faces or hands of photos show each label."""
    counts = np.zeros(2 * len(labels) + 1, np.float64)
    for part in photos:
        seen = part.of(task)
        np.add.at(counts, columns(seen, len(labels)), 1)
    return [
        (_what(task, i, labels), f"{counts[i]:,.0f}", percent(counts[i], counts.sum()))
        for i in occurring(task, counts, labels)
    ]


def photo_rows(photos: Sequence[Segment], labels: Sequence[str]) -> list[Row]:
    """What each photo shows."""

    def cell(part: Segment, task: str) -> str:
        return still(task, part.of(task), labels) if part.frames_asked(task) else "not looked for"

    return [(part.name, *(cell(part, task) for task in TASKS)) for part in photos]


def _what(task: str, label: int, labels: Sequence[str]) -> str:
    named = counted(task, label, labels)
    return named if label == 2 * len(labels) else f"{VERBS[task]} {named}"


def _without(part: Segment, task: str) -> str:
    asked = part.frames_asked(task)
    return _of(part.frames_without(task), asked) if asked else "not looked for"


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({percent(part, whole)})" if whole else "-"
