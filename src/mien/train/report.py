"""An evaluation as a folder: `report.html` with its figures as PNG beside it, `metrics.json`, `predictions.csv`."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import OutputError
from mien.files import output_error, write_whole
from mien.train.evaluate import Evaluation
from mien.train.predictions import Predictions, write_predictions
from mien.train.report_page import report_page

METRICS_FILE, PAGE_FILE, PREDICTIONS_FILE = "metrics.json", "report.html", "predictions.csv"

_DIGITS = 6


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that must not be replaced, before hours are spent.

    Raises:
        OutputError: it is not empty and `overwrite` is false, or it holds something else than an evaluation.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder for the report")
    if any(folder.iterdir()):
        if not overwrite:
            raise OutputError(f"{folder} is not empty; name another folder or say --overwrite")
        if not (folder / METRICS_FILE).is_file():
            raise OutputError(f"{folder} holds something else than a report; name another folder")


def write_report(evaluation: Evaluation, folder: Path, *, overwrite: bool = False) -> None:
    """Write the whole folder or nothing of it.

    Raises:
        OutputError: as `check_folder`, or the disk is full, or the like.
    """
    check_folder(folder, overwrite=overwrite)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as exc:
        raise output_error(folder, exc) from exc
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        report_page(evaluation).save(fresh / PAGE_FILE)
        write_predictions(fresh / PREDICTIONS_FILE, predictions_of(evaluation))
        text = json.dumps(rounded(evaluation.to_dict()), indent=2, allow_nan=False)
        write_whole(fresh / METRICS_FILE, f"{text}\n".encode())
        if folder.exists():
            folder.rename(scratch / "old")
        fresh.rename(folder)
    except OSError as exc:
        if (scratch / "old").exists() and not folder.exists():
            (scratch / "old").rename(folder)
        raise output_error(folder, exc) from exc
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def predictions_of(evaluation: Evaluation) -> Predictions:
    """The answers in the form that `mien evaluate` reads again."""
    answers = evaluation.answers
    labels = answers.part.label_set.labels
    return Predictions(
        labels=labels,
        predicted=answers.predicted,
        probabilities=answers.probabilities,
        names=answers.part.names,
        true=np.array(labels)[answers.part.labels],
    )


def rounded(value: Any) -> Any:
    """Plain data with its numbers cut to six digits behind the point."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
