from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.errors import InputError
from mien.evaluation.evaluate import EvaluationContext, evaluate
from mien.evaluation.evaluated_model import ModelInfo
from mien.evaluation.predictions import Predictions
from mien.evaluation.results import RiskScores, measured_evaluation, plain, saved_evaluation


@pytest.fixture(scope="module")
def metrics(tiny_faces: Dataset) -> dict[str, Any]:
    """A metrics.json with everything in it, as it is read back."""
    part = tiny_faces.part("validation")
    p = np.random.default_rng(1).dirichlet(np.ones(7), len(part))
    answers = Predictions(
        part=part, left_out=1, predicted=p.argmax(axis=1), probabilities=p, before=p, temperature=1.5,
        threshold=0.5, views={"flip": p},
    )  # fmt: skip
    about = ModelInfo(kind="model", name="tiny", sha256="", bytes=1)
    made = evaluate(about, answers, tiny_faces, EvaluationContext(split="validation", command="mien evaluate"))
    return dict(json.loads(json.dumps(made.to_dict())))


def test_what_is_written_reads_back_whole(metrics: dict[str, Any]) -> None:
    read = measured_evaluation(metrics, "metrics.json")
    assert plain(read.figures) == metrics["figures"]
    assert {"f1-score", "support"} <= set(metrics["figures"]["report"]["happy"])
    assert "coverage_at_accuracy_0.9" in metrics["figures"]["risk_coverage"]
    assert metrics["subject"]["parameters"] is None
    assert "seconds" not in metrics


def test_a_comparison_reads_its_part_of_it(metrics: dict[str, Any]) -> None:
    saved = saved_evaluation(metrics, "metrics.json")
    assert saved.figures.accuracy == metrics["figures"]["accuracy"]
    assert saved.figures.without_copies.samples == metrics["figures"]["without_copies"]["samples"]
    assert (saved.subject.name, saved.data.split, saved.command) == ("tiny", "validation", "mien evaluate")


def test_no_answer_that_sure_is_null_and_no_threshold_is_absent() -> None:
    none = RiskScores(area=0.1, coverage_at_accuracy=None)
    assert plain(none) == {"area": 0.1, "coverage_at_accuracy_0.9": None}
    assert plain(replace(none, threshold=0.5, coverage=0.0)) == {
        "area": 0.1, "coverage_at_accuracy_0.9": None, "threshold": 0.5, "coverage": 0.0, "accuracy": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("samples", "many", "figures.samples must be a whole number, got 'many'"),
        ("report", {"happy": {"precision": 1}}, "figures.report.happy.recall is missing"),
        ("accuracy", None, "figures.accuracy must be a number, got None"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(metrics: dict[str, Any], place: str, value: object, words: str) -> None:
    damaged = metrics | {"figures": metrics["figures"] | {place: value}}
    with pytest.raises(InputError) as caught:
        measured_evaluation(damaged, "run/metrics.json")
    assert str(caught.value) == f"run/metrics.json is not an evaluation of this version: {words}; evaluate again"
