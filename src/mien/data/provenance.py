"""Where the pictures of a data set came from, judged by the pictures themselves: a file may have any name."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.data.likeness import HASH_BITS, perceptual_hashes

Provenance = Literal["fer2013", "sign_language", "images", "hands"]
"""FER2013; the sign-language sets of docs/data.md, as landmarks; pictures, or hands, of a user's own."""

PROVENANCES: tuple[Provenance, ...] = get_args(Provenance)

SIGN_LANGUAGE_SETS = frozenset(("asl_alphabet", "massey", "signer_b", "signer_c", "webcam"))
"""What docs/data.md calls the folders of the published sets of hand pictures."""

_HASHES_FILE = "fer2013_hashes.txt"
_DISTANCE = 4
_LEAST = 3
_BLOCK_ROWS = 4096


def provenance_of(dataset: Dataset) -> Provenance:
    """Where the samples come from.

    A data set is FER2013, or has images of it, when 3 of 128 known images are among its own, by hashes that differ in 4
    bits of 64 at most. Measured on FER2013: all 128 are found, in JPEG of quality 50, enlarged to 96 pixels and reduced
    to 40 too (127 there); none among its 35,887 images mirrored, which stand for as many other faces.

    Args:
        dataset: images, or landmarks of hands, whose source names the folders they came from.
    """
    if dataset.samples.dtype != np.uint8:
        names = {name.strip() for name in dataset.source.split(",")}
        return "sign_language" if names <= SIGN_LANGUAGE_SETS else "hands"
    return "fer2013" if _known_images(dataset.samples) >= _LEAST else "images"


def _known_images(images: NDArray[np.uint8]) -> int:
    """How many of the known images of FER2013 are among these."""
    known = _signs(_hashes())
    found = np.zeros(len(known), np.bool_)
    for start in range(0, len(images), _BLOCK_ROWS):
        alike = known @ _signs(perceptual_hashes(images[start : start + _BLOCK_ROWS])).T
        found |= (alike >= HASH_BITS - 2 * _DISTANCE).any(axis=1)
    return int(found.sum())


def _signs(bits: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Rows of -1 and 1, whose product is 64 - 2 x distance."""
    return np.where(bits, np.float32(1), np.float32(-1))


@cache
def _hashes() -> NDArray[np.bool_]:
    text = (resources.files("mien.data") / _HASHES_FILE).read_text("ascii")
    rows = [bytes.fromhex(line) for line in text.splitlines() if line and not line.startswith("#")]
    return np.unpackbits(np.frombuffer(b"".join(rows), np.uint8)).reshape(len(rows), HASH_BITS).astype(np.bool_)
