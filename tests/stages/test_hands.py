from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.artwork.drawings import draw_hand
from mien.errors import ModelError
from mien.models.artifact import zoo_artifact
from mien.models.blaze import anchor_centres
from mien.models.session import FakeSession, Session
from mien.pixels.boxes import RotatedRoi
from mien.pixels.images import read_image
from mien.scene import Hand
from mien.stages.hands import BOX_MARGIN, LANDMARK_MODEL, PALM_MODEL, HandDetector, _agree
from mien.stages.schedule import DetectionScheduler

ANCHORS = anchor_centres(((24, 2), (12, 6)))
HANDS = ("hand_open.jpg", "hand_thumb_up.jpg")
FACES = (
    "single_face.jpg",
    "justin.jpg",
    "0-f1-su-ph.jpg",
    "0-f15-hao-ph.jpg",
    "15-f13-anc-ph.jpg",
    "45-m7-di-ph.jpg",
    "no-faces.jpg",
    "no_face_mountain.jpg",
)


@pytest.fixture(scope="module")
def detector() -> Iterator[HandDetector]:
    with HandDetector(threads=2) as detector:
        yield detector


def _xy(hand: Hand) -> np.ndarray:
    return np.array(hand.landmarks_xyz)[:, :2]


def _apart(a: Hand, b_xy: np.ndarray) -> float:
    """Mean distance of the landmarks as a fraction of the hand's longer side."""
    return float(np.linalg.norm(_xy(a) - b_xy, axis=1).mean() / np.ptp(_xy(a), axis=0).max())


def _fake_palms(*finds: tuple[int, float]) -> FakeSession:
    """Upright palms of a side (input pixels) at some anchors; the wrist below, the middle finger above."""

    def answer(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        boxes, logits = np.zeros((len(batch), 2016, 18), np.float32), np.full((len(batch), 2016, 1), -50, np.float32)
        for anchor, side in finds:
            boxes[:, anchor, 2:4], logits[:, anchor] = side, 20
            boxes[:, anchor, 5], boxes[:, anchor, 9] = side / 2, -side / 2
        return boxes, logits

    return FakeSession(zoo_artifact(PALM_MODEL), answer)


def _fake_landmarks(presence: float = 0.95, right: float = 0.9, *, again: float = 0.0) -> FakeSession:
    """The same 21 points in every square: a slanted row in its middle, z rising.

    From the second batch on (the second look) the presence is `again`; 0 leaves the first reading as it is.
    """
    presences = iter([presence])
    points = np.stack([np.linspace(72, 152, 21), np.linspace(172, 52, 21), np.arange(21)], axis=1)

    def answer(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        rows, one = len(batch), np.ones((len(batch), 1), np.float32)
        flat = np.repeat(points.reshape(1, 63), rows, axis=0).astype(np.float32)
        return flat, one * next(presences, again), one * right, flat

    return FakeSession(zoo_artifact(LANDMARK_MODEL), answer)


def test_landmarks_come_back_in_pixels_of_the_picture() -> None:
    centre = ANCHORS[1000] * 192
    hands = HandDetector(palms=_fake_palms((1000, 20)), landmarks=_fake_landmarks()).detect(
        np.zeros((192, 192, 3), np.uint8)
    )
    (hand,) = hands
    side = 2.6 * 20
    middle = centre - (0, 0.5 * 20)
    np.testing.assert_allclose(hand.landmarks_xyz[0][:2], middle + side * (np.array([72, 172]) / 224 - 0.5), atol=1e-6)
    assert hand.landmarks_xyz[20][2] == pytest.approx(20 * side / 224)
    extent = np.ptp(_xy(hand), axis=0)
    x1, y1, x2, y2 = hand.box_xyxy
    np.testing.assert_allclose([x2 - x1, y2 - y1], extent + 2 * BOX_MARGIN * extent.max())
    assert (hand.side, hand.detection_score) == ("right", pytest.approx(0.95))


def test_two_palms_with_the_same_landmarks_are_one_hand() -> None:
    # Two palms of one middle, so different in size that they are not merged; the landmarks of the second square,
    # which is half as large and a palm higher, are placed so that they mean the same pixels.
    first = np.stack([np.linspace(80, 144, 21), np.linspace(172, 52, 21), np.zeros(21)], axis=1)
    second = np.stack(
        [2 * (first[:, 0] - 112) + 112, 2 * (first[:, 1] - 112) - 224 / 2.6 / 2 + 112, first[:, 2]], axis=1
    )
    flat = np.stack([first, second]).reshape(2, 63).astype(np.float32)
    one = np.ones((2, 1), np.float32)
    presences = iter([one * [[0.92], [0.97]], 0 * one])
    landmarks = FakeSession(zoo_artifact(LANDMARK_MODEL), lambda _batch: (flat, next(presences), one, flat))
    palms = _fake_palms((1000, 60), (1001, 30))
    (hand,) = HandDetector(palms=palms, landmarks=landmarks).detect(np.zeros((192, 192, 3), np.uint8))
    assert len(landmarks.batches[0]) == 2
    assert hand.detection_score == pytest.approx(0.97)


def test_two_hands_are_two_largest_first() -> None:
    picture = np.zeros((192, 192, 3), np.uint8)
    far = HandDetector(palms=_fake_palms((1000, 20), (1030, 30)), landmarks=_fake_landmarks())
    large, small = far.detect(picture)
    assert np.ptp(_xy(large), axis=0).max() > np.ptp(_xy(small), axis=0).max()


def test_presence_below_the_threshold_is_no_hand() -> None:
    picture = np.zeros((192, 192, 3), np.uint8)
    palms = _fake_palms((1000, 20))
    assert HandDetector(palms=palms, landmarks=_fake_landmarks(0.45)).detect(picture) == ()
    assert len(HandDetector(palms=palms, landmarks=_fake_landmarks(0.45), threshold=0.4).detect(picture)) == 1
    assert HandDetector(palms=palms, landmarks=_fake_landmarks(0.45)).landmarks_of_crop(picture) is None


def test_landmarks_are_read_again_where_they_lie() -> None:
    picture = np.zeros((192, 192, 3), np.uint8)
    once, twice = (_fake_landmarks(again=again) for again in (0.4, 0.9))
    (kept,) = HandDetector(palms=_fake_palms((1000, 20)), landmarks=once).detect(picture)
    (moved,) = HandDetector(palms=_fake_palms((1000, 20)), landmarks=twice).detect(picture)
    assert (len(once.batches), len(twice.batches)) == (2, 2)
    assert kept.detection_score == pytest.approx(0.95), "a second look that finds no hand changes nothing"
    assert moved.detection_score == pytest.approx(0.9)
    assert np.abs(_xy(moved) - _xy(kept)).max() > 1


@pytest.mark.parametrize(("agree", "presence", "batches"), [(True, 0.95, 1), (False, 0.95, 2), (True, 0.6, 2)])
def test_sure_landmarks_of_a_good_square_are_not_read_again(
    monkeypatch: pytest.MonkeyPatch, agree: bool, presence: float, batches: int
) -> None:
    monkeypatch.setattr("mien.stages.hands._agree", lambda _first, _second: agree)
    landmarks = _fake_landmarks(presence, again=0.9)
    HandDetector(palms=_fake_palms((1000, 20)), landmarks=landmarks).detect(np.zeros((192, 192, 3), np.uint8))
    assert len([batch for batch in landmarks.batches if len(batch)]) == batches


@pytest.mark.parametrize(
    ("roi", "agree"),
    [
        (RotatedRoi((50, 50), 100, 0.1), True),
        (RotatedRoi((59, 50), 100, 0.1), True),
        (RotatedRoi((50, 61), 100, 0.1), False),
        (RotatedRoi((50, 50), 112, 0.1), True),
        (RotatedRoi((50, 50), 84, 0.1), False),
        (RotatedRoi((50, 50), 100, 0.1 + 2 * math.pi), True),
        (RotatedRoi((50, 50), 100, 0.3), False),
    ],
)
def test_squares_agree_when_place_size_and_turn_are_near(roi: RotatedRoi, agree: bool) -> None:
    assert _agree(RotatedRoi((50, 50), 100, 0.1), roi) is agree


@pytest.mark.parametrize(("reach", "batches"), [(2.2, 2), (1.0, 1)])
def test_fingertips_at_the_edge_of_their_square_are_read_in_a_larger_one(
    monkeypatch: pytest.MonkeyPatch, reach: float, batches: int
) -> None:
    """Fingers of this length, in palms: long ones may have been cut off."""
    monkeypatch.setattr("mien.stages.hands._agree", lambda _first, _second: True)
    points = np.zeros((21, 3))
    points[:, 0] = 112 + np.linspace(-12, 12, 21)
    points[:, 1] = 160
    points[[5, 9, 13, 17], 1], points[[6, 10, 14, 18], 1] = 120, 105
    points[[7, 11, 15, 19], 1], points[[8, 12, 16, 20], 1] = 100, 160 - 40 * reach
    flat = points.reshape(1, 63).astype(np.float32)
    one = np.ones((1, 1), np.float32)
    presences = iter([0.95, 0.8])
    network = FakeSession(zoo_artifact(LANDMARK_MODEL), lambda _batch: (flat, one * next(presences), one, flat))
    (hand,) = HandDetector(palms=_fake_palms((1000, 20)), landmarks=network).detect(np.zeros((192, 192, 3), np.uint8))
    assert len([batch for batch in network.batches if len(batch)]) == batches
    assert hand.detection_score == pytest.approx(0.8 if batches == 2 else 0.95)


def test_a_larger_square_that_shows_no_hand_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.stages.hands._agree", lambda _first, _second: True)
    monkeypatch.setattr("mien.stages.hands._reach", lambda _found, _roi: 0.1)
    landmarks = _fake_landmarks(0.95, again=0.3)
    (hand,) = HandDetector(palms=_fake_palms((1000, 20)), landmarks=landmarks).detect(np.zeros((192, 192, 3), np.uint8))
    assert len([batch for batch in landmarks.batches if len(batch)]) == 2
    assert hand.detection_score == pytest.approx(0.95)


def test_hopeless_landmarks_are_not_read_again() -> None:
    landmarks = _fake_landmarks(0.01, again=0.01)
    palms = _fake_palms((1000, 20))
    assert HandDetector(palms=palms, landmarks=landmarks).detect(np.zeros((384, 384, 3), np.uint8)) == ()
    assert len(landmarks.batches) == 2, "once in the picture and once with a border around it"


def test_a_hand_that_fills_a_large_frame_is_found_with_a_border(
    drawn_hand: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = HandDetector()
    (plain,) = detector.detect(drawn_hand)
    x1, y1, x2, y2 = (round(v) for v in plain.box_xyxy)
    cut = 40
    tight = np.ascontiguousarray(drawn_hand[y1 + cut : y2 - cut, x1 + cut : x2 - cut])  # fingertips and wrist cut off
    large = np.asarray(cv2.resize(tight, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), np.uint8)
    (found,) = detector.detect(large)
    apart = np.linalg.norm(_xy(found) / 4 + (x1 + cut, y1 + cut) - _xy(plain), axis=1)
    assert apart.mean() < 0.15 * (x2 - x1)
    monkeypatch.setattr(detector, "_padded_rois", lambda _image: [])
    assert detector.detect(large) == (), "the plain picture shows too little around the palm"


@pytest.fixture
def drawn_hand() -> np.ndarray:
    """A drawn hand in a wide picture."""
    return draw_hand("palm", size=400)


def test_without_palms_the_landmark_network_rests() -> None:
    landmarks = _fake_landmarks()
    assert HandDetector(palms=_fake_palms(), landmarks=landmarks).detect(np.zeros((9, 300, 3), np.uint8)) == ()
    assert landmarks.batches == []


@pytest.mark.parametrize(("presence", "found"), [(0.95, 1), (0.7, 0)])
def test_a_small_frame_without_palms_may_be_the_hand_itself(presence: float, found: int) -> None:
    detector = HandDetector(palms=_fake_palms(), landmarks=_fake_landmarks(presence))
    hands = detector.detect(np.zeros((100, 50, 3), np.uint8))
    assert len(hands) == found
    for hand in hands:
        np.testing.assert_allclose(hand.landmarks_xyz[0][:2], [25 + 100 * (72 / 224 - 0.5), 100 * 172 / 224])


@pytest.mark.usefixtures("read_once")
def test_a_sure_hand_of_a_small_frame_is_the_only_one_looked_for() -> None:
    landmarks = _fake_presences(0.92, 0.95)
    (hand,) = HandDetector(palms=_fake_palms((1000, 20)), landmarks=landmarks).detect(np.zeros((192, 192, 3), np.uint8))
    assert hand.detection_score == pytest.approx(0.92)
    assert len([batch for batch in landmarks.batches if len(batch)]) == 1


def test_landmarks_of_a_square_are_read_once_and_without_palms() -> None:
    palms, landmarks = _fake_palms(), _fake_landmarks(0.6)
    detector = HandDetector(palms=palms, landmarks=landmarks)
    hand = detector.landmarks_in_roi(np.zeros((100, 90, 3), np.uint8), RotatedRoi((40, 60), 20, 0.0))
    assert hand is not None
    np.testing.assert_allclose(hand.landmarks_xyz[0][:2], [30 + 20 * 72 / 224, 50 + 20 * 172 / 224])
    assert (len(palms.batches), len(landmarks.batches)) == (0, 1)
    none = HandDetector(palms=palms, landmarks=_fake_landmarks(0.4))
    assert none.landmarks_in_roi(np.zeros((100, 90, 3), np.uint8), RotatedRoi((40, 60), 20, 0.0)) is None


def test_a_crop_without_palms_is_taken_as_the_hand_itself() -> None:
    hand = HandDetector(palms=_fake_palms(), landmarks=_fake_landmarks()).landmarks_of_crop(
        np.zeros((100, 50, 3), np.uint8)
    )
    assert hand is not None
    np.testing.assert_allclose(hand.landmarks_xyz[0][:2], [25 + 100 * (72 / 224 - 0.5), 100 * 172 / 224])


@pytest.mark.parametrize("size_hw", [(97, 61), (480, 640), (1, 3), (700, 1201)])
def test_the_border_of_the_second_search_repeats_the_edge(size_hw: tuple[int, int]) -> None:
    image_rgb = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    searched: list[np.ndarray] = []
    detector = HandDetector(palms=_fake_palms(), landmarks=_fake_landmarks())
    detector._palm_rois = lambda image: searched.append(image) or []  # type: ignore[method-assign,func-returns-value]
    detector._padded_rois(image_rgb)
    (padded,) = searched
    pad = (padded.shape[0] - round(size_hw[0] * min(1, 512 / max(size_hw)))) // 2
    inner = padded[pad:-pad, pad:-pad]
    assert pad == round(0.5 * max(inner.shape[:2]))
    np.testing.assert_array_equal(padded, np.pad(inner, ((pad, pad), (pad, pad), (0, 0)), mode="edge"))


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="threshold"):
        HandDetector(palms=_fake_palms(), landmarks=_fake_landmarks(), threshold=0)


def test_a_network_of_another_kind_is_refused() -> None:
    wrong = FakeSession(zoo_artifact(LANDMARK_MODEL), lambda batch: (np.zeros((len(batch), 7), np.float32),))
    with pytest.raises(ModelError, match="landmark network"):
        HandDetector(palms=_fake_palms((1000, 20)), landmarks=wrong).detect(np.zeros((192, 192, 3), np.uint8))


def test_closing_frees_both_networks() -> None:
    palms, landmarks = _fake_palms(), _fake_landmarks()
    with HandDetector(palms=palms, landmarks=landmarks):
        pass
    assert palms.closed
    assert landmarks.closed


def _fake_presences(*presences: float) -> FakeSession:
    """Answers like `_fake_landmarks`, with these presences one after another, in whatever batches; then with 0."""
    points = np.stack([np.linspace(72, 152, 21), np.linspace(172, 52, 21), np.arange(21)], axis=1)
    left = iter(presences)

    def answer(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        flat = np.repeat(points.reshape(1, 63), len(batch), axis=0).astype(np.float32)
        return flat, np.array([[next(left, 0.0)] for _ in batch], np.float32), np.ones((len(batch), 1)), flat

    return FakeSession(zoo_artifact(LANDMARK_MODEL), answer)


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Landmarks of sure hands are not read again."""
    monkeypatch.setattr("mien.stages.hands._agree", lambda _first, _second: True)
    monkeypatch.setattr("mien.stages.hands._reach", lambda _found, _roi: 1.0)


@pytest.mark.usefixtures("read_once")
def test_a_followed_hand_costs_no_palm_search() -> None:
    picture = np.zeros((192, 192, 3), np.uint8)
    palms, landmarks = _fake_palms((1000, 20)), _fake_presences(0.95, 0.95)
    detector = HandDetector(palms=palms, landmarks=landmarks)
    first = detector.detect(picture)
    searches = len(palms.batches)
    second = detector.follow(picture, first)
    assert (len(first), len(second)) == (1, 1)
    assert len(palms.batches) == searches
    assert [len(batch) for batch in landmarks.batches] == [1, 1]


@pytest.mark.usefixtures("read_once")
def test_nothing_to_follow_and_no_search_is_nothing() -> None:
    palms = _fake_palms((1000, 20))
    assert HandDetector(palms=palms, landmarks=_fake_presences(0.95)).follow(np.zeros((9, 9, 3), np.uint8), ()) == ()
    assert palms.batches == []


@pytest.mark.usefixtures("read_once")
def test_a_hand_that_is_gone_is_searched_for_at_once() -> None:
    picture = np.zeros((192, 192, 3), np.uint8)
    palms = _fake_palms((1000, 20))
    detector = HandDetector(palms=palms, landmarks=_fake_presences(0.95, 0.04, 0.92))
    (hand,) = detector.detect(picture)
    (again,) = detector.follow(picture, [hand])
    assert len(palms.batches) == 2
    assert again.detection_score == pytest.approx(0.92), "read where its palm is, as the first time"
    assert again.box_xyxy == hand.box_xyxy


@pytest.mark.usefixtures("read_once")
def test_a_search_reads_only_the_palms_of_other_hands() -> None:
    picture = np.hstack([draw_hand("victory", size=300), draw_hand("palm", size=300, left=True)])
    with Session(zoo_artifact(LANDMARK_MODEL), threads=2) as session:
        spy = FakeSession(session.artifact, lambda batch: tuple(session.run(batch)))
        with HandDetector(landmarks=spy, threads=2) as detector:
            both = detector.detect(picture)
            assert len(both) == 2
            for hand in both:
                spy.batches.clear()
                assert len(detector.follow(picture, [hand], search=True)) == 2
                assert [len(batch) for batch in spy.batches] == [1, 1], "the followed one, then the other"


@pytest.mark.usefixtures("read_once")
def test_two_that_are_followed_into_one_place_are_one_hand() -> None:
    picture = np.zeros((192, 192, 3), np.uint8)
    palms = _fake_palms((1000, 20))
    detector = HandDetector(palms=palms, landmarks=_fake_presences(*[0.95] * 9))
    (hand,) = detector.detect(picture)
    assert len(detector.follow(picture, [hand, hand])) == 1
    assert len(palms.batches) == 2, "one is gone: it is searched for"


def test_following_a_drawn_hand_gives_the_landmarks_of_a_search(detector: HandDetector) -> None:
    picture = draw_hand("victory", size=300)
    previous = detector.detect(picture)
    assert len(previous) == 1
    for shift in (8, 16, 24):
        moved = np.roll(picture, shift, axis=1)
        (searched,), previous = detector.detect(moved), detector.follow(moved, previous)
        assert _apart(searched, _xy(previous[0])) < 0.05
        assert previous[0].side == searched.side
    assert detector.follow(np.full_like(picture, 128), previous) == ()


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 900, 3), (64, 64, 3)])
def test_any_shape_and_no_hand_in_noise(detector: HandDetector, shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert detector.detect(noise) == ()
    assert detector.landmarks_of_crop(noise) is None


@pytest.mark.data
@pytest.mark.parametrize(("name", "side"), [("hand_open.jpg", "right"), ("hand_thumb_up.jpg", "left")])
def test_a_mirror_exchanges_the_sides_and_keeps_the_landmarks(
    media: Path, detector: HandDetector, name: str, side: str
) -> None:
    picture = read_image(media / name)
    (plain,) = detector.detect(picture)
    (mirrored,) = detector.detect(np.ascontiguousarray(picture[:, ::-1]))
    assert {plain.side, mirrored.side} == {"left", "right"}
    assert plain.side == side
    assert _apart(plain, (picture.shape[1], 0) + _xy(mirrored) * (-1, 1)) < 0.1


@pytest.mark.data
@pytest.mark.parametrize("name", FACES)
def test_faces_are_no_hands(media: Path, detector: HandDetector, name: str) -> None:
    assert detector.detect(read_image(media / name)) == ()


@pytest.mark.data
def test_a_turned_picture_has_turned_landmarks(media: Path, detector: HandDetector) -> None:
    picture = read_image(media / "hand_thumb_up.jpg")
    (plain,) = detector.detect(picture)
    (turned,) = detector.detect(np.ascontiguousarray(np.rot90(picture)))
    back = np.stack([picture.shape[1] - _xy(turned)[:, 1], _xy(turned)[:, 0]], axis=1)
    assert turned.side == plain.side
    assert _apart(plain, back) < 0.1


@pytest.mark.data
@pytest.mark.parametrize("name", HANDS)
def test_a_moved_hand_is_found_where_it_went(media: Path, detector: HandDetector, name: str) -> None:
    picture = read_image(media / name)
    moved = cv2.copyMakeBorder(picture, 60, 0, 90, 0, cv2.BORDER_REPLICATE)
    (plain,), (shifted,) = detector.detect(picture), detector.detect(np.asarray(moved, np.uint8))
    assert _apart(plain, _xy(shifted) - (90, 60)) < 0.1


@pytest.mark.data
@pytest.mark.parametrize("name", HANDS)
def test_the_crop_of_a_hand_gives_the_same_hand(media: Path, detector: HandDetector, name: str) -> None:
    picture = read_image(media / name)
    (hand,) = detector.detect(picture)
    x1, y1, x2, y2 = (max(0, round(v)) for v in hand.box_xyxy)
    crop = detector.landmarks_of_crop(np.ascontiguousarray(picture[y1:y2, x1:x2]))
    assert crop is not None
    assert crop.side == hand.side
    assert _apart(hand, _xy(crop) + np.array([x1, y1])) < 0.15


@pytest.mark.data
def test_the_clip_of_a_hand(media: Path, detector: HandDetector) -> None:
    capture = cv2.VideoCapture(str(media / "hand_video.mp4"))
    found = []
    while True:
        there, frame_bgr = capture.read()
        if not there:
            break
        found.append(detector.detect(np.ascontiguousarray(frame_bgr[..., ::-1])))
    capture.release()
    assert np.mean([len(hands) == 1 for hands in found]) >= 0.95
    assert np.mean([hands[0].side == "right" for hands in found if hands]) >= 0.95


@pytest.mark.data
def test_the_clip_of_a_hand_followed_from_frame_to_frame(media: Path, detector: HandDetector) -> None:
    capture = cv2.VideoCapture(str(media / "hand_video.mp4"))
    follower = DetectionScheduler(detector)
    found = []
    for k in range(60):
        _, frame_bgr = capture.read()
        found.append(follower.update(np.ascontiguousarray(frame_bgr[..., ::-1]), k / 25))
    capture.release()
    assert all(len(hands) == 1 for hands in found)
    assert np.mean([hands[0].side == "right" for hands in found]) >= 0.95


@pytest.mark.data
@pytest.mark.parametrize("tiles", [False, True])
def test_tiles_find_distant_hands(media: Path, tiles: bool) -> None:
    photo = cv2.resize(read_image(media / "hand_thumb_up.jpg"), (128, 104), interpolation=cv2.INTER_AREA)
    wide = np.full((1080, 1920, 3), 127, np.uint8)
    places = ((100, 150), (500, 900), (850, 1700))
    for y, x in places:
        wide[y : y + 104, x : x + 128] = photo
    with HandDetector(threads=2, tiles=tiles) as detector:
        hands = detector.detect(wide)
    assert len(hands) == (3 if tiles else 0)


@pytest.mark.data
@pytest.mark.parametrize("collection", ["asl_alphabet", "signer_b", "signer_c", "webcam", "massey"])
def test_hand_crops_of_every_collection(data_root: Path, detector: HandDetector, collection: str) -> None:
    hits = []
    for letter in "AFLV":
        paths = sorted((data_root / "gestures" / collection / letter).iterdir())
        if not paths:
            pytest.skip(f"no pictures of {collection}")
        hits += [detector.landmarks_of_crop(read_image(path)) is not None for path in paths[:: len(paths) // 8]]
    assert np.mean(hits) >= 0.95


def test_a_hurried_search_leaves_out_the_second_one() -> None:
    palms = _fake_palms()
    detector = HandDetector(palms=palms, landmarks=_fake_presences(*[0.95] * 9))
    picture = np.zeros((480, 640, 3), np.uint8)
    assert detector.detect(picture, thorough=False) == ()
    assert len(palms.batches) == 1
    detector.detect(picture)
    assert len(palms.batches) == 3, "and the whole search makes it"


def test_a_crop_of_a_thumb_held_up_is_found_though_no_palm_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hand points aside, and the landmark network wants it upright."""
    nothing: list[RotatedRoi] = []
    monkeypatch.setattr(HandDetector, "_palm_rois", lambda *_args, **_kwargs: nothing)
    with HandDetector(threads=1) as detector:
        for gesture in ("thumb_up", "thumb_down"):
            hand = detector.landmarks_of_crop(draw_hand(gesture, person="ben", size=160)[20:150])
            assert hand is not None, gesture


@pytest.mark.data
def test_a_hand_behind_another_is_found_in_a_photo(media: Path, detector: HandDetector) -> None:
    picture = read_image(media / "hand_open.jpg")
    (front,) = detector.detect(picture)
    both = detector.detect(picture, hidden=True)
    assert {hand.side for hand in both} == {"left", "right"}
    assert front in both
    (behind,) = (hand for hand in both if hand != front)
    assert behind.detection_score >= 0.9
    assert behind.box_xyxy[0] < front.box_xyxy[0]


@pytest.mark.parametrize("gesture", ["palm", "thumb_up", "victory"])
def test_one_hand_hides_no_other(detector: HandDetector, gesture: str) -> None:
    for person in ("chen", "ben"):
        assert len(detector.detect(draw_hand(gesture, person=person, size=300), hidden=True)) == 1


def test_a_picture_without_a_hand_is_not_painted_over() -> None:
    palms = _fake_palms()
    detector = HandDetector(palms=palms, landmarks=_fake_landmarks())
    assert detector.detect(np.zeros((480, 640, 3), np.uint8), hidden=True) == ()
    assert len(palms.batches) == 2
