"""Letters of a manual alphabet as gestures: the ASL Alphabet, Massey's hands, or any similar folders."""

from __future__ import annotations

import csv
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien import wording
from mien.data.classes import SPLIT_NAMES, plain, signer_of, some, without_misleading
from mien.data.dataset import SPLITS, Dataset
from mien.data.readers.archives import column_words
from mien.data.readers.clutter import is_clutter
from mien.data.readers.pictures import PICTURE_SUFFIXES, Listing, OnProblem, Sample, raise_problem
from mien.errors import DataError, UnreadableMedia
from mien.labels import GESTURES, LABEL_SETS, LETTERS, LabelSet
from mien.pixels.images import read_image
from mien.wording import natural_key
from mien.words import kept, listed, say

FIRST = 2400
"""Of the 3,000 pictures per letter in the ASL Alphabet, this many are for training in the published protocol."""


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Grouped:
    """A line of a groups file.

    Args:
        group: the signer.
        split: train, validation or test; empty when the file has no such column.
    """

    group: str
    split: str


def letter_labels(letters: Mapping[str, str]) -> LabelSet:
    """The label set of the gestures that letters stand for: a known one, or `custom` with the known gestures first."""
    wanted = set(letters.values())
    for known in LABEL_SETS.values():
        if wanted == set(known.labels):
            return known
    ordered = [label for label in GESTURES.labels if label in wanted]
    return LabelSet("custom", (*ordered, *dict.fromkeys(label for label in letters.values() if label not in ordered)))


def list_letters(
    root: str | Path, *, letters: Mapping[str, str] = LETTERS, on_problem: OnProblem = raise_problem
) -> Listing:
    """Pictures in `root/<letter>/`, by letter and then in natural order (A2 before A10), all in the split train.

    The group of a picture is its signer where the file's name says it as Massey's do (hand1), else the name of `root`.
    Of a folder called `other`, pictures whose name begins with one of the letters or with a fist (E, M, N, S, T) are
    left out: they are not `none`.

    Args:
        root: the folder of folders, in whatever case.
        letters: names of folders and the gesture each shows.
        on_problem: gets each letter without a folder or pictures, and folders that differ only in case, which are all
            left out; without it the first problem is raised.

    Raises:
        UnreadableMedia: there is no such folder.
        DataError: none of the letters has pictures.
    """
    root = Path(root)
    if not root.is_dir():
        raise UnreadableMedia(f"{root} is not a folder; give the one that holds a folder per letter")
    label_set, source = letter_labels(letters), root.resolve().name
    folders: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(root.iterdir()):
        if path.is_dir() and not is_clutter(path):
            folders[plain(path.name)].append(path)
    pictures: list[Sample] = []
    for letter, gesture in letters.items():
        found = folders.pop(plain(letter), [])
        if len(found) != 1:
            on_problem(_folder_problem(root, letter, gesture, found))
            continue
        in_folder = _of_class(found[0], gesture, letters)
        if not in_folder:
            on_problem(DataError(f"{found[0]} has no pictures, so it gives none of {gesture!r}"))
        pictures += [
            Sample(
                path, f"{found[0].name}/{path.name}", label_set.index(gesture), "train", signer_of(path.name) or source
            )
            for path in in_folder
        ]
    if not pictures:
        raise DataError(f"{root} has no pictures in folders called {', '.join(letters)}")
    out = tuple(path.name for paths in folders.values() for path in paths)
    if out:
        logger.info("%s", say("train.folders_left_out", names=listed(out)))
    return Listing(tuple(pictures), label_set, source, folders_left_out=out)


def split_by_number(listing: Listing, *, first: int = FIRST) -> Listing:
    """The first pictures of each folder to train, the others to validation, as in the published protocol.

    If a signer ends up in both, the listing says so in its caveats.

    Args:
        listing: in the order of `list_letters`.
        first: how many of each folder go to train.

    Raises:
        DataError: a folder has too few pictures for that.
    """
    seen: dict[str, int] = defaultdict(int)
    pictures = []
    for picture in listing.pictures:
        folder = picture.name.partition("/")[0]
        seen[folder] += 1
        pictures.append(replace(picture, split="train" if seen[folder] <= first else "validation"))
    for folder, count in seen.items():
        if count <= first:
            raise DataError(
                f"{listing.source}/{folder} has {wording.count(count, 'picture')}, so the first {first:,} leave "
                "none for validation; give another number with --first"
            )
    groups = {split: {picture.group for picture in pictures if picture.split == split} for split in SPLITS}
    caveats = (kept("kept.near_copies"),) if groups["train"] & groups["validation"] else ()
    return replace(listing, pictures=tuple(pictures), caveats=listing.caveats + caveats)


def read_groups(path: str | Path) -> dict[str, Grouped]:
    """Read a CSV `file,group[,split]`: whose hand is in each picture, and perhaps its split.

    Args:
        path: the table; `file` is a picture's path below the folder of the letters, with slashes.

    Raises:
        UnreadableMedia: there is no such file.
        DataError: a column is missing, a line (named) is incomplete or unknown, or a group lies in two splits.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableMedia(f"{path} is not a file; give a CSV with the columns file,group or file,group,split")
    table: dict[str, Grouped] = {}
    split_of: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        try:
            reader.fieldnames = column_words(reader.fieldnames or ())
            if missing := [name for name in ("file", "group") if name not in reader.fieldnames]:
                raise DataError(f"{path} has no column {', '.join(missing)}; a groups file has file,group[,split]")
            for row in reader:
                name, group, split = (str(row.get(key) or "").strip() for key in ("file", "group", "split"))
                if not name or not group or (split and split.casefold() not in SPLIT_NAMES):
                    raise DataError(f"{path}, line {reader.line_num}: expected file,group[,split], got {list(row)}")
                split = SPLIT_NAMES.get(split.casefold(), "")
                if split_of.setdefault(group, split) != split:
                    raise DataError(f"{path}, line {reader.line_num}: {group!r} is in two splits; keep it in one")
                table[Path(name).as_posix()] = Grouped(group, split)
        except (UnicodeDecodeError, csv.Error) as exc:
            raise DataError(f"{path} cannot be read as a CSV: {exc}") from exc
    return table


def with_groups(listing: Listing, table: Mapping[str, Grouped], *, on_problem: OnProblem = raise_problem) -> Listing:
    """The pictures with the groups, and splits if there are any, of a groups file.

    Args:
        listing: from `list_letters`.
        table: from `read_groups`.
        on_problem: gets each picture that the table does not name, which is left out; without it the first one is
            raised.

    Raises:
        DataError: it names none of them.
    """
    pictures = []
    for picture in listing.pictures:
        row = table.get(picture.name)
        if row is None:
            on_problem(DataError(f"{picture.path} is not in the groups file, so it is left out"))
            continue
        pictures.append(replace(picture, group=row.group, split=row.split or picture.split))
    if not pictures:
        raise DataError(f"The groups file names no picture of {listing.source}; its names look like A/A1.jpg")
    return replace(listing, pictures=tuple(pictures))


def unread(listing: Listing) -> Dataset:
    """The listing as a data set whose samples hold no pixels, (N, 0): for splitting and copying."""
    pictures = listing.pictures
    return Dataset(
        samples=np.zeros((len(pictures), 0), np.float32),
        labels=np.array([picture.label for picture in pictures], np.int64),
        split=np.array([picture.split for picture in pictures], "<U10"),
        groups=np.array([picture.group for picture in pictures], np.str_),
        names=np.array([picture.name for picture in pictures], np.str_),
        label_set=listing.label_set,
        source=listing.source,
        caveats=listing.caveats,
    )


def with_splits(listing: Listing, dataset: Dataset) -> Listing:
    """The listing with the splits and caveats that its `unread` data set has received."""
    pictures = tuple(
        replace(picture, split=str(split)) for picture, split in zip(listing.pictures, dataset.split, strict=True)
    )
    return replace(listing, pictures=pictures, caveats=dataset.caveats)


def whole_file(path: Path) -> bytes:
    """A picture's file, byte for byte, after checking that it can be read.

    Raises:
        UnreadableMedia: it cannot.
    """
    read_image(path)
    return path.read_bytes()


def _folder_problem(root: Path, letter: str, gesture: str, found: Sequence[Path]) -> DataError:
    if not found:
        return DataError(f"{root} has no folder {letter}, so it gives no pictures of {gesture!r}")
    names = " and ".join(str(path) for path in found)
    return DataError(f"{names} differ only in case, so all are left out; merge the pictures of {letter} into one")


def _pictures(folder: Path) -> list[Path]:
    files = [path for path in folder.iterdir() if path.is_file() and not is_clutter(path)]
    others = [path.name for path in files if path.suffix.lower() not in PICTURE_SUFFIXES]
    if others:
        logger.warning(
            "%s: %d files whose suffix is not that of a picture, left out: %s",
            folder,
            len(others),
            some(sorted(others)),
        )
    pictures = (path for path in files if path.suffix.lower() in PICTURE_SUFFIXES)
    return sorted(pictures, key=lambda path: natural_key(path.name))


def _of_class(folder: Path, gesture: str, letters: Mapping[str, str]) -> list[Path]:
    """The pictures of a folder; of an `other` that is to be `none`, without those of gestures and fists."""
    pictures = _pictures(folder)
    if gesture != "none":
        return pictures
    return without_misleading(folder, pictures, letters={letter.upper() for letter in letters})
