"""What a classifier answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mien.scene.checks import SCORE_DIGITS, check_unit

Grade = Literal["sure", "perhaps", "unclear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A classifier's answer for one face or hand.

    Args:
        label: the most probable name.
        confidence: its calibrated probability, 0 to 1.
        uncertain: whether the confidence is below the model's threshold.
        perhaps: whether an uncertain answer is still one that people might give.
        baseline: whether it is relative to the person's own neutral face.
        probabilities: of every name in the label set, in its order; they sum to 1.
    """

    label: str
    confidence: float
    uncertain: bool
    probabilities: Mapping[str, float] = field(hash=False)
    perhaps: bool = False
    baseline: bool = False

    def __post_init__(self) -> None:
        if self.perhaps and not self.uncertain:
            raise ValueError("an answer that is not uncertain is sure, and cannot be perhaps right")
        if self.label not in self.probabilities:
            raise ValueError(f"the label {self.label!r} is not among the probabilities {list(self.probabilities)}")
        check_unit("confidence", self.confidence)
        for name, detection_score in self.probabilities.items():
            check_unit(f"score of {name}", detection_score)

    @property
    def grade(self) -> Grade:
        """`sure`, or of an uncertain answer `perhaps` or `unclear`."""
        return "sure" if not self.uncertain else "perhaps" if self.perhaps else "unclear"

    @property
    def likeliest(self) -> tuple[str, ...]:
        """The two most probable names, the label first; one if there is no other."""
        others = sorted((p, name) for name, p in self.probabilities.items() if name != self.label)
        return (self.label, *(name for _, name in others[-1:]))

    def to_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "confidence": round(float(self.confidence), SCORE_DIGITS),
            "uncertain": bool(self.uncertain),
            "grade": self.grade,
            **({"baseline": True} if self.baseline else {}),
            "scores": {
                name: round(float(detection_score), SCORE_DIGITS)
                for name, detection_score in self.probabilities.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Prediction:
        return cls(
            label=data["label"],
            confidence=float(data["confidence"]),
            uncertain=bool(data["uncertain"]),
            perhaps=data.get("grade") == "perhaps",
            baseline=bool(data.get("baseline", False)),
            probabilities={str(name): float(detection_score) for name, detection_score in data["scores"].items()},
        )
