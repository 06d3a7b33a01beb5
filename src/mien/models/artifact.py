"""A model is a folder: `model.onnx`, `manifest.json` and `CARD.md`.

The manifest holds everything that the pipeline must know about the network: task, label set, preprocessing,
threshold, temperature, licence, origin, measured scores and the SHA-256 of the weights. Nothing is guessed from a
file name, and a folder that does not agree with its manifest is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from mien.errors import ModelError, OutputError, UnknownName
from mien.labels import LABEL_SETS, LabelSet
from mien.pixels.preprocess import InputSpec

Task = Literal["face_detection", "palm_detection", "hand_landmarks", "emotion", "gesture"]
TASKS: tuple[Task, ...] = get_args(Task)

FORMAT = 1
"""Form of the manifest; a folder of another form is refused."""

MODEL_FILE = "model.onnx"
MANIFEST_FILE = "manifest.json"
CARD_FILE = "CARD.md"

_ZOO = Path(__file__).parent / "zoo"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
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
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name has lower case letters, digits, _ . and -, got {self.name!r}")
        if self.task not in TASKS:
            raise ValueError(f"task is one of {', '.join(TASKS)}, got {self.task!r}")
        if (self.task in _CLASSIFIERS) != (self.labels is not None):
            raise ValueError(
                f"labels is null for detectors and a label set for classifiers, got {self.labels!r}"
            )
        if self.labels is not None and self.labels not in LABEL_SETS:
            raise ValueError(f"labels is one of {', '.join(LABEL_SETS)}, got {self.labels!r}")
        _check_number("threshold", self.threshold)
        _check_number("temperature", self.temperature)
        if not 0 <= self.threshold <= 1 or self.temperature <= 0:
            raise ValueError(
                f"threshold lies in 0..1, temperature above 0, got {self.threshold}, {self.temperature}"
            )
        if not isinstance(self.sha256, str) or (self.sha256 and not _SHA256.fullmatch(self.sha256)):
            raise ValueError(f"sha256 is 64 lower case hexadecimal digits, got {self.sha256!r}")

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
            "scores": [
                {field.name: getattr(score, field.name) for field in fields(score)} for score in self.scores
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        """Read what `to_dict` wrote; anything missing, unknown or of a wrong type raises ValueError."""
        if data.get("format") != FORMAT:
            raise ValueError(f"format is {FORMAT}, got {data.get('format')!r}")
        names = tuple(field.name for field in fields(cls))
        _check_keys("it", data, ("format", *names))
        values = {name: data[name] for name in names}
        values["input"] = _read_input(data["input"])
        values["scores"] = _read_scores(data["scores"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model folder whose weights have the hash that its manifest states."""

    folder: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        """The ONNX file."""
        return self.folder / MODEL_FILE

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return (self.folder / CARD_FILE).read_text(encoding="utf-8")


def zoo_names() -> tuple[str, ...]:
    """Names of the models inside the package, sorted."""
    return tuple(sorted(path.parent.name for path in _ZOO.glob(f"*/{MANIFEST_FILE}")))


def zoo_artifact(name: str) -> Artifact:
    """The model of that name inside the package; raises UnknownName when there is none."""
    if name not in zoo_names():
        raise UnknownName("model", name, zoo_names())
    return _load_folder(_ZOO / name)


def load_artifact(folder_or_name: str | Path) -> Artifact:
    """Read and check a model folder, or a model of the package by its name.

    Raises:
        UnknownName: there is neither such a folder nor such a model.
        ModelError: the folder is damaged or incomplete.
    """
    folder = Path(folder_or_name)
    if isinstance(folder_or_name, str) and folder_or_name in zoo_names():
        return zoo_artifact(folder_or_name)
    if folder.is_dir():
        return _load_folder(folder)
    if isinstance(folder_or_name, str) and _NAME.fullmatch(folder_or_name) and not folder.exists():
        raise UnknownName("model or model folder", folder_or_name, zoo_names())
    raise ModelError(
        f"There is no model folder {folder}; give a folder with {MODEL_FILE} and {MANIFEST_FILE}."
    )


def write_artifact(folder: str | Path, model_bytes: bytes, manifest: Manifest, card: str) -> Artifact:
    """Write a model folder, whole or not at all.

    Args:
        folder: the folder to make; an older model folder of that name is replaced.
        model_bytes: the ONNX file.
        manifest: its SHA-256 is filled in.
        card: the model card, Markdown.

    Raises:
        OutputError: the place cannot be written, or holds something that is not a model folder.
    """
    folder = Path(folder)
    manifest = replace(manifest, sha256=hashlib.sha256(model_bytes).hexdigest())
    if folder.exists() and not (folder / MANIFEST_FILE).is_file():
        raise OutputError(f"{folder} exists and is not a model folder; give a new folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as exc:
        raise OutputError(f"{folder} cannot be made: {exc.strerror}; give another folder.") from exc
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        (fresh / MODEL_FILE).write_bytes(model_bytes)
        (fresh / MANIFEST_FILE).write_text(json.dumps(manifest.to_dict(), indent=2) + "\n", encoding="utf-8")
        (fresh / CARD_FILE).write_text(card, encoding="utf-8")
        if folder.exists():
            folder.rename(scratch / "old")
        fresh.rename(folder)
    except OSError as exc:
        if (scratch / "old").exists() and not folder.exists():
            (scratch / "old").rename(folder)
        raise OutputError(
            f"{folder} cannot be written: {exc.strerror}; free the place and try again."
        ) from exc
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Artifact(folder, manifest)


def _load_folder(folder: Path) -> Artifact:
    for name in (MANIFEST_FILE, MODEL_FILE, CARD_FILE):
        if not (folder / name).is_file():
            raise ModelError(f"The model folder {folder} has no {name}; export or install the model again.")
    try:
        data = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise TypeError(f"it is an object, got {type(data).__name__}")
        manifest = Manifest.from_dict(data)
        if not manifest.sha256:
            raise ValueError("sha256 is 64 lower case hexadecimal digits, got ''")
        digest = hashlib.sha256((folder / MODEL_FILE).read_bytes()).hexdigest()
    except (ValueError, TypeError, OSError) as exc:  # JSON and Unicode errors are ValueErrors
        raise ModelError(
            f"The {MANIFEST_FILE} of the model folder {folder} is wrong: {exc}; correct it or export the model again."
        ) from exc
    if digest != manifest.sha256:
        raise ModelError(
            f"The {MODEL_FILE} of the model folder {folder} has SHA-256 {digest[:12]}..., its manifest says "
            f"{manifest.sha256[:12]}...; the file is damaged or was exchanged: export or install the model again."
        )
    return Artifact(folder, manifest)


def _read_input(data: Any) -> InputSpec:
    _check_keys("input", data, tuple(field.name for field in fields(InputSpec)))
    if not isinstance(data["level"], bool):
        raise ValueError(f"level of input is true or false, got {data['level']!r}")
    for name in ("size_hw", "mean", "std"):
        if not isinstance(data[name], list):
            raise ValueError(f"{name} of input is a list of numbers, got {data[name]!r}")
        for number in data[name]:
            _check_number(f"{name} of input", number)
    _check_number("margin of input", data["margin"])
    return InputSpec.from_dict(data)


def _read_scores(data: Any) -> tuple[Score, ...]:
    if not isinstance(data, list):
        raise ValueError(f"scores is a list, got {data!r}")
    for score in data:
        _check_keys("a score", score, tuple(field.name for field in fields(Score)))
    return tuple(Score(**score) for score in data)


def _check_keys(what: str, data: Any, wanted: tuple[str, ...]) -> None:
    if not isinstance(data, Mapping):
        raise ValueError(f"{what} is an object, got {data!r}")
    missing = [key for key in wanted if key not in data]
    unknown = [str(key) for key in cast("Mapping[Any, Any]", data) if key not in wanted]
    if missing:
        raise ValueError(f"{what} lacks {', '.join(missing)}")
    if unknown:
        raise ValueError(f"{what} has unknown keys: {', '.join(unknown)}")


def _check_text(what: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what} is a text that is not empty, got {value!r}")


def _check_number(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{what} is a finite number, got {value!r}")
