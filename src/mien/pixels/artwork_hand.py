"""Drawn hands: 21 joints in space, wrapped in skin and lit.

A hand has coordinates of its own: the wrist is the origin, the base of the middle finger about 1 above it, x to the
right, y down, z towards the viewer. What is written here is a person's right hand with the palm to the viewer, in a
picture that is not mirrored: its thumb points to the right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.pixels.artwork_canvas import Brush, Colour, Floats, Shape, mixed

FINGERS = ("thumb", "index", "middle", "ring", "little")

_BASES = {"index": (0.29, -0.95), "middle": (0.05, -1.0), "ring": (-0.18, -0.95), "little": (-0.39, -0.83)}
_LENGTHS = {
    "index": (0.46, 0.28, 0.23),
    "middle": (0.51, 0.32, 0.24),
    "ring": (0.47, 0.30, 0.24),
    "little": (0.37, 0.22, 0.21),
}
_RADII = {
    "thumb": (0.17, 0.128, 0.113, 0.082),
    "index": (0.125, 0.112, 0.098, 0.078),
    "middle": (0.128, 0.116, 0.102, 0.080),
    "ring": (0.122, 0.110, 0.096, 0.076),
    "little": (0.108, 0.096, 0.084, 0.066),
}
_NOTHING = -9.0


@dataclass(frozen=True, slots=True)
class Finger:
    """How a finger is held, in degrees.

    Args:
        spread: turn in the plane of the palm, towards the thumb when positive.
        bends: bend of the three joints from the base on, towards the viewer.
    """

    spread: float
    bends: tuple[float, float, float] = (4.0, 6.0, 4.0)


@dataclass(frozen=True, slots=True)
class HandPose:
    """A hand shape.

    Args:
        thumb: three joints above the thumb's root and its tip: (x, y, z) each.
        fingers: index to little finger; points instead of angles where a finger is placed by hand.
    """

    thumb: tuple[tuple[float, float, float], ...]
    fingers: dict[str, Finger | tuple[tuple[float, float, float], ...]]


_OPEN_THUMB = ((0.27, -0.20, 0.02), (0.55, -0.46, 0.05), (0.76, -0.70, 0.05), (0.90, -0.92, 0.04))
_FOLDED_THUMB = ((0.24, -0.22, 0.10), (0.42, -0.50, 0.26), (0.22, -0.68, 0.42), (-0.04, -0.74, 0.46))
_CURL = (82.0, 98.0, 50.0)

POSES: dict[str, HandPose] = {
    "palm": HandPose(
        _OPEN_THUMB,
        {"index": Finger(9), "middle": Finger(1), "ring": Finger(-7), "little": Finger(-18)},
    ),
    "loser": HandPose(
        ((0.28, -0.20, 0.02), (0.60, -0.40, 0.05), (0.90, -0.47, 0.05), (1.15, -0.49, 0.04)),
        {"index": Finger(3), "middle": Finger(3, _CURL), "ring": Finger(0, _CURL), "little": Finger(-4, _CURL)},
    ),
    "victory": HandPose(
        _FOLDED_THUMB,
        {"index": Finger(15), "middle": Finger(-9), "ring": Finger(-1, _CURL), "little": Finger(-4, _CURL)},
    ),
    "punch": HandPose(
        ((0.27, -0.22, 0.08), (0.50, -0.50, 0.16), (0.55, -0.80, 0.24), (0.50, -1.04, 0.26)),
        {"index": Finger(3, _CURL), "middle": Finger(1, _CURL), "ring": Finger(-1, _CURL), "little": Finger(-4, _CURL)},
    ),
    "super": HandPose(
        ((0.27, -0.22, 0.06), (0.54, -0.47, 0.18), (0.72, -0.72, 0.30), (0.76, -0.93, 0.36)),
        {
            "index": ((0.29, -0.95, 0.0), (0.52, -1.29, 0.16), (0.73, -1.20, 0.32), (0.80, -1.02, 0.38)),
            "middle": Finger(3, (8, 10, 6)),
            "ring": Finger(-8),
            "little": Finger(-21),
        },
    ),
}


def hand_joints(pose: HandPose) -> NDArray[np.float64]:
    """The 21 joints of a pose in MediaPipe's order: (21, 3), own coordinates."""
    joints = [(0.0, 0.0, 0.0), *pose.thumb]
    for name in FINGERS[1:]:
        finger = pose.fingers[name]
        joints += _chain(name, finger) if isinstance(finger, Finger) else list(finger)
    return np.array(joints, np.float64)


def blended_joints(first: str, second: str, share: float) -> NDArray[np.float64]:
    """The 21 joints on the way from one pose to another: 0 is the first, 1 the second."""
    return hand_joints(POSES[first]) * (1 - share) + hand_joints(POSES[second]) * share


def _chain(name: str, finger: Finger) -> list[tuple[float, float, float]]:
    x, y = _BASES[name]
    at = np.array([x, y, 0.0])
    spread, bend = math.radians(finger.spread), 0.0
    along = np.array([math.sin(spread), -math.cos(spread), 0.0])
    joints = [tuple(at)]
    for length, more in zip(_LENGTHS[name], finger.bends, strict=True):
        bend += math.radians(more)
        at = at + length * (math.cos(bend) * along + math.sin(bend) * np.array([0, 0, 1.0]))
        joints.append(tuple(at))
    return joints  # type: ignore[return-value]


def paint_hand(
    brush: Brush,
    joints: NDArray[np.float64],
    skin: Colour,
    shade: Colour,
    *,
    sleeve: Colour | None = None,
    left: bool = False,
    forearm: float = 1.6,
) -> None:
    """Paint a hand.

    Args:
        brush: its origin is the wrist, its unit the length of the palm.
        joints: (21, 3) own coordinates of a right hand.
        skin: colour in even light.
        shade: what shadows tend to.
        sleeve: colour of a sleeve that covers the forearm; none when None.
        left: paint it mirrored, a left hand.
        forearm: how far the arm reaches below the wrist.
    """
    relief = _Relief(brush, left, forearm)
    solid = relief.hand(joints)
    relief.paint(solid, skin, shade)
    relief.paint_lines(joints, solid, shade)
    if sleeve is not None:
        relief.paint_sleeve(forearm, sleeve)


class _Relief:
    """Heights of a hand over the canvas, in units of the hand, on the patch of canvas around it."""

    def __init__(self, brush: Brush, left: bool, forearm: float) -> None:
        self.brush = brush
        reach = np.array([(-1.1, -2.4), (1.6, -2.4), (-1.1, forearm + 0.2), (1.6, forearm + 0.2)], np.float32)
        self.flip = -1.0 if left else 1.0
        corners = brush.to_canvas(reach * np.array([self.flip, 1], np.float32))
        height, width = brush.canvas.pixels.shape[:2]
        self.left, self.top = (max(int(v), 0) for v in np.floor(corners.min(axis=0)))
        right, bottom = (int(v) for v in np.ceil(corners.max(axis=0)))
        right, bottom = min(right, width), min(bottom, height)
        self.empty = right <= self.left or bottom <= self.top
        w, h = max(right - self.left, 1), max(bottom - self.top, 1)
        self.px = brush.unit * brush.canvas.scale
        ys, xs = np.mgrid[0:h, 0:w].astype(np.float32) + np.float32(0.5)
        centre = np.asarray(brush.centre_xy) * brush.canvas.scale
        dx, dy = (xs + self.left - centre[0]) / self.px, (ys + self.top - centre[1]) / self.px
        cos, sin = math.cos(brush.angle), math.sin(brush.angle)
        self.x = ((cos * dx + sin * dy) * self.flip).astype(np.float32)
        self.y = (-sin * dx + cos * dy).astype(np.float32)

    def hand(self, joints: NDArray[np.float64]) -> Floats:
        """Heights of the whole hand; `_NOTHING` where there is none."""
        palm = self._palm(joints)
        fingers = np.full_like(palm, _NOTHING)
        for i, name in enumerate(FINGERS):
            first = 1 + 4 * i
            chain = self._limb(joints[first : first + 4], _RADII[name])
            fingers = np.maximum(fingers, _melt(palm, chain, 0.06) if i else _melt(palm, chain, 0.10))
        return np.maximum(palm, fingers)

    def _palm(self, joints: NDArray[np.float64]) -> Floats:
        wrist = joints[0]
        solid = self._limb(np.array([wrist + (0.0, 0.10, 0), wrist + (0.0, 2.4, -0.1)]), (0.255, 0.36))
        solid = _melt(solid, self._limb(np.array([wrist + (0, 0.35, 0), wrist + (0, -0.1, 0)]), (0.27, 0.27)), 0.15)
        for name, r1, r2 in (("index", 0.21, 0.16), ("middle", 0.20, 0.16), ("ring", 0.20, 0.155), ("little", 0.21, 0.14)):
            x, y = _BASES[name]
            ray = np.array([(x * 0.42, -0.16, -0.03), (x, y + 0.06, -0.03)])
            solid = _melt(solid, self._limb(ray, (r1, r2)), 0.10)
        ball = np.array([joints[1] + (-0.02, 0.02, 0.0), joints[2] * 0.75 + joints[1] * 0.25])
        solid = _melt(solid, self._limb(ball, (0.24, 0.17)), 0.10)
        heel = np.array([(-0.20, -0.22, 0.04), (-0.31, -0.60, 0.02)])
        return _melt(solid, self._limb(heel, (0.21, 0.16)), 0.10)

    def _limb(self, chain: NDArray[np.float64], radii: tuple[float, ...]) -> Floats:
        """Heights of a row of round bones, each joint with its radius."""
        solid = np.full_like(self.x, _NOTHING)
        for a, b, ra, rb in zip(chain[:-1], chain[1:], radii[:-1], radii[1:], strict=True):
            solid = np.maximum(solid, self._bone(a, b, ra, rb))
        return solid

    def _bone(self, a: NDArray[np.float64], b: NDArray[np.float64], ra: float, rb: float) -> Floats:
        """Heights of spheres that go from one joint to the next, taken where each is thickest beside the pixel."""
        vx, vy = np.float32(b[0] - a[0]), np.float32(b[1] - a[1])
        px, py = self.x - np.float32(a[0]), self.y - np.float32(a[1])
        solid = np.full_like(self.x, _NOTHING)
        flat = float(vx * vx + vy * vy)
        along = (px * vx + py * vy) / max(flat, 1e-6)
        steps = (0.0,) if flat > 0.3 * float(((b - a) ** 2).sum()) else (-0.6, -0.3, 0.0, 0.3, 0.6)
        for step in steps:  # a bone that points to the viewer is no simple ribbon: look beside the nearest point too
            t = np.clip(along + np.float32(step), 0, 1)
            r = ra + (rb - ra) * t
            inside = r * r - (px - vx * t) ** 2 - (py - vy * t) ** 2
            height = a[2] + (b[2] - a[2]) * t + np.sqrt(np.maximum(inside, 0))
            solid = np.maximum(solid, np.where(inside > 0, height, _NOTHING))
        return np.asarray(solid, np.float32)

    def paint(self, solid: Floats, skin: Colour, shade: Colour) -> None:
        """Light the relief and lay it on the canvas."""
        cover = (solid > _NOTHING / 2).astype(np.float32)
        low = float(solid[cover > 0].min()) if cover.any() else 0.0
        ground = np.where(cover > 0, solid, low - 0.1).astype(np.float32)
        soft = cv2.GaussianBlur(ground, (0, 0), 0.016 * self.px)
        gy, gx = np.gradient(soft * self.px)
        length = np.sqrt(gx**2 + gy**2 + 1)
        light = np.clip((0.42 * gx + 0.50 * gy + 0.76) / length, 0, 1)[..., None]
        hollow = cv2.GaussianBlur(ground, (0, 0), 0.07 * self.px) - ground
        dim = np.clip(hollow * 2.6, 0, 0.75)[..., None]
        edge = np.clip((0.42 - 1 / length) / 0.42, 0, 1)[..., None]
        pale = np.asarray(mixed(skin, (255, 240, 222), 0.45), np.float32)
        base, dark = np.asarray(skin, np.float32), np.asarray(shade, np.float32)
        tone = np.where(light > 0.72, base + (pale - base) * (light - 0.72) / 0.28, dark + (base - dark) * np.clip((light + 0.12) / 0.84, 0, 1))
        tone = tone + (dark * 0.8 - tone) * np.clip(dim + 0.55 * edge, 0, 0.9)
        mask = cv2.GaussianBlur(cover, (0, 0), 0.7)
        self.brush.canvas.blend(Shape(self.left, self.top, mask), tone.astype(np.float32))

    def paint_lines(self, joints: NDArray[np.float64], solid: Floats, shade: Colour) -> None:
        pass

    def paint_sleeve(self, forearm: float, colour: Colour) -> None:
        pass


def _melt(first: Floats, second: Floats, reach: float) -> Floats:
    """The larger of two heights, with a smooth passage where they differ by less than `reach`."""
    near = np.clip(0.5 + 0.5 * (first - second) / reach, 0, 1)
    return np.asarray(second + (first - second) * near + reach * near * (1 - near), np.float32)
