"""What mien says about an expression or a gesture: sentences from a TOML file, chosen on stable changes.

`Responses` is the validated file: the package's own for the language spoken (`responses` in the files of `mien.words`),
with whatever a user's file replaces. The English sentences were recorded once and lie in `prompts/` as WAV files, a
folder per label, named by their text; those of other languages are spoken by an engine of the system.
"""

from __future__ import annotations

import hashlib
import re
import string
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Predicate

from mien.errors import RecipeError, UnknownName
from mien.labels import EMOTIONS_8, GESTURES, TASKS, Task
from mien.schema import checked
from mien.wording import is_printable
from mien.words import language as spoken_language
from mien.words import languages, words

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PLACEHOLDERS = ("label", "confidence", "count")
PROMPTS = Path(__file__).parent / "prompts"

_SETTINGS: Mapping[str, Any] = {"priority": ["gesture", "emotion"], "cooldown": {"any_s": 10.0, "label_s": 20.0}}
"""Of every language's own responses; see `Responses`."""

_MOST_CHARACTERS = 200
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something to say.

    Args:
        text: the words, placeholders filled.
        label: the expression or gesture it answers.
        task: `emotion` or `gesture`.
        time_s: when, in seconds since the start of the source.
        prompt: the package's WAV file with exactly these words; None for your own words.
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
        words: by label: the word for `{label}`; a label without one is used as is.
        counts: words for `{count}`, starting at one, the last for all larger numbers; if empty, digits are used.
        notices: `camera` and `no_face`, shown in the window.
        language: language tag of the sentences, e.g. `en` or `pt-br`.
        other_gestures: sentences for gestures that have none of their own and are not the package's.
        priority: both tasks, the one answered first at the front.
        cooldown_s: seconds from one sentence to the next.
        label_cooldown_s: seconds before the same label is answered again.
        piper_voice: a voice file for Piper; None for whatever is installed.
        voice: name of the voice that speaks everything, the package's own sentences too; empty for any.
    """

    sentences: Mapping[Task, Mapping[str, tuple[str, ...]]]
    words: Mapping[str, str]
    counts: tuple[str, ...]
    other_gestures: tuple[str, ...]
    notices: Mapping[str, str]
    language: str
    priority: tuple[Task, ...]
    cooldown_s: float
    label_cooldown_s: float
    piper_voice: Path | None = None
    voice: str = ""

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        emotions: Collection[str] = EMOTIONS_8.labels,
        gestures: Collection[str] = GESTURES.labels,
        language: str | None = None,
    ) -> Responses:
        """The package's responses, with whatever a user's file replaces.

        Args:
            path: a TOML file; None for the package's own. One in another language, for which there are words here,
                builds on that language.
            emotions: labels that may have sentences; name those of your model if it has others.
            gestures: likewise.
            language: of the package's responses; the one that is spoken now by default.

        Raises:
            UnknownName: an unknown setting, label, task or placeholder; the nearest valid one is named.
            RecipeError: the file cannot be read, is not TOML, or a value is not valid.
        """
        spoken = language or spoken_language()
        if path is None:
            return _packaged(spoken)
        file = _Reader(Path(path), _read(Path(path)), emotions, gestures)
        tongue = _tongue(file.language or spoken)
        return file.over(_packaged(tongue if tongue in languages() else spoken))

    def in_language(self, tag: str) -> Responses:
        """The package's responses in another language, unless these are not the package's, or there are none in it.

        Args:
            tag: of the language.
        """
        tongue = _tongue(self.language)
        is_packaged = tongue in languages() and self == _packaged(tongue)
        return _packaged(tag) if is_packaged and tag in languages() else self

    def answers(self, task: Task, label: str) -> tuple[str, ...]:
        """The sentences for a label, with their placeholders; none if nothing is said."""
        if label in self.sentences[task]:
            return self.sentences[task][label]
        return self.other_gestures if task == "gesture" and label not in GESTURES else ()

    def text(self, sentence: str, *, label: str, confidence: float | None, count: int) -> str:
        """A sentence with its placeholders filled in and its first letter capitalised.

        Args:
            sentence: one of `sentences`.
            label: for `{label}`.
            confidence: 0 to 1, for `{confidence}`; None writes a dash.
            count: from 1, for `{count}`.
        """
        number = self.counts[min(count, len(self.counts)) - 1] if self.counts else str(count)
        share = "-" if confidence is None else words().say("percent", share=100 * confidence)
        text = sentence.format(label=self.words.get(label, label), confidence=share, count=number)
        return text[:1].upper() + text[1:]

    def texts(self) -> list[tuple[str, str]]:
        """Every (label, text) that sentences without `{confidence}` can give; prompts are recorded from these."""
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
    """Names of the placeholders in a sentence; ValueError if its braces do not match."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def prompt_path(label: str, text: str) -> Path:
    """Where the prompt for a text would lie, named by a hash of the text: a changed text has no prompt."""
    return PROMPTS / label / f"{hashlib.sha256(text.encode()).hexdigest()[:10]}.wav"


def prompt_for(label: str, text: str) -> Path | None:
    """The package's WAV file with exactly this text; None if there is none."""
    path = prompt_path(label, text)
    return path if path.is_file() else None


def _is_line(text: str) -> bool:
    line = text.strip()
    if len(line) > _MOST_CHARACTERS or not is_printable(line):
        raise ValueError(f"must be one line of up to {_MOST_CHARACTERS} characters, got {len(line)} ({line[:30]!r}...)")
    return bool(line)


Line = Annotated[str, Predicate(_is_line)]


@dataclass(frozen=True, kw_only=True)
class _Cooldown:
    any_s: Annotated[float, Ge(0)] | None = None
    label_s: Annotated[float, Ge(0)] | None = None


@dataclass(frozen=True, kw_only=True)
class _Notices:
    camera: Line | None = None
    no_face: Line | None = None


@dataclass(frozen=True, kw_only=True)
class _File:
    """A responses file as written; None for what it does not state."""

    language: str | None = None
    counts: tuple[Line, ...] | None = None
    priority: tuple[Task, ...] | None = None
    piper_voice: str | None = None
    cooldown: _Cooldown = field(default_factory=_Cooldown)
    notices: _Notices = field(default_factory=_Notices)
    words: Mapping[str, Line] = field(default_factory=dict)
    emotion: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    gesture: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    other_gestures: tuple[Line, ...] | None = None


@lru_cache(8)
def _packaged(tag: str) -> Responses:
    """The package's own responses in a language."""
    said = words(tag)
    data = {
        **said.responses,
        **_SETTINGS,
        "words": {label: said.label("emotion", label) for label in EMOTIONS_8.labels},
    }
    return _Reader(said.path, data, EMOTIONS_8.labels, GESTURES.labels).over(None)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise RecipeError(f"The responses file {path} cannot be read: {reason}; name a TOML file.") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise RecipeError(f"The responses file {path} is not valid TOML in UTF-8: {exc}") from exc


class _Reader:
    """Reads one responses file; every error names it."""

    def __init__(self, path: Path, data: dict[str, Any], emotions: Collection[str], gestures: Collection[str]) -> None:
        self._path = path
        self._labels: dict[Task, Collection[str]] = {"gesture": gestures, "emotion": emotions}
        for task in TASKS:
            if isinstance(data.get(task), dict):  # a single sentence needs no list brackets
                data[task] = {
                    label: [value] if isinstance(value, str) else value for label, value in data[task].items()
                }
        self._file = checked(_File, data, whole=path.name, wrong=self._wrong)
        self.language = self._language()

    def over(self, base: Responses | None) -> Responses:
        """The responses of this file, on top of others; without others it must be complete."""
        file = self._file
        self._known(file.words, [*self._labels["emotion"], *self._labels["gesture"]], "label in [words]")
        named = {label: word.strip() for label, word in file.words.items()}
        notices = {name: text.strip() for name, text in asdict(file.notices).items() if text is not None}
        given = {
            "language": self.language,
            "counts": None if file.counts is None else tuple(word.strip() for word in file.counts),
            "priority": self._priority(),
            "other_gestures": self._other_gestures(),
            "cooldown_s": file.cooldown.any_s,
            "label_cooldown_s": file.cooldown.label_s,
        }
        own: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        own |= {} if file.piper_voice is None else {"piper_voice": self._voice(file.piper_voice)}
        sentences = {task: self._sentences(task) for task in TASKS}
        if base is None:
            return Responses(sentences=sentences, words=named, notices=notices, **own)
        if _tongue(own.get("language", base.language)) != _tongue(base.language):
            # Otherwise a voice of another language would read English sentences.
            base = replace(base, sentences={task: {} for task in TASKS}, words={}, counts=(), other_gestures=())
        return replace(
            base,
            sentences={task: {**base.sentences[task], **sentences[task]} for task in TASKS},
            words={**base.words, **named},
            notices={**base.notices, **notices},
            **own,
        )

    def _sentences(self, task: Task) -> dict[str, tuple[str, ...]]:
        table = self._file.emotion if task == "emotion" else self._file.gesture
        self._known(table, self._labels[task], f"label in [{task}]")
        for label, sentences in table.items():
            for sentence in sentences:
                self._check_placeholders(f"{task}.{label}", sentence)
        return {label: tuple(sentence.strip() for sentence in sentences) for label, sentences in table.items()}

    def _other_gestures(self) -> tuple[str, ...] | None:
        sentences = self._file.other_gestures
        for sentence in sentences or ():
            self._check_placeholders("other_gestures", sentence)
        return None if sentences is None else tuple(sentence.strip() for sentence in sentences)

    def _check_placeholders(self, where: str, sentence: str) -> None:
        try:
            names = placeholders(sentence)
            for name in names:
                if name not in PLACEHOLDERS:
                    raise UnknownName(f"placeholder in {where}", name, PLACEHOLDERS)
            sentence.format(**dict.fromkeys(names, "1"))
        except ValueError as exc:
            raise self._wrong(
                f"{where} has an unmatched brace or a format, {sentence!r}; write {{{{ for a brace"
            ) from exc

    def _language(self) -> str | None:
        value = self._file.language
        if value is not None and not _LANGUAGE.fullmatch(value):
            raise self._wrong(f'language must be a tag such as "en" or "pt-br", got {value!r}')
        return None if value is None else value.lower()

    def _priority(self) -> tuple[Task, ...] | None:
        tasks = self._file.priority
        if tasks is not None and sorted(tasks) != sorted(TASKS):
            raise self._wrong(f"priority must name gesture and emotion once each, got {list(tasks)}")
        return tasks

    def _voice(self, value: str) -> Path | None:
        if not value:
            return None
        path = (self._path.parent / Path(value).expanduser()).resolve()
        for needed in (path, path.with_name(f"{path.name}.json")):
            if not needed.is_file():
                raise self._wrong(f"piper_voice needs the file {needed}, which does not exist")
        return path

    def _known(self, table: Iterable[str], valid: Collection[str], kind: str) -> None:
        for key in table:
            if key not in valid:
                raise UnknownName(f"{kind} ({self._path.name})", key, valid)

    def _wrong(self, sentence: str) -> RecipeError:
        return RecipeError(f"{self._path}: {sentence}.")


def _tongue(language: str) -> str:
    return language.split("-")[0]
