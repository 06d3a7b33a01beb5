"""Boxes and landmarks that stay still while a face or hand does, and do not lag behind when it moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.scene import Box, Face, Hand, Scene

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadySettings:
    """How steady the drawn boxes and landmarks are. The defaults were chosen with benchmarks/smoothing.py.

    Args:
        still_hz: cutoff frequency of the low-pass filter for what does not move, in hertz; lower is stiller.
        hz_per_speed: how much the cutoff rises with the speed, in hertz per box size per second; higher lags less.
        speed_hz: cutoff frequency of the filter of the speed itself, in hertz.
        lost_s: seconds out of sight after which a track starts afresh.
    """

    still_hz: float = 1.0
    hz_per_speed: float = 3.0
    speed_hz: float = 1.0
    lost_s: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.still_hz < math.inf and 0 < self.speed_hz < math.inf):
            raise ValueError(f"still_hz and speed_hz must be above 0 hertz, got {self.still_hz}, {self.speed_hz}")
        if not (0 <= self.hz_per_speed < math.inf and 0 <= self.lost_s < math.inf):
            raise ValueError(f"hz_per_speed and lost_s must be 0 or more, got {self.hz_per_speed}, {self.lost_s}")


@dataclass(slots=True)
class _Filter:
    """(P, 3) points: as they arrived last, as they were returned, and their velocity in pixels per second."""

    time_s: float
    raw: Floats
    steady: Floats
    velocity: Floats

    def update(self, points: Floats, time_s: float, size: float, settings: SteadySettings) -> Floats:
        passed_s = time_s - self.time_s
        self.time_s = time_s
        if passed_s > 0:
            velocity = (points - self.raw) / passed_s
            self.velocity += _share(np.array(settings.speed_hz), passed_s) * (velocity - self.velocity)
            speed = np.linalg.norm(self.velocity, axis=1, keepdims=True) / size
            cutoff_hz = settings.still_hz + settings.hz_per_speed * speed
            self.steady += _share(cutoff_hz, passed_s) * (points - self.steady)
            self.raw = points
        return self.steady


class OneEuroSmoother:
    """Steadies boxes, key points and landmarks of one source; a separate step, for drawing.

    The 1-euro filter of Casiez, Roussel and Vogel 2012, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy
    Input in Interactive Systems", one filter per point, with speeds in box sizes, so that it behaves the same for
    small and large boxes. The numbers depend only on the times in the scenes.

    Args:
        settings: how steady.
    """

    def __init__(self, settings: SteadySettings | None = None) -> None:
        self.settings = settings or SteadySettings()
        self._filters: dict[tuple[type, int], _Filter] = {}

    def update(self, scene: Scene) -> Scene:
        """The scene with steadied positions; what has no track is unchanged."""
        far = [key for key, kept in self._filters.items() if abs(scene.time_s - kept.time_s) > self.settings.lost_s]
        for key in far:
            del self._filters[key]
        faces = tuple(face if face.track is None else self._face(face, scene.time_s) for face in scene.faces)
        hands = tuple(hand if hand.track is None else self._hand(hand, scene.time_s) for hand in scene.hands)
        return replace(scene, faces=faces, hands=hands)

    def _face(self, face: Face, time_s: float) -> Face:
        points = self._steady(face, [(x, y, 0.0) for x, y in face.keypoints_xy], time_s)
        return replace(face, box_xyxy=_box(points), keypoints_xy=tuple((x, y) for x, y, _ in points[2:].tolist()))

    def _hand(self, hand: Hand, time_s: float) -> Hand:
        points = self._steady(hand, hand.landmarks_xyz, time_s)
        landmarks_xyz = tuple((x, y, z) for x, y, z in points[2:].tolist())
        return replace(hand, box_xyxy=_box(points), landmarks_xyz=landmarks_xyz)

    def _steady(self, item: Face | Hand, more: Sequence[tuple[float, float, float]], time_s: float) -> Floats:
        """(2 + N, 3): the centre and the size of the box, then the other points."""
        x1, y1, x2, y2 = item.box_xyxy
        rows = [((x1 + x2) / 2, (y1 + y2) / 2, 0.0), (x2 - x1, y2 - y1, 0.0), *more]
        points = np.array(rows, np.float64)
        key = type(item), item.track or 0
        kept = self._filters.get(key)
        if kept is None or kept.raw.shape != points.shape:
            self._filters[key] = _Filter(time_s, points, points.copy(), np.zeros_like(points))
            return points
        return kept.update(points, time_s, math.sqrt((x2 - x1) * (y2 - y1)), self.settings)


def _share(cutoff_hz: Floats, passed_s: float) -> Floats:
    """How much the newest value counts in a low-pass filter of that cutoff; equations 3 to 5 of the paper."""
    turns = 2 * math.pi * cutoff_hz * passed_s
    return np.asarray(turns / (1 + turns), np.float64)


def _box(points: Floats) -> Box:
    (x, y, _), (width, height, _) = points[:2].tolist()
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
