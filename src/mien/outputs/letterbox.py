"""Pictures of another size in a video, which has only one: scaled to fit, with black bars."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def letterboxed(image_rgb: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture in the middle of a frame, as large as fits, never distorted; itself if it has that size.

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
        size_hw: height and width of the frame in pixels.

    Raises:
        ValueError: another shape or type.
    """
    if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8 or 0 in image_rgb.shape:
        raise ValueError(f"a frame must be (H, W, 3) uint8 RGB, got {image_rgb.shape}, {image_rgb.dtype}")
    if image_rgb.shape[:2] == size_hw:
        return image_rgb
    (height, width), (full_height, full_width) = image_rgb.shape[:2], size_hw
    scale = min(full_height / height, full_width / width)
    height, width = max(round(height * scale), 1), max(round(width * scale), 1)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    frame = np.zeros((*size_hw, 3), np.uint8)
    top, left = (full_height - height) // 2, (full_width - width) // 2
    frame[top : top + height, left : left + width] = cv2.resize(image_rgb, (width, height), interpolation=way)
    return frame
