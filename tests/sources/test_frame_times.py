from __future__ import annotations

import numpy as np
import pytest

from mien.sources.frame_times import Positions, timed


def _times(stamps_s: list[float | None], step_s: float = 0.1) -> list[float]:
    given = list(timed(enumerate(stamps_s), step_s))
    assert [index for index, _ in given] == list(range(len(stamps_s)))
    return [time_s for _, time_s in given]


@pytest.mark.parametrize(
    ("stamps_s", "times_s"),
    [
        ([], []),
        ([2.5], [2.5]),
        ([2.5, 2.6, 2.7], [2.5, 2.6, 2.7]),  # a late start
        ([0, 0.1, 7.0, 7.1], [0, 0.1, 7.0, 7.1]),  # a gap
        ([0, 0.03, 0.16, 0.2, 0.9], [0, 0.03, 0.16, 0.2, 0.9]),  # a rate that varies
        ([0, 0.1, 900.0, 0.3, 0.4], [0, 0.1, 0.2, 0.3, 0.4]),  # one stamp beyond all
        ([0, 0.1, 0.0, 0.3, 0.4], [0, 0.1, 0.2, 0.3, 0.4]),  # one that goes back
        ([0, 0.1, -800.0, 0.15, 0.2], [0, 0.1, 0.125, 0.15, 0.2]),
        ([500.0, 0.1, 0.2], [0, 0.1, 0.2]),  # the first
        ([None, 0.1, 0.2], [0, 0.1, 0.2]),
        ([0, None, 0.2, None, None, 0.5], [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ([None, None, None], [0, 0.1, 0.2]),
        ([0, 0, 0, 0], [0, 0.1, 0.2, 0.3]),
        ([0, 0.1, 0.1, 0.1, 0.4], [0, 0.1, 0.2, 0.3, 0.4]),
        ([0, 0.1, 0.2, 0, 0.1, 0.3], [0, 0.1, 0.2, 0.3, 0.4, 0.6]),  # joined recordings
        ([0, 0.1, 0.2, 0, 0.1, 0, 0.1], [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    ],
)
def test_times(stamps_s: list[float | None], times_s: list[float]) -> None:
    assert _times(stamps_s) == pytest.approx(times_s)


def test_times_always_grow_and_one_wild_stamp_moves_no_other() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        stamps = np.cumsum(rng.uniform(0.01, 0.5, 30))
        wild = int(rng.integers(1, 29))
        changed = [float(value) for value in stamps]
        changed[wild] = float(rng.uniform(-1e6, 1e6))
        times = _times(list(changed))
        assert (np.diff(times) > 0).all()
        rest = [index for index in range(30) if abs(index - wild) > 1]
        assert [times[index] for index in rest] == pytest.approx([stamps[index] for index in rest])


def test_a_thing_is_given_as_soon_as_the_next_is_there() -> None:
    asked: list[int] = []

    def source() -> object:
        for index in range(5):
            asked.append(index)
            yield index, index / 10

    things = timed(source(), 0.1)  # type: ignore[arg-type, var-annotated]
    for index in range(4):
        assert next(things) == (index, pytest.approx(index / 10))
        assert asked[-1] == index + 1


def test_positions_of_some_frames() -> None:
    positions = Positions()
    positions.begin(10)
    for pts in (0, 30, 10, 20, 60, 40, 50):
        positions.add(pts)
    assert [positions.of(pts) for pts in (10, 20, 60)] == [11, 12, 16]


def test_positions_without_stamps_are_counted() -> None:
    positions = Positions()
    positions.begin(3)
    for _ in range(3):
        positions.add(None)
    assert [positions.of(None) for _ in range(3)] == [3, 4, 5]


def test_positions_skip_no_more_than_what_was_lost() -> None:
    """Fields that are stored one by one have two stamps a frame, and none of them is lost."""
    positions = Positions()
    for pts in range(8):
        positions.add(pts)
    assert [positions.of(0, 0), positions.of(2, 0), positions.of(4, 1), positions.of(6, 1)] == [0, 1, 3, 4]
    positions = Positions()
    for pts in (0, 3, 1, 2, 6, 4, 5):
        positions.add(pts)
    assert [positions.of(pts, 2) for pts in (0, 2, 3, 4, 6)] == [0, 2, 3, 4, 6]
    assert [positions.of(None, 3), positions.of(None, 3)] == [8, 9]


def test_a_frame_that_comes_after_it_was_taken_for_missing_has_no_position() -> None:
    positions = Positions()
    for pts in (0, 1, 2, 3, 4):
        positions.add(pts)
    assert [positions.of(pts, 5) for pts in (0, 3, 1, 4)] == [0, 3, None, 4]
    assert (positions.missed, positions.left) == (2, 0)
