from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from mien.train.scores import (
    accuracy_interval,
    expected_calibration_error,
    fitted_temperature,
    negative_log_likelihood,
    softmax,
    summary_scores,
)


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
    scores = summary_scores(p, labels)
    answers = p.argmax(axis=1)
    assert scores == {
        "accuracy": pytest.approx(metrics.accuracy_score(labels, answers)),
        "macro_f1": pytest.approx(metrics.f1_score(labels, answers, average="macro")),
        "balanced_accuracy": pytest.approx(metrics.recall_score(labels, answers, average="macro")),
        "top_2_accuracy": pytest.approx(metrics.top_k_accuracy_score(labels, p, k=2)),
        "ece": pytest.approx(expected_calibration_error(p, labels)),
        "nll": pytest.approx(metrics.log_loss(labels, p)),
    }
    assert 0 < scores["accuracy"] < scores["top_2_accuracy"] < 1


def test_the_summary_by_hand() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.2, 0.7, 0.1]])
    scores = summary_scores(p, np.array([0, 1, 2, 0]))
    assert scores["accuracy"] == 0.5
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert scores["macro_f1"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert scores["top_2_accuracy"] == 1.0
    assert scores["nll"] == pytest.approx(-np.log([0.6, 0.4, 0.7, 0.2]).mean())


def test_a_label_that_does_not_occur_in_the_split_gives_no_warning() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
    assert summary_scores(p, np.array([0, 1]))["balanced_accuracy"] == 0.5


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


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_the_fitted_temperature_undoes_a_scaling(temperature: float) -> None:
    made, labels = logits(6000)
    assert fitted_temperature(made * temperature, labels) == pytest.approx(temperature, rel=0.06)


def test_the_fitted_temperature_is_the_best_of_a_grid() -> None:
    made, labels = logits(300, seed=3)
    made *= 3

    def loss(temperature: float) -> float:
        return negative_log_likelihood(softmax(made / temperature), labels)

    fitted = fitted_temperature(made, labels)
    grid = np.geomspace(0.2, 5, 200)
    assert loss(fitted) <= min(map(loss, grid)) + 1e-7
    assert loss(fitted) < loss(1.0)


def test_a_temperature_stays_between_a_fifth_and_five() -> None:
    right = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert fitted_temperature(right, np.array([0, 1])) == pytest.approx(0.2, rel=0.01)
    assert fitted_temperature(9 * right, np.array([1, 0])) == pytest.approx(5.0, rel=0.01)


def test_the_interval_of_an_accuracy() -> None:
    right = np.arange(1000) < 800
    low, high = accuracy_interval(right)
    # Normal approximation: 0.8 +- 1.96 * sqrt(0.8 * 0.2 / 1000).
    assert (low, high) == (pytest.approx(0.7752, abs=0.004), pytest.approx(0.8248, abs=0.004))
    assert accuracy_interval(right) == (low, high)
    assert accuracy_interval(np.ones(10, bool)) == (1.0, 1.0)
