"""Pictures that look the same although not every pixel is equal: another size, crop, brightness or compression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError

DISTANCE = 10
"""Bits of 64 by which the hashes of near copies may differ.

Chosen on FER2013 by looking at pairs drawn at random among those alike by `CORRELATION` or more: up to 6 bits apart,
all of the 55 looked at were one photograph; at 8 bits 109 of 112, at 10 bits 45 of 48, at 12 bits 36 of 48 (the others
are different people in a similar pose and light). Below `CORRELATION`, different people soon outnumber copies.
"""

CORRELATION = 0.8
"""Lowest correlation of the pixels of near copies."""

HASH_BITS = 64
_HASH_SIDE = 8
_DCT_SIDE = 32
_SIDE = 48
_BLOCK_ROWS = 512


def check_images(samples: NDArray[Any], *, source: str) -> None:
    """Raises DataError if the samples are not pictures: (N, H, W[, 3]) uint8."""
    is_grey, is_rgb = samples.ndim == 3, samples.ndim == 4 and samples.shape[-1] == 3
    if samples.dtype != np.uint8 or not (is_grey or is_rgb):
        raise DataError(
            f"{source or 'The data set'} holds features of the shape {samples.shape[1:]} ({samples.dtype}), such as "
            "landmarks, not pictures; name the data set of pictures they were made from"
        )


def perceptual_hashes(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(N, 64) bits: which of the lowest frequencies of each picture are above their median (pHash, Zauner 2010).

    Args:
        images: (N, H, W) grey or (N, H, W, 3) RGB uint8.
    """
    hashes = np.empty((len(images), HASH_BITS), np.bool_)
    for i, image in enumerate(images):
        small = cv2.resize(_grey(image), (_DCT_SIDE, _DCT_SIDE), interpolation=cv2.INTER_AREA)
        # The first row and column hold the brightness and are left out.
        low = cv2.dct(small.astype(np.float32))[1 : 1 + _HASH_SIDE, 1 : 1 + _HASH_SIDE]
        hashes[i] = (low > np.median(low)).ravel()
    return hashes


def near_pairs(
    images: NDArray[np.uint8],
    *,
    distance: int = DISTANCE,
    correlation: float = CORRELATION,
    on_step: Callable[[int], None] | None = None,
) -> NDArray[np.int64]:
    """All pairs of pictures whose hashes differ in few bits and whose pixels correlate.

    Pictures of one single grey are like no other. The hashes are compared as rows of -1 and 1, by matrix products a
    block at a time: the product of two is 64 - 2 x distance. All pairs of 35,887 pictures take some 3 s on two cores.

    Args:
        images: (N, H, W) grey or (N, H, W, 3) RGB uint8.
        distance: most bits, of 64, by which two hashes may differ.
        correlation: least correlation of two pictures, grey and 48 pixels wide, from -1 to 1.
        on_step: called with the number of pictures compared with all others.

    Returns:
        (P, 2) int64 positions i < j, sorted.
    """
    signs = np.where(perceptual_hashes(images), np.float32(1), np.float32(-1))
    small = np.empty((len(images), _SIDE * _SIDE), np.uint8)
    for i, image in enumerate(images):
        small[i] = cv2.resize(_grey(image), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).ravel()
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(images), _BLOCK_ROWS):
        products = signs[start : start + _BLOCK_ROWS] @ signs[start:].T
        rows, columns = np.nonzero(products >= HASH_BITS - 2 * distance)
        candidates = np.stack((rows, columns), axis=1)[columns > rows] + start
        found.append(candidates[_correlated(small, candidates, correlation)])
        if on_step is not None:
            on_step(min(start + _BLOCK_ROWS, len(images)))
    return np.concatenate(found)


def _correlated(small: NDArray[np.uint8], pairs: NDArray[np.int64], least: float) -> NDArray[np.bool_]:
    """Which pairs correlate. Bursts give many pairs of few pictures: one product of these is the cheapest."""
    rows, row_of = np.unique(pairs[:, 0], return_inverse=True)
    columns, column_of = np.unique(pairs[:, 1], return_inverse=True)
    correlations = _standardised(small[rows]) @ _standardised(small[columns]).T
    return np.asarray(correlations[row_of, column_of] >= least)


def _standardised(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Rows of mean 0 and length 1; a row of one single grey becomes zeros."""
    centred = rows.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    np.divide(centred, length, out=centred, where=length > 1)
    centred[length[:, 0] <= 1] = 0
    return centred


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
