"""A picture of a source."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source.

    Args:
        image_rgb: (H, W, 3) uint8, RGB, 0 to 255.
        index: position in the source, from 0, counting every frame of a video.
        time_s: seconds since the start of the source, as the file says; 0 for a photo.
        source: the path or address it came from.
        still: a photo: nothing like it comes next, so it may be searched more closely than a frame of a video.
    """

    image_rgb: NDArray[np.uint8]
    index: int = 0
    time_s: float = 0.0
    source: str = ""
    still: bool = False

    def __post_init__(self) -> None:
        image = self.image_rgb
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError(f"a frame must be (H, W, 3) uint8 RGB, got shape {image.shape}, {image.dtype}")
        if self.index < 0 or not math.isfinite(self.time_s):
            raise ValueError(
                f"a frame must have an index of 0 or more and a finite time, got {self.index}, {self.time_s}"
            )

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image_rgb.shape[0], self.image_rgb.shape[1]
