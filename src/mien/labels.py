"""Label sets: ordered names, whether mirroring keeps them, and the mappings between sets in common use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mien.errors import UnknownName
from mien.wording import is_printable, trimmed

Task = Literal["emotion", "gesture"]
"""What is read: the expression of a face, the gesture of a hand."""

TASKS: tuple[Task, ...] = ("emotion", "gesture")


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Names in the order of a model's outputs.

    Args:
        name: the name of the set in manifests and recipes.
        labels: the names, in output order.
        mirror_safe: whether a picture keeps its label when flipped left to right.
    """

    name: str
    labels: tuple[str, ...]
    mirror_safe: bool = True

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise ValueError(f"a label set must have distinct names, got {self.labels}")

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, label: object) -> bool:
        return label in self.labels

    def index(self, label: str) -> int:
        """Position of a label; an unknown one raises UnknownName with the nearest valid name."""
        if label not in self.labels:
            raise UnknownName(f"label of {self.name}", label, self.labels)
        return self.labels.index(label)


EMOTIONS = LabelSet("emotions", ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
EMOTIONS_6 = LabelSet("emotions6", ("angry", "fear", "happy", "sad", "surprise", "neutral"))
EMOTIONS_8 = LabelSet("emotions8", (*EMOTIONS.labels, "contempt"))
GESTURES_4 = LabelSet("gestures4", ("loser", "punch", "super", "victory"))
GESTURES_5 = LabelSet("gestures", (*GESTURES_4.labels, "none"))
GESTURES = LabelSet(
    "gestures11", (*GESTURES_4.labels, "thumb_up", "thumb_down", "palm", "point", "call", "rock", "none")
)

UPRIGHT = ("thumb_up", "thumb_down")
"""Gestures that mean something else when the hand is turned in the picture."""

NOTHING = "none"
"""The label of a hand that makes no known gesture."""

MOST_LETTERS = 40
"""The longest label that somebody may give a gesture of their own, in characters."""

LABEL_SETS: Mapping[str, LabelSet] = {
    s.name: s for s in (EMOTIONS, EMOTIONS_6, EMOTIONS_8, GESTURES, GESTURES_5, GESTURES_4)
}

LETTERS: Mapping[str, str] = {"L": "loser", "A": "punch", "F": "super", "V": "victory"}
"""Letters of the American manual alphabet whose hand shape is one of the seeds' four gestures."""

FIST_LETTERS = frozenset("EMNST")
"""Letters that are fists to anyone but a signer: neither `punch` nor `none` in training and measurements."""

FERPLUS_COLUMNS: Mapping[str, str] = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": "contempt",
}
"""Columns of the FER+ vote table and their labels; `unknown` and `NF` are not expressions."""


def check_label(label: str) -> str:
    """A label of somebody's own, in any script, as it may stand in lists, columns and records.

    Raises:
        ValueError: it is empty or too long, begins or ends with a space or a joiner, has a comma, or cannot be printed.
    """
    if not label or label != trimmed(label) or "," in label or not is_printable(label) or len(label) > MOST_LETTERS:
        raise ValueError(
            f"a label must have 1 to {MOST_LETTERS} printable characters without a comma, and no space at its ends, "
            f"got {label[: 2 * MOST_LETTERS]!r}"
        )
    return label


def label_set_of(labels: Sequence[str]) -> LabelSet:
    """The known label set with exactly these labels, in this order; otherwise one called `custom`."""
    known = (each for each in LABEL_SETS.values() if each.labels == tuple(labels))
    return next(known, None) or LabelSet("custom", tuple(labels))


def part_of(labels: LabelSet, names: Sequence[str]) -> LabelSet:
    """The label set with these names, some of a set's, which a mirror changes or does not as it does that one's."""
    found = label_set_of(names)
    return found if found.mirror_safe == labels.mirror_safe else replace(found, mirror_safe=labels.mirror_safe)


def without(labels: LabelSet, left_out: Collection[str]) -> LabelSet:
    """The label set without some of its labels, in the same order."""
    return part_of(labels, [label for label in labels.labels if label not in left_out])


def label_set(name: str) -> LabelSet:
    """The label set of that name; raises UnknownName if there is none."""
    if name not in LABEL_SETS:
        raise UnknownName("label set", name, LABEL_SETS)
    return LABEL_SETS[name]
