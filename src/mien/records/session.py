"""The records of a session read back as columns: hours of records in seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError
from mien.labels import TASKS
from mien.records.rows import MODEL_COLUMNS
from mien.records.tables import ADVICE, read_rows
from mien.scene import UsedModel

if TYPE_CHECKING:
    import pyarrow as pa

"""Their positions are the codes of `Detections.task`; faces are read for the first, hands for the second."""

_KINDS = {"none": -1, "face": 0, "hand": 1}
_SIDES = {"left": 1, "right": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Faces and hands, one element each, in the order of the records.

    Args:
        frame: position among the frames, (M,) int64.
        task: position in `TASKS`, (M,) int8: 0 for a face, 1 for a hand.
        track: its number, 0 for none, (M,) int64.
        side: 1 for a left hand, 2 for a right one, 0 for a face, (M,) int8.
        label: position among the labels, -1 before classification, (M,) int64.
        confidence: of the label, 0 to 1, NaN before classification, (M,) float64.
        uncertain: whether the label should be taken as "not sure", (M,) bool.
        perhaps: whether an uncertain label is still perhaps right, (M,) bool; never in records of older versions.
        baseline: whether the label is relative to the person's own neutral face, (M,) bool.
    """

    frame: NDArray[np.int64]
    task: NDArray[np.int8]
    track: NDArray[np.int64]
    side: NDArray[np.int8]
    label: NDArray[np.int64]
    confidence: NDArray[np.float64]
    uncertain: NDArray[np.bool_]
    perhaps: NDArray[np.bool_]
    baseline: NDArray[np.bool_]

    @property
    def unsure(self) -> NDArray[np.bool_]:
        """(M,) whether the label is perhaps right or unclear: what a table calls `share_hard_to_read`."""
        return self.uncertain | (self.label < 0)

    @property
    def unclear(self) -> NDArray[np.bool_]:
        """(M,) whether the label is neither sure nor perhaps right, or there is none."""
        return (self.uncertain & ~self.perhaps) | (self.label < 0)

    def where(self, chosen: NDArray[Any]) -> Detections:
        """Those selected by a mask or by positions, in that order, as copies."""
        return Detections(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """The records of one file.

    Args:
        name: of the file.
        sources: what was looked at, in order of appearance.
        labels: all labels that occur, in order of appearance.
        source: position among the sources of each frame, (N,) int64.
        number: each frame's number in its source, (N,) int64.
        time_s: each frame's time in its source, (N,) float64.
        seen: what the frames show.
        models: all that answered, in order of appearance; one model with two thresholds counts as two.
        model: position among the models for each frame and each of `TASKS`, -1 where the records name none, because
            the task was not asked for or the records are of an older version, (N, 2) int64.
    """

    name: str
    sources: tuple[str, ...]
    labels: tuple[str, ...]
    source: NDArray[np.int64]
    number: NDArray[np.int64]
    time_s: NDArray[np.float64]
    seen: Detections
    models: tuple[UsedModel, ...]
    model: NDArray[np.int64]


def read_session(path: str | Path) -> Session:
    """Read the records of `mien look` or `mien live`.

    Rows of the same source, number and time, one after the other, are one frame.

    Args:
        path: a `.parquet`, `.jsonl` or `.csv` file, by its suffix; `.part` may follow, as a killed run leaves it.

    Raises:
        UnreadableMedia: there is no such file, or it is damaged.
        DataError: it is something else, lacks a column, or holds nothing.
        MissingExtra: pyarrow is not installed.
    """
    return session_of(read_rows(Path(path)), Path(path))


def session_of(rows: pa.Table, path: Path) -> Session:
    """A session of rows that have been read.

    Args:
        rows: as `read_rows` gives them.
        path: where they come from, for its name and for errors.

    Raises:
        DataError: a cell is wrong.
    """
    sources, source = _coded(rows["source"].fill_null(""))
    kinds, kind = _coded(rows["kind"])
    sides, side = _coded(rows["side"])
    labels, label = _coded(rows["label"])
    grades, grade_of = _coded(rows["grade"])
    strange = [name for name in kinds if name not in _KINDS] + [name for name in sides if name not in _SIDES]
    if strange:
        raise DataError(
            f"{path}: a row must be a face, a left or right hand, or none, got {', '.join(strange)}; {ADVICE}"
        )
    number, time_s = rows["frame"].to_numpy(), rows["time_s"].to_numpy()
    is_new = np.ones(len(number), np.bool_)
    is_new[1:] = (np.diff(source) != 0) | (np.diff(number) != 0) | (np.diff(time_s) != 0)
    first = np.flatnonzero(is_new)
    task = np.array([_KINDS[name] for name in kinds], np.int8)[kind]
    seen = Detections(
        frame=np.cumsum(is_new) - 1,
        task=task,
        track=rows["track"].fill_null(0).to_numpy(),
        side=np.array([*(_SIDES[name] for name in sides), 0], np.int8)[side],
        label=label,
        confidence=rows["confidence"].fill_null(np.nan).to_numpy(),
        uncertain=rows["uncertain"].fill_null(True).to_numpy(),
        perhaps=np.array([grade == "perhaps" for grade in (*grades, "")], np.bool_)[grade_of],
        baseline=rows["baseline"].fill_null(False).to_numpy(),
    ).where(task >= 0)
    models, model = _models(rows, path)
    return Session(path.name, sources, labels, source[first], number[first], time_s[first], seen, models, model[first])


def _models(rows: pa.Table, path: Path) -> tuple[tuple[UsedModel, ...], NDArray[np.int64]]:
    """All models, and the position of each row's among them for each task, (M, 2); -1 for none."""
    models: list[UsedModel] = []
    columns = []
    for task in TASKS:
        texts, codes = _coded(rows[MODEL_COLUMNS[task]])
        try:
            parsed = [UsedModel.parse(text) for text in texts]
        except ValueError as error:
            raise DataError(f"{path}: the column {MODEL_COLUMNS[task]} is wrong: {error}; {ADVICE}") from error
        columns.append(np.array([*(len(models) + i for i in range(len(parsed))), -1], np.int64)[codes])
        models += parsed
    return tuple(models), np.stack(columns, axis=1)


def _coded(column: pa.ChunkedArray) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The texts of a column in order of appearance, and the position of each row's among them; -1 for none."""
    coded = column.combine_chunks().dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return tuple(coded.dictionary.to_pylist()), codes.astype(np.int64)
