from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.errors import OutputError
from mien.evaluation.evaluate import Evaluation, EvaluationContext, evaluate
from mien.evaluation.evaluated_model import Curves, ModelInfo
from mien.evaluation.metrics import NO_ANSWER
from mien.evaluation.prediction_table import PredictionTable, read_predictions
from mien.evaluation.predictions import answers_of_predictions
from mien.labels import EMOTIONS
from mien.pixels.images import read_image
from mien.reports.evaluation.folder import check_folder, rounded, write_report
from mien.reports.evaluation.grids import random_positions, samples_figure, title, worst_positions
from mien.reports.evaluation.page import add_curves, report_page
from mien.reports.evaluation.tables import summary_rows
from mien.reports.page import Page

CURVES: Curves = [
    {"epoch": i, "train_loss": 2 / i, "val_loss": 2.2 / i, "train_accuracy": 0.2 * i, "val_accuracy": accuracy}
    for i, accuracy in enumerate((0.3, 0.55, 0.5), 1)
]


def made(dataset: Dataset, *, kind: Any = "predictions", curves: Curves | None = None, **changes: Any) -> Evaluation:
    """Answers to the test split: fear is always called sad, everything else is right."""
    part = dataset.part("test")
    predicted = np.where(part.labels == EMOTIONS.index("fear"), EMOTIONS.index("sad"), part.labels)
    p = np.full((len(part), 7), 0.05)
    p[np.arange(len(part)), predicted] = 0.7
    values: dict[str, Any] = {"labels": EMOTIONS.labels, "predicted": predicted, "probabilities": p} | changes
    answers = answers_of_predictions(PredictionTable(**values), dataset, "test")
    about = ModelInfo(kind=kind, name="answers", sha256="0" * 64, bytes=1, curves=curves or [])
    return evaluate(about, answers, dataset, EvaluationContext(split="test", command="mien evaluate answers.csv"))


@pytest.fixture
def blank_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the folder alone: a page that takes no time."""
    monkeypatch.setattr("mien.reports.evaluation.folder.report_page", lambda _: Page("blank"))


def test_the_folder_holds_page_figures_metrics_and_predictions(tiny_faces: Dataset, tmp_path: Path) -> None:
    evaluation = made(tiny_faces)
    write_report(evaluation, tmp_path / "report")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report"], "nothing else is left"
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {"report.html", "report_files", "metrics.json", "predictions.csv"}
    pictures = {path.stem for path in (tmp_path / "report" / "report_files").iterdir()}
    assert pictures == {
        "confusion", "roc", "precision_recall", "calibration", "risk_coverage", "samples", "worst_errors",
    }  # fmt: skip
    for picture in pictures:
        assert read_image(tmp_path / "report" / "report_files" / f"{picture}.png").std() > 0
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text("utf-8"))
    assert metrics == rounded(evaluation.to_dict())


def test_predictions_that_were_written_score_the_same(tiny_faces: Dataset, tmp_path: Path) -> None:
    evaluation = made(tiny_faces)
    write_report(evaluation, tmp_path / "report")
    read = read_predictions(tmp_path / "report" / "predictions.csv", label_set=EMOTIONS)
    answers = answers_of_predictions(read, tiny_faces, "test")
    again = evaluate(evaluation.about, answers, tiny_faces, evaluation.circumstances)
    assert rounded(again.to_dict()["figures"]) == rounded(evaluation.to_dict()["figures"])


def test_the_page_loads_nothing_and_says_what_was_found(tiny_faces: Dataset) -> None:
    page = report_page(made(tiny_faces)).html()
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "<script" not in page
    assert "fear is mistaken for sad" not in page, "two cases are too few to be told"
    assert "Never answered, although there are such samples: fear." in page
    assert "85.71 %" in page
    for heading in ("Summary", "Confusion", "Calibration", "Worst errors", "How this was made"):
        assert f">{heading}</h2>" in page
    assert "Training</h2>" not in page, "answers from a file were not trained here"
    assert "mien evaluate answers.csv" in page


def test_what_labels_alone_cannot_give_is_said(tiny_faces: Dataset, tmp_path: Path) -> None:
    evaluation = made(tiny_faces, probabilities=None)
    write_report(evaluation, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "Only labels were given" in page
    assert {path.stem for path in (tmp_path / "report" / "report_files").iterdir()} == {"confusion", "samples"}
    header = (tmp_path / "report" / "predictions.csv").read_text("utf-8").splitlines()[0]
    assert header == "name,true,predicted"


def test_a_subject_that_always_says_the_same(tiny_faces: Dataset) -> None:
    happy = np.full(14, EMOTIONS.index("happy"))
    page = report_page(made(tiny_faces, predicted=happy, probabilities=None)).html()
    assert "The answer is always happy" in page


def test_missing_answers_have_a_column(tiny_faces: Dataset) -> None:
    evaluation = made(tiny_faces, predicted=np.full(14, NO_ANSWER), probabilities=None)
    assert "no answer" in report_page(evaluation).html()
    assert title(evaluation.answers, 0, confidence=False) == "✗ no answer (angry)"


def test_curves_of_a_run_are_drawn_and_put_into_words(tiny_faces: Dataset) -> None:
    def section(curves: Curves | None) -> str:
        page = Page("")
        add_curves(page, made(tiny_faces, kind="run", curves=curves))
        return page.html()

    page = section(CURVES)
    assert "best in epoch 2 of 3: 55.00 %; in the last it was 50.00 %" in page
    assert "training accuracy was 60.00 %, +10.0 points from validation" in page
    assert "best validation accuracy: epoch 2" in page, "in the figure"
    assert "The run logged no curves." in section(None)
    short = section([{"epoch": 1, "val_loss": 1.0, "val_accuracy": 0.4}])
    assert "best in epoch 1 of 1: 40.00 %." in short
    assert "was not logged" in short


def test_right_and_wrong_differ_in_more_than_colour(tiny_faces: Dataset) -> None:
    answers = made(tiny_faces).answers
    figure = samples_figure(answers, range(14), confidence=True)
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == 14
    for ax, right in zip(shown, answers.right, strict=True):
        frame = ax.spines["left"]
        assert ax.get_title()[0] == ("✓" if right else "✗")
        assert (frame.get_linewidth() < 2) == right
        assert (frame.get_linestyle() == "-") == right
    assert shown[0].get_title() == "✓ angry 70 % (angry)"


def test_samples_are_drawn_by_seed_and_the_worst_by_confidence(tiny_faces: Dataset) -> None:
    p = np.full((14, 7), 0.05)
    predicted = np.roll(tiny_faces.part("test").labels, 1)
    confidence = np.linspace(0.3, 0.9, 14)
    p[np.arange(14), predicted] = confidence
    p += ((1 - p.sum(axis=1)) / 7)[:, None]
    answers = made(tiny_faces, predicted=predicted, probabilities=p).answers
    assert worst_positions(answers, 5).tolist() == [13, 12, 11, 10, 9]
    assert random_positions(answers, 5, seed=1).tolist() == random_positions(answers, 5, seed=1).tolist()
    assert random_positions(answers, 5, seed=1).tolist() != random_positions(answers, 5, seed=2).tolist()
    assert sorted(random_positions(answers, 24, seed=1)) == list(range(14)), "fewer samples than cells"


def test_hands_are_drawn_from_their_landmarks() -> None:
    random = np.random.default_rng(0)
    hands = Dataset(
        samples=random.normal(size=(8, 21, 3)).astype(np.float32),
        labels=np.tile([0, 1], 4),
        split=np.full(8, "test"),
        groups=np.full(8, ""),
        label_set=EMOTIONS,
    )
    given = PredictionTable(labels=EMOTIONS.labels, predicted=np.tile([0, 0], 4), probabilities=None)
    answers = answers_of_predictions(given, hands, "test")
    about = ModelInfo(kind="predictions", name="hands", sha256="0" * 64, bytes=1)
    page = report_page(evaluate(about, answers, hands, EvaluationContext(split="test"))).html()
    assert "rotated upright" in page


def test_the_summary_has_an_interval_for_what_was_resampled(tiny_faces: Dataset) -> None:
    rows = {name: (value, interval) for name, value, interval in summary_rows(made(tiny_faces))}
    assert rows["accuracy"][0] == "85.71 %"
    assert rows["macro F1"][0] == "0.810"
    assert " to " in rows["macro F1"][1]
    assert rows["top-2 accuracy"][1] == ""


@pytest.mark.usefixtures("blank_page")
def test_a_folder_is_replaced_only_when_told_and_only_a_report(tiny_faces: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    evaluation = made(tiny_faces, probabilities=None)
    folder.mkdir()
    write_report(evaluation, folder)
    (folder / "old.txt").write_text("x")
    with pytest.raises(OutputError, match="use --overwrite"):
        write_report(evaluation, folder)
    with pytest.raises(OutputError, match=r"also holds old.txt, which would be lost"):
        write_report(evaluation, folder, overwrite=True)
    (folder / "old.txt").rename(folder / "old.png")
    write_report(evaluation, folder, overwrite=True)
    assert not (folder / "old.png").exists()
    (folder / "metrics.json").unlink()
    with pytest.raises(OutputError, match="something other than a report"):
        check_folder(folder, overwrite=True)
    with pytest.raises(OutputError, match="is a file"):
        check_folder(folder / "report.html", overwrite=True)


@pytest.mark.usefixtures("blank_page")
def test_a_full_disk_leaves_the_old_report(
    tiny_faces: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "report"
    evaluation = made(tiny_faces, probabilities=None)
    write_report(evaluation, folder)
    before = (folder / "metrics.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_report(evaluation, folder, overwrite=True)
    assert (folder / "metrics.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
