"""Changes in what is seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mien.scene.checks import TIME_DIGITS, check_track, naming
from mien.scene.used_model import UsedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change in what a track shows, rather than a label per frame.

    Args:
        kind: `start` when a label first holds, `change` when another takes its place, `end` when it is gone.
        task: `emotion` or `gesture`.
        track: the face or hand it concerns.
        label: the label that started, took over or ended.
        time_s: when it happened, in seconds since the start of the source.
        duration_s: how long the label that ended or was replaced had held; 0 for a start.
        model: which model answered; None if unknown.
    """

    kind: Literal["start", "change", "end"]
    task: Literal["emotion", "gesture"]
    track: int
    label: str
    time_s: float
    duration_s: float = 0.0
    model: UsedModel | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("start", "change", "end"):
            raise ValueError(f"an event must be 'start', 'change' or 'end', got {self.kind!r}")
        if self.task not in ("emotion", "gesture"):
            raise ValueError(f"the task of an event must be 'emotion' or 'gesture', got {self.task!r}")
        check_track(self.track)
        if not (math.isfinite(self.time_s) and 0 <= self.duration_s < math.inf):
            raise ValueError(f"times must be finite and durations not negative, got {self.time_s}, {self.duration_s}")

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "task": self.task,
            "track": int(self.track),
            "label": self.label,
            "time_s": round(float(self.time_s), TIME_DIGITS),
            "duration_s": round(float(self.duration_s), TIME_DIGITS),
            **({"model": self.model.to_dict()} if self.model else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Event:
        """The event that `to_dict` described.

        Raises:
            ValueError: this is not an event; what is missing or of another kind is named.
        """
        with naming("an event"):
            model = data.get("model")
            return cls(
                kind=data["kind"],
                task=data["task"],
                track=data["track"],
                label=data["label"],
                time_s=data["time_s"],
                duration_s=data.get("duration_s", 0.0),
                model=None if model is None else UsedModel.from_dict(model),
            )
