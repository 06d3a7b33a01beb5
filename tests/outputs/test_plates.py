from __future__ import annotations

import itertools

import numpy as np
import pytest

from mien.outputs.plates import Place, Rect, place_plate

ROOM = (0, 0, 200, 100)


def placed(
    plate_wh: tuple[int, int],
    box: Rect,
    room: Rect = ROOM,
    *,
    plates: list[Rect] | None = None,
    faces: list[Rect] | None = None,
    slides: bool = True,
    before: int | None = None,
) -> Place:
    known = [box] if faces is None else faces
    return place_plate(plate_wh, box, room, plates=plates or [], faces=known, gap=4, slides=slides, before=before)


def overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize("slides", [False, True])
def test_plates_go_above_their_box(slides: bool) -> None:
    assert placed((50, 20), (30, 40, 90, 80), slides=slides) == Place((30, 16, 80, 36), False, 0)


def test_a_plate_that_slides_never_jumps() -> None:
    for is_across in (False, True):
        rects = []
        for step in range(60, -60, -1):
            x, y = (step, 60) if is_across else (30, step)
            rects.append(placed((50, 20), (x, y, x + 60, y + 50)).rect)
        assert np.abs(np.diff(rects, axis=0)).max() <= 1


def test_a_plate_that_does_not_slide_goes_below_a_face_at_the_top() -> None:
    assert placed((50, 20), (30, 5, 90, 50), slides=False).rect == (30, 54, 80, 74)


@pytest.mark.parametrize("slides", [False, True])
@pytest.mark.parametrize("box", [(-40, -40, 10, 10), (190, 90, 260, 160), (-500, -500, 700, 700), (500, 500, 600, 600)])
def test_plates_stay_in_the_room(box: Rect, slides: bool) -> None:
    x, y = 300, 40
    room, moved = (x, y, x + 200, y + 100), (box[0] + x, box[1] + y, box[2] + x, box[3] + y)
    x1, y1, x2, y2 = placed((50, 20), moved, room, slides=slides).rect
    assert x <= x1 < x2 <= x + 200
    assert y <= y1 < y2 <= y + 100
    at_origin = placed((50, 20), box, slides=slides).rect
    assert (x1 - x, y1 - y, x2 - x, y2 - y) == at_origin


def test_a_plate_larger_than_the_room_begins_in_it() -> None:
    assert placed((300, 20), (30, 40, 90, 80)).rect[:2] == (0, 16)
    assert placed((50, 150), (30, 40, 90, 80)).rect[:2] == (30, 0)


def test_plates_keep_clear_of_each_other() -> None:
    plates: list[Rect] = []
    for i in range(7):
        place = placed((90, 20), (10 + 10 * (i % 2), 50, 60, 80), (0, 0, 200, 300), plates=plates, faces=[])
        assert not place.covers
        assert not any(overlap(place.rect, other) for other in plates)
        plates.append(place.rect)


def test_a_crowded_room_still_gives_a_place() -> None:
    place = placed((50, 20), (30, 40, 90, 80), plates=[ROOM])
    assert place.rect == (30, 16, 80, 36)
    assert place.covers


ROWS = {
    "two side by side": [(100, 200, 300, 440), (304, 200, 504, 440)],
    "three side by side": [(60, 200, 220, 400), (222, 190, 382, 390), (384, 205, 544, 405)],
    "one above the other": [(260, 20, 380, 160), (260, 166, 380, 300), (260, 306, 380, 440)],
    "one behind another": [(200, 200, 440, 470), (330, 90, 420, 196)],
    "three at the top edge": [(10, 0, 190, 200), (200, -10, 390, 190), (400, 0, 600, 210)],
}


@pytest.mark.parametrize("width", [90, 180, 260])
@pytest.mark.parametrize("faces", list(ROWS.values()), ids=list(ROWS))
def test_plates_keep_off_the_faces_of_others(faces: list[Rect], width: int) -> None:
    """Also wide ones, such as "unclear: happy or surprised", that reach beyond their own face."""
    plates: list[Rect] = []
    for face in faces:
        place = placed((width, 28), face, (0, 0, 640, 480), plates=plates, faces=faces)
        plates.append(place.rect)
        assert not place.covers
    for plate, own in zip(plates, faces, strict=True):
        assert not any(overlap(plate, face) for face in faces if face != own)
    assert not any(overlap(a, b) for a, b in itertools.combinations(plates, 2))


def test_where_there_is_no_room_the_own_face_is_covered_rather_than_another() -> None:
    faces = [(2, 2, 298, 398), (302, 2, 598, 398)]
    for own, other in (faces, faces[::-1]):
        rect = placed((200, 28), own, (0, 0, 600, 400), faces=faces).rect
        assert overlap(rect, own)
        assert not overlap(rect, other)


def test_a_neighbour_that_trembles_does_not_make_a_plate_jump() -> None:
    face, room = (200, 200, 300, 320), (0, 0, 640, 480)

    def choices(steadily: bool) -> list[int]:
        found: list[int] = []
        for i in range(20):
            neighbour = (390 + i % 2, 100, 500, 190)
            before = found[-1] if steadily and found else None
            found.append(placed((191, 28), face, room, faces=[face, neighbour], before=before).choice)
        return found

    assert len(set(choices(steadily=False))) == 2, "the neighbour is just at the edge of the plate"
    assert len(set(choices(steadily=True)[1:])) == 1


def test_a_plate_returns_when_the_neighbour_has_gone() -> None:
    face, room = (200, 200, 300, 320), (0, 0, 640, 480)
    close = placed((191, 28), face, room, faces=[face, (380, 100, 500, 190)])
    assert close.choice != 0
    assert placed((191, 28), face, room, faces=[face, (600, 100, 630, 190)], before=close.choice).choice == 0


def test_a_plate_whose_place_is_no_longer_free_moves_as_if_it_had_none() -> None:
    """Below its face, though the neighbour on the left is closer than the margin."""
    faces = [(90, 300, 330, 600), (333, 285, 573, 585), (576, 210, 816, 510)]
    alone = placed((295, 32), faces[1], (0, 0, 960, 720), faces=faces)
    assert alone.choice == 1
    assert placed((295, 32), faces[1], (0, 0, 960, 720), faces=faces, before=0) == alone
