from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mien.scene import Face, Hand, Scene
from mien.stages.one_euro import OneEuroSmoother, SteadySettings

SHAPE = np.column_stack([np.linspace(10, 90, 21), np.linspace(90, 10, 21), np.linspace(-5, 5, 21)])


def hand(x: float = 0.0, *, tremor: np.ndarray | None = None, scale: float = 1.0, track: int | None = 1) -> Hand:
    points = scale * (SHAPE + (x, 0, 0) + (0 if tremor is None else tremor))
    return Hand(
        box_xyxy=(scale * x, 0.0, scale * (x + 100), scale * 100.0),
        detection_score=0.9,
        track=track,
        side="right",
        landmarks_xyz=tuple((a, b, c) for a, b, c in points.tolist()),
    )


def face(x: float = 0.0, *, track: int | None = 1) -> Face:
    keypoints_xy = tuple((x + 10.0 * k, 40.0) for k in range(6))
    return Face(box_xyxy=(x, 0.0, x + 80, 100.0), detection_score=0.9, track=track, keypoints_xy=keypoints_xy)


def scene(time_s: float, *, faces: Sequence[Face] = (), hands: Sequence[Hand] = ()) -> Scene:
    return Scene(source="", frame=0, time_s=time_s, size_hw=(480, 640), faces=tuple(faces), hands=tuple(hands))


def points(one: Scene) -> np.ndarray:
    return np.array(one.hands[0].landmarks_xyz)


def test_what_lies_still_stays_where_it_is() -> None:
    steadier = OneEuroSmoother()
    for k in range(20):
        given = scene(k / 30, faces=[face()], hands=[hand()])
        out = steadier.update(given)
        np.testing.assert_allclose(points(out), SHAPE)
        assert out.faces[0].box_xyxy == pytest.approx(given.faces[0].box_xyxy)
        np.testing.assert_allclose(out.faces[0].keypoints_xy, given.faces[0].keypoints_xy)


def test_only_places_change() -> None:
    steadier = OneEuroSmoother()
    steadier.update(scene(0.0, hands=[hand()], faces=[face()]))
    given = scene(0.1, hands=[hand(5)], faces=[face(5)])
    out = steadier.update(given)
    assert points(out)[3, 0] < points(given)[3, 0]
    assert (
        replace(out.hands[0], box_xyxy=given.hands[0].box_xyxy, landmarks_xyz=given.hands[0].landmarks_xyz)
        == (given.hands[0])
    )
    assert (
        replace(out.faces[0], box_xyxy=given.faces[0].box_xyxy, keypoints_xy=given.faces[0].keypoints_xy)
        == (given.faces[0])
    )


@pytest.mark.parametrize(("fps", "least"), [(30.0, 2.5), (10.0, 1.6)])
def test_a_still_hand_trembles_less(fps: float, least: float) -> None:
    random = np.random.default_rng(0)
    steadier = OneEuroSmoother()
    before, after = [], []
    for k in range(200):
        given = scene(k / fps, hands=[hand(tremor=random.normal(0, 1, (21, 3)))])
        before.append(points(given) - SHAPE)
        after.append(points(steadier.update(given)) - SHAPE)
    assert np.std(before[20:]) > least * np.std(after[20:])


@pytest.mark.parametrize("fps", [10.0, 30.0])
@pytest.mark.parametrize("speed", [1.0, 3.0, 8.0])
def test_a_moving_hand_is_not_left_behind(fps: float, speed: float) -> None:
    """Speeds in sizes of the box a second; at most 6 % of a box and 60 ms behind."""
    steadier = OneEuroSmoother()
    for k in range(round(3 * fps)):
        given = scene(k / fps, hands=[hand(100 * speed * k / fps)])
        out = steadier.update(given)
    behind = float((points(given) - points(out))[:, 0].max()) / 100
    assert behind < 0.06
    assert behind / speed < 0.06


def test_size_makes_no_difference() -> None:
    random = np.random.default_rng(1)
    small, large = OneEuroSmoother(), OneEuroSmoother()
    for k in range(30):
        tremor = random.normal(0, 1, (21, 3))
        a = small.update(scene(k / 30, hands=[hand(3.0 * k, tremor=tremor)]))
        b = large.update(scene(k / 30, hands=[hand(3.0 * k, tremor=tremor, scale=7.0)]))
        np.testing.assert_allclose(points(b), 7 * points(a))


def test_boxes_keep_an_area() -> None:
    random = np.random.default_rng(2)
    steadier = OneEuroSmoother()
    for k in range(300):
        x, y = random.uniform(0, 500, 2)
        width, height = random.uniform(1, 300, 2)
        given = Face(box_xyxy=(x, y, x + width, y + height), detection_score=0.9, track=1)
        x1, y1, x2, y2 = steadier.update(scene(k / 30, faces=[given])).faces[0].box_xyxy
        assert x2 - x1 >= 0.99
        assert y2 - y1 >= 0.99


def test_tracks_are_independent() -> None:
    both, alone = OneEuroSmoother(), OneEuroSmoother()
    for k in range(20):
        pair = both.update(scene(k / 30, faces=[face(2.0 * k, track=1), face(300 - 9.0 * k, track=2)], hands=[hand(k)]))
        one = alone.update(scene(k / 30, faces=[face(2.0 * k)]))
        assert pair.faces[0] == one.faces[0]


def test_what_has_no_track_stays_as_it_is() -> None:
    steadier = OneEuroSmoother()
    for k in range(5):
        given = scene(k / 30, faces=[face(10.0 * k, track=None)], hands=[hand(10.0 * k, track=None)])
        assert steadier.update(given) == given


@pytest.mark.parametrize("jump_s", [1.5, 3600.0, -1.5, -3600.0])
def test_after_a_jump_in_time_a_track_is_placed_anew(jump_s: float) -> None:
    steadier = OneEuroSmoother()
    for k in range(10):
        steadier.update(scene(100 + k / 30, hands=[hand()]))
    np.testing.assert_allclose(
        points(steadier.update(scene(100 + jump_s, hands=[hand(50)]))), np.add(SHAPE, (50, 0, 0))
    )


def test_no_time_moves_nothing() -> None:
    steadier = OneEuroSmoother()
    steadier.update(scene(1.0, hands=[hand()]))
    for time_s in (1.0, 0.9, 0.9):
        np.testing.assert_allclose(points(steadier.update(scene(time_s, hands=[hand(50)]))), SHAPE)
    assert points(steadier.update(scene(1.0, hands=[hand(50)])))[0, 0] > SHAPE[0, 0] + 10


def test_key_points_that_come_and_go() -> None:
    steadier = OneEuroSmoother()
    steadier.update(scene(0.0, faces=[face()]))
    bare = replace(face(4.0), keypoints_xy=())
    assert steadier.update(scene(0.03, faces=[bare])).faces[0] == bare
    assert len(steadier.update(scene(0.06, faces=[face(8.0)])).faces[0].keypoints_xy) == 6


def test_many_tracks_leave_nothing_behind() -> None:
    steadier = OneEuroSmoother()
    for k in range(2000):
        steadier.update(scene(k / 30, faces=[face(track=k // 3 + 1)]))
        assert len(steadier._filters) <= 12


@pytest.mark.parametrize(
    "wrong", [{"still_hz": 0.0}, {"speed_hz": math.inf}, {"hz_per_speed": -1.0}, {"lost_s": math.nan}]
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SteadySettings(**wrong)
