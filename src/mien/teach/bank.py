"""The bank: landmarks of hands that show the known gestures, and of hands that show none.

They were found in pictures of HaGRID and, for `loser`, of sign-language sets, none of them in the fifth that is held
back for measurements (`tools/make_teach_bank.py`). The file is under the conditions of HaGRID's public licence, as the
gesture model is: see NOTICE.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.labels import GESTURES
from mien.stages.classify import POINTS_WITH_TOP

BANK = Path(__file__).with_name("bank.npz")


@dataclass(frozen=True, slots=True)
class Bank:
    """Hands of many people.

    Args:
        samples: (N, 22, 3) float32 canonical landmarks with the direction of the picture's top.
        labels: (N,) names of the gestures they show.
        licence: of the file.
    """

    samples: NDArray[np.float32]
    labels: NDArray[np.str_]
    licence: str


def load_bank(path: Path = BANK) -> Bank:
    """The bank in the package.

    Raises:
        ModelError: it is missing or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            samples = np.asarray(stored["samples"], np.float32)
            labels = np.asarray(stored["labels"], np.str_)
            licence = str(stored["licence"])
    except Exception as exc:  # a damaged archive raises errors of zipfile, zlib and numpy
        raise ModelError(f"The bank of hands {path} cannot be read; install mien again.") from exc
    is_whole = samples.shape == (len(labels), POINTS_WITH_TOP, 3) and np.isfinite(samples).all()
    if not is_whole or set(labels.tolist()) != set(GESTURES.labels):
        raise ModelError(f"The bank of hands {path} is not one of the known gestures; install mien again.")
    return Bank(samples, labels, licence)
