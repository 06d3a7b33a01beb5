from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

import mien.serve
from mien.labels import EMOTIONS_8, GESTURES, TASKS
from mien.models.manifest import Purpose
from mien.serve.page import page_words, policy
from mien.stages.baseline import BASELINE_S
from mien.words import languages, words

PAGE = Path(mien.serve.__file__).parent / "page"
WORDS = {language: page_words(language) for language in languages()}
CODE = [path for path in sorted(PAGE.iterdir()) if path.suffix in (".html", ".js", ".css")]
ALL = "\n".join(path.read_text("utf-8") for path in CODE)


def test_every_text_that_is_used_exists_and_none_is_left_over() -> None:
    own, known = set(words("en").below("page")), set(WORDS["en"])
    plain = set(re.findall(r'data-t(?:-label)?="([\w.]+)"|say\("([\w.]+)"', ALL))
    named = {key for pair in plain for key in pair if key}
    assert named <= known
    made = ["".join("[\\w.]+" if i % 2 else re.escape(part) for i, part in enumerate(re.split(r"\$\{(.*?)\}", text)))
            for text in re.findall(r"say\(`([^`]+)`", ALL)]  # fmt: skip
    quoted = set(re.findall(r'"([\w.]+)"', ALL))
    for key in sorted(own - named):
        assert key in quoted or any(re.fullmatch(pattern, key) for pattern in made), f"{key} is not used"
    for pattern in made:
        assert any(re.fullmatch(pattern, key) for key in known), pattern


@pytest.mark.parametrize("language", sorted(WORDS))
def test_every_language_has_all_texts_without_formats(language: str) -> None:
    own = WORDS[language]
    assert own.keys() == WORDS["en"].keys()
    for text in own.values():
        for form in [text] if isinstance(text, str) else text if isinstance(text, list) else text.values():
            assert not re.search(r"\{\w+:", form), form
    assert own["seen.faces"] in ("{n} 张脸", {"one": "{n} face", "other": "{n} faces"})


def test_nothing_comes_from_elsewhere() -> None:
    addresses = set(re.findall(r"https?://[\w./-]+", ALL))
    assert addresses == {"http://www.w3.org/2000/svg"}, "the name of a namespace, which nobody fetches"
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|javascript:|innerHTML|eval\(", ALL)
    for name in re.findall(r'(?:from|import) "\./([\w.]+)"', ALL) + re.findall(
        r'(?:src|href)="(?:page/)?([\w]+\.\w+)"', ALL
    ):
        assert (PAGE / name).is_file(), name
    assert "localStorage" not in ALL
    assert "cookie" not in ALL


def test_labels_are_those_of_the_server(server: Any) -> None:
    for label in (*EMOTIONS_8.labels, *GESTURES.labels):
        if label != "none":
            assert not re.search(rf"[\"'`>]{label}[\"'`<]", ALL), label
            assert label not in words("en").below("page").values()
    described = json.loads(server.ask("GET", "/v1/models")[2])
    assert list(described["tasks"]) == list(TASKS)
    assert [one["name"] for one in described["tasks"]["gesture"]["labels"]] == list(GESTURES.labels)
    assert described["baseline_s"] == BASELINE_S
    assert {"name": "fear", "word": "afraid", "colour": "#aa6cc8"} in described["tasks"]["emotion"]["labels"]
    assert {"name": "thumb_up", "word": "thumb up"}.items() <= described["tasks"]["gesture"]["labels"][4].items()
    chinese = json.loads(server.ask("GET", "/v1/models?language=zh")[2])
    assert chinese["language"] == "zh"
    assert {"name": "fear", "word": "害怕", "colour": "#aa6cc8"} in chinese["tasks"]["emotion"]["labels"]
    assert json.loads(server.ask("GET", "/v1/models?language=xx")[2]) == described


def test_the_policy_allows_this_server_and_nothing_else(server: Any) -> None:
    status, headers, body = server.ask("GET", "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert headers["content-security-policy"] == policy(f"127.0.0.1:{server.port}", ())
    rules = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["frame-ancestors"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["permissions-policy"].startswith("camera=(self)")
    assert server.ask("GET", "/", headers={"If-None-Match": headers["etag"]})[0] == 304
    assert body == (PAGE / "index.html").read_bytes()


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "words/../../app.py", "/etc/passwd", "none.js", ""])
def test_names_are_not_paths(server: Any, name: str) -> None:
    assert server.ask("GET", f"/page/{name}")[0] == 404


def test_languages_are_found(server: Any) -> None:
    assert json.loads(server.ask("GET", "/page/words/languages.json")[2]) == ["en", "zh"]
    for language in languages():
        assert json.loads(server.ask("GET", f"/page/words/{language}.json")[2]) == WORDS[language]


def test_cards_are_served(server: Any) -> None:
    card = json.loads(server.ask("GET", "/v1/models/emotion_residual")[2])["card"]
    assert card.startswith("# emotion_residual")
    status, _, body = server.ask("GET", "/v1/models/emotion_residul")
    assert (status, b"Did you mean 'emotion_residual'?" in body) == (404, True)
    assert server.ask("GET", "/v1/models/..%2f..%2fetc")[0] == 404


@pytest.mark.parametrize("language", sorted(WORDS))
def test_what_each_model_does_is_said_in_words(language: str) -> None:
    """`say` would show the key itself of a task without one."""
    assert {f"models.task.{task}" for task in get_args(Purpose)} <= set(WORDS[language])
    assert not [key for key, text in WORDS[language].items() if key.startswith("models.task.") and "_" in str(text)]
