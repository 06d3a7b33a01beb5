from __future__ import annotations

import pytest

from mien.outputs.text import describe, nothing


@pytest.mark.parametrize(
    ("faces", "hands", "expected"),
    [
        ([], [], "no face and no hand"),
        ([("happy", 0.914)], [], "1 face: looks happy (91 %)"),
        ([("surprise", 0.914)], [], "1 face: looks surprised (91 %)"),
        ([("happy", 0.3, True)], [], "1 face, unclear: happy or surprised"),
        ([(None,)], [], "1 face"),
        ([(None,), (None,)], [], "2 faces"),
        (
            [("happy", 0.91), ("sad", 0.4, True)],
            [("victory", 0.99)],
            "2 faces: one looks happy (91 %), one unclear: sad or surprised; 1 right hand: victory (99 %)",
        ),
        (
            [("happy", 0.9)] * 4 + [("sad", 0.8), ("fear", 0.2, True)],
            [],
            "6 faces: four look happy, one looks sad, one unclear",
        ),
        ([("sad", 0.62, True, True)], [], "1 face: perhaps sad (62 %)"),
        (
            [("happy", 0.9), ("happy", 0.7, True, True), ("sad", 0.6, True, True), ("fear", 0.6, True, True)],
            [("punch", 0.6, True, True)],
            (
                "4 faces: one looks happy, one perhaps happy, one perhaps sad, one perhaps afraid; "
                "1 right hand: perhaps punch (60 %)"
            ),
        ),
        ([("happy", 0.9)] * 12, [], "12 faces: 12 look happy"),
        ([("happy", 0.3, True)] * 4, [], "4 faces: four unclear"),
        ([], [("none", 0.8)], "1 right hand: no known gesture (80 %)"),
        ([], [(None,)], "1 right hand"),
        ([], [("punch", 0.8), ("super", 0.4, True)], "2 hands: right punch (80 %), right unclear: super or victory"),
        ([], [("punch", 0.8)] * 3 + [("none", 0.9)], "4 hands: three punch, one no known gesture"),
    ],
)
def test_describe(faces, hands, expected, scene, face, hand) -> None:
    def make(maker, label, confidence=0.9, uncertain=False, perhaps=False):
        return maker(label, confidence, uncertain=uncertain, perhaps=perhaps)

    regions = [*(make(face, *values) for values in faces), *(make(hand, *values) for values in hands)]
    words = describe(scene(0, *regions))
    assert words == expected
    assert "feel" not in words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        (("emotion",), "no face"),
        (("gesture",), "no hand"),
        (("gesture", "emotion"), "no face and no hand"),
        ((), "no face and no hand"),
    ],
)
def test_nothing_is_said_of_what_was_looked_for(tasks: tuple[str, ...], words: str) -> None:
    assert nothing(tasks) == words
