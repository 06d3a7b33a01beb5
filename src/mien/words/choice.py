"""The language in which this process speaks to people: the one asked for, MIEN_LANGUAGE, the system's, or English."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mien.errors import UnknownName
from mien.words.texts import Words, known_languages, read_words

VARIABLE = "MIEN_LANGUAGE"
FALLBACK = "en"

_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")
_chosen: str | None = None
_instead: ContextVar[str | None] = ContextVar("mien_language_instead", default=None)


def choose(asked: str | None) -> None:
    """Speak this language from now on, in the whole process; None goes by the environment again.

    Args:
        asked: a tag such as `zh`, `zh-CN` or `zh_CN.UTF-8`; only the part before the region counts.

    Raises:
        UnknownName: there are no words for it; the languages that there are words for are named.
    """
    global _chosen
    _chosen = None if asked is None else _known(asked, "language")


def language() -> str:
    """The tag of the language that is spoken now.

    Raises:
        UnknownName: MIEN_LANGUAGE names one that there are no words for.
    """
    tag = _instead.get()
    if tag is not None:
        return tag
    if _chosen is not None:
        return _chosen
    named = os.environ.get(VARIABLE)
    if named:
        return _known(named, f"language for {VARIABLE}")
    tag = _main(_system())
    return tag if tag in known_languages() else FALLBACK


@contextmanager
def instead(tag: str) -> Iterator[None]:
    """Within it, in this thread, mien speaks another language, such as one that can be drawn.

    Args:
        tag: one of `languages`.
    """
    before = _instead.set(tag)
    try:
        yield
    finally:
        _instead.reset(before)


def languages() -> tuple[str, ...]:
    """The languages that there are words for, English first."""
    return known_languages()


def words(tag: str | None = None) -> Words:
    """The words of a language; of the one that is spoken now if none is named."""
    return read_words(language() if tag is None else tag)


def say(key: str, /, **values: object) -> str:
    """A text in the language that is spoken now; see `Words.say`."""
    return words().say(key, **values)


def percent(share: float, digits: int = 1) -> str:
    """A share from 0 to 1, in percent: "68.1 %"."""
    return say("share", number=f"{100 * share:.{digits}f}")


def listed(items: Iterable[str]) -> str:
    """The items of a list: "happy, sad"."""
    return words().join("items", list(items))


def _known(asked: str, what: str) -> str:
    tag = _main(asked)
    if tag not in known_languages():
        raise UnknownName(what, asked, known_languages())
    return tag


def _main(tag: str) -> str:
    """The language of a tag or locale alone: `zh` of `zh_Hans_CN.UTF-8` and of `zh@pinyin`."""
    return re.split(r"[-_.@]", tag.strip(), maxsplit=1)[0].lower()


def _system() -> str:
    """The system's locale; empty if it says nothing."""
    named = next((value for name in _LOCALE if (value := os.environ.get(name))), "")
    return named or (_windows() if sys.platform == "win32" else "")


def _windows() -> str:
    """The language of Windows' own windows, as a locale."""
    import ctypes
    import locale

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - only there on Windows
    return locale.windows_locale.get(kernel.GetUserDefaultUILanguage(), "")
