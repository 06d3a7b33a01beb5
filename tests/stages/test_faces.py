from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.errors import ModelError
from mien.models.artifact import zoo_artifact
from mien.models.blaze import anchor_centres
from mien.models.session import FakeSession
from mien.pixels.boxes import iou
from mien.pixels.images import read_image
from mien.scene import Face
from mien.stages.faces import MODEL, FaceDetector

ANCHORS = anchor_centres(((16, 2), (8, 6)))


@pytest.fixture(scope="module")
def detector() -> Iterator[FaceDetector]:
    with FaceDetector(threads=2) as detector:
        yield detector


def _frames(path: Path) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    while True:
        there, frame_bgr = capture.read()
        if not there:
            break
        yield np.ascontiguousarray(frame_bgr[..., ::-1])
    capture.release()


def _same(a: Face, b: Face, least: float = 0.6) -> bool:
    return bool(iou(np.array([a.box_xyxy]), np.array([b.box_xyxy]))[0, 0] >= least)


def _fake(*finds: tuple[int, float, float]) -> FakeSession:
    """Answers every picture with boxes of some side (input pixels) at some anchors with some logit."""

    def answer(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        boxes, logits = np.zeros((len(batch), 896, 16), np.float32), np.full((len(batch), 896, 1), -200, np.float32)
        for anchor, side, logit in finds:
            boxes[:, anchor, 2:4], logits[:, anchor] = side, logit
        return boxes, logits

    return FakeSession(zoo_artifact(MODEL), answer)


def test_anchors_lie_inside_and_are_counted() -> None:
    assert ANCHORS.shape == (896, 2)
    assert 0 < ANCHORS.min() < ANCHORS.max() < 1
    np.testing.assert_allclose(ANCHORS[0], 0.5 / 16)
    np.testing.assert_allclose(ANCHORS[2], [1.5 / 16, 0.5 / 16])
    np.testing.assert_allclose(ANCHORS[-1], 7.5 / 8)


def test_finds_come_back_in_pixels_of_the_picture_largest_first() -> None:
    # Logits beyond any float's exponential must not overflow; warnings are errors here.
    detector = FaceDetector(session=_fake((0, 32, 1000), (500, 64, 5)))
    picture = np.zeros((128, 256, 3), np.uint8)
    large, small = detector.detect(picture)
    assert large.detection_score == pytest.approx(1 / (1 + np.exp(-5)))
    assert small.detection_score == pytest.approx(1)
    # The picture lies in the middle of the 256x256 input: 64 empty rows above and below.
    centre = ANCHORS[500] * 256 - (0, 64)
    np.testing.assert_allclose(large.box_xyxy, [*(centre - 32), *(centre + 32)])
    assert len(large.keypoints_xy) == 6
    np.testing.assert_allclose(large.keypoints_xy[0], centre)


def test_a_doubtful_find_that_no_second_look_confirms_is_dropped() -> None:
    picture = np.zeros((256, 256, 3), np.uint8)
    assert FaceDetector(session=_fake((136, 64, 1.0))).detect(picture) == ()
    assert len(FaceDetector(session=_fake((136, 64, 4.0))).detect(picture)) == 1


def test_nothing_found_is_an_empty_tuple() -> None:
    assert FaceDetector(session=_fake()).detect(np.zeros((5, 7, 3), np.uint8)) == ()


def test_senseless_boxes_are_dropped() -> None:
    fake = _fake((0, -5, 50), (1, float("nan"), 50), (2, 0, 50))
    assert FaceDetector(session=fake).detect(np.zeros((64, 64, 3), np.uint8)) == ()


def test_a_network_of_another_kind_is_refused() -> None:
    fake = FakeSession(zoo_artifact(MODEL), lambda batch: (np.zeros((len(batch), 10, 4), np.float32),))
    with pytest.raises(ModelError, match="896 anchors"):
        FaceDetector(session=fake).detect(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_a_threshold_outside_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        FaceDetector(session=_fake(), threshold=threshold)


def test_closing_frees_the_network() -> None:
    fake = _fake()
    with FaceDetector(session=fake):
        pass
    assert fake.closed


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 2000, 3), (2000, 3, 3)])
def test_any_shape_and_no_face_in_noise(detector: FaceDetector, shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert detector.detect(noise) == ()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("single_face.jpg", 1),
        ("multi_face.jpg", 5),
        ("justin.jpg", 1),
        ("0-f1-su-ph.jpg", 1),
        ("0-f15-hao-ph.jpg", 1),
        ("15-f13-anc-ph.jpg", 1),
        ("45-m7-di-ph.jpg", 1),
        ("no-faces.jpg", 0),
        ("no_face_mountain.jpg", 0),
        ("hand_open.jpg", 0),
        ("hand_thumb_up.jpg", 0),
    ],
)
@pytest.mark.parametrize("tiles", [False, True])
def test_photos(media: Path, name: str, count: int, tiles: bool) -> None:
    with FaceDetector(threads=2, tiles=tiles) as detector:
        faces = detector.detect(read_image(media / name))
    assert len(faces) == count
    for face in faces:
        right_eye, left_eye = face.keypoints_xy[:2]
        assert right_eye[0] < left_eye[0]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("single_face.mp4", 1.0, 1.0),
        ("fer_test.mp4", 1.0, 1.0),
        ("no_face.mp4", 0.0, 0.0),
        ("hand_video.mp4", 0.0, 0.0),
    ],
)
def test_clips(media: Path, detector: FaceDetector, name: str, least: float, most: float) -> None:
    counts = [len(detector.detect(frame)) for i, frame in enumerate(_frames(media / name)) if i % 3 == 0]
    assert max(counts) <= 1
    assert least <= np.mean(counts) <= most


@pytest.mark.data
def test_a_mirrored_picture_has_mirrored_faces(media: Path, detector: FaceDetector) -> None:
    picture = read_image(media / "multi_face.jpg")
    width = picture.shape[1]
    plain, mirrored = detector.detect(picture), detector.detect(np.ascontiguousarray(picture[:, ::-1]))
    assert len(plain) == len(mirrored)
    for face in plain:
        x1, y1, x2, y2 = face.box_xyxy
        back = Face(box_xyxy=(width - x2, y1, width - x1, y2), detection_score=face.detection_score)
        assert any(_same(back, other) for other in mirrored)


@pytest.mark.data
@pytest.mark.parametrize("shift_xy", [(64, 0), (0, 96), (130, 50)])
def test_a_moved_face_is_found_where_it_went(media: Path, detector: FaceDetector, shift_xy: tuple[int, int]) -> None:
    photo = read_image(media / "justin.jpg")
    faces = []
    for x, y in ((0, 0), shift_xy):
        canvas = np.full((640, 640, 3), 127, np.uint8)
        canvas[y : y + photo.shape[0], x : x + photo.shape[1]] = photo
        (face,) = detector.detect(canvas)
        faces.append(face)
    moved = np.array(faces[0].box_xyxy) + np.tile(shift_xy, 2)
    assert iou(moved[None], np.array([faces[1].box_xyxy]))[0, 0] > 0.8


@pytest.mark.data
def test_tiles_find_distant_faces_once(media: Path) -> None:
    photo = read_image(media / "multi_face.jpg")
    wide = np.full((1400, 2100, 3), 127, np.uint8)
    small = cv2.resize(photo, (500, 333), interpolation=cv2.INTER_AREA)
    for y, x in ((100, 150), (900, 1400)):
        wide[y : y + 333, x : x + 500] = small
    with FaceDetector(threads=2) as plain, FaceDetector(threads=2, tiles=True) as tiled:
        assert len(plain.detect(wide)) < 10
        assert len(tiled.detect(wide)) == 10
