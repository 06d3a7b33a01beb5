from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mien.errors import InputError
from mien.scene import Frame
from mien.sources import Selection


def _chosen(selection: Selection, times_s: Sequence[float]) -> list[int]:
    image = np.zeros((2, 2, 3), np.uint8)
    frames = (Frame(image, index, time_s) for index, time_s in enumerate(times_s))
    return [frame.index for frame in selection.of(frames)]


def _steady(count: int, fps: float) -> list[float]:
    return [index / fps for index in range(count)]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), list(range(30))),
        (Selection(every=7), [0, 7, 14, 21, 28]),
        (Selection(fps=3), [0, 4, 7, 10, 14, 17, 20, 24, 27]),
        (Selection(fps=10), list(range(30))),
        (Selection(fps=1000), list(range(30))),
        (Selection(fps=0.5), [0, 20]),
        (Selection(start_s=1.2), list(range(12, 30))),
        (Selection(end_s=1.2), list(range(12))),
        (Selection(start_s=1.15, end_s=1.5), [12, 13, 14]),
        (Selection(start_s=1.2, every=5), [15, 20, 25]),
        (Selection(start_s=1.15, fps=2), [12, 17, 22, 27]),
        (Selection(start_s=9), []),
        (Selection(keyframes=True), list(range(30))),
    ],
)
def test_what_is_wanted_of_ten_frames_per_second(selection: Selection, expected: list[int]) -> None:
    assert _chosen(selection, _steady(30, 10)) == expected


@pytest.mark.parametrize("digits", [3, 6])
@pytest.mark.parametrize(("rate", "fps", "step"), [(24, 12, 2), (30, 10, 3), (60, 20, 3), (24, 8, 3), (50, 25, 2)])
def test_times_rounded_by_the_file_give_an_even_choice(rate: int, fps: float, step: int, digits: int) -> None:
    times = [round(time, digits) for time in _steady(600, rate)]
    assert _chosen(Selection(fps=fps), times) == list(range(0, 600, step))


@pytest.mark.parametrize("fps", [1, 3.3, 7, 12.5, 29])
def test_a_rate_holds_whatever_the_rate_of_the_file(fps: float) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, 3000)).tolist()
    chosen = _chosen(Selection(fps=fps), times)
    slots = {int((time + 0.001) * fps) for time in times}
    assert len(chosen) == len(slots)
    assert (np.diff([times[index] for index in chosen]) > 0).all()


def test_after_a_gap_there_is_one_frame_and_no_rush() -> None:
    times = [0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 6.0]
    assert _chosen(Selection(fps=1), times) == [0, 3, 6]


def test_parts_meet_without_a_frame_twice_or_lost() -> None:
    times = [round(time, 3) for time in _steady(300, 29.97)]
    for cut in (1.0, 2.002, 3.3334, 7.0):
        first, second = _chosen(Selection(end_s=cut), times), _chosen(Selection(start_s=cut), times)
        assert first + second == list(range(300))


def test_key_frames_alone() -> None:
    picker = Selection(keyframes=True, start_s=1).picker()
    wanted = [index for index in range(40) if picker.wants(index, index / 10, is_key=index % 6 == 0)]
    assert wanted == [12, 18, 24, 30, 36]


def test_the_end_is_known_without_looking_further() -> None:
    picker = Selection(end_s=1).picker()
    assert [picker.is_over(time) for time in (0.0, 0.99, 1.0, 1.5)] == [False, False, True, True]
    assert not Selection().picker().is_over(1e9)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"every": 0}, "every must be at least 1"),
        ({"every": 2.5}, "every must be at least 1 and a whole number, got 2.5"),
        ({"every": "2"}, "every must be at least 1 and a whole number, got '2'"),
        ({"start_s": 2, "end_s": 2}, "got 2 s and 2 s; choose a later end"),
        ({"fps": 0}, "fps must be a number of frames per second above 0"),
        ({"fps": float("nan")}, "fps must be a number of frames per second above 0"),
        ({"start_s": -1}, "begins at 0 s"),
        ({"start_s": float("inf")}, "begins at 0 s"),
        ({"start_s": 5, "end_s": 5}, "end must come after the start"),
        ({"end_s": 0}, "end must come after the start"),
        ({"end_s": float("nan")}, "end must come after the start"),
        ({"every": 2, "fps": 5}, "every and fps"),
        ({"every": 2, "keyframes": True}, "every and keyframes"),
        ({"fps": 2, "keyframes": True}, "fps and keyframes"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Selection(**values)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), 300),
        (Selection(every=7), 43),
        (Selection(fps=10), 100),
        (Selection(fps=60), 300),
        (Selection(start_s=2), 240),
        (Selection(start_s=2, end_s=4, every=3), 20),
        (Selection(start_s=20), 0),
        (Selection(end_s=100), 300),
        (Selection(keyframes=True), None),
    ],
)
def test_how_many_frames_to_expect(selection: Selection, expected: int | None) -> None:
    assert selection.expected(300, 30.0) == expected
    assert selection.expected(None, 30.0) is None


def test_how_many_frames_to_expect_without_a_rate() -> None:
    assert Selection(every=2).expected(5, None) == 3
    assert Selection(fps=2).expected(5, None) is None
