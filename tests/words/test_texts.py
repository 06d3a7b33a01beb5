from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mien
from mien.errors import UnknownName
from mien.labels import EMOTIONS_8, GESTURES
from mien.words import languages, words
from mien.words import texts as texts_module
from mien.words.texts import FOLDER, PLURALS, Text, known_languages, read_words

OTHERS = [language for language in languages() if language != "en"]
SOURCES = sorted(Path(mien.__file__).parent.rglob("*.py"))
CHINESE = re.compile("[\u4e00-\u9fff]")
LATIN_STOP = re.compile(r"[\u4e00-\u9fff][,;:!?()]|[,;:!?()][\u4e00-\u9fff]")


def forms(text: Text) -> list[str]:
    return [text] if isinstance(text, str) else list(text.values()) if isinstance(text, dict) else text


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def everything(language: str) -> Iterator[tuple[str, str]]:
    """Every text of a language with its key, what is said aloud included."""
    said = words(language)
    for key, text in said.texts.items():
        yield from ((key, form) for form in forms(text))
    yield from _leaves("responses", said.responses)


def _leaves(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _leaves(f"{key}.{name}", below)
    else:
        yield from ((key, text) for text in ([value] if isinstance(value, str) else value))


def test_there_are_english_and_chinese() -> None:
    assert languages() == ("en", "zh")
    assert words("zh").say("name") == "简体中文"
    with pytest.raises(UnknownName, match="no language 'fr'; available: en, zh"):
        words("fr")


@pytest.mark.parametrize("language", OTHERS)
def test_languages_have_the_same_keys_and_placeholders(language: str) -> None:
    english, other = words("en"), words(language)
    assert sorted(set(english.texts) ^ set(other.texts)) == []
    for key, text in english.texts.items():
        theirs = other.texts[key]
        assert isinstance(theirs, list) == isinstance(text, list), key
        wanted = {name for form in forms(text) for name in names(form)}
        for form in forms(theirs):
            assert names(form) == wanted, key
        if isinstance(text, list):
            assert len(theirs) == len(text), key
    spoken, theirs = english.responses, other.responses
    assert set(theirs) == set(spoken)
    for section in ("emotion", "gesture", "notices"):
        assert set(theirs[section]) == set(spoken[section]), section
    assert theirs["language"] == language


@pytest.mark.parametrize("language", languages())
def test_the_forms_of_a_text_are_those_that_its_language_counts_by(language: str) -> None:
    said = words(language)
    wanted = {PLURALS[said.say("plural")](n) for n in range(200)}
    for key, text in said.texts.items():
        if isinstance(text, dict) and "other" in text:
            assert set(text) == {*wanted, "other"}, key


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("task", ["emotion", "gesture"])
def test_every_label_has_words(language: str, task: str) -> None:
    labels = EMOTIONS_8.labels if task == "emotion" else GESTURES.labels
    assert set(words(language).below(task)) == set(labels)
    assert words(language).label(task, "my_own_sign") == "my_own_sign"


def test_labels_in_english_are_as_in_data() -> None:
    for task, labels in (("emotion", EMOTIONS_8.labels), ("gesture", GESTURES.labels)):
        assert [words("en").label(task, label, "label") for label in labels] == list(labels)


def test_chinese_is_chinese() -> None:
    """Full-width stops between Chinese letters, and no text that was forgotten in English."""
    latin = {"percent", "plural", "capitals", "responses.language", "train.summary.torch", "train.summary.python"}
    latin |= {"data.fer2013.usage_columns"}  # a column of FER2013
    for key, text in everything("zh"):
        assert not LATIN_STOP.search(text), f"{key}: {text}"
        says_something = re.search("[a-z]{3}", re.sub(r"\{.*?\}|mien", "", text))
        assert CHINESE.search(text) or key in latin or not says_something, f"{key}: {text}"


def test_chinese_fits_the_oldest_terminals() -> None:
    """In a locale of GB2312 nothing becomes an escape."""
    for key, text in everything("zh"):
        assert text == text.encode("gb2312", "replace").decode("gb2312"), key


def test_nothing_claims_to_know_a_feeling() -> None:
    explained = ("page.privacy.meaning", "report.caveats", "evaluation.caveat")  # these say that mien does not know it
    for language, wrong in (("en", r"\b(feels?|feelings?)\b"), ("zh", "感到|感觉|内心")):
        found = {key for key, text in everything(language) if re.search(wrong, text)}
        assert found == set(explained), language


@pytest.mark.parametrize(
    ("rule", "numbers", "form"),
    [
        ("none", (0, 1, 2, 5), "other"),
        ("one", (1,), "one"),
        ("one", (0, 2, 21), "other"),
        ("zero-one", (0, 1), "one"),
        ("zero-one", (2,), "other"),
        ("slavic", (1, 21, 101), "one"),
        ("slavic", (2, 4, 22, 103), "few"),
        ("slavic", (0, 5, 11, 12, 14, 111, 100), "many"),
    ],
)
def test_plural_rules(rule: str, numbers: tuple[int, ...], form: str) -> None:
    assert {PLURALS[rule](n) for n in numbers} == {form}


def test_a_third_language_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for language in languages():
        (tmp_path / f"{language}.toml").write_bytes((FOLDER / f"{language}.toml").read_bytes())
    german = (
        (FOLDER / "en.toml").read_text("utf-8").replace('"looks {word} ({percent})"', '"sieht {word} aus ({percent})"')
    )
    (tmp_path / "de.toml").write_text(german, "utf-8")
    monkeypatch.setattr(texts_module, "FOLDER", tmp_path)
    known_languages.cache_clear()
    read_words.cache_clear()
    try:
        assert languages() == ("en", "de", "zh")
        assert words("de").say("verdict.emotion", word="froh", percent="91 %") == "sieht froh aus (91 %)"
    finally:
        known_languages.cache_clear()
        read_words.cache_clear()


def _asked() -> Iterator[tuple[str, str, set[str] | None]]:
    """Where the code asks for a text: the place, a pattern for the key, and its placeholders (None for `**values`)."""
    for path in SOURCES:
        text = path.read_text("utf-8")
        if "mien.words import" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = ast.unparse(node.func)
            if called not in ("say", "kept") and not re.fullmatch(r"(said|words\(.*\))\.(say|all)", called):
                continue
            for key in _keys(node.args[0]):
                given = {one.arg for one in node.keywords}
                yield f"{path.name}:{node.lineno}", key, None if None in given else {str(name) for name in given}


def _keys(node: ast.AST) -> Iterator[str]:
    """Patterns of the keys that an expression can be; `.+` stands for what is only known when it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.escape(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(re.escape(str(one.value)) if isinstance(one, ast.Constant) else ".+" for one in node.values)
    elif isinstance(node, ast.IfExp):
        yield from _keys(node.body)
        yield from _keys(node.orelse)


def test_what_the_code_asks_for_is_there() -> None:
    english = words("en").texts
    for place, pattern, given in _asked():
        found = [key for key in english if re.fullmatch(pattern, key)]
        assert found, f"{place}: no text for {pattern}"
        for key in found if given is not None and ".+" not in pattern else ():
            wanted = {name for form in forms(english[key]) for name in names(form)}
            plural = {"n"} if isinstance(english[key], dict) else set()
            assert given is not None
            assert wanted | plural == given | ({"n"} & plural), f"{place}: {key}"


def test_no_text_is_left_over() -> None:
    """Every text is asked for by the code, by a label, or by the page (whose own test looks closer)."""
    trees = [ast.parse(path.read_text("utf-8")) for path in SOURCES if "mien.words import" in path.read_text("utf-8")]
    asked = {pattern for tree in trees for node in ast.walk(tree) for pattern in _keys(node) if pattern[:1] != "."}
    sections = ("emotion.", "gesture.", "stage.", "link.source.", "batch.column.", "batch.kind.", "page.", "plate.")
    sections += (
        "reason.",
        "evaluation.average.",
        "train.figure.",
        "kept.",
    )  # names in data, and what data says: tests/words/test_kept.py
    exact = {pattern for pattern in asked if ".+" not in pattern}
    loose = [re.compile(pattern) for pattern in asked - exact if re.match(r"[a-z_]+\\\.", pattern)]
    for key in words("en").texts:
        if key in ("name", "plural", "capitals") or key.startswith((*sections, "join.")):
            continue
        is_asked = re.escape(key) in exact or any(pattern.fullmatch(key) for pattern in loose)
        assert is_asked, f"{key} is not used"
