from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mien.records.session import Detections, Session
from mien.reports.page import Page
from mien.reports.session.page import MOST_SECTIONS, MOST_SOURCES, session_report
from mien.reports.session.plots import Panel, clock, timeline_figure
from mien.reports.session.tables import MOST_ROWS, person_rows
from mien.reports.session.timeline import MOST_BINS, MOST_PANELS, panels_of
from mien.reports.session.times import segments, shares
from mien.reports.session.words import duration, percent, person, told
from mien.scene import Event, UsedModel

LABELS = ("neutral", "happy", "fear", "victory", "none")
NEUTRAL, HAPPY, FEAR, VICTORY, NONE = range(5)

Row = tuple[int, int, int, int, bool | str]


def make(
    rows: list[Row], *, frames: int, fps: float = 10.0, sources: int = 1, time_s: np.ndarray | None = None
) -> Session:
    """Sources of equally many frames; rows are (frame, task, track, label, uncertain)."""
    columns = list(zip(*rows, strict=True)) or [()] * 5
    number = np.tile(np.arange(frames), sources)
    seen = Detections(
        frame=np.array(columns[0], np.int64),
        task=np.array(columns[1], np.int8),
        track=np.array(columns[2], np.int64),
        side=2 * np.array(columns[1], np.int8),
        label=np.array(columns[3], np.int64),
        confidence=np.full(len(rows), 0.9),
        uncertain=np.array([doubt != "" and doubt is not False for doubt in columns[4]], np.bool_),
        perhaps=np.array([doubt == "perhaps" for doubt in columns[4]], np.bool_),
        baseline=np.zeros(len(columns[4]), np.bool_),
    )
    names = tuple(f"video {i}" for i in range(sources))
    times = number / fps if time_s is None else time_s
    model = np.full((len(number), 2), -1)
    return Session("a.parquet", names, LABELS, np.repeat(np.arange(sources), frames), number, times, seen, (), model)


TextOf = Callable[..., str]


@pytest.fixture
def text_of(monkeypatch: pytest.MonkeyPatch) -> TextOf:
    """The words of a session's page; its figures, which take most of the time, are not drawn."""

    def words(session: Session, events: list[Event] | None = None) -> str:
        html = session_report(session, events=events).html()
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))

    for name in ("timeline_figure", "rate_figure"):
        monkeypatch.setattr(f"mien.reports.session.page.{name}", lambda *_: None)
    monkeypatch.setattr(Page, "figure", lambda *_, **__: None)
    return words


@pytest.fixture
def two() -> Session:
    """20 seconds: person 1 looks happy for 12, then is unclear for 4; person 2 looks afraid; a hand shows a V."""
    rows: list[Row] = [(i, 0, 1, HAPPY if i < 120 else NEUTRAL, i >= 120) for i in range(160)]
    rows += [(i, 0, 2, FEAR, False) for i in range(100, 150)]
    rows += [(i, 1, 1, VICTORY if i < 60 else NONE, False) for i in range(40, 80)]
    return make(sorted(rows), frames=200)


def test_the_words_say_who_looked_like_what_and_for_how_long(two: Session, text_of: TextOf) -> None:
    words = text_of(two)
    assert "Person 1 was in view for 16.0 s (0:00.0 to 0:16.0); looked happy for 12.0 s (75 %); unclear for" in words
    assert "Person 2 was in view for 5.0 s (0:10.0 to 0:15.0); looked afraid for 5.0 s (100 %)." in words
    assert "Hand 1 (right) was in view for 4.0 s" in words
    assert "showed victory for 2.0 s (50 %), no known gesture for 2.0 s (50 %)" in words
    assert "frames without a face 40 of 200 (20 %)" in words
    assert "frames without a hand 160 of 200 (80 %)" in words
    assert "faces not read for sure (perhaps or unclear) 40 of 210 (19 %)" in words
    assert "faces that were unclear 40 of 210 (19 %)" in words
    assert "frames per second 10.0" in words


def test_perhaps_is_not_sure_but_not_unclear_either(two: Session, text_of: TextOf) -> None:
    """As in a table by `--csv`, whose share_hard_to_read holds both."""
    perhaps = two.seen.uncertain & (two.seen.frame < 130)
    words = text_of(replace(two, seen=replace(two.seen, perhaps=perhaps)))
    assert "faces not read for sure (perhaps or unclear) 40 of 210 (19 %)" in words
    assert "faces that were unclear 30 of 210 (14 %)" in words
    assert "hands not read for sure (perhaps or unclear) 0 of 40 (0 %)" in words
    assert "adds both up as share_hard_to_read" in words


def test_the_models_their_versions_and_thresholds(two: Session, text_of: TextOf) -> None:
    mine = UsedModel(name="mine", version="2", threshold=0.5, sha256="ab" * 6, detector="finder 1")
    hands = UsedModel(name="hands", version="1", threshold=0.93)
    models = np.zeros((200, 2), np.int64)
    models[:, 1] = 1
    words = text_of(replace(two, models=(mine, hands), model=models))
    assert "expressions mine 2 0.5 abababababab finder 1 200" in words
    assert "gestures hands 1 0.93 - - 200" in words
    assert "do not compare" not in words
    assert "do not say which model" not in words

    models[120:, 0] = 2
    models[:, 1] = -1
    models[190:] = -1
    session = replace(two, models=(mine, hands, replace(mine, threshold=0.7)), model=models)
    events = [Event(kind="start", task="emotion", track=1, label="happy", time_s=1.0, model=replace(mine, version="3"))]
    words = text_of(session, events)
    assert "expressions mine 2 0.5 abababababab finder 1 120" in words
    assert "expressions mine 2 0.7 abababababab finder 1 70" in words
    assert "Expressions were read by 2 models, or with 2 thresholds" in words
    assert "Hands were not looked for in 190 of 200 frames." in words
    assert "The records of 10 of 200 frames do not say which model answered" in words
    assert "The events file names models that the records do not: mine 3 (sha256 abababababab) threshold 0.5." in words


def test_records_of_an_older_version_name_no_model(two: Session, text_of: TextOf) -> None:
    assert "The records do not say which model answered: an older version of mien wrote them." in text_of(two)


def test_what_was_not_looked_for_is_not_said_to_be_missing(text_of: TextOf) -> None:
    session = make([(i, 0, 1, HAPPY, False) for i in range(10)], frames=20)
    assert "No hand in any frame; perhaps hands were not asked for." in text_of(session)
    mine = UsedModel(name="mine", version="2", threshold=0.5)
    model = np.array([[0, -1]] * 20)
    words = text_of(replace(session, models=(mine,), model=model))
    assert "Hands were not looked for." in words
    assert "No hand in" not in words
    assert "frames without a hand not looked for" in words
    assert "frames without a face 10 of 20 (50 %)" in words
    model[5:, 1] = 0
    words = text_of(replace(session, models=(mine,), model=model))
    assert "No hand in the 15 frames in which hands were looked for." in words
    assert "frames without a hand 15 of 15 (100 %)" in words
    model[:, 1] = 0
    assert "No hand in any frame." in text_of(replace(session, models=(mine,), model=model))


def test_it_says_what_it_is_not(two: Session, text_of: TextOf) -> None:
    words = text_of(two)
    assert "An expression is not a feeling" in words
    assert "may change when somebody leaves and returns" in words
    assert not re.search(r"\bf(ee|e)l(s|t)?\b", words.replace("not a feeling", ""))


def test_events_come_from_the_records_or_from_their_own_file(two: Session, text_of: TextOf) -> None:
    words = text_of(two)
    assert "counted from the records" in words
    assert "looked happy 1 1 12.0 s 12.0 s 12.0 s" in words
    events = [
        Event(kind="start", task="emotion", track=1, label="happy", time_s=1.0),
        Event(kind="end", task="emotion", track=1, label="happy", time_s=4.0, duration_s=3.0),
    ]
    words = text_of(two, events)
    assert "Counted from the events file" in words
    assert "counted from the records" not in words
    assert "looked happy 1 1 3.0 s 3.0 s 3.0 s" in words
    assert "There is none." in text_of(two, [])


def test_the_page_is_one_file_without_scripts_and_its_figures_are_sound(two: Session, tmp_path: Path) -> None:
    page = session_report(two)
    page.save(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in html
    assert not re.search(r'(src|href)="(?!#|data:)', html.replace('xmlns:xlink="', ""))
    figures = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(figures) == 3
    for figure in figures:
        ElementTree.fromstring(figure)  # noqa: S314
    names = sorted(path.name for path in (tmp_path / "page_files").iterdir())
    assert names == ["faces1.png", "hands1.png", "rate1.png"]


def test_nothing_was_seen(text_of: TextOf) -> None:
    words = text_of(make([], frames=30))
    assert "No face in any frame" in words
    assert "frames without a face 30 of 30 (100 %)" in words
    assert "faces that were unclear -" in words


def test_a_pause_is_told(text_of: TextOf) -> None:
    times = np.concatenate((np.arange(50) / 10, 100 + np.arange(50) / 10))
    words = text_of(make([(i, 0, 1, HAPPY, False) for i in range(100)], frames=100, time_s=times))
    assert "No frames for 1 min 35 s from 0:05.0 on." in words
    assert "pauses without frames 1, together 1 min 35 s" in words
    assert "Person 1 was in view for 10.0 s" in words


def test_photos_are_counted_and_listed(text_of: TextOf) -> None:
    rows: list[Row] = [(0, 0, 1, HAPPY, False), (1, 0, 1, HAPPY, False), (1, 0, 2, FEAR, True), (2, 1, 1, NONE, False)]
    words = text_of(make(rows, frames=1, sources=4))
    assert "Faces in 4 photos" in words
    assert "looked happy 2 67 %" in words
    assert "video 0 looks happy (90 %) -" in words
    assert "video 1 1 looks happy, 1 unclear -" in words
    assert "video 2 - shows no known gesture (90 %)" in words
    assert "video 3 - -" in words
    assert "was in view" not in words


def test_many_sources_have_a_limited_number_of_sections(text_of: TextOf) -> None:
    session = make([(i, 0, 1, HAPPY, False) for i in range(24)], frames=3, sources=8)
    words = text_of(session)
    assert session_report(session).html().count("<h2") == MOST_SECTIONS + 3
    assert f"The {MOST_SECTIONS} longest of 8 videos" in words
    assert "Faces, of all videos together" in words
    assert all(f"video {i} 3" in words for i in range(8))


def test_thousands_of_photos_are_not_all_listed(text_of: TextOf) -> None:
    session = make([(i, 0, 1, HAPPY, False) for i in range(1000)], frames=1, sources=1000)
    words = text_of(session)
    assert f"Counted above, but not listed: {1000 - MOST_SOURCES} more photos." in words
    assert "looked happy 1,000 100 %" in words


def test_many_persons_have_a_limited_number_of_rows_and_panels(text_of: TextOf) -> None:
    rows: list[Row] = [
        (10 * track + i, 0, track, HAPPY, False) for track in range(1, 60) for i in range(track % 10 + 1)
    ]
    session = make(rows, frames=600)
    (part,) = segments(session)
    found = shares(part, part.of("emotion"), len(LABELS))
    panels, is_zoomed = panels_of(part, "emotion", found, LABELS)
    assert len(panels) == MOST_PANELS + 1
    assert is_zoomed
    assert [panel.edges_s[0] for panel in panels[1:]] == sorted(panel.edges_s[0] for panel in panels[1:])
    assert len(person_rows(part, "emotion", found, LABELS)) == MOST_ROWS + 1
    assert "29 more, together in view for" in text_of(session)


def test_the_time_line_keeps_the_shares() -> None:
    rng = np.random.default_rng(4)
    rows: list[Row] = [(i, 0, 1, int(rng.integers(0, 3)), bool(rng.random() < 0.1)) for i in range(3000) if i % 7]
    session = make(rows, frames=3000)
    (part,) = segments(session)
    found = shares(part, part.of("emotion"), len(LABELS))
    (panel,), _ = panels_of(part, "emotion", found, LABELS)
    assert len(panel.edges_s) == MOST_BINS + 1
    width = np.diff(panel.edges_s)
    assert (panel.in_view * width).sum() == pytest.approx(found.seconds.sum())
    assert [name.split()[0] for name, _, _ in panel.rows] == ["afraid", "happy", "neutral", "unclear"]
    expected = found.seconds[0][[FEAR, HAPPY, NEUTRAL, 2 * len(LABELS)]]
    assert [(share * width).sum() for _, _, share in panel.rows] == pytest.approx(expected.tolist())
    assert sum(share for _, _, share in panel.rows) == pytest.approx(panel.in_view)


def test_a_long_session_is_a_small_page() -> None:
    rng = np.random.default_rng(5)
    hours = 40_000
    label = np.repeat(rng.integers(0, 3, hours // 20), 20)
    rows: list[Row] = [(i, 0, 1 + i // 5000, int(label[i]), bool(rng.random() < 0.1)) for i in range(hours)]
    assert len(session_report(make(rows, frames=hours)).html()) < 3_000_000


def test_labels_differ_by_place_name_and_pattern() -> None:
    rows = [("happy", "happy", np.ones(4)), ("sad", "sad", np.array([0, 1, 0.5, 0]))]
    figure = timeline_figure([Panel("person 1", np.arange(5.0), np.ones(4), rows)], np.zeros((0, 2)))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sad", "happy"]
    bands = [artist for artist in axes.patches if artist.get_linewidth() > 0]
    assert len({band.get_hatch() for band in bands}) == 2
    lower, upper = sorted(bands, key=lambda band: band.get_path().vertices[:, 1].min())
    assert lower.get_path().vertices[:, 1].max() < upper.get_path().vertices[:, 1].min()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (12.44, "12.4 s"), (59.96, "1 min 00 s"), (185, "3 min 05 s"), (9630, "2 h 40 min")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_clock_and_shares() -> None:
    assert [clock(value) for value in (0, 7.4, 760, 28_798, -5)] == ["0:00", "0:07", "12:40", "7:59:58", "-0:05"]
    assert [clock(value, tenths=True) for value in (7.24, 59.96, 7201)] == ["0:07.2", "1:00.0", "2:00:01"]
    assert [percent(part, 1000) for part in (0, 0.1, 4, 310, 1000)] == ["0 %", "under 0.1 %", "0.4 %", "31 %", "100 %"]
    assert percent(1, 0) == "-"
    assert (person("emotion", 3), person("gesture", 2, 1)) == ("person 3", "hand 2 (left)")
    assert [told("emotion", at, ("fear", "pout")) for at in range(5)] == [
        *("looked afraid", "looked pout", "looked perhaps afraid", "looked perhaps pout", "unclear")
    ]
    assert told("gesture", 0, ("none",)) == "showed no known gesture"


def test_a_password_in_an_older_record_is_not_shown(text_of: TextOf) -> None:
    session = make([(0, 0, 1, HAPPY, False)], frames=5)
    told = text_of(replace(session, sources=("http://cam/v?user=me&password=s3cret",)))
    assert "http://cam/v?user=***" in told
    assert "s3cret" not in told


def test_perhaps_has_its_own_time_and_changes_from_a_baseline_are_listed(text_of: TextOf) -> None:
    rows: list[Row] = [
        (i, 0, 1, HAPPY if 50 <= i < 80 else NEUTRAL, "perhaps" if i < 20 else False) for i in range(100)
    ]
    session = make(rows, frames=100)
    words = text_of(session)
    assert "looked neutral for 5.0 s (50 %), happy for 3.0 s (30 %), perhaps neutral for 2.0 s (20 %)." in words
    assert "neutral face" not in words
    session.seen.baseline[30:] = True
    words = text_of(session)
    assert "Read as changes from their own neutral face, for 7.0 s in all: person 1." in words
    assert "Changes from a neutral face, the longest 1, in order of time" in words
    assert "0:05.0 person 1 looked happy 3.0 s" in words
