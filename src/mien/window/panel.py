"""The panel of the live window: frames per second, delay, a bar per class, time per stage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mien.labels import NOTHING
from mien.outputs.palette import LIGHT, Colour, label_colour
from mien.outputs.pygame_import import pygame
from mien.scene import Prediction
from mien.window.lettering import Lettering
from mien.words import words

FAINT: Colour = (182, 186, 194)
_TRACK: Colour = (50, 54, 62)

_WIDTH = 292.0  # all sizes are for a window of 960 x 720
_PAD = 20.0
_HEAD = 62.0
_TITLE = 33.0
_ROW = 24.0
_AFTER = 13.0
_STAGES = 42.0
_FOOT = 34.0
_TITLES = {"emotion": ("Expression", "largest face"), "gesture": ("Gesture", "largest hand")}


@dataclass(frozen=True, slots=True)
class Section:
    """The bars of one task.

    Args:
        task: `emotion` or `gesture`.
        labels: all of the task's labels, in the model's order.
        prediction: for the largest face or hand; None if there is none.
        several: whether there are others.
    """

    task: str
    labels: Sequence[str]
    prediction: Prediction | None = None
    several: bool = False

    @property
    def title(self) -> str:
        """What the bars are about."""
        title, one = _TITLES.get(self.task, (self.task, ""))
        if self.prediction is not None and self.prediction.uncertain:
            title += f": {self.prediction.grade}"
        return f"{title}, {one}" if self.several and one else title


def panel_size_hw(sections: Sequence[Section]) -> tuple[float, float]:
    """Height and width that the panel needs in a window of 960 x 720."""
    rows = sum(_TITLE + _ROW * len(section.labels) + _AFTER for section in sections)
    return _PAD + _HEAD + rows + _STAGES + _FOOT, _WIDTH


class Panel:
    """Paints the panel.

    Args:
        lettering: makes the text.
        surface: painted on.
        rect: the panel's left, top, right and bottom.
        scale: of sizes given for 960 x 720.
    """

    def __init__(
        self, lettering: Lettering, surface: pygame.Surface, rect: tuple[int, int, int, int], scale: float
    ) -> None:
        self._lettering = lettering
        self._surface = surface
        self._scale = scale
        self._left, self._right = rect[0] + self._px(_PAD), rect[2] - self._px(_PAD)
        self._y = rect[1] + self._px(_PAD)

    def figures(self, fps: float, latency_ms: float) -> None:
        """Frames per second and delay, in large text."""
        x = self._left
        for value, unit in ((fps, "frames/s"), (latency_ms, "ms delay")):
            number = f"{value:.0f}" if math.isfinite(value) and value > 0 else "-"
            large = self._lettering.text(number, self._px(30), LIGHT)
            small = self._lettering.text(unit, self._px(15), FAINT)
            self._surface.blit(large, (x, self._y))
            below = self._y + large.get_height() - small.get_height() - self._px(4)
            self._surface.blit(small, (x + large.get_width() + self._px(5), below))
            x = (self._left + self._right) // 2
        self._y += self._px(_HEAD)

    def section(self, section: Section) -> None:
        """A title and a bar per label; the answer's bar has a mark and is brighter."""
        self._surface.blit(
            self._lettering.fitted(section.title, self._px(18), self._right - self._left, LIGHT), (self._left, self._y)
        )
        self._y += self._px(_TITLE)
        for label in section.labels:
            self._row(label, section)
            self._y += self._px(_ROW)
        self._y += self._px(_AFTER)

    def footer(self, stage_ms: Mapping[str, float]) -> None:
        """The time per stage, and which key shows more."""
        size = self._px(13)
        times = ", ".join(f"{stage} {ms:.0f}" for stage, ms in stage_ms.items() if math.isfinite(ms))
        lines = self._lettering.wrapped(f"{times} ms" if times else "", size, self._right - self._left, 2)
        for i, line in enumerate(lines):
            self._surface.blit(self._lettering.text(line, size, FAINT), (self._left, self._y + i * self._px(17)))
        self._y += self._px(_STAGES)
        self._surface.blit(
            self._lettering.text("h  all keys       q  quit", self._px(15), LIGHT), (self._left, self._y)
        )

    def _row(self, label: str, section: Section) -> None:
        prediction = section.prediction
        chosen = prediction is not None and prediction.label == label and not prediction.uncertain
        ink, size, thick = (LIGHT if chosen else FAINT), self._px(15), self._px(13)
        word = words().label(section.task, label, "label" if label == NOTHING else "word")  # its word is too long here
        start, end = self._left + self._px(134), self._right - self._px(52)
        name = self._lettering.fitted(word, size, start - self._left - self._px(22), ink)
        middle = self._y + name.get_height() // 2
        self._surface.blit(name, (self._left + self._px(18), self._y))
        if chosen:
            sign = self._lettering.sign("chosen", self._px(12), LIGHT)
            self._surface.blit(sign, (self._left, middle - sign.get_height() // 2))
        track = pygame.Rect(start, middle - thick // 2, end - start, thick)
        self._surface.fill(_TRACK, track)
        if prediction is None:
            return
        share = prediction.probabilities.get(label, 0.0)
        length, edge = round(track.width * share), self._px(2)
        self._surface.fill(label_colour(label), (track.left, track.top, length, thick))
        if length > edge:  # so that the end of dark bars shows on the dark track
            self._surface.fill(LIGHT, (track.left + length - edge, track.top, edge, thick))
        percent = self._lettering.text(f"{100 * share:.0f} %", size, ink)
        self._surface.blit(percent, (self._right - percent.get_width(), self._y))

    def _px(self, length: float) -> int:
        return max(1, round(length * self._scale))
