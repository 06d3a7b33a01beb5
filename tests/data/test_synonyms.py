from __future__ import annotations

from collections import Counter

import pytest

from mien.data.classes import label_of, match_classes, nearest_label
from mien.data.synonyms import _WORDS, SYNONYMS, spoken
from mien.labels import EMOTIONS, EMOTIONS_8, GESTURES, GESTURES_4, GESTURES_5


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *(("高兴", "happy"), ("开心", "happy"), ("生气", "angry"), ("愤怒", "angry"), ("厌恶", "disgust")),
        *(("害怕", "fear"), ("恐惧", "fear"), ("悲伤", "sad"), ("难过", "sad"), ("惊讶", "surprise")),
        *(("中性", "neutral"), ("自然", "neutral"), ("轻蔑", "contempt"), ("高興", "happy"), ("憤怒", "angry")),
        *(("HAPPINESS", "happy"), ("Angry", "angry"), ("Sadness", "sad"), ("Natural", "neutral")),
        *((" 高兴的", "happy"), ("悲伤表情", "sad"), ("\uff28\uff21\uff30\uff30\uff39", "happy")),
    ],
)
def test_what_people_call_expressions(name: str, label: str) -> None:
    assert label_of(name, EMOTIONS_8) == label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *(("thumbs_up", "thumb_up"), ("Thumbs Up", "thumb_up"), ("thumbs-up", "thumb_up"), ("THUMB UP", "thumb_up")),
        *(("like", "thumb_up"), ("dislike", "thumb_down"), ("ok", "super"), ("OK手势", "super"), ("peace", "victory")),
        *(("Closed_Fist", "punch"), ("Open_Palm", "palm"), ("Pointing_Up", "point"), ("Thumb_Down", "thumb_down")),
        *(
            ("点赞", "thumb_up"),
            ("赞", "thumb_up"),
            ("踩", "thumb_down"),
            ("拳头", "punch"),
            ("剪刀手", "victory"),
            ("胜利手势", "victory"),
        ),
        *(
            ("手掌", "palm"),
            ("食指", "point"),
            ("打电话", "call"),
            ("摇滚", "rock"),
            ("其他", "none"),
            ("no_gesture", "none"),
        ),
    ],
)
def test_what_people_call_gestures(name: str, label: str) -> None:
    assert label_of(name, GESTURES) == label


def test_a_synonym_means_nothing_in_a_set_without_its_label() -> None:
    assert label_of("点赞", GESTURES_5) is None
    assert label_of("高兴", GESTURES) is None
    assert label_of("其他", GESTURES_4) is None


def test_a_chinese_data_set_is_the_known_one() -> None:
    names = ["愤怒", "厌恶", "恐惧", "高兴", "悲伤", "惊讶", "中性"]
    found, labels = match_classes(names)
    assert found is EMOTIONS
    assert list(map(labels.get, names)) == list(EMOTIONS.labels)


@pytest.mark.parametrize("names", [("猫", "狗"), ("高兴", "猫", "狗"), ("victory", "punch", "bike"), ("smile", "like")])
def test_other_classes_stay_a_set_of_their_own(names: tuple[str, ...]) -> None:
    assert set(match_classes(names)[0].labels) == set(names)


def test_a_chinese_name_is_never_taken_for_another_one_that_only_looks_like_it() -> None:
    """拇指向左 (thumb to the left) differs from 拇指向上 (up) and 拇指向下 (down) in one character each."""
    assert label_of("拇指向左", GESTURES) is None
    assert nearest_label("拇指向左", GESTURES) is None
    assert nearest_label("happines", EMOTIONS) == "happy"


def test_no_word_means_two_labels_and_each_is_written_as_it_is_compared() -> None:
    listed = Counter(word for words in _WORDS.values() for word in words.split(", "))
    assert [word for word, times in listed.items() if times > 1] == []
    assert [word for word in SYNONYMS if spoken(word) != word] == []
    known = {*EMOTIONS_8.labels, *GESTURES.labels}
    assert set(SYNONYMS.values()) <= known
    assert not {word for word, label in SYNONYMS.items() if word in known and word != label}
