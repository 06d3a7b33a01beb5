"""Sentences that data keeps: written in English, as everything that programs read, and shown in the language of today.

A caveat of a data set or a note in metrics.json outlives the run that wrote it, which may have spoken another language.
So `kept` makes such a sentence in English, from the texts under `kept.`; `again` finds out which of them a sentence is,
and says it once more with its numbers and names.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from functools import lru_cache

from mien.words.choice import FALLBACK, words
from mien.words.texts import Text, Words, read_words

_SECTION = "kept."
_LIST = "labels"  # the placeholder whose text is a list


def kept(key: str, /, **values: object) -> str:
    """A sentence for data, in English.

    Args:
        key: its name, under `kept.`.
        values: by placeholder; several names, under `labels`, as one text joined by ", ".
    """
    return read_words(FALLBACK).say(key, **values)


def again(sentence: str) -> str:
    """What data says, in the language that is spoken now; as it is, if `kept` did not make it."""
    said = words()
    if said.language == FALLBACK:
        return sentence
    for key, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            values = {name: _value(name, value, said) for name, value in found.groupdict().items()}
            return "".join(
                literal + (values[name] if name is not None else "")
                for literal, name, _, _ in string.Formatter().parse(said.form(key, _count(values)))
            )
    return sentence


@lru_cache(1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What an English text looks like when it is filled in, those with the most words of their own first."""
    texts = [(key, form) for key, text in read_words(FALLBACK).texts.items() for form in _forms(key, text)]
    texts.sort(key=lambda pair: -len("".join(literal for literal, *_ in string.Formatter().parse(pair[1]))))
    return tuple((key, re.compile(_pattern(form), re.DOTALL)) for key, form in texts)


def _forms(key: str, text: Text) -> Iterator[str]:
    if not key.startswith(_SECTION) or isinstance(text, list):
        return
    yield from [text] if isinstance(text, str) else text.values()


def _pattern(text: str) -> str:
    parts, seen = [], set[str]()
    for literal, name, _, _ in string.Formatter().parse(text):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.*?)")
            seen.add(name)
    return "".join(parts)


def _value(name: str, value: str, said: Words) -> str:
    return said.join("items", value.split(", ")) if name == _LIST else again(value)


def _count(values: Mapping[str, str]) -> int:
    """The number that a plural goes by."""
    digits = values.get("n", "").replace(",", "")
    return int(digits) if digits.isdecimal() else 0
