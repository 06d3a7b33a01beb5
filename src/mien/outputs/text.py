"""What was seen, in words for people: what a face looks like, never what somebody feels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from mien.scene import Face, Hand, Prediction, Scene
from mien.words import Words, words

_EACH_UP_TO = 3
_GRADES = ("sure", "perhaps", "unclear")
_SEEN = {"emotion": "no_emotion", "gesture": "no_gesture"}


def describe(scene: Scene) -> str:
    """One line about a scene, e.g. "2 faces: one looks happy (91 %), one perhaps sad (62 %); 1 right hand".

    Up to three faces or hands are described one by one, in the scene's order; more of them are counted by label. An
    empty scene names only what was looked for: "no hand" if faces were not.
    """
    said = words()
    parts = [_faces(scene.faces, said)] if scene.faces else []
    parts += [_hands(scene.hands, said)] if scene.hands else []
    return said.join("parts", parts) or nothing(scene.models)


def facts_of(scene: Scene) -> list[str]:
    """What is to be said about a scene, one fact per line: how many faces, then each of them; the hands likewise."""
    said = words()
    told = [said.say("seen.faces", n=len(scene.faces))] if scene.faces else []
    for number, face in enumerate(scene.faces, 1):
        if face.prediction is not None:
            told.append(said.say("plain.face", n=number, words=verdict(face.prediction, "emotion")))
    told += [said.say("seen.hands", n=len(scene.hands))] if scene.hands else []
    for number, hand in enumerate(scene.hands, 1):
        if hand.prediction is not None:
            side = said.say(f"side.{hand.side}")
            told.append(said.say("plain.hand", n=number, side=side, words=verdict(hand.prediction, "gesture")))
    return told or [nothing(scene.models)]


def nothing(tasks: Collection[str] = ()) -> str:
    """What was looked for but not found: "no face", "no hand", or "no face and no hand".

    Args:
        tasks: what was looked for, `emotion` for faces, `gesture` for hands; both if unknown.
    """
    asked = [task for task in _SEEN if not tasks or task in tasks]
    return words().say(f"seen.{_SEEN[asked[0]]}" if len(asked) == 1 else "seen.nothing")


def verdict(prediction: Prediction, task: str, gesture: str = "gesture") -> str:
    """An answer in words: "looks happy (91 %)", "perhaps sad (62 %)", "unclear: sad or afraid", "victory (99 %)".

    Args:
        prediction: of a face or a hand.
        task: `emotion` or `gesture`.
        gesture: how a sure gesture is said: `gesture` after a title, `shows` as a sentence, `listed` after a side.
    """
    said = words()
    grade = prediction.grade
    if grade == "unclear":
        return said.say("verdict.unclear", either=either(prediction, task))
    key = "perhaps" if grade == "perhaps" else gesture if task == "gesture" else task
    word, percent = said.label(task, prediction.label, grade), said.say("percent", share=100 * prediction.confidence)
    return said.say(f"verdict.{key}", word=word, percent=percent)


def either(prediction: Prediction, task: str, said: Words | None = None) -> str:
    """The two likeliest labels: "sad or afraid".

    Args:
        prediction: of a face or a hand.
        task: `emotion` or `gesture`.
        said: the words; those of the language spoken now by default.
    """
    said = said or words()
    return said.join("choice", [said.label(task, label) for label in prediction.likeliest])


def _faces(faces: Sequence[Face], said: Words) -> str:
    read = [face for face in faces if face.prediction is not None]
    title = said.say("seen.faces", n=len(faces))
    if not read:
        return title
    if len(faces) == 1:
        return _titled(title, read[0], "emotion", said)
    if len(read) <= _EACH_UP_TO:
        each = [said.say("seen.one_face", words=_look(face)) for face in read]
        return said.say("seen.titled", title=title, words=said.join("clauses", each))
    counts = Counter((_GRADES.index(face.grade), str(face.label) if face.grade != "unclear" else "") for face in read)
    told = [
        _counted("emotion", _GRADES[rank], label, number, said)
        for (rank, label), number in sorted(counts.items(), key=lambda item: (item[0][0], -item[1]))
    ]
    return said.say("seen.titled", title=title, words=said.join("clauses", told))


def _look(face: Face) -> str:
    return "" if face.prediction is None else verdict(face.prediction, "emotion")


def _hands(hands: Sequence[Hand], said: Words) -> str:
    read = [hand for hand in hands if hand.prediction is not None]
    if len(hands) == 1:
        title = said.say("seen.hand", side=said.say(f"side.{hands[0].side}"))
        return _titled(title, read[0], "gesture", said) if read else title
    title = said.say("seen.hands", n=len(hands))
    if not read:
        return title
    if len(read) <= _EACH_UP_TO:
        told = [said.say("seen.one_hand", side=said.say(f"side.{hand.side}"), words=_shape(hand)) for hand in read]
    else:
        counts = Counter((hand.grade, "" if hand.grade == "unclear" else str(hand.label)) for hand in read)
        by_number = sorted(counts.items(), key=lambda item: -item[1])  # equal ones in order of appearance
        told = [_counted("gesture", grade, label, number, said) for (grade, label), number in by_number]
    return said.say("seen.titled", title=title, words=said.join("clauses", told))


def _shape(hand: Hand) -> str:
    return "" if hand.prediction is None else verdict(hand.prediction, "gesture", "listed")


def _titled(title: str, seen: Face | Hand, task: str, said: Words) -> str:
    """A title and what is seen: "1 face: looks happy (91 %)", "1 face, unclear: sad or afraid"."""
    text = "" if seen.prediction is None else verdict(seen.prediction, task)
    return said.say("seen.titled_unclear" if seen.grade == "unclear" else "seen.titled", title=title, words=text)


def _counted(task: str, grade: str, label: str, number: int, said: Words) -> str:
    """How many look or show the same: "four look happy", "one perhaps sad", "three punch"."""
    numbers = said.all("numbers")
    values = {"n": number, "number": numbers[number] if number < len(numbers) else str(number)}
    key = f"count_{task}" if grade == "sure" else f"count_{task}_{grade}"
    return said.say(f"seen.{key}", word=said.label(task, label, grade), **values)
