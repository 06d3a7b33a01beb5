"""One entry point for every form of data set that mien reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.data.dataset import PACKED_SUFFIX, Dataset, load_packed
from mien.data.readers.archives import column_words
from mien.data.readers.fer2013 import load_fer2013
from mien.data.readers.ferplus import Votes
from mien.data.readers.folders import load_folders, read_facts, subfolders
from mien.data.readers.frames import has_frames_layout
from mien.data.readers.pictures import OnProblem, OnStep, raise_problem
from mien.data.readers.tables import columns_of, load_table, places_of
from mien.errors import DataError, UnreadableMedia
from mien.labels import EMOTIONS
from mien.pixels.preprocess import ColourMode

_FORMS = "a folder with one folder per class, a CSV (emotion,pixels,Usage or path,label), or a packed .npz"


def load_dataset(
    path: str | Path,
    *,
    size_hw: tuple[int, int] = (48, 48),
    colour: ColourMode = "grey",
    votes: Votes | None = None,
    on_problem: OnProblem | None = None,
    on_step: OnStep | None = None,
) -> Dataset:
    """Read a data set in any form.

    A `.npz` is a packed set. Another file is a CSV: FER2013 with the columns emotion, pixels and Usage, or a table of
    paths and labels. A folder holds classes (`load_folders`); or nothing but one packed set or one CSV; or the CSVs
    that `mien data fer2013 --layout csv` makes.

    Args:
        path: file or folder.
        size_hw: height and width of samples made from picture files, pixels; packed sets and FER2013 have their own.
        colour: grey or rgb, of the same.
        votes: FER+ votes for the rows of FER2013.
        on_problem: gets each row or picture that cannot be read and is left out; without it the first one is raised.
        on_step: called with the number of rows or pictures read.

    Raises:
        UnreadableMedia: it does not exist, or it is damaged.
        DataError: mien cannot read its form, or votes were given for something other than FER2013's CSV.
    """
    path = Path(path)
    report = on_problem or raise_problem
    if not path.exists():
        raise UnreadableMedia(f"{path} does not exist; give {_FORMS}")
    file = _only_file(path) if path.is_dir() else path
    if file is not None and is_fer2013(file):
        return load_fer2013(file, votes=votes, on_problem=report, on_step=on_step)
    if votes is not None:
        raise DataError(f"FER+ votes are for the rows of FER2013's CSV, which {path} is not; leave them out")
    if file is None:
        if _tables(path):
            return _load_tables(path, report)
        return load_folders(path, size_hw=size_hw, colour=colour, on_problem=report, on_step=on_step)
    if file.suffix.lower() == PACKED_SUFFIX:
        return load_packed(file)
    return load_table(file, size_hw=size_hw, colour=colour, on_problem=report, on_step=on_step)


def takes_votes(path: Path) -> bool:
    """Whether FER+ votes, which are for the rows of FER2013's CSV, can be read along with what is there."""
    file = _only_file(path) if path.is_dir() else path
    return file is not None and file.is_file() and is_fer2013(file)


def is_fer2013(path: Path) -> bool:
    """Whether a file is a table in the form of FER2013; raises DataError if it is not a table that mien knows."""
    if path.suffix.lower() == PACKED_SUFFIX:
        return False
    columns = columns_of(path)
    if not columns:
        raise DataError(f"{path} is empty, or its first line is; give {_FORMS}")
    if "pixels" in column_words(columns):
        return True
    if {"path", "label"} <= places_of(columns).keys():
        return False
    shown = ", ".join(repr(column[:20]) for column in columns[:5])
    raise DataError(f"{path} is not a data set: its first line is {shown}; give {_FORMS}")


def _only_file(folder: Path) -> Path | None:
    """The packed set or CSV that is the only content of a folder; None if there are folders in it."""
    if has_frames_layout(folder):
        raise DataError(f"{folder} holds videos with annotations; turn them into a data set with `mien data import`")
    if subfolders(folder) or _tables(folder):
        return None
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    packed = [path for path in files if path.suffix.lower() == PACKED_SUFFIX]
    tables = [path for path in files if ".csv" in (suffix.lower() for suffix in path.suffixes)]
    found = packed or tables
    if len(found) > 1:
        raise DataError(
            f"{folder} has {len(found)} data sets, {found[0].name}, {found[1].name}{', ...' * (len(found) > 2)}; "
            "give one of them"
        )
    if not found:
        raise DataError(f"{folder} does not hold a data set; give {_FORMS}")
    return found[0]


def _tables(folder: Path) -> dict[str, str]:
    """The CSVs that `dataset.json` names, and the split of each."""
    splits = read_facts(folder).splits
    return {name: split for name, split in splits.items() if name.endswith(".csv")}


def _load_tables(folder: Path, on_problem: OnProblem) -> Dataset:
    """The CSVs of a folder as one data set; a sample is called `train/row 1`."""
    facts = read_facts(folder)
    parts = [
        (Path(name).stem, split, load_fer2013(folder / name, on_problem=on_problem))
        for name, split in _tables(folder).items()
    ]
    dataset = Dataset(
        samples=np.concatenate([part.samples for *_, part in parts]),
        labels=np.concatenate([part.labels for *_, part in parts]),
        split=np.concatenate([np.full(len(part), split, "<U10") for _, split, part in parts]),
        groups=np.concatenate([part.groups for *_, part in parts]),
        names=np.array([f"{stem}/{part.name(i)}" for stem, _, part in parts for i in range(len(part))]),
        label_set=EMOTIONS,
        source=facts.source or folder.resolve().name,
        caveats=facts.caveats,
    )
    kept = facts.label_set
    if kept is None or kept.labels == EMOTIONS.labels:
        return dataset
    return replace(dataset.without([label for label in EMOTIONS.labels if label not in kept]), label_set=kept)
