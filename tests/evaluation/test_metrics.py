from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from mien.evaluation.metrics import (
    NO_ANSWER,
    accuracy_interval,
    answer_matrix,
    answer_scores,
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
    precise_threshold,
    reliability,
    risk_coverage,
    score_intervals,
    summary_scores,
)
from mien.stages.classify import softmax


def logits(count: int = 400, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Noisy logits of five labels; each label is drawn with the probabilities that the logits say."""
    random = np.random.default_rng(seed)
    made = random.normal(0, 1.5, (count, 5))
    labels = np.array([random.choice(5, p=p) for p in softmax(made)])
    return made, labels


def test_softmax_by_hand_and_far_out() -> None:
    np.testing.assert_allclose(softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0], [-1e4, -1e4]])), [[1, 0], [0.5, 0.5]])


def test_the_summary_agrees_with_scikit_learn() -> None:
    made, labels = logits()
    p = softmax(made)
    scores = asdict(summary_scores(p, labels))
    answers = p.argmax(axis=1)
    assert scores == {
        "accuracy": pytest.approx(metrics.accuracy_score(labels, answers)),
        "macro_f1": pytest.approx(metrics.f1_score(labels, answers, average="macro")),
        "balanced_accuracy": pytest.approx(metrics.recall_score(labels, answers, average="macro")),
        "top_2_accuracy": pytest.approx(metrics.top_k_accuracy_score(labels, p, k=2)),
        "ece": pytest.approx(expected_calibration_error(p, labels)),
        "brier": pytest.approx(np.mean(np.sum((p - np.eye(5)[labels]) ** 2, axis=1))),
        "nll": pytest.approx(metrics.log_loss(labels, p)),
    }
    assert 0 < scores["accuracy"] < scores["top_2_accuracy"] < 1


def test_the_summary_by_hand() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.2, 0.7, 0.1]])
    scores = asdict(summary_scores(p, np.array([0, 1, 2, 0])))
    assert scores["accuracy"] == 0.5
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert scores["macro_f1"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert scores["top_2_accuracy"] == 1.0
    assert scores["nll"] == pytest.approx(-np.log([0.6, 0.4, 0.7, 0.2]).mean())


def test_a_label_that_does_not_occur_in_the_split_gives_no_warning() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
    assert summary_scores(p, np.array([0, 1])).balanced_accuracy == 0.5


def test_calibration_error_by_hand() -> None:
    # One bin: four answers with confidence 0.9, three of them right.
    p = np.tile([0.9, 0.1], (4, 1))
    assert expected_calibration_error(p, np.array([0, 0, 0, 1])) == pytest.approx(0.15)
    # Two bins, weighted by their share.
    p = np.vstack([p, [[0.6, 0.4]]])
    assert expected_calibration_error(p, np.array([0, 0, 0, 1, 0])) == pytest.approx(0.8 * 0.15 + 0.2 * 0.4)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0


def test_no_likelihood_is_infinite() -> None:
    assert negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-np.log(1e-12))


def test_the_interval_of_an_accuracy() -> None:
    right = np.arange(1000) < 800
    low, high = accuracy_interval(right)
    # Normal approximation: 0.8 +- 1.96 * sqrt(0.8 * 0.2 / 1000).
    assert (low, high) == (pytest.approx(0.7752, abs=0.004), pytest.approx(0.8248, abs=0.004))
    assert accuracy_interval(right) == (low, high)
    assert accuracy_interval(np.ones(10, bool)) == (1.0, 1.0)


def test_brier_score_by_hand() -> None:
    assert brier_score(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1])) == 0
    assert brier_score(np.array([[1.0, 0.0]]), np.array([1])) == 2
    assert brier_score(np.array([[0.7, 0.2, 0.1]]), np.array([0])) == pytest.approx(0.09 + 0.04 + 0.01)


def test_a_missing_answer_is_wrong_and_costs_recall_only() -> None:
    labels = np.array([0, 0, 1, 1])
    scores = asdict(answer_scores(np.array([0, NO_ANSWER, 1, 1]), labels))
    assert scores["accuracy"] == 0.75
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2), "precision of label 0 stays 1"
    assert asdict(answer_scores(np.full(4, NO_ANSWER), labels)) == dict.fromkeys(scores, 0.0)


def test_the_matrix_has_a_column_for_missing_answers() -> None:
    matrix = answer_matrix(np.array([0, 1, 1, NO_ANSWER]), np.array([0, 0, 1, 1]), 2)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 1]]


def test_the_reliability_curve_adds_up_to_the_calibration_error() -> None:
    made, labels = logits()
    p = softmax(made)
    curve = reliability(p, labels)
    assert curve.share.sum() == pytest.approx(1)
    assert (curve.share * curve.accuracy).sum() == pytest.approx((p.argmax(axis=1) == labels).mean())
    assert (np.diff(curve.confidence) > 0).all()
    gap = (curve.share * np.abs(curve.accuracy - curve.confidence)).sum()
    assert gap == pytest.approx(expected_calibration_error(p, labels))


def test_risk_and_coverage_by_hand() -> None:
    curve = risk_coverage(np.array([0.9, 0.8, 0.8, 0.6, 0.5]), np.array([True, False, True, True, False]))
    assert curve.threshold.tolist() == [0.9, 0.8, 0.6, 0.5], "equal confidences stay together"
    assert curve.coverage.tolist() == pytest.approx([0.2, 0.6, 0.8, 1.0])
    assert curve.accuracy.tolist() == pytest.approx([1, 2 / 3, 3 / 4, 3 / 5])
    assert curve.coverage_at(0.7) == pytest.approx(0.8), "the largest coverage, though a smaller one is worse"
    assert curve.coverage_at(1.0) == pytest.approx(0.2)
    assert curve.at(0.7) == (pytest.approx(0.6), pytest.approx(2 / 3))
    assert curve.at(0.95) == (0.0, None)
    assert curve.area == pytest.approx(0.4 / 3 + 0.2 / 4 + 0.2 * 2 / 5)


def test_no_coverage_reaches_an_accuracy_that_there_is_not() -> None:
    curve = risk_coverage(np.array([0.9, 0.8]), np.array([False, False]))
    assert curve.coverage_at(0.5) is None
    assert curve.area == 1


def test_intervals_agree_with_resampling_the_answers() -> None:
    made, labels = logits(300)
    predicted = made.argmax(axis=1)
    found = score_intervals(answer_matrix(predicted, labels, 5))
    random = np.random.default_rng(5)
    rows = random.integers(0, 300, (400, 300))
    resampled = [asdict(answer_scores(predicted[row], labels[row])) for row in rows]
    for name, interval in found.items():
        expected = np.quantile([scores[name] for scores in resampled], (0.025, 0.975))
        np.testing.assert_allclose(interval, expected, atol=0.015)
        assert interval[0] < asdict(answer_scores(predicted, labels))[name] < interval[1]
    low, high = accuracy_interval(predicted == labels)
    assert found["accuracy"] == (pytest.approx(low, abs=0.01), pytest.approx(high, abs=0.01))


def confident(count: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Calibrated answers: each is right as often as its confidence says."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.3, 1, count)
    return confidence, random.uniform(size=count) < confidence


@pytest.mark.parametrize("precision", [0.8, 0.9, 0.95])
def test_the_precise_threshold_is_precise_enough_on_new_samples(precision: float) -> None:
    new_confidence, new_right = confident(200_000, seed=99)
    reached = []
    for seed in range(40):
        threshold = precise_threshold(*confident(6000, seed), precision=precision)
        assert threshold is not None
        reached.append(new_right[new_confidence >= threshold].mean())
    assert np.mean(np.array(reached) >= precision) >= 0.8
    assert np.mean(reached) < precision + 0.04, "a margin, not a waste"


def test_the_precise_threshold_by_hand() -> None:
    confidence = np.repeat([0.9, 0.6], 100)
    right = np.ones(200, bool)
    right[100:150] = False  # of those with 0.6 half are right
    # All of 100 right: the lower bound is 0.05 ** (1 / 100) = 0.970.
    assert precise_threshold(confidence, right, precision=0.97) == 0.9
    assert precise_threshold(confidence, right, precision=0.971) is None
    assert precise_threshold(confidence, right, precision=0.971, certainty=0.9) == 0.9
    assert precise_threshold(confidence, right, precision=0.69) == 0.6, "150 of 200 are right"
    assert precise_threshold(confidence, right, precision=0.74) == 0.9, "75 % themselves, but not their lower bound"


def test_the_precise_threshold_is_rounded_up() -> None:
    assert precise_threshold(np.full(50, 0.123456), np.ones(50, bool), precision=0.5) == 0.1235
    assert precise_threshold(np.full(50, 0.99999), np.ones(50, bool), precision=0.5) == 1.0


def test_no_threshold_is_precise_where_all_is_wrong() -> None:
    assert precise_threshold(np.linspace(0, 1, 20), np.zeros(20, bool), precision=0.5) is None
