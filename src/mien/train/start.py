"""What a run was started with: kept in its folder, and compared before a run is resumed."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from mien.data.dataset import Dataset
from mien.data.provenance import PROVENANCES, Provenance, provenance_of
from mien.errors import OutputError, RefusedOutput
from mien.evaluation.evaluated_model import read_json
from mien.files.locks import busy, hold_folder
from mien.files.whole import write_whole
from mien.recipes.recipe import Recipe
from mien.recipes.saved import RECIPE_FILE, SUMMARY_FILE, RunSummary, saved_summary
from mien.train.runs import checkpoint_of, run_recipe

START_FILE = "start.json"
_LAST = "last"
_HASH_SHOWN = 12
_MOVE_OR_NAME = "move it away to train it anew, or name another folder"
_TRIES = 10
_HELD: ContextVar[frozenset[str]] = ContextVar("runs that are trained here", default=frozenset())

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a resumed run must share with its first start, besides the recipe; otherwise its learning rate, sample order
    or scores would match no uninterrupted run.

    Args:
        devices: on all machines together.
        steps: optimiser steps per epoch, on which the learning rate schedule is based.
        train_samples, validation_samples: how many there are.
        data: name of the data set.
        data_sha256: its fingerprint.
        votes_sha256: of the raters' votes; empty without any.
        precision: the precision of the computation. Resuming in another one is possible, and reported.
        provenance: where the training samples come from (`mien.data.provenance`), for the card of the model.
    """

    devices: int
    steps: int
    train_samples: int
    validation_samples: int
    data: str
    data_sha256: str
    votes_sha256: str
    precision: str
    provenance: str


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How far a run has come, by its last checkpoint.

    Args:
        epochs: finished ones.
        steps: of the optimiser so far.
        best: highest validation accuracy; None if none was kept.
        seconds: how long the epochs took, over all starts.
    """

    epochs: int
    steps: int
    best: float | None
    seconds: float


def start_of(recipe: Recipe, dataset: Dataset, *, devices: int, precision: str) -> Start:
    """What a run would be started with now."""
    train = dataset.size("train")
    votes = dataset.votes
    return Start(
        devices=devices,
        steps=train // (min(recipe.fit.batch, train) * devices),
        train_samples=train,
        validation_samples=int(np.count_nonzero(dataset.split == "validation")),
        data=dataset.source,
        data_sha256=dataset.fingerprint(),
        votes_sha256="" if votes is None else hashlib.sha256(np.ascontiguousarray(votes).tobytes()).hexdigest(),
        precision=precision,
        provenance=provenance_of(dataset.part("train")),
    )


@contextmanager
def held_run(run: Path) -> Iterator[None]:
    """Make the folder of a run and keep it to one training until the end: a second one is refused, whether it begins or
    resumes. The lock goes with the process, even a killed one; a folder in which nothing was written goes too.

    May be nested: whoever holds the folder to read the data first can call `fit` in there.

    Raises:
        RefusedOutput: it is a file, or another training is at work in it.
        OutputError: it cannot be created.
    """
    place = os.path.realpath(run)
    if place in _HELD.get() or not is_first_process():  # of a run on several machines, the first holds it for all
        yield
        return
    if run.exists() and not run.is_dir():
        raise RefusedOutput(f"{run} is a file; name a folder for the run")
    made = [folder for folder in (run, *run.parents) if not folder.exists()]
    descriptor = _locked(run)
    before = _HELD.set(_HELD.get() | {place})
    try:
        yield
    finally:
        _HELD.reset(before)
        with suppress(OSError):  # until the first that is not empty
            for folder in made:
                folder.rmdir()
        if descriptor is not None:
            os.close(descriptor)


def _locked(run: Path) -> int | None:
    for _ in range(_TRIES):
        try:
            run.mkdir(parents=True, exist_ok=True)
            descriptor = hold_folder(run)
            if descriptor is None or os.path.samestat(os.fstat(descriptor), run.stat()):
                return descriptor
            os.close(descriptor)  # of a folder that its last holder has just removed
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise OutputError(f"{run} cannot be created: {exc.strerror}; name another folder") from exc
    raise busy(run, "folder")


def check_new(run: Path) -> None:
    """Check that a new run may be trained into a folder.

    Raises:
        RefusedOutput: it already holds a run.
    """
    # A run that stopped in its first epoch left nothing to resume: its folder may be used again.
    kept = run / "checkpoints"
    if has_begun(run) or (run / SUMMARY_FILE).is_file():
        raise RefusedOutput(f"{run} already holds a run; continue it with --resume or name another folder")
    if kept.is_dir() and any(kept.iterdir()):
        raise RefusedOutput(f"{run} holds checkpoints but not {_LAST}.ckpt to continue from; {_MOVE_OR_NAME}")


def claim(run: Path, recipe: Recipe, start: Start) -> None:
    """Record in the folder of a new run, which is made if need be, what the run is started with.

    Raises:
        RefusedOutput: it already holds a run.
        OutputError: it cannot be created.
    """
    check_new(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{run} cannot be created: {exc.strerror}; name another folder") from exc
    if is_first_process():
        write_whole(run / RECIPE_FILE, f"{json.dumps(recipe.to_dict(), indent=2)}\n".encode())
        write_whole(run / START_FILE, f"{json.dumps(asdict(start), indent=2)}\n".encode())


def check_recipe(run: Path, recipe: Recipe, *, devices: int) -> None:
    """Check that a run can be resumed with a recipe and this many devices, as far as possible without the data.

    Raises:
        RefusedOutput: it holds no run that can be resumed, or one with another start; what differs is named.
        InputError: its recipe is damaged.
    """
    if not (run / SUMMARY_FILE).is_file() and not has_begun(run):
        kept = run / "checkpoints"
        cure = _MOVE_OR_NAME if kept.is_dir() and any(kept.iterdir()) else "leave out --resume to start"
        raise RefusedOutput(f"{run} has no checkpoint to resume from ({_LAST}.ckpt); {cure}")
    before = _kept_start(run)
    changed = _changed(run_recipe(run).to_dict(), recipe.to_dict())
    if before.get("devices", devices) != devices:
        changed.append(f"it was trained on {_count(before['devices'], 'device')}, now {devices}")
    _refuse(run, changed)


def check_data(run: Path, start: Start) -> None:
    """Check that a run can be resumed with these samples; call `check_recipe` first.

    Raises:
        RefusedOutput: they differ from those it was started with, or give another number of steps; what differs is
            named.
    """
    # A folder of an earlier version has no start, but a summary when it ended; its checkpoint tells the steps.
    before = {**_kept_start(run, SUMMARY_FILE), **_kept_start(run)}
    changed = []
    if before.get("data_sha256", start.data_sha256) != start.data_sha256:
        changed.append(_data_told(before, start))
    elif before.get("votes_sha256", start.votes_sha256) != start.votes_sha256:
        changed.append("the raters' votes are different")
    reached = reached_by(run)
    if not changed and reached is not None and reached.steps != reached.epochs * start.steps:
        steps = reached.steps / max(reached.epochs, 1)
        changed.append(f"an epoch had {steps:g} steps, now {start.steps}: other samples or devices")
    _refuse(run, changed)
    if before.get("precision", start.precision) != start.precision:
        logger.warning(
            "%s has been computed in %s so far, and continues in %s", run, before["precision"], start.precision
        )


def ended(run: Path) -> RunSummary | None:
    """The summary of a finished run; None while there is more to do. InputError if it is damaged."""
    return saved_summary(read_json(run / SUMMARY_FILE), run / SUMMARY_FILE)


def has_begun(run: Path) -> bool:
    """Whether a run has finished an epoch, and can be resumed."""
    return (run / "checkpoints" / f"{_LAST}.ckpt").is_file()


def reached_by(run: Path) -> Reached | None:
    """How far a run has come; None without a checkpoint. InputError if it is damaged."""
    if not has_begun(run):
        return None
    stored = checkpoint_of(run, _LAST)
    states = stored.get("callbacks", {})
    kept: Mapping[str, Any] = next((state for state in states.values() if state.get("monitor") == "val_accuracy"), {})
    best = kept.get("best_model_score")
    return Reached(
        epochs=int(stored.get("epoch", -1)) + 1,
        steps=int(stored.get("global_step", 0)),
        best=None if best is None else float(best),
        seconds=float(states.get("EpochLines", {}).get("seconds", 0.0)),
    )


def last_figures(run: Path) -> dict[str, float]:
    """What was logged in the last epoch; unlike the trainer's log, this one covers all processes and starts."""
    path = run / "curves" / "metrics.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row.get("epoch") or "").isdecimal()]
    last = max((int(row["epoch"]) for row in rows), default=0)
    figures: dict[str, float] = {}
    for row in rows:
        if int(row["epoch"]) == last:
            figures |= {name: float(cell) for name, cell in row.items() if cell and name not in ("epoch", "step")}
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def trained_on(run: Path, dataset: Dataset) -> tuple[Provenance, int]:
    """Where the training samples of a run come from and how many there are, by its folder or, if an earlier version did
    not record it, by the given data set. A different data set is reported."""
    kept = {**_kept_start(run, SUMMARY_FILE), **_kept_start(run)}
    if kept.get("data_sha256", "") not in ("", dataset.fingerprint()):
        logger.warning("%s was trained on other samples than those given: what is measured here is not of its run", run)
    known = next((each for each in PROVENANCES if each == kept.get("provenance")), None)
    return known or provenance_of(dataset.part("train")), int(kept.get("train_samples") or dataset.size("train"))


def is_first_process() -> bool:
    """Whether this process writes for all of a run on several machines."""
    return int(getattr(rank_zero_only, "rank", 0) or 0) == 0


def _kept_start(run: Path, name: str = START_FILE) -> dict[str, Any]:
    """What a file says about a start, as far as it has the form of this version."""
    kept = read_json(run / name)
    return {
        field.name: kept[field.name] for field in fields(Start) if type(kept.get(field.name)).__name__ == field.type
    }


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], where: str = "") -> list[str]:
    """The settings of two recipes that differ, in words."""
    told = []
    for name, value in now.items():
        if isinstance(value, Mapping):
            told += _changed(before[name], value, f"{where}{name}.")
        elif before[name] != value:
            told.append(f"{where}{name} was {_shown(before[name])}, now {_shown(value)}")
    return told


def _shown(value: Any) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)


def _data_told(before: Mapping[str, Any], start: Start) -> str:
    old, new = before.get("train_samples"), start.train_samples
    name = before.get("data") or "another data set"
    if old is not None and (old, name) != (new, start.data):
        return f"it was trained on {_count(old, 'sample')} of {name}, now {new:,} of {start.data}"
    hashes = (before["data_sha256"][:_HASH_SHOWN], start.data_sha256[:_HASH_SHOWN])
    return f"the pictures, labels or splits of {start.data} are different (SHA-256 {hashes[0]}..., now {hashes[1]}...)"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _refuse(run: Path, changed: list[str]) -> None:
    if changed:
        raise RefusedOutput(
            f"{run} was started with other settings: {'; '.join(changed)}. Resume with the same, or train into another "
            f"folder (--weights {run} starts from what it has learned)"
        )
