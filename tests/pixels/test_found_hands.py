from __future__ import annotations

import numpy as np

from mien.pixels.found_hands import FoundHand, distinct


def _seen(box_xyxy: tuple[float, float, float, float], presence: float) -> FoundHand:
    """A reading whose landmarks fill a box."""
    x1, y1, x2, y2 = box_xyxy
    points = np.column_stack([np.linspace(x1, x2, 21), np.tile([y1, y2, (y1 + y2) / 2], 7), np.zeros(21)])
    return FoundHand(points, presence, 1.0)


def test_a_hand_within_another_is_the_same_hand() -> None:
    large, within = _seen((0, 0, 100, 100), 0.9), _seen((60, 60, 95, 95), 0.95)
    assert distinct([large, within]) == [within], "the more certain reading stays"
    assert distinct([within, large]) == [within]
    beside = _seen((80, 0, 180, 100), 0.8)
    assert distinct([beside, large]) == [large, beside], "hands that overlap a little are two"
