"""One language: its texts with their placeholders, its plurals, and how it joins what belongs together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from mien.errors import UnknownName
from mien.wording import visible, visible_name

FOLDER = Path(__file__).parent


def _slavic(n: int) -> str:
    if n % 10 == 1 and n % 100 != 11:
        return "one"
    return "few" if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else "many"


PLURALS: Mapping[str, Callable[[int], str]] = {
    "none": lambda _: "other",
    "one": lambda n: "one" if n == 1 else "other",
    "zero-one": lambda n: "one" if n in (0, 1) else "other",
    "slavic": _slavic,
}
"""How languages count: none as Chinese, one as English, zero-one as French, slavic as Russian; gives a form's name."""

_COUNTED = frozenset({"zero", "one", "two", "few", "many", "other"})
_GRADED = frozenset({"word", "sure", "perhaps", "label"})

Text = str | list[str] | dict[str, str]
"""What stands under a key: a text; several; or the forms of one, by plural (`other` and so on) or by grade (`word`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The texts of one language.

    Args:
        language: its tag, `en`.
        path: of its file.
        texts: by key, as `look.video`.
        responses: what is said about expressions and gestures, in the form of a responses file.
    """

    language: str
    path: Path
    texts: Mapping[str, Text]
    responses: Mapping[str, Any] = field(repr=False)

    def say(self, key: str, /, **values: object) -> str:
        """The text of a key with its placeholders filled in; of a text with plurals the form that `n` asks for.

        Args:
            key: its name; KeyError for an unknown one.
            values: by placeholder; `n` is the number that a plural goes by. Control characters in them are written out.
        """
        form = self.form(key, int(str(values["n"])) if isinstance(self.texts[key], dict) else 0)
        return form.format(**{name: _shown(value) for name, value in values.items()})

    def form(self, key: str, n: int) -> str:
        """The text of a key, not filled in; of a text with plurals the form for the number `n`."""
        text = self.texts[key]
        if isinstance(text, list):
            raise TypeError(f"{key} has several texts; ask for all of them")
        if isinstance(text, dict):
            return text.get(PLURALS[str(self.texts["plural"])](n), text["other"])
        return text

    def all(self, key: str) -> tuple[str, ...]:
        """The texts of a key that has several."""
        return tuple(self.texts[key])

    def join(self, how: str, parts: Sequence[str]) -> str:
        """What belongs together in one text.

        Args:
            how: `items` of a list, `clauses` of a sentence, `parts` that could be sentences, or whole `sentences`.
            parts: any number.
        """
        return str(self.texts[f"join.{how}"]).join(parts)

    def begun(self, text: str) -> str:
        """The text as the beginning of a sentence: with a capital, where the language has them."""
        return text[:1].upper() + text[1:] if self.texts["capitals"] == "first" else text

    def label(self, task: str, label: str, form: str = "word") -> str:
        """What an expression or a gesture is called; one that is not the package's is called by its label.

        Args:
            task: `emotion` or `gesture`.
            label: as in data.
            form: `word` for the word alone; `sure` and `perhaps` for what these grades are said with; `label` for bars.
        """
        text = self.texts.get(f"{task}.{label}", label)
        return text.get(form, text["word"]) if isinstance(text, dict) else str(text)

    def below(self, section: str) -> dict[str, Text]:
        """The texts whose keys begin with `section.`, by the rest of their keys."""
        return {key[len(section) + 1 :]: text for key, text in self.texts.items() if key.startswith(f"{section}.")}


@lru_cache(8)
def read_words(language: str) -> Words:
    """The words of a language that has a file here.

    Raises:
        UnknownName: it has none.
    """
    if language not in known_languages():
        raise UnknownName("language", language, known_languages())
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    path = FOLDER / f"{language}.toml"
    data = tomllib.loads(path.read_text("utf-8"))
    responses = data.pop("responses")
    return Words(language=language, path=path, texts=dict(_flat(data)), responses=responses)


@lru_cache(1)
def known_languages() -> tuple[str, ...]:
    """The languages that have a file here, English first."""
    return tuple(sorted((path.stem for path in FOLDER.glob("*.toml")), key=lambda tag: (tag != "en", tag)))


def _flat(data: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Text]]:
    for name, value in data.items():
        is_section = isinstance(value, dict) and not _is_text(value)
        if is_section:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _is_text(table: Mapping[str, Any]) -> bool:
    """Whether a table holds the forms of one text."""
    names = set(table)
    return ("other" in names and names <= _COUNTED) or ("word" in names and names <= _GRADED)


def _shown(value: object) -> object:
    if isinstance(value, PurePath):
        return visible_name(value)
    return visible(value) if type(value) is str else value
