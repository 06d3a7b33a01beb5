"""Geometry of boxes: overlap, suppression, letterboxes, rotated squares, tiles. Pure numpy.

Coordinates are continuous pixels: the origin is the top left corner of the top left pixel, x to the right, y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.scene import Box, Point

Floats = NDArray[np.float64]


def iou(a_xyxy: Floats, b_xyxy: Floats) -> Floats:
    """Intersection over union of every box of one set with every box of another.

    Args:
        a_xyxy: (N, 4) left, top, right, bottom.
        b_xyxy: (M, 4) likewise.

    Returns:
        (N, M) values in 0..1; 0 for boxes without area.
    """
    shared = _shared(a_xyxy, b_xyxy)
    union = areas(a_xyxy)[:, None] + areas(b_xyxy)[None] - shared
    return np.asarray(shared / np.where(union > 0, union, 1), np.float64)


def nesting(a_xyxy: Floats, b_xyxy: Floats) -> Floats:
    """How much of the smaller of two boxes lies inside the larger; arguments and result as for `iou`."""
    least = np.minimum(areas(a_xyxy)[:, None], areas(b_xyxy)[None])
    return np.asarray(_shared(a_xyxy, b_xyxy) / np.where(least > 0, least, 1), np.float64)


def _shared(a_xyxy: Floats, b_xyxy: Floats) -> Floats:
    a, b = a_xyxy[:, None], b_xyxy[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.asarray(np.prod(np.clip(sides, 0, None), axis=-1), np.float64)


def areas(boxes_xyxy: Floats) -> Floats:
    """(N,) areas of (N, 4) boxes; 0 where the right edge lies left of the left edge."""
    return np.asarray(np.prod(np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None), axis=1), np.float64)


def area(box_xyxy: Box) -> float:
    """The area of one box."""
    x1, y1, x2, y2 = box_xyxy
    return (x2 - x1) * (y2 - y1)


def shared_area(a_xyxy: Box, b_xyxy: Box) -> float:
    """The area of what two boxes share; 0 where they do not overlap. For single boxes, many times faster than `iou`."""
    width = min(a_xyxy[2], b_xyxy[2]) - max(a_xyxy[0], b_xyxy[0])
    height = min(a_xyxy[3], b_xyxy[3]) - max(a_xyxy[1], b_xyxy[1])
    return max(0.0, width) * max(0.0, height)


def group_overlapping(
    boxes_xyxy: Floats, scores: Floats, *, overlap: float, nested: float = 1.0
) -> list[NDArray[np.intp]]:
    """Repeatedly gather boxes around the best remaining one.

    Args:
        boxes_xyxy: (N, 4).
        scores: (N,).
        overlap: boxes with a higher IoU with the best one join its group.
        nested: so do boxes of which a larger share lies inside the best one, or of the best one inside them.

    Returns:
        Index arrays, best group first, the best box first in each; every index occurs once.
    """
    order = np.argsort(-scores, kind="stable")
    belongs = iou(boxes_xyxy, boxes_xyxy) > overlap
    if nested < 1:
        belongs |= nesting(boxes_xyxy, boxes_xyxy) > nested
    groups = []
    while order.size:
        joins = belongs[order[0], order]
        joins[0] = True
        groups.append(order[joins])
        order = order[~joins]
    return groups


def weighted_nms(values: Floats, scores: Floats, groups: list[NDArray[np.intp]]) -> Floats:
    """Average every group, weighted by score: steadier from frame to frame than its best member.

    "Blending" of Bazarevsky et al. 2019, BlazeFace, section 3.4.

    Args:
        values: (N, D) coordinates.
        scores: (N,) above 0.
        groups: K index arrays from `group_overlapping`.

    Returns:
        (K, D).
    """
    rows = [np.average(values[group], axis=0, weights=scores[group]) for group in groups]
    return np.array(rows, np.float64).reshape(len(groups), values.shape[1])


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture is placed in a frame of another shape: scaled and centred, the rest empty.

    Args:
        inner_hw: size of the scaled picture in pixels of the frame.
        pad_xy: left and top border in pixels of the frame.
        scale_xy: frame pixels per source pixel; x and y differ by the rounding of inner_hw.
    """

    inner_hw: tuple[int, int]
    pad_xy: tuple[int, int]
    scale_xy: Point

    @classmethod
    def fit(cls, size_hw: tuple[int, int], frame_hw: tuple[int, int]) -> Letterbox:
        """The largest placement of a picture of size_hw in a frame of frame_hw that keeps its shape."""
        scale = min(frame_hw[0] / size_hw[0], frame_hw[1] / size_hw[1])
        height = min(frame_hw[0], max(1, round(size_hw[0] * scale)))
        width = min(frame_hw[1], max(1, round(size_hw[1] * scale)))
        pad_xy = (frame_hw[1] - width) // 2, (frame_hw[0] - height) // 2
        return cls((height, width), pad_xy, (width / size_hw[1], height / size_hw[0]))

    def forward(self, points_xy: Floats) -> Floats:
        """(..., 2) source pixels to frame pixels."""
        return np.asarray(points_xy * self.scale_xy + self.pad_xy, np.float64)

    def inverse(self, points_xy: Floats) -> Floats:
        """(..., 2) frame pixels to source pixels."""
        return np.asarray((points_xy - self.pad_xy) / self.scale_xy, np.float64)


@dataclass(frozen=True, slots=True)
class RotatedRoi:
    """A rotated square in a picture.

    Args:
        centre_xy: its centre in pixels.
        side: its length in pixels.
        angle: radians; direction of its right-hand side in the picture, clockwise on screen when positive.
    """

    centre_xy: Point
    side: float
    angle: float

    @property
    def matrix(self) -> Floats:
        """(2, 3) affine map from the square's own coordinates, 0..1 to the right and down, to pixels."""
        cos, sin = self.side * math.cos(self.angle), self.side * math.sin(self.angle)
        x, y = self.centre_xy
        return np.array([[cos, -sin, x - (cos - sin) / 2], [sin, cos, y - (sin + cos) / 2]])

    def to_pixels(self, points_xy: Floats) -> Floats:
        """(..., 2) coordinates of the square, 0..1, to pixels of the picture."""
        matrix = self.matrix
        return np.asarray(points_xy @ matrix[:, :2].T + matrix[:, 2], np.float64)

    def from_pixels(self, points_xy: Floats) -> Floats:
        """(..., 2) pixels of the picture to coordinates of the square, 0..1."""
        matrix = self.matrix
        return np.asarray((points_xy - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T, np.float64)

    def moved(self, right: float, down: float) -> RotatedRoi:
        """The square moved along its own axes, in multiples of its side."""
        x, y = self.to_pixels(np.array([0.5 + right, 0.5 + down]))
        return RotatedRoi((float(x), float(y)), self.side, self.angle)

    def scaled(self, factor: float) -> RotatedRoi:
        """The square scaled about its centre."""
        return RotatedRoi(self.centre_xy, self.side * factor, self.angle)


def bounding_box(points_xy: Floats, *, margin: float = 0.0) -> Floats:
    """(4,) smallest upright box around (N, 2) points, extended on each side by a fraction of its longer side."""
    low, high = points_xy.min(axis=0), points_xy.max(axis=0)
    grow = margin * float((high - low).max())
    return np.concatenate([low - grow, high + grow]).astype(np.float64)


def tile_boxes(size_hw: tuple[int, int], *, tile: int, overlap: float) -> NDArray[np.int64]:
    """Squares that together cover a picture, evenly spread.

    Args:
        size_hw: of the picture.
        tile: side of a square in pixels; a shorter picture side is covered by one shorter tile.
        overlap: smallest overlap of neighbours, as a fraction of the side, below 1.

    Returns:
        (N, 4) left, top, right, bottom, whole pixels inside the picture, row by row.
    """
    if tile < 1 or not 0 <= overlap < 1:
        raise ValueError(f"tile must be at least 1 and overlap in 0..1, got {tile}, {overlap}")
    height, width = size_hw
    tops, lefts = _starts(height, tile, overlap), _starts(width, tile, overlap)
    rows = [(x, y, min(x + tile, width), min(y + tile, height)) for y in tops for x in lefts]
    return np.array(rows, np.int64)


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    if length <= tile:
        return [0]
    steps = math.ceil((length - tile) / max(1.0, tile * (1 - overlap)))
    return [round(i * (length - tile) / steps) for i in range(steps + 1)]
