from __future__ import annotations

import numpy as np
import pytest

from mien.errors import ModelError
from mien.models.artifact import zoo_artifact
from mien.models.blaze import BlazeDetector, anchor_centres
from mien.models.session import FakeSession

LAYERS = ((24, 2), (12, 6))
ANCHORS = anchor_centres(LAYERS)


def _fake(*finds: tuple[int, float, float]) -> FakeSession:
    """Answers every picture with boxes of some side (input pixels) at some anchors with some logit."""

    def answer(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        boxes, logits = np.zeros((len(batch), 2016, 18), np.float32), np.full((len(batch), 2016, 1), -200, np.float32)
        for anchor, side, logit in finds:
            boxes[:, anchor, 2:4], logits[:, anchor] = side, logit
        return boxes, logits

    return FakeSession(zoo_artifact("palm_mediapipe_full"), answer)


def test_anchors_lie_inside_and_are_counted() -> None:
    assert ANCHORS.shape == (2016, 2)
    assert 0 < ANCHORS.min() < ANCHORS.max() < 1
    np.testing.assert_allclose(ANCHORS[0], 0.5 / 24)
    np.testing.assert_allclose(ANCHORS[2], [1.5 / 24, 0.5 / 24])
    np.testing.assert_allclose(ANCHORS[-1], 11.5 / 12)


def test_finds_come_back_in_pixels_of_the_picture_best_first() -> None:
    # Logits beyond any float's exponential must not overflow; warnings are errors here.
    found = BlazeDetector(_fake((0, 32, 5), (500, 64, 1000)), LAYERS).detect(np.zeros((96, 192, 3), np.uint8))
    np.testing.assert_allclose(found.scores, [1, 1 / (1 + np.exp(-5))])
    # The picture lies in the middle of the 192x192 input: 48 empty rows above and below.
    centre = ANCHORS[500] * 192 - (0, 48)
    np.testing.assert_allclose(found.boxes_xyxy[0], [*(centre - 32), *(centre + 32)])
    assert found.points_xy.shape == (2, 7, 2)
    np.testing.assert_allclose(found.points_xy[0, 0], centre)


def test_senseless_boxes_are_dropped() -> None:
    fake = _fake((0, -5, 50), (1, float("nan"), 50), (2, 0, 50))
    assert len(BlazeDetector(fake, LAYERS).detect(np.zeros((64, 64, 3), np.uint8))) == 0


def test_a_network_of_another_kind_is_refused() -> None:
    fake = FakeSession(zoo_artifact("palm_mediapipe_full"), lambda batch: (np.zeros((len(batch), 10, 4), np.float32),))
    with pytest.raises(ModelError, match="2016 anchors"):
        BlazeDetector(fake, LAYERS).detect(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_a_threshold_outside_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        BlazeDetector(_fake(), LAYERS, threshold=threshold)
