from __future__ import annotations

import math

import numpy as np
import pytest

from mien.models.artifact import zoo_artifact
from mien.models.centerface import CenterFaceDetector
from mien.models.detections import Detections
from mien.models.face_search import one_each, same_face, search, sides
from mien.models.session import FakeSession

PICTURE = np.zeros((640, 640, 3), np.uint8)


class Seen:
    """A network that sees faces of given places and sizes, as shares of the picture, if they are large enough; of those
    that are far too large it sees two parts."""

    def __init__(
        self, *faces: tuple[float, float, float], least: float = 10, most: float = 450, parts: bool = True
    ) -> None:
        self.sides: list[int] = []

        def answer(batch: np.ndarray) -> tuple[np.ndarray, ...]:
            side = batch.shape[3]
            self.sides.append(side)
            maps = np.zeros((len(batch), 15, batch.shape[2] // 4, side // 4), np.float32)
            maps[:, 0] = -20
            for x, y, size in faces:
                if least <= size * side <= most:
                    cell = int(y * side / 4), int(x * side / 4)
                    maps[:, :3, cell[0], cell[1]] = (2.0, math.log(size * side / 4), math.log(size * side / 4))
                elif parts and size * side > most:  # parts of it
                    for dx, dy in ((-0.2, -0.2), (0.2, 0.2)):
                        cell = int((y + dy * size) * side / 4), int((x + dx * size) * side / 4)
                        extent = math.log(0.7 * size * side / 4)
                        maps[:, :3, cell[0], cell[1]] = (1.5, extent, extent)
            return (maps,)

        self.detector = CenterFaceDetector(FakeSession(zoo_artifact("face_centerface"), answer))


def found(boxes: list[tuple[float, float, float, float]], scores: list[float]) -> Detections:
    return Detections(np.array(boxes, np.float64), np.zeros((len(boxes), 5, 2)), np.array(scores))


@pytest.mark.parametrize(
    ("longest", "detail", "still", "expected"),
    [
        (1000, "normal", True, (640, 992)),
        (4000, "normal", True, (640, 1600)),
        (4000, "low", True, (640,)),
        (4000, "high", True, (640, 1600, 2560)),
        (300, "normal", True, (640, 960)),
        (640, "normal", False, (320,)),
        (320, "normal", False, (320,)),
        (960, "normal", False, (480,)),
        (1920, "normal", False, (640,)),
        (1920, "low", False, (320,)),
        (640, "high", False, (640,)),
        (480, "high", False, (480,)),
        (200, "high", False, (320,)),
    ],
)
def test_how_closely_a_picture_is_searched(longest: int, detail: str, still: bool, expected: tuple[int, ...]) -> None:
    assert sides(longest, detail, still=still) == expected


def test_a_large_face_is_looked_for_at_smaller_sizes() -> None:
    """At 640 pixels only parts of it are found; they are not taken for faces."""
    seen = Seen((0.5, 0.5, 0.9))
    (box,) = search(seen.detector, PICTURE, detail="low", still=True).boxes_xyxy
    assert seen.sides == [640, 320]
    np.testing.assert_allclose(box, [32, 32, 608, 608], atol=16)


def test_a_face_of_the_right_size_needs_one_look() -> None:
    seen = Seen((0.5, 0.5, 0.2))
    assert len(search(seen.detector, PICTURE, detail="low", still=True)) == 1
    assert seen.sides == [640]


def test_an_empty_picture_is_looked_at_as_a_whole_too() -> None:
    """Of a face that is larger than the picture nothing may be seen at first."""
    seen = Seen()
    assert len(search(seen.detector, PICTURE, detail="low", still=True)) == 0
    assert seen.sides == [640, 320, 160]


def test_what_is_small_and_seen_only_from_afar_is_no_face() -> None:
    """At 640 pixels the wheels of a motorcycle are wheels; at 160 they might be eyes."""
    seen = Seen((0.5, 0.5, 0.06), least=0, most=15, parts=False)
    assert len(search(seen.detector, PICTURE, detail="low", still=True)) == 0
    assert seen.sides == [640, 320, 160]


def test_small_and_large_faces_of_one_photo_are_each_one() -> None:
    seen = Seen((0.3, 0.3, 0.5), (0.8, 0.8, 0.012), (0.9, 0.2, 0.1))
    faces = search(seen.detector, np.zeros((1600, 1600, 3), np.uint8), detail="normal", still=True)
    assert seen.sides[:2] == [640, 1600]
    widths = sorted((faces.boxes_xyxy[:, 2] - faces.boxes_xyxy[:, 0]).round(-1))
    assert widths == [20, 160, 800]


@pytest.mark.parametrize(
    ("size", "faces", "expected"),
    [
        (512, [(0.5, 0.5, 0.2)], [640]),
        (512, [(0.5, 0.5, 0.2), (0.8, 0.8, 0.05)], [640, 960]),
        (512, [(0.5, 0.5, 0.9), (0.8, 0.8, 0.05)], [640, 960, 320]),
        (512, [(0.5, 0.5, 0.9)], [640, 320]),
        (512, [], [640, 960, 320, 160]),
        (900, [(0.5, 0.5, 0.2)], [640]),
        (960, [(0.5, 0.5, 0.2)], [640, 960]),
        (1600, [(0.5, 0.5, 0.2)], [640, 1600]),
    ],
)
def test_a_photo_is_enlarged_where_faces_may_be_small(
    size: int, faces: list[tuple[float, float, float]], expected: list[int]
) -> None:
    """A photo that is large enough is searched at its own size, whatever is near."""
    seen = Seen(*faces)
    search(seen.detector, np.zeros((size, size, 3), np.uint8), detail="normal", still=True)
    assert seen.sides == expected


def test_tiles_find_what_is_too_small_otherwise() -> None:
    picture = np.zeros((1600, 1600, 3), np.uint8)

    def answer(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        maps = np.zeros((len(batch), 15, batch.shape[2] // 4, batch.shape[3] // 4), np.float32)
        maps[:, 0] = -20
        for i, item in enumerate(batch):
            rows, columns = np.nonzero(item[0] > 200)
            if len(rows) and np.ptp(rows) >= 9:  # a white square large enough to see
                cell = int(rows.mean() / 4), int(columns.mean() / 4)
                maps[i, :3, cell[0], cell[1]] = 2.0, *[math.log(np.ptp(rows) / 4)] * 2
        return (maps,)

    detector = CenterFaceDetector(FakeSession(zoo_artifact("face_centerface"), answer))
    picture[700:706, 900:906] = 255
    assert len(search(detector, picture, detail="low", still=True)) == 0
    (box,) = search(detector, picture, detail="low", still=True, tiles=True).boxes_xyxy
    np.testing.assert_allclose(box, [900, 700, 906, 706], atol=3)


def test_what_is_faint_follows_the_faces_unless_it_is_one_of_them() -> None:
    def answer(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        side = batch.shape[3]
        sides.append(side)
        maps = np.zeros((len(batch), 15, side // 4, side // 4), np.float32)
        maps[:, 0] = -20
        extent = math.log(0.3 * side / 4)
        for x, y, score in shown:
            maps[:, :3, int(y * side / 4), int(x * side / 4)] = math.log(score / (1 - score)), extent, extent
        return (maps,)

    detector = CenterFaceDetector(FakeSession(zoo_artifact("face_centerface"), answer), threshold=0.5)
    sides: list[int] = []
    shown = [(0.3, 0.3, 0.8), (0.35, 0.3, 0.4), (0.7, 0.7, 0.3), (0.7, 0.2, 0.1)]
    found = search(detector, PICTURE, detail="normal", still=False, faintest=0.2)
    np.testing.assert_allclose(found.scores, [0.8, 0.3], atol=1e-6)
    plain = search(detector, PICTURE, detail="normal", still=False)
    np.testing.assert_array_equal(plain.boxes_xyxy, found.boxes_xyxy[:1], "what is faint pulls no box")
    assert sides == [320, 320]
    sides.clear()
    shown = [(0.7, 0.7, 0.3)]
    found = search(detector, PICTURE, detail="normal", still=False, faintest=0.2)
    np.testing.assert_allclose(found.scores, [0.3], atol=1e-6)
    assert sides == [320, 160], "a picture with nothing clear is looked at from afar as before"


class TestOneEach:
    def test_a_find_inside_another_is_the_same_face(self) -> None:
        """A part of a near face, whose intersection over union with the whole is small."""
        (box,) = one_each(found([(0, 0, 100, 120), (20, 40, 60, 90)], [0.9, 0.8])).boxes_xyxy
        np.testing.assert_allclose(box, [0, 0, 100, 120])
        (box,) = one_each(found([(0, 0, 100, 120), (20, 40, 60, 90)], [0.7, 0.8])).boxes_xyxy
        np.testing.assert_allclose(box, [20, 40, 60, 90])

    def test_two_faces_cheek_to_cheek_stay_two(self) -> None:
        side_by_side = [(0, 0, 100, 130), (85, 10, 185, 140)]
        assert len(one_each(found(side_by_side, [0.9, 0.9]))) == 2
        one_before_the_other = [(0, 0, 100, 130), (60, 60, 140, 160)]
        assert len(one_each(found(one_before_the_other, [0.9, 0.9]))) == 2

    def test_finds_that_are_alike_are_averaged_by_score(self) -> None:
        faces = one_each(found([(0, 0, 100, 100), (4, 0, 104, 100)], [0.9, 0.3]))
        np.testing.assert_allclose(faces.boxes_xyxy, [[1, 0, 101, 100]])
        np.testing.assert_allclose(faces.scores, [0.9])

    def test_nothing_stays_nothing(self) -> None:
        nothing = Detections(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
        assert len(one_each(nothing)) == 0

    def test_every_find_belongs_to_one_face(self) -> None:
        random = np.random.default_rng(3)
        corners = random.uniform(0, 300, (80, 2))
        boxes = np.concatenate([corners, corners + random.uniform(20, 90, (80, 2))], axis=1)
        faces = one_each(Detections(boxes, np.zeros((80, 5, 2)), random.uniform(0.5, 1, 80)))
        alike = same_face(faces.boxes_xyxy, boxes)
        assert 1 < len(faces) < 80
        assert (np.diff(faces.scores) <= 0).all()
        assert alike.any(axis=0).mean() > 0.95  # averaging moves boxes a little


def test_finds_do_not_move_with_the_padding() -> None:
    """However wide the picture: the face is where it is."""
    for width in (640, 700, 900):
        seen = Seen((0.5, 0.25, 0.1))
        (box,) = search(seen.detector, np.zeros((480, width, 3), np.uint8), detail="high", still=False).boxes_xyxy
        side = 0.1 * width
        assert box[2] - box[0] == pytest.approx(side, rel=0.1)
        assert (box[0] + box[2]) / 2 == pytest.approx(width / 2, abs=8)
