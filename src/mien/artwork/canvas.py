"""A canvas for drawing by code: smooth curves, soft edges, colours that mix without bands.

Everything is drawn at twice the size and averaged down, so edges are smooth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 255."""

_SHIFT = 5
_COARSE_SIGMA = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A soft-edged shape: where it covers the canvas and how much.

    Args:
        left: first column of the mask on the canvas.
        top: first row.
        mask: (h, w) float32, 0 outside to 1 inside.
    """

    left: int
    top: int
    mask: Floats

    def cut(self, other: Shape) -> Shape:
        """The part of this shape that lies in another one."""
        (h, w), (other_h, other_w) = self.mask.shape, other.mask.shape
        x1, y1 = max(self.left, other.left), max(self.top, other.top)
        x2, y2 = min(self.left + w, other.left + other_w), min(self.top + h, other.top + other_h)
        if x2 <= x1 or y2 <= y1:
            return Shape(x1, y1, np.zeros((1, 1), np.float32))
        mine = self.mask[y1 - self.top : y2 - self.top, x1 - self.left : x2 - self.left]
        theirs = other.mask[y1 - other.top : y2 - other.top, x1 - other.left : x2 - other.left]
        return Shape(x1, y1, mine * theirs)


class Canvas:
    """A picture in the making.

    Args:
        size_hw: height and width of the finished picture in pixels.
        scale: how many times larger it is drawn.
    """

    def __init__(self, size_hw: tuple[int, int], *, scale: int = 2) -> None:
        self.size_hw = size_hw
        self.scale = scale
        # Colour by colour, (3, h, w): mixing runs along whole rows, several times faster than pixel by pixel.
        self.planes: Floats = np.zeros((3, size_hw[0] * scale, size_hw[1] * scale), np.float32)

    def blend(self, shape: Shape, colour: Colour | Floats, alpha: float = 1.0) -> None:
        """Lay a colour, or (3, h, w) float32 planes of the shape's size, over the canvas where the shape is."""
        h, w = shape.mask.shape
        _, height, width = self.planes.shape
        x1, y1 = max(shape.left, 0), max(shape.top, 0)
        x2, y2 = min(shape.left + w, width), min(shape.top + h, height)
        if x2 <= x1 or y2 <= y1:
            return
        part = (slice(y1 - shape.top, y2 - shape.top), slice(x1 - shape.left, x2 - shape.left))
        cover = shape.mask[part] * np.float32(alpha)
        for i, plane in enumerate(self.planes[:, y1:y2, x1:x2]):
            paint = colour[i][part] if isinstance(colour, np.ndarray) else np.float32(colour[i])
            plane += (paint - plane) * cover

    def wash(self, top: Colour, bottom: Colour, *, glow: float = 0.5) -> None:
        """Cover everything with a wall: one colour above, one below, lighter where the lamp is.

        Args:
            top: colour at the upper edge.
            bottom: colour at the lower edge.
            glow: how strong the lamp is, 0 to 1.
        """
        _, height, width = self.planes.shape
        y, x = np.mgrid[0:1:48j, 0:1:64j].astype(np.float32)[..., None]
        wall = np.asarray(top, np.float32) * (1 - y) + np.asarray(bottom, np.float32) * y
        lamp = glow * np.exp(-(((x - 0.33) / 0.33) ** 2 + ((y - 0.3) / 0.38) ** 2) / 2)
        wall += (255 - wall) * lamp
        self.planes[:] = cv2.resize(wall, (width, height), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)

    def finish(self) -> NDArray[np.uint8]:
        """The picture: (H, W, 3) uint8 RGB."""
        height, width = self.size_hw
        reduced = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in self.planes]
        small = np.stack(reduced, axis=2)
        return np.asarray(np.clip(np.rint(small), 0, 255), np.uint8)


@dataclass(frozen=True, slots=True)
class Brush:
    """Draws on a canvas in coordinates of its own.

    Args:
        canvas: what to draw on.
        centre_xy: where the origin lies, in pixels of the finished picture.
        unit: length of 1, in pixels of the finished picture.
        angle: radians the drawing is turned, clockwise on screen.
    """

    canvas: Canvas
    centre_xy: tuple[float, float]
    unit: float
    angle: float = 0.0

    def to_canvas(self, points_xy: Floats) -> Floats:
        """(N, 2) own coordinates to (N, 2) canvas pixels."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turned = points_xy @ np.array([[cos, sin], [-sin, cos]], np.float32)
        return np.asarray((turned * self.unit + np.asarray(self.centre_xy)) * self.canvas.scale, np.float32)

    def shape(self, points_xy: Floats, *, blur: float = 0.0, clip: Shape | None = None) -> Shape:
        """The inside of a polygon.

        Args:
            points_xy: (N, 2) corners.
            blur: how soft the edge is: the standard deviation, in units.
            clip: keep only what lies in this shape.
        """
        corners = self.to_canvas(points_xy)
        sigma = blur * self.unit * self.canvas.scale
        reach = int(3 * sigma) + 3
        left, top = (int(v) - reach for v in np.floor(corners.min(axis=0)))
        right, bottom = (int(v) + reach for v in np.ceil(corners.max(axis=0)))
        if clip is not None:
            h, w = clip.mask.shape
            left, top = max(left, clip.left - reach), max(top, clip.top - reach)
            right, bottom = min(right, clip.left + w + reach), min(bottom, clip.top + h + reach)
        mask = np.zeros((max(bottom - top, 1), max(right - left, 1)), np.uint8)
        fixed = np.rint((corners - (left, top)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
        shape = Shape(left, top, _blurred(mask, sigma))
        return shape if clip is None else shape.cut(clip)

    def fill(
        self,
        points_xy: Floats,
        colour: Colour,
        *,
        alpha: float = 1.0,
        blur: float = 0.0,
        clip: Shape | None = None,
    ) -> Shape:
        """Fill a polygon, with the arguments of `shape`; returns the shape, so that others can be clipped to it."""
        shape = self.shape(points_xy, blur=blur, clip=clip)
        self.canvas.blend(shape, colour, alpha)
        return shape

    def line(
        self,
        points_xy: Sequence[tuple[float, float]] | Floats,
        widths: Sequence[float],
        colour: Colour,
        *,
        alpha: float = 1.0,
        blur: float = 0.0,
        clip: Shape | None = None,
    ) -> None:
        """A smooth line through points whose width, in units, changes evenly from one of `widths` to the next."""
        self.fill(ribbon(points_xy, widths), colour, alpha=alpha, blur=blur, clip=clip)


def _blurred(mask: NDArray[np.uint8], sigma: float) -> Floats:
    """0..255 to 0..1, blurred; wide blurs are made on a smaller copy: no visible difference in a tenth of the time."""
    small: Floats = np.multiply(mask, np.float32(1 / 255), dtype=np.float32)
    if sigma < 0.3:
        return small
    height, width = mask.shape
    shrink = max(1, int(sigma / _COARSE_SIGMA * 2))
    if shrink > 1:
        reduced = (max(1, -(-width // shrink)), max(1, -(-height // shrink)))
        small = np.asarray(cv2.resize(small, reduced, interpolation=cv2.INTER_AREA), np.float32)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / shrink), np.float32)
    if shrink > 1:
        small = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return small


def points(*pairs: tuple[float, float]) -> Floats:
    """Pairs as an (N, 2) float32 array."""
    return np.array(pairs, np.float32).reshape(-1, 2)


def smooth(points_xy: Sequence[tuple[float, float]] | Floats, *, closed: bool = True, steps: int = 8) -> Floats:
    """A Catmull-Rom curve through points: (N * steps, 2), or ((N - 1) * steps + 1, 2) when open."""
    p = np.asarray(points_xy, np.float32).reshape(-1, 2)
    if closed:
        padded = np.concatenate([p[-1:], p, p[:2]])
    else:
        padded = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = (np.arange(steps, dtype=np.float32) / steps)[None, :, None]
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, 2)
    return np.asarray(curve if closed else np.concatenate([curve, p[-1:]]), np.float32)


def ribbon(points_xy: Sequence[tuple[float, float]] | Floats, widths: Sequence[float]) -> Floats:
    """Outline of a smooth line of changing width."""
    middle = smooth(points_xy, closed=False)
    along = np.gradient(middle, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    half = np.interp(np.linspace(0, 1, len(middle)), np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    aside = along[:, ::-1] * (-1, 1) * half
    return np.asarray(np.concatenate([middle + aside, (middle - aside)[::-1]]), np.float32)


def ellipse(x: float, y: float, rx: float, ry: float, *, steps: int = 48) -> Floats:
    """Outline of an ellipse: (steps, 2)."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1).astype(np.float32)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two: 0 gives the first, 1 the second."""
    r, g, b = (a + (c - a) * share for a, c in zip(first, second, strict=True))
    return r, g, b
