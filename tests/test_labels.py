from __future__ import annotations

import pytest

from mien.errors import UnknownName
from mien.labels import (
    EMOTIONS,
    EMOTIONS_6,
    EMOTIONS_8,
    FERPLUS_COLUMNS,
    FIST_LETTERS,
    GESTURES,
    GESTURES_4,
    GESTURES_5,
    LABEL_SETS,
    LETTERS,
    LabelSet,
    check_label,
    label_set,
    label_set_of,
)


def test_the_orders_that_models_and_files_depend_on() -> None:
    assert EMOTIONS.labels == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert GESTURES_5.labels == ("loser", "punch", "super", "victory", "none")
    assert GESTURES.labels == (
        *("loser", "punch", "super", "victory", "thumb_up", "thumb_down"),
        *("palm", "point", "call", "rock", "none"),
    )
    assert EMOTIONS_6.labels == tuple(label for label in EMOTIONS.labels if label != "disgust")
    assert EMOTIONS_8.labels == (*EMOTIONS.labels, "contempt")


@pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=LABEL_SETS)
def test_a_set_is_found_by_its_name_and_counts_its_labels(labels: LabelSet) -> None:
    assert label_set(labels.name) is labels
    assert [labels.index(label) for label in labels.labels] == list(range(len(labels)))
    assert all(label in labels for label in labels.labels)
    assert "nonsense" not in labels


def test_an_unknown_label_or_set_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'happy'"):
        EMOTIONS.index("hapy")
    with pytest.raises(UnknownName, match="Did you mean 'gestures'"):
        label_set("gesture")


@pytest.mark.parametrize("names", [(), ("happy", "sad", "happy")])
def test_names_are_distinct_and_some(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="distinct"):
        LabelSet("odd", names)


def test_a_known_set_is_known_by_its_labels_in_their_order() -> None:
    assert label_set_of(GESTURES_5.labels) is GESTURES_5
    other = label_set_of(("none", "loser", "punch", "super", "victory"))
    assert (other.name, other.labels[0]) == ("custom", "none")


JOINED = (
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\u0915\u094d\u200d\u0937",
    "👨\u200d👩\u200d👧",
    "✌\ufe0f",
)
JOINED += ("\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",)
"""Persian, Hindi, a family, a V in colour, and the flag of Scotland: all have characters that nobody sees."""

ODDLY_JOINED = (
    "\u200d",
    "\u200cwave",
    "wave\u200d",
    "wave\u200d ",
    "a\u202eb",
    "a\u00adb",
    "\ufeffa",
    "a\U000e0067\U000e007f",
)
"""Joiners that join nothing, and others that turn, hide or break what is beside them."""


@pytest.mark.parametrize("label", ["比心", "two fingers", "señal", "Пока", "👋", *JOINED])
def test_a_label_of_ones_own_may_be_in_any_script(label: str) -> None:
    assert check_label(label) == label


@pytest.mark.parametrize("label", ["", " wave", "wave ", "a,b", "a\nb", "x" * 41, *ODDLY_JOINED])
def test_a_label_that_would_break_lists_and_lines_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="a label must have 1 to 40 printable characters"):
        check_label(label)


def test_letters_and_vote_columns_stand_for_labels() -> None:
    assert {LETTERS[letter] for letter in "LAFV"} == set(GESTURES_4.labels)
    assert not FIST_LETTERS & set(LETTERS)
    assert set(FERPLUS_COLUMNS.values()) == set(EMOTIONS_8.labels)
