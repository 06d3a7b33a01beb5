from __future__ import annotations

import numpy as np
import pytest

from mien.records.session import Detections, Session
from mien.reports.session.times import (
    Segment,
    coverage,
    runs,
    runs_of_events,
    segments,
    shares,
)
from mien.scene import Event

LABELS = ("happy", "sad", "victory")


def make_session(
    time_s: list[float], seen: list[tuple[int, int, int, int, bool]], *, source: list[int] | None = None
) -> Session:
    """A session of frames at these times, and (frame, task, track, label, uncertain) of what they show."""
    columns = list(zip(*seen, strict=True)) or [()] * 5
    codes = np.array(source or [0] * len(time_s), np.int64)
    found = Detections(
        frame=np.array(columns[0], np.int64),
        task=np.array(columns[1], np.int8),
        track=np.array(columns[2], np.int64),
        side=np.array(columns[1], np.int8),
        label=np.array(columns[3], np.int64),
        confidence=np.full(len(seen), 0.9),
        uncertain=np.array([doubt != "" and doubt is not False for doubt in columns[4]], np.bool_),
        perhaps=np.array([doubt == "perhaps" for doubt in columns[4]], np.bool_),
        baseline=np.zeros(len(columns[4]), np.bool_),
    )
    names = tuple(f"video {code}" for code in range(codes.max() + 1))
    model = np.full((len(time_s), 2), -1)
    times = np.array(time_s, np.float64)
    return Session("a", names, LABELS, codes, np.arange(len(time_s)), times, found, (), model)


def only(session: Session) -> Segment:
    (segment,) = segments(session)
    return segment


def test_frames_stand_for_the_time_until_the_next_one() -> None:
    segment = only(make_session([0.0, 0.1, 0.4, 0.5], []))
    assert segment.duration_s == pytest.approx([0.1, 0.3, 0.1, 0.1])
    assert (segment.recorded_s, segment.end_s) == pytest.approx((0.6, 0.6))
    assert segment.frames_a_second == pytest.approx(4 / 0.6)
    assert not len(segment.pauses_s)


def test_a_pause_counts_for_nobody() -> None:
    segment = only(make_session([0.0, 0.1, 0.2, 10.0, 10.1], [(i, 0, 1, 0, False) for i in range(5)]))
    assert segment.recorded_s == pytest.approx(0.5)
    assert segment.pauses_s == pytest.approx(np.array([[0.3, 9.7]]))
    assert shares(segment, segment.of("emotion"), 3).seconds.sum() == pytest.approx(0.5)
    assert runs(segment, LABELS).duration_s == pytest.approx([0.3, 0.2])


def test_every_thirtieth_frame_is_no_pause() -> None:
    segment = only(make_session([0.0, 1.2, 2.4, 3.6], []))
    assert segment.recorded_s == pytest.approx(4.8)
    assert not len(segment.pauses_s)


def test_a_clock_that_goes_back_goes_on() -> None:
    segment = only(make_session([5.0, 5.1, 5.2, 0.0, 0.1], []))
    assert segment.setbacks == 1
    assert segment.time_s == pytest.approx([5.0, 5.1, 5.2, 5.3, 5.4])
    assert segment.recorded_s == pytest.approx(0.5)


def test_tracks_of_another_run_are_other_people() -> None:
    seen = [(i, task, track, 0, False) for i in range(5) for task, track in ((0, 1), (0, 3), (1, 1), (0, 0))]
    segment = only(make_session([5.0, 5.1, 5.2, 0.0, 0.1], seen))
    assert set(segment.of("emotion").track[segment.of("emotion").frame < 3]) == {0, 1, 3}
    assert set(segment.of("emotion").track[segment.of("emotion").frame >= 3]) == {0, 4, 6}
    assert set(segment.of("gesture").track) == {1, 2}


@pytest.mark.parametrize("times", [[3.0], [3.0, 3.0]])
def test_a_photo_lasts_no_time(times: list[float]) -> None:
    segment = only(make_session(times, [(0, 0, 1, 0, False)]))
    assert segment.is_photo
    assert (segment.recorded_s, segment.frames_a_second) == (0, 0)


def test_sources_are_parted_even_when_they_alternate() -> None:
    rows = [(0, 0, 1, 0, False), (1, 0, 1, 1, False), (2, 0, 1, 0, False), (3, 1, 2, 2, False)]
    first, second = segments(make_session([0.0, 0.0, 0.1, 0.5], rows, source=[0, 1, 0, 1]))
    assert (first.name, second.name) == ("video 0", "video 1")
    assert first.time_s.tolist() == [0.0, 0.1]
    assert second.time_s.tolist() == [0.0, 0.5]
    assert (first.seen.frame.tolist(), second.seen.frame.tolist()) == ([0, 1], [0, 1])
    assert (first.seen.label.tolist(), second.seen.label.tolist()) == ([0, 0], [1, 2])
    assert (first.frames_without("gesture"), second.frames_without("gesture")) == (2, 1)


def test_passed_over_frames() -> None:
    session = make_session([0.0, 0.1, 0.2], [])
    session.number[:] = [4, 6, 9]
    assert only(session).passed_over == 3


def test_shares_add_up_to_the_time_in_view() -> None:
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.01, 0.2, 500)).tolist()
    rows = [(i, 0, int(rng.integers(1, 4)), int(rng.integers(-1, 2)), bool(rng.random() < 0.2)) for i in range(500)]
    segment = only(make_session(times, rows))
    found = shares(segment, segment.of("emotion"), 3)
    assert found.seconds.sum() == pytest.approx(segment.recorded_s)
    assert sorted(found.tracks) == [1, 2, 3]
    assert (np.diff(found.seconds.sum(axis=1)) <= 0).all()
    for row, track in enumerate(found.tracks):
        for label in range(3):
            mine = [i for i, _, t, what, unsure in rows if t == track and what == label and not unsure]
            assert found.seconds[row, label] == pytest.approx(segment.duration_s[mine].sum())


def test_runs_break_at_a_change_a_doubt_and_an_absence() -> None:
    labels = [0, 0, 1, 1, None, 1, -2, 1]
    rows = [(i, 0, 1, 1 if what == -2 else what, what == -2) for i, what in enumerate(labels) if what is not None]
    segment = only(make_session([i / 10 for i in range(8)], [*rows, (0, 1, 1, 2, False)]))
    found = runs(segment, LABELS)
    assert found.label.tolist() == ["happy", "victory", "sad", "sad", "sad"]
    assert found.task.tolist() == [0, 1, 0, 0, 0]
    assert found.start_s == pytest.approx([0.0, 0.0, 0.2, 0.5, 0.7])
    assert found.duration_s == pytest.approx([0.2, 0.1, 0.2, 0.1, 0.1])


def test_runs_of_a_session_with_nothing_in_it() -> None:
    assert not len(runs(only(make_session([0.0, 0.1], [])), LABELS).label)


def test_events_become_runs() -> None:
    def event(kind: str, track: int, label: str, time_s: float, duration_s: float = 0.0) -> Event:
        return Event(kind=kind, task="emotion", track=track, label=label, time_s=time_s, duration_s=duration_s)  # type: ignore[arg-type]

    events = [
        event("start", 1, "happy", 1.0),
        event("start", 2, "sad", 2.0),
        event("change", 1, "sad", 3.0, 2.0),
        event("end", 1, "sad", 4.5, 1.5),
    ]
    found = runs_of_events(events, end_s=10.0)
    assert list(zip(found.track, found.label, found.start_s, found.duration_s, strict=True)) == [
        (1, "happy", 1.0, 2.0),
        (2, "sad", 2.0, 8.0),
        (1, "sad", 3.0, 1.5),
    ]
    assert not len(runs_of_events([], end_s=1.0).label)


def test_coverage_keeps_the_time() -> None:
    rng = np.random.default_rng(2)
    duration = rng.uniform(0.01, 0.3, 200)
    start = np.cumsum(duration + rng.choice([0.0, 0.5], 200)) - duration
    edges = np.linspace(0, start[-1] + duration[-1], 38)
    share = coverage(start, duration, edges)
    assert (share * np.diff(edges)).sum() == pytest.approx(duration.sum())
    assert 0 <= share.min() <= share.max() <= 1 + 1e-9
    twice = coverage(start, duration, edges, np.full(200, 2.0))
    assert twice == pytest.approx(2 * share)
    assert not coverage(np.zeros(0), np.zeros(0), edges).any()


def test_coverage_of_bins_between_intervals_is_none_at_all() -> None:
    start = np.array([0.1, 0.2, 0.3, 5.1])
    share = coverage(start, np.full(4, 0.1), np.linspace(0, 6, 61))
    assert share[5:50].tolist() == [0.0] * 45
    assert share[1:4] == pytest.approx([1, 1, 1])
