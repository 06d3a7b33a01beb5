"""A photo next to its confidence bars, one for every label of the set, in the order of the set."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.outputs.draw import Picture
from mien.outputs.lettering.fonts import drawable, drawn_label, drawn_words
from mien.outputs.lettering.glyphs import text_width, write_text
from mien.outputs.palette import DARK, LIGHT, Colour, label_colour
from mien.outputs.text import verdict as in_words
from mien.scene import Box, Prediction
from mien.words import words

_CAPITALS = 22.0  # height of capitals at scale 1, pixels
_PHOTO = 400  # side of the square that the photo is fitted into, pixels
_BARS = 560  # width of the part with the bars
_PAD = 24
_HEAD = 64
_TRACK: Colour = (232, 232, 232)
_FAINT: Colour = (90, 92, 96)

MOST_ROWS = 50
"""At most this many charts in one picture; more would be too tall for viewers."""


def verdict(prediction: Prediction, task: str) -> str:
    """The answer in words: "looks happy (91 %)", "shows victory (99 %)", "perhaps sad (62 %)", "unclear: sad or angry".

    Args:
        prediction: of a face or a hand.
        task: `emotion` or `gesture`.
    """
    return in_words(prediction, task, "shows")


@drawn_words()
def draw_chart(
    image_rgb: NDArray[np.uint8], prediction: Prediction, *, task: str, box_xyxy: Box | None = None, name: str = ""
) -> Picture:
    """The photo, of any size, on the left and its bars on the right.

    The bar of the answer has a mark and bolder text, so that nothing depends on colour alone.

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
        prediction: what was predicted.
        task: `emotion` or `gesture`.
        box_xyxy: the part of the photo that was read, in its pixels; None for the whole photo.
        name: written under the photo; without the letters that no font has.
    """
    sheet = np.full((_PHOTO + 2 * _PAD + _HEAD, _PHOTO + _BARS + 3 * _PAD, 3), LIGHT, np.uint8)
    bottom = _photo(sheet, image_rgb, box_xyxy, label_colour(prediction.label))
    if name:
        shown = _fitting(drawable(name), _PHOTO, scale=0.5)
        _write(sheet, shown, (_PAD, bottom + 28), scale=0.5, colour=_FAINT)
    left = _PHOTO + 2 * _PAD
    _write(sheet, _fitting(verdict(prediction, task), _BARS, scale=0.9), (left, _PAD + 24), scale=0.9, stroke=2)
    _bars(sheet, prediction, task, left, top=_PAD + _HEAD)
    return Picture(sheet)


def stacked(pictures: Sequence[Picture]) -> Picture:
    """Charts stacked vertically; raises ValueError if there are none or more than MOST_ROWS."""
    if not 1 <= len(pictures) <= MOST_ROWS:
        raise ValueError(f"one picture must hold 1 to {MOST_ROWS} charts, got {len(pictures)}")
    return Picture(np.vstack([picture.image_rgb for picture in pictures]))


def _photo(sheet: NDArray[np.uint8], image_rgb: NDArray[np.uint8], box_xyxy: Box | None, colour: Colour) -> int:
    """Fit the photo in at the top left, with its box; returns the row where it ends."""
    height, width = image_rgb.shape[:2]
    scale = _PHOTO / max(height, width)
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image_rgb, size_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left = top = _PAD
    sheet[top : top + size_wh[1], left : left + size_wh[0]] = small
    if box_xyxy is not None:
        corners = np.array(box_xyxy).reshape(2, 2) * scale
        (x1, y1), (x2, y2) = np.rint(np.clip(corners, 0, (size_wh[0] - 1, size_wh[1] - 1))).astype(int).tolist()
        for shade, thickness in ((DARK, 5), (colour, 3)):
            cv2.rectangle(sheet, (left + x1, top + y1), (left + x2, top + y2), shade, thickness)
    return int(top + size_wh[1])


def _bars(sheet: NDArray[np.uint8], prediction: Prediction, task: str, left: int, *, top: int) -> None:
    room = sheet.shape[0] - _PAD - top
    pitch = room // len(prediction.probabilities)
    thick = round(pitch * 0.6)
    said = words()
    names = {
        label: drawn_label(said.label(task, label, "label"), i) for i, label in enumerate(prediction.probabilities)
    }
    names_width = max(_width(name, 0.6, 2) for name in names.values()) + 40
    start, length = left + names_width, _BARS - names_width - 80
    for row, (label, score) in enumerate(prediction.probabilities.items()):
        y, chosen = top + row * pitch + (pitch - thick) // 2, label == prediction.label
        base, stroke = y + thick // 2 + 7, 2 if chosen else 1
        if chosen:
            middle = y + thick // 2
            mark = np.array([(left, middle - 8), (left, middle + 8), (left + 13, middle)])
            cv2.fillPoly(sheet, [mark], DARK, cv2.LINE_AA)
        _write(sheet, names[label], (left + 24, base), scale=0.6, stroke=stroke)
        cv2.rectangle(sheet, (start, y), (start + length, y + thick), _TRACK, cv2.FILLED)
        end = start + round(length * score)
        if end > start:
            cv2.rectangle(sheet, (start, y), (end, y + thick), label_colour(label), cv2.FILLED)
            cv2.rectangle(sheet, (start, y), (end, y + thick), DARK, 1)
        _write(sheet, said.say("percent", share=100 * score), (start + length + 14, base), scale=0.6, stroke=stroke)


def _write(
    sheet: NDArray[np.uint8],
    text: str,
    origin_xy: tuple[int, int],
    *,
    scale: float,
    stroke: int = 1,
    colour: Colour = DARK,
) -> None:
    write_text(sheet, text, origin_xy, scale=scale, stroke=stroke, colour=colour)


def _width(text: str, scale: float, stroke: int = 1) -> int:
    return text_width(text, scale, stroke)


def _fitting(text: str, width: int, *, scale: float) -> str:
    """The text, shortened in the middle if it is too wide."""
    kept = text
    cut = len(text)
    while _width(kept, scale, 2) > width and cut > 2:
        cut -= 1
        kept = f"{text[: cut // 2]}...{text[-(cut // 2) :]}"
    return kept
