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
from mien.words import say, words

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
_TITLED = ("emotion", "gesture")


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
        if self.task not in _TITLED:
            return self.task
        title = say(f"window.title.{self.task}")
        if self.prediction is not None and self.prediction.uncertain:
            title = say(f"window.title_{self.prediction.grade}", title=title)
        return say(f"window.largest.{self.task}", title=title) if self.several else title


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
        for value, unit in ((fps, say("window.fps")), (latency_ms, say("window.delay"))):
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
        stages = {name: ms for name, ms in stage_ms.items() if math.isfinite(ms)}
        parts = [say("window.stage", name=_stage(name), ms=ms) for name, ms in stages.items()]
        times = say("window.stages", times=words().join("clauses", parts)) if parts else ""
        lines = self._lettering.wrapped(times, size, self._right - self._left, 2)
        for i, line in enumerate(lines):
            self._surface.blit(self._lettering.text(line, size, FAINT), (self._left, self._y + i * self._px(17)))
        self._y += self._px(_STAGES)
        self._surface.blit(self._lettering.text(say("window.foot"), self._px(15), LIGHT), (self._left, self._y))

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
        percent = self._lettering.text(say("percent", share=100 * share), size, ink)
        at = self._right - percent.get_width(), middle - percent.get_height() // 2  # fonts differ in height
        self._surface.blit(percent, at)

    def _px(self, length: float) -> int:
        return max(1, round(length * self._scale))


def _stage(name: str) -> str:
    return words().label("stage", name)
