"""A page about a session: who looked like what, when and for how long; which frames there are and which not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mien import __version__
from mien.labels import TASKS
from mien.records.session import Session
from mien.reports.page import Page
from mien.reports.session.models import MODELS, model_rows, model_sentences
from mien.reports.session.plots import clock, rate_figure, timeline_figure
from mien.reports.session.tables import (
    LONGEST,
    MOST_ROWS,
    OVERVIEW,
    RUNS,
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
from mien.reports.session.words import CAVEATS, COUNTING, KINDS, duration, person, sentence
from mien.scene import Event
from mien.stages.baseline import NEUTRAL
from mien.wording import count

MOST_SECTIONS = 6
"""At most this many videos, the longest ones, get their own section."""

MOST_SOURCES = 200
"""At most this many sources, or photos, in a table."""

_MOST_SENTENCES = 5
_MOST_PAUSES = 10
_RATE_BINS = 300


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
    about = f"{count(len(session.time_s), 'frame')} of {count(len(parts), 'source')}; page by mien {__version__}."
    page = Page(f"Session {session.name}", about=about)
    for caveat in CAVEATS:
        page.note(caveat)
    if len(parts) > 1:
        _add_overview(page, parts, videos, session.labels)
    longest = sorted(sorted(range(len(videos)), key=lambda i: -videos[i].recorded_s)[:MOST_SECTIONS])
    if len(videos) > len(longest):
        page.paragraph(f"The {len(longest)} longest of {count(len(videos), 'video')} each have a section.")
    for number, i in enumerate(longest, 1):
        _add_video(page, videos[i], session.labels, name=str(number), with_runs=events is None)
        if on_step is not None:
            on_step(number)
    if photos:
        _add_photos(page, photos, session.labels)
    if events is not None:
        page.heading("Events")
        page.paragraph("Counted from the events file: each label from its start or takeover to its end.")
        _add_runs(page, runs_of_events(events, end_s=max((part.end_s for part in videos), default=0.0)))
    _add_models(page, session, events)
    page.heading("How this was counted")
    records = f"{session.name}, {count(len(session.time_s), 'frame')}"
    page.bullets([f"Records: {records}{', and a file of events' if events is not None else ''}.", *COUNTING])
    return page


def _add_models(page: Page, session: Session, events: Sequence[Event] | None) -> None:
    page.heading("Models")
    rows = model_rows(session)
    if rows:
        page.table(MODELS, rows, caption="What answered")
    for sentence_ in model_sentences(session, events):
        page.note(sentence_)


def _add_overview(page: Page, parts: Sequence[Segment], videos: Sequence[Segment], labels: Sequence[str]) -> None:
    page.heading("Overview")
    page.table(OVERVIEW, [overview_row(part) for part in parts[:MOST_SOURCES]])
    if len(parts) > MOST_SOURCES:
        page.paragraph(f"Counted, but not listed: {count(len(parts) - MOST_SOURCES, 'more source')}.")
    if len(videos) > 1:
        for task in TASKS:
            each = [shares(part, part.of(task), len(labels)).seconds.sum(axis=0) for part in videos]
            _add_totals(page, task, np.sum(each, axis=0), labels, where="of all videos together")


def _add_video(page: Page, part: Segment, labels: tuple[str, ...], *, name: str, with_runs: bool) -> None:
    page.heading(part.name or "Session")
    for task in TASKS:
        who = KINDS[task][2]
        seen = part.of(task)
        if not len(seen.frame):
            page.paragraph(_nothing(part, task))
            continue
        found = shares(part, seen, len(labels))
        _add_timeline(page, part, task, found, labels, name=name)
        page.bullets([sentence(task, found, row, labels) for row in range(min(len(found.tracks), _MOST_SENTENCES))])
        _add_totals(page, task, found.seconds.sum(axis=0), labels, where="time in view, all together")
        header, *rows = person_rows(part, task, found, labels)
        page.table(header, rows, caption=f"By {who}, longest in view first")
        if len(found.tracks) > MOST_ROWS:
            rest = duration(float(found.seconds[MOST_ROWS:].sum()))
            page.paragraph(f"Not listed: {len(found.tracks) - MOST_ROWS:,} more, together in view for {rest}.")
    if with_runs and len(part.seen.frame):
        page.paragraph(
            "Events, counted from the records: each unbroken run of frames in which one face or hand shows the same "
            "label and is sure of it. Records of mien look are not smoothed, so there are many short runs."
        )
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
    page.paragraph(
        f"Read as changes from their own neutral face, for {duration(read)} in all: "
        f"{', '.join(person('emotion', track) for track in whose)}."
    )
    found = runs(replace(part, seen=seen.where(seen.baseline & (seen.label != neutral))), labels)
    rows = longest_rows(found)
    if rows:
        page.table(LONGEST, rows, caption=f"Changes from a neutral face, the longest {len(rows)}, in order of time")
    else:
        page.paragraph("There was no sure change from it.")


def _nothing(part: Segment, task: str) -> str:
    """Why a segment has no face, or no hand."""
    one, many, _ = KINDS[task]
    asked = part.asked[:, TASKS.index(task)]
    if not asked.any():
        return f"{many.capitalize()} were not looked for."
    if (asked < 0).any():
        return f"No {one} in any frame; perhaps {many} were not asked for."
    where = "any frame" if asked.all() else f"the {count(int(asked.sum()), 'frame')} in which {many} were looked for"
    return f"No {one} in {where}."


def _add_timeline(
    page: Page, part: Segment, task: str, found: LabelDurations, labels: Sequence[str], *, name: str
) -> None:
    panels, is_zoomed = panels_of(part, task, found, labels)
    one, many, who = KINDS[task]
    words = [f"What each {one} {'looked like' if task == 'emotion' else 'showed'} over time"]
    if len(found.tracks) > MOST_PANELS:
        words.append(f", for the {MOST_PANELS} longest in view")
    if is_zoomed:
        words.append(f"; each {who} has its own time range, from first to last seen")
    widths = [float(np.diff(panel.edges_s[:2])[0]) for panel in panels]
    size = " to ".join(dict.fromkeys(f"{width:.2g} s" for width in (min(widths), max(widths))))
    words.append(
        f". A row is filled as high as its share of each bin of {size}. The black line above shows when the {who} was "
        "in view; grey is where nothing was recorded. Percentages are of the time in view."
    )
    page.figure(timeline_figure(panels, part.pauses_s), name=f"{many}{name}", caption="".join(words))


def _add_totals(page: Page, task: str, seconds: Floats, labels: Sequence[str], *, where: str) -> None:
    rows = total_rows(task, seconds, labels)
    if rows:
        many = KINDS[task][1]
        page.table((many, "time", "share"), rows, caption=f"{many.title()}, {where}")


def _add_runs(page: Page, found: Episodes) -> None:
    if not len(found.label):
        page.paragraph("There is none.")
        return
    page.table(RUNS, run_rows(found), caption="Events and how long they lasted")
    rows = longest_rows(found)
    page.table(LONGEST, rows, caption=f"The {len(rows)} longest, in order of time")


def _add_frames(page: Page, part: Segment, name: str) -> None:
    page.table(("frames", ""), frame_rows(part), caption="Frames")
    if part.setbacks:
        times = count(part.setbacks, "time")
        page.note(f"The time goes back {times} in these records; it is treated as continuing there, with other people.")
    pauses = part.pauses_s
    whole = part.end_s - part.begin_s
    bins = max(1, min(_RATE_BINS, part.frames // 10, int(whole)))
    if bins > 1:
        edges = np.linspace(part.begin_s, part.end_s, bins + 1)
        rate = np.histogram(part.time_s, edges)[0] / np.diff(edges)
        caption = f"Frames per second, in bins of {whole / bins:.2g} s; grey where nothing was recorded."
        page.figure(rate_figure(rate, edges, pauses), name=f"rate{name}", caption=caption)
    longest = np.sort(np.argsort(-pauses[:, 1], kind="stable")[:_MOST_PAUSES])
    named = [(duration(pauses[i, 1]), clock(pauses[i, 0], tenths=True)) for i in longest]
    page.bullets([f"No frames for {length} from {begin} on." for length, begin in named])
    if len(pauses) > _MOST_PAUSES:
        page.paragraph(f"These are the {_MOST_PAUSES} longest pauses of {len(pauses):,}.")


def _add_photos(page: Page, photos: Sequence[Segment], labels: Sequence[str]) -> None:
    page.heading("Photos")
    for task in TASKS:
        rows = photo_totals(task, photos, labels)
        if rows:
            many = KINDS[task][1]
            page.table((many, "count", "share"), rows, caption=f"{many.title()} in {count(len(photos), 'photo')}")
    page.table(("photo", "faces", "hands"), photo_rows(photos[:MOST_SOURCES], labels))
    if len(photos) > MOST_SOURCES:
        page.paragraph(f"Counted above, but not listed: {count(len(photos) - MOST_SOURCES, 'more photo')}.")
