"""What is known of a model of others whose answers came as a CSV: a JSON file beside it, of the same name.

`fer.csv` and `fer.json`, for example. The JSON is one object; every entry is optional:

- `name`, `version`, `licence`: texts.
- `parameters`: of the network; `bytes`: of its file.
- `ms_1`, `ms_32`: milliseconds a face, one at a time and 32 at a time; `threads`: that computed then.
- `notes`: sentences a reader must know.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mien.errors import InputError, UnknownName
from mien.evaluation.evaluated_model import read_json
from mien.files import write_whole

_SUFFIX = ".json"
_TEXTS = ("name", "version", "licence")
_COUNTS = ("parameters", "bytes", "threads")
_TIMES = ("ms_1", "ms_32")


@dataclass(frozen=True, kw_only=True)
class PeerFacts:
    """What the file beside a CSV of predictions says; empty or None where it is silent."""

    name: str = ""
    version: str = ""
    licence: str = ""
    parameters: int | None = None
    bytes: int | None = None
    ms_1: float | None = None
    ms_32: float | None = None
    threads: int | None = None
    notes: tuple[str, ...] = ()


def peer_facts(predictions: Path) -> PeerFacts:
    """What is known of whoever made a CSV of predictions.

    Args:
        predictions: the CSV.

    Raises:
        UnknownName: the file beside it has an entry of another name.
        InputError: it is damaged, or an entry has the wrong type.
    """
    path = predictions.with_suffix(_SUFFIX)
    data = read_json(path)
    valid = [field.name for field in fields(PeerFacts)]
    for name, value in data.items():
        if name not in valid:
            raise UnknownName(f"entry in {path.name}", name, valid)
        wanted = _wrong(name, value)
        if wanted:
            raise InputError(f"{path}: {name} is {wanted}, got {value!r}")
    return PeerFacts(**{**data, "notes": tuple(data.get("notes", ()))})


def write_peer_facts(predictions: Path, facts: PeerFacts) -> Path:
    """Write the file beside a CSV of predictions, whole or not at all; gives its path."""
    path = predictions.with_suffix(_SUFFIX)
    write_whole(path, (json.dumps(asdict(facts), indent=2) + "\n").encode("utf-8"))
    return path


def _wrong(name: str, value: Any) -> str:
    """What an entry should be; empty when it is."""
    if name in _TEXTS:
        return "" if isinstance(value, str) else "a text"
    if name == "notes":
        fits = isinstance(value, list) and all(isinstance(note, str) for note in value)
        return "" if fits else "a list of sentences"
    if value is None:
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    if name in _COUNTS:
        return "" if is_number and isinstance(value, int) else "a whole number from 0"
    return "" if is_number else "a number from 0"
