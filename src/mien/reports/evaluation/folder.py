"""An evaluation as a folder: `report.html` with its figures as PNG files, `metrics.json`, `predictions.csv`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.errors import RefusedOutput
from mien.evaluation.evaluate import Evaluation
from mien.evaluation.prediction_table import PredictionTable, write_predictions
from mien.evaluation.results import rounded
from mien.files.whole import spare_foreign, whole_folder, write_whole
from mien.reports.evaluation.page import report_page
from mien.wording import json_text

METRICS_FILE, PAGE_FILE, PREDICTIONS_FILE = "metrics.json", "report.html", "predictions.csv"

_FILES = (PAGE_FILE, PREDICTIONS_FILE, METRICS_FILE, "*.png")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that must not be replaced, before hours are spent.

    Raises:
        RefusedOutput: it is not empty and `overwrite` is false, or it holds something other than an evaluation.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise RefusedOutput(f"{folder} is a file; name a folder for the report.")
    if any(folder.iterdir()):
        if not overwrite:
            raise RefusedOutput(f"{folder} is not empty; name another folder or use --overwrite.")
        if not (folder / METRICS_FILE).is_file():
            raise RefusedOutput(f"{folder} holds something other than a report; name another folder.")
        spare_foreign(folder, _FILES)


def write_report(evaluation: Evaluation, folder: Path, *, overwrite: bool = False) -> None:
    """Write the complete folder or nothing.

    Raises:
        OutputError: as for `check_folder`, or the disk is full, or the like.
    """
    check_folder(folder, overwrite=overwrite)
    with whole_folder(folder, known=_FILES) as fresh:
        report_page(evaluation).save(fresh / PAGE_FILE)
        write_predictions(fresh / PREDICTIONS_FILE, predictions_of(evaluation))
        text = json_text(rounded(evaluation.to_dict()), indent=2, allow_nan=False)
        write_whole(fresh / METRICS_FILE, f"{text}\n".encode())


def predictions_of(evaluation: Evaluation) -> PredictionTable:
    """The answers in the form that `mien evaluate` can read back."""
    answers = evaluation.answers
    labels = answers.part.label_set.labels
    return PredictionTable(
        labels=labels,
        predicted=answers.predicted,
        probabilities=answers.probabilities,
        names=answers.part.names,
        true=np.array(labels)[answers.part.labels],
    )
