from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import ModelError, UnknownName
from mien.labels import EMOTIONS, GESTURES_5
from mien.models.artifact import Artifact
from mien.models.manifest import Manifest
from mien.models.session import FakeSession
from mien.pixels.preprocess import InputSpec, crop_face, crop_hand, to_batch
from mien.scene import Face, Hand
from mien.stages.classify import ExpressionClassifier, GestureClassifier, canonical_landmarks

GREY = InputSpec(size_hw=(48, 48), colour="grey", mean=(0.5,), std=(0.25,))
Batch = NDArray[np.float32]


def emotion_network(answer: Any, **changes: Any) -> FakeSession:
    values: dict[str, Any] = {
        "name": "fake_emotion",
        "task": "emotion",
        "labels": "emotions",
        "input": GREY,
        "threshold": 0.5,
        "licence": "Apache-2.0",
        "origin": "a test",
    }
    return FakeSession(Artifact(Path("nowhere"), Manifest(**(values | changes))), answer)


def gesture_network(answer: Any, **changes: Any) -> FakeSession:
    points = InputSpec(size_hw=(21, 3), kind="landmarks", colour="grey")
    return emotion_network(
        answer, **({"name": "fake_gesture", "task": "gesture", "labels": "gestures", "input": points} | changes)
    )


def fixed(*logits: float) -> Any:
    return lambda batch: (np.tile(np.array(logits, np.float32), (len(batch), 1)),)


def from_pixels(batch: Batch) -> tuple[Batch]:
    """Logits that depend on each item alone: means over seven stripes of the crop."""
    stripes = [part.mean(axis=(1, 2, 3)) for part in np.array_split(batch, 7, axis=3)]
    return (3 * np.stack(stripes, axis=1).astype(np.float32),)


def hand(points: NDArray[np.float64], side: Any = "right") -> Hand:
    (left, top), (right, low) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return Hand(
        box_xyxy=(left, top, right, low),
        detection_score=0.9,
        side=side,
        landmarks_xyz=tuple((x, y, z) for x, y, z in points.tolist()),
    )


@pytest.fixture
def points() -> NDArray[np.float64]:
    return np.random.default_rng(5).uniform((100, 100, -30), (200, 260, 30), (21, 3))


LOGITS = (0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 0.25)


def test_scores_are_the_softmax_in_the_order_of_the_labels() -> None:
    (prediction,) = ExpressionClassifier(emotion_network(fixed(*LOGITS))).read(np.zeros((1, 1, 48, 48), np.float32))
    total = sum(map(math.exp, LOGITS))
    assert list(prediction.probabilities) == list(EMOTIONS.labels)
    assert list(prediction.probabilities.values()) == pytest.approx([math.exp(v) / total for v in LOGITS])
    assert (prediction.label, prediction.confidence) == ("happy", pytest.approx(math.exp(3) / total))


def test_labels_left_out_are_no_answers_and_the_others_share_what_they_had() -> None:
    logits = np.log([0.1, 0.05, 0.05, 0.2, 0.05, 0.05, 0.1, 0.4])
    network = emotion_network(
        fixed(*logits), labels="emotions8", left_out=("contempt",), threshold=0.3, temperature=1.0
    )
    classifier = ExpressionClassifier(network)
    assert classifier.labels is EMOTIONS
    batch = np.zeros((2, 1, 48, 48), np.float32)
    for answer in (*classifier.read(batch), *classifier.read_logits(classifier.logits(batch))):
        assert (answer.label, answer.uncertain, answer.likeliest) == ("happy", False, ("happy", "neutral"))
        assert list(answer.probabilities) == list(EMOTIONS.labels)
        assert list(answer.probabilities.values()) == pytest.approx(np.array([1, 0.5, 0.5, 2, 0.5, 0.5, 1]) / 6)
    seven = emotion_network(fixed(*logits[:7]), labels="emotions8", left_out=("contempt",))
    with pytest.raises(ModelError, match=r"gave \(2, 7\) instead of \(2, 8\)"):
        ExpressionClassifier(seven).logits(batch)


def test_the_temperature_divides_the_logits() -> None:
    hot = ExpressionClassifier(emotion_network(fixed(*LOGITS), temperature=2.5))
    cold = ExpressionClassifier(emotion_network(fixed(*(v / 2.5 for v in LOGITS))))
    batch = np.zeros((1, 1, 48, 48), np.float32)
    np.testing.assert_allclose(hot.probabilities(batch), cold.probabilities(batch), rtol=1e-6)


@pytest.mark.parametrize(("threshold", "uncertain"), [(0.0, False), (0.5, False), (0.7, True), (1.0, True)])
def test_below_the_threshold_the_answer_is_uncertain(threshold: float, uncertain: bool) -> None:
    logits = [0.0] * 7
    logits[2] = math.log(6 * 0.6 / 0.4)  # confidence 0.6
    batch = np.zeros((1, 1, 48, 48), np.float32)
    (by_user,) = ExpressionClassifier(emotion_network(fixed(*logits)), threshold=threshold).read(batch)
    (by_manifest,) = ExpressionClassifier(emotion_network(fixed(*logits), threshold=threshold)).read(batch)
    assert by_user.confidence == pytest.approx(0.6)
    assert by_user.uncertain is by_manifest.uncertain is uncertain


def test_the_threshold_given_wins_over_the_manifest() -> None:
    network = emotion_network(fixed(*LOGITS), threshold=0.9)
    assert ExpressionClassifier(network, threshold=0.0).threshold == 0.0
    assert ExpressionClassifier(network).threshold == 0.9


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_threshold_beyond_0_and_1_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        ExpressionClassifier(emotion_network(fixed(*LOGITS)), threshold=threshold)


def test_huge_logits_do_not_overflow() -> None:
    network = emotion_network(fixed(1e30, -1e30, 0, 0, 0, 0, 0), temperature=0.2)
    (prediction,) = ExpressionClassifier(network).read(np.zeros((1, 1, 48, 48), np.float32))
    assert (prediction.label, prediction.confidence) == ("angry", 1.0)


def test_a_model_for_another_task_is_refused() -> None:
    with pytest.raises(ModelError, match="fake_gesture is made for gesture, not for emotion"):
        ExpressionClassifier(gesture_network(fixed(0, 0, 0, 0, 0)))
    with pytest.raises(ModelError, match="not for gesture"):
        GestureClassifier(emotion_network(fixed(*LOGITS)))


def test_a_model_of_the_package_for_another_task_is_refused() -> None:
    with pytest.raises(ModelError, match="made for face_detection"):
        ExpressionClassifier("face_centerface")


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UnknownName, match="face_blazefase_back"):
        ExpressionClassifier("face_blazefase_back")


@pytest.mark.parametrize(
    "answer",
    [
        fixed(0, 0, 0, 0, 0),
        fixed(0, 0, 0, 0, 0, 0, math.nan),
        fixed(0, 0, 0, 0, 0, 0, math.inf),
        lambda batch: (np.zeros((len(batch), 7, 1), np.float32),),
        lambda _: (np.zeros(7, np.float32),),
        lambda batch: (np.zeros((len(batch) + 1, 7), np.float32),),
    ],
    ids=["five", "nan", "inf", "3d", "1d", "more-rows"],
)
def test_outputs_that_are_no_logits_are_refused(answer: Any) -> None:
    with pytest.raises(ModelError, match="fake_emotion gave"):
        ExpressionClassifier(emotion_network(answer)).classify_crops([np.zeros((48, 48, 3), np.uint8)])


def test_a_batch_reads_like_one_at_a_time() -> None:
    random = np.random.default_rng(3)
    image = random.integers(0, 256, (200, 300, 3), np.uint8)
    faces = [
        Face(box_xyxy=(x, x / 2, x + 60 + x / 9, x / 2 + 70), detection_score=0.9, track=1 + x)
        for x in range(0, 240, 40)
    ]
    network = emotion_network(from_pixels)
    classifier = ExpressionClassifier(network)
    together = classifier.classify(image, faces)
    assert [batch.shape for batch in network.batches] == [(6, 1, 48, 48)]
    alone = [classifier.classify(image, [one])[0] for one in faces]
    for a, b, given in zip(together, alone, faces, strict=True):
        assert replace(a, prediction=None) == given
        assert a.label == b.label
        assert list(a.probabilities.values()) == pytest.approx(list(b.probabilities.values()), abs=1e-6)
    assert len({face.confidence for face in together}) > 1


def test_the_network_sees_the_crop_that_training_would() -> None:
    image = np.random.default_rng(4).integers(0, 256, (100, 100, 3), np.uint8)
    eyes = ((30.0, 40.0), (60.0, 50.0))
    spec = replace(GREY, level=True, margin=0.1)
    network = emotion_network(from_pixels, input=spec)
    ExpressionClassifier(network).classify(
        image, [Face(box_xyxy=(20, 20, 70, 80), detection_score=0.9, keypoints_xy=eyes)]
    )
    expected = to_batch(crop_face(image, (20, 20, 70, 80), spec, keypoints_xy=eyes)[None], spec)
    np.testing.assert_array_equal(network.batches[0], expected)


def test_a_face_of_which_nothing_tells_which_way_up_it_is_is_read_all_four_ways() -> None:
    """One way round the answer would be sure; the average of all four is not."""
    image = np.zeros((100, 100, 3), np.uint8)
    image[20:80, 20:30] = 255  # the first of the seven stripes, if upright
    face = Face(box_xyxy=(20, 20, 80, 80), detection_score=0.9)
    other = Face(box_xyxy=(20, 20, 80, 80), detection_score=0.9, roll_known=False)
    network = emotion_network(lambda batch: (9 * from_pixels(batch)[0],), threshold=0.5)
    known, unknown = ExpressionClassifier(network).classify(image, [face, other])
    assert (known.label, known.uncertain) == ("angry", False)
    assert unknown.uncertain
    assert sum(unknown.probabilities.values()) == pytest.approx(1)
    ways = [np.ascontiguousarray(np.rot90(image, turn)) for turn in range(4)]
    alone = [ExpressionClassifier(network).classify(way, [face])[0].probabilities for way in ways]
    for label, value in unknown.probabilities.items():
        assert value == pytest.approx(np.mean([each[label] for each in alone]), abs=0.02)


def test_ready_crops_of_any_size() -> None:
    random = np.random.default_rng(6)
    crops = [random.integers(0, 256, (*size, 3), np.uint8) for size in ((48, 48), (20, 31), (300, 100))]
    network = emotion_network(from_pixels)
    predictions = ExpressionClassifier(network).classify_crops(crops)
    assert len(predictions) == 3
    assert network.batches[0].shape == (3, 1, 48, 48)


RGB = InputSpec(size_hw=(20, 24), colour="rgb", margin=0.25, mean=(0.5,), std=(0.25,))


def test_a_gesture_model_of_pictures_sees_the_crops_that_training_would() -> None:
    image = np.random.default_rng(4).integers(0, 256, (100, 120, 3), np.uint8)
    network = gesture_network(lambda batch: (from_pixels(batch)[0][:, :5],), input=RGB)
    classifier = GestureClassifier(network)
    hands = [hand(np.random.default_rng(i).uniform(20, 90, (21, 3))) for i in range(3)]
    together = classifier.classify(hands, image)
    expected = np.stack([crop_hand(image, one.box_xyxy, RGB) for one in hands])
    np.testing.assert_array_equal(network.batches[0], to_batch(expected, RGB))
    assert [replace(one, prediction=None) for one in together] == hands
    assert len({one.confidence for one in together}) == 3
    (ready,) = classifier.classify_crops([expected[1]])
    assert list(ready.probabilities.values()) == pytest.approx(list(together[1].probabilities.values()), abs=1e-6)
    with pytest.raises(ValueError, match="needs the picture"):
        classifier.classify(hands)
    assert classifier.classify([]) == classifier.classify_crops([]) == ()


def test_a_gesture_model_of_landmarks_takes_no_crops() -> None:
    with pytest.raises(ValueError, match="takes hands, not crops"):
        GestureClassifier(gesture_network(fixed(0, 0, 0, 0, 0))).classify_crops([np.zeros((9, 9, 3), np.uint8)])


def test_nothing_in_nothing_out() -> None:
    network = emotion_network(from_pixels)
    classifier = ExpressionClassifier(network)
    assert classifier.classify(np.zeros((4, 4, 3), np.uint8), ()) == ()
    assert classifier.classify_crops([]) == ()
    hands = gesture_network(fixed(0, 0, 0, 0, 0))
    assert GestureClassifier(hands).classify([]) == ()
    assert network.batches == hands.batches == []


def test_leaving_the_block_frees_the_network() -> None:
    network = emotion_network(from_pixels)
    with ExpressionClassifier(network):
        assert not network.closed
    assert network.closed


def test_hands_are_read_from_their_landmarks(points: NDArray[np.float64]) -> None:
    network = gesture_network(fixed(0, 0, 0, 4, 0))
    left, right = GestureClassifier(network).classify([hand(points, "left"), hand(points, "right")])
    assert (left.label, right.label) == ("victory", "victory")
    assert list(left.probabilities) == list(GESTURES_5.labels)
    assert (left.side, right.side) == ("left", "right")
    expected = np.stack([canonical_landmarks(hand(points, "left")), canonical_landmarks(hand(points, "right"))])
    np.testing.assert_array_equal(network.batches[0], expected)


def test_only_some_gestures_leave_the_rest_to_none(points: NDArray[np.float64]) -> None:
    logits = np.log([0.05, 0.1, 0.2, 0.05, 0.3, 0.02, 0.08, 0.05, 0.05, 0.05, 0.05])
    network = gesture_network(fixed(*logits), labels="gestures11", threshold=0.5)
    (every,) = GestureClassifier(network).classify([hand(points)])
    assert (every.label, every.uncertain) == ("thumb_up", True)
    seeds = GestureClassifier(network, gestures=("victory", "loser", "super", "punch"))
    assert seeds.labels is GESTURES_5, "in the order of the model"
    (hand_,) = seeds.classify([hand(points)])
    assert (hand_.label, hand_.uncertain) == ("none", False)
    assert list(hand_.probabilities.values()) == pytest.approx([0.05, 0.1, 0.2, 0.05, 0.6])
    (one,) = GestureClassifier(network, gestures=("none", "thumb_up")).classify([hand(points)])
    assert one.probabilities == pytest.approx({"thumb_up": 0.3, "none": 0.7})


def test_only_gestures_that_the_model_knows_can_be_asked_for() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'victory'"):
        GestureClassifier(gesture_network(fixed(0, 0, 0, 4, 0)), gestures=("victori",))


def test_a_model_of_ones_own_labels_answers_with_them(points: NDArray[np.float64]) -> None:
    labels = ("比心", "two fingers", "none")
    network = gesture_network(fixed(4, 0, 0), labels=labels)
    (found,) = GestureClassifier(network).classify([hand(points)])
    assert found.label == "比心"
    assert list(found.probabilities) == list(labels)
    (other,) = GestureClassifier(network, gestures=["two fingers"]).classify([hand(points)])
    assert (other.label, list(other.probabilities)) == ("none", ["two fingers", "none"])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("degrees", [0, 30, 90, 180, -120])
def test_the_top_of_the_picture_turns_with_the_hand(points: NDArray[np.float64], degrees: float, side: Any) -> None:
    upright = points.copy()
    upright[9, :2] = upright[0, :2] + (0.0, -50.0)
    angle = math.radians(degrees)  # clockwise on screen
    turn = np.array([[math.cos(angle), math.sin(angle), 0], [-math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    found = canonical_landmarks(hand(upright @ turn, side), with_top=True)
    assert found.shape == (22, 3)
    np.testing.assert_array_equal(found[:21], canonical_landmarks(hand(upright @ turn, side)))
    # Seen from a hand turned clockwise, the top lies counterclockwise; a left hand is seen in a mirror.
    expected = -angle if side == "right" else angle
    np.testing.assert_allclose(found[21], (math.sin(expected), -math.cos(expected), 0), atol=1e-6)


def test_a_mirrored_hand_of_the_other_side_has_its_top_in_the_same_place(points: NDArray[np.float64]) -> None:
    mirrored = points * (-1, 1, 1)
    np.testing.assert_allclose(
        canonical_landmarks(hand(mirrored, "left"), with_top=True),
        canonical_landmarks(hand(points, "right"), with_top=True),
        atol=1e-6,
    )


def test_a_model_that_wants_the_top_gets_it(points: NDArray[np.float64]) -> None:
    network = gesture_network(fixed(0, 0, 0, 4, 0), input=InputSpec(size_hw=(22, 3), kind="landmarks", colour="grey"))
    GestureClassifier(network).classify([hand(points)])
    np.testing.assert_array_equal(network.batches[0][0], canonical_landmarks(hand(points), with_top=True))


def test_canonical_landmarks_have_their_wrist_at_the_origin_and_point_up(points: NDArray[np.float64]) -> None:
    canonical = canonical_landmarks(hand(points)).astype(np.float64)
    assert canonical.shape == (21, 3)
    np.testing.assert_allclose(canonical[0], 0, atol=1e-6)
    assert canonical[9, 0] == pytest.approx(0, abs=1e-6)
    assert canonical[9, 1] < 0
    spread = np.sqrt(((canonical - canonical.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert spread == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.8, 2.0, math.pi, -1.3])
@pytest.mark.parametrize("scale", [0.5, 1.0, 7.0])
def test_place_size_and_turn_do_not_matter(points: NDArray[np.float64], angle: float, scale: float) -> None:
    cos, sin = math.cos(angle), math.sin(angle)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    other = scale * points @ turn + (400, -90, 11)
    np.testing.assert_allclose(canonical_landmarks(hand(other)), canonical_landmarks(hand(points)), atol=1e-5)


def test_a_mirrored_hand_of_the_other_side_is_the_same(points: NDArray[np.float64]) -> None:
    mirrored = points * (-1, 1, 1) + (640, 0, 0)
    np.testing.assert_allclose(
        canonical_landmarks(hand(mirrored, "left")), canonical_landmarks(hand(points, "right")), atol=1e-5
    )
    assert np.abs(canonical_landmarks(hand(points, "left")) - canonical_landmarks(hand(points, "right"))).max() > 0.1


def test_the_shape_is_not_changed(points: NDArray[np.float64]) -> None:
    def distances(p: NDArray[Any]) -> NDArray[Any]:
        return np.linalg.norm(p[:, None] - p[None], axis=2)

    ratio = distances(canonical_landmarks(hand(points)).astype(np.float64))[1:, 0] / distances(points)[1:, 0]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


def test_a_hand_in_one_point_stays_finite() -> None:
    flat = Hand(box_xyxy=(0, 0, 1, 1), detection_score=0.5, side="left", landmarks_xyz=((5.0, 5.0, 0.0),) * 21)
    assert np.isfinite(canonical_landmarks(flat)).all()


@pytest.mark.parametrize(
    ("threshold", "confidence", "grade"),
    [
        (None, 0.85, "sure"),
        (None, 0.7, "perhaps"),
        (None, 0.55, "unclear"),
        (0.5, 0.55, "sure"),
        (0.9, 0.85, "perhaps"),
    ],
)
def test_grades_of_the_manifest_and_of_an_own_threshold(threshold: float | None, confidence: float, grade: str) -> None:
    rest = (1 - confidence) / 6
    network = emotion_network(fixed(*np.log([confidence, *[rest] * 6])), threshold=0.8, perhaps=0.6)
    classifier = ExpressionClassifier(network, threshold=threshold)
    (found,) = classifier.classify_crops([np.zeros((48, 48, 3), np.uint8)])
    assert (found.label, found.grade, found.uncertain) == ("angry", grade, grade != "sure")
    without = ExpressionClassifier(emotion_network(fixed(*np.log([0.7, *[0.05] * 6])), threshold=0.8))
    assert without.classify_crops([np.zeros((48, 48, 3), np.uint8)])[0].grade == "unclear"
