"""Readings of the landmark network, and which of them are of one hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.pixels.boxes import Floats, bounding_box

# Hands closer than this, as the mean distance of their landmarks over the hand's longer side, are one hand.
_SAME_HAND = 0.25

# So are hands of which one lies within the other by this share of its box: of 200 pictures of one hand, two showed a
# second, smaller one in it.
_WITHIN = 0.75


@dataclass(frozen=True, slots=True)
class FoundHand:
    """points_xyz: (21, 3) pixels of the picture; presence and right (a right hand, not mirrored) in 0..1."""

    points_xyz: Floats
    presence: float
    right: float


def distinct(found_hands: Sequence[FoundHand]) -> list[FoundHand]:
    """The most certain reading of each hand, largest hand first."""
    kept: list[FoundHand] = []
    for found in sorted(found_hands, key=lambda one: -one.presence):
        if not any(same(found, other) for other in kept):
            kept.append(found)
    return sorted(kept, key=lambda one: -math.prod(_extent(one)))


def same(found: FoundHand, other: FoundHand) -> bool:
    """Whether both are readings of one hand: they nearly coincide, or one lies within the other."""
    return _distance(found, other) <= _SAME_HAND * max(_extent(found)) or _shared(found, other) >= _WITHIN


def _extent(found: FoundHand) -> tuple[float, float]:
    width, height = np.ptp(found.points_xyz[:, :2], axis=0).tolist()
    return width, height


def _shared(a: FoundHand, b: FoundHand) -> float:
    """The part of the smaller box that lies within the other, 0 to 1."""
    boxes = [bounding_box(found.points_xyz[:, :2]) for found in (a, b)]
    low, high = np.maximum(boxes[0][:2], boxes[1][:2]), np.minimum(boxes[0][2:], boxes[1][2:])
    smaller = min(float(np.prod(box[2:] - box[:2])) for box in boxes)
    return float(np.prod(np.maximum(high - low, 0))) / max(smaller, 1e-9)


def _distance(a: FoundHand, b: FoundHand) -> float:
    return float(np.linalg.norm(a.points_xyz[:, :2] - b.points_xyz[:, :2], axis=1).mean())
