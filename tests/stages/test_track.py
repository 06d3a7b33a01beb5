from __future__ import annotations

import numpy as np
import pytest

from mien.scene import Box, Face, Hand
from mien.stages.track import Tracker


def face(x: float, y: float = 100.0, size: float = 40.0) -> Face:
    """A face around (x, y); its score tells it apart from the others of a test."""
    half = size / 2
    return Face(box_xyxy=(x - half, y - half, x + half, y + half), score=0.9)


def numbers(found: tuple[Face, ...]) -> list[int | None]:
    return [item.track for item in found]


def left_edges(found: tuple[Face, ...]) -> dict[int | None, float]:
    return {item.track: item.box_xyxy[0] for item in found}


def test_a_moving_face_keeps_its_number() -> None:
    tracker = Tracker()
    for i in range(50):
        (found,) = tracker.update([face(50 + 12.0 * i, 100 + 5.0 * i)], i / 25)
        assert found.track == 1


def test_a_jump_of_most_of_its_size_is_still_the_same_face() -> None:
    tracker = Tracker()
    tracker.update([face(100, size=40)], 0.0)
    assert numbers(tracker.update([face(130, size=40)], 0.1)) == [1]
    assert numbers(tracker.update([face(230, size=40)], 0.2)) == [2]


@pytest.mark.parametrize("size", [10.0, 160.0])
def test_a_box_of_quite_another_size_in_the_same_place_is_the_same_face(size: float) -> None:
    tracker = Tracker()
    tracker.update([face(100, size=40)], 0.0)
    assert numbers(tracker.update([face(103, size=size)], 0.1)) == [1]


def test_only_the_track_changes() -> None:
    given = face(50)
    (found,) = Tracker().update([given], 0.0)
    assert (found.box_xyxy, found.score, found.reading) == (given.box_xyxy, given.score, given.reading)
    assert given.track is None


def test_two_at_once_whatever_their_order() -> None:
    tracker = Tracker()
    for i in range(30):
        pair = [face(50 + 3.0 * i), face(400 - 3.0 * i, 300)]
        found = tracker.update(pair[:: 1 if i % 2 else -1], i / 25)
        assert numbers(found) == [1, 2]
        if i == 0:
            first_is_left = found[0].box_xyxy[0] < found[1].box_xyxy[0]
        upper = found[0] if first_is_left else found[1]
        assert upper.box_xyxy == pair[0].box_xyxy


@pytest.mark.parametrize("apart", [15.0, 25.0, 60.0])
def test_two_that_cross_at_a_small_distance_are_not_swapped(apart: float) -> None:
    tracker = Tracker()
    tracker.update([face(100, 100), face(300, 100 + apart)], 0.0)
    for i in range(1, 41):
        right, left = face(100 + 5.0 * i, 100), face(300 - 5.0 * i, 100 + apart)
        found = tracker.update([left, right], i / 25)
        assert left_edges(found) == {1: right.box_xyxy[0], 2: left.box_xyxy[0]}


def test_the_nearest_pair_goes_first() -> None:
    tracker = Tracker()
    tracker.update([face(100)], 0.0)
    assert left_edges(tracker.update([face(125), face(104)], 0.1)) == {1: 84.0, 2: 105.0}


@pytest.mark.parametrize(("gap_s", "number"), [(0.2, 1), (1.0, 1), (1.1, 2), (60.0, 2)])
def test_a_face_that_comes_back_has_its_number_until_it_is_lost(gap_s: float, number: int) -> None:
    tracker = Tracker(lost_s=1.0)
    tracker.update([face(100)], 10.0)
    assert tracker.update([], 10.0 + gap_s / 2) == ()
    assert numbers(tracker.update([face(105)], 10.0 + gap_s)) == [number]


def test_waiting_counts_from_when_the_face_was_last_seen() -> None:
    tracker = Tracker(lost_s=0.5)
    for i in range(20):
        assert numbers(tracker.update([face(100)], 0.4 * i)) == [1]


def test_lost_numbers_are_never_given_again() -> None:
    tracker = Tracker(lost_s=0.1)
    seen = [numbers(tracker.update([face(100)], float(i)))[0] for i in range(5)]
    assert seen == [1, 2, 3, 4, 5]


def test_no_memory_at_all() -> None:
    tracker = Tracker(lost_s=0.0)
    tracker.update([face(100)], 0.0)
    assert numbers(tracker.update([face(100)], 0.04)) == [2]


@pytest.mark.parametrize("lost_s", [-0.1, float("nan")])
def test_a_negative_memory_is_refused(lost_s: float) -> None:
    with pytest.raises(ValueError, match="lost_s"):
        Tracker(lost_s=lost_s)


def test_trackers_do_not_share_numbers() -> None:
    first, second = Tracker(), Tracker()
    first.update([face(0), face(500)], 0.0)
    assert numbers(second.update([face(900)], 0.0)) == [1]


def test_hands_are_tracked_too() -> None:
    box: Box = (0.0, 0.0, 20.0, 20.0)
    hand = Hand(box_xyxy=box, score=0.9, side="left", landmarks_xyz=tuple((1.0, 2.0, 3.0) for _ in range(21)))
    tracker = Tracker()
    tracker.update([hand], 0.0)
    (found,) = tracker.update([hand], 0.1)
    assert (found.track, found.side) == (1, "left")


@pytest.mark.parametrize("seed", range(8))
def test_random_walks(seed: int) -> None:
    """Things that stay apart keep their numbers through steps, shuffles, misses and new ones."""
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 7))
    centres = np.stack([np.arange(count) * 200.0, random.uniform(0, 50, count)], axis=1)
    home = centres.copy()
    tracker = Tracker(lost_s=1.0)
    number_of: dict[int, int | None] = {}
    missed = np.zeros(count, int)
    for step in range(60):
        centres = home + np.clip(centres - home + random.uniform(-6, 6, (count, 2)), -60, 60)
        present = random.random(count) > 0.2
        present[missed >= 2] = True
        missed = np.where(present, 0, missed + 1)
        order = random.permutation(np.flatnonzero(present))
        found = tracker.update([face(*centres[i], size=60.0) for i in order], step / 25)
        assert len(found) == present.sum()
        assert numbers(found) == sorted({item.track for item in found if item.track})
        for i in order:
            (match,) = [item for item in found if item.box_xyxy == face(*centres[i], size=60.0).box_xyxy]
            assert number_of.setdefault(int(i), match.track) == match.track
    assert len(set(number_of.values())) == count
