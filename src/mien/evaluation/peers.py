"""What is known about somebody else's model whose answers came as a CSV: a JSON file next to it, of the same name.

`fer.csv` and `fer.json`, for example. The JSON is one object; every entry is optional:

- `name`, `version`, `licence`: strings.
- `parameters`: of the network; `bytes`: of its file.
- `ms_1`, `ms_32`: milliseconds per face, one at a time and 32 at a time; `threads`: how many threads computed.
- `notes`: sentences that a reader must know.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from mien.errors import InputError
from mien.evaluation.evaluated_model import read_json
from mien.files.whole import write_whole
from mien.schema import checked

_SUFFIX = ".json"

Count = Annotated[int, Ge(0)]
Milliseconds = Annotated[float, Ge(0)]


@dataclass(frozen=True, kw_only=True)
class PeerFacts:
    """What the file next to a CSV of predictions says; empty or None where it says nothing."""

    name: str = ""
    version: str = ""
    licence: str = ""
    parameters: Count | None = None
    bytes: Count | None = None
    ms_1: Milliseconds | None = None
    ms_32: Milliseconds | None = None
    threads: Count | None = None
    notes: tuple[str, ...] = ()


def peer_facts(predictions: Path) -> PeerFacts:
    """What is known about the maker of a CSV of predictions.

    Args:
        predictions: the CSV.

    Raises:
        UnknownName: the file next to it has an entry with an unknown name.
        InputError: it is damaged, or an entry has the wrong type.
    """
    path = predictions.with_suffix(_SUFFIX)
    return checked(
        PeerFacts,
        read_json(path),
        whole=path.name,
        noun="entry",
        wrong=lambda sentence: InputError(f"{path}: {sentence}"),
    )


def write_peer_facts(predictions: Path, facts: PeerFacts) -> Path:
    """Write the file next to a CSV of predictions, completely or not at all; returns its path."""
    path = predictions.with_suffix(_SUFFIX)
    write_whole(path, (json.dumps(asdict(facts), indent=2) + "\n").encode("utf-8"))
    return path
