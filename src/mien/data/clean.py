"""The list of samples that training may use: written, edited by hand if need be, and read again."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.data.readers.archives import column_words
from mien.errors import DataError, UnreadableMedia
from mien.files.whole import write_whole
from mien.wording import as_text
from mien.words import kept

_COLUMNS = ("name", "split", "use", "reason", "data_set")


def write_clean_list(path: str | Path, dataset: Dataset, faults: NDArray[np.str_]) -> None:
    """Write which samples training may use, as a CSV `name,split,use,reason,data_set` that may be edited by hand.

    Args:
        path: of the CSV.
        dataset: the samples.
        faults: from `training_faults`.

    Raises:
        OutputError: the file cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    mark = _mark(dataset)
    for i, (split, fault) in enumerate(zip(dataset.split, faults, strict=True)):
        rows.writerow((as_text(dataset.name(i)), split, "no" if fault else "yes", fault, mark))
    write_whole(path, text.getvalue().encode("utf-8"))


def apply_clean_list(dataset: Dataset, path: str | Path) -> Dataset:
    """The data set without the training samples whose `use` is no in a list of `write_clean_list`.

    Args:
        dataset: the one the list was made for: the same names, labels and splits. Size and colour of its pictures may
            differ.
        path: of the CSV.

    Raises:
        UnreadableMedia: there is no such file.
        DataError: a column is missing, a line says neither yes nor no or leaves out a sample that is not for
            training, or the list was made for another data set.
    """
    uses = _read_uses(Path(path), mark=_mark(dataset))
    names = [as_text(dataset.name(i)) for i in range(len(dataset))]
    strangers = uses.keys() - set(names)
    if strangers:
        raise DataError(f"{path} lists {min(strangers)!r}, which is not a sample of {dataset.source or 'the data set'}")
    missing = next((name for name in names if name not in uses), None)
    if missing is not None:
        raise DataError(f"{path} does not list the sample {missing!r}; add its line or make the list again")
    keep = np.array([uses[name] for name in names], np.bool_)
    held_out = np.flatnonzero(~keep & (dataset.split != "train"))
    if held_out.size:
        i = int(held_out[0])
        raise DataError(
            f"{path} leaves out {names[i]!r} of {dataset.split[i]}; only training samples can be left out, "
            "so that everyone measures on the same ones"
        )
    return replace(dataset.where(keep), source=kept("kept.cleaned", data=dataset.source))


def _read_uses(path: Path, *, mark: str) -> dict[str, bool]:
    if not path.is_file():
        raise UnreadableMedia(f"{path} is not a file; create the list with `mien data duplicates --write`")
    uses: dict[str, bool] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            rows.fieldnames = column_words(rows.fieldnames or ())
            missing = [name for name in ("name", "use", "data_set") if name not in rows.fieldnames]
            if missing:
                raise DataError(f"{path} has no column {', '.join(missing)}; a clean list has {', '.join(_COLUMNS)}")
            for row in rows:
                if row["data_set"] != mark:
                    raise DataError(
                        f"{path} was made for another data set (line {rows.line_num} says {row['data_set']}, this one "
                        f"is {mark}); names, labels and splits must be the same: make the list again"
                    )
                if row["use"] not in ("yes", "no"):
                    raise DataError(f"{path}, line {rows.line_num}: use must be yes or no, not {row['use']!r}")
                if row["name"] in uses:
                    raise DataError(f"{path}, line {rows.line_num}: {row['name']!r} is listed twice")
                uses[row["name"]] = row["use"] == "yes"
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{path} cannot be read as a CSV: {exc}") from exc
    return uses


def _mark(dataset: Dataset) -> str:
    """Tells data sets apart by names, labels and splits, not by pixels, which depend on the size they are read at."""
    digest = hashlib.sha256()
    for i, (label, split) in enumerate(zip(dataset.labels, dataset.split, strict=True)):
        digest.update(f"{as_text(dataset.name(i))}\n{dataset.label_set.labels[label]}\n{split}\n".encode())
    return digest.hexdigest()[:16]
