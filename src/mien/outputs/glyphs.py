"""Texts that OpenCV's fonts cannot write, since these have only ASCII: drawn by FreeType with a font of the system."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.outputs.palette import Colour

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf", "msyh.ttc", "msgothic.ttc"),
    *("malgun.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "wqy-microhei.ttc"),
    *("wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "Arial Unicode.ttf", "arialuni.ttf"),
    *("NotoSans-Regular.ttf", "NotoSansArabic-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "DejaVuSans.ttf"),
    *("segoeui.ttf", "Nirmala.ttf", "seguiemj.ttf"),
)
"""File names, sought where the system keeps its fonts; the first that has all letters is taken."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITALS = 22.0  # height of capitals of OpenCV's font at scale 1, in pixels
_EM = 1.38  # of FreeType's sizes to the height of capitals


def text_width(text: str, scale: float, stroke: int) -> int:
    """Width in pixels of a text as `write_text` writes it."""
    font = _font_for(text, scale)
    if font is None:
        return int(cv2.getTextSize(text, _FONT, scale, stroke)[0][0])
    return round(font.getlength(text))


def write_text(
    image_rgb: NDArray[np.uint8], text: str, origin_xy: tuple[int, int], *, scale: float, stroke: int, colour: Colour
) -> None:
    """Write a text on a picture; letters that no font has become question marks.

    Args:
        image_rgb: (H, W, 3) uint8 RGB; drawn on.
        text: one line.
        origin_xy: left end of the line on which the letters stand, in pixels.
        scale: of OpenCV's font, whose capitals are 22 pixels high at 1.
        stroke: thickness of its lines in pixels.
        colour: RGB.
    """
    font = _font_for(text, scale)
    if font is None:
        cv2.putText(image_rgb, text, origin_xy, _FONT, scale, colour, stroke, cv2.LINE_AA)
        return
    letters, (left, top) = font.getmask2(text, mode="L", anchor="ls")
    width, height = letters.size
    cover = np.asarray(letters, np.uint8).reshape(height, width)
    x, y = round(origin_xy[0] + left), round(origin_xy[1] + top)
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + width, image_rgb.shape[1]), min(y + height, image_rgb.shape[0])
    if x2 <= x1 or y2 <= y1:
        return
    share = cover[y1 - y : y2 - y, x1 - x : x2 - x, None].astype(np.float32) / 255
    part = image_rgb[y1:y2, x1:x2]
    part[:] = np.rint(part * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)


def _font_for(text: str, scale: float) -> FreeTypeFont | None:
    """The font for a text that is not ASCII; None if it is, or if no font has all its letters."""
    return None if text.isascii() else _font(text, max(6, round(scale * _CAPITALS * _EM)))


@lru_cache(200)
def _font(text: str, size: int) -> FreeTypeFont | None:
    from PIL import ImageFont

    for name in _FONTS:
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        absent = bytes(font.getmask("\uffff"))
        if all(bytes(font.getmask(letter)) != absent for letter in set(text) - {" "}):
            return font
    return None
