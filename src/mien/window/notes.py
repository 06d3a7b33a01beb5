"""Notices over the picture in the live window: what they say, and where they cover no face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mien.outputs.palette import DARK, LIGHT, Colour
from mien.outputs.plates import Rect
from mien.outputs.pygame_import import pygame
from mien.window.layout import Layout, free_place, overlap
from mien.window.lettering import Lettering, Sign
from mien.window.status import Status
from mien.words import say

SEE_THROUGH = 0.8  # white words on a dark plate of this opacity have a contrast of 9 on a white wall

_BLUE: Colour = (86, 180, 233)
_RED: Colour = (255, 88, 80)
_PAPER: Colour = (246, 246, 242)


@dataclass(frozen=True, slots=True)
class Note:
    """An icon or text, or both, ready to be painted on a plate.

    Args:
        mark: the icon, on the left; None for centred text.
        lines: lines of text.
        size_wh: width and height of the plate.
        colour: of the plate.
        opacity: of the plate, 0 to 1.
    """

    mark: pygame.Surface | None
    lines: tuple[pygame.Surface, ...]
    size_wh: tuple[int, int]
    colour: Colour
    opacity: float


class Notices:
    """Makes, places and paints notices; remembers where they were, so that they do not jump around.

    Args:
        lettering: makes the text.
        text_scale: of its size.
    """

    def __init__(self, lettering: Lettering, *, text_scale: float = 1.0) -> None:
        self._lettering = lettering
        self._text_scale = text_scale
        self._places: list[Rect] = []

    def make(self, layout: Layout, status: Status, *, brief: bool, with_message: bool) -> list[Note]:
        """Camera or recording, paused, muted, and news such as a lost camera.

        Args:
            layout: of the window.
            status: what there is to say.
            brief: leave out text that has been read; its icon stays.
            with_message: whether news is shown here.
        """
        name = status.recording_to
        notes: list[tuple[Sign, Colour, str]] = [("dot", _BLUE, "" if brief else status.notice)]
        if status.recording:
            notes = [("dot", _RED, say("window.recording_to", name=name) if name else say("window.recording"))]
        if status.paused:
            notes.append(("pause", LIGHT, say("window.paused")))
        if status.muted:
            notes.append(("mute", LIGHT, "" if brief else say("window.muted")))
        made = [self._note(layout, *note) for note in notes]
        return [*made, self._news(layout, status.message)] if status.message and with_message else made

    def place(self, notes: Sequence[Note], layout: Layout, room: Rect, faces: Sequence[Rect]) -> list[Rect] | None:
        """A place for each notice that covers no face; None if there is not enough space for all.

        Args:
            notes: first one at the top.
            layout: of the window.
            room: where they may be.
            faces: of the window, in its pixels.
        """
        edge, gap = layout.px(12), layout.px(6)
        room = room[0] + edge, room[1] + edge, room[2] - edge, room[3] - edge
        found: list[Rect] = []
        for note, before in zip(notes, self._places, strict=False):
            size_wh = before[2] - before[0], before[3] - before[1]
            is_inside = before[2] <= room[2] and before[3] <= room[3]
            if size_wh != note.size_wh or not is_inside or any(overlap(before, face) for face in faces):
                break
            found.append(before)
        if len(found) < len(notes) or len(notes) != len(self._places):
            found = self._below_each_other(notes, room, gap)
            if any(overlap(rect, face) for rect in found for face in faces):
                found = self._beside(notes, room, faces, gap)
        self._places = found
        return found if len(found) == len(notes) else None

    def _beside(self, notes: Sequence[Note], room: Rect, faces: Sequence[Rect], gap: int) -> list[Rect]:
        """Places next to the faces, icons together and news separately; some are missing if space is short."""
        signs = [note for note in notes if note.mark is not None]
        width = max((note.size_wh[0] for note in signs), default=0)
        height = sum(note.size_wh[1] + gap for note in signs)
        block = free_place((width, height), room, faces)
        if block is None:
            return []
        found = self._below_each_other(signs, block, gap)
        for note in notes[len(signs) :]:
            kept = (block[0], block[1] - gap, block[2], block[3])
            rect = free_place(note.size_wh, room, [*faces, kept], centred=True)
            found += [] if rect is None else [rect]
        return found

    def band(self, notes: Sequence[Note], layout: Layout, width: int) -> tuple[int, list[Rect]]:
        """Places above the picture, from the top of the window, and their total height."""
        edge, gap = layout.px(12), layout.px(6)
        places = self._below_each_other(notes, (edge, gap, width - edge, 0), gap)
        return (places[-1][3] + gap if places else 0), places

    def paint(self, surface: pygame.Surface, layout: Layout, note: Note, rect: Rect) -> None:
        """One notice at its place."""
        px, (x1, y1, x2, y2) = layout.px, rect
        surface.blit(self._lettering.plate(x2 - x1, y2 - y1, note.colour, note.opacity, px(9)), (x1, y1))
        if note.mark is not None:
            surface.blit(note.mark, (x1 + px(10), y1 + (y2 - y1 - note.mark.get_height()) // 2))
            for text in note.lines:
                surface.blit(text, (x1 + note.mark.get_width() + px(18), y1 + px(6)))
            return
        pitch = (y2 - y1 - 2 * px(10)) // max(len(note.lines), 1)
        for i, text in enumerate(note.lines):
            surface.blit(text, ((x1 + x2 - text.get_width()) // 2, y1 + px(10) + i * pitch))

    @staticmethod
    def _below_each_other(notes: Sequence[Note], room: Rect, gap: int) -> list[Rect]:
        places, y = [], room[1]
        for note in notes:
            width, height = note.size_wh
            x = room[0] if note.mark is not None else (room[0] + room[2] - width) // 2
            places.append((x, y, x + width, y + height))
            y += height + gap
        return places

    def _note(self, layout: Layout, sign: Sign, colour: Colour, words: str) -> Note:
        """An icon and text on a dark plate."""
        px, size = layout.px, layout.px(16 * self._text_scale)
        mark = self._lettering.sign(sign, px(15 * self._text_scale), colour)
        text = self._lettering.fitted(words, size, layout.picture[2] - layout.picture[0] - px(66), LIGHT)
        width = mark.get_width() + (text.get_width() + px(28) if words else px(20))
        return Note(mark, (text,) if words else (), (width, text.get_height() + px(12)), DARK, SEE_THROUGH)

    def _news(self, layout: Layout, words: str) -> Note:
        """Dark text on a light plate."""
        px, size = layout.px, layout.px(19 * self._text_scale)
        lines = self._lettering.wrapped(words, size, layout.picture[2] - layout.picture[0] - px(72), 3)
        texts = tuple(self._lettering.text(line, size, DARK) for line in lines)
        width = max((text.get_width() for text in texts), default=0) + 4 * px(10)
        height = len(texts) * self._lettering.pitch(lines, size) + 2 * px(10)
        return Note(None, texts, (width, height), _PAPER, 1.0)
