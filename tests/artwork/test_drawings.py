"""The drawings: of the right form, the same every time, and seen by our own detectors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from mien.artwork import drawings as artwork
from mien.artwork.canvas import Brush, Canvas, Shape, ellipse, ribbon, smooth
from mien.artwork.cast import EXPRESSIONS, PEOPLE
from mien.artwork.hand import POSES, blended_joints, hand_joints
from mien.errors import UnknownName
from mien.labels import EMOTIONS, GESTURES
from mien.stages.faces import FaceDetector
from mien.stages.hands import HandDetector


@pytest.fixture(scope="module")
def faces() -> Iterator[FaceDetector]:
    with FaceDetector() as detector:
        yield detector


@pytest.fixture(scope="module")
def hands() -> Iterator[HandDetector]:
    with HandDetector() as detector:
        yield detector


# Every person and every expression once, without drawing all pairs.
PORTRAITS = list(zip(itertools.cycle(PEOPLE), EXPRESSIONS, strict=False))


@pytest.mark.parametrize(("person", "expression"), PORTRAITS)
def test_a_drawn_face_is_found_where_it_is(faces: FaceDetector, person: str, expression: str) -> None:
    image_rgb = artwork.draw_face(expression, person=person, size=384)
    (face,) = faces.detect(image_rgb)
    x1, y1, x2, y2 = face.box_xyxy
    assert face.detection_score > 0.7
    assert abs((x1 + x2) / 2 - 192) < 25
    assert abs((y1 + y2) / 2 - 190) < 40
    assert 120 < x2 - x1 < 220
    right_eye, left_eye = face.keypoints_xy[:2]
    assert right_eye[0] < 192 < left_eye[0]


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("gesture", list(POSES))
def test_a_drawn_hand_is_found_with_its_side_and_joints(hands: HandDetector, gesture: str, left: bool) -> None:
    size, unit = 384, 384 * 0.32
    (hand,) = hands.detect(artwork.draw_hand(gesture, person="chen", left=left, size=size))
    assert hand.detection_score > 0.9
    assert hand.side == ("left" if left else "right")
    joints = artwork.drawn_joints(gesture, left=left, size=size)
    error = np.linalg.norm(np.array(hand.landmarks_xyz)[:, :2] - joints, axis=1) / unit
    assert error.mean() < 0.2  # of the palm's length
    assert error[[4, 8, 12]].max() < 0.3


def test_the_pictures_show_what_they_should(faces: FaceDetector, hands: HandDetector) -> None:
    people = artwork.draw_people()
    assert len(faces.detect(people)) == 3
    assert sorted(hand.side for hand in hands.detect(people)) == ["left", "right"]
    assert len(faces.detect(artwork.draw_faces())) == 6
    for six, sides in ((artwork.draw_hands(), ["left", *["right"] * 5]), (artwork.draw_more_hands(), ["right"] * 6)):
        assert sorted(hand.side for hand in hands.detect(six)) == sides
        assert not faces.detect(six)


def test_the_clip_has_its_form_and_moves() -> None:
    frames = artwork.demo_frames()
    first, second = next(frames), next(frames)
    for frame in (first, second):
        assert frame.shape == (*artwork.CLIP_SIZE_HW, 3)
        assert frame.dtype == np.uint8
    assert not np.array_equal(first, second)
    assert 1 + sum(1 for _ in itertools.islice(frames, 2)) == 3


def test_names_are_those_of_the_label_sets() -> None:
    assert set(EXPRESSIONS) <= set(EMOTIONS.labels)
    assert set(POSES) == set(GESTURES.labels)


def test_drawing_is_the_same_every_time() -> None:
    for person in PEOPLE:
        once, again = (artwork.draw_face("happy", person=person, size=64) for _ in range(2))
        assert np.array_equal(once, again)
        assert once.shape == (64, 64, 3)


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="happy"):
        artwork.draw_face("hapy")
    with pytest.raises(UnknownName, match="victory"):
        artwork.draw_hand("victori")
    with pytest.raises(UnknownName, match="ada"):
        artwork.draw_face("happy", person="adda")
    with pytest.raises(UnknownName, match="blue"):
        artwork.draw_face("happy", wall="bluee")


def test_an_expression_on_the_way_lies_between() -> None:
    neutral, happy = EXPRESSIONS["neutral"], EXPRESSIONS["happy"]
    assert neutral.towards(happy, 0.0) == neutral
    assert neutral.towards(happy, 1.0) == happy
    assert neutral.towards(happy, 0.5).corners == pytest.approx(happy.corners / 2)


def test_joints_on_the_way_lie_between() -> None:
    first, second = hand_joints(POSES["none"]), hand_joints(POSES["victory"])
    assert first.shape == (21, 3)
    np.testing.assert_allclose(blended_joints("none", "victory", 0.0), first)
    np.testing.assert_allclose(blended_joints("none", "victory", 1.0), second)
    np.testing.assert_allclose(blended_joints("none", "victory", 0.5), (first + second) / 2)


def test_a_mirrored_hand_is_the_mirror_image_of_the_outline() -> None:
    right = artwork.draw_hand("loser", size=128).astype(int)
    left = artwork.draw_hand("loser", left=True, size=128).astype(int)
    wall = Canvas((128, 128))
    wall.wash(*artwork.WALLS["teal"])
    empty = wall.finish().astype(int)
    seen_right, seen_left = (np.abs(picture - empty).max(axis=2) > 12 for picture in (right, left))
    assert (seen_right != seen_left[:, ::-1]).mean() < 0.02


class TestCanvas:
    def test_a_shape_covers_its_area(self) -> None:
        canvas = Canvas((40, 60))
        shape = Brush(canvas, (30, 20), 10).fill(ellipse(0, 0, 1, 1), (255, 255, 255))
        assert shape.mask.sum() / canvas.scale**2 == pytest.approx(np.pi * 100, rel=0.08)
        assert canvas.finish().mean() / 255 * 2400 == pytest.approx(np.pi * 100, rel=0.08)

    def test_a_blurred_shape_keeps_its_area_about(self) -> None:
        brush = Brush(Canvas((400, 400)), (200, 200), 50)
        sharp = brush.shape(ellipse(0, 0, 1, 1)).mask.sum()
        for blur in (0.02, 0.1, 0.4):
            assert brush.shape(ellipse(0, 0, 1, 1), blur=blur).mask.sum() == pytest.approx(sharp, rel=0.05)

    def test_shapes_beyond_the_edge_are_cut(self) -> None:
        canvas = Canvas((20, 20))
        brush = Brush(canvas, (0, 0), 10)
        brush.fill(ellipse(0, 0, 1, 1), (255, 0, 0), blur=0.3)
        brush.fill(ellipse(-9, -9, 1, 1), (255, 0, 0))
        picture = canvas.finish()
        assert picture[0, 0, 0] > 200
        assert picture[19, 19].max() == 0

    def test_a_cut_is_where_both_are(self) -> None:
        ones = np.ones((4, 4), np.float32)
        both = Shape(0, 0, ones).cut(Shape(2, 3, ones))
        assert (both.left, both.top, both.mask.shape) == (2, 3, (1, 2))
        assert Shape(0, 0, ones).cut(Shape(9, 9, ones)).mask.sum() == 0

    def test_curves_pass_through_their_points(self) -> None:
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 2)], np.float32)
        np.testing.assert_allclose(smooth(corners, steps=5)[::5], corners, atol=1e-6)
        np.testing.assert_allclose(smooth(corners, closed=False, steps=5)[::5], corners, atol=1e-6)

    def test_a_ribbon_is_as_wide_as_asked(self) -> None:
        outline = ribbon([(0, 0), (1, 0), (2, 0)], (0.2, 0.2))
        assert outline[:, 1].max() == pytest.approx(0.1, abs=1e-6)
        assert outline[:, 1].min() == pytest.approx(-0.1, abs=1e-6)
