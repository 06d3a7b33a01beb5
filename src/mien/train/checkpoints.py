"""Reading checkpoints: only weights, numbers and words are read, and no code in them is run."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mien.errors import InputError


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """Everything that a checkpoint holds, on the CPU.

    Raises:
        InputError: it is damaged, or loading all of it would run code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a pickle of another protocol: it fails or loads
            stored: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as exc:
        raise InputError(
            f"{path} is damaged, or holds more than weights, numbers and words, which may run code; it was not "
            "loaded. Get the run from somebody you trust, or train again"
        ) from exc
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError) as exc:
        raise InputError(f"{path} is damaged or not a checkpoint; train again") from exc
    if not isinstance(stored, Mapping):
        raise InputError(f"{path} is damaged: it holds {type(stored).__name__} instead of a checkpoint; train again")
    return stored
