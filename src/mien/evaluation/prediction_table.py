"""Answers as a CSV: what `mien evaluate` writes, and what it reads to score answers made elsewhere.

One row per sample. Columns, in any order:

- `name`: of the sample, as in the data set. Without it the rows are in the order of the data set's split.
- one column per label (`angry`, `happy`, ...): its probability from 0 to 1; a row sums to 1.
- `predicted`: the label answered. Needed only if there are no probabilities; then everything that needs probabilities
  (calibration, ROC, risk-coverage) is left out.
- `true`: the true label, for readers; if given, it must agree with the data set.
- `confidence`: for readers; it is ignored.

A row without probabilities and without `predicted` is a sample without an answer, which counts as wrong. Labels are
those of the data set or of the package, in upper or lower case, or as FER+ names them (`happiness` is `happy`).
"""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.classes import plain
from mien.data.readers.archives import separator_of, table_lines
from mien.data.synonyms import SYNONYMS, spoken
from mien.errors import DataError, InputError, UnknownName, UnreadableMedia
from mien.evaluation.metrics import NO_ANSWER
from mien.files.whole import write_whole
from mien.labels import LABEL_SETS, LabelSet
from mien.wording import as_text, count

_NAME, _TRUE, _PREDICTED, _CONFIDENCE = "name", "true", "predicted", "confidence"
_OTHER_COLUMNS = (_NAME, _TRUE, _PREDICTED, _CONFIDENCE)
_SUM_TOLERANCE = 0.05  # eight probabilities rounded to two digits still pass
_TIE = 0.0101  # what two digits cannot tell apart
_DIGITS = 6


@dataclass(frozen=True, eq=False, kw_only=True)
class PredictionTable:
    """Answers to N samples.

    Args:
        labels: names of the L labels that are answered, in the order of the columns.
        predicted: (N,) positions in `labels`, or NO_ANSWER.
        probabilities: (N, L) rows that sum to 1; rows of equal numbers if there is no answer. None if only labels were
            given.
        names: (N,) names of the samples; None if they are in order.
        true: (N,) names of the true labels; None if not given.
        source: where they come from.
    """

    labels: tuple[str, ...]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None
    names: NDArray[np.str_] | None = None
    true: NDArray[np.str_] | None = None
    source: str = ""

    def __len__(self) -> int:
        return len(self.predicted)


def write_predictions(path: str | Path, predictions: PredictionTable) -> None:
    """Write the CSV described above, completely or not at all; raises OutputError if that fails."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    p, labels = predictions.probabilities, predictions.labels
    writer.writerow([*_OTHER_COLUMNS[: 3 if p is None else 4], *(() if p is None else labels)])
    for i, answer in enumerate(predictions.predicted):
        answered = answer != NO_ANSWER
        row = [
            "" if predictions.names is None else predictions.names[i],
            "" if predictions.true is None else predictions.true[i],
            labels[answer] if answered else "",
        ]
        if p is not None:
            row += [f"{v:.{_DIGITS}f}" if answered else "" for v in (p[i, answer], *p[i])]
        writer.writerow(row)
    write_whole(path, as_text(text.getvalue()).encode())


def read_predictions(path: str | Path, *, label_set: LabelSet) -> PredictionTable:
    """Read the CSV described above.

    Args:
        path: the file.
        label_set: of the data set; its labels and those of the known sets may be columns.

    Raises:
        UnreadableMedia: there is no such file, or it cannot be read.
        UnknownName: a column or an answer is not a label.
        DataError: a row (named) is not a distribution, or there is no column `predicted` and none for a label.
    """
    header, rows = _rows(Path(path))
    valid = dict.fromkeys([*label_set.labels, *(label for known in LABEL_SETS.values() for label in known.labels)])
    columns = {_label(column, (*valid, *_OTHER_COLUMNS)): i for i, column in enumerate(header)}
    if len(columns) < len(header):
        raise DataError(f"{path} has two columns for the same label or name: {', '.join(header)}")
    labels = tuple(label for label in columns if label not in _OTHER_COLUMNS)
    given = _column(rows, columns, _PREDICTED)
    if not labels and given is None:
        raise DataError(f"{path} has no answers: give a probability column for each label, or a column predicted")
    probabilities = None
    if labels:
        probabilities = _probabilities(rows, [columns[label] for label in labels], str(path))
    else:
        answers = [_label(word, tuple(valid)) for word in given if word] if given is not None else []
        labels = tuple(dict.fromkeys([*label_set.labels, *answers]))
    predicted = _predicted(given, probabilities, labels, str(path))
    if probabilities is not None:
        probabilities[predicted == NO_ANSWER] = 1 / len(labels)
    true = _column(rows, columns, _TRUE)
    return PredictionTable(
        labels=labels,
        predicted=predicted,
        probabilities=probabilities,
        names=_column(rows, columns, _NAME),
        true=None if true is None else np.array([_label(word, tuple(valid)) if word else "" for word in true]),
        source=Path(path).name,
    )


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        lines = list(table_lines(path))
        "".join(lines).encode()  # bytes that were no text fail here
        read = csv.reader(lines, delimiter=separator_of(lines[0] if lines else ""), skipinitialspace=True)
        header, *rows = [row for row in read if row] or [[]]
    except (UnicodeEncodeError, csv.Error) as exc:
        raise UnreadableMedia(f"{path} cannot be read as a CSV of predictions: {exc}") from exc
    if not rows:
        raise DataError(f"{path} has no rows of predictions")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise DataError(f"{path}, row {number} has {len(row)} cells, the header has {len(header)}")
    return header, rows


def _label(word: str, valid: tuple[str, ...]) -> str:
    spelled = _spelled(valid)
    found = spelled.get(plain(word)) or spelled.get(SYNONYMS.get(spoken(word), ""))
    if found is None:
        raise UnknownName("label or column of predictions", word, valid)
    return found


@lru_cache(maxsize=8)
def _spelled(valid: tuple[str, ...]) -> dict[str, str]:
    """Each name by its form for comparison; of two equal ones the first, which is the data set's own."""
    return {plain(name): name for name in reversed(valid)}


def _column(rows: list[list[str]], columns: dict[str, int], name: str) -> NDArray[np.str_] | None:
    return np.array([row[columns[name]].strip() for row in rows]) if name in columns else None


def _probabilities(rows: list[list[str]], columns: list[int], path: str) -> NDArray[np.float64]:
    """(N, L) probabilities; rows of NaN if all cells are empty."""
    p = np.empty((len(rows), len(columns)))
    for i, row in enumerate(rows):
        cells = [row[column].strip() for column in columns]
        try:
            p[i] = [float(cell) for cell in cells] if any(cells) else np.nan
        except ValueError as exc:
            raise DataError(f"{path}, row {i + 1}: a probability must be a number, got {', '.join(cells)}") from exc
        total = p[i].sum()
        if any(cells) and not (p[i].min() >= 0 and abs(total - 1) <= _SUM_TOLERANCE):
            raise DataError(
                f"{path}, row {i + 1}: probabilities must lie between 0 and 1 and sum to 1; these sum to {total:g}; "
                "divide percentages by 100, and turn logits into probabilities with a softmax"
            )
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _predicted(
    given: NDArray[np.str_] | None, p: NDArray[np.float64] | None, labels: tuple[str, ...], path: str
) -> NDArray[np.int64]:
    if p is None:
        words = np.array([]) if given is None else given
        return np.array([labels.index(_label(word, labels)) if word else NO_ANSWER for word in words], np.int64)
    answered = np.isfinite(p[:, 0])
    best = np.where(answered, np.where(answered[:, None], p, 0).argmax(axis=1), NO_ANSWER)
    if given is None:
        return best
    for i in np.flatnonzero(given != ""):
        position = labels.index(_label(given[i], labels))
        if not answered[i] or p[i, position] < p[i].max() - _TIE:
            word = str(given[i])
            raise DataError(
                f"{path}, row {i + 1}: predicted is {word!r}, but its probability is not the highest of the row"
            )
        best[i] = position  # for a tie after rounding, the file decides
    return best


def in_order_of(predictions: PredictionTable, names: NDArray[np.str_], true: NDArray[np.str_]) -> NDArray[np.intp]:
    """Rows of the predictions for the samples of a split, by name if there are names, otherwise by order.

    Args:
        predictions: as read.
        names: (M,) names of the samples.
        true: (M,) names of their labels.

    Returns:
        (M,) positions of the rows.

    Raises:
        InputError: the numbers differ, a sample has no row, or a row states another true label.
    """
    what = predictions.source or "the predictions"
    rows = np.arange(len(names))
    if predictions.names is not None:
        # Names as composed text: the predictions may come from a system that stores accents the other way (NFC, NFD).
        where = {unicodedata.normalize("NFC", as_text(str(name))): i for i, name in enumerate(predictions.names)}
        if len(where) < len(predictions):
            raise InputError(f"{what} names a sample twice; give one row per sample")
        asked = [unicodedata.normalize("NFC", as_text(str(name))) for name in names]
        missing = [name for name in asked if name not in where]
        if missing:
            raise InputError(
                f"{what} has no row for {len(missing)} of {count(len(names), 'sample')} of the split; the first is "
                f"{missing[0]!r}; use the names of the data set, or leave out the column name and keep its order"
            )
        rows = np.array([where[name] for name in asked])
    elif len(predictions) != len(names):
        raise InputError(
            f"{what} has {count(len(predictions), 'row')}, the split has {count(len(names), 'sample')}; give one row "
            "per sample, an empty one if there is no answer"
        )
    if predictions.true is not None:
        stated = predictions.true[rows]
        for i in np.flatnonzero((stated != "") & (stated != true)):
            raise InputError(
                f"{what} says that {str(names[i])!r} is {stated[i]}, the data set says {true[i]}; "
                "give the predictions of this split, in its order"
            )
    return rows
