"""Where the plates of labels go, in photos, videos and the live window: pure geometry, in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rect = tuple[int, int, int, int]

# What a plate covers counts so much: another plate would be illegible, its own face is at least the one it names.
_OF_PLATE = 4.0
_OF_OWN = 0.5
_MARGIN = 8
"""Pixels by which a place must be clear of faces and plates before a plate moves there from one that is as good: it
would jump to and fro otherwise."""
_CLEARLY = 1.25
"""Times as much as the best place covers that a plate's place before may cover for the plate to stay."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plate goes.

    Args:
        rect: left, top, right and bottom.
        covers: whether it covers another plate or another's face.
        choice: which of the places that are tried it is; the same number is the same side of a box.
    """

    rect: Rect
    covers: bool
    choice: int


def place_plate(
    plate_wh: tuple[int, int],
    box: Rect,
    room: Rect,
    *,
    plates: Sequence[Rect],
    faces: Sequence[Rect],
    gap: int,
    slides: bool = False,
    before: int | None = None,
) -> Place:
    """The first place in the room that covers nothing, or the one that covers least: above the box, below it, beside
    it, in it, or farther away.

    Args:
        plate_wh: width and height of the plate.
        box: left, top, right and bottom of what the plate belongs to.
        room: where plates may be.
        plates: places of other plates, which a plate covers only if there is no other way.
        faces: boxes of all faces; one that is equal to `box` is the plate's own.
        gap: between a plate and its box.
        slides: whether a box that leaves the room at the top or on a side takes its plate along gradually: the place
            above is moved into the room, and may cover the box. For moving pictures, where plates must not jump.
        before: the choice for the same box in the picture before, which is kept while no other is clearly better.
    """
    width, height = plate_wh
    places = _places(plate_wh, box, gap)
    most = max(room[0], room[2] - width), max(room[1], room[3] - height)
    lefts, tops = places.T
    is_beside = np.isin(np.arange(len(places)), _BESIDE)
    places[:, 0] = np.where(is_beside, lefts, np.clip(lefts, room[0], most[0]))
    if slides:
        places[0, 1] = np.clip(tops[0], room[1], most[1])
    is_inside: NDArray[np.bool_] = np.all((places >= room[:2]) & (places <= most), axis=1)
    if not is_inside.any():
        places[0] = np.clip((places[0, 0], box[1]), room[:2], most)
        is_inside[0] = True
    rects = np.concatenate([places, places + plate_wh], axis=1)
    own, others = _covered(rects, box, plates, faces)
    if slides:
        own[0] = 0.0
    cost = np.where(is_inside, _OF_OWN * own + others, np.inf)
    best = int(cost.argmin())
    if before is not None and cost[before] <= _CLEARLY * cost[best]:
        wider = rects[best : best + 1] + np.array([-_MARGIN, -_MARGIN, _MARGIN, _MARGIN])
        if _OF_OWN * own[best] + _covered(wider, box, plates, faces)[1][0] > cost[before]:
            best = before
    left, top = places[best].tolist()
    return Place((left, top, left + width, top + height), bool(others[best] > 0), best)


_BESIDE = (4, 5, 6, 7)
"""The places of `_places` that are left or right of the box, and stay there."""


def _places(plate_wh: tuple[int, int], box: Rect, gap: int) -> NDArray[np.int64]:
    """(N, 2) left and top of all places that are tried, in the order of preference."""
    width, height = plate_wh
    x1, y1, x2, y2 = box
    above, below = y1 - gap - height, y2 + gap
    lefts = [x1, x2 - width, (x1 + x2 - width) // 2, x1 - width // 2, x2 - width // 2]
    places = [(x, y) for x in lefts[:2] for y in (above, below)]
    places += [(x, y) for y in (y1, y2 - height) for x in (x2 + gap, x1 - gap - width)]
    places += [(lefts[0], y) for y in (y1 + gap, y2 - gap - height)]
    places += [(x, y) for x in lefts[2:] for y in (above, below)]
    away = [sign * row * (height + 1) for row in (1, 2, 3) for sign in (-1, 1)]
    places += [(x, (above if step < 0 else below) + step) for x in lefts for step in away]
    return np.array(places, np.int64)


def _covered(
    rects: NDArray[np.int64], box: Rect, plates: Sequence[Rect], faces: Sequence[Rect]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) pixels of its own face, and of plates and other faces, that each of (N, 4) places for the label of a box
    would cover; those of plates count more."""
    taken = np.array([*plates, *faces], np.int64).reshape(-1, 4)
    sides = np.minimum(rects[:, None, 2:], taken[:, 2:]) - np.maximum(rects[:, None, :2], taken[:, :2])
    areas = sides.clip(0).prod(axis=2).astype(np.float64)
    areas[:, : len(plates)] *= _OF_PLATE
    is_own = np.array([False] * len(plates) + [face == box for face in faces], np.bool_)
    return areas[:, is_own].sum(axis=1), areas[:, ~is_own].sum(axis=1)
