"""What was seen, in words for people: what a face looks like, never what somebody feels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mien.scene import Face, Hand, Scene
from mien.wording import count, nothing

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_EACH_UP_TO = 3
_LOOKS = {"disgust": "disgusted", "fear": "afraid", "surprise": "surprised", "contempt": "contemptuous"}
"""Adjectives for labels that are nouns."""
_GESTURES = {
    "thumb_up": "thumb up",
    "thumb_down": "thumb down",
    "palm": "open palm",
    "point": "pointing finger",
    "call": "call me",
    "rock": "rock on",
    "none": "no known gesture",
}
"""Words for labels that people would not say as they are."""


def appearance(label: str) -> str:
    """The word for a face that shows an expression, e.g. `surprised` for `surprise`."""
    return _LOOKS.get(label, label)


def gesture_name(label: str) -> str:
    """The words for a gesture, e.g. `thumb up` for `thumb_up`; a gesture of your own is called by its label."""
    return _GESTURES.get(label, label)


def describe(scene: Scene) -> str:
    """One line about a scene, e.g. "2 faces: one looks happy (91 %), one is hard to read; 1 right hand".

    Up to three faces or hands are described one by one, in the scene's order; more of them are counted by label. An
    empty scene names only what was looked for: "no hand" if faces were not.
    """
    parts = [_faces(scene.faces)] if scene.faces else []
    parts += [_hands(scene.hands)] if scene.hands else []
    return "; ".join(parts) or nothing(scene.models)


def _faces(faces: Sequence[Face]) -> str:
    read = [face for face in faces if face.prediction is not None]
    title = count(len(faces), "face")
    if not read:
        return title
    if len(faces) == 1:
        return f"{title}: {_look(faces[0])}"
    if len(read) <= _EACH_UP_TO:
        return f"{title}: {', '.join(f'one {_look(face)}' for face in read)}"
    counts = Counter("" if face.uncertain else str(face.label) for face in read)
    told = [
        _count(number, f"looks {appearance(label)}", f"look {appearance(label)}")
        for label, number in _by_number(counts)
        if label
    ]
    if counts[""]:
        told.append(_count(counts[""], "is hard to read", "are hard to read"))
    return f"{title}: {', '.join(told)}"


def _look(face: Face) -> str:
    return "is hard to read" if face.uncertain else f"looks {appearance(str(face.label))} ({_percent(face.confidence)})"


def _hands(hands: Sequence[Hand]) -> str:
    read = [hand for hand in hands if hand.prediction is not None]
    if len(hands) == 1:
        title = f"1 {hands[0].side} hand"
        return f"{title}: {_shape(hands[0])}" if read else title
    title = count(len(hands), "hand")
    if not read:
        return title
    if len(read) <= _EACH_UP_TO:
        return f"{title}: {', '.join(f'{hand.side} {_shape(hand)}' for hand in read)}"
    counts = Counter("hard to read" if hand.uncertain else _gesture(hand) for hand in read)
    return f"{title}: {', '.join(f'{_number(number)} {what}' for what, number in _by_number(counts))}"


def _shape(hand: Hand) -> str:
    return "hard to read" if hand.uncertain else f"{_gesture(hand)} ({_percent(hand.confidence)})"


def _gesture(hand: Hand) -> str:
    return gesture_name(str(hand.label))


def _percent(confidence: float | None) -> str:
    return f"{100 * (confidence or 0.0):.0f} %"


def _count(number: int, one: str, more: str) -> str:
    return f"{_number(number)} {one if number == 1 else more}"


def _number(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _by_number(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first; equal ones in order of appearance."""
    return sorted(counts.items(), key=lambda item: -item[1])
