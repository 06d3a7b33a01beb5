"""Painting over parts of a picture, so that they are not found again."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.pixels.boxes import Floats

_SIDE = 256  # pixels; what is painted is smooth, and takes time that grows with its area
_BEYOND = 0.1  # how far it extends beyond the points, as a fraction of their longer side
_RADIUS = 3.0  # pixels of the shrunk picture that each painted one is made of


def painted_over(image_rgb: NDArray[np.uint8], outlines_xy: Sequence[Floats]) -> NDArray[np.uint8]:
    """The picture with things painted over in the colours around them (Telea 2004).

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
        outlines_xy: for each thing, (K, 2) points in pixels of the picture, which may lie outside it; all that they
            surround and a margin around it is painted.

    Returns:
        (H, W, 3) uint8 RGB, the same elsewhere.
    """
    height, width = image_rgb.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    small_wh = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image_rgb, small_wh, interpolation=cv2.INTER_AREA)
    mask = np.zeros(small.shape[:2], np.uint8)
    for points_xy in outlines_xy:
        one = np.zeros_like(mask)
        hull = cv2.convexHull(np.round(points_xy * scale).astype(np.int32))
        cv2.fillConvexPoly(one, hull, 255)
        margin = max(1, round(_BEYOND * float(np.ptp(points_xy * scale, axis=0).max())))
        mask |= np.asarray(cv2.dilate(one, np.ones((margin, margin), np.uint8)), np.uint8)
    painted = cv2.resize(
        cv2.inpaint(small, mask, _RADIUS, cv2.INPAINT_TELEA), (width, height), interpolation=cv2.INTER_LINEAR
    )
    hides = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return np.asarray(np.where(hides[:, :, None], painted, image_rgb), np.uint8)
