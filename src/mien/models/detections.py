"""What detectors find in a picture, and how they look at it: whole or in tiles, scaled into a frame of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.pixels.boxes import Floats, Letterbox, tile_boxes

View = tuple[int, int, int, int]
"""A part of a picture: left, top, right, bottom in whole pixels inside it."""

_MIN_TILE = 400
_MAX_TILES_A_SIDE = 6
_TILE_OVERLAP = 0.25


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found.

    Args:
        boxes_xyxy: (N, 4) pixels of the picture; may extend beyond it.
        points_xy: (N, K, 2) key points, likewise.
        scores: (N,) in 0..1.
    """

    boxes_xyxy: Floats
    points_xy: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def at(self, indices: NDArray[np.intp]) -> Detections:
        """Some of them, in the order of the indices."""
        return Detections(self.boxes_xyxy[indices], self.points_xy[indices], self.scores[indices])


def joined(parts: Sequence[Detections]) -> Detections:
    """All of them, part after part; at least one part."""
    if len(parts) == 1:
        return parts[0]
    return Detections(
        np.concatenate([part.boxes_xyxy for part in parts]),
        np.concatenate([part.points_xy for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def tile_views(size_hw: tuple[int, int]) -> list[View]:
    """Overlapping parts of a picture for what is small or far away; none where the picture is as small as a part."""
    side = max(_MIN_TILE, -(-max(size_hw) // _MAX_TILES_A_SIDE))
    parts = tile_boxes(size_hw, tile=side, overlap=_TILE_OVERLAP).tolist()
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in parts] if len(parts) > 1 else []


def scaled(image_rgb: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) uint8: the picture in another size."""
    height, width = size_hw
    # Halves first: OpenCV averages 2x2 pixels fast, any other factor eight times slower.
    while image_rgb.shape[0] >= 2 * height and image_rgb.shape[0] % 2 == 0 and image_rgb.shape[1] % 2 == 0:
        half_wh = image_rgb.shape[1] // 2, image_rgb.shape[0] // 2
        image_rgb = np.asarray(cv2.resize(image_rgb, half_wh, interpolation=cv2.INTER_AREA), np.uint8)
    if image_rgb.shape[:2] == (height, width):
        return image_rgb
    averages = image_rgb.shape[0] >= 2 * height
    how = cv2.INTER_AREA if averages else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image_rgb, (width, height), interpolation=how), np.uint8)


def placed(image_rgb: NDArray[np.uint8], box: Letterbox, frame_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """(h, w, 3) uint8: the picture scaled into a black frame."""
    height, width = box.inner_hw
    picture = scaled(image_rgb, (height, width))
    if (height, width) == frame_hw:
        return picture
    frame = np.zeros((*frame_hw, 3), np.uint8)
    x, y = box.pad_xy
    frame[y : y + height, x : x + width] = picture
    return frame
