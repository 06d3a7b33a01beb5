"""Colours of the labels, which colour-blind people can tell apart too; after Okabe and Ito, and Tol."""

from __future__ import annotations

import zlib

Colour = tuple[int, int, int]

UNREAD: Colour = (221, 221, 221)
DARK: Colour = (20, 22, 26)
LIGHT: Colour = (255, 255, 255)

_LABELS: dict[str, Colour] = {
    "angry": (213, 94, 0),
    "disgust": (0, 158, 115),
    "fear": (170, 108, 200),
    "happy": (240, 228, 66),
    "sad": (0, 114, 178),
    "surprise": (86, 180, 233),
    "neutral": (200, 200, 200),
    "contempt": (136, 34, 85),
    "loser": (230, 159, 0),
    "punch": (213, 94, 0),
    "super": (204, 121, 167),
    "victory": (0, 158, 115),
    "thumb_up": (90, 255, 150),
    "thumb_down": (135, 60, 30),
    "palm": (45, 75, 150),
    "point": (255, 60, 240),
    "call": (150, 0, 255),
    "rock": (90, 75, 90),
    "none": (200, 200, 200),
}
_OTHERS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def label_colour(label: str | None) -> Colour:
    """RGB colour of a label, the same in every run; light grey before classification."""
    if label is None:
        return UNREAD
    return _LABELS.get(label) or _OTHERS[zlib.crc32(label.encode()) % len(_OTHERS)]


def ink_on(colour: Colour) -> Colour:
    """Dark or light text, whichever has more contrast on a colour (WCAG)."""
    luminance = _luminance(colour)
    on_dark = (luminance + 0.05) / (_luminance(DARK) + 0.05)
    on_light = 1.05 / (luminance + 0.05)
    return DARK if on_dark >= on_light else LIGHT


def _luminance(colour: Colour) -> float:
    linear = [(v / 255 / 12.92) if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
