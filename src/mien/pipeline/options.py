"""What to look for and how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from mien.errors import InvalidOption, ModelError, UnknownName
from mien.labels import TASKS, LabelSet, Task
from mien.models.artifact import load_artifact
from mien.pixels.photos import MAX_PIXELS
from mien.pixels.pictures import PictureLike
from mien.stages.classify import EMOTION_MODEL, GESTURE_MODEL, only
from mien.stages.faces import DETAILS, Detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to look for and how.

    Args:
        tasks: `emotion` finds and reads faces, `gesture` hands.
        detail: how closely pictures are searched for faces: low, normal or high. Photos at 640 pixels on the longer
            side, from normal on also at up to 1600, with high also at up to 2560; frames of videos and cameras at 320
            pixels, at half of their own size, or at their own size, within 320 to 640.
        tiles: also search overlapping tiles, for small and distant faces and hands; slower.
        emotion_model: name of a model in the package, or a model folder.
        gesture_model: likewise.
        emotion_threshold: confidence below which an expression counts as uncertain; the model's own by default.
        gesture_threshold: likewise for gestures.
        gestures: the only gestures to answer with; all others count as `none`, to which their probabilities are added.
            All that the model knows by default.
        threads: threads per network; by default the available cores, 4 at most.
        provider: what the networks are computed on, by ONNX Runtime's name or cpu, cuda, coreml, dml.
        baseline: a picture of the one person who is looked at, with a neutral face: expressions are read as changes
            from it, in all pictures (`mien.stages.baseline`). Anything that `look` takes.
        baseline_s: in a video, learn the neutral face of each track from its first so many calm seconds.
        follow: in a video, follow hands from frame to frame and search for others only now and then; faster, but a new
            one may be seen up to a quarter of a second late. Faces always are, in videos of eight or more frames per
            second.
        max_pixels: a larger photo is refused before it is decoded; one of 200 million takes about 1.2 GB for a moment.
    """

    tasks: tuple[Task, ...] = TASKS
    detail: Detail = "normal"
    tiles: bool = False
    emotion_model: str = EMOTION_MODEL
    gesture_model: str = GESTURE_MODEL
    emotion_threshold: float | None = None
    gesture_threshold: float | None = None
    gestures: tuple[str, ...] | None = None
    threads: int | None = None
    provider: str = "cpu"
    baseline: PictureLike | None = None
    baseline_s: float | None = None
    follow: bool = False
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        check_tasks(self.tasks)
        check_detail(self.detail)
        for name in ("emotion_threshold", "gesture_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InvalidOption(f"{name} must lie between 0 and 1, got {value}.")
        if self.baseline_s is not None and not 0 < self.baseline_s < math.inf:
            raise InvalidOption(f"baseline_s must be a number of seconds above 0, got {self.baseline_s}.")
        if self.baseline is not None and self.baseline_s is not None:
            raise InvalidOption("baseline gives a neutral face that baseline_s would learn; give only one of them.")
        if (self.baseline is not None or self.baseline_s is not None) and "emotion" not in self.tasks:
            raise InvalidOption("A baseline is a neutral face, and faces are not looked for; add the task emotion.")
        if self.gestures is not None:
            if isinstance(self.gestures, str) or not self.gestures:
                raise InvalidOption(f"gestures must be the names of one gesture or more, got {self.gestures!r}.")
            object.__setattr__(self, "gestures", tuple(self.gestures))
        if self.threads is not None and self.threads < 1:
            raise InvalidOption(f"threads must be at least 1, got {self.threads}.")
        if self.max_pixels < 1:
            raise InvalidOption(f"max_pixels must be at least 1, got {self.max_pixels}.")

    @property
    def computing(self) -> dict[str, Any]:
        """What each network is told of how to compute."""
        return {"threads": self.threads, "provider": self.provider}


def options_of(values: dict[str, object]) -> Options:
    """The options that are given by name; UnknownName for another name."""
    names = [f.name for f in fields(Options)]
    for name in values:
        if name not in names:
            raise UnknownName("option", name, names)
    return Options(**values)  # type: ignore[arg-type]


def check_tasks(tasks: Sequence[str]) -> tuple[Task, ...]:
    """The tasks, if there is at least one and all are known; otherwise UnknownName or InvalidOption."""
    if isinstance(tasks, str):
        raise InvalidOption(f"tasks must be a sequence of names, got {tasks!r}; write ({tasks!r},).")
    for task in tasks:
        if task not in TASKS:
            raise UnknownName("task", task, TASKS)
    if not tasks:
        raise InvalidOption(f"At least one task is needed: {', '.join(TASKS)}.")
    return tuple(task for task in TASKS if task in tasks)


def parse_tasks(text: str) -> tuple[Task, ...]:
    """The tasks of a list with commas, as options and queries name them; raises as `check_tasks`."""
    return check_tasks([name.strip() for name in text.split(",") if name.strip()])


def check_detail(detail: str) -> Detail:
    """The detail, if there is one of that name; otherwise UnknownName."""
    for known in DETAILS:
        if detail == known:
            return known
    raise UnknownName("detail", detail, DETAILS)


def labels_of(options: Options) -> dict[Task, tuple[str, ...]]:
    """The labels that each task can answer with.

    Raises:
        UnknownName, ModelError: a model cannot be used, or does not know a gesture that was asked for.
    """
    emotions, gestures = (
        load_artifact(model).manifest.answers for model in (options.emotion_model, options.gesture_model)
    )
    if gestures is not None and options.gestures is not None:
        gestures = only(gestures, options.gestures)
    return {
        "emotion": () if emotions is None else emotions.labels,
        "gesture": () if gestures is None else gestures.labels,
    }


def label_set_of(model: str) -> LabelSet:
    """The labels that a model answers with; ModelError if it has none."""
    manifest = load_artifact(model).manifest
    if manifest.answers is None:
        raise ModelError(f"The model {manifest.name} is made for {manifest.task}; it names no expressions or gestures.")
    return manifest.answers


def threshold_of(model: str, chosen: float | None) -> float:
    """The threshold that was chosen, or else that of the model."""
    return load_artifact(model).manifest.threshold if chosen is None else chosen
