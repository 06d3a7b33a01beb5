from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.errors import InputError
from mien.evaluation.evaluate import Evaluation, EvaluationContext, evaluate
from mien.evaluation.evaluated_model import ModelInfo
from mien.evaluation.manifest_scores import Measurement, certain_figures, evaluation_scores, measured_at, read_scores
from mien.evaluation.metrics import risk_coverage
from mien.evaluation.predictions import Predictions

HOW = Measurement(data="bars", split="PublicTest", what="images", chosen="chosen on it", command="python bench.py")


@pytest.fixture(scope="module")
def evaluation(tiny_faces: Dataset) -> Evaluation:
    """Answers to 42 samples, most of them right, with a view averaged with its mirror image."""
    part = tiny_faces.part("validation")
    votes = np.eye(7, dtype=np.float32)[part.labels]
    votes[0] = np.roll(votes[0], 1)  # raters call one of them something else
    part = replace(part, votes=votes)
    p = np.random.default_rng(1).dirichlet(np.ones(7), len(part))
    p[np.arange(len(part)), part.labels] += 0.4
    p /= p.sum(axis=1, keepdims=True)
    answers = Predictions(
        part=part, left_out=0, predicted=p.argmax(axis=1), probabilities=p, before=p, temperature=1.0, threshold=0.5,
        views={"flip": 0.3 * p + 0.7 * np.random.default_rng(2).dirichlet(np.ones(7), len(part))},
    )  # fmt: skip
    about = ModelInfo(kind="model", name="tiny", sha256="", bytes=1)
    return evaluate(about, answers, tiny_faces, EvaluationContext(split="validation", command="mien evaluate tiny"))


def by_name(evaluation: Evaluation) -> dict[str, float]:
    return {score.metric: score.value for score in evaluation_scores(evaluation.measures, HOW)}


def test_every_figure_is_the_evaluations(evaluation: Evaluation) -> None:
    found, figures = by_name(evaluation), evaluation.to_dict()["figures"]
    expected: dict[str, Any] = {
        "accuracy": figures["accuracy"],
        "accuracy_low_95": figures["intervals_95"]["accuracy"][0],
        "ece": figures["calibration"]["after"]["ece"],
        "accuracy_flip_averaged": figures["views"]["flip"]["accuracy"],
        "macro_f1_without_copies": figures["without_copies"]["macro_f1"],
        "accuracy_ferplus": figures["ferplus"]["accuracy"],
        "labels_agree_ferplus": 41 / 42,
        "recall_happy": figures["report"]["happy"]["recall"],
        "f1_neutral": figures["report"]["neutral"]["f1-score"],
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-4), name
    assert 0 < found["accuracy_flip_averaged"] < found["accuracy"] < 1
    assert sum(name.startswith("precision_") for name in found) == 7


def test_labels_of_the_raters_are_counted_once(evaluation: Evaluation, tiny_faces: Dataset) -> None:
    answers = evaluation.answers
    part = answers.part
    by_raters = replace(answers, part=replace(part, votes=np.eye(7, dtype=np.float32)[part.labels]))
    circumstances = EvaluationContext(split="validation")
    measures = evaluate(evaluation.about, by_raters, tiny_faces, circumstances).measures
    assert not any("ferplus" in score.metric for score in evaluation_scores(measures, HOW))


def test_what_is_not_uncertain(evaluation: Evaluation) -> None:
    found, answers = by_name(evaluation), evaluation.answers
    assert answers.probabilities is not None
    coverage, accuracy = risk_coverage(answers.probabilities.max(axis=1), answers.right).at(0.5)
    assert (found["coverage_at_0.5"], found["accuracy_at_0.5"]) == pytest.approx((coverage, accuracy), abs=1e-4)
    scores = evaluation_scores(evaluation.measures, HOW)
    assert measured_at(scores, 0.5)
    assert not measured_at(scores, 0.51)
    assert certain_figures(0.99, 0.0, None) == {"coverage_at_0.99": 0.0}, "no answer, no accuracy"


def test_each_score_says_how_it_was_measured(evaluation: Evaluation) -> None:
    scores = {score.metric: score for score in evaluation_scores(evaluation.measures, HOW)}
    assert scores["accuracy"].protocol == "all 42 images, one view, chosen on it"
    assert "mirror image" in scores["ece_flip_averaged"].protocol
    assert "equal no training sample" in scores["accuracy_without_copies"].protocol
    assert {(s.data, s.split, s.command) for s in scores.values()} == {("bars", "PublicTest", "python bench.py")}


def test_a_list_and_the_metrics_of_an_evaluation_are_read(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(evaluation.to_dict()), "utf-8")
    scores = read_scores(tmp_path / "metrics.json")
    assert {score.metric: score.value for score in scores} == by_name(evaluation)
    assert (scores[0].data, scores[0].split, scores[0].command) == ("bars", "validation", "mien evaluate tiny")
    one = {"metric": "m", "value": 0.5, "data": "d", "split": "test", "protocol": "p", "command": "c"}
    (tmp_path / "scores.json").write_text(json.dumps([one]), "utf-8")
    assert [score.metric for score in read_scores(tmp_path / "scores.json")] == ["m"]


def test_only_labels_give_fewer_scores(tiny_faces: Dataset) -> None:
    part = tiny_faces.part("test")
    answers = Predictions(part=part, left_out=0, predicted=part.labels, probabilities=None)
    about = ModelInfo(kind="predictions", name="peer.csv", sha256="", bytes=1)
    found = by_name(evaluate(about, answers, tiny_faces, EvaluationContext(split="test")))
    assert found["accuracy"] == 1.0
    assert not {"ece", "top_2_accuracy", "coverage_at_0.5", "accuracy_flip_averaged"} & set(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", "not a list of scores"),
        ("{}x", "not a list of scores"),
        ('[{"metric": "m"}]', "not a list of scores"),
        ("[1]", "not a list of scores"),
        ("{}", "is not an evaluation of this version: data is missing; evaluate again"),
    ],
)
def test_scores_that_are_none_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "scores.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=words):
        read_scores(tmp_path / "scores.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_scores(tmp_path / "none.json")
