"""How a run ended: put together from what was trained, and kept in its folder."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from mien import __version__
from mien.data.dataset import Dataset
from mien.files.whole import write_whole
from mien.recipes.recipe import Recipe
from mien.recipes.saved import SUMMARY_FILE, RunSummary
from mien.train.machine import commit


def summary_of(
    recipe: Recipe,
    dataset: Dataset,
    network: nn.Module,
    *,
    epochs: int,
    best: float | None,
    last: Mapping[str, float],
    seconds: float,
    machine: str,
) -> RunSummary:
    """The summary of a run of these samples.

    Args:
        recipe: that was trained.
        dataset: all its samples.
        network: that learned.
        epochs: done, over all starts.
        best: highest validation accuracy, 0 to 1; None if no epoch ended.
        last: the figures of the last epoch, by name.
        seconds: of training, over all starts.
        machine: what trained, in words.
    """
    return RunSummary(
        recipe=recipe.name,
        epochs=epochs,
        best_val_accuracy=None if best is None else round(best, 5),
        last={name: round(value, 5) for name, value in last.items()},
        parameters=sum(p.numel() for p in network.parameters()),
        train_samples=dataset.size("train"),
        validation_samples=dataset.size("validation"),
        data=dataset.source,
        data_sha256=dataset.fingerprint(),
        caveats=tuple(dataset.caveats),
        seconds=round(seconds, 1),
        machine=machine,
        commit=commit(),
        mien=__version__,
        torch=str(torch.__version__),
        python=platform.python_version(),
    )


def keep_summary(run: Path, summary: RunSummary) -> None:
    """Write a summary into a run folder: the run has ended. Raises OutputError if it cannot be written."""
    write_whole(run / SUMMARY_FILE, f"{json.dumps(asdict(summary), indent=2)}\n".encode())
