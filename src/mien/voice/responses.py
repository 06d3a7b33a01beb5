"""What mien says to an expression or a gesture: sentences from a TOML file, chosen on stable changes.

`Responses` is the file, checked: the package's own (`prompts/responses.toml`, which documents the form), with what a
user's file replaces. The sentences of the package were spoken once and lie beside it as WAV files, named by their text.
"""

from __future__ import annotations

import hashlib
import math
import re
import string
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mien.errors import RecipeError, UnknownName
from mien.labels import EMOTIONS_8, GESTURES, TASKS, Task

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLACEHOLDERS = ("label", "confidence", "count")
PROMPTS = Path(__file__).parent / "prompts"

_DEFAULT = PROMPTS / "responses.toml"
_MOST_CHARACTERS = 200
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_SETTINGS = ("language", "counts", "priority", "piper_voice", "cooldown", "notices", "words", "emotion", "gesture")
_COOLDOWNS = ("any_s", "label_s")
_NOTICES = ("camera", "no_face")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something to say.

    Args:
        text: the words, placeholders filled.
        label: the expression or gesture it answers.
        task: `emotion` or `gesture`.
        time_s: when, in seconds since the start of the source.
        prompt: the package's WAV file of exactly these words; None for words of your own.
    """

    text: str
    label: str
    task: Task
    time_s: float
    prompt: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Responses:
    """Sentences for labels, and how often they may be said.

    Args:
        sentences: by task, by label: the sentences with their placeholders.
        words: by label: the word for `{label}`; a label without one stands for itself.
        counts: words for `{count}`, one first, the last for all larger numbers; none writes figures.
        notices: `camera` and `no_face`, to be shown.
        language: language tag of the sentences, e.g. `en` or `pt-br`.
        priority: both tasks, the one that is answered first at the front.
        cooldown_s: seconds from one sentence to the next.
        label_cooldown_s: seconds before the same label is answered again.
        piper_voice: a voice file for Piper; None for what is installed.
    """

    sentences: Mapping[Task, Mapping[str, tuple[str, ...]]]
    words: Mapping[str, str]
    counts: tuple[str, ...]
    notices: Mapping[str, str]
    language: str
    priority: tuple[Task, ...]
    cooldown_s: float
    label_cooldown_s: float
    piper_voice: Path | None = None

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        emotions: Sequence[str] = EMOTIONS_8.labels,
        gestures: Sequence[str] = GESTURES.labels,
    ) -> Responses:
        """The package's responses, with what a file of the user's replaces.

        Args:
            path: a TOML file; None for the package's own.
            emotions: labels that may have sentences; name those of your model if it has others.
            gestures: likewise.

        Raises:
            UnknownName: an unknown setting, label, task or placeholder; the nearest valid one is named.
            RecipeError: the file cannot be read, is no TOML, or a value cannot be meant.
        """
        own = _Reader(_DEFAULT, EMOTIONS_8.labels, GESTURES.labels).over(None)
        return own if path is None else _Reader(Path(path), emotions, gestures).over(own)

    def text(self, sentence: str, *, label: str, confidence: float | None, count: int) -> str:
        """A sentence with its placeholders filled and its first letter large.

        Args:
            sentence: one of `sentences`.
            label: for `{label}`.
            confidence: 0 to 1, for `{confidence}`; None writes a dash.
            count: from 1, for `{count}`.
        """
        number = self.counts[min(count, len(self.counts)) - 1] if self.counts else str(count)
        share = "-" if confidence is None else f"{100 * confidence:.0f} %"
        text = sentence.format(label=self.words.get(label, label), confidence=share, count=number)
        return text[:1].upper() + text[1:]

    def texts(self) -> list[tuple[str, str]]:
        """Every (label, text) that can come out of sentences without `{confidence}`; what prompts are made of."""
        found = []
        for by_label in self.sentences.values():
            for label, sentences in by_label.items():
                for sentence in sentences:
                    names = placeholders(sentence)
                    if "confidence" not in names:
                        counts = range(2, len(self.counts) + 1) if "count" in names else (1,)
                        found += [
                            (label, self.text(sentence, label=label, confidence=None, count=count)) for count in counts
                        ]
        return found


def placeholders(sentence: str) -> frozenset[str]:
    """Names of the placeholders in a sentence; ValueError when its braces do not pair."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def prompt_name(label: str, text: str) -> str:
    """The file name of the prompt for a text: it carries a hash of the words, so changed words have no prompt."""
    return f"{label}_{hashlib.sha256(text.encode()).hexdigest()[:10]}.wav"


def prompt_for(label: str, text: str) -> Path | None:
    """The package's WAV file of exactly this text, None when there is none."""
    path = PROMPTS / prompt_name(label, text)
    return path if path.is_file() else None


class _Reader:
    """Reads one responses file; every complaint names it."""

    def __init__(self, path: Path, emotions: Sequence[str], gestures: Sequence[str]) -> None:
        self._path = path
        self._labels: dict[Task, Sequence[str]] = {"gesture": gestures, "emotion": emotions}
        try:
            self._data = tomllib.loads(path.read_text("utf-8-sig"))
        except OSError as exc:
            reason = (exc.strerror or str(exc)).lower()
            raise RecipeError(f"The responses file {path} cannot be read: {reason}; name a TOML file.") from exc
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
            raise RecipeError(f"The responses file {path} is no valid TOML, which is UTF-8 text: {exc}") from exc

    def over(self, base: Responses | None) -> Responses:
        """The responses of this file, on top of others; without others it must be complete."""
        self._known(self._data, _SETTINGS, "setting in the responses")
        words = self._named("words", [*self._labels["emotion"], *self._labels["gesture"]], "label in [words]")
        notices = self._named("notices", _NOTICES, "notice")
        cooldown = self._table("cooldown")
        self._known(cooldown, _COOLDOWNS, "setting in [cooldown]")
        own: dict[str, Any] = {}
        own |= {"language": self._language()} if "language" in self._data else {}
        own |= {"counts": self._texts("counts", self._data["counts"])} if "counts" in self._data else {}
        own |= {"priority": self._priority(self._data["priority"])} if "priority" in self._data else {}
        own |= {"cooldown_s": self._seconds(cooldown, "any_s")} if "any_s" in cooldown else {}
        own |= {"label_cooldown_s": self._seconds(cooldown, "label_s")} if "label_s" in cooldown else {}
        own |= {"piper_voice": self._voice()} if "piper_voice" in self._data else {}
        sentences = {task: self._sentences(task) for task in TASKS}
        if base is None:
            return Responses(sentences=sentences, words=words, notices=notices, **own)
        if _tongue(own.get("language", base.language)) != _tongue(base.language):
            # English sentences would be read out by a voice of another language.
            base = replace(base, sentences={task: {} for task in TASKS}, words={}, counts=())
        return replace(
            base,
            sentences={task: {**base.sentences[task], **sentences[task]} for task in TASKS},
            words={**base.words, **words},
            notices={**base.notices, **notices},
            **own,
        )

    def _sentences(self, task: Task) -> dict[str, tuple[str, ...]]:
        table = self._table(task)
        self._known(table, self._labels[task], f"label in [{task}]")
        found = {}
        for label, value in table.items():
            where = f"{task}.{label}"
            found[label] = self._texts(where, [value] if isinstance(value, str) else value)
            for sentence in found[label]:
                self._check_placeholders(where, sentence)
        return found

    def _check_placeholders(self, where: str, sentence: str) -> None:
        try:
            names = placeholders(sentence)
            for name in names:
                if name not in PLACEHOLDERS:
                    raise UnknownName(f"placeholder in {where}", name, PLACEHOLDERS)
            sentence.format(**dict.fromkeys(names, "1"))
        except ValueError as exc:
            raise self._wrong(
                f"{where} has a brace without a partner or a format, {sentence!r}; write {{{{ for a brace"
            ) from exc

    def _texts(self, where: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self._wrong(f"{where} is a list of texts, not {value!r}")
        return tuple(self._text(where, item) for item in value)

    def _text(self, where: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(f"{where} needs a text with words in it, not {value!r}")
        text = value.strip()
        if len(text) > _MOST_CHARACTERS or not text.isprintable():
            raise self._wrong(
                f"{where} takes one line of up to {_MOST_CHARACTERS} characters, not {len(text)} ({text[:30]!r}...)"
            )
        return text

    def _named(self, table: str, valid: Sequence[str], kind: str) -> dict[str, str]:
        values = self._table(table)
        self._known(values, valid, kind)
        return {name: self._text(f"{table}.{name}", value) for name, value in values.items()}

    def _language(self) -> str:
        value = self._data["language"]
        if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
            raise self._wrong(f'language is a tag such as "en" or "pt-br", not {value!r}')
        return value.lower()

    def _priority(self, value: object) -> tuple[Task, ...]:
        names = self._texts("priority", value)
        for name in names:
            if name not in TASKS:
                raise UnknownName("task in priority", name, TASKS)
        if len(names) != len(TASKS) or set(names) != set(TASKS):
            raise self._wrong(f"priority names gesture and emotion once each, not {list(names)}")
        return tuple(task for name in names for task in TASKS if task == name)

    def _seconds(self, table: Mapping[str, Any], name: str) -> float:
        value = table[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise self._wrong(f"cooldown.{name} is a number of seconds from 0, not {value!r}")
        return float(value)

    def _voice(self) -> Path | None:
        value = self._data["piper_voice"]
        if not isinstance(value, str):
            raise self._wrong(f"piper_voice is the path of a .onnx file, not {value!r}")
        if not value:
            return None
        path = (self._path.parent / Path(value).expanduser()).resolve()
        for needed in (path, path.with_name(f"{path.name}.json")):
            if not needed.is_file():
                raise self._wrong(f"piper_voice needs the file {needed}, which is not there")
        return path

    def _table(self, name: str) -> Mapping[str, Any]:
        value = self._data.get(name, {})
        if not isinstance(value, Mapping):
            raise self._wrong(f"{name} is a table of settings, written [{name}], not {value!r}")
        return value

    def _known(self, table: Mapping[str, Any], valid: Sequence[str], kind: str) -> None:
        for key in table:
            if key not in valid:
                raise UnknownName(f"{kind} ({self._path.name})", key, valid)

    def _wrong(self, sentence: str) -> RecipeError:
        return RecipeError(f"{self._path}: {sentence}.")


def _tongue(language: str) -> str:
    return language.split("-")[0]
