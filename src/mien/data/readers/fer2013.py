"""FER2013 (Goodfellow et al. 2013): the Kaggle CSV `emotion,pixels,Usage`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien import wording
from mien.data.dataset import Dataset, Split
from mien.data.readers.archives import column_words, fields_of, separator_of, table_lines
from mien.data.readers.ferplus import Votes, relabelled
from mien.data.readers.pictures import OnProblem, OnStep, raise_problem
from mien.errors import DataError, UnreadableMedia
from mien.labels import EMOTIONS

SIDE = 48
USAGES: dict[str, Split] = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
COLUMNS = ("emotion", "pixels", "Usage")
_PIXELS = SIDE * SIDE
_CHUNK_ROWS = 512

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class Fer2013Table:
    """The CSV as read.

    Args:
        dataset: its good rows.
        columns: the names in its first line.
        rows: number of rows, bad ones included.
        missing: number of empty fields in each column.
    """

    dataset: Dataset
    columns: tuple[str, ...]
    rows: int
    missing: dict[str, int]


def load_fer2013(
    path: str | Path,
    *,
    votes: Votes | None = None,
    on_problem: OnProblem = raise_problem,
    on_step: OnStep | None = None,
) -> Dataset:
    """Read the CSV, plain or compressed (.xz, .gz, .bz2, .zip, .tar.gz), a chunk at a time.

    Its columns may be in any order, spelled with spaces and capitals, quoted, and separated by commas, semicolons or
    tabs.

    Args:
        path: the Kaggle CSV.
        votes: FER+ votes of the same rows; they become the label distribution and the marks for "not a face", and the
            labels where they have some: rows without one are left out then.
        on_problem: called for each bad row, which is then left out; without it the first bad row is raised.
        on_step: called with the number of rows read.

    Returns:
        (N, 48, 48) uint8 images; `Training` is train, `PublicTest` validation, `PrivateTest` test. The name of a
        sample is its row, counted from 1 below the line of column names.

    Raises:
        UnreadableMedia: the file is missing, truncated or damaged.
        DataError: a column is missing, or a row (named) has a wrong emotion, usage or pixel.
    """
    return read_fer2013(path, votes=votes, on_problem=on_problem, on_step=on_step).dataset


def read_fer2013(
    path: str | Path,
    *,
    votes: Votes | None = None,
    on_problem: OnProblem = raise_problem,
    on_step: OnStep | None = None,
) -> Fer2013Table:
    """Like `load_fer2013`, with facts about the table itself."""
    path = Path(path)
    if not path.is_file():
        raise UnreadableMedia(f"{path} is not a file; give the FER2013 CSV (emotion,pixels,Usage)")
    with closing(table_lines(path)) as lines:
        rows = _Rows(path, next(lines, ""), on_problem)
        for line in lines:
            if line.strip():
                rows.add(fields_of(line, rows.separator))
                if on_step is not None and rows.count % _CHUNK_ROWS == 0:
                    on_step(rows.count)
    return rows.table(votes)


class _Rows:
    """Gathers rows as columns, a chunk at a time, and reports what is wrong with bad ones.

    Args:
        path: of the CSV, for errors.
        header: its first line.
        on_problem: gets the bad rows.
    """

    def __init__(self, path: Path, header: str, on_problem: OnProblem) -> None:
        expected = f"FER2013 has the columns {', '.join(COLUMNS)}"
        if not header:
            raise DataError(f"{path} is empty; {expected}")
        if not header.rstrip("\n").replace("\t", " ").isprintable():
            raise DataError(f"{path} cannot be read as a CSV; {expected}")
        # One published copy, icml_face_data.csv, has spaces after the commas in its first line and another order.
        self.separator = separator_of(header)
        self.columns = tuple(name.strip() for name in fields_of(header, self.separator))
        words = column_words(self.columns)
        missing = [name for name in COLUMNS if name.casefold() not in words]
        if missing:
            raise DataError(f"{path} has no column {', '.join(missing)}; {expected}")
        self.count = 0
        self.missing = dict.fromkeys(self.columns, 0)
        self._path = path
        self._on_problem = on_problem
        self._places = [words.index(name.casefold()) for name in COLUMNS]
        self._waiting: list[tuple[int, list[str]]] = []
        self._images: list[NDArray[np.uint8]] = []
        self._good: list[tuple[int, int, str]] = []  # row, label, split

    def add(self, fields: list[str]) -> None:
        """Take the next row."""
        self.count += 1
        for i, name in enumerate(self.columns):
            if i >= len(fields) or not fields[i].strip():
                self.missing[name] += 1
        self._waiting.append((self.count, fields))
        if len(self._waiting) == _CHUNK_ROWS:
            self._sort_out()

    def table(self, votes: Votes | None) -> Fer2013Table:
        """Everything that was taken."""
        self._sort_out()
        path, count = self._path, self.count
        if not self._good:
            raise DataError(f"{path} has no {'good ' if count else ''}rows; FER2013 has 35,887")
        if votes is not None and len(votes.distribution) != count:
            raise DataError(
                f"{path} has {wording.count(count, 'row')} but FER+ has {len(votes.distribution):,}; both list the "
                "same images"
            )
        rows, labels, splits = zip(*self._good, strict=True)
        positions = np.array(rows) - 1
        dataset = Dataset(
            samples=np.concatenate(self._images).reshape(-1, SIDE, SIDE),
            labels=np.array(labels, np.int64),
            split=np.array(splits, "<U10"),
            groups=np.full(len(rows), "", np.str_),
            label_set=EMOTIONS if votes is None else votes.label_set,
            names=np.array([f"row {row}" for row in rows]),
            votes=None if votes is None else votes.distribution[positions],
            not_a_face=None if votes is None else votes.not_a_face[positions],
            source=path.name,
        )
        if votes is not None and votes.labels is not None:
            dataset = relabelled(dataset, votes.labels[positions])
        return Fer2013Table(dataset=dataset, columns=self.columns, rows=count, missing=self.missing)

    def _sort_out(self) -> None:
        """Turn the waiting rows into columns; report the bad ones in their order."""
        emotion, pixels, usage = self._places
        problems = [_problem(fields, self.columns, self._places) for _, fields in self._waiting]
        right = [row for row, problem in zip(self._waiting, problems, strict=True) if not problem]
        images, wrong = _images([fields[pixels] for _, fields in right])
        pixel_problems = iter(wrong)
        for (row, fields), problem in zip(self._waiting, problems, strict=True):
            problem = problem or next(pixel_problems)
            if not problem:
                self._good.append((row, int(fields[emotion]), _SPLITS[fields[usage].strip().casefold()]))
                continue
            self._on_problem(DataError(f"{self._path}, row {row} {problem}"))
        self._images.append(images)
        self._waiting = []


def _problem(fields: Sequence[str], columns: Sequence[str], places: Sequence[int]) -> str:
    """What is wrong with a row besides its pixels; empty if nothing is."""
    if len(fields) != len(columns):
        return f"has {wording.count(len(fields), 'column')} instead of {len(columns)}"
    emotion, usage = fields[places[0]].strip(), fields[places[2]].strip()
    if emotion not in _EMOTION_CODES:
        return f"has the emotion {emotion!r}, not a number from 0 to 6"
    if usage.casefold() not in _SPLITS:
        return f"has the usage {usage!r}, not one of {', '.join(USAGES)}"
    return ""


_EMOTION_CODES = frozenset(str(i) for i in range(len(EMOTIONS)))
_SPLITS = {usage.casefold(): split for usage, split in USAGES.items()}


def _images(texts: Sequence[str]) -> tuple[NDArray[np.uint8], list[str]]:
    """The images of the texts that are right, (n, 2304) uint8, and for each text what is wrong with it."""
    images = _parsed(texts)
    if images is not None:
        return images, [""] * len(texts)
    # Something is wrong somewhere, or just spaced differently: row by row, ten times slower.
    rows, problems = [], []
    for text in texts:
        words = text.split()
        bad = next((word for word in words if word not in _BYTE), None)
        if len(words) != _PIXELS:
            problems.append(f"has {wording.count(len(words), 'pixel')} instead of {_PIXELS:,}")
        elif bad is not None:
            problems.append(f"has the pixel {bad!r}, not a number from 0 to 255")
        else:
            problems.append("")
            rows.append([_BYTE[word] for word in words])
    return np.array(rows, np.uint8).reshape(-1, _PIXELS), problems


_BYTE = {str(value): value for value in range(256)}


def _parsed(texts: Sequence[str]) -> NDArray[np.uint8] | None:
    """All texts at once, (N, 2304) uint8; None unless each is 2304 numbers to 255 with one space between them."""
    text = np.frombuffer("".join(f"{text} " for text in texts).encode("ascii", "replace"), np.uint8)
    digits = text - np.uint8(ord("0"))
    ends = np.flatnonzero(digits > 9)
    lengths = np.diff(ends, prepend=-1) - 1
    row_ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    if (
        len(ends) != _PIXELS * len(texts)
        or (text[ends] != ord(" ")).any()
        or (lengths < 1).any()
        or (lengths > 3).any()
        or (ends[_PIXELS - 1 :: _PIXELS] != row_ends).any()
    ):
        return None
    values = digits[ends - 1].astype(np.int16)
    values += np.where(lengths > 1, digits[ends - 2], np.uint8(0)).astype(np.int16) * 10
    values += np.where(lengths > 2, digits[ends - 3], np.uint8(0)).astype(np.int16) * 100
    return None if (values > 255).any() else values.astype(np.uint8).reshape(-1, _PIXELS)
