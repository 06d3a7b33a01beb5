from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.crops import HAND_SPEC, Cropper, check_task, crop_spec
from mien.errors import UnknownName
from mien.models.artifact import zoo_artifact
from mien.pixels.preprocess import crop_face
from mien.scene import Detection, Face
from mien.stages.classify import EMOTION_MODEL

IMAGE = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)
FACE = Face(box_xyxy=(30, 20, 70, 60), detection_score=0.9, keypoints_xy=((40, 35), (60, 30)))


class Fake:
    def __init__(self) -> None:
        self.closed = False

    def detect(self, image_rgb: NDArray[np.uint8]) -> Sequence[Detection]:
        return [FACE] if image_rgb.any() else []

    def close(self) -> None:
        self.closed = True


def test_faces_are_framed_as_the_emotion_model_gets_them() -> None:
    spec = zoo_artifact(EMOTION_MODEL).manifest.input
    with Cropper("emotion", crop_spec("emotion"), detector=Fake()) as cropper:
        (seen,) = cropper.find(IMAGE)
        np.testing.assert_array_equal(
            cropper.cut(IMAGE, seen), crop_face(IMAGE, FACE.box_xyxy, spec, keypoints_xy=FACE.keypoints_xy)
        )


def test_size_and_colour_may_be_others() -> None:
    spec = crop_spec("emotion", size_hw=(64, 32), colour="rgb")
    assert Cropper("emotion", spec, detector=Fake()).cut(IMAGE, FACE).shape == (64, 32, 3)
    hands = Cropper("gesture", crop_spec("gesture"), detector=Fake())
    assert hands.cut(IMAGE, FACE).shape == (*HAND_SPEC.size_hw, 3)
    assert hands.cut(IMAGE, FACE, spec=replace(HAND_SPEC, colour="grey")).shape == HAND_SPEC.size_hw


def test_a_hand_is_upright_in_the_middle_with_a_margin() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    image[80:120, 80:120] = 255
    crop = Cropper("gesture", crop_spec("gesture"), detector=Fake()).cut_box(image, (80, 80, 120, 120))
    bright = crop[..., 0] > 128
    assert bright.sum() == pytest.approx(bright.size / (1 + 2 * HAND_SPEC.margin) ** 2, rel=0.05)
    np.testing.assert_array_equal(bright, bright[::-1, ::-1])


def test_closing_closes_the_detector() -> None:
    fake = Fake()
    with Cropper("emotion", crop_spec("emotion"), detector=fake):
        assert not fake.closed
    assert fake.closed


def test_tasks() -> None:
    assert check_task("gesture") == "gesture"
    with pytest.raises(UnknownName, match="'gesture'"):
        check_task("gestures")
