"""Drawn hands: 21 joints in space, wrapped in skin and lit.

A hand has coordinates of its own: the wrist is the origin, the base of the middle finger about 1 above it, x to the
right, y down, z towards the viewer. What is written here is a person's right hand with the palm to the viewer, in a
picture that is not mirrored: its thumb points to the right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.artwork.canvas import Brush, Colour, Floats, Shape, mixed

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
_PALM_RAYS = (("index", 0.21, 0.16), ("middle", 0.20, 0.16), ("ring", 0.20, 0.155), ("little", 0.21, 0.14))
_PALM_LINES = (
    ((-0.46, -0.62), (-0.24, -0.70), (0.02, -0.80), (0.14, -0.95)),
    ((0.36, -0.66), (0.12, -0.62), (-0.12, -0.52), (-0.32, -0.34)),
    ((0.36, -0.68), (0.16, -0.58), (0.04, -0.36), (0.03, -0.10)),
)
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
        turn: how the hand is usually held, in degrees, clockwise on screen from pointing up, for a right hand.
    """

    thumb: tuple[tuple[float, float, float], ...]
    fingers: Mapping[str, Finger | tuple[tuple[float, float, float], ...]]
    turn: float = 0.0


_OPEN_THUMB = ((0.27, -0.20, 0.02), (0.55, -0.46, 0.05), (0.76, -0.70, 0.05), (0.90, -0.92, 0.04))
_FOLDED_THUMB = ((0.24, -0.22, 0.10), (0.42, -0.50, 0.26), (0.22, -0.68, 0.42), (-0.04, -0.74, 0.46))
_CURL = (82.0, 98.0, 50.0)

_RAISED_THUMB = ((0.26, -0.24, 0.04), (0.56, -0.52, 0.06), (0.86, -0.60, 0.06), (1.13, -0.64, 0.05))
_FIST = {"index": Finger(3, _CURL), "middle": Finger(1, _CURL), "ring": Finger(-1, _CURL), "little": Finger(-4, _CURL)}

POSES: dict[str, HandPose] = {
    "none": HandPose(  # three fingers
        _FOLDED_THUMB,
        {"index": Finger(12), "middle": Finger(1), "ring": Finger(-10), "little": Finger(-4, _CURL)},
    ),
    "palm": HandPose(
        _OPEN_THUMB,
        {"index": Finger(9), "middle": Finger(1), "ring": Finger(-7), "little": Finger(-18)},
    ),
    "thumb_up": HandPose(_RAISED_THUMB, _FIST, turn=-80.0),
    "thumb_down": HandPose(_RAISED_THUMB, _FIST, turn=100.0),
    "point": HandPose(_FOLDED_THUMB, {**_FIST, "index": Finger(3)}),
    "call": HandPose(_OPEN_THUMB, {**_FIST, "little": Finger(-18)}),
    "rock": HandPose(_FOLDED_THUMB, {**_FIST, "index": Finger(8), "little": Finger(-14)}),
    "loser": HandPose(
        ((0.28, -0.20, 0.02), (0.60, -0.40, 0.05), (0.90, -0.47, 0.05), (1.15, -0.49, 0.04)),
        {"index": Finger(3), "middle": Finger(3, _CURL), "ring": Finger(0, _CURL), "little": Finger(-4, _CURL)},
    ),
    "victory": HandPose(
        _FOLDED_THUMB,
        {"index": Finger(15), "middle": Finger(-9), "ring": Finger(-1, _CURL), "little": Finger(-4, _CURL)},
    ),
    "punch": HandPose(((0.27, -0.22, 0.08), (0.50, -0.50, 0.16), (0.55, -0.80, 0.24), (0.50, -1.04, 0.26)), _FIST),
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
    return joints


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
    palm = relief.palm(joints, forearm)
    solid = relief.with_fingers(palm, joints)
    relief.paint(solid, skin, shade)
    crease = mixed(shade, (40, 20, 20), 0.2)
    relief.paint_palm_lines(np.asarray(solid - palm < 0.03) & (palm > _NOTHING / 2), crease)
    relief.paint_joint_lines(joints, solid, crease)
    if sleeve is not None:
        relief.paint(relief.sleeve(forearm), sleeve, mixed(sleeve, (16, 16, 34), 0.6))


class _Relief:
    """Heights of a hand over the patch of canvas around it, in units of the hand."""

    def __init__(self, brush: Brush, left: bool, forearm: float) -> None:
        self.brush = brush
        self.px = brush.unit * brush.canvas.scale
        self.mirror = np.array([-1.0 if left else 1.0, 1.0], np.float32)
        around = np.array([(-1.1, -2.4), (1.6, -2.4), (-1.1, forearm + 0.2), (1.6, forearm + 0.2)], np.float32)
        corners = brush.to_canvas(around * self.mirror)
        _, height, width = brush.canvas.planes.shape
        self.left, self.top = (max(int(v), 0) for v in np.floor(corners.min(axis=0)))
        right, bottom = (int(v) for v in np.ceil(corners.max(axis=0)))
        w, h = max(min(right, width) - self.left, 2), max(min(bottom, height) - self.top, 2)
        ys, xs = np.mgrid[0:h, 0:w].astype(np.float32) + np.float32(0.5)
        centre_x, centre_y = np.asarray(brush.centre_xy) * brush.canvas.scale
        dx, dy = (xs + self.left - centre_x) / self.px, (ys + self.top - centre_y) / self.px
        cos, sin = math.cos(brush.angle), math.sin(brush.angle)
        self.x = ((cos * dx + sin * dy) * self.mirror[0]).astype(np.float32)
        self.y = (cos * dy - sin * dx).astype(np.float32)

    def palm(self, joints: NDArray[np.float64], forearm: float) -> Floats:
        """Heights of palm, wrist and forearm; `_NOTHING` where there is none."""
        solid = self._limb(np.array([(0, -0.05, 0), (0, 0.45, -0.02), (0, forearm + 0.6, -0.1)]), (0.27, 0.265, 0.36))
        for name, r1, r2 in _PALM_RAYS:
            x, y = _BASES[name]
            solid = _melt(solid, self._limb(np.array([(x * 0.42, -0.16, -0.03), (x, y + 0.06, -0.03)]), (r1, r2)), 0.10)
        ball = np.array([joints[1] + (-0.02, 0.02, 0.0), joints[2] * 0.75 + joints[1] * 0.25])
        solid = _melt(solid, self._limb(ball, (0.24, 0.17)), 0.10)
        return _melt(solid, self._limb(np.array([(-0.20, -0.22, 0.04), (-0.31, -0.60, 0.02)]), (0.21, 0.16)), 0.10)

    def with_fingers(self, palm: Floats, joints: NDArray[np.float64]) -> Floats:
        """Heights of the palm and of the fingers that grow out of it."""
        solid = palm
        for i, name in enumerate(FINGERS):
            chain = self._limb(joints[1 + 4 * i : 5 + 4 * i], _RADII[name])
            solid = np.maximum(solid, _melt(palm, chain, 0.06 if i else 0.10))
        return solid

    def sleeve(self, forearm: float) -> Floats:
        """Heights of a sleeve with a straight hem."""
        solid = self._limb(np.array([(0, 0.4, 0), (0, forearm + 0.6, 0)]), (0.36, 0.50))
        return np.where(self.y > 0.62 + 0.10 * self.x**2, solid, _NOTHING).astype(np.float32)

    def _limb(self, chain: NDArray[np.float64], radii: tuple[float, ...]) -> Floats:
        """Heights of a row of round bones, each joint with its radius."""
        solid: Floats = np.full_like(self.x, _NOTHING)
        for a, b, ra, rb in zip(chain[:-1], chain[1:], radii[:-1], radii[1:], strict=True):
            part = self._part(a, b, max(ra, rb))
            solid[part] = np.maximum(solid[part], _bone(self.x[part], self.y[part], a, b, ra, rb))
        return solid

    def _part(self, a: NDArray[np.float64], b: NDArray[np.float64], radius: float) -> tuple[slice, slice]:
        """Where on the patch a bone can be."""
        ends = self.brush.to_canvas(np.array([a[:2], b[:2]], np.float32) * self.mirror) - (self.left, self.top)
        reach = radius * self.px + 2
        x1, y1 = (max(int(v), 0) for v in ends.min(axis=0) - reach)
        x2, y2 = (max(int(v), 0) for v in ends.max(axis=0) + reach)
        return slice(y1, y2), slice(x1, x2)

    def paint(self, solid: Floats, skin: Colour, shade: Colour) -> None:
        """Light the relief and lay it on the canvas: shaded by slope, darker in hollows and towards the outline."""
        cover = (solid > _NOTHING / 2).astype(np.float32)
        if not cover.any():
            return
        ground = np.where(cover > 0, solid, float(solid[cover > 0].min()) - 0.1).astype(np.float32)
        gy, gx = np.gradient(cv2.GaussianBlur(ground, (0, 0), 0.016 * self.px) * np.float32(self.px))
        steep = np.sqrt(gx**2 + gy**2 + 1)
        light = np.clip((0.42 * gx + 0.50 * gy + 0.76) / steep, 0, 1)
        hollow = np.clip((_spread(ground, 0.07 * self.px) - ground) * 2.6, 0, 0.75)
        dim = np.clip(hollow + 0.55 * np.clip((0.42 - 1 / steep) / 0.42, 0, 1), 0, 0.9)
        lit, bright = np.clip((light + 0.12) / 0.84, 0, 1), np.clip((light - 0.72) / 0.28, 0, 1)
        planes = []
        for base, dark, pale in zip(skin, shade, mixed(skin, (255, 240, 222), 0.45), strict=True):
            tone = dark + (base - dark) * lit + (pale - base) * bright
            planes.append(tone + (dark * 0.8 - tone) * dim)
        mask = np.asarray(np.clip(cv2.GaussianBlur(cover, (0, 0), 1.6) * 1.6 - 0.3, 0, 1), np.float32)
        self.brush.canvas.blend(Shape(self.left, self.top, mask), np.asarray(planes, np.float32))

    def _patch(self, seen: NDArray[np.bool_]) -> Shape:
        """Part of the patch as a shape with a soft edge."""
        mask = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 1.5)
        return Shape(self.left, self.top, np.asarray(mask, np.float32))

    def paint_palm_lines(self, seen: NDArray[np.bool_], crease: Colour) -> None:
        """The three lines of the palm, where no finger covers it."""
        clip = self._patch(seen)
        for path in _PALM_LINES:
            line = np.asarray(path, np.float32) * self.mirror
            self.brush.line(line, (0.008, 0.024, 0.006), crease, alpha=0.42, blur=0.008, clip=clip)

    def paint_joint_lines(self, joints: NDArray[np.float64], solid: Floats, crease: Colour) -> None:
        """Fine lines across the fingers that are straight enough to show their inner side."""
        clip = self._patch(np.asarray(solid > 0.02))
        for i, name in enumerate(FINGERS):
            chain, radii = joints[1 + 4 * i : 5 + 4 * i], _RADII[name]
            for k in (1, 2):
                a, b, c = chain[k - 1, :2], chain[k, :2], chain[k + 1, :2]
                along, lengths = c - a, (np.linalg.norm(b - a), np.linalg.norm(c - b))
                if chain[k, 2] > 0.14 or min(lengths) < 0.15 or (c - b)[1] > 0:
                    continue
                aside = np.array([-along[1], along[0]]) / np.linalg.norm(along) * radii[k] * 0.72
                path = np.array([b - aside, b + 0.12 * radii[k] * along / np.linalg.norm(along), b + aside])
                line = path.astype(np.float32) * self.mirror
                self.brush.line(line, (0.004, 0.02, 0.004), crease, alpha=0.45, blur=0.007, clip=clip)


def _bone(x: Floats, y: Floats, a: NDArray[np.float64], b: NDArray[np.float64], ra: float, rb: float) -> Floats:
    """Heights of a bone: spheres from one joint to the next, each pixel under the one it is nearest to.

    A bone that points to the viewer is no flat ribbon, so spheres beside the nearest are tried as well.
    """
    vx, vy, vz = (np.float32(v) for v in b - a)
    px, py = x - np.float32(a[0]), y - np.float32(a[1])
    flat = float(vx * vx + vy * vy)
    along = (px * vx + py * vy) / np.float32(max(flat, 1e-6))
    steps = (0.0,) if flat > 0.3 * (flat + float(vz) ** 2) else (-0.6, -0.3, 0.0, 0.3, 0.6)
    solid = np.full_like(x, _NOTHING)
    for step in steps:
        t = np.clip(along + np.float32(step), 0, 1)
        inside = (ra + (rb - ra) * t) ** 2 - (px - vx * t) ** 2 - (py - vy * t) ** 2
        height = np.float32(a[2]) + vz * t + np.sqrt(np.maximum(inside, 0))
        solid = np.maximum(solid, np.where(inside > 0, height, np.float32(_NOTHING)))
    return solid


def _spread(heights: Floats, sigma: float) -> Floats:
    """A wide blur, done on a quarter of the size where that cannot be told."""
    if sigma < 8:
        return np.asarray(cv2.GaussianBlur(heights, (0, 0), sigma), np.float32)
    height, width = heights.shape
    small = cv2.resize(heights, (-(-width // 4), -(-height // 4)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / 4)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _melt(first: Floats, second: Floats, reach: float) -> Floats:
    """The larger of two heights, with a smooth passage where they differ by less than `reach`."""
    near = np.clip(0.5 + 0.5 * (first - second) / reach, 0, 1)
    return np.asarray(second + (first - second) * near + reach * near * (1 - near), np.float32)
