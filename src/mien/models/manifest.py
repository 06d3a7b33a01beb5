"""What a model is and what it expects, as its `manifest.json` states."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from mien.labels import LABEL_SETS, LabelSet, check_label, label_set_of, without
from mien.pixels.preprocess import InputSpec
from mien.schema import Text, checked

Purpose = Literal["face_detection", "palm_detection", "hand_landmarks", "emotion", "gesture"]

FORMAT = 1
"""Format of the manifest; a folder with another format is refused."""

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
"""Valid names of a model."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CLASSIFIERS = ("emotion", "gesture")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One measured figure, with everything needed to measure it again.

    Args:
        metric: e.g. `accuracy`, `macro_f1`.
        value: the figure.
        data: the data set.
        split: which part of it.
        protocol: how the part was chosen and used.
        command: the command that prints this figure.
    """

    metric: Text
    value: float
    data: Text
    split: Text
    protocol: Text
    command: Text

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"the score {self.metric} must be a finite number, got {self.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a model is and what it expects.

    Args:
        name: lower-case letters, digits, `_`, `.` and `-`.
        task: what it does.
        labels: name of the label set of its outputs, or the labels themselves, in any script, where they are a user's
            own; None for detectors and landmarks.
        input: the preprocessing.
        threshold: a detection with a lower score is dropped; an answer with a lower confidence is uncertain, the others
            are sure.
        perhaps: an uncertain answer with this confidence or more may be given as "perhaps"; one with less is unclear.
            None if there is no such grade: then all uncertain answers are unclear.
        left_out: labels of its outputs that are no answers, as its maker chose; the probabilities of the others add up
            to 1.
        baseline_gain: how much changes from a person's own neutral face count (`mien.stages.baseline`).
        temperature: logits are divided by it before the softmax.
        licence: SPDX name, or a sentence if there is none.
        origin: where the weights come from.
        sha256: hash of `model.onnx`, hexadecimal; `write_artifact` fills it in.
        scores: measured figures.
        version: version of the weights, counted by their maker.
    """

    name: Text
    task: Purpose
    labels: str | tuple[str, ...] | None
    input: InputSpec
    threshold: Annotated[float, Ge(0), Le(1)]
    licence: Text
    origin: Text
    sha256: str = ""
    temperature: Annotated[float, Gt(0)] = 1.0
    scores: tuple[Score, ...] = ()
    version: Text = "1"
    perhaps: Annotated[float, Ge(0), Le(1)] | None = None
    baseline_gain: Annotated[float, Ge(1), Le(20)] = 1.0
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"name must consist of lower-case letters, digits, _ . and -, got {self.name!r}")
        if (self.task in _CLASSIFIERS) != (self.labels is not None):
            raise ValueError(f"labels must be null for detectors and a label set for classifiers, got {self.labels!r}")
        if isinstance(self.labels, str) and self.labels not in LABEL_SETS:
            raise ValueError(f"labels must be one of {', '.join(LABEL_SETS)}, or a list of labels, got {self.labels!r}")
        if isinstance(self.labels, tuple):
            label_set_of(tuple(map(check_label, self.labels)))
        outputs = () if self.label_set is None else self.label_set.labels
        if not set(self.left_out) <= set(outputs) or (outputs and len(set(outputs) - set(self.left_out)) < 2):
            raise ValueError(
                f"left_out must be labels of the outputs and leave two or more of {', '.join(outputs) or 'none'}, got "
                f"{', '.join(self.left_out)}"
            )
        if len(set(self.left_out)) < len(self.left_out):
            raise ValueError(f"left_out must name each label once, got {', '.join(self.left_out)}")
        if self.perhaps is not None and (self.labels is None or self.perhaps > self.threshold):
            raise ValueError(
                f"perhaps must be null for detectors, and at most the threshold of {self.threshold}, got {self.perhaps}"
            )
        if self.sha256 and not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"sha256 must be 64 lower-case hexadecimal digits, got {self.sha256!r}")

    @property
    def title(self) -> str:
        """Name and version, e.g. "emotion_residual 4"."""
        return f"{self.name} {self.version}"

    @property
    def label_set(self) -> LabelSet | None:
        """The label set of the outputs, None for detectors and landmarks."""
        if isinstance(self.labels, tuple):
            return label_set_of(self.labels)
        return None if self.labels is None else LABEL_SETS[self.labels]

    @property
    def answers(self) -> LabelSet | None:
        """The label set that it answers with: its outputs but for those left out; None for detectors and landmarks."""
        return None if self.label_set is None else without(self.label_set, self.left_out)

    @property
    def answer_columns(self) -> list[int]:
        """Positions of its answers among its outputs; none for detectors and landmarks."""
        outputs = () if self.label_set is None else self.label_set.labels
        return [column for column, label in enumerate(outputs) if label not in self.left_out]

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "task": self.task,
            "labels": list(self.labels) if isinstance(self.labels, tuple) else self.labels,
            "input": self.input.to_dict(),
            "threshold": self.threshold,
            **({} if self.perhaps is None else {"perhaps": self.perhaps}),
            **({"left_out": list(self.left_out)} if self.left_out else {}),
            **({} if self.baseline_gain == 1 else {"baseline_gain": self.baseline_gain}),
            "temperature": self.temperature,
            "licence": self.licence,
            "origin": self.origin,
            "sha256": self.sha256,
            "scores": [asdict(score) for score in self.scores],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        """Read what `to_dict` wrote.

        Raises:
            UnknownName: a key, or the task and the like, has an unknown name.
            ValueError: something is missing or wrong.
        """
        if data.get("format") != FORMAT or isinstance(data["format"], bool):
            raise ValueError(f"format must be {FORMAT}, got {data.get('format')!r}")
        own = {key: value for key, value in data.items() if key != "format"}
        manifest = checked(cls, own, whole="manifest", noun="key", wrong=ValueError)
        full = manifest.to_dict()
        for key in (*full, *(f"input.{key}" for key in full["input"])):  # a file must also state its defaults
            if key.removeprefix("input.") not in (data["input"] if "." in key else data):
                raise ValueError(f"{key} is missing")
        return manifest


def model_name(folder: Path) -> str:
    """The name of a folder as a model name: lower case, without accents and other characters; may be empty."""
    letters = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9_.-]+", "_", letters.strip()).strip("_.-")
    return name if NAME.fullmatch(name) else ""
