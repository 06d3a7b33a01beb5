from __future__ import annotations

import numpy as np
import pytest

from mien.scene import Face, Hand, Side
from mien.stages.track import Tracker


def face(x: float, y: float = 100.0, size: float = 40.0) -> Face:
    """A face around (x, y); its score tells it apart from the others of a test."""
    half = size / 2
    return Face(box_xyxy=(x - half, y - half, x + half, y + half), detection_score=0.9)


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


@pytest.mark.parametrize(("after_s", "number"), [(0.05, 2), (0.15, 1), (0.5, 1)])
def test_a_jump_may_be_wider_the_longer_it_took(after_s: float, number: int) -> None:
    tracker = Tracker()
    tracker.update([face(100, size=40)], 0.0)
    assert numbers(tracker.update([face(148, size=40)], after_s)) == [number]


@pytest.mark.parametrize("size", [10.0, 160.0])
def test_a_box_of_quite_another_size_in_the_same_place_is_the_same_face(size: float) -> None:
    tracker = Tracker()
    tracker.update([face(100, size=40)], 0.0)
    assert numbers(tracker.update([face(103, size=size)], 0.1)) == [1]


def test_only_the_track_changes() -> None:
    given = face(50)
    (found,) = Tracker().update([given], 0.0)
    assert (found.box_xyxy, found.detection_score, found.prediction) == (
        given.box_xyxy,
        given.detection_score,
        given.prediction,
    )
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


def hand(x: float, side: Side, y: float = 100.0, size: float = 40.0) -> Hand:
    half = size / 2
    landmarks_xyz = tuple((1.0, 2.0, 3.0) for _ in range(21))
    return Hand(
        box_xyxy=(x - half, y - half, x + half, y + half), detection_score=0.9, side=side, landmarks_xyz=landmarks_xyz
    )


def test_hands_are_tracked_too() -> None:
    tracker = Tracker()
    tracker.update([hand(50, "left")], 0.0)
    (found,) = tracker.update([hand(52, "left")], 0.1)
    assert (found.track, found.side) == (1, "left")


SIZE = 60.0


def crossing(fps: float, speed: float, hidden: float, tremor: float, seed: int) -> dict[str, set[int | None]]:
    """All numbers that two faces had which pass in front of each other, from 3 sizes apart to 3 sizes apart.

    Args:
        fps: frames a second.
        speed: of each, in sizes a second, in opposite directions.
        hidden: the one behind is not found while its middle is less than so many sizes from the other's.
        tremor: standard deviation of the place and the size of a box, in sizes.
        seed: of the tremor and of where in time the frames lie.
    """
    random = np.random.default_rng(seed)
    tracker, numbers_of = Tracker(), {"front": set[int | None](), "behind": set[int | None]()}
    offset_s = random.uniform(0, 1 / fps)
    for k in range(int(6 / speed * fps)):
        x = (k / fps + offset_s - 3 / speed) * speed
        places = {"front": x, "behind": -x}
        if abs(2 * x) < hidden:
            del places["behind"]
        faces = {
            name: face(400 + SIZE * (place + random.normal(0, tremor)), size=SIZE * (1 + random.normal(0, tremor)))
            for name, place in places.items()
        }
        given = list(faces.values())[:: 1 if random.random() < 0.5 else -1]
        track_of = {item.box_xyxy: item.track for item in tracker.update(given, k / fps)}
        for name, item in faces.items():
            numbers_of[name].add(track_of[item.box_xyxy])
    return numbers_of


@pytest.mark.parametrize("fps", [10.0, 30.0])
@pytest.mark.parametrize(("speed", "hidden"), [(1.0, 0.6), (1.25, 1.0), (2.0, 1.0), (4.0, 1.0)])
@pytest.mark.parametrize("tremor", [0.0, 0.02])
def test_two_that_pass_in_front_of_each_other_keep_their_numbers(
    fps: float, speed: float, hidden: float, tremor: float
) -> None:
    """Hidden for 0.25 to 0.8 seconds. Measured tremor: 0.1 to 0.7 % of a face's size, 2 % of a blurred hand's."""
    for seed in range(10):
        numbers_of = crossing(fps, speed, hidden, tremor, seed)
        assert sorted(map(sorted, numbers_of.values())) == [[1], [2]]


@pytest.mark.parametrize("fps", [10.0, 30.0])
@pytest.mark.parametrize("onward", [1.0, -1.0], ids=["cross", "part"])
def test_left_and_right_hands_that_clap_keep_their_numbers(fps: float, onward: float) -> None:
    """They meet, lie on each other for half a second, and go on or back; the side is wrong in one frame of twenty."""
    for seed in range(5):
        random = np.random.default_rng(seed)
        tracker = Tracker()
        numbers_of: dict[Side, list[int | None]] = {"left": [], "right": []}
        for k in range(int(3 * fps)):
            time_s = k / fps
            x = SIZE * (min(time_s - 1.25, -0.02) if time_s < 1.5 else onward * max(time_s - 1.75, 0.02))
            places: dict[Side, float] = {"left": 300 + 2 * x, "right": 300 - 2 * x}
            hands = []
            for side, place in places.items():
                other: Side = "left" if side == "right" else "right"
                wrong = k > 0.5 * fps and random.random() < 0.05
                hands.append(hand(place + random.normal(0, 0.02 * SIZE), other if wrong else side, size=SIZE))
            track_of = {item.box_xyxy: item.track for item in tracker.update(hands, time_s)}
            for item, side in zip(hands, places, strict=True):
                numbers_of[side].append(track_of[item.box_xyxy])
        assert sorted({numbers_[0], numbers_[-1]} for numbers_ in numbers_of.values()) == [{1}, {2}]


def test_a_hand_that_appears_beside_one_that_went_is_taken_by_its_side() -> None:
    tracker = Tracker()
    tracker.update([hand(100, "left"), hand(130, "right")], 0.0)
    tracker.update([], 0.03)
    (found,) = tracker.update([hand(115, "right")], 0.06)
    assert found.track == 2
    (found,) = tracker.update([hand(115, "left")], 0.5)
    assert found.track in (1, 2)


def test_a_face_that_walks_on_behind_something_is_expected_on_the_other_side() -> None:
    tracker = Tracker()
    for k in range(20):
        tracker.update([face(100 + 60 * k / 30, size=40)], k / 30)
    away_s = 0.8
    back = 100 + 60 * (19 / 30 + away_s)
    assert numbers(tracker.update([face(back, size=40)], 19 / 30 + away_s)) == [1]


def test_a_face_that_stops_behind_something_is_still_the_same() -> None:
    tracker = Tracker()
    for k in range(20):
        tracker.update([face(100 + 120 * k / 30, size=40)], k / 30)
    assert numbers(tracker.update([face(100 + 120 * 19 / 30, size=40)], 19 / 30 + 0.8)) == [1]


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_fast_and_shaking_hands(fps: float) -> None:
    """Waving 2 sizes to and fro, up to 6 sizes a second."""
    random = np.random.default_rng(1)
    tracker = Tracker()
    for k in range(100):
        x = 300 + SIZE * (np.sin(6 * k / fps) + random.normal(0, 0.02))
        assert numbers(tracker.update([face(x, size=SIZE)], k / fps)) == [1]


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_sizes_that_change_quickly(fps: float) -> None:
    """A head that comes from far away to the lens within a second."""
    tracker = Tracker()
    for k in range(int(fps) + 1):
        size = 20 * 12 ** (k / fps)
        assert numbers(tracker.update([face(300, 200, size), face(900, 200, 40)], k / fps)) == [1, 2]


def test_neighbours_do_not_take_over_who_left() -> None:
    tracker = Tracker()
    tracker.update([face(100, size=40), face(160, size=40)], 0.0)
    for k in range(1, 60):
        assert numbers(tracker.update([face(160, size=40)], k / 30)) == [2]


@pytest.mark.parametrize("step_s", [0.0, -0.001, -0.5, -1.0])
def test_times_that_stand_still_or_step_back_a_little_lose_nobody(step_s: float) -> None:
    tracker = Tracker()
    time_s = 100.0
    for k in range(30):
        assert numbers(tracker.update([face(100 + 0.2 * k), face(400)], time_s)) == [1, 2]
        time_s += step_s if k % 3 == 2 else 0.04


def test_a_step_back_does_not_make_a_lost_track_wait_longer() -> None:
    tracker = Tracker(lost_s=1.0)
    tracker.update([face(100)], 10.0)
    tracker.update([], 9.2)
    assert tracker.update([], 10.1) == ()
    assert numbers(tracker.update([face(100)], 10.3)) == [2]


@pytest.mark.parametrize("jump_s", [-3.0, -3600.0, 3.0, 86400.0])
def test_a_clip_that_starts_over_and_a_clock_that_jumps_begin_anew(jump_s: float) -> None:
    tracker = Tracker()
    for k in range(10):
        tracker.update([face(100), face(300)], 50 + k / 25)
    for k in range(10):
        assert numbers(tracker.update([face(100), face(300)], 50 + jump_s + k / 25)) == [3, 4]


def test_each_round_of_a_looped_clip_has_its_own_numbers() -> None:
    tracker = Tracker()
    rounds = [[numbers(tracker.update([face(100 + 4.0 * k)], k / 25))[0] for k in range(75)] for _ in range(4)]
    assert [set(round_) for round_ in rounds] == [{1}, {2}, {3}, {4}]


def test_many_frames_leave_nothing_behind() -> None:
    random = np.random.default_rng(5)
    tracker = Tracker(lost_s=0.2)
    seen: set[int] = set()
    highest = most = 0
    for k in range(10_000):
        found = tracker.update([face(*random.uniform(0, 5000, 2)) for _ in range(random.integers(0, 3))], k / 30)
        new = {item.track for item in found if item.track} - seen
        assert all(number > highest for number in new), "numbers are never given again"
        highest = max([highest, *new])
        seen |= new
        most = max(most, len(tracker._tracks))
    assert highest > 5000
    assert most <= 2 * 8


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
