"""Text, plates and icons of the live window, as pygame surfaces that are made once and cached."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.outputs.lettering.fonts import drawable
from mien.outputs.lettering.glyphs import Letters, letters_of
from mien.outputs.palette import LIGHT, Colour
from mien.outputs.pygame_import import pygame
from mien.window.layout import shortened, wrap
from mien.wording import is_printable

Sign = Literal["dot", "pause", "mute", "chosen"]

_SMALLEST = 10  # pixels; smaller letters blur together
_KEPT_TEXTS = 400  # about 20 kB each
_KEPT_PLATES = 60  # up to 2 MB each, in a window of 1920 x 1080
_FINE = 8  # icons are first drawn this much larger
_ASCENT = 0.92  # of a font's size, from the line on which letters stand to the top of Chinese ones in bold


class Lettering:
    """Makes text, plates and icons; pygame's font module must be initialised.

    `text(words, size, colour)`, `width(words, size)`, `plate(width, height, colour, opacity, radius)` and
    `sign(name, size, colour)` cache their results. Sizes are pixels, opacity is 0 to 1.
    """

    def __init__(self) -> None:
        self.text: Callable[[str, int, Colour], pygame.Surface] = lru_cache(_KEPT_TEXTS)(self._text)
        self.width: Callable[[str, int], int] = lru_cache(4 * _KEPT_TEXTS)(self._width)
        self.plate: Callable[[int, int, Colour, float, int], pygame.Surface] = lru_cache(_KEPT_PLATES)(_plate)
        self.sign: Callable[[Sign, int, Colour], pygame.Surface] = lru_cache(30)(_sign)
        self._font: Callable[[int], pygame.font.Font] = lru_cache(30)(_font)
        self._other: Callable[[str, int], Letters | None] = lru_cache(_KEPT_TEXTS)(self._other_letters)

    def _width(self, text: str, size: int) -> int:
        shown, size = _printable(text), max(_SMALLEST, size)
        letters = self._other(shown, size)
        if letters is not None:
            return math.ceil(letters.width)
        times = _finer(size)
        return math.ceil(self._font(times * size).size(self._own(shown))[0] / times)

    def height(self, size: int) -> int:
        """The distance between lines in pixels."""
        return round(1.25 * max(_SMALLEST, size))

    def pitch(self, lines: Sequence[str], size: int) -> int:
        """The distance in pixels between lines that do not reach into each other; more in scripts with tall letters."""
        return max([self.height(size), *(self.text(line, size, LIGHT).get_height() for line in lines)])

    def fitted(self, text: str, size: int, width: float, colour: Colour) -> pygame.Surface:
        """The text, cut off at the end if it is too wide."""
        return self.text(shortened(text, width, lambda part: self.width(part, size)), size, colour)

    def wrapped(self, text: str, size: int, width: float, most: int) -> list[str]:
        """The text in at most this many lines of a given width; see `wrap`."""
        return wrap(text, width, lambda part: self.width(part, size), most)

    def _text(self, text: str, size: int, colour: Colour) -> pygame.Surface:
        shown, size = _printable(text), max(_SMALLEST, size)
        times = _finer(size)
        font = self._font(times * size)
        letters = self._other(shown, size)
        if letters is not None:
            ascent = max(round(_ASCENT * size), -letters.top)
            height = max(math.ceil(font.get_height() / times), ascent + letters.top + letters.cover.shape[0])
            return _coloured(_placed(letters, height, ascent).T.astype(np.float64) / 255, colour)
        shown = self._own(shown)
        if not font.size(shown)[0]:  # pygame cannot scale a surface without width
            return pygame.Surface((1, self.height(size)), pygame.SRCALPHA)
        large = font.render(shown, True, colour)
        small_wh = max(1, math.ceil(large.get_width() / times)), max(1, math.ceil(large.get_height() / times))
        return pygame.transform.smoothscale(large, small_wh)

    def _other_letters(self, text: str, size: int) -> Letters | None:
        """The text in a font of the system, if pygame's own font lacks letters that it has."""
        return letters_of(text, size, bold=True) if self._lacks(text) else None

    def _own(self, text: str) -> str:
        """The text in letters of pygame's own font."""
        return drawable(text) if self._lacks(text) else text

    def _lacks(self, text: str) -> bool:
        """Whether a letter would show as the box that stands for a missing one."""
        if text.isascii():
            return False
        font = self._font(20)
        box = font.metrics("\uffff")
        return any(font.metrics(letter) == box for letter in set(text) - {" "})


def _finer(size: int) -> int:
    """How much larger letters are drawn at first: at their own size their spacing is rounded to whole pixels."""
    return 4 if size <= 20 else 2


def _printable(text: str) -> str:
    return text if is_printable(text) else "".join(letter if is_printable(letter) else " " for letter in text)


def _font(size: int) -> pygame.font.Font:
    return pygame.font.Font(pygame.font.get_default_font(), size)


def _placed(letters: Letters, height: int, ascent: int) -> NDArray[np.uint8]:
    """Letters on a line of a given height, as wide as the text: (H, W) uint8.

    Args:
        letters: of one text.
        height: of the line in pixels.
        ascent: from its top to where letters stand.
    """
    line = np.zeros((height, max(1, math.ceil(letters.width))), np.uint8)
    top, left = ascent + letters.top, letters.left
    cover = letters.cover[max(0, -top) :, max(0, -left) :]
    part = line[max(0, top) :, max(0, left) :]
    rows, columns = min(cover.shape[0], part.shape[0]), min(cover.shape[1], part.shape[1])
    part[:rows, :columns] = cover[:rows, :columns]
    return line


def _plate(width: int, height: int, colour: Colour, opacity: float, radius: int) -> pygame.Surface:
    """A rectangle with smooth rounded corners; opacity 0 to 1."""
    radius = min(radius, width // 2, height // 2)
    beyond_x, beyond_y = (
        np.maximum(np.abs(np.arange(length) + 0.5 - length / 2) - (length / 2 - radius), 0.0)
        for length in (width, height)
    )
    distance = np.hypot(beyond_x[:, None], beyond_y[None, :]) - radius
    return _coloured(np.clip(0.5 - distance, 0.0, 1.0) * opacity, colour)


def _sign(name: Sign, size: int, colour: Colour) -> pygame.Surface:
    """An icon in a square of `size` pixels."""
    n = size * _FINE
    mask = np.zeros((n, n), np.uint8)

    def fill(*points: tuple[float, float]) -> None:
        cv2.fillPoly(mask, [np.rint(np.array(points) * n).astype(np.int32)], 255)

    if name == "dot":
        cv2.circle(mask, (n // 2, n // 2), round(0.42 * n), 255, cv2.FILLED)
    elif name == "pause":
        fill((0.18, 0.1), (0.42, 0.1), (0.42, 0.9), (0.18, 0.9))
        fill((0.58, 0.1), (0.82, 0.1), (0.82, 0.9), (0.58, 0.9))
    elif name == "mute":
        fill((0.0, 0.34), (0.2, 0.34), (0.46, 0.1), (0.46, 0.9), (0.2, 0.66), (0.0, 0.66))
        for start, end in (((0.6, 0.34), (0.94, 0.68)), ((0.94, 0.34), (0.6, 0.68))):
            (x1, y1), (x2, y2) = ((round(x * n), round(y * n)) for x, y in (start, end))
            cv2.line(mask, (x1, y1), (x2, y2), 255, max(1, n // 10))
    else:
        fill((0.15, 0.1), (0.9, 0.5), (0.15, 0.9))
    small = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
    return _coloured(small.T.astype(np.float64) / 255, colour)


def _coloured(opacity: NDArray[np.float64], colour: Colour) -> pygame.Surface:
    """One colour, with a (W, H) opacity of 0 to 1 for each pixel."""
    surface = pygame.Surface(opacity.shape, pygame.SRCALPHA)
    surface.fill(colour)
    pygame.surfarray.pixels_alpha(surface)[:] = np.rint(255 * opacity).astype(np.uint8)
    return surface
