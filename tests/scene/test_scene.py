from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mien.scene import Event, Face, Frame, Hand, Prediction, Scene, UsedModel

LANDMARKS = tuple((10.0 + i, 20.0 + 2 * i, -0.5 * i) for i in range(21))

USED = UsedModel(
    name="emotion_residual", version="4", threshold=0.7835, sha256="2f15f6f9578e" + "0" * 52, detector="f 1"
)


def prediction(**changes: Any) -> Prediction:
    values: dict[str, Any] = {
        "label": "happy",
        "confidence": 0.75,
        "uncertain": False,
        "probabilities": {"happy": 0.75, "sad": 0.25},
    }
    return Prediction(**(values | changes))


def face(**changes: Any) -> Face:
    values: dict[str, Any] = {
        "box_xyxy": (10.0, 20.5, 50.25, 80.0),
        "detection_score": 0.98,
        "track": 3,
        "prediction": prediction(),
    }
    return Face(**(values | changes))


def hand(**changes: Any) -> Hand:
    values: dict[str, Any] = {
        "box_xyxy": (1.0, 2.0, 30.0, 40.0),
        "detection_score": 0.97,
        "side": "right",
        "landmarks_xyz": LANDMARKS,
        "track": 1,
        "prediction": prediction(label="victory", confidence=0.9, probabilities={"victory": 0.9, "none": 0.1}),
    }
    return Hand(**(values | changes))


def scene(**changes: Any) -> Scene:
    values: dict[str, Any] = {
        "source": "photo.jpg",
        "frame": 4,
        "time_s": 0.16,
        "size_hw": (480, 640),
        "faces": (face(),),
        "hands": (hand(),),
    }
    return Scene(**(values | changes))


def event(**changes: Any) -> Event:
    values: dict[str, Any] = {
        "kind": "change",
        "task": "emotion",
        "track": 2,
        "label": "happy",
        "time_s": 1.5,
        "duration_s": 0.25,
    }
    return Event(**(values | changes))


@pytest.mark.parametrize(
    ("make", "changes", "says"),
    [
        (prediction, {"label": "bored"}, "bored"),
        (prediction, {"confidence": 1.01}, "confidence"),
        (prediction, {"confidence": math.nan}, "confidence"),
        (prediction, {"confidence": -0.01}, "confidence"),
        (prediction, {"probabilities": {"happy": 0.75, "sad": 1.5}}, "score of sad"),
        (prediction, {"probabilities": {"happy": 0.75, "sad": math.nan}}, "score of sad"),
        (face, {"box_xyxy": (10.0, 20.0, 10.0, 80.0)}, "box"),
        (face, {"box_xyxy": (10.0, 20.0, 30.0, 19.0)}, "box"),
        (face, {"box_xyxy": (10.0, math.nan, 30.0, 40.0)}, "box"),
        (face, {"box_xyxy": (10.0, 20.0, math.inf, 40.0)}, "box"),
        (face, {"detection_score": 1.2}, "score"),
        (face, {"detection_score": math.nan}, "score"),
        (face, {"keypoints_xy": ((1.0, math.nan),)}, "keypoints"),
        (face, {"keypoints_xy": ((1.0, 2.0, 3.0),)}, "keypoints"),
        (face, {"track": 0}, "track"),
        (hand, {"box_xyxy": (5.0, 5.0, 4.0, 9.0)}, "box"),
        (hand, {"detection_score": -0.1}, "score"),
        (hand, {"side": "Right"}, "Right"),
        (hand, {"landmarks_xyz": LANDMARKS[:20]}, "21"),
        (hand, {"landmarks_xyz": (*LANDMARKS[:20], (1.0, 2.0))}, "21"),
        (hand, {"landmarks_xyz": (*LANDMARKS[:20], (1.0, 2.0, math.nan))}, "21"),
        (hand, {"track": -1}, "track"),
        (scene, {"frame": -1}, "-1"),
        (scene, {"time_s": math.inf}, "inf"),
        (scene, {"size_hw": (0, 640)}, "0, 640"),
        (scene, {"size_hw": (480, 640, 3)}, "480"),
        (event, {"kind": "stop"}, "stop"),
        (event, {"task": "pose"}, "pose"),
        (event, {"time_s": math.nan}, "nan"),
        (event, {"duration_s": -1.0}, "-1"),
        (event, {"duration_s": math.inf}, "inf"),
        (event, {"track": 0}, "track"),
    ],
)
def test_a_wrong_value_is_refused_and_named(make: Any, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make(**changes)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((1, 4, 4, 3), np.uint8),
    ],
    ids=["grey", "alpha", "empty", "float", "batch"],
)
def test_a_frame_takes_only_rgb_bytes(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8 RGB"):
        Frame(image_rgb=image)


@pytest.mark.parametrize("changes", [{"index": -1}, {"time_s": math.nan}, {"time_s": math.inf}])
def test_a_frame_has_a_place_in_time(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="index of 0 or more and a finite time"):
        Frame(image_rgb=np.zeros((2, 3, 3), np.uint8), **changes)


def test_a_frame_says_its_height_first() -> None:
    assert Frame(image_rgb=np.zeros((2, 5, 3), np.uint8)).size_hw == (2, 5)


@pytest.mark.parametrize(
    "value",
    [prediction(), face(), hand(), scene(), event(), Frame(image_rgb=np.zeros((2, 2, 3), np.uint8))],
    ids=lambda value: type(value).__name__,
)
def test_values_are_frozen(value: Any) -> None:
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, getattr(value, name))


def test_the_grade_goes_through_json_and_older_records_have_two() -> None:
    scores = {"happy": 0.2, "sad": 0.5, "fear": 0.3}
    for uncertain, perhaps, grade in ((False, False, "sure"), (True, True, "perhaps"), (True, False, "unclear")):
        made = Prediction(label="sad", confidence=0.5, uncertain=uncertain, perhaps=perhaps, probabilities=scores)
        assert made.grade == grade
        assert made.to_dict()["grade"] == grade
        assert Prediction.from_dict(made.to_dict()) == made
        older = {key: value for key, value in made.to_dict().items() if key != "grade"}
        assert Prediction.from_dict(older).grade == ("unclear" if uncertain else "sure")
    assert made.likeliest == ("sad", "fear")
    assert face(prediction=None).grade == "unclear"
    with pytest.raises(ValueError, match="is sure, and cannot be perhaps right"):
        Prediction(label="sad", confidence=0.5, uncertain=False, perhaps=True, probabilities=scores)


def test_a_baseline_is_told_only_where_there_is_one() -> None:
    scores = {"happy": 0.9, "sad": 0.1}
    made = Prediction(label="happy", confidence=0.9, uncertain=False, probabilities=scores, baseline=True)
    assert list(made.to_dict()) == ["label", "confidence", "uncertain", "grade", "baseline", "scores"]
    assert Prediction.from_dict(made.to_dict()) == made


def test_the_json_of_a_scene_is_the_documented_one() -> None:
    written = json.dumps(scene(faces=(face(track=None, prediction=None), face())).to_dict())
    landmarks = json.dumps([list(point) for point in LANDMARKS])
    assert written == (
        '{"source": "photo.jpg", "frame": 4, "time_s": 0.16, "size": [480, 640], "faces": ['
        '{"track": null, "box": [10.0, 20.5, 50.25, 80.0], "score": 0.98}, '
        '{"track": 3, "box": [10.0, 20.5, 50.25, 80.0], "score": 0.98, "label": "happy", "confidence": 0.75, '
        '"uncertain": false, "grade": "sure", "scores": {"happy": 0.75, "sad": 0.25}}], "hands": ['
        '{"track": 1, "box": [1.0, 2.0, 30.0, 40.0], "score": 0.97, "side": "right", '
        f'"landmarks": {landmarks}, "pointing": null, '
        '"label": "victory", "confidence": 0.9, "uncertain": false, "grade": "sure", '
        '"scores": {"victory": 0.9, "none": 0.1}}]}'
    )


def test_a_frame_without_anything_is_written_too() -> None:
    empty = scene(faces=(), hands=()).to_dict()
    assert list(empty) == ["source", "frame", "time_s", "size", "faces", "hands"]
    assert (empty["faces"], empty["hands"]) == ([], [])


def test_numbers_are_rounded_in_json() -> None:
    data = scene(
        time_s=1 / 3,
        faces=(
            face(
                box_xyxy=(1 / 3, 2 / 3, 100 / 3, 200 / 3),
                detection_score=2 / 3,
                prediction=prediction(confidence=2 / 3, probabilities={"happy": 2 / 3, "sad": 1 / 3}),
            ),
        ),
    ).to_dict()
    assert data["time_s"] == 0.3333
    assert data["faces"][0]["box"] == [0.33, 0.67, 33.33, 66.67]
    assert data["faces"][0]["score"] == data["faces"][0]["confidence"] == 0.6667
    assert data["faces"][0]["scores"] == {"happy": 0.6667, "sad": 0.3333}


def test_numpy_numbers_become_plain_json() -> None:
    one = np.float32(0.5)
    odd = scene(
        frame=np.int64(2),
        time_s=np.float32(0.5),
        size_hw=(np.int64(48), np.int64(64)),
        faces=(face(box_xyxy=tuple(np.arange(4, dtype=np.float32)), detection_score=one, track=np.int64(1)),),
        hands=(
            hand(
                detection_score=one,
                prediction=prediction(confidence=one, uncertain=np.False_, probabilities={"happy": one}),
            ),
        ),
    )
    back = json.loads(json.dumps(odd.to_dict()))
    assert back["frame"] == 2
    assert back["size"] == [48, 64]
    assert back["faces"][0]["box"] == [0, 1, 2, 3]
    assert back["hands"][0]["scores"] == {"happy": 0.5}


@pytest.mark.parametrize(
    "value",
    [
        face(),
        face(prediction=None),
        face(track=None, prediction=None),
        hand(),
        hand(side="left", prediction=None),
        hand(track=None),
        prediction(uncertain=True),
        scene(),
        scene(faces=(), hands=()),
        event(),
        event(kind="start", task="gesture", duration_s=0.0),
        event(model=USED),
        USED,
        UsedModel(name="mine", version="2", threshold=1),
        scene(models={"emotion": USED, "gesture": UsedModel(name="hands", version="1.0", threshold=0.0)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_written_reads_back_equal(value: Any) -> None:
    through_json = json.loads(json.dumps(value.to_dict()))
    back = type(value).from_dict(through_json)
    assert back == value
    assert back.to_dict() == value.to_dict()


def test_any_rounded_scene_survives_a_second_trip() -> None:
    random = np.random.default_rng(7)
    for _ in range(50):
        left, top = random.uniform(-50, 600, 2)
        width, height = random.uniform(1, 300, 2)
        p = random.dirichlet(np.ones(3))
        names = ("happy", "sad", "fear")
        once = scene(
            time_s=float(random.uniform(0, 1e4)),
            faces=(
                face(
                    box_xyxy=(left, top, left + width, top + height),
                    detection_score=float(random.uniform()),
                    prediction=prediction(
                        label=names[int(p.argmax())],
                        confidence=float(p.max()),
                        probabilities=dict(zip(names, p.tolist(), strict=True)),
                    ),
                ),
            ),
            hands=(hand(landmarks_xyz=tuple(map(tuple, random.uniform(-99, 999, (21, 3)).tolist()))),),
        ).to_dict()
        assert Scene.from_dict(once).to_dict() == once


def test_keypoints_and_pictures_stay_out_of_json() -> None:
    seen = scene(
        faces=(face(keypoints_xy=((1.0, 2.0), (3.0, 4.0))),), image_rgb=np.zeros((480, 640, 3), np.uint8)
    ).to_dict()
    assert "keypoints_xy" not in seen["faces"][0]
    assert "image_rgb" not in seen


def test_the_keys_of_an_event() -> None:
    assert list(event().to_dict()) == ["kind", "task", "track", "label", "time_s", "duration_s"]


def test_a_record_says_which_model_answered() -> None:
    told = {
        "name": "emotion_residual", "version": "4", "threshold": 0.7835, "sha256": "2f15f6f9578e", "detector": "f 1",
    }  # fmt: skip
    assert scene(models={"emotion": USED}).to_dict()["models"] == {"emotion": told}
    assert event(model=USED).to_dict()["model"] == told
    assert scene(models={"emotion": USED}) != scene()
    assert hash(scene(models={"emotion": USED})) == hash(scene())


def test_records_of_older_versions_are_read() -> None:
    assert "models" not in scene().to_dict()
    assert Scene.from_dict(scene().to_dict()).models == {}
    assert Event.from_dict(event().to_dict()).model is None


@pytest.mark.parametrize("threshold", [0.7835, 1, 0.0, 1e-05, 1 / 3])
@pytest.mark.parametrize("version", ["4", "2 beta (mine)"])
def test_a_model_in_one_line(version: str, threshold: float) -> None:
    used = UsedModel(name="a-b.c_1", version=version, threshold=threshold, sha256="0123456789abcdef")
    assert str(used) == f"a-b.c_1 {version} (sha256 0123456789ab) threshold {float(threshold)!r}"
    assert UsedModel.parse(str(used)) == used
    assert UsedModel.parse(f"{used} on palms 1 + points 3") == dataclasses.replace(used, detector="palms 1 + points 3")


def test_another_text_is_no_model() -> None:
    for text in ("", "emotion_residual 4", "a 1 (sha256 zz) threshold 0.5", "a 1 (sha256 aa) threshold 7"):
        with pytest.raises(ValueError, match=r"NAME VERSION|between 0 and 1"):
            UsedModel.parse(text)


@pytest.mark.parametrize("make", [face, hand])
def test_before_classification_everything_is_uncertain(make: Any) -> None:
    bare = make(prediction=None)
    assert (bare.label, bare.confidence, bare.uncertain, dict(bare.probabilities)) == (None, None, True, {})
    read = make(prediction=prediction())
    assert (read.label, read.confidence, read.uncertain) == ("happy", 0.75, False)
    assert read.probabilities == {"happy": 0.75, "sad": 0.25}


def test_scenes_compare_by_what_they_show() -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    assert scene(image_rgb=picture) == scene()
    assert scene(frame=5) != scene()
    assert hash(face()) == hash(face())


def pointing_hand(tip_xyz: tuple[float, float, float], label: str = "point", side: str = "right") -> Hand:
    """A hand whose forefinger goes from (100, 100) to a tip."""
    points = [(100.0, 120.0, 0.0)] * 21
    points[5], points[8] = (100.0, 100.0, 0.0), tip_xyz
    prediction = Prediction(label=label, confidence=1.0, uncertain=False, probabilities={label: 1.0})
    return Hand(
        box_xyxy=(0, 0, 200, 200), detection_score=1.0, side=side, landmarks_xyz=tuple(points), prediction=prediction,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_finger_points_where_it_points_in_the_frame_whichever_hand_it_is(side: str) -> None:
    assert pointing_hand((130.0, 60.0, 0.0), side=side).pointing_xy == pytest.approx((0.6, -0.8))
    assert pointing_hand((100.0, 160.0, -9.0), side=side).pointing_xy == pytest.approx((0.0, 1.0))
    mirrored = pointing_hand((70.0, 60.0, 0.0), side={"left": "right", "right": "left"}[side])
    assert mirrored.pointing_xy == pytest.approx((-0.6, -0.8)), "in a mirrored frame x has the other sign"
    assert mirrored.to_dict()["pointing"] == [-0.6, -0.8]


def test_nothing_points_but_a_pointing_finger_that_the_picture_shows() -> None:
    assert pointing_hand((130.0, 60.0, 0.0), label="victory").pointing_xy is None
    assert pointing_hand((103.0, 104.0, -60.0)).pointing_xy is None, "at the camera"
    assert pointing_hand((100.0, 100.0, 0.0)).pointing_xy is None
    hand = replace(pointing_hand((130.0, 60.0, 0.0)), prediction=None)
    assert hand.pointing_xy is None
    assert hand.to_dict()["pointing"] is None
    assert Hand.from_dict(json.loads(json.dumps(pointing_hand((130.0, 60.0, 0.0)).to_dict()))).pointing_xy == (
        pytest.approx((0.6, -0.8))
    )


@pytest.mark.parametrize("missing", ["source", "frame", "time_s", "size", "faces", "hands"])
def test_a_scene_that_lacks_something_says_what(missing: str) -> None:
    data = scene().to_dict()
    del data[missing]
    with pytest.raises(ValueError, match=f"^this is not a scene: it has no '{missing}'$"):
        Scene.from_dict(data)


@pytest.mark.parametrize(
    "change",
    [{"size": 3}, {"faces": 3}, {"faces": [3]}, {"frame": None}, {"models": []}, {"hands": [{"side": "left"}]}],
)
def test_a_scene_of_another_form_is_a_value_error(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^this is not a scene: "):
        Scene.from_dict(scene().to_dict() | change)


@pytest.mark.parametrize("missing", ["kind", "task", "track", "label", "time_s"])
def test_an_event_that_lacks_something_says_what(missing: str) -> None:
    data = event().to_dict()
    del data[missing]
    with pytest.raises(ValueError, match=f"^this is not an event: it has no '{missing}'$"):
        Event.from_dict(data)
