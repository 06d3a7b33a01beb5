"""The window icon: a drawn smile."""

from __future__ import annotations

import cv2
import numpy as np

from mien.outputs.palette import DARK, label_colour
from mien.outputs.pygame_import import pygame

_SIDE = 64
_FINE = 4


def draw_icon() -> pygame.Surface:
    """A face of 64 x 64 pixels with smooth edges."""
    n = _SIDE * _FINE
    image = np.zeros((n, n, 4), np.uint8)
    face, ink = (*label_colour("happy"), 255), (*DARK, 255)
    cv2.circle(image, (n // 2, n // 2), round(0.47 * n), face, cv2.FILLED)
    for x in (0.34, 0.66):
        centre, radii = (round(x * n), round(0.4 * n)), (round(0.06 * n), round(0.09 * n))
        cv2.ellipse(image, centre, radii, 0, 0, 360, ink, cv2.FILLED)
    cv2.ellipse(image, (n // 2, n // 2), (round(0.28 * n), round(0.26 * n)), 0, 20, 160, ink, round(0.07 * n))
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return pygame.image.frombytes(small.tobytes(), (_SIDE, _SIDE), "RGBA")
