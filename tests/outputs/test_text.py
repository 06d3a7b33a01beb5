from __future__ import annotations

import pytest

from mien.outputs.text import describe


@pytest.mark.parametrize(
    ("faces", "hands", "expected"),
    [
        ([], [], "no face and no hand"),
        ([("happy", 0.914)], [], "1 face: looks happy (91 %)"),
        ([("surprise", 0.914)], [], "1 face: looks surprised (91 %)"),
        ([("happy", 0.3, True)], [], "1 face: is hard to read"),
        ([(None,)], [], "1 face"),
        ([(None,), (None,)], [], "2 faces"),
        (
            [("happy", 0.91), ("sad", 0.4, True)],
            [("victory", 0.99)],
            "2 faces: one looks happy (91 %), one is hard to read; 1 right hand: victory (99 %)",
        ),
        (
            [("happy", 0.9)] * 4 + [("sad", 0.8), ("fear", 0.2, True)],
            [],
            "6 faces: four look happy, one looks sad, one is hard to read",
        ),
        ([("happy", 0.9)] * 12, [], "12 faces: 12 look happy"),
        ([("happy", 0.3, True)] * 4, [], "4 faces: four are hard to read"),
        ([], [("none", 0.8)], "1 right hand: no known gesture (80 %)"),
        ([], [(None,)], "1 right hand"),
        ([], [("punch", 0.8), ("super", 0.4, True)], "2 hands: right punch (80 %), right hard to read"),
        ([], [("punch", 0.8)] * 3 + [("none", 0.9)], "4 hands: three punch, one no known gesture"),
    ],
)
def test_describe(faces, hands, expected, scene, face, hand) -> None:
    def make(maker, label, confidence=0.9, uncertain=False):
        return maker(label, confidence, uncertain=uncertain)

    regions = [*(make(face, *values) for values in faces), *(make(hand, *values) for values in hands)]
    words = describe(scene(0, *regions))
    assert words == expected
    assert "feel" not in words
    assert "\n" not in words
