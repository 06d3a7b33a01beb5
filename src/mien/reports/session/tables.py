"""The tables of a session's page, as rows of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.labels import TASKS
from mien.reports.session.plots import clock
from mien.reports.session.times import Episodes, Floats, LabelDurations, Segment, columns
from mien.reports.session.words import counted, duration, occurring, percent, person, still, told
from mien.words import say, words

Row = tuple[str, ...]

MOST_ROWS = 30
"""At most this many people, or events, in a table."""

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
        (told(task, i, labels), duration(seconds[i]), percent(seconds[i], whole))
        for i in occurring(task, seconds, labels)
    ]
    return [*rows, (say("report.together"), duration(whole), "")] if rows else []


def person_rows(part: Segment, task: str, found: LabelDurations, labels: Sequence[str]) -> list[Row]:
    """The header, and one row for each of the tracks longest in view."""
    order = occurring(task, found.seconds.sum(axis=0), labels)
    names = [counted(task, i, labels) for i in order]
    rows: list[Row] = [(say(f"report.{task}.who"), *words().all("report.by_person"), *names)]
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
            rows.append((_held(task, label), f"{len(held):,}", f"{(held >= 1).sum():,}", *figures))
    return rows


def longest_rows(found: Episodes) -> list[Row]:
    """The ten that held longest, in order of time."""
    rows: list[Row] = []
    for i in np.sort(np.argsort(-found.duration_s, kind="stable")[:_MOST_LONGEST]):
        task = TASKS[found.task[i]]
        held = duration(float(found.duration_s[i]))
        who = person(task, int(found.track[i]))
        rows.append((clock(float(found.start_s[i]), tenths=True), who, _held(task, found.label[i]), held))
    return rows


def frame_rows(part: Segment) -> list[Row]:
    """Which frames there are, and what is missing."""
    lost = part.pauses_s[:, 1]
    faces, hands = (part.of(task) for task in TASKS)
    found = [str(np.bincount(seen.frame).max()) if len(seen.frame) else "0" for seen in (faces, hands)]
    most = [number if part.frames_asked(task) else "-" for number, task in zip(found, TASKS, strict=True)]
    passed = part.passed_over
    pauses = say("report.pauses", n=len(lost), duration=duration(float(lost.sum())))
    join = words().join
    values = (
        f"{part.frames:,}",
        join("items", [clock(part.begin_s, tenths=True), clock(part.end_s, tenths=True)]),
        duration(part.recorded_s),
        f"{part.frames_a_second:.1f}",
        _of(passed, passed + part.frames),
        pauses if len(lost) else say("report.no_pause"),
        _without(part, "emotion"),
        _without(part, "gesture"),
        *(_of(int(which.sum()), len(seen.frame)) for seen in (faces, hands) for which in (seen.unsure, seen.unclear)),
        join("items", most),
    )
    return list(zip(words().all("report.frame_facts"), values, strict=True))


def photo_totals(task: str, photos: Sequence[Segment], labels: Sequence[str]) -> list[Row]:
    """How many faces or hands of photos show each label."""
    counts = np.zeros(2 * len(labels) + 1, np.float64)
    for part in photos:
        seen = part.of(task)
        np.add.at(counts, columns(seen, len(labels)), 1)
    return [
        (told(task, i, labels), f"{counts[i]:,.0f}", percent(counts[i], counts.sum()))
        for i in occurring(task, counts, labels)
    ]


def photo_rows(photos: Sequence[Segment], labels: Sequence[str]) -> list[Row]:
    """What each photo shows."""

    def cell(part: Segment, task: str) -> str:
        return still(task, part.of(task), labels) if part.frames_asked(task) else say("report.not_looked_for")

    return [(part.name, *(cell(part, task) for task in TASKS)) for part in photos]


def _held(task: str, label: str) -> str:
    return say(f"report.{task}.sure", word=words().label(task, label, "sure"))


def _without(part: Segment, task: str) -> str:
    asked = part.frames_asked(task)
    return _of(part.frames_without(task), asked) if asked else say("report.not_looked_for")


def _of(part: int, whole: int) -> str:
    return say("report.part_of", part=part, whole=whole, share=percent(part, whole)) if whole else "-"
