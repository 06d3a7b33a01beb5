"""Names of classes and splits as people write them, and the label sets they belong to."""

from __future__ import annotations

import difflib
import logging
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from mien.data.synonyms import SYNONYMS, spoken
from mien.errors import DataError
from mien.labels import FIST_LETTERS, LABEL_SETS, LETTERS, LabelSet
from mien.wording import JOINERS, is_printable, natural_key

SPLIT_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("train", "train1", "training", "train_set"), "train"),
    **dict.fromkeys(("validation", "validation1", "val", "valid", "dev", "validation_set", "publictest"), "validation"),
    **dict.fromkeys(("test", "testing", "test_set", "privatetest"), "test"),
}
"""Names of folders and values of columns, in lower case, and the split they mean."""

_NAMED_SIGNER = re.compile(r"(hand\d+)_([a-z0-9])_", re.IGNORECASE)
"""Massey University's file names: `hand1_a_bot_seg_1_cropped.jpeg` is signer hand1, letter a."""

_NAMED_LETTER = re.compile(r"([a-z])\d+\.", re.IGNORECASE)
_LIKE = 0.75
"""How similar (difflib) a misspelt name must be to the intended label: suprise, surprice, anrgy, neutrall."""

_UNSEEN = dict.fromkeys(map(ord, JOINERS))

_WORTH_A_GUESS = 5
"""Letters of a synonym that a misspelt name may be compared with; a bike is not like a `like`."""

logger = logging.getLogger(__name__)


def plain(text: str) -> str:
    """A name in the form used for comparison: letters composed (NFC), because macOS and some archives store them
    decomposed (a u and two dots), without surrounding spaces, without joiners, which nobody sees, and in lower case."""
    return _composed(text.translate(_UNSEEN)).casefold()


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def shown_letter(file_name: str) -> str:
    """The letter of the manual alphabet that a file is named after, in upper case: `E12.jpg`, Massey's
    `hand1_e_bot_seg_1.jpeg`; empty for other names, such as `thumb_001.jpg`."""
    named = _NAMED_SIGNER.match(file_name)
    if named:
        return named.group(2).upper()
    lettered = _NAMED_LETTER.match(file_name)
    return lettered.group(1).upper() if lettered else ""


def signer_of(file_name: str) -> str:
    """The signer whom a file is named after, as Massey's files are (`hand1`), in lower case; empty for other names."""
    named = _NAMED_SIGNER.match(file_name)
    return named.group(1).lower() if named else ""


def without_misleading(folder: Path, pictures: Iterable[Path], *, letters: Collection[str] = LETTERS) -> list[Path]:
    """The pictures of a class folder; of one called `other`, without those of gestures and fists, which a line names.

    Args:
        folder: whose name decides.
        pictures: in it.
        letters: more letters, in upper case, that are no `none`.
    """
    pictures = list(pictures)
    if folder.name.casefold() != "other":
        return pictures
    out = {path: None for path in pictures if _misleads(path.name, letters)}
    if out:
        logger.warning(
            "%s: %d of %d pictures %s left out of 'none', named after a letter that is a gesture or a fist: %s",
            folder,
            len(out),
            len(pictures),
            "is" if len(out) == 1 else "are",
            some(path.name for path in out),
        )
    return [path for path in pictures if path not in out]


def _misleads(file_name: str, letters: Collection[str]) -> bool:
    """Whether a file of the class `other` shows a letter other than `none`: a gesture, or a fist to all but signers."""
    letter = shown_letter(file_name)
    return bool(letter) and (letter in FIST_LETTERS or letter in LETTERS or letter in letters)


def some(names: Iterable[str], *, most: int = 5) -> str:
    """The first few of many names, for a line that must not get too long."""
    listed = list(names)
    return ", ".join(listed[:most]) + (", ..." if len(listed) > most else "")


def label_of(name: str, label_set: LabelSet) -> str | None:
    """The label that a class name means: the label itself in any case, or a synonym in English or Chinese; or None."""
    word = plain(name)
    for label in label_set.labels:
        if plain(label) == word:
            return label
    meant = SYNONYMS.get(spoken(name))
    if meant is None:
        meant = next((label for label in label_set.labels if spoken(label) == spoken(name)), None)
    return meant if meant is not None and meant in label_set else None


def match_classes(
    names: Iterable[str],
    *,
    label_set: LabelSet | None = None,
    where: str = "the data set",
    splits: Iterable[Collection[str]] = (),
) -> tuple[LabelSet, dict[str, str]]:
    """Find the label set that class names belong to.

    It is the smallest known set that has all of them or, if there is none, a set called `custom` of the names as they
    are. A name that is almost a label of the set that has most of the others counts as misspelt, unless that label is
    present too, in the same split.

    Args:
        names: of folders, or from a column.
        label_set: take this one instead.
        where: what to call the data set in an error.
        splits: the names that each split has; all in one by default.

    Returns:
        The label set, and the label of each name.

    Raises:
        DataError: a name means no label of the given set, or is misspelt; the nearest label is named.
            Or a name is not valid text.
    """
    names = sorted(set(names), key=natural_key)
    for name in names:
        if any("\ud800" <= letter <= "\udfff" for letter in name):  # bytes that are invalid in the locale
            raise DataError(f"{where} has the class {name!r}, whose name is not valid text here; rename it")
    candidates = [label_set] if label_set else sorted(LABEL_SETS.values(), key=len)
    for candidate in candidates:
        found = {name: label_of(name, candidate) for name in names}
        unknown = [name for name, label in found.items() if label is None]
        if not unknown:
            return candidate, {name: label for name, label in found.items() if label is not None}
    if label_set:
        raise DataError(strangers_told(unknown, label_set, where=where))
    together = [set(split) for split in splits] or [set(names)]
    most, unknown = _most_alike(names, together)
    if most is not None:
        if _misspelt(names, most, together):
            what = "it, or take it" if len(unknown) == 1 else "them, or take them"
            raise DataError(f"{strangers_told(unknown, most, where=where)} Rename {what} out of the data set")
        logger.warning("%s So the classes are a label set of their own", strangers_told(unknown, most, where=where))
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(plain(name), _composed(name))
    labels = {name: spelled[plain(name)] for name in names}
    return LabelSet("custom", tuple(spelled.values())), labels


def nearest_label(name: str, label_set: LabelSet) -> str | None:
    """The label of the set that is nearest to a misspelt name; None if it is like none of them."""
    words = {plain(label): label for label in label_set.labels}
    words |= {
        word: label
        for word, label in SYNONYMS.items()
        if label in label_set and word.isascii() and len(word) >= _WORTH_A_GUESS
    }
    near = difflib.get_close_matches(plain(name), words, n=1, cutoff=_LIKE)
    return words[near[0]] if near else None


def strangers_told(names: Iterable[str], label_set: LabelSet, *, where: str) -> str:
    """A sentence on classes that are none of a label set, with the label that each is nearest to."""
    names = list(names)
    classes = f"class{'es' * (len(names) > 1)} {', '.join(map(repr, names))}"
    hints = (f"Did you mean {label!r}?" for label in (nearest_label(name, label_set) for name in names) if label)
    told = f"{where} has the {classes}, which {'are' if len(names) > 1 else 'is'} none of {label_set.name}"
    return " ".join([f"{told}: {', '.join(label_set.labels)}.", *dict.fromkeys(hints)])


def strangers(names: Iterable[str], label_set: LabelSet) -> list[str]:
    """The names that mean no label of a set."""
    return [name for name in names if label_of(name, label_set) is None]


def _most_alike(names: Collection[str], together: Sequence[Collection[str]]) -> tuple[LabelSet | None, list[str]]:
    """The known label set that has most of the names, at least half of them, and the names that it has not."""
    found = {known: strangers(names, known) for known in sorted(LABEL_SETS.values(), key=len)}
    best = min(found, key=lambda known: (len(found[known]), -len(_misspelt(names, known, together))))
    return (best, found[best]) if 2 * len(found[best]) <= len(names) else (None, [])


def _misspelt(names: Collection[str], label_set: LabelSet, together: Sequence[Collection[str]]) -> list[str]:
    """The names that are almost a label of the set which no other name means that stands together with them."""
    found = []
    for name in strangers(names, label_set):
        there = {label_of(other, label_set) for split in together if name in split for other in split}
        if nearest_label(name, label_set) not in (None, *there):
            found.append(name)
    return found


def is_folder_name(label: str) -> bool:
    """Whether a class of this name can be a folder on any system, without being taken for a split or hidden.

    Windows drops the dots that a name ends in.
    """
    is_plain = label == label.strip().rstrip(".") and is_printable(label) and not set(label) & set('/\\:*?"<>|')
    return bool(label) and is_plain and not label.startswith(".") and label.casefold() not in SPLIT_NAMES
