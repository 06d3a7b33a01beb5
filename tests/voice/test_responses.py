from __future__ import annotations

import re
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.errors import RecipeError, UnknownName
from mien.labels import EMOTIONS, GESTURES
from mien.voice.responses import PROMPTS, Responses, placeholders, prompt_for, prompt_path
from mien.words import choose
from mien.words import words as spoken

UNKIND = re.compile(
    r"\b(feel\w*|he|she|his|her|man|woman|boy|girl|sir|madam|old|young|age|ugly|stupid|handsome|pretty|race)\b", re.I
)
TEXTS = Responses.load().texts()


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], Responses]:
    """Loads a responses file of these words."""

    def load(toml: str) -> Responses:
        path = tmp_path / "own.toml"
        path.write_text(toml, "utf-8")
        return Responses.load(path)

    return load


@pytest.mark.parametrize(
    ("task", "label"),
    [("emotion", label) for label in EMOTIONS.labels] + [("gesture", label) for label in GESTURES.labels[:-1]],
)
def test_every_label_has_sentences_to_take_turns(task: str, label: str) -> None:
    sentences = Responses.load().sentences[task][label]  # type: ignore[index]
    for_one = [sentence for sentence in sentences if "count" not in placeholders(sentence)]
    assert len(set(for_one)) >= 2


def test_any_other_hand_is_not_answered() -> None:
    assert "none" not in Responses.load().sentences["gesture"]


def test_words_are_kind() -> None:
    shown = [*Responses.load().notices.values()]
    assert [text for _, text in TEXTS if UNKIND.search(text)] == []
    assert [text for text in shown if UNKIND.search(text)] == []


def test_words_for_labels_are_those_of_the_other_outputs() -> None:
    words = Responses.load().words
    assert words == {label: spoken().label("emotion", label) for label in words}
    assert set(words) >= set(EMOTIONS.labels)


def test_notices_say_that_the_camera_is_on_and_nothing_is_stored() -> None:
    notices = Responses.load().notices
    assert "camera is on" in notices["camera"]
    assert "stored" in notices["camera"]
    assert notices["no_face"] == "No face found"


@pytest.mark.parametrize(("label", "text"), TEXTS)
def test_every_sentence_has_a_prompt_that_sounds_like_speech(label: str, text: str) -> None:
    path = prompt_for(label, text)
    assert path is not None, f"{text!r} was changed: run tools/render_prompts.py"
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    assert 0.5 <= len(samples) / 16_000 <= 3.8
    assert path.stat().st_size < 122_000
    assert np.abs(samples).max() < 10 ** (-1 / 20)
    levels_db = 10 * np.log10((samples[: len(samples) // 320 * 320].reshape(-1, 320) ** 2).mean(1) + 1e-12)
    active_db = 10 * np.log10((10 ** (levels_db[levels_db > levels_db.max() - 40] / 10)).mean())
    assert active_db == pytest.approx(-22, abs=0.5)
    assert np.subtract(*np.percentile(levels_db, (90, 10))) > 15, "speech goes up and down, noise does not"
    power, hertz = np.abs(np.fft.rfft(samples)) ** 2, np.fft.rfftfreq(len(samples), 1 / 16_000)
    assert power[(hertz >= 100) & (hertz <= 4000)].sum() > 0.9 * power.sum()


def test_prompts_are_few_and_none_is_left_over() -> None:
    files = list(PROMPTS.rglob("*.wav"))
    assert set(files) == {prompt_path(label, text) for label, text in TEXTS}
    assert sum(path.stat().st_size for path in files) < 5_000_000


def test_changed_words_have_no_prompt() -> None:
    label, text = TEXTS[0]
    assert prompt_for(label, f"{text} ") is None


def test_own_file_replaces_what_it_names(own: Callable[[str], Responses]) -> None:
    usual = Responses.load()
    changed = own(
        'priority = ["emotion", "gesture"]\n[cooldown]\nany_s = 3\n[notices]\nno_face = "Nobody here"\n'
        '[words]\nhappy = "cheerful"\n[emotion]\nhappy = "Ahoy!"\nsad = []\n'
    )
    assert changed.sentences["emotion"]["happy"] == ("Ahoy!",)
    assert changed.sentences["emotion"]["sad"] == ()
    assert changed.sentences["emotion"]["angry"] == usual.sentences["emotion"]["angry"]
    assert changed.sentences["gesture"] == usual.sentences["gesture"]
    assert changed.priority == ("emotion", "gesture")
    assert (changed.cooldown_s, changed.label_cooldown_s) == (3.0, usual.label_cooldown_s)
    assert changed.notices == {**usual.notices, "no_face": "Nobody here"}
    assert changed.text("You look {label}.", label="happy", confidence=None, count=1) == "You look cheerful."


def test_empty_file_changes_nothing(own: Callable[[str], Responses]) -> None:
    assert own("") == Responses.load()


def test_file_of_a_windows_editor(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b'\xef\xbb\xbf[emotion]\r\nhappy = "Sch\xc3\xb6n!"\r\n')
    assert Responses.load(path).sentences["emotion"]["happy"] == ("Schön!",)


def test_another_language_says_only_its_own_sentences(own: Callable[[str], Responses]) -> None:
    german = own('language = "de"\n[emotion]\nhappy = ["{count} frohe Gesichter."]\n')
    assert german.language == "de"
    assert german.sentences == {"gesture": {}, "emotion": {"happy": ("{count} frohe Gesichter.",)}}
    assert german.text("{count} frohe Gesichter.", label="happy", confidence=None, count=2) == "2 frohe Gesichter."
    assert german.notices == Responses.load().notices
    assert own('language = "en-GB"').sentences == Responses.load().sentences


def test_a_gesture_of_ones_own_is_answered_too() -> None:
    usual = Responses.load()
    (sentence,) = usual.answers("gesture", "比心")
    assert usual.text(sentence, label="比心", confidence=0.9, count=1) == "比心! I see it."
    assert usual.text(sentence, label="two fingers", confidence=0.9, count=1) == "Two fingers! I see it."
    assert usual.answers("gesture", "none") == ()
    assert usual.answers("emotion", "bored") == ()
    assert usual.answers("gesture", "victory") == usual.sentences["gesture"]["victory"]


def test_what_is_said_to_gestures_of_ones_own_can_be_changed(own: Callable[[str], Responses]) -> None:
    assert own('other_gestures = ["A {label}!"]').answers("gesture", "wave") == ("A {label}!",)
    assert own("other_gestures = []").answers("gesture", "wave") == ()
    assert own('language = "de"').answers("gesture", "wave") == (), "no English in another language"
    with pytest.raises(UnknownName, match="label"):
        own('other_gestures = ["A {lable}!"]')


def test_labels_of_another_model(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[gesture]\nwave = "Hello!"\n')
    assert Responses.load(path, gestures=("wave", "none")).sentences["gesture"]["wave"] == ("Hello!",)
    with pytest.raises(UnknownName):
        Responses.load(path)


@pytest.mark.parametrize(
    ("count", "expected"), [(1, "One of you"), (2, "Two of you"), (3, "Several of you"), (40, "Several of you")]
)
def test_count_in_words(count: int, expected: str) -> None:
    assert Responses.load().text("{count} of you", label="happy", confidence=None, count=count) == expected


def test_placeholders_are_filled() -> None:
    text = Responses.load().text("{label} by {confidence} {{so}}", label="surprise", confidence=0.914, count=1)
    assert text == "Surprised by 91 % {so}"


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('langage = "de"', "Did you mean 'language'?"),
        ('[emotion]\nhapy = "x"', "Did you mean 'happy'?"),
        ('[gesture]\nvictoria = "x"', "Did you mean 'victory'?"),
        ("[cooldown]\nany = 3", "Did you mean 'any_s'?"),
        ('[notices]\nnoface = "x"', "Did you mean 'no_face'?"),
        ('[words]\nsurprize = "x"', "Did you mean 'surprise'?"),
        ('priority = ["gestures", "emotion"]', "Did you mean 'gesture'?"),
        ('[emotion]\nhappy = "You are {labl}"', "Did you mean 'label'?"),
        ('[emotion]\nhappy = "{name}"', "placeholder in emotion.happy 'name'"),
        ('[emotion]\nhappy = "{}"', "placeholder in emotion.happy ''"),
        ('[emotion]\nhappy = "{label.__class__}"', "placeholder"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(own: Callable[[str], Responses], toml: str, words: str) -> None:
    with pytest.raises(UnknownName, match=re.escape(words)) as caught:
        own(toml)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("language = ", "not valid TOML"),
        ("language = 3", "language must be a string, got 3"),
        ('language = "-x --evil"', 'a tag such as "en"'),
        ('priority = ["gesture"]', "gesture and emotion once each"),
        ('priority = ["gesture", "gesture"]', "gesture and emotion once each"),
        ("counts = 3", "counts must be a list, got 3"),
        ("cooldown = 3", "cooldown must be a table of settings, got 3"),
        ("[cooldown]\nany_s = -1", "cooldown.any_s must be at least 0, got -1"),
        ("[cooldown]\nany_s = true", "cooldown.any_s must be a number, got True"),
        ("[cooldown]\nlabel_s = inf", "cooldown.label_s must be a finite number, got inf"),
        ("[emotion]\nhappy = 3", "emotion.happy must be a list, got 3"),
        ("[emotion]\nhappy = [3]", "emotion.happy[0] must be a string, got 3"),
        ('[emotion]\nhappy = " "', "emotion.happy[0] must be a non-empty string, got ' '"),
        ('[emotion]\nhappy = "a\\nb"', "one line of up to 200 characters"),
        (f'[emotion]\nhappy = "{"a" * 201}"', "one line of up to 200 characters"),
        ('[emotion]\nhappy = "{label"', "an unmatched brace"),
        ('[emotion]\nhappy = "label}"', "an unmatched brace"),
        ('[emotion]\nhappy = "{label:d}"', "an unmatched brace or a format"),
        ("piper_voice = 3", "piper_voice must be a string, got 3"),
        ('piper_voice = "none.onnx"', "none.onnx, which does not exist"),
    ],
)
def test_impossible_values_are_refused_in_a_sentence(own: Callable[[str], Responses], toml: str, words: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(words)) as caught:
        own(toml)
    assert caught.value.exit_code == 2
    assert "own.toml" in str(caught.value)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read: no such file"):
        Responses.load(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b'[emotion]\nhappy = "Sch\xf6n"')
    with pytest.raises(RecipeError, match="UTF-8"):
        Responses.load(tmp_path / "latin.toml")


def test_voice_file_lies_beside_the_responses(tmp_path: Path) -> None:
    for name in ("anna.onnx", "anna.onnx.json"):
        (tmp_path / name).touch()
    (tmp_path / "own.toml").write_text('piper_voice = "anna.onnx"')
    assert Responses.load(tmp_path / "own.toml").piper_voice == (tmp_path / "anna.onnx").resolve()


def test_responses_are_in_the_language_spoken() -> None:
    choose("zh")
    chinese = Responses.load()
    assert chinese.language == "zh"
    assert chinese.words["fear"] == "害怕"
    assert chinese == Responses.load(language="zh")
    assert Responses.load(language="en").language == "en"
    assert (chinese.cooldown_s, chinese.priority) == (10.0, ("gesture", "emotion"))
    text = chinese.text("{count}张{label}的脸，{confidence}", label="happy", confidence=0.914, count=2)
    assert text == "两张开心的脸，91%"


def test_recorded_prompts_are_for_english_only() -> None:
    texts = Responses.load(language="zh").texts()
    assert {label for label, _ in texts} == {label for label, _ in TEXTS}
    assert [text for label, text in texts if prompt_for(label, text) is not None] == []
    assert [text for _, text in texts if not re.search("[\u4e00-\u9fff]", text)] == []


def test_a_file_in_another_language_builds_on_that_language(own: Callable[[str], Responses]) -> None:
    choose("zh")
    assert own('[emotion]\nsad = "别难过"\n').sentences["emotion"]["happy"][0].startswith("看起来")
    english = own('language = "en"\n[emotion]\nsad = "Cheer up"\n')
    assert english.sentences["emotion"]["happy"][0] == "You look happy, that suits you."
    german = own('language = "de"\n[emotion]\nsad = "Kopf hoch"\n')
    assert (german.sentences["emotion"], german.words) == ({"sad": ("Kopf hoch",)}, {})


def test_a_page_in_another_language_gets_its_sentences(own: Callable[[str], Responses]) -> None:
    usual = Responses.load()
    assert usual.in_language("zh").language == "zh"
    assert usual.in_language("") is usual
    assert usual.in_language("fr") is usual
    changed = own('[emotion]\nhappy = "Ahoy!"\n')
    assert changed.in_language("zh") is changed, "the owner's own sentences are said in any language"
