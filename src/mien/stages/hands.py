"""Finding hands: 21 landmarks, a box and the side, largest hand first.

Palms first, then landmarks in a square that is turned until the hand points up: Zhang et al. 2020, "MediaPipe Hands:
On-device Real-time Hand Tracking", arXiv:2006.10214, with the weights of MediaPipe and the geometry of its graphs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.models.artifact import zoo_artifact
from mien.models.blaze import BlazeDetector
from mien.models.session import Network, Session
from mien.pixels.boxes import Floats, Square, bounding_box
from mien.pixels.preprocess import crop_square, to_batch
from mien.scene import Hand

PALM_MODEL = "palm_mediapipe_full"
LANDMARK_MODEL = "hand_landmark_full"

_LAYERS = ((24, 2), (12, 6))
_WRIST, _MIDDLE_BASE = 0, 2

_PALM_SHIFT = -0.5
_PALM_SCALE = 2.6
_LANDMARK_SHIFT = -0.1
_LANDMARK_SCALE = 2.0
_PALM_LANDMARKS = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
_SAME_HAND = 0.25
BOX_MARGIN = 0.1
"""How far a hand's box reaches beyond its landmarks, as a fraction of the longer side."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """points_xyz: (21, 3) pixels of the picture; presence and right in 0..1."""

    points_xyz: Floats
    presence: float
    right: float


class HandDetector:
    def __init__(
        self,
        *,
        threshold: float | None = None,
        tiles: bool = False,
        max_hands: int | None = None,
        palms: Network | None = None,
        landmarks: Network | None = None,
        threads: int | None = None,
    ) -> None:
        self._palms = BlazeDetector(palms or Session(zoo_artifact(PALM_MODEL), threads=threads), _LAYERS)
        self._network = landmarks or Session(zoo_artifact(LANDMARK_MODEL), threads=threads)
        manifest = self._network.artifact.manifest
        self._spec = manifest.input
        self.threshold = manifest.threshold if threshold is None else threshold
        self._tiles = tiles
        self._max_hands = max_hands

    def detect(self, image_rgb: NDArray[np.uint8]) -> tuple[Hand, ...]:
        palms = self._palms.detect(image_rgb, tiles=self._tiles)
        squares = [_square_of_palm(box, points) for box, points in zip(palms.boxes_xyxy, palms.points_xy, strict=True)]
        readings = [r for r in self._read(image_rgb, squares) if r.presence >= self.threshold]
        return tuple(_hand(r) for r in _distinct(readings))[: self._max_hands]

    def _read(self, image_rgb: NDArray[np.uint8], squares: Sequence[Square]) -> list[_Reading]:
        if not squares:
            return []
        crops = [crop_square(image_rgb, s.centre_xy, s.side, s.angle, self._spec) for s in squares]
        outputs = self._network.run(to_batch(np.stack(crops), self._spec))
        points, presence, right = outputs[0].reshape(len(squares), 21, 3), outputs[1], outputs[2]
        size = self._spec.size_hw[0]
        readings = []
        for i, square in enumerate(squares):
            points_xy = square.to_pixels(points[i, :, :2].astype(np.float64) / size)
            points_xyz = np.column_stack([points_xy, points[i, :, 2] * square.side / size])
            readings.append(_Reading(points_xyz, float(presence[i, 0]), float(right[i, 0])))
        return readings


def _square_of_palm(box_xyxy: Floats, points_xy: Floats) -> Square:
    x1, y1, x2, y2 = box_xyxy.tolist()
    right, down = points_xy[_MIDDLE_BASE] - points_xy[_WRIST]
    square = Square(((x1 + x2) / 2, (y1 + y2) / 2), max(x2 - x1, y2 - y1), math.atan2(right, -down))
    return square.moved(0, _PALM_SHIFT).scaled(_PALM_SCALE)


def _square_of_landmarks(points_xy: Floats) -> Square:
    base = (points_xy[5] + points_xy[13]) / 2
    right, down = (base + points_xy[9]) / 2 - points_xy[0]
    upright = Square((0.0, 0.0), 1.0, math.atan2(right, -down))
    x1, y1, x2, y2 = bounding_box(upright.from_pixels(points_xy[list(_PALM_LANDMARKS)])).tolist()
    cx, cy = upright.to_pixels(np.array([(x1 + x2) / 2, (y1 + y2) / 2])).tolist()
    square = Square((cx, cy), max(x2 - x1, y2 - y1, 1.0), upright.angle)
    return square.moved(0, _LANDMARK_SHIFT).scaled(_LANDMARK_SCALE)


def _distinct(readings: Sequence[_Reading]) -> list[_Reading]:
    kept: list[_Reading] = []
    for r in sorted(readings, key=lambda r: -r.presence):
        side = float(np.ptp(r.points_xyz[:, :2], axis=0).max())
        if all(np.linalg.norm(r.points_xyz[:, :2] - k.points_xyz[:, :2], axis=1).mean() > _SAME_HAND * side for k in kept):
            kept.append(r)
    return sorted(kept, key=lambda r: -float(np.prod(np.ptp(r.points_xyz[:, :2], axis=0))))


def _hand(r: _Reading) -> Hand:
    box = bounding_box(r.points_xyz[:, :2], margin=BOX_MARGIN)
    return Hand(box_xyxy=tuple(box.tolist()), score=r.presence, side="right" if r.right >= 0.5 else "left",
        landmarks_xyz=tuple((x, y, z) for x, y, z in r.points_xyz.tolist()))
