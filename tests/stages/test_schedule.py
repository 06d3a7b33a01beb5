from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from mien.scene import Hand
from mien.stages.schedule import DetectionScheduler, SearchDepth

PICTURE = np.zeros((48, 64, 3), np.uint8)


def hand(number: int) -> Hand:
    """A hand that is told from others by the place of its box."""
    landmarks_xyz = tuple((1.0, 2.0, 3.0) for _ in range(21))
    box_xyxy = (100.0 * number, 0.0, 100.0 * number + 50, 50.0)
    return Hand(box_xyxy=box_xyxy, detection_score=0.9, side="left", landmarks_xyz=landmarks_xyz)


class FakeHands:
    """Does what a detector does, with the hands that are there, and notes what was asked."""

    def __init__(self) -> None:
        self.there: set[int] = set()
        self.asked: list[tuple[int, bool]] = []
        self.thorough: list[bool] = []

    def follow(
        self, image_rgb: np.ndarray, previous: Sequence[Hand], *, search: bool = False, thorough: bool = True
    ) -> tuple[Hand, ...]:
        assert image_rgb.dtype == np.uint8
        self.asked.append((len(previous), search))
        self.thorough.append(search and thorough)
        kept = [one for one in previous if round(one.box_xyxy[0] / 100) in self.there]
        if search or len(kept) < len(previous):
            kept = [hand(number) for number in sorted(self.there)]
        return tuple(kept)

    @property
    def searches(self) -> int:
        return sum(search for _, search in self.asked)


@pytest.mark.parametrize("fps", [4.1, 6.0, 7.0, 10.0, 12.0, 15.0, 24.0, 25.0, 30.0, 60.0, 240.0])
@pytest.mark.parametrize("others", [set(), {1}, {1, 2}])
def test_a_new_hand_is_found_within_the_time(fps: float, others: set[int]) -> None:
    """Whenever it comes, counted from the frame before the first that shows it."""
    for first in range(round(fps) + 1, round(fps) + 1 + max(2, round(fps / 4) + 2)):
        detector = FakeHands()
        follower = DetectionScheduler(detector, within_s=0.25)
        detector.there = set(others)
        waits = []
        for k in range(first + round(fps)):
            if k == first:
                detector.there = others | {9}
            if hand(9) in follower.update(PICTURE, k / fps):
                waits.append((k - first) / fps)
        assert waits
        assert waits[0] + 1 / fps <= 0.25 + 1e-9
        assert len(waits) == round(fps) - round(waits[0] * fps), "once found it stays"


@pytest.mark.parametrize(("fps", "most"), [(30.0, 5), (60.0, 5), (10.0, 6)])
@pytest.mark.parametrize("there", [set(), {1, 2}])
def test_the_search_rests_in_between(fps: float, most: int, there: set[int]) -> None:
    detector = FakeHands()
    detector.there = there
    follower = DetectionScheduler(detector)
    for k in range(round(4 * fps)):
        follower.update(PICTURE, k / fps)
    assert detector.asked[0] == (0, True)
    assert detector.searches <= 4 * most + 1


def test_after_a_loss_every_frame_is_searched_for_a_while() -> None:
    detector = FakeHands()
    follower = DetectionScheduler(detector, eager_s=0.5)
    detector.there = {1}
    for k in range(31):
        follower.update(PICTURE, k / 30)
    detector.there = set()
    assert follower.update(PICTURE, 31 / 30) == ()
    before = len(detector.asked)
    for k in range(32, 46):
        follower.update(PICTURE, k / 30)
    assert all(search for _, search in detector.asked[before:])
    detector.there = {1}
    assert follower.update(PICTURE, 46 / 30) == (hand(1),)


@pytest.mark.parametrize("later_s", [-0.01, -30.0, 0.26, 3600.0])
def test_after_a_jump_in_time_nothing_is_followed(later_s: float) -> None:
    detector = FakeHands()
    detector.there = {1}
    follower = DetectionScheduler(detector)
    follower.update(PICTURE, 100.0)
    follower.update(PICTURE, 100.01)
    follower.update(PICTURE, 100.01 + later_s)
    assert detector.asked == [(0, True), (1, False), (0, True)]


def test_after_another_size_and_after_a_restart_nothing_is_followed() -> None:
    detector = FakeHands()
    detector.there = {1}
    follower = DetectionScheduler(detector)
    follower.update(PICTURE, 0.0)
    follower.update(np.zeros((50, 64, 3), np.uint8), 0.01)
    follower.restart()
    follower.update(np.zeros((50, 64, 3), np.uint8), 0.02)
    assert detector.asked == [(0, True)] * 3


def test_equal_times_are_followed() -> None:
    detector = FakeHands()
    detector.there = {1}
    follower = DetectionScheduler(detector)
    assert [follower.update(PICTURE, 5.0) for _ in range(4)] == [(hand(1),)] * 4
    assert detector.asked == [(0, True), (1, False), (1, False), (1, False)]


def test_no_waiting_at_all_searches_every_frame() -> None:
    detector = FakeHands()
    detector.there = {1}
    follower = DetectionScheduler(detector, within_s=0.0)
    for k in range(10):
        follower.update(PICTURE, k / 30)
    assert detector.searches == 10


@pytest.mark.parametrize("wrong", [{"within_s": -0.1}, {"eager_s": float("nan")}])
def test_wrong_times_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="within_s and eager_s"):
        DetectionScheduler(FakeHands(), **wrong)


@pytest.mark.parametrize("fps", [10.0, 24.0, 25.0, 29.97, 60.0])
@pytest.mark.parametrize("is_lost", [True, False])
def test_when_to_search_does_not_depend_on_where_one_began(fps: float, is_lost: bool) -> None:
    """So that two that began apart soon remember the same, and then go on alike."""
    whole, late = FakeHands(), FakeHands()
    first = DetectionScheduler(whole)
    others = [(start, DetectionScheduler(late)) for start in range(1, round(fps) + 1)]
    for k in range(round(3 * fps)):
        whole.there = late.there = set() if is_lost and round(fps) <= k < round(fps) + 3 else {1, 2}
        first.update(PICTURE, k / fps)
        for start, other in others:
            if k >= start:
                other.update(PICTURE, k / fps)
        if k >= round(2.6 * fps):
            memory = first.memory((k + 1) / fps)
            assert memory["found"]
            assert all(other.memory((k + 1) / fps) == memory for _, other in others)


def test_one_that_recalls_a_memory_goes_on_as_its_giver() -> None:
    for k in range(1, 60, 7):
        detector, second = FakeHands(), FakeHands()
        detector.there = second.there = {1}
        giver, taker = DetectionScheduler(detector), DetectionScheduler(second)
        for frame in range(k):
            detector.there = {1} if frame % 11 else {1, 2}
            giver.update(PICTURE, frame / 30)
        taker.recall(json.loads(json.dumps(giver.memory(k / 30))), Hand)
        begun = len(detector.asked)
        for frame in range(k, k + 40):
            detector.there = second.there = {1} if frame % 13 else {1, 2}
            assert taker.update(PICTURE, frame / 30) == giver.update(PICTURE, frame / 30)
        assert detector.asked[begun:] == second.asked


def test_nothing_is_remembered_that_no_longer_matters() -> None:
    detector = FakeHands()
    detector.there = {1}
    follower = DetectionScheduler(detector)
    assert follower.memory(0.0) == {}
    follower.update(PICTURE, 1.0)
    assert follower.memory(1.1)["found"]
    assert follower.memory(1.26) == {}
    depth = SearchDepth(lately_s=1.0, every_s=0.25)
    depth.note(5.0, thorough=True, seen=True)
    assert depth.memory(5.1) == {"time_s": 5.0, "searched_s": 5.0, "seen_s": 5.0}
    assert depth.memory(5.9) == {"time_s": 5.0, "seen_s": 5.0}
    assert depth.memory(6.1) == {}


def thorough_at(depth: SearchDepth, times: Sequence[float], seen: Sequence[bool] = ()) -> list[bool]:
    """What each frame gets; a hand is seen where `seen` says so."""
    found = []
    for k, time_s in enumerate(times):
        found.append(depth.thorough(time_s))
        depth.note(time_s, thorough=found[-1], seen=k < len(seen) and seen[k])
    return found


@pytest.mark.parametrize("fps", [4.0, 10.0, 25.0, 30.0, 120.0])
def test_a_hand_that_fills_the_picture_is_looked_for_within_the_time(fps: float) -> None:
    times = [k / fps for k in range(round(3 * fps))]
    thorough = thorough_at(SearchDepth(every_s=0.25), times)
    waits = [next(later - first for later, is_so in zip(times[k:], thorough[k:], strict=True) if is_so)
             for k, first in enumerate(times[: -round(fps)])]  # fmt: skip
    assert thorough[0]
    assert max(waits) + 1 / fps <= max(0.25, 1 / fps) + 1e-9
    assert sum(thorough) <= len(thorough) / 2 + 1 or fps <= 8


def test_while_a_hand_was_lately_seen_every_frame_is_searched_thoroughly() -> None:
    times = [k / 30 for k in range(120)]
    thorough = thorough_at(SearchDepth(lately_s=1.0, every_s=0.25), times, [False] * 30 + [True] * 30)
    assert all(thorough[31:88])
    assert not all(thorough[95:])


def test_a_photo_and_a_clip_that_starts_over_are_searched_thoroughly() -> None:
    depth = SearchDepth()
    assert thorough_at(depth, [0.0, 0.0, 0.0]) == [True] * 3
    assert thorough_at(depth, [0.04, 0.08, 0.0]) == [False, False, True]
    assert thorough_at(SearchDepth(), [0.0, 5.0, 9.0]) == [True] * 3


def test_the_scheduler_searches_thoroughly_only_now_and_then_where_there_is_no_hand() -> None:
    detector = FakeHands()
    follower = DetectionScheduler(detector)
    for k in range(240):
        follower.update(PICTURE, k / 60)
    assert detector.thorough[0]
    assert 0.3 * detector.searches <= sum(detector.thorough) <= 0.7 * detector.searches
    detector.there = {1}
    for k in range(240, 280):
        follower.update(PICTURE, k / 60)
    detector.there = set()
    before = len(detector.asked)
    for k in range(280, 310):
        follower.update(PICTURE, k / 60)
    after = list(zip(detector.asked[before:], detector.thorough[before:], strict=True))
    assert sum(search for (_, search), _ in after) > 25
    assert all(thorough for (_, search), thorough in after if search)


@pytest.mark.parametrize("wrong", [{"lately_s": -1.0}, {"every_s": float("nan")}])
def test_wrong_times_of_the_second_search_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="lately_s and every_s"):
        SearchDepth(**wrong)
