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
    LABEL_SETS,
    LETTERS,
    LabelSet,
    label_set,
)


def test_the_orders_that_models_and_files_depend_on() -> None:
    assert EMOTIONS.labels == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert GESTURES.labels == ("loser", "punch", "super", "victory", "none")
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


def test_letters_and_vote_columns_stand_for_labels() -> None:
    assert {LETTERS[letter] for letter in "LAFV"} == set(GESTURES.labels) - {"none"}
    assert not FIST_LETTERS & set(LETTERS)
    assert set(FERPLUS_COLUMNS.values()) == set(EMOTIONS_8.labels)
