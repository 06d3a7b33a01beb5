from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.errors import OutputError
from mien.labels import EMOTIONS_8, GESTURES
from mien.outputs import draw
from mien.outputs.draw import Picture, draw_scene, label_text, mark_regions
from mien.outputs.palette import ink_on, label_colour
from mien.pixels.images import read_image
from mien.scene import Face, Hand, Prediction, Scene


def _scene(size_hw: tuple[int, int], *regions: Face | Hand, value: int = 90) -> Scene:
    return Scene(
        source="x",
        frame=0,
        time_s=0,
        size_hw=size_hw,
        faces=tuple(region for region in regions if isinstance(region, Face)),
        hands=tuple(region for region in regions if isinstance(region, Hand)),
        image_rgb=np.full((*size_hw, 3), value, np.uint8),
    )


def _changed(scene: Scene) -> np.ndarray:
    assert scene.image_rgb is not None
    return (draw_scene(scene).image_rgb != scene.image_rgb).any(2)


@pytest.fixture
def plates(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int, int]]:
    """The plates that get drawn, as rectangles."""
    seen: list[tuple[int, int, int, int]] = []
    paint = draw._Pen._plate

    def spy(pen: draw._Pen, plate: draw._Plate) -> None:
        seen.append(plate.rect)
        paint(pen, plate)

    monkeypatch.setattr(draw._Pen, "_plate", spy)
    return seen


def test_the_frame_is_not_changed(face: Callable[..., Face], hand: Callable[..., Hand]) -> None:
    scene = _scene((160, 200), face(), hand())
    assert _changed(scene).any()
    assert (scene.image_rgb == 90).all()
    empty = _scene((160, 200))
    assert not _changed(empty).any()
    assert draw_scene(empty).image_rgb is not empty.image_rgb


def test_a_view_that_is_not_contiguous(face: Callable[..., Face]) -> None:
    image = np.full((160, 400, 3), 90, np.uint8)[:, ::2]
    image.flags.writeable = False
    picture = draw_scene(Scene(source="x", frame=0, time_s=0, size_hw=(160, 200), faces=(face(),), image_rgb=image))
    assert picture.image_rgb.flags.c_contiguous


def test_no_picture(scene: Callable[..., Scene]) -> None:
    with pytest.raises(ValueError, match="no picture"):
        scene().draw()


def test_words(face: Callable[..., Face], hand: Callable[..., Hand]) -> None:
    assert label_text(face("happy", 0.914)) == "happy 91%"
    assert label_text(face("sad", 0.62, uncertain=True, perhaps=True)) == "perhaps sad 62%"
    assert label_text(face("happy", 0.41, uncertain=True)) == "happy or surprised?"
    assert label_text(face(None)) == ""
    assert label_text(hand("victory", 1.0)) == "victory 100%"
    assert label_text(hand("thumb_up", 0.94)) == "thumb up 94%"
    own = Prediction(
        label="my_own_sign", confidence=0.9, uncertain=False, probabilities={"my_own_sign": 0.9, "none": 0.1}
    )
    assert label_text(replace(hand("victory", 1.0), prediction=own)) == "my_own_sign 90%"


@pytest.mark.parametrize("size_hw", [(1, 1), (2, 3), (30, 400), (400, 30), (200, 200), (480, 640), (3000, 4000)])
def test_every_size(
    size_hw: tuple[int, int], face: Callable[..., Face], hand: Callable[..., Hand], plates: Any
) -> None:
    height, width = size_hw
    box = (0.2 * width, 0.3 * height, 0.6 * width, 0.8 * height)
    wrist = (0.5 * width, 0.9 * height)
    scene = _scene(
        size_hw,
        face("surprise", box_xyxy=box),
        face("disgust", 0.4, uncertain=True, box_xyxy=(-width, -height, 3 * width, 2 * height)),
        hand(wrist_xy=wrist, size=0.4 * height),
        hand(wrist_xy=wrist, size=0.1 * height, uncertain=True),
    )
    assert draw_scene(scene).image_rgb.shape == (*size_hw, 3)
    for x1, y1, x2, y2 in plates:
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
    assert len(plates) == (4 if min(size_hw) >= 200 else len(plates))


def test_text_is_readable_at_every_size(face: Callable[..., Face], plates: Any) -> None:
    for size in (200, 480, 1080, 3000):
        box = (0.3 * size, 0.3 * size, 0.6 * size, 0.6 * size)
        draw_scene(_scene((size, size), face(box_xyxy=box)))
        x1, y1, x2, y2 = plates[-1]
        assert max(17, 0.04 * size) <= y2 - y1 <= 0.1 * size
        assert x2 - x1 <= 0.45 * size


def test_plates_keep_clear_of_each_other(face: Callable[..., Face], plates: Any) -> None:
    faces = [face(box_xyxy=(200 + 15 * i, 150 + 12 * i, 420 + 15 * i, 400 + 12 * i)) for i in range(4)]
    draw_scene(_scene((600, 800), *faces))
    for a, b in itertools.combinations(plates, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def _covers(plate: tuple[float, ...], box: tuple[float, ...]) -> bool:
    return plate[0] < box[2] and box[0] < plate[2] and plate[1] < box[3] and box[1] < plate[3]


@pytest.mark.parametrize("text_scale", [1.0, 2.0])
@pytest.mark.parametrize(
    "boxes",
    [
        # a row, one above the other, one small face behind a large one
        [(60 + 170 * i, 200, 190 + 170 * i, 340) for i in range(4)],
        [(330, 40 + 190 * i, 460, 190 + 190 * i) for i in range(3)],
        [(280, 220, 560, 560), (330, 130, 400, 210)],
    ],
)
def test_labels_cover_no_face(boxes: Any, text_scale: float, face: Callable[..., Face], plates: Any) -> None:
    draw_scene(_scene((640, 800), *(face(box_xyxy=box) for box in boxes)), text_scale=text_scale)
    assert len(plates) == len(boxes)
    for plate in plates:
        assert not any(_covers(plate, box) for box in boxes)


def test_the_label_of_a_hand_covers_no_face_either(
    face: Callable[..., Face], hand: Callable[..., Hand], plates: Any
) -> None:
    raised = hand(wrist_xy=(430, 420), size=160)
    x1, y1, x2, _ = raised.box_xyxy
    above = (x1 - 10, y1 - 150, x2 + 10, y1 - 4)
    draw_scene(_scene((640, 800), face(box_xyxy=above), raised), text_scale=2.0)
    assert not any(_covers(plate, above) for plate in plates)


def test_large_labels_shrink_where_a_crowd_leaves_no_room(face: Callable[..., Face], plates: Any) -> None:
    boxes = [(10 + 110 * (i % 7), 10 + 110 * (i // 7), 70 + 110 * (i % 7), 80 + 110 * (i // 7)) for i in range(35)]
    crowd = _scene((560, 800), *(face(box_xyxy=box) for box in boxes))
    heights = []
    for scale in (1.0, 2.0):
        plates.clear()
        draw_scene(crowd, text_scale=scale)
        heights.append({y2 - y1 for _, y1, _, y2 in plates})
    assert heights[0] == heights[1]
    plates.clear()
    draw_scene(_scene((560, 800), face(box_xyxy=(20, 20, 780, 540))), text_scale=2.0)
    ((_, y1, _, y2),) = plates
    assert y2 - y1 > 1.8 * max(heights[0]), "a face that fills the picture may be covered by its own label"


def test_where_there_is_no_room_the_own_face_is_covered_rather_than_another(
    face: Callable[..., Face], plates: Any
) -> None:
    boxes = [(2, 2, 298, 398), (302, 2, 598, 398)]
    draw_scene(_scene((400, 600), *(face(box_xyxy=box) for box in boxes)))
    for plate, own, other in zip(plates, boxes, reversed(boxes), strict=True):
        assert _covers(plate, own)
        assert not _covers(plate, other)


@pytest.mark.parametrize(
    "box", [(-50, -40, 60, 70), (150, 100, 260, 230), (-9e8, 10, 9e8, 20), (50, -30, 90, 4), (0, 0, 200, 160)]
)
def test_faces_at_the_border(box: Any, face: Callable[..., Face], plates: Any) -> None:
    assert _changed(_scene((160, 200), face(box_xyxy=box))).any()
    ((x1, y1, x2, y2),) = plates
    assert x1 >= 0
    assert y1 >= 0
    assert x2 <= 200
    assert y2 <= 160


@pytest.mark.parametrize("box", [(300, 10, 400, 60), (-90, -90, -10, -10)])
def test_faces_outside_are_not_drawn(box: Any, face: Callable[..., Face]) -> None:
    assert not _changed(_scene((160, 200), face(box_xyxy=box))).any()


def test_landmarks_far_outside(hand: Callable[..., Hand]) -> None:
    draw_scene(_scene((160, 200), hand(wrist_xy=(1e12, -1e12), size=1e11)))


def test_uncertain_is_lighter(face: Callable[..., Face], hand: Callable[..., Hand]) -> None:
    for make in (face, hand):
        unsure = _changed(_scene((480, 640), make(confidence=0.5, uncertain=True)))
        perhaps = _changed(_scene((480, 640), make(confidence=0.5, uncertain=True, perhaps=True)))
        assert not np.array_equal(perhaps, unsure)
        frames = []
        for doubt in ({}, {"uncertain": True, "perhaps": True}, {"uncertain": True}):
            blank = np.zeros((480, 640, 3), np.uint8)
            mark_regions(blank, [make(confidence=0.5, **doubt)])
            frames.append(int((blank > 0).any(axis=2).sum()))
        assert frames[2] <= frames[1] < frames[0]


def test_faces_before_classification_have_no_plate(face: Callable[..., Face], plates: Any) -> None:
    assert _changed(_scene((160, 200), face(None))).any()
    assert plates == []


def test_visible_on_any_background(face: Callable[..., Face]) -> None:
    for label, value in itertools.product(EMOTIONS_8.labels, (0, 90, 200, 255)):
        known = face(None) if label == "contempt" else face(label)
        scene = _scene((160, 200), known, value=value)
        assert np.abs(draw_scene(scene).image_rgb.astype(int) - value).max() > 60


def test_colours_differ_within_a_task() -> None:
    for labels in (EMOTIONS_8.labels, GESTURES.labels):
        colours = np.array([label_colour(label) for label in labels], float)
        for a, b in itertools.combinations(colours, 2):
            assert np.abs(a - b).sum() > 60


COLOUR_BLIND = {
    "nobody": np.eye(3),
    "protanopia": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    "deuteranopia": np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    "tritanopia": np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]),
}
"""Linear RGB as it is seen: Machado, Oliveira and Fernandes 2009, at full severity."""


def _lab(colour: Any, seen_as: Any) -> Any:
    """CIELAB of 8-bit sRGB."""
    values = np.array(colour) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ np.clip(seen_as @ linear, 0, 1) / (0.9505, 1.0, 1.089) + 1e-9)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("who", list(COLOUR_BLIND))
def test_gestures_are_told_apart_by_colour_blind_people(who: str) -> None:
    """A just noticeable difference is about 2.3."""
    colours = {label: _lab(label_colour(label), COLOUR_BLIND[who]) for label in GESTURES.labels}
    near = {(a, b): float(np.linalg.norm(colours[a] - colours[b])) for a, b in itertools.combinations(colours, 2)}
    assert min(near.values()) > 14, min(near, key=lambda pair: near[pair])


def test_ink_contrast() -> None:
    def luminance(colour: Any) -> float:
        linear = np.where(
            np.array(colour) <= 10, np.array(colour) / 3294.6, ((np.array(colour) / 255 + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for label in (*EMOTIONS_8.labels, *GESTURES.labels, "something else", None):
        bright, dark = sorted((luminance(label_colour(label)), luminance(ink_on(label_colour(label)))), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) > 4.5, label


def test_unknown_labels_keep_their_colour() -> None:
    assert label_colour("bored") == label_colour("bored")
    assert label_colour(None) != label_colour("happy")


def test_save(face: Callable[..., Face], tmp_path: Path) -> None:
    picture = draw_scene(_scene((160, 200), face()))
    picture.save(tmp_path / "out.png")
    assert (read_image(tmp_path / "out.png") == picture.image_rgb).all()
    with pytest.raises(OutputError, match=r"\.jpg"):
        picture.save(tmp_path / "out.xyz")
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert isinstance(picture, Picture)


def test_large_text_stays_within_the_picture(
    face: Callable[..., Face], plates: list[tuple[int, int, int, int]]
) -> None:
    scene = _scene((400, 600), face(box_xyxy=(100.0, 100.0, 200.0, 220.0)))
    draw_scene(scene)
    scene.draw(text_scale=2.0)
    draw_scene(scene, text_scale=50.0)
    heights = [bottom - top for _, top, _, bottom in plates]
    assert heights[1] == pytest.approx(2 * heights[0], abs=2)
    assert all(x1 >= 0 and y1 >= 0 and x2 <= 600 and y2 <= 400 for x1, y1, x2, y2 in plates)
