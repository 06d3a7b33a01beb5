"""Scenes as pictures: boxes, hands, and a plate with the label in words, so that nothing depends on colour alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.labels import GESTURES
from mien.outputs.lettering.fonts import drawn_label, drawn_words
from mien.outputs.lettering.glyphs import text_width, write_text
from mien.outputs.palette import DARK, LIGHT, Colour, ink_on, label_colour
from mien.outputs.plates import Rect, place_plate
from mien.outputs.text import either
from mien.pixels.images import encode_image, write_image
from mien.scene import Box, Face, Grade, Hand, Scene
from mien.words import Words, words

_CAPITALS = 22.0  # height of capitals at scale 1, pixels
_SMALLEST_TEXT = 4.5  # pixels
_SHIFT = 3  # fractional bits
_FINGERS = ((0, 1, 2, 3, 4), (0, 5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (0, 17, 18, 19, 20), (5, 9, 13, 17))

_SHRINK = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A drawn picture.

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
    """

    image_rgb: NDArray[np.uint8]

    def save(self, path: str | Path) -> None:
        """Write it as .jpg, .jpeg, .png or .webp; raises OutputError if that fails."""
        write_image(path, self.image_rgb)

    def _repr_png_(self) -> bytes:
        """The picture as a notebook shows it."""
        return encode_image(self.image_rgb, ".png")


@drawn_words()
def draw_scene(scene: Scene, *, text_scale: float = 1.0) -> Picture:
    """A copy of the scene's frame with its faces and hands marked.

    Uncertain predictions have dashed lines: "perhaps sad 62%". Unclear ones have thinner, grey lines and the two
    likeliest labels with a question mark: "sad or afraid?".

    Args:
        scene: what was seen, with its picture.
        text_scale: of the size of labels; they stay within the picture, and off faces where there is room. Labels
            larger than usual shrink towards the usual size where they would cover other faces or each other.

    Raises:
        ValueError: the scene has no picture, because it was read back from a record.
    """
    if scene.image_rgb is None:
        raise ValueError("this scene has no picture to draw on; scenes read back from records have none")
    pen = _Pen(np.array(scene.image_rgb, np.uint8, order="C"), text_scale=text_scale)
    regions: tuple[Face | Hand, ...] = (*scene.faces, *scene.hands)
    pen.mark(regions)
    pen.label([region for region in regions if region.prediction is not None])
    return Picture(pen.image_rgb)


def mark_regions(image_rgb: NDArray[np.uint8], regions: Sequence[Face | Hand], *, landmarks: bool = True) -> None:
    """Draw boxes and hands without text on a picture, for outputs that do their own lettering.

    Args:
        image_rgb: (H, W, 3) uint8 RGB, contiguous; drawn on.
        regions: in pixels of that picture.
        landmarks: whether hands get their 21 points and bones.
    """
    _Pen(image_rgb).mark(regions, landmarks=landmarks)


def label_text(region: Face | Hand, said: Words | None = None) -> str:
    """The text on a plate: "happy 91%", "perhaps sad 62%", "sad or afraid?"; empty before classification.

    Args:
        region: a face or a hand.
        said: the words; those of the language spoken now by default.
    """
    if region.prediction is None:
        return ""
    said = said or words()
    task = "emotion" if isinstance(region, Face) else "gesture"
    if region.grade == "unclear":
        return said.say("drawn.unclear", either=either(region.prediction, task, said))
    label = str(region.label)
    name = said.label(task, label, "label")
    shown = name.replace("_", " ") if label in GESTURES else name  # a label of one's own stays as it is written
    shown = drawn_label(shown, list(region.prediction.probabilities).index(label))
    return said.say(f"drawn.{region.grade}", label=shown, percent=f"{100 * region.prediction.confidence:.0f}")


def region_colour(region: Face | Hand) -> Colour:
    """The colour of its label; a light grey if the label is unclear."""
    return label_colour(None if region.grade == "unclear" else region.label)


@dataclass(frozen=True, slots=True)
class _Lettering:
    """How a text is written; lengths in pixels."""

    scale: float
    stroke: int
    pad: int
    plate_wh: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Plate:
    """A label and its place; whether it covers another label or another's face."""

    text: str
    colour: Colour
    lettering: _Lettering
    rect: Rect
    covers: bool


class _Pen:
    """Draws on one picture, in sizes that suit it; plates avoid each other and faces where there is room.

    Args:
        image_rgb: (H, W, 3) uint8 RGB; drawn on.
        text_scale: of the size of labels.
    """

    def __init__(self, image_rgb: NDArray[np.uint8], *, text_scale: float = 1.0) -> None:
        self.image_rgb = image_rgb
        self.height, self.width = image_rgb.shape[:2]
        extent = min(self.height, self.width)
        self.line = max(1, round(extent * 0.004))
        self.thin = max(1, round(extent * 0.0025))
        self.text_scale = text_scale
        self._faces: list[Rect] = []

    def mark(self, regions: Sequence[Face | Hand], *, landmarks: bool = True) -> None:
        """Boxes first, hands on top."""
        insides = [self._inside(region.box_xyxy) for region in regions if isinstance(region, Face)]
        self._faces += [inside for inside in insides if inside is not None]
        for region in regions:
            self.frame(region.box_xyxy, region_colour(region), grade=region.grade)
        for region in regions:
            if landmarks and isinstance(region, Hand):
                self.hand(region.landmarks_xyz, region_colour(region), sure=not region.uncertain)

    def frame(self, box_xyxy: Box, colour: Colour, *, grade: Grade) -> None:
        """A box with rounded corners, clipped to the picture; dashed if uncertain, and thinner if unclear."""
        rect = self._inside(box_xyxy)
        if rect is None:
            return
        x1, y1, x2, y2 = rect
        radius = min(x2 - x1, y2 - y1, 24 * self.line) // 4
        outline = _round_rect(rect, radius)
        thickness = self.thin if grade == "unclear" else self.line
        pieces = [outline] if grade == "sure" else _dashes(outline, 4.0 * self.line + 3, 3.0 * self.line + 2)
        self._lines(pieces, colour, thickness)

    def hand(self, landmarks_xyz: Sequence[tuple[float, float, float]], colour: Colour, *, sure: bool) -> None:
        """The 21 points and the bones between them."""
        reach = 4 * max(self.height, self.width)
        points = np.clip(np.array(landmarks_xyz, np.float64)[:, :2], -reach, reach)
        span = float(np.ptp(points, axis=0).max())
        thickness = max(1, min(self.line if sure else self.thin, round(span / 40)))
        chains = [points[list(chain)] for chain in _FINGERS]
        if not sure:
            chains = [dash for chain in chains for dash in _dashes(chain, 3.0 * thickness + 2, 2.0 * thickness + 2)]
        self._lines(chains, colour, thickness)
        radius = max(1, round(min(1.4 * self.line, span / 28)))
        for x, y in np.rint(points).astype(int).tolist():
            cv2.circle(self.image_rgb, (x, y), radius + max(1, thickness // 2), DARK, cv2.FILLED, cv2.LINE_AA)
            cv2.circle(self.image_rgb, (x, y), radius, LIGHT, cv2.FILLED, cv2.LINE_AA)

    def label(self, regions: Sequence[Face | Hand]) -> None:
        """Their labels on plates in the labels' colours; one that would be illegible is left out."""
        scale, plates = self.text_scale, self._arranged(regions, self.text_scale)
        while scale > 1 and any(plate.covers for plate in plates):
            scale = max(1.0, _SHRINK * scale)
            plates = self._arranged(regions, scale)
        for plate in plates:
            self._plate(plate)

    def _arranged(self, regions: Sequence[Face | Hand], text_scale: float) -> list[_Plate]:
        """The plates of some regions, each placed beside those before it."""
        plates: list[_Plate] = []
        for region in regions:
            text, box = label_text(region), self._inside(region.box_xyxy)
            lettering = self._lettering(text, text_scale)
            if box is not None and lettering is not None:
                others, room = [plate.rect for plate in plates], (0, 0, self.width, self.height)
                place = place_plate(lettering.plate_wh, box, room, plates=others, faces=self._faces, gap=self.line)
                plates.append(_Plate(text, region_colour(region), lettering, place.rect, place.covers))
        return plates

    def _plate(self, plate: _Plate) -> None:
        rect, lettering = plate.rect, plate.lettering
        outline = [_fixed(_round_rect(rect, lettering.pad * 2 // 3))]
        cv2.fillPoly(self.image_rgb, outline, plate.colour, cv2.LINE_AA, _SHIFT)
        cv2.polylines(self.image_rgb, outline, True, DARK, max(1, self.line // 3), cv2.LINE_AA, _SHIFT)
        origin = rect[0] + lettering.pad, rect[3] - lettering.pad
        scale, stroke = lettering.scale, lettering.stroke
        write_text(self.image_rgb, plate.text, origin, scale=scale, stroke=stroke, colour=ink_on(plate.colour))

    def _lettering(self, text: str, text_scale: float) -> _Lettering | None:
        """The largest lettering, up to the picture's default, that fits; None if it would be illegible."""
        size = max(9.0, min(self.height, self.width) * 0.026) * text_scale
        while size >= _SMALLEST_TEXT:
            scale, stroke = size / _CAPITALS, max(1, round(size / 14))
            pad = max(2, round(size * 0.5))
            plate_wh = text_width(text, scale, stroke) + 2 * pad, math.ceil(size) + 2 * pad
            if plate_wh[0] < self.width and plate_wh[1] < self.height:
                return _Lettering(scale, stroke, pad, plate_wh)
            size *= 0.9
        return None

    def _lines(self, chains: Sequence[NDArray[np.float64]], colour: Colour, thickness: int) -> None:
        """Lines with a dark rim, so that they show on any background."""
        points = [_fixed(chain) for chain in chains]
        rim = thickness + 2 * max(1, thickness // 3)
        cv2.polylines(self.image_rgb, points, False, DARK, rim, cv2.LINE_AA, _SHIFT)
        cv2.polylines(self.image_rgb, points, False, colour, thickness, cv2.LINE_AA, _SHIFT)

    def _inside(self, box_xyxy: Box) -> Rect | None:
        """The part of a box within the picture, far enough from its edge for the line; None if there is none."""
        edge = self.line // 2
        x1, y1 = (round(max(edge, min(v, 1e9))) for v in box_xyxy[:2])
        x2 = round(min(self.width - 1 - edge, max(box_xyxy[2], -1e9)))
        y2 = round(min(self.height - 1 - edge, max(box_xyxy[3], -1e9)))
        return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def _round_rect(rect: Rect, radius: int) -> NDArray[np.float64]:
    """Closed outline of a rectangle with rounded corners: (N, 2) pixels."""
    x1, y1, x2, y2 = rect
    corners = (
        (x2 - radius, y1 + radius, -90),
        (x2 - radius, y2 - radius, 0),
        (x1 + radius, y2 - radius, 90),
        (x1 + radius, y1 + radius, 180),
    )
    turn = np.deg2rad(np.arange(0, 91, 15))
    arcs = [
        np.stack([x + radius * np.cos(turn + np.deg2rad(start)), y + radius * np.sin(turn + np.deg2rad(start))], 1)
        for x, y, start in corners
    ]
    return np.concatenate([*arcs, arcs[0][:1]])


def _fixed(chain: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points in OpenCV's fixed-point format, so that curves are smooth."""
    fixed: NDArray[np.int32] = np.rint(chain * 2**_SHIFT).astype(np.int32)
    return fixed


def _dashes(chain: NDArray[np.float64], length: float, gap: float) -> list[NDArray[np.float64]]:
    """A line of (N, 2) points cut into dashes of two or more points."""
    steps = np.hypot(*np.diff(chain, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    total = float(along[-1])
    dashes = []
    for start in np.arange(0.0, total, length + gap):
        end = min(start + length, total)
        at = np.concatenate([[start], along[(along > start) & (along < end)], [end]])
        dashes.append(np.stack([np.interp(at, along, chain[:, 0]), np.interp(at, along, chain[:, 1])], 1))
    return dashes
