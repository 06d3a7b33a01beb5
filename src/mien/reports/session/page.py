"""A page about a session: who looked like what, when and for how long; which frames there are and which not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mien import __version__
from mien.labels import TASKS
from mien.outputs.lettering.fonts import drawn_words
from mien.records.session import Session
from mien.reports.page import Page
from mien.reports.session.models import model_rows, model_sentences
from mien.reports.session.plots import clock, rate_figure, timeline_figure
from mien.reports.session.tables import (
    MOST_ROWS,
    frame_rows,
    longest_rows,
    overview_row,
    person_rows,
    photo_rows,
    photo_totals,
    run_rows,
    total_rows,
)
from mien.reports.session.timeline import MOST_PANELS, panels_of
from mien.reports.session.times import (
    Episodes,
    Floats,
    LabelDurations,
    Segment,
    runs,
    runs_of_events,
    segments,
    shares,
)
from mien.reports.session.words import duration, person, sentence
from mien.scene import Event
from mien.stages.baseline import NEUTRAL
from mien.words import language, say, words

MOST_SECTIONS = 6
"""At most this many videos, the longest ones, get their own section."""

MOST_SOURCES = 200
"""At most this many sources, or photos, in a table."""

_MOST_SENTENCES = 5
_MOST_PAUSES = 10
_RATE_BINS = 300
_FILES = {"emotion": "faces", "gesture": "hands"}
"""What the files of the figures are called, in any language."""


def session_report(
    session: Session, *, events: Sequence[Event] | None = None, on_step: Callable[[int], None] | None = None
) -> Page:
    """The page of a session.

    Args:
        session: from `read_session`.
        events: of the same session; if missing, they are computed from the records.
        on_step: called with the number of videos drawn.
    """
    parts = segments(session)
    photos = [part for part in parts if part.is_photo]
    videos = [part for part in parts if not part.is_photo]
    frames, sources = say("count.frames", n=len(session.time_s)), say("count.sources", n=len(parts))
    about = say("report.about", frames=frames, sources=sources, version=__version__)
    page = Page(say("report.title", name=session.name), about=about, language=language())
    for caveat in words().all("report.caveats"):
        page.note(caveat)
    if len(parts) > 1:
        _add_overview(page, parts, videos, session.labels)
    longest = sorted(sorted(range(len(videos)), key=lambda i: -videos[i].recorded_s)[:MOST_SECTIONS])
    if len(videos) > len(longest):
        page.paragraph(say("report.longest_videos", number=len(longest), n=len(videos)))
    for number, i in enumerate(longest, 1):
        _add_video(page, videos[i], session.labels, name=str(number), with_runs=events is None)
        if on_step is not None:
            on_step(number)
    if photos:
        _add_photos(page, photos, session.labels)
    if events is not None:
        page.heading(say("report.events"))
        page.paragraph(say("report.events_from_file"))
        _add_runs(page, runs_of_events(events, end_s=max((part.end_s for part in videos), default=0.0)))
    _add_models(page, session, events)
    page.heading(say("report.counting_heading"))
    key = "report.records" if events is None else "report.records_and_events"
    page.bullets([say(key, name=session.name, frames=frames), *words().all("report.counting")])
    return page


def _add_models(page: Page, session: Session, events: Sequence[Event] | None) -> None:
    page.heading(say("report.models"))
    rows = model_rows(session)
    if rows:
        page.table(words().all("report.model_columns"), rows, caption=say("report.what_answered"))
    for sentence_ in model_sentences(session, events):
        page.note(sentence_)


def _add_overview(page: Page, parts: Sequence[Segment], videos: Sequence[Segment], labels: Sequence[str]) -> None:
    page.heading(say("report.overview_heading"))
    page.table(words().all("report.overview"), [overview_row(part) for part in parts[:MOST_SOURCES]])
    if len(parts) > MOST_SOURCES:
        page.paragraph(say("report.more_sources", n=len(parts) - MOST_SOURCES))
    if len(videos) > 1:
        for task in TASKS:
            each = [shares(part, part.of(task), len(labels)).seconds.sum(axis=0) for part in videos]
            _add_totals(page, task, np.sum(each, axis=0), labels, "totals_of_all")


def _add_video(page: Page, part: Segment, labels: tuple[str, ...], *, name: str, with_runs: bool) -> None:
    page.heading(part.name or say("report.session"))
    for task in TASKS:
        seen = part.of(task)
        if not len(seen.frame):
            page.paragraph(_nothing(part, task))
            continue
        found = shares(part, seen, len(labels))
        _add_timeline(page, part, task, found, labels, name=name)
        page.bullets([sentence(task, found, row, labels) for row in range(min(len(found.tracks), _MOST_SENTENCES))])
        _add_totals(page, task, found.seconds.sum(axis=0), labels, "totals")
        header, *rows = person_rows(part, task, found, labels)
        page.table(header, rows, caption=say(f"report.{task}.by_person"))
        if len(found.tracks) > MOST_ROWS:
            rest = duration(float(found.seconds[MOST_ROWS:].sum()))
            page.paragraph(say("report.more_people", number=len(found.tracks) - MOST_ROWS, duration=rest))
    if with_runs and len(part.seen.frame):
        page.paragraph(say("report.events_from_records"))
        _add_runs(page, runs(part, labels))
    _add_changes(page, part, labels)
    _add_frames(page, part, name)


def _add_changes(page: Page, part: Segment, labels: tuple[str, ...]) -> None:
    """Where faces that were read relative to their own neutral one were anything else."""
    seen = part.seen
    if not seen.baseline.any():
        return
    neutral = labels.index(NEUTRAL) if NEUTRAL in labels else -1
    whose = sorted({int(track) for track in seen.track[seen.baseline]})
    read = float(part.duration_s[seen.frame[seen.baseline]].sum())
    people = words().join("items", [person("emotion", track) for track in whose])
    page.paragraph(say("report.relative", duration=duration(read), people=people))
    found = runs(replace(part, seen=seen.where(seen.baseline & (seen.label != neutral))), labels)
    rows = longest_rows(found)
    if rows:
        page.table(words().all("report.longest"), rows, caption=say("report.changes", number=len(rows)))
    else:
        page.paragraph(say("report.no_change"))


def _nothing(part: Segment, task: str) -> str:
    """Why a segment has no face, or no hand."""
    asked = part.asked[:, TASKS.index(task)]
    if not asked.any():
        return say(f"report.{task}.not_asked")
    if (asked < 0).any():
        return say(f"report.{task}.none_maybe")
    return say(f"report.{task}.none") if asked.all() else say(f"report.{task}.none_in", n=int(asked.sum()))


def _add_timeline(
    page: Page, part: Segment, task: str, found: LabelDurations, labels: Sequence[str], *, name: str
) -> None:
    with drawn_words():
        panels, is_zoomed = panels_of(part, task, found, labels)
    title = say(f"report.{task}.over_time")
    if len(found.tracks) > MOST_PANELS:
        title = say("report.for_longest", title=title, number=MOST_PANELS)
    if is_zoomed:
        title = say(f"report.{task}.zoomed", title=title)
    widths = [float(np.diff(panel.edges_s[:2])[0]) for panel in panels]
    sizes = dict.fromkeys(say("report.bin", seconds=width) for width in (min(widths), max(widths)))
    size = words().join("range", list(sizes))
    caption = say(f"report.{task}.timeline", title=title, size=size)
    with drawn_words():
        page.figure(timeline_figure(panels, part.pauses_s), name=f"{_FILES[task]}{name}", caption=caption)


def _add_totals(page: Page, task: str, seconds: Floats, labels: Sequence[str], caption: str) -> None:
    rows = total_rows(task, seconds, labels)
    if rows:
        header = (say(f"report.{task}.many"), *words().all("report.time_and_share"))
        page.table(header, rows, caption=say(f"report.{task}.{caption}"))


def _add_runs(page: Page, found: Episodes) -> None:
    if not len(found.label):
        page.paragraph(say("report.no_event"))
        return
    page.table(words().all("report.runs"), run_rows(found), caption=say("report.runs_caption"))
    rows = longest_rows(found)
    page.table(words().all("report.longest"), rows, caption=say("report.longest_caption", number=len(rows)))


def _add_frames(page: Page, part: Segment, name: str) -> None:
    page.table((say("report.frame_column"), ""), frame_rows(part), caption=say("report.frame_caption"))
    if part.setbacks:
        page.note(say("report.setbacks", n=part.setbacks))
    pauses = part.pauses_s
    whole = part.end_s - part.begin_s
    bins = max(1, min(_RATE_BINS, part.frames // 10, int(whole)))
    if bins > 1:
        edges = np.linspace(part.begin_s, part.end_s, bins + 1)
        rate = np.histogram(part.time_s, edges)[0] / np.diff(edges)
        caption = say("report.rate", size=say("report.bin", seconds=whole / bins))
        with drawn_words():
            page.figure(rate_figure(rate, edges, pauses), name=f"rate{name}", caption=caption)
    longest = np.sort(np.argsort(-pauses[:, 1], kind="stable")[:_MOST_PAUSES])
    named = [(duration(pauses[i, 1]), clock(pauses[i, 0], tenths=True)) for i in longest]
    page.bullets([say("report.pause", duration=length, begin=begin) for length, begin in named])
    if len(pauses) > _MOST_PAUSES:
        page.paragraph(say("report.more_pauses", number=_MOST_PAUSES, whole=len(pauses)))


def _add_photos(page: Page, photos: Sequence[Segment], labels: Sequence[str]) -> None:
    page.heading(say("report.photos"))
    for task in TASKS:
        rows = photo_totals(task, photos, labels)
        if rows:
            header = (say(f"report.{task}.many"), *words().all("report.count_and_share"))
            page.table(header, rows, caption=say(f"report.{task}.in_photos", n=len(photos)))
    page.table(words().all("report.photo_columns"), photo_rows(photos[:MOST_SOURCES], labels))
    if len(photos) > MOST_SOURCES:
        page.paragraph(say("report.more_photos", n=len(photos) - MOST_SOURCES))
