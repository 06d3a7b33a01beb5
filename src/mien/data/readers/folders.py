"""Data sets in folders: `root/<class>/*` or `root/<split>/<class>/*`, and `dataset.json` next to them."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mien.data.classes import (
    SPLIT_NAMES,
    label_of,
    match_classes,
    signer_of,
    some,
    without_misleading,
)
from mien.data.dataset import SPLITS, Dataset, Split
from mien.data.readers.clutter import is_clutter, is_named_clutter
from mien.data.readers.pictures import (
    PICTURE_SUFFIXES,
    Listing,
    OnProblem,
    OnStep,
    Sample,
    raise_problem,
    read_listing,
)
from mien.errors import DataError, UnknownName, UnreadableMedia
from mien.labels import LABEL_SETS, LETTERS, LabelSet
from mien.pixels.images import read_error
from mien.pixels.preprocess import ColourMode, InputSpec
from mien.schema import checked
from mien.wording import natural_key

FACTS_NAME = "dataset.json"
"""The file next to the folders that keeps what they cannot: label set, source, caveats, groups."""

_BOTH_NONE = {"other", "nothing"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FactsFile:
    """`dataset.json` as it is written; other keys are somebody else's.

    Args:
        version: of the form of the folder.
        source: where the samples came from.
        label_set: name of the set of `labels`.
        labels: in their order; none when the file does not say.
        caveats: as in `Dataset`.
        splits: by the name of a folder or table in the root.
        groups: by the path of a picture below the root, with slashes.
    """

    version: int = 1
    source: str = ""
    label_set: str = "custom"
    labels: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    splits: Mapping[str, Split] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What `dataset.json` says.

    Args:
        source: where the samples came from.
        label_set: of the set; None when the file does not say.
        caveats: as in `Dataset`.
        groups: by the path of a picture below the root, with slashes.
        splits: by the name of a folder or table in the root.
    """

    source: str = ""
    label_set: LabelSet | None = None
    caveats: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _ClassFolder:
    path: Path
    split: str
    files: tuple[Path, ...]


def load_folders(
    root: str | Path,
    *,
    size_hw: tuple[int, int],
    colour: ColourMode = "grey",
    on_problem: OnProblem = raise_problem,
    on_step: OnStep | None = None,
) -> Dataset:
    """Read a data set in folders; see `find_folders` for the layouts and `read_listing` for the rest.

    Args:
        root: the folder.
        size_hw: height and width of the samples in pixels; pictures are resized, as crops are at run time.
        colour: grey or rgb.
        on_problem: gets each picture or class that is left out; without it the first one is raised.
        on_step: called with the number of pictures read.

    Returns:
        (N, h, w) uint8 grey or (N, h, w, 3) RGB; names are paths below the root, with slashes.
    """
    listing = find_folders(root, on_problem=on_problem)
    spec = InputSpec(size_hw=size_hw, colour=colour)
    return read_listing(listing, spec, on_problem=on_problem, on_step=on_step)


def find_folders(root: str | Path, *, on_problem: OnProblem = raise_problem) -> Listing:
    """List the pictures of a data set in folders, in natural order.

    The layout is `root/<split>/<class>/*` when folders are called like splits (train, train1, training; validation,
    validation1, val, valid, dev; test, testing) and hold folders, else `root/<class>/*`, all of it train. Class names
    count in any case and in the words of the field (happiness, anger, ...; the letters L, A, F, V; `other` and
    `nothing` for none). Beside letters, files in `other` whose name starts with the letter of a fist or of a gesture
    (`E12.jpg`) are left out, as everywhere in mien. Folders without pictures whose name is not a class, pictures
    outside the classes and files without a picture suffix are left out too; a log line names each kind. Hidden files
    are skipped.

    The label set is that of `dataset.json`, else what the class names suggest. Groups are those of `dataset.json`; else
    Massey's names tell the signer (`hand1_a_...`); else they are empty.

    Args:
        root: the folder.
        on_problem: gets each class without pictures, and folders inside classes.

    Raises:
        UnreadableMedia: there is no such folder.
        DataError: it has no class folders, two of them are one class, a class is not of the label set or misspelt, or
            `dataset.json` is damaged.
    """
    root = Path(root)
    if not root.is_dir():
        raise UnreadableMedia(f"{root} is not a folder; give one with one folder per class")
    facts = read_facts(root)
    listed = [_class_folder(path, split, on_problem) for path, split in _class_paths(root, facts, on_problem)]
    folders = [folder for folder in listed if folder.files]
    if not folders:
        raise DataError(f"{root} has no pictures in folders <class> or <split>/<class>; give a folder that has")
    names = [folder.path.name for folder in folders]
    label_set, labels = match_classes(
        names,
        label_set=facts.label_set,
        where=str(root),
        splits=[{each.path.name for each in folders if each.split == split} for split in SPLITS],
    )
    for folder in listed:
        if not folder.files:
            _say_empty(folder.path, label_set, on_problem)
    _check_distinct(folders, labels)
    by_letter = "none" in label_set and any(name.upper() in LETTERS for name in names)
    if by_letter:
        folders = [_without_misleading(folder) for folder in folders]
    pictures = tuple(
        Sample(
            path=path,
            name=(name := unicodedata.normalize("NFC", path.relative_to(root).as_posix())),
            label=label_set.index(labels[folder.path.name]),
            split=folder.split,
            group=facts.groups.get(name, signer_of(path.name)),
        )
        for folder in folders
        for path in folder.files
    )
    return Listing(pictures, label_set, facts.source or root.resolve().name, facts.caveats)


def read_facts(root: Path) -> Facts:
    """Read `root/dataset.json`; without one the facts are empty.

    Raises:
        DataError: it is damaged.
    """
    path = root / FACTS_NAME
    if not path.is_file():
        return Facts()
    try:
        return _facts(json.loads(path.read_text("utf-8-sig")))
    except OSError as exc:
        raise read_error(str(path), exc) from exc
    except (UnknownName, ValueError) as exc:
        raise DataError(f"{path} is damaged; mend it, or remove it if the groups do not matter: {exc}") from exc


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, hidden ones and the system's own left out, in natural order.

    Raises:
        UnreadableMedia: it cannot be listed.
    """
    return [path for path in _entries(folder) if path.is_dir()]


def _facts(values: Any) -> Facts:
    file = checked(FactsFile, values, whole=FACTS_NAME, wrong=ValueError, others=True)
    return Facts(
        source=file.source,
        label_set=_label_set(file.label_set, file.labels) if file.labels else None,
        caveats=file.caveats,
        groups={unicodedata.normalize("NFC", name): group for name, group in file.groups.items()},
        splits=file.splits,
    )


def _label_set(name: str, labels: tuple[str, ...]) -> LabelSet:
    known = LABEL_SETS.get(name)
    return known if known is not None and known.labels == labels else LabelSet(name, labels)


def _class_paths(root: Path, facts: Facts, on_problem: OnProblem) -> Iterator[tuple[Path, str]]:
    """Class folders and the split of each."""
    _say_loose(root)
    folders = subfolders(root)
    splits = {path: facts.splits[path.name] for path in folders if path.name in facts.splits}
    if not splits:
        splits = _split_folders(root, folders)
    if not splits:
        yield from ((path, "train") for path in folders)
        return
    for path in folders:
        if path in splits:
            _say_loose(path)
            yield from ((folder, splits[path]) for folder in subfolders(path))
        else:
            on_problem(DataError(f"{path} is left out: unlike the others it is not a split (train, validation, test)"))


def _split_folders(root: Path, folders: Sequence[Path]) -> dict[Path, str]:
    """The folders named like splits that hold folders; one per split."""
    found: dict[str, Path] = {}
    for path in folders:
        split = SPLIT_NAMES.get(path.name.casefold())
        if split is None or not subfolders(path):
            continue
        if split in found:
            raise DataError(
                f"{root} has two folders for the split {split}, {found[split].name} and {path.name}; "
                "give a data set with one of them"
            )
        found[split] = path
    return {path: split for split, path in found.items()}


def _class_folder(folder: Path, split: str, on_problem: OnProblem) -> _ClassFolder:
    entries = _entries(folder)
    for inner in (path for path in entries if path.is_dir()):
        on_problem(DataError(f"{inner} is a folder inside a class and is left out; move its pictures into {folder}"))
    files = tuple(path for path in entries if _is_picture(path))
    others = [path.name for path in entries if path not in set(files) and not path.is_dir()]
    if files and others:
        logger.warning(
            "%s: %d files whose suffix is not that of a picture, left out: %s", folder, len(others), some(others)
        )
    return _ClassFolder(folder, split, files)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.is_dir()


def _say_empty(folder: Path, label_set: LabelSet, on_problem: OnProblem) -> None:
    """A class without pictures is a problem; a folder whose name is not a class is only skipped."""
    if label_of(folder.name, label_set) is not None:
        on_problem(DataError(f"{folder} has no pictures; put some there, or remove the folder"))
    else:
        logger.warning("%s has no pictures and is not a class of %s; it is left out", folder, label_set.name)


def _say_loose(root: Path) -> None:
    """A log line for what else is among the folders of a data set: pictures without a class, and system folders."""
    loose = [path.name for path in _entries(root) if _is_picture(path)]
    if loose:
        logger.warning("%s: %d pictures outside the class folders, left out: %s", root, len(loose), some(loose))
    for path in _listed(root):
        if is_named_clutter(path):
            logger.warning("%s is a system folder and not a class; it is left out", path)


def _without_misleading(folder: _ClassFolder) -> _ClassFolder:
    """The folder; if it is called `other`, without the files named after gestures and fists."""
    return replace(folder, files=tuple(without_misleading(folder.path, folder.files)))


def _check_distinct(folders: list[_ClassFolder], labels: Mapping[str, str]) -> None:
    """Raise if two folders of a split are the same class: somebody must have meant something by the difference."""
    seen: dict[tuple[Path, str], Path] = {}
    for folder in folders:
        name = folder.path.name
        first = seen.setdefault((folder.path.parent, labels[name]), folder.path)
        if first != folder.path and not {name.casefold(), first.name.casefold()} <= _BOTH_NONE:
            raise DataError(
                f"{folder.path.parent} has two folders for the class {labels[name]!r}, {first.name!r} and {name!r}; "
                "merge their pictures into one"
            )


def _entries(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if not is_clutter(path)]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    except OSError as exc:
        raise read_error(str(folder), exc) from exc
