"""Names of classes and splits as people write them, and the label sets they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mien.errors import DataError
from mien.labels import LABEL_SETS, LETTERS, LabelSet

SPLIT_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("train", "train1", "training", "train_set"), "train"),
    **dict.fromkeys(("validation", "validation1", "val", "valid", "dev", "validation_set", "publictest"), "validation"),
    **dict.fromkeys(("test", "testing", "test_set", "privatetest"), "test"),
}
"""Names of folders and values of columns, in lower case, and the split they mean."""

_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("anger",), "angry"),
    **dict.fromkeys(("disgusted",), "disgust"),
    **dict.fromkeys(("fearful", "afraid", "scared"), "fear"),
    **dict.fromkeys(("happiness", "joy"), "happy"),
    **dict.fromkeys(("sadness",), "sad"),
    **dict.fromkeys(("surprised",), "surprise"),
    **dict.fromkeys(("neutrality",), "neutral"),
    **{letter.casefold(): gesture for letter, gesture in LETTERS.items()},
    **dict.fromkeys(("other", "nothing"), "none"),
}

NAMED_SIGNER = re.compile(r"(hand\d+)_([a-z0-9])_", re.IGNORECASE)
"""Massey University's file names: `hand1_a_bot_seg_1_cropped.jpeg` is signer hand1, letter a."""

_DIGITS = re.compile(r"(\d+)")


def label_of(name: str, label_set: LabelSet) -> str | None:
    """The label that a class name means: the label itself in any case, or a word of the field for it; None if none."""
    word = name.strip().casefold()
    for label in label_set.labels:
        if label.casefold() == word:
            return label
    meant = _SYNONYMS.get(word)
    return meant if meant is not None and meant in label_set else None


def match_classes(
    names: Iterable[str], *, label_set: LabelSet | None = None, where: str = "the data set"
) -> tuple[LabelSet, dict[str, str]]:
    """Find the label set that class names belong to.

    It is the smallest known set that has all of them; if none has, a set called `custom` of the names as they are.

    Args:
        names: of folders, or from a column.
        label_set: take this one instead.
        where: what to call the data set in an error.

    Returns:
        The label set, and the label of each name.

    Raises:
        DataError: a name means no label of the given set.
    """
    names = sorted(set(names), key=natural_key)
    candidates = [label_set] if label_set else sorted(LABEL_SETS.values(), key=len)
    for candidate in candidates:
        found = {name: label_of(name, candidate) for name in names}
        unknown = [name for name, label in found.items() if label is None]
        if not unknown:
            return candidate, {name: label for name, label in found.items() if label is not None}
    if label_set:
        raise DataError(
            f"{where} has the class {unknown[0]!r}, which is none of {label_set.name}: {', '.join(label_set.labels)}"
        )
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(name.strip().casefold(), name.strip())
    labels = {name: spelled[name.strip().casefold()] for name in names}
    return LabelSet("custom", tuple(spelled.values())), labels


def is_folder_name(label: str) -> bool:
    """Whether a class of this name can have a folder, on any system, that is not taken for a split or for hidden."""
    plain = label == label.strip() and label.isprintable() and not set(label) & set('/\\:*?"<>|')
    return bool(label) and plain and not label.startswith(".") and label.casefold() not in SPLIT_NAMES


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that puts A2 before A10, whatever the case; distinct names have distinct keys."""
    pieces = _DIGITS.split(name.casefold())
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece], name
