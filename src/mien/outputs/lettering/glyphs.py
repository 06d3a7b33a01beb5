"""Texts that OpenCV's fonts cannot write, since these have only ASCII: drawn by FreeType with a font of the system."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.outputs.lettering.fonts import FontFace, drawable, font_for, opened
from mien.outputs.palette import Colour

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITALS = 22.0  # height of capitals of OpenCV's font at scale 1, in pixels
_REGULAR = 0.085  # of a regular stroke to the height of capitals
_EM = 1.38  # of FreeType's sizes to the height of capitals


@dataclass(frozen=True, slots=True, eq=False)
class Letters:
    """A text as a picture.

    Args:
        cover: (H, W) uint8, 255 where a letter covers a pixel whole.
        left: where the picture begins, from the start of the text, in pixels.
        top: where it begins, from the line on which the letters stand.
        width: of the text, in pixels.
    """

    cover: NDArray[np.uint8]
    left: int
    top: int
    width: float


def letters_of(text: str, size: int, *, bold: bool = False) -> Letters | None:
    """A text that is not ASCII in a font of the system; None if there is none that has all its letters.

    Args:
        text: one line.
        size: of the font, in pixels: 1.38 times the height of capitals.
        bold: with thicker strokes.
    """
    face = font_for(text)
    return None if face is None else _letters(text, face, size, bold)


def text_width(text: str, scale: float, stroke: int) -> int:
    """Width in pixels of a text as `write_text` writes it."""
    letters = None if text.isascii() else letters_of(text, _size(scale), bold=_bold(scale, stroke))
    if letters is None:
        return int(cv2.getTextSize(drawable(text), _FONT, scale, stroke)[0][0])
    return round(letters.width)


def write_text(
    image_rgb: NDArray[np.uint8], text: str, origin_xy: tuple[int, int], *, scale: float, stroke: int, colour: Colour
) -> None:
    """Write a text on a picture; letters that no font has are left out: see `drawable`.

    Args:
        image_rgb: (H, W, 3) uint8 RGB; drawn on.
        text: one line.
        origin_xy: left end of the line on which the letters stand, in pixels.
        scale: of OpenCV's font, whose capitals are 22 pixels high at 1.
        stroke: thickness of its lines in pixels.
        colour: RGB.
    """
    letters = None if text.isascii() else letters_of(text, _size(scale), bold=_bold(scale, stroke))
    if letters is None:
        cv2.putText(image_rgb, drawable(text), origin_xy, _FONT, scale, colour, stroke, cv2.LINE_AA)
        return
    height, width = letters.cover.shape
    x, y = origin_xy[0] + letters.left, origin_xy[1] + letters.top
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + width, image_rgb.shape[1]), min(y + height, image_rgb.shape[0])
    if x2 <= x1 or y2 <= y1:
        return
    share = letters.cover[y1 - y : y2 - y, x1 - x : x2 - x, None].astype(np.float32) / 255
    part = image_rgb[y1:y2, x1:x2]
    part[:] = np.rint(part * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)


def _size(scale: float) -> int:
    return max(6, round(scale * _CAPITALS * _EM))


def _bold(scale: float, stroke: int) -> bool:
    return stroke > 1 and stroke > _REGULAR * scale * _CAPITALS


@lru_cache(200)
def _letters(text: str, face: FontFace, size: int, bold: bool) -> Letters:
    """Kept, because a label is the same in most frames of a video."""
    font = opened(face, size)
    stroke = 0.02 * size if bold else 0
    mask, (left, top) = font.getmask2(text, mode="L", anchor="ls", stroke_width=stroke, stroke_filled=bold)
    width, height = mask.size
    cover = np.asarray(mask, np.uint8).reshape(height, width)
    return Letters(cover, round(left), round(top), float(font.getlength(text)))
