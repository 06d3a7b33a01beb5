from __future__ import annotations

import ast
import json
import os
import re
from itertools import pairwise
from pathlib import Path

import pytest

import mien
from mien.addresses import named
from mien.wording import as_text, count, is_printable, json_text, trimmed, visible, visible_name
from mien.words import say

SOURCES = sorted(Path(mien.__file__).parent.rglob("*.py"))

COUNTED = re.compile(
    r"^ (?:\w+ )?(faces|hands|frames|images|pictures|photos|samples|epochs|rows|files|sources|classes|labels|runs|"
    r"videos|persons|problems|shots|copies|devices|groups|signers|columns|cores|threads|rounds|pairs|events|seconds|"
    r"models|steps|times|cameras|charts|splits|folders|sentences|answers)\b"
)
COUNT = re.compile(r"(^|[._])(n|count|number|frames|rows|rounds|found|left|more)$|len\(")


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [
        (0, "face", "0 faces"),
        (1, "face", "1 face"),
        (2, "bad row", "2 bad rows"),
        (1, "bad row", "1 bad row"),
        (1204, "frame", "1,204 frames"),
        (3, "exact copy", "3 exact copies"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
    ],
)
def test_count(number: int, noun: str, words: str) -> None:
    assert count(number, noun) == words


@pytest.mark.parametrize(
    ("text", "short"), [(" a ", "a"), ("\u200d a\u200c \u200c", "a"), ("a\u200cb", "a\u200cb"), ("", "")]
)
def test_trimmed(text: str, short: str) -> None:
    assert trimmed(text) == short


def test_joiners_can_be_printed_and_control_characters_cannot() -> None:
    assert is_printable("ab\u200ccd 👨\u200d👩")
    assert not any(is_printable(f"a{letter}b") for letter in "\n\x07\u202e\u200f\u2060\U000e0067")


def test_count_takes_an_odd_plural() -> None:
    assert count(2, "row or file", "rows or files") == "2 rows or files"
    assert count(1, "row or file", "rows or files") == "1 row or file"


def _plurals_after_numbers(path: Path) -> list[str]:
    """f-strings in which a plural follows a value that may be one, e.g. `f"{len(faces)} faces"`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in pairwise(node.values):
            is_text = isinstance(after, ast.Constant) and COUNTED.match(str(after.value))
            if isinstance(value, ast.FormattedValue) and is_text and _may_be_one(value):
                found.append(f"{path.name}:{node.lineno}: {ast.unparse(value)}{after.value!r}")
    return found


def _may_be_one(value: ast.FormattedValue) -> bool:
    """Whether it is a count by its looks: a length, a number with thousands, or a name for one; no constant."""
    text = ast.unparse(value.value)
    is_grouped = value.format_spec is not None and ":," in ast.unparse(value)
    return is_grouped or COUNT.search(text) is not None


def test_numbers_and_plurals_meet_in_one_place() -> None:
    strange = [line for path in SOURCES for line in _plurals_after_numbers(path)]
    assert strange == [], "say it with mien.wording.count"


def test_names_that_are_no_text_are_the_same_in_json_as_elsewhere() -> None:
    name = os.fsdecode(b"caf\xe9 \\ \xe4\xbd\xa0.mp4")
    assert as_text(name) == "caf\\udce9 \\ 你.mp4"
    for data in ({name: [name]}, [name, "你", 1.5, None]):
        text = json_text(data)
        text.encode()
        assert json.loads(text) == json.loads(json.dumps(data).replace("\\udce9", "\\\\udce9"))
    assert json_text(["你"]) == '["你"]'
    assert as_text(as_text(name)) == as_text(name)
    with pytest.raises(ValueError, match="float"):
        json_text(float("nan"), allow_nan=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u9ad8\u5174 \U0001f600.jpg", "plain \u9ad8\u5174 \U0001f600.jpg"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("c\x9b31m\x7f\r", r"c\x9b31m\x7f\r"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\udcff.jpg", "\udcff.jpg"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_only_what_a_terminal_obeys_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible_name(Path(text)) == shown.replace("\n", r"\n").replace("\t", r"\t")


def test_sentences_show_names_safely() -> None:
    path = Path("a\x1b[2J\nb.jpg")
    assert named(path) == r"a\x1b[2J\nb.jpg"
    assert say("look.line", path=path, words="1 face") == r"a\x1b[2J\nb.jpg: 1 face"
    assert "rtsp://camera" in named("\nrtsp://user:secret@camera/\x1b")
