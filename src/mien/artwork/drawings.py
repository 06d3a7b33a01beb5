"""Pictures that mien draws itself: faces and hands to try it on, with no photo and nothing copied.

They are drawn by code from a few numbers, so they may be shipped and shown freely. They show what the detectors and
classifiers do; they measure nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.artwork.canvas import Brush, Canvas, Colour
from mien.artwork.cast import EXPRESSIONS, PEOPLE, Expression, Person
from mien.artwork.hand import POSES, HandPose, blended_joints, hand_joints, paint_hand
from mien.artwork.people import paint_person
from mien.errors import UnknownName

CLIP_FPS = 12.0
"""Frames per second of the drawn clip."""

CLIP_SIZE_HW = (480, 640)
"""Its height and width in pixels."""

CLIP_FRAMES = 36
"""Number of its frames."""

_HAND_UNIT = 0.32  # of a drawn hand's picture: the length of the palm

WALLS: dict[str, tuple[Colour, Colour]] = {
    "blue": ((221, 232, 238), (170, 191, 206)),
    "sand": ((242, 234, 222), (212, 194, 172)),
    "teal": ((120, 170, 176), (70, 120, 130)),
    "rose": ((243, 228, 226), (212, 184, 184)),
    "sage": ((226, 235, 224), (180, 200, 182)),
}


def draw_face(expression: str, *, person: str = "ada", size: int = 512, wall: str = "blue") -> NDArray[np.uint8]:
    """A portrait: head and shoulders.

    Args:
        expression: one of `EXPRESSIONS`.
        person: one of `PEOPLE`.
        size: width and height in pixels.
        wall: colour of the background.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    canvas = Canvas((size, size))
    canvas.wash(*_wall(wall))
    brush = Brush(canvas, (size / 2, size * 0.44), size * 0.215)
    paint_person(brush, _person(person), _expression(expression))
    return canvas.finish()


def draw_hand(
    gesture: str, *, person: str = "ada", left: bool = False, size: int = 512, angle: float = 0.0, wall: str = "teal"
) -> NDArray[np.uint8]:
    """A raised hand with its palm to the viewer; a thumb is held up or down.

    Args:
        gesture: one of `POSES`; `none` shows three fingers.
        person: one of `PEOPLE`.
        left: a person's left hand instead of the right one.
        size: width and height in pixels.
        angle: radians the hand is turned, clockwise on screen.
        wall: colour of the background.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    canvas = Canvas((size, size))
    canvas.wash(*_wall(wall))
    wrist_xy, turned = _held(gesture, left=left, size=size, angle=angle)
    brush = Brush(canvas, wrist_xy, size * _HAND_UNIT, turned)
    _paint_gesture(brush, gesture, _person(person), left=left, sleeve=True)
    return canvas.finish()


def drawn_joints(gesture: str, *, left: bool = False, size: int = 512, angle: float = 0.0) -> NDArray[np.float64]:
    """Where the joints of a hand drawn by `draw_hand` are: (21, 2) pixels."""
    wrist_xy, turned = _held(gesture, left=left, size=size, angle=angle)
    cos, sin = math.cos(turned), math.sin(turned)
    joints = hand_joints(_pose(gesture))[:, :2] * ((-1, 1) if left else (1, 1)) * size * _HAND_UNIT
    return np.asarray(joints @ np.array([[cos, sin], [-sin, cos]]) + wrist_xy, np.float64)


def draw_people() -> NDArray[np.uint8]:
    """Three people, two of them with a hand raised: (860, 1280, 3) uint8 RGB."""
    canvas = Canvas((860, 1280))
    canvas.wash(*WALLS["sand"])
    paint_person(Brush(canvas, (646, 276), 116, 0.02), PEOPLE["ben"], EXPRESSIONS["surprise"])
    paint_person(Brush(canvas, (372, 366), 126, -0.05), PEOPLE["ada"], EXPRESSIONS["happy"])
    paint_person(Brush(canvas, (915, 382), 126, 0.03), PEOPLE["dia"], EXPRESSIONS["happy"])
    _paint_gesture(Brush(canvas, (138, 516), 138, -0.20), "victory", PEOPLE["ada"], sleeve=True, forearm=3.0)
    _paint_gesture(Brush(canvas, (1128, 524), 138, 0.12), "super", PEOPLE["dia"], left=True, sleeve=True, forearm=3.0)
    return canvas.finish()


def draw_faces() -> NDArray[np.uint8]:
    """Six portraits in two rows: (852, 1278, 3) uint8 RGB."""
    shown = (("happy", "ben", "sand"), ("surprise", "ada", "blue"), ("neutral", "chen", "sage"),
             ("sad", "chen", "rose"), ("angry", "ada", "sage"), ("happy", "dia", "blue"))  # fmt: skip
    return _panels([draw_face(name, person=who, size=426, wall=wall) for name, who, wall in shown])


def draw_hands() -> NDArray[np.uint8]:
    """Six hands in two rows, the gestures of the seeds, an open palm, and a left hand: (852, 990, 3) uint8 RGB."""
    shown = ("loser", "ada"), ("punch", "chen"), ("super", "ben"), ("victory", "dia"), ("palm", "ada")
    pictures = [draw_hand(name, person=who, size=426) for name, who in shown]
    pictures.append(draw_hand("victory", person="chen", left=True, size=426))
    return _panels([picture[:, 48:378] for picture in pictures])


def draw_more_hands() -> NDArray[np.uint8]:
    """The other six gestures in two rows: (852, 1194, 3) uint8 RGB."""
    shown = (("palm", "ada"), ("thumb_up", "ada"), ("point", "ben"),
             ("call", "dia"), ("thumb_down", "chen"), ("rock", "ada"))  # fmt: skip
    return _panels([draw_hand(name, person=who, size=426)[:, 14:412] for name, who in shown])


def demo_frames() -> Iterator[NDArray[np.uint8]]:
    """A clip of three seconds, frame by frame: a face begins to smile, a hand rises and turns a palm into a V.

    Returns:
        36 pictures, (480, 640, 3) uint8 RGB, to be shown at `CLIP_FPS`.
    """
    for index in range(CLIP_FRAMES):
        yield demo_frame(index)


def demo_frame(index: int) -> NDArray[np.uint8]:
    """One picture of the clip, (480, 640, 3) uint8 RGB; from 22 on it shows a V."""
    time_s = index / CLIP_FPS
    face = EXPRESSIONS["neutral"].towards(EXPRESSIONS["happy"], _eased((time_s - 0.8) / 0.6))
    if 2.3 < time_s < 2.45:
        face = replace(face, eyes=-0.9)  # a blink
    canvas = Canvas(CLIP_SIZE_HW)
    canvas.wash(*WALLS["blue"])
    sway = 0.04 * math.sin(2 * math.pi * time_s / 3)
    paint_person(Brush(canvas, (262 + 60 * sway, 205), 74, sway), PEOPLE["chen"], face)
    joints = blended_joints("palm", "victory", _eased((time_s - 1.7) / 0.4))
    wave = 0.13 + 0.09 * math.sin(2 * math.pi * time_s / 1.5)
    brush = Brush(canvas, (500, 570 - 250 * _eased(time_s / 0.7)), 84, wave)
    _paint_joints(brush, joints, PEOPLE["chen"], left=True, sleeve=True, forearm=3.0)
    return canvas.finish()


def _held(gesture: str, *, left: bool, size: int, angle: float) -> tuple[tuple[float, float], float]:
    """Where the wrist of a drawn hand is, and the angle at which it is held; a turned one is in the middle."""
    turn = math.radians(_pose(gesture).turn) * (-1 if left else 1)
    if not turn:
        return (size * (0.5 + (0.06 if left else -0.06) - 0.28 * math.sin(angle)), size * 0.78), angle
    angle += turn
    return (
        size * (0.5 - 0.24 * math.sin(angle)),
        size * (0.5 + 0.24 * math.cos(angle) + 0.12 * math.cos(turn / 2)),
    ), angle


def _panels(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Six pictures of one size in two rows."""
    return np.vstack([np.hstack(pictures[:3]), np.hstack(pictures[3:])])


def _paint_gesture(
    brush: Brush, gesture: str, person: Person, *, left: bool = False, sleeve: bool = False, forearm: float = 1.6
) -> None:
    _paint_joints(brush, hand_joints(_pose(gesture)), person, left=left, sleeve=sleeve, forearm=forearm)


def _paint_joints(
    brush: Brush, joints: NDArray[np.float64], person: Person, *, left: bool, sleeve: bool, forearm: float
) -> None:
    clothes = person.clothes if sleeve else None
    paint_hand(brush, joints, person.palm, person.shade, sleeve=clothes, left=left, forearm=forearm)


def _pose(gesture: str) -> HandPose:
    if gesture not in POSES:
        raise UnknownName("drawn gesture", gesture, POSES)
    return POSES[gesture]


def _eased(share: float) -> float:
    """0 to 1, slow at both ends."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _wall(name: str) -> tuple[Colour, Colour]:
    if name not in WALLS:
        raise UnknownName("wall", name, WALLS)
    return WALLS[name]


def _person(name: str) -> Person:
    if name not in PEOPLE:
        raise UnknownName("drawn person", name, PEOPLE)
    return PEOPLE[name]


def _expression(name: str) -> Expression:
    if name not in EXPRESSIONS:
        raise UnknownName("drawn expression", name, EXPRESSIONS)
    return EXPRESSIONS[name]
