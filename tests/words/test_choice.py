from __future__ import annotations

import pytest

from mien.errors import UnknownName
from mien.words import choose, language, say


@pytest.fixture(autouse=True)
def no_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIEN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.GB2312"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN@radical"}, "zh"),
        ({"LANG": "zh@pinyin"}, "zh"),
        ({"LANG": "zh"}, "zh"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "MIEN_LANGUAGE": "en"}, "en"),
        ({"LANG": "en_US.UTF-8", "MIEN_LANGUAGE": "zh"}, "zh"),
        ({"MIEN_LANGUAGE": "ZH-hans-CN"}, "zh"),
        ({"MIEN_LANGUAGE": "", "LANG": "zh_CN.UTF-8"}, "zh"),
    ],
)
def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], spoken: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language() == spoken


def test_what_is_asked_for_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_LANGUAGE", "en")
    choose("zh_CN.UTF-8")
    assert (language(), say("seen.faces", n=2)) == ("zh", "2 张脸")
    choose(None)
    assert (language(), say("seen.faces", n=2)) == ("en", "2 faces")


def test_an_unknown_language_is_named_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="There is no language 'fr'; available: en, zh"):
        choose("fr")
    monkeypatch.setenv("MIEN_LANGUAGE", "cn")
    with pytest.raises(UnknownName, match="There is no language for MIEN_LANGUAGE 'cn'; available: en, zh"):
        language()
