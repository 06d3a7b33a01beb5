"""Data sets as a CSV of paths and labels: one row per picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mien.data.classes import SPLIT_NAMES, is_folder_name, match_classes
from mien.data.dataset import SPLITS, Dataset
from mien.data.readers.archives import column_words, fields_of, separator_of, table_lines
from mien.data.readers.pictures import Listing, OnProblem, OnStep, Sample, raise_problem, read_listing
from mien.errors import DataError, UnreadableMedia
from mien.pixels.preprocess import ColourMode, InputSpec

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "image", "filename", "filepath", "image_path"),
    "label": ("label", "emotion", "expression", "gesture", "class"),
    "group": ("group", "subject", "person", "signer", "video"),
    "split": ("split", "usage"),
}
"""Names that a column may have, in any case; path and label have to be there."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    path: str
    label: str
    split: str
    group: str


def load_table(
    path: str | Path,
    *,
    size_hw: tuple[int, int],
    colour: ColourMode = "grey",
    on_problem: OnProblem = raise_problem,
    on_step: OnStep | None = None,
) -> Dataset:
    """Read the pictures that a CSV lists; see `find_table` for its form and `read_listing` for the rest.

    Args:
        path: the CSV; .xz, .gz, .bz2 and .zip too.
        size_hw: height and width of the samples in pixels.
        colour: grey or rgb.
        on_problem: gets each row and picture that is left out; without it the first one is raised.
        on_step: called with the number of pictures read.
    """
    listing = find_table(path, on_problem=on_problem)
    return read_listing(listing, InputSpec(size_hw=size_hw, colour=colour), on_problem=on_problem, on_step=on_step)


def find_table(path: str | Path, *, on_problem: OnProblem = raise_problem) -> Listing:
    """List the pictures of a CSV.

    The first line names the columns, in any order and case: the picture's path (see `COLUMN_NAMES`), relative to the
    CSV's folder; its label, as in `find_folders`; and, when there are such, its group and its split, which is train
    otherwise. Columns are separated by commas, semicolons or tabs; other columns are ignored.

    Args:
        path: the CSV.
        on_problem: gets each row that is left out: no path, no label, an unknown split, a path that was there before.

    Raises:
        UnreadableMedia: there is no such file, or it is damaged.
        DataError: a column is missing, no row is left, or a label is not of the label set.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableMedia(f"{path} is not a file; give a CSV with the columns path and label")
    rows = _distinct(_rows(path, on_problem), path, on_problem)
    if not rows:
        raise DataError(f"{path} has no usable rows; give one row per picture: path,label")
    splits = [{row.label for row in rows if row.split == split} for split in SPLITS]
    label_set, labels = match_classes(set().union(*splits), where=str(path), splits=splits)
    pictures = tuple(
        Sample(
            path=_on_disk(path.parent / row.path),
            name=_name(row.path),
            label=label_set.index(labels[row.label]),
            split=row.split,
            group=row.group,
        )
        for row in rows
    )
    return Listing(pictures, label_set, path.name)


def columns_of(path: Path) -> tuple[str, ...]:
    """The names in the first line of a CSV, as they are; empty when the file is.

    Raises:
        UnreadableMedia: the file is damaged.
    """
    with closing(table_lines(path)) as lines:
        header = next(lines, "")
    return tuple(fields_of(header, separator_of(header)))


def places_of(columns: Sequence[str]) -> dict[str, int]:
    """Position of each known column, by the keys of `COLUMN_NAMES`; of two names for one, the first listed counts."""
    words = column_words(columns)
    found = {
        key: next((words.index(name) for name in names if name in words), -1) for key, names in COLUMN_NAMES.items()
    }
    return {key: place for key, place in found.items() if place >= 0}


def _rows(path: Path, on_problem: OnProblem) -> list[_Row]:
    rows = []
    with closing(table_lines(path)) as lines:
        header = next(lines, "")
        separator = separator_of(header)
        places = places_of(fields_of(header, separator))
        for key in ("path", "label"):
            if key not in places:
                raise DataError(
                    f"{path} has no column {' or '.join(COLUMN_NAMES[key])}; its first line names the columns, "
                    "for example path,label,group,split"
                )
        for number, line in enumerate(lines, 2):
            if not line.strip():
                continue
            try:
                rows.append(_row(fields_of(line, separator), places, number))
            except ValueError as problem:
                on_problem(DataError(f"{path}, line {number}: {problem}; the row is left out"))
    return rows


def _row(fields: Sequence[str], places: Mapping[str, int], number: int) -> _Row:
    values = {key: fields[place].strip() if place < len(fields) else "" for key, place in places.items()}
    for key in ("path", "label"):
        if not values[key]:
            raise ValueError(f"there is no {key}")
    if any("\ud800" <= letter <= "\udfff" for letter in "".join(values.values())):
        raise ValueError("it is not valid UTF-8")
    if not is_folder_name(values["label"]):
        raise ValueError(f"the label {values['label']!r} cannot name a folder")
    split = values.get("split", "train").casefold()
    if split not in SPLIT_NAMES:
        raise ValueError(f"the split is {values['split']!r}, not one of {', '.join(SPLITS)}")
    return _Row(number, values["path"], values["label"], SPLIT_NAMES[split], values.get("group", ""))


def _name(path: str) -> str:
    """How the data set calls a picture: its path with slashes, accents composed."""
    return "/".join(part for part in PurePosixPath(unicodedata.normalize("NFC", path)).parts if part != "/")


def _on_disk(path: Path) -> Path:
    """The file under its name, or under the same name with its accents stored in the other way (NFC, NFD)."""
    spelled = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return path if path.exists() else next((other for other in spelled if other.exists()), path)


def _distinct(rows: Sequence[_Row], path: Path, on_problem: OnProblem) -> list[_Row]:
    first: dict[str, _Row] = {}
    for row in rows:
        earlier = first.setdefault(_name(row.path), row)
        if earlier is not row:
            before = f"{row.path} is already in line {earlier.line}"
            on_problem(DataError(f"{path}, line {row.line}: {before}; the row is left out"))
    return list(first.values())
