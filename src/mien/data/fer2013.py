"""FER2013 (Goodfellow et al. 2013): the Kaggle CSV `emotion,pixels,Usage`, and a clean training split of it."""

from __future__ import annotations

import hashlib
import logging
import lzma
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.data.ferplus import Votes
from mien.errors import DataError, MissingExtra, UnreadableMedia
from mien.labels import EMOTIONS

if TYPE_CHECKING:
    import pandas as pd

SIDE = 48
USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
_COLUMNS = ("emotion", "pixels", "Usage")
_CHUNK_ROWS = 2048

logger = logging.getLogger(__name__)


def load_fer2013(path: str | Path, *, votes: Votes | None = None) -> Dataset:
    """Read the CSV, plain or compressed (.xz, .gz, .zip, .bz2), a chunk at a time.

    Args:
        path: the Kaggle CSV.
        votes: FER+ votes of the same rows; they become the label distribution.

    Returns:
        (N, 48, 48) uint8 images; `Training` is train, `PublicTest` validation, `PrivateTest` test.

    Raises:
        UnreadableMedia: the file is missing or its compression damaged.
        DataError: a column is missing, or a row (named) has a wrong emotion, usage or pixel.
    """
    path = Path(path)
    if not path.is_file():
        raise UnreadableMedia(f"{path} is not a file; give the FER2013 CSV (emotion,pixels,Usage)")
    images, labels, splits = [], [], []
    for first_row, chunk in _chunks(path):
        images.append(_images(chunk, first_row))
        labels.append(_labels(chunk, first_row))
        splits.append(_splits(chunk, first_row))
    count = sum(map(len, labels))
    if not count:
        raise DataError(f"{path} has no rows; FER2013 has 35,887")
    if votes is not None and len(votes.distribution) != count:
        raise DataError(f"{path} has {count} rows but FER+ has {len(votes.distribution)}; both list the same images")
    return Dataset(
        samples=np.concatenate(images),
        labels=np.concatenate(labels),
        split=np.concatenate(splits),
        groups=np.full(count, "", np.str_),
        label_set=EMOTIONS,
        votes=None if votes is None else votes.distribution,
        source=path.name,
    )


def clean_training(dataset: Dataset, *, not_a_face: NDArray[np.bool_] | None = None) -> Dataset:
    """Drop from the train split what would mislead training or measuring; the other splits stay whole.

    Dropped are images marked as no face, images that equal one of validation or test, images that come with two
    different labels, and all but the first of equal images. Equal means every pixel.

    Args:
        dataset: a data set of images.
        not_a_face: (N,) bool, from FER+.

    Returns:
        The data set without those training images.
    """
    keys = np.array([hashlib.sha1(image.tobytes()).hexdigest() for image in dataset.samples])  # noqa: S324
    train = dataset.split == "train"
    held_out = set(keys[~train])
    labels_of = defaultdict(set)
    for key, label in zip(keys[train], dataset.labels[train], strict=True):
        labels_of[key].add(int(label))
    keep, seen = ~train, set()
    reasons = {"not a face": 0, "equals a validation or test image": 0, "two labels": 0, "repeated": 0}
    for row in np.flatnonzero(train):
        key = keys[row]
        if not_a_face is not None and not_a_face[row]:
            reasons["not a face"] += 1
        elif key in held_out:
            reasons["equals a validation or test image"] += 1
        elif len(labels_of[key]) > 1:
            reasons["two labels"] += 1
        elif key in seen:
            reasons["repeated"] += 1
        else:
            keep[row] = True
            seen.add(key)
    logger.info("training images: %d of %d kept; dropped %s", keep[train].sum(), train.sum(), reasons)
    return replace(dataset.where(keep), source=f"{dataset.source} (cleaned)")


def _chunks(path: Path) -> Iterator[tuple[int, pd.DataFrame]]:
    try:
        import pandas as pd
    except ImportError as exc:
        raise MissingExtra("train", "pandas") from exc
    first_row = 0
    try:
        reader = pd.read_csv(path, chunksize=_CHUNK_ROWS, dtype=str, keep_default_na=False)
        with reader:
            for chunk in reader:
                missing = [name for name in _COLUMNS if name not in chunk.columns]
                if missing:
                    raise DataError(f"{path} has no column {', '.join(missing)}; FER2013 has {', '.join(_COLUMNS)}")
                yield first_row, chunk
                first_row += len(chunk)
    except pd.errors.EmptyDataError as exc:
        raise DataError(f"{path} is empty; FER2013 has the columns {', '.join(_COLUMNS)}") from exc
    except (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, OSError) as exc:
        raise UnreadableMedia(f"{path} breaks off or is damaged after row {first_row}: {exc}") from exc
    except (pd.errors.ParserError, UnicodeDecodeError) as exc:
        raise DataError(f"{path} is no CSV that can be read after row {first_row}: {exc}") from exc
    except ValueError as exc:  # pandas on an archive of no file or of several
        raise UnreadableMedia(f"{path} cannot be unpacked: {exc}") from exc


def _images(chunk: pd.DataFrame, first_row: int) -> NDArray[np.uint8]:
    images = np.empty((len(chunk), SIDE * SIDE), np.uint8)
    for i, text in enumerate(chunk["pixels"]):
        words = text.split()
        if len(words) != SIDE * SIDE:
            raise DataError(f"row {first_row + i + 1} has {len(words)} pixels instead of {SIDE * SIDE}")
        try:
            images[i] = [_BYTE[word] for word in words]
        except KeyError as exc:
            raise DataError(f"row {first_row + i + 1} has the pixel {exc}, not a number from 0 to 255") from exc
    return images.reshape(-1, SIDE, SIDE)


_BYTE = {str(value): value for value in range(256)}


def _labels(chunk: pd.DataFrame, first_row: int) -> NDArray[np.int64]:
    valid = {str(i) for i in range(len(EMOTIONS))}
    for i, text in enumerate(chunk["emotion"]):
        if text not in valid:
            raise DataError(f"row {first_row + i + 1} has the emotion {text!r}, not a number from 0 to 6")
    return chunk["emotion"].to_numpy().astype(np.int64)


def _splits(chunk: pd.DataFrame, first_row: int) -> NDArray[np.str_]:
    for i, usage in enumerate(chunk["Usage"]):
        if usage not in USAGES:
            raise DataError(f"row {first_row + i + 1} has the usage {usage!r}, not one of {', '.join(USAGES)}")
    return np.array([USAGES[usage] for usage in chunk["Usage"]], dtype="<U10")
