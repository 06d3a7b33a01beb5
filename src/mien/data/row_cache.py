"""Rows of numbers cached by key in one file, so that nothing is measured twice."""

from __future__ import annotations

import logging
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]

logger = logging.getLogger(__name__)


class RowCache:
    """Rows by key in an .npz file; a damaged file is logged and recreated.

    Args:
        path: the file; None keeps the rows in memory only.
        width: numbers in a row.
    """

    def __init__(self, path: Path | None, width: int) -> None:
        self._path, self._width = path, width
        self._rows = self._read()
        self._unsaved = 0

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> Row:
        return self._rows[key]

    def put(self, key: str, row: Row, *, save_every: int = 500) -> None:
        """Keep a row of (width,) float32; the file is rewritten after a number of rows."""
        self._rows[key] = np.asarray(row, np.float32)
        self._unsaved += 1
        if self._unsaved >= save_every:
            self.save()

    def save(self) -> None:
        """Write what is new; the file is complete or unchanged."""
        if self._path is None or not self._unsaved:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".part.npz")
        np.savez(partial, keys=np.array(list(self._rows)), rows=np.stack(list(self._rows.values())))
        partial.replace(self._path)
        self._unsaved = 0

    def _read(self) -> dict[str, Row]:
        if self._path is None or not self._path.is_file():
            return {}
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                keys, rows = stored["keys"].tolist(), np.asarray(stored["rows"], np.float32)
                rows = rows.reshape(len(keys), self._width)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
            logger.warning("%s is damaged and is recreated", self._path)
            return {}
        return dict(zip(keys, rows, strict=True))
