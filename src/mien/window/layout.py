"""Where things are in the live window: pure geometry, in pixels, with the origin at the top left.

Rectangles are (left, top, right, bottom). Lettering sizes are given for a window of 960 x 720 pixels and scale with
the window, so that a high-density screen shows them sharper, not smaller.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mien.labels import NOTHING
from mien.outputs.plates import Rect
from mien.outputs.text import either
from mien.scene import Box, Face, Hand
from mien.words import words

_SMALLEST = 0.6  # of the sizes for 960 x 720; smaller lettering is illegible
_SMALLEST_PANEL = 0.5
_LARGEST_PANEL = 1.5  # of the window's own scale, where there is room under the picture
_KEPT = 0.65  # fraction of its width that a picture always keeps next to a panel
_NEVER_FIRST = ("Pe", "Pf", "Po")  # Unicode's categories of marks in a line: closing ones, commas and the like
_NEVER_LAST = ("Ps", "Pi")  # opening ones
_STRIP = 80.0  # height that a caption of two lines needs


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a window.

    Args:
        scale: of lettering and lines over the picture.
        picture: where the frame goes, in its own aspect ratio.
        panel: where the bars and figures go; None if they would be illegible.
        panel_scale: of the lettering in the panel.
        strip: free space under the picture for the caption; None if it has to overlap the picture.
    """

    scale: float
    picture: Rect
    panel: Rect | None = None
    panel_scale: float = 1.0
    strip: Rect | None = None

    def px(self, length: float) -> int:
        """A length given for 960 x 720 in pixels of this window, at least 1."""
        return max(1, round(length * self.scale))


def arrange(window_hw: tuple[int, int], frame_hw: tuple[int, int], panel_hw: tuple[float, float]) -> Layout:
    """The picture as large as possible, with the panel next to it or below; in a small window, only the picture.

    Args:
        window_hw: height and width of the window in pixels.
        frame_hw: height and width of the frame; only their ratio counts.
        panel_hw: height and width that the panel needs in a window of 960 x 720.
    """
    height, width = window_hw
    scale = max(_SMALLEST, min(width / 960, height / 720))
    whole_hw = _fitted(frame_hw, window_hw)
    beside = _beside(window_hw, frame_hw, panel_hw, scale)
    below = _below(window_hw, frame_hw, panel_hw, scale)
    best = max(beside, below, key=lambda layout: (layout.panel is not None, _width(layout.picture)))
    if best.panel is None or _width(best.picture) < _KEPT * whole_hw[1]:
        return _stacked(window_hw, whole_hw, scale)
    return best


def _beside(
    window_hw: tuple[int, int], frame_hw: tuple[int, int], panel_hw: tuple[float, float], scale: float
) -> Layout:
    height, width = window_hw
    panel_scale = min(scale, height / panel_hw[0], width / panel_hw[1])
    panel_width = math.ceil(panel_hw[1] * panel_scale)
    if panel_scale < _SMALLEST_PANEL or panel_width >= width:
        return _stacked(window_hw, _fitted(frame_hw, window_hw), scale)
    picture_hw = _fitted(frame_hw, (height, width - panel_width))
    column = min(width - picture_hw[1], round(1.3 * panel_width))
    left = (width - picture_hw[1] - column) // 2
    layout = _stacked((height, picture_hw[1]), picture_hw, scale, left)
    top = max(0, min(layout.picture[1], height - math.ceil(panel_hw[0] * panel_scale)))
    panel = layout.picture[2], top, layout.picture[2] + column, height
    return replace(layout, panel=panel, panel_scale=panel_scale)


def _below(
    window_hw: tuple[int, int], frame_hw: tuple[int, int], panel_hw: tuple[float, float], scale: float
) -> Layout:
    height, width = window_hw
    whole_hw = _fitted(frame_hw, window_hw)
    room = (height - whole_hw[0] - _STRIP * scale) / panel_hw[0]
    panel_scale = min(max(scale, min(room, _LARGEST_PANEL * scale)), height / panel_hw[0], width / panel_hw[1])
    panel_height, panel_width = (math.ceil(length * panel_scale) for length in panel_hw)
    if panel_scale < _SMALLEST_PANEL or panel_height >= height:
        return _stacked(window_hw, whole_hw, scale)
    rest = height - panel_height
    layout = _stacked((rest, width), _fitted(frame_hw, (rest, width)), scale)
    left = (width - panel_width) // 2
    return replace(layout, panel=(left, rest, left + panel_width, height), panel_scale=panel_scale)


def _stacked(room_hw: tuple[int, int], picture_hw: tuple[int, int], scale: float, left: int = 0) -> Layout:
    """The picture centred in its space, or higher if that leaves space for a caption below."""
    (height, width), (picture_height, picture_width) = room_hw, picture_hw
    rest, strip_height = height - picture_height, math.ceil(_STRIP * scale)
    x = left + (width - picture_width) // 2
    y = min(rest // 2, rest - strip_height) if rest >= strip_height else rest // 2
    picture = x, y, x + picture_width, y + picture_height
    strip = (left, picture[3], left + width, height) if rest >= strip_height else None
    return Layout(scale, picture, strip=strip)


def _width(rect: Rect) -> int:
    return rect[2] - rect[0]


def _fitted(frame_hw: tuple[int, int], room_hw: tuple[int, int]) -> tuple[int, int]:
    """The largest size with the frame's aspect ratio that fits, at least one pixel."""
    ratio = min(room_hw[0] / frame_hw[0], room_hw[1] / frame_hw[1])
    return max(1, round(frame_hw[0] * ratio)), max(1, round(frame_hw[1] * ratio))


@dataclass(frozen=True, slots=True)
class View:
    """Maps pixels of the frame to pixels of the picture shown, whose top left corner is (0, 0).

    Args:
        frame_hw: height and width of the frame.
        picture_hw: height and width of the picture shown.
        mirror: whether left and right are swapped.
    """

    frame_hw: tuple[int, int]
    picture_hw: tuple[int, int]
    mirror: bool

    def x(self, x: float) -> float:
        share = x / self.frame_hw[1]
        return (1 - share if self.mirror else share) * self.picture_hw[1]

    def y(self, y: float) -> float:
        return y / self.frame_hw[0] * self.picture_hw[0]

    def box(self, box_xyxy: Box) -> Box:
        xs = sorted((self.x(box_xyxy[0]), self.x(box_xyxy[2])))
        return xs[0], self.y(box_xyxy[1]), xs[1], self.y(box_xyxy[3])

    def region(self, region: Face | Hand) -> Face | Hand:
        """The same face or hand at its place in the picture, with the same prediction."""
        box = self.box(region.box_xyxy)
        if isinstance(region, Hand):
            ratio = self.picture_hw[1] / self.frame_hw[1]
            points = tuple((self.x(x), self.y(y), z * ratio) for x, y, z in region.landmarks_xyz)
            return replace(region, box_xyxy=box, landmarks_xyz=points)
        return replace(region, box_xyxy=box, keypoints_xy=tuple((self.x(x), self.y(y)) for x, y in region.keypoints_xy))


def label_words(region: Face | Hand) -> str:
    """The text at a face or hand: "looks happy 91 %", "victory 99 %", "perhaps sad 62 %", "unclear: sad or afraid".

    Empty before classification.
    """
    if region.prediction is None:
        return ""
    task = "emotion" if isinstance(region, Face) else "gesture"
    said, label, grade = words(), region.prediction.label, region.prediction.grade
    if grade == "unclear":
        return said.say("verdict.unclear", either=either(region.prediction, task))
    word = said.label(task, label, grade)
    if isinstance(region, Hand) and label == NOTHING and grade == "sure":
        return word
    return said.say(f"plate.{task}.{grade}", word=word, percent=f"{100 * region.prediction.confidence:.0f}")


def lowered(layout: Layout, pixels: int) -> Layout:
    """The same parts further down."""

    def moved(rect: Rect) -> Rect:
        return rect[0], rect[1] + pixels, rect[2], rect[3] + pixels

    panel = None if layout.panel is None else moved(layout.panel)
    strip = None if layout.strip is None else moved(layout.strip)
    return replace(layout, picture=moved(layout.picture), panel=panel, strip=strip)


def free_place(size_wh: tuple[int, int], room: Rect, taken: Sequence[Rect], *, centred: bool = False) -> Rect | None:
    """A place for a notice that covers nothing: as high as possible, on the left or in the middle if possible.

    Args:
        size_wh: its width and height.
        room: where it may be.
        taken: faces and other notices.
        centred: whether the middle is tried before the left.

    Returns:
        The place, or None if there is none.
    """
    width, height = size_wh
    left, right = room[0], room[2] - width
    if right < left or room[3] - height < room[1]:
        return None
    middle = (left + right) // 2
    step = max(1, height // 2)
    for y in (room[1], room[3] - height, *range(room[1] + step, room[3] - height, step)):
        for x in (middle, left, right) if centred else (left, right, middle):
            rect = x, y, x + width, y + height
            if not any(overlap(rect, other) for other in taken):
                return rect
    return None


def overlap(a: Rect, b: Rect) -> bool:
    """Whether two rectangles share a pixel."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def wrap(text: str, width: float, measure: Callable[[str], float], most: int) -> list[str]:
    """Lines no wider than `width`, at most `most` of them; longer text ends in an ellipsis.

    Words that are wider than a line are broken at its end. So is Chinese, but no line begins with a mark that ends
    something, such as a comma, or ends with one that begins something.

    Args:
        text: one paragraph.
        width: of a line.
        measure: returns the width of a text.
        most: maximum number of lines.
    """
    lines: list[str] = []
    rest = text.strip()
    while rest and len(lines) < most:
        end = _end_of_line(rest, width, measure)
        if len(lines) == most - 1 and end < len(rest):
            return [*lines, shortened(rest, width, measure)]
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return lines


def shortened(text: str, width: float, measure: Callable[[str], float]) -> str:
    """The text, with an ellipsis in place of its end if it is too wide."""
    if measure(text) <= width:
        return text
    end = _fitting(text, width - measure("…"), measure)
    return text[:end].rstrip() + "…"


def _end_of_line(text: str, width: float, measure: Callable[[str], float]) -> int:
    end = _fitting(text, width, measure)
    if end == len(text) or text[end] == " ":
        return end
    return next((place for place in range(end, 0, -1) if _may_break(text, place)), max(1, end))


def _may_break(text: str, place: int) -> bool:
    """Whether a line may end before this character of a text."""
    before, after = text[place - 1], text[place]
    if " " in (before, after):
        return after == " "
    is_between_words = any(unicodedata.east_asian_width(each) in "WF" for each in (before, after))
    first, last = unicodedata.category(after), unicodedata.category(before)
    return is_between_words and first not in _NEVER_FIRST and last not in _NEVER_LAST


def _fitting(text: str, width: float, measure: Callable[[str], float]) -> int:
    """How many characters from the start fit into the width, by bisection."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[:middle]) <= width else (low, middle - 1)
    return low
