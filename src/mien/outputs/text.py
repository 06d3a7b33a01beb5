"""What was seen, in words for people: what a face looks like, never what somebody feels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mien.scene import Face, Hand, Prediction, Scene
from mien.wording import count, nothing

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_EACH_UP_TO = 3
_GRADES = ("sure", "perhaps", "unclear")
_UNCLEAR = "unclear: "
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
    """One line about a scene, e.g. "2 faces: one looks happy (91 %), one perhaps sad (62 %); 1 right hand".

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
    looks = [verdict(face.prediction, "emotion") for face in read if face.prediction is not None]
    if len(faces) == 1:
        return _titled(title, looks[0])
    if len(read) <= _EACH_UP_TO:
        return f"{title}: {', '.join(f'one {look}' for look in looks)}"
    counts = Counter((_GRADES.index(face.grade), str(face.label) if face.grade != "unclear" else "") for face in read)
    told = []
    for (rank, label), number in sorted(counts.items(), key=lambda item: (item[0][0], -item[1])):
        word = appearance(label)
        if _GRADES[rank] == "sure":
            told.append(_count(number, f"looks {word}", f"look {word}"))
        else:
            told.append(f"{_number(number)} {f'perhaps {word}' if word else 'unclear'}")
    return f"{title}: {', '.join(told)}"


def verdict(prediction: Prediction, task: str, verb: str = "") -> str:
    """An answer in words: "looks happy (91 %)", "perhaps sad (62 %)", "unclear: sad or afraid", "victory (99 %)".

    Args:
        prediction: of a face or a hand.
        task: `emotion` or `gesture`.
        verb: before the word of a sure answer; "looks" for faces and nothing for hands by default.
    """
    if prediction.grade == "unclear":
        return f"{_UNCLEAR}{either(prediction, task)}"
    before = "perhaps" if prediction.grade == "perhaps" else verb or ("looks" if task == "emotion" else "")
    return f"{before} {word_for(prediction.label, task)} ({_percent(prediction.confidence)})".lstrip()


def either(prediction: Prediction, task: str) -> str:
    """The two likeliest labels: "sad or afraid"."""
    return " or ".join(word_for(label, task) for label in prediction.likeliest)


def word_for(label: str, task: str) -> str:
    """A label as it is said: "afraid", "victory", "no known gesture"."""
    return appearance(label) if task == "emotion" else gesture_name(label)


def _titled(title: str, words: str) -> str:
    """A title and what is seen: "1 face: looks happy (91 %)", "1 face, unclear: sad or afraid"."""
    return f"{title}{', ' if words.startswith(_UNCLEAR) else ': '}{words}"


def _hands(hands: Sequence[Hand]) -> str:
    read = [hand for hand in hands if hand.prediction is not None]
    if len(hands) == 1:
        title = f"1 {hands[0].side} hand"
        return _titled(title, _shape(hands[0])) if read else title
    title = count(len(hands), "hand")
    if not read:
        return title
    if len(read) <= _EACH_UP_TO:
        return f"{title}: {', '.join(f'{hand.side} {_shape(hand)}' for hand in read)}"
    counts = Counter("unclear" if hand.grade == "unclear" else _sorted_by(hand) for hand in read)
    return f"{title}: {', '.join(f'{_number(number)} {what}' for what, number in _by_number(counts))}"


def _shape(hand: Hand) -> str:
    return "" if hand.prediction is None else verdict(hand.prediction, "gesture")


def _sorted_by(hand: Hand) -> str:
    """What hands are counted by."""
    return f"{'perhaps ' if hand.grade == 'perhaps' else ''}{gesture_name(str(hand.label))}"


def _percent(confidence: float | None) -> str:
    return f"{100 * (confidence or 0.0):.0f} %"


def _count(number: int, one: str, more: str) -> str:
    return f"{_number(number)} {one if number == 1 else more}"


def _number(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _by_number(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first; equal ones in order of appearance."""
    return sorted(counts.items(), key=lambda item: -item[1])
