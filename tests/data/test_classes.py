from __future__ import annotations

import pytest

from mien.data.classes import is_folder_name, label_of, match_classes, natural_key, shown_letter
from mien.errors import DataError
from mien.labels import EMOTIONS, EMOTIONS_6, EMOTIONS_8, GESTURES_4, GESTURES_5, LabelSet


@pytest.mark.parametrize(
    ("names", "label_set"),
    [
        (("angry", "happy"), EMOTIONS_6),
        (("Anger", "DISGUST", "fearful", "Happiness", "sadness", "Surprised", "neutral"), EMOTIONS),
        (("neutral", "contempt"), EMOTIONS_8),
        (("L", "a", "F", "v"), GESTURES_4),
        (("L", "A", "F", "V", "other", "nothing"), GESTURES_5),
        (("victory", "none"), GESTURES_5),
    ],
)
def test_the_smallest_known_set_that_has_all_names(names: tuple[str, ...], label_set: LabelSet) -> None:
    found, labels = match_classes(names)
    assert found is label_set
    assert set(labels) == set(names)
    assert set(labels.values()) <= set(label_set.labels)


def test_words_of_the_field_mean_labels() -> None:
    _, labels = match_classes(["Anger", "sadness", "Joy"])
    assert labels == {"Anger": "angry", "sadness": "sad", "Joy": "happy"}
    assert label_of("V", GESTURES_5) == "victory"
    assert label_of("V", EMOTIONS) is None
    assert label_of("other", GESTURES_4) is None


def test_unknown_names_are_a_set_of_their_own_in_natural_order() -> None:
    found, labels = match_classes(["b10", "b2", "happy"])
    assert found == LabelSet("custom", ("b2", "b10", "happy"))
    assert labels == {"b2": "b2", "b10": "b10", "happy": "happy"}


def test_a_name_that_differs_in_case_is_the_same_class() -> None:
    found, labels = match_classes(["Cat", "cat"])
    assert found.labels == ("Cat",)
    assert labels == {"Cat": "Cat", "cat": "Cat"}


def test_a_given_set_is_kept_and_refuses_what_it_has_not() -> None:
    assert match_classes(["happy"], label_set=EMOTIONS)[0] is EMOTIONS
    with pytest.raises(DataError, match="party has the class 'disgust', which is none of emotions6: angry"):
        match_classes(["happy", "disgust"], label_set=EMOTIONS_6, where="party")


def test_natural_order_tells_all_names_apart() -> None:
    names = ["A10", "a2", "A2", "A1", "b", "A02"]
    assert [sorted(names, key=natural_key)[i] for i in (0, -2, -1)] == ["A1", "A10", "b"]
    assert len({str(natural_key(name)) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["", " happy", "a/b", "a\\b", ".hidden", "train", "Val", "a:b", "new\nline", "sad."])
def test_names_that_no_folder_of_a_class_can_have(name: str) -> None:
    assert not is_folder_name(name)


@pytest.mark.parametrize("name", ["happy", "very happy", "été", "thumb-up_2"])
def test_names_that_a_folder_can_have(name: str) -> None:
    assert is_folder_name(name)


@pytest.mark.parametrize("names", [("happy", "unhappy"), ("angry", "hangry"), ("smile", "smiles"), ("L", "A", "B")])
def test_what_is_like_a_label_that_is_there_is_a_class_of_its_own(names: tuple[str, ...]) -> None:
    assert set(match_classes(names)[0].labels) == set(names)


def test_a_name_is_misspelt_where_its_split_lacks_the_label() -> None:
    train, test = ["happy", "sad", "angry"], ["hapy", "sad", "angry"]
    with pytest.raises(DataError, match=r"has the class 'hapy', .* Did you mean 'happy'\? Rename it"):
        match_classes([*train, *test], splits=[train, test])
    assert "hapy" in match_classes([*train, *test], splits=[[*train, "hapy"], test])[0]


def test_a_given_set_names_the_nearest_label_too() -> None:
    with pytest.raises(DataError, match=r"'hapy', which is none of emotions: .*\. Did you mean 'happy'\?"):
        match_classes(["hapy", "sad"], label_set=EMOTIONS)


@pytest.mark.parametrize(
    ("file", "letter"),
    [("E12.jpg", "E"), ("n001.png", "N"), ("hand1_s_bot_seg_1.jpeg", "S"), ("thumb_001.jpg", ""), ("one1.jpg", "")],
)
def test_only_a_letter_and_a_number_name_a_letter(file: str, letter: str) -> None:
    assert shown_letter(file) == letter


def test_a_name_that_is_no_text_is_told_before_it_breaks_a_plot() -> None:
    with pytest.raises(DataError, match=r"the class 'gl\\udcfc', whose name is not valid text"):
        match_classes(["gl\udcfc", "sad"])
