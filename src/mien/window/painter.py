"""What the live window shows, painted on a pygame surface: the picture, labels, notices, caption and keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.labels import EMOTIONS, GESTURES
from mien.outputs.draw import mark_regions, region_colour
from mien.outputs.lettering.fonts import drawn_words, is_drawable
from mien.outputs.palette import DARK, LIGHT, Colour, ink_on
from mien.outputs.plates import Rect, place_plate
from mien.outputs.pygame_import import pygame
from mien.pixels.boxes import area
from mien.scene import Face, Hand, Prediction, Scene
from mien.window.layout import Layout, View, arrange, label_words, lowered
from mien.window.lettering import Lettering
from mien.window.notes import SEE_THROUGH, Note, Notices
from mien.window.panel import FAINT, Panel, Section, panel_size_hw
from mien.window.status import KEYS, Status, no_face_words
from mien.words import say

_PAPER: Colour = (246, 246, 242)
_SHEET: Colour = (38, 42, 49)
_DONE: Colour = (0, 158, 115)
_CAPTION_SIZES = (27, 23, 19)  # the first one that fits the sentence
_CAPTION_LINES = 2
_NO_FRAME_HW = (480, 640)
_LARGE_PANEL = 1.5  # of the panel's lettering, where there is room
LARGE_CAPTION = 2.5
"""How much larger captions are in large text. In full screen on a 24-inch screen of 1920 x 1080 pixels capitals are
about 16 mm high, 1/190 of three metres; signs are legible from 200 times the height of their letters."""

_LARGE_TEXT = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What is switched on in the window.

    Args:
        mirror: left and right swapped; text never is.
        landmarks: the bones of hands.
        keys: the list of keys.
        no_face: the notice that no face was found.
        brief: notices are icons without text, because they have been read.
    """

    mirror: bool
    landmarks: bool
    keys: bool
    no_face: bool
    brief: bool = False


class Painter:
    """Paints scenes; keeps lettering and buffers from one scene to the next.

    Args:
        large_text: lettering that is read from across a room.
    """

    def __init__(self, *, large_text: bool = False) -> None:
        self._large = large_text
        self._lettering = Lettering()
        self._notices = Notices(self._lettering, text_scale=_LARGE_TEXT if large_text else 1.0)
        self._labels: dict[str, tuple[str, ...]] = {"emotion": EMOTIONS.labels, "gesture": GESTURES.labels}
        self._picture_rgb = np.zeros((1, 1, 3), np.uint8)
        self._taken: list[Rect] = []
        self._chosen: dict[tuple[type, int], int] = {}
        self._layout = Layout(1.0, (0, 0, 1, 1))
        self._surface = pygame.Surface((1, 1))

    @drawn_words()
    def paint(self, surface: pygame.Surface, scene: Scene | None, status: Status, choices: Choices) -> None:
        """The whole window; the surface may have another size each time."""
        sections = [self._section(task, scene) for task in status.tasks]
        self._surface = surface
        surface.fill(DARK)
        regions, notes = self._arranged(scene, sections, status, choices)
        layout = self._layout
        if scene is not None:
            self._view(scene, regions, choices)
        if layout.panel is not None:
            self._panel(layout, layout.panel, sections, status)
        for note, rect in notes:
            self._notices.paint(surface, layout, note, rect)
        caption_top = self._caption(status.caption)
        if status.progress is not None:
            caption_top = self._progress(status.progress, caption_top)
        if scene is None:
            middle = (layout.picture[1] + layout.picture[3]) // 2 + layout.px(30)
            self._middle(status.message or say("window.waiting"), "", middle)
        elif choices.no_face:
            advice = say("window.no_face_advice") if status.no_face == no_face_words() else ""
            self._middle(status.no_face, advice, caption_top - layout.px(24))
        self._labels_of(regions)
        if choices.keys:
            self._keys(choices)

    def _arranged(
        self, scene: Scene | None, sections: Sequence[Section], status: Status, choices: Choices
    ) -> tuple[tuple[Face | Hand, ...], list[tuple[Note, Rect]]]:
        """Lay everything out so that no notice covers a face; the picture moves if there is no space.

        Returns:
            Faces and hands in pixels of the picture, and the notices with their places.
        """
        window_hw = self._surface.get_height(), self._surface.get_width()
        frame_hw = scene.size_hw if scene else _NO_FRAME_HW
        height, width = panel_size_hw(sections)
        panel_hw = height * self._panel_scale, width * self._panel_scale
        self._layout = layout = arrange(window_hw, frame_hw, panel_hw)
        notes = self._notices.make(layout, status, brief=choices.brief, with_message=scene is not None)
        regions = self._regions(scene, choices)
        places = self._notices.place(notes, layout, layout.picture, self._faces(regions))
        if places is None:
            height, places = self._notices.band(notes, layout, window_hw[1])
            height = min(height, window_hw[0] // 2)
            small = lowered(arrange((window_hw[0] - height, window_hw[1]), frame_hw, panel_hw), height)
            self._layout = replace(small, scale=layout.scale)
            regions = self._regions(scene, choices)
        self._taken = list(places)
        return regions, list(zip(notes, places, strict=True))

    def _faces(self, regions: Sequence[Face | Hand]) -> list[Rect]:
        """Where the faces are in the window."""
        return [self._at(region) for region in regions if isinstance(region, Face)]

    def _at(self, region: Face | Hand) -> Rect:
        """Where a face or hand in pixels of the picture is in the window."""
        (x, y), box = self._layout.picture[:2], region.box_xyxy
        return int(box[0]) + x, int(box[1]) + y, math.ceil(box[2]) + x, math.ceil(box[3]) + y

    def _section(self, task: str, scene: Scene | None) -> Section:
        seen: Sequence[Face | Hand] = () if scene is None else scene.faces if task == "emotion" else scene.hands
        prediction = main_reading(seen)
        if prediction is not None:
            self._labels[task] = tuple(prediction.probabilities)
        return Section(task, self._labels.get(task, ()), prediction, several=len(seen) > 1)

    def _regions(self, scene: Scene | None, choices: Choices) -> tuple[Face | Hand, ...]:
        """Faces and hands in pixels of the picture shown."""
        if scene is None:
            return ()
        x1, y1, x2, y2 = self._layout.picture
        view = View(scene.size_hw, (y2 - y1, x2 - x1), choices.mirror)
        seen: tuple[Face | Hand, ...] = (*scene.faces, *scene.hands)
        return tuple(view.region(region) for region in seen)

    def _view(self, scene: Scene, regions: Sequence[Face | Hand], choices: Choices) -> None:
        """The frame with boxes and hands."""
        x1, y1, x2, y2 = self._layout.picture
        size_wh = x2 - x1, y2 - y1
        picture_rgb = self._scaled(scene.image_rgb, size_wh, mirror=choices.mirror)
        mark_regions(picture_rgb, regions, landmarks=choices.landmarks)
        self._surface.blit(pygame.image.frombuffer(picture_rgb.data, size_wh, "RGB"), (x1, y1))

    def _scaled(
        self, image_rgb: NDArray[np.uint8] | None, size_wh: tuple[int, int], *, mirror: bool
    ) -> NDArray[np.uint8]:
        """A copy of the frame in the size shown; the buffer is kept, because new memory costs a millisecond."""
        if self._picture_rgb.shape[1::-1] != size_wh:
            self._picture_rgb = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
        if image_rgb is None:
            self._picture_rgb[:] = DARK
            return self._picture_rgb
        much_smaller = size_wh[0] < image_rgb.shape[1] / 2
        small_first = size_wh[0] > image_rgb.shape[1]
        image = cv2.flip(image_rgb, 1) if mirror and small_first else image_rgb
        way = cv2.INTER_AREA if much_smaller else cv2.INTER_LINEAR
        cv2.resize(image, size_wh, dst=self._picture_rgb, interpolation=way)
        if mirror and not small_first:
            cv2.flip(self._picture_rgb, 1, dst=self._picture_rgb)
        return self._picture_rgb

    def _panel(self, layout: Layout, rect: Rect, sections: Sequence[Section], status: Status) -> None:
        panel = Panel(self._lettering, self._surface, rect, layout.panel_scale * self._panel_scale)
        panel.figures(status.fps, status.latency_ms)
        for section in sections:
            panel.section(section)
        panel.footer(status.stage_ms)

    def _caption(self, words: str) -> int:
        """The last sentence, below the picture or over its lower edge; returns the y of its upper edge."""
        layout = self._layout
        left, _, right, bottom = layout.picture
        if not words:
            return bottom - layout.px(16)
        words = words if is_drawable(words) else say("font.caption")
        width = right - left - layout.px(72)
        times = LARGE_CAPTION if self._large else 1.0
        for size in (layout.px(times * each) for each in _CAPTION_SIZES):
            lines = self._lettering.wrapped(words, size, width, 3)
            if len(lines) <= _CAPTION_LINES:
                break
        else:
            lines = self._lettering.wrapped(words, size, width, _CAPTION_LINES)
        height = len(lines) * self._lettering.pitch(lines, size) + layout.px(20)
        if layout.strip is not None and height <= layout.strip[3] - layout.strip[1]:
            y = (layout.strip[1] + layout.strip[3] - height) // 2
            self._lines(lines, size, LIGHT, (left + right) // 2, y)
            return bottom - layout.px(16)
        y = bottom - layout.px(18) - height
        self._lines(lines, size, LIGHT, (left + right) // 2, y, plate=DARK)
        return y

    def _progress(self, share: float, y: int) -> int:
        """A bar across the picture that ends a little above y; returns the y of its upper edge."""
        px, (left, _, right, _) = self._layout.px, self._layout.picture
        bar = pygame.Rect(left + px(36), y - px(22), right - left - 2 * px(36), px(14))
        self._surface.fill(DARK, bar)
        inside = bar.inflate(-2 * px(2), -2 * px(2))
        self._surface.fill(FAINT, inside)
        self._surface.fill(_DONE, (inside.left, inside.top, round(inside.width * share), inside.height))
        return bar.top

    def _middle(self, words: str, more: str, y: int) -> None:
        """A message in the middle of the picture, and in smaller text what to do about it, down to y."""
        px, (left, _, right, _) = self._layout.px, self._layout.picture
        width, pad = right - left - px(72), px(14)
        texts = [
            self._lettering.text(line, size, ink)
            for part, size, ink in ((words, self._text_px(26), LIGHT), (more, self._text_px(17), FAINT))
            for line in self._lettering.wrapped(part, size, width, 2)
        ]
        half = max(text.get_width() for text in texts) // 2 + 2 * pad
        centre, top = (left + right) // 2, y - sum(text.get_height() for text in texts) - 2 * pad
        self._plate((centre - half, top, centre + half, y), DARK, SEE_THROUGH)
        top += pad
        for text in texts:
            self._surface.blit(text, (centre - text.get_width() // 2, top))
            top += text.get_height()

    def _lines(
        self, lines: Sequence[str], size: int, ink: Colour, centre: int, top: int, *, plate: Colour | None = None
    ) -> None:
        """Lines around a centre, on a plate if they overlap the picture."""
        texts = [self._lettering.text(line, size, ink) for line in lines]
        pad, pitch = self._layout.px(10), self._lettering.pitch(lines, size)
        if plate is not None:
            half = max(text.get_width() for text in texts) // 2 + 2 * pad
            rect = centre - half, top, centre + half, top + len(texts) * pitch + 2 * pad
            self._plate(rect, plate, SEE_THROUGH)
        for i, text in enumerate(texts):
            self._surface.blit(text, (centre - text.get_width() // 2, top + pad + i * pitch))

    def _labels_of(self, regions: Sequence[Face | Hand]) -> None:
        """The texts at faces and hands, each on the side of its box where it was, while that is free."""
        faces, before = self._faces(regions), self._chosen
        self._chosen = {}
        for region in regions:
            key = None if region.track is None else (type(region), region.track)
            choice = self._label(region, faces, None if key is None else before.get(key))
            if key is not None and choice is not None:
                self._chosen[key] = choice

    def _label(self, region: Face | Hand, faces: Sequence[Rect], before: int | None) -> int | None:
        """The text at a face or hand, on a plate in the label's colour; left out if its box is not in view.

        Returns:
            Which place it has, for the next picture.
        """
        x1, y1, x2, y2 = self._layout.picture
        left, top, right, bottom = box = self._at(region)
        words = label_words(region)
        if not words or right <= x1 or left >= x2 or bottom <= y1 or top >= y2:
            return None
        px, colour = self._layout.px, region_colour(region)
        text = self._lettering.text(words, self._text_px(20), ink_on(colour))
        plate_wh = text.get_width() + px(22), text.get_height() + px(10)
        room, taken = self._layout.picture, self._taken
        place = place_plate(plate_wh, box, room, plates=taken, faces=faces, gap=4, slides=True, before=before)
        self._plate(place.rect, colour, 1.0)
        self._surface.blit(text, (place.rect[0] + px(11), place.rect[1] + px(5)))
        return place.choice

    def _text_px(self, size: float) -> int:
        return self._layout.px(_LARGE_TEXT * size if self._large else size)

    @property
    def _panel_scale(self) -> float:
        return _LARGE_PANEL if self._large else 1.0

    def _plate(self, rect: Rect, colour: Colour, opacity: float) -> None:
        """Paint a plate and keep its place free of labels."""
        x1, y1, x2, y2 = rect
        self._surface.blit(self._lettering.plate(x2 - x1, y2 - y1, colour, opacity, self._layout.px(9)), (x1, y1))
        self._taken.append(rect)

    def _keys(self, choices: Choices) -> None:
        """The list of keys, over everything."""
        width, height = self._surface.get_size()
        scale = min(self._layout.scale, height / (37 * len(KEYS) + 110), width / 520)
        on = {"mirror": choices.mirror, "landmarks": choices.landmarks}

        def px(length: float) -> int:
            return max(1, round(length * scale))

        rect_wh = px(480), px(37 * len(KEYS) + 90)
        left, top = (width - rect_wh[0]) // 2, (height - rect_wh[1]) // 2
        self._surface.blit(self._lettering.plate(width, height, DARK, 0.55, 0), (0, 0))
        self._surface.blit(self._lettering.plate(*rect_wh, _SHEET, 1.0, px(14)), (left, top))
        self._surface.blit(self._lettering.text(say("window.keys"), px(24), LIGHT), (left + px(28), top + px(22)))
        for i, (keys, meaning) in enumerate(KEYS):
            y, x = top + px(68 + 37 * i), left + px(28)
            for key in keys:
                cap = self._lettering.text(key, px(17), DARK)
                cap_wh = max(px(32), cap.get_width() + px(16)), px(30)
                self._surface.blit(self._lettering.plate(*cap_wh, _PAPER, 1.0, px(6)), (x, y))
                at = x + (cap_wh[0] - cap.get_width()) // 2, y + (cap_wh[1] - cap.get_height()) // 2
                self._surface.blit(cap, at)
                x += cap_wh[0] + px(8)
            state = f"  {say('window.on' if on[meaning] else 'window.off')}" if meaning in on else ""
            text = self._lettering.text(say(f"window.key.{meaning}"), px(18), LIGHT)
            at = left + px(158), y + (px(30) - text.get_height()) // 2
            self._surface.blit(text, at)
            self._surface.blit(self._lettering.text(state, px(18), FAINT), (at[0] + text.get_width(), at[1]))


def main_reading(seen: Sequence[Face | Hand]) -> Prediction | None:
    """The prediction for the largest one; None if there is none."""
    read = [region for region in seen if region.prediction is not None]
    return max(read, key=lambda region: area(region.box_xyxy)).prediction if read else None
