from __future__ import annotations

import math

import numpy as np
import pytest

from mien.artwork import drawings
from mien.errors import ModelError
from mien.models.artifact import zoo_artifact
from mien.models.centerface import CenterFaceDetector, frame_hw
from mien.models.session import FakeSession, Session

ARTIFACT = zoo_artifact("face_centerface")


def fake(maps: np.ndarray) -> CenterFaceDetector:
    """A detector whose network answers each picture with (15, h, w) maps."""
    return CenterFaceDetector(FakeSession(ARTIFACT, lambda batch: (np.repeat(maps[None], len(batch), axis=0),)))


def empty_maps(height: int, width: int) -> np.ndarray:
    maps = np.zeros((15, height, width), np.float32)
    maps[0] = -20
    return maps


@pytest.mark.parametrize(
    ("size_hw", "longest", "frame"),
    [
        ((480, 640), 320, (256, 320)),
        ((480, 640), 640, (480, 640)),
        ((640, 480), 640, (640, 480)),
        ((100, 100), 64, (64, 64)),
        ((1, 2000), 640, (32, 640)),
        ((427, 640), 640, (448, 640)),
    ],
)
def test_the_frame_is_the_smallest_of_whole_steps(
    size_hw: tuple[int, int], longest: int, frame: tuple[int, int]
) -> None:
    assert frame_hw(size_hw, longest) == frame


@pytest.mark.parametrize("longest", [0, 16, 100])
def test_a_frame_of_no_whole_steps_is_refused(longest: int) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        frame_hw((480, 640), longest)


def test_a_find_is_read_off_the_maps() -> None:
    maps = empty_maps(16, 32)
    maps[:, 5, 7] = 0.0
    maps[0, 5, 7] = 2.0
    maps[1:5, 5, 7] = math.log(6), math.log(4), 0.25, -0.5
    maps[5:15, 5, 7] = [0.4, 0.3, 0.4, 0.7, 0.6, 0.5, 0.8, 0.35, 0.8, 0.65]  # down, right of the box, in its sides
    (found,) = fake(maps).candidates(np.zeros((64, 128, 3), np.uint8), [(0, 0, 128, 64)], (64, 128))
    np.testing.assert_allclose(found.scores, [1 / (1 + math.exp(-2))])
    x, y = (7 - 0.5 + 0.5) * 4, (5 + 0.25 + 0.5) * 4
    np.testing.assert_allclose(found.boxes_xyxy, [[x - 8, y - 12, x + 8, y + 12]], rtol=1e-5)
    np.testing.assert_allclose(
        found.points_xy[0], [(x - 8 + 16 * u, y - 12 + 24 * v) for u, v in
                             ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))], rtol=1e-5)  # fmt: skip


def test_finds_come_back_in_pixels_of_the_picture() -> None:
    """A part of it, twice as large as the frame that it is scaled into, and higher than wide: black beside it."""
    maps = empty_maps(16, 16)
    maps[:3, 8, 8] = 3.0, math.log(4), math.log(4)
    picture = np.zeros((300, 400, 3), np.uint8)
    (found,) = fake(maps).candidates(picture, [(100, 50, 164, 178)], (64, 64))
    # The part is 64 x 128, so 32 x 64 in the frame with 16 black columns on each side.
    x, y = 100 + ((8 + 0.5) * 4 - 16) * 2, 50 + (8 + 0.5) * 4 * 2
    np.testing.assert_allclose(found.boxes_xyxy, [[x - 16, y - 16, x + 16, y + 16]], rtol=1e-5)


def test_only_peaks_count() -> None:
    maps = empty_maps(8, 8)
    maps[0, 2:5, 2:5] = [[0.5, 1, 0.5], [1, 2, 1], [0.5, 1, 0.5]]
    maps[0, 6, 6] = 0.9
    (found,) = fake(maps).candidates(np.zeros((32, 32, 3), np.uint8), [(0, 0, 32, 32)], (32, 32))
    assert sorted(found.scores.round(3)) == [0.711, 0.881]


def test_the_threshold_is_that_of_the_score() -> None:
    maps = empty_maps(8, 8)
    maps[0, 1, 1], maps[0, 5, 5] = 0.1, -0.1  # scores 0.525 and 0.475
    picture = np.zeros((32, 32, 3), np.uint8)
    network = FakeSession(ARTIFACT, lambda _: (maps[None],))
    for threshold, count in ((0.53, 0), (0.5, 1), (0.47, 2)):
        detector = CenterFaceDetector(network, threshold=threshold)
        assert len(detector.candidates(picture, [(0, 0, 32, 32)], (32, 32))[0]) == count


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_senseless_finds_are_dropped(value: float) -> None:
    maps = empty_maps(8, 8)
    maps[0, 2, 2], maps[7, 2, 2] = 3.0, value
    (found,) = fake(maps).candidates(np.zeros((32, 32, 3), np.uint8), [(0, 0, 32, 32)], (32, 32))
    assert len(found) == 0


def test_a_giant_find_does_not_overflow() -> None:
    maps = empty_maps(8, 8)
    maps[:3, 2, 2] = 3.0, 500.0, 500.0
    (found,) = fake(maps).candidates(np.zeros((32, 32, 3), np.uint8), [(0, 0, 32, 32)], (32, 32))
    assert np.isfinite(found.boxes_xyxy).all()


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.0])
def test_a_threshold_outside_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        CenterFaceDetector(FakeSession(ARTIFACT, lambda _: ()), threshold=threshold)


@pytest.mark.parametrize("answer", [(np.zeros((1, 14, 8, 8)),), (np.zeros((1, 15, 8, 8)), np.zeros((1, 1, 8, 8)))])
def test_a_network_of_another_kind_is_refused(answer: tuple[np.ndarray, ...]) -> None:
    detector = CenterFaceDetector(FakeSession(ARTIFACT, lambda _: answer))
    with pytest.raises(ModelError, match="like CenterFace"):
        detector.candidates(np.zeros((32, 32, 3), np.uint8), [(0, 0, 32, 32)], (32, 32))


def test_the_edge_added_to_reach_whole_steps_moves_nothing() -> None:
    """A picture whose height is no multiple of 32 gives the face where it is in one whose height is."""
    portrait = drawings.draw_face("happy", size=320)
    with Session(ARTIFACT, threads=1) as session:
        detector = CenterFaceDetector(session)
        boxes = []
        for height in (320, 310, 290):
            cut = portrait[:height]
            (found,) = detector.candidates(cut, [(0, 0, 320, height)], frame_hw((height, 320), 320))
            boxes.append(found.boxes_xyxy[found.scores.argmax()])
    assert np.abs(np.array(boxes) - boxes[0]).max() < 12


def test_parts_of_a_picture_are_computed_in_one_batch() -> None:
    maps = empty_maps(8, 8)
    network = FakeSession(ARTIFACT, lambda batch: (np.repeat(maps[None], len(batch), axis=0),))
    views = [(0, 0, 32, 32), (32, 0, 64, 32), (0, 32, 64, 64)]
    found = CenterFaceDetector(network).candidates(np.zeros((64, 64, 3), np.uint8), views, (32, 32))
    assert [batch.shape for batch in network.batches] == [(3, 3, 32, 32)]
    assert [len(one) for one in found] == [0, 0, 0]


def test_the_network_sees_rgb_from_0_to_255() -> None:
    network = FakeSession(ARTIFACT, lambda _: (empty_maps(8, 8)[None],))
    picture = np.full((32, 32, 3), (255, 128, 1), np.uint8)
    CenterFaceDetector(network).candidates(picture, [(0, 0, 32, 32)], (32, 32))
    np.testing.assert_allclose(network.batches[0][0, :, 4, 4], (255, 128, 1), rtol=1e-6)


def test_the_model_is_small_and_computes_in_eight_bits() -> None:
    data = ARTIFACT.model_path.read_bytes()
    assert len(data) < 2_500_000
    assert b"QuantizeLinear" in data
    assert ARTIFACT.manifest.licence == "MIT"
