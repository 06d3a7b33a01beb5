"""What a model is and expects, as its `manifest.json` states it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from mien.labels import LABEL_SETS, LabelSet
from mien.pixels.preprocess import InputSpec

Task = Literal["face_detection", "palm_detection", "hand_landmarks", "emotion", "gesture"]
TASKS: tuple[Task, ...] = get_args(Task)

FORMAT = 1
"""Form of the manifest; a folder of another form is refused."""

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
"""What a model may be called."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CLASSIFIERS = ("emotion", "gesture")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One measured figure, with all that is needed to measure it again.

    Args:
        metric: e.g. `accuracy`, `macro_f1`.
        value: the figure.
        data: the data set.
        split: which part of it.
        protocol: how the part was chosen and used.
        command: what prints this figure.
    """

    metric: str
    value: float
    data: str
    split: str
    protocol: str
    command: str

    def __post_init__(self) -> None:
        for name in ("metric", "data", "split", "protocol", "command"):
            _check_text(f"{name} of a score", getattr(self, name))
        _check_number(f"value of the score {self.metric!r}", self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a model is and expects.

    Args:
        name: lower case letters, digits, `_`, `.` and `-`.
        task: what it does.
        labels: name of the label set of its outputs; None for detectors and landmarks.
        input: the preprocessing.
        threshold: a detection with a lower score is dropped; an answer with a lower confidence is uncertain.
        temperature: logits are divided by it before the softmax.
        licence: SPDX name, or a sentence where there is none.
        origin: where the weights come from.
        sha256: of `model.onnx`, hexadecimal; `write_artifact` fills it in.
        scores: measured figures.
        version: of the weights, counted by whoever makes them.
    """

    name: str
    task: Task
    labels: str | None
    input: InputSpec
    threshold: float
    licence: str
    origin: str
    sha256: str = ""
    temperature: float = 1.0
    scores: tuple[Score, ...] = ()
    version: str = "1"

    def __post_init__(self) -> None:
        for field in ("name", "task", "licence", "origin", "version"):
            _check_text(field, getattr(self, field))
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name has lower case letters, digits, _ . and -, got {self.name!r}")
        if self.task not in TASKS:
            raise ValueError(f"task is one of {', '.join(TASKS)}, got {self.task!r}")
        if (self.task in _CLASSIFIERS) != (self.labels is not None):
            raise ValueError(f"labels is null for detectors and a label set for classifiers, got {self.labels!r}")
        if self.labels is not None and self.labels not in LABEL_SETS:
            raise ValueError(f"labels is one of {', '.join(LABEL_SETS)}, got {self.labels!r}")
        _check_number("threshold", self.threshold)
        _check_number("temperature", self.temperature)
        if not 0 <= self.threshold <= 1 or self.temperature <= 0:
            raise ValueError(f"threshold lies in 0..1, temperature above 0, got {self.threshold}, {self.temperature}")
        if not isinstance(self.sha256, str) or (self.sha256 and not _SHA256.fullmatch(self.sha256)):
            raise ValueError(f"sha256 is 64 lower case hexadecimal digits, got {self.sha256!r}")

    @property
    def title(self) -> str:
        """Name and version, e.g. "emotion_residual 4"."""
        return f"{self.name} {self.version}"

    @property
    def label_set(self) -> LabelSet | None:
        """The label set of the outputs, None for detectors and landmarks."""
        return None if self.labels is None else LABEL_SETS[self.labels]

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "task": self.task,
            "labels": self.labels,
            "input": self.input.to_dict(),
            "threshold": self.threshold,
            "temperature": self.temperature,
            "licence": self.licence,
            "origin": self.origin,
            "sha256": self.sha256,
            "scores": [{field.name: getattr(score, field.name) for field in fields(score)} for score in self.scores],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        """Read what `to_dict` wrote; anything missing, unknown or wrong raises ValueError or TypeError."""
        if data.get("format") != FORMAT or isinstance(data["format"], bool):
            raise ValueError(f"format is {FORMAT}, got {data.get('format')!r}")
        names = tuple(field.name for field in fields(cls))
        _check_keys("it", data, ("format", *names))
        values = {name: data[name] for name in names}
        values["input"] = _read_input(data["input"])
        values["scores"] = _read_scores(data["scores"])
        return cls(**values)


def _read_input(data: Any) -> InputSpec:
    _check_keys("input", data, tuple(field.name for field in fields(InputSpec)))
    if not isinstance(data["level"], bool):
        raise TypeError(f"level of input is true or false, got {data['level']!r}")
    for name in ("size_hw", "mean", "std"):
        if not isinstance(data[name], list):
            raise TypeError(f"{name} of input is a list of numbers, got {data[name]!r}")
        for number in data[name]:
            _check_number(f"{name} of input", number)
    _check_number("margin of input", data["margin"])
    _check_number("lift of input", data["lift"])
    return InputSpec.from_dict(data)


def _read_scores(data: Any) -> tuple[Score, ...]:
    if not isinstance(data, list):
        raise TypeError(f"scores is a list, got {data!r}")
    for score in data:
        _check_keys("a score", score, tuple(field.name for field in fields(Score)))
    return tuple(Score(**score) for score in data)


def _check_keys(what: str, data: Any, wanted: tuple[str, ...]) -> None:
    if not isinstance(data, Mapping):
        raise TypeError(f"{what} is an object, got {data!r}")
    missing = [key for key in wanted if key not in data]
    unknown = [str(key) for key in data if key not in wanted]
    if missing:
        raise ValueError(f"{what} lacks {', '.join(missing)}")
    if unknown:
        raise ValueError(f"{what} has unknown keys: {', '.join(unknown)}")


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{what} is a text that is not empty, got {value!r}")


def _check_number(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"{what} is a finite number, got {value!r}")
