from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.evaluation.calibration import fitted_calibration, fitted_temperature
from mien.evaluation.metrics import expected_calibration_error, negative_log_likelihood
from mien.recipes.tables import CALIBRATION_KINDS, CalibrationKind
from mien.stages.classify import softmax

BIAS = np.array([0.8, -0.5, 0.0, -0.3])
SCALE = np.array([1.5, 0.8, 0.7, 1.2])


def changed_sample(
    bias: NDArray[np.float64], temperature: float, scale: NDArray[np.float64], count: int = 20_000
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits of a model that is `temperature` too sure of itself and lacks the bias and the scale."""
    rng = np.random.default_rng(5)
    right = rng.normal(0, 2, (count, len(bias)))
    labels = np.array([rng.choice(len(bias), p=row) for row in softmax(right)])
    return temperature * (right - bias) / scale, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_the_fitted_temperature_undoes_a_scaling(temperature: float) -> None:
    made, labels = changed_sample(np.zeros(5), temperature, np.ones(5))
    assert fitted_temperature(made, labels) == pytest.approx(temperature, rel=0.06)


def test_the_fitted_temperature_is_the_best_of_a_grid() -> None:
    made, labels = changed_sample(np.zeros(5), 3.0, np.ones(5), 300)

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


@pytest.mark.parametrize("kept", [0.0, 2.0])
def test_the_fitted_bias_is_the_one_that_was_taken_away(kept: float) -> None:
    logits, labels = changed_sample(BIAS, 2.0, np.ones(4))
    found = fitted_calibration(logits, labels, "bias", temperature=kept)
    assert found.temperature == pytest.approx(2.0, rel=0.03)
    assert found.bias - found.bias.mean() == pytest.approx(BIAS - BIAS.mean(), abs=0.06)
    assert found.scale.tolist() == [1.0] * 4
    before = negative_log_likelihood(softmax(logits / fitted_temperature(logits, labels)), labels)
    assert negative_log_likelihood(found.probabilities(logits), labels) < before - 0.01


@pytest.mark.parametrize("kept", [0.0, 2.0])
def test_fitted_scales_are_those_that_were_taken_away(kept: float) -> None:
    logits, labels = changed_sample(BIAS, 2.0, SCALE)
    found = fitted_calibration(logits, labels, "vector", temperature=kept)
    assert found.scale / found.temperature == pytest.approx(SCALE / 2.0, rel=0.05)
    assert found.bias - found.bias.mean() == pytest.approx(BIAS - BIAS.mean(), abs=0.1)
    if kept:
        assert found.temperature == 2.0
    p = [fitted_calibration(logits, labels, kind).probabilities(logits) for kind in CALIBRATION_KINDS]
    temperature, bias, vector = (negative_log_likelihood(each, labels) for each in p)
    assert vector < bias - 0.01 < temperature - 0.02
    assert expected_calibration_error(p[2], labels) < 0.5 * expected_calibration_error(p[0], labels)


@pytest.mark.parametrize("kind", CALIBRATION_KINDS)
def test_the_temperature_turns_adjusted_logits_into_the_probabilities(kind: CalibrationKind) -> None:
    logits, labels = changed_sample(BIAS, 3.0, SCALE)
    found = fitted_calibration(logits, labels, kind)
    np.testing.assert_allclose(
        softmax(found.adjusted(logits) / found.temperature),
        softmax(logits * found.scale / found.temperature + found.bias),
    )
    np.testing.assert_array_equal(found.probabilities(logits), softmax(found.adjusted(logits) / found.temperature))


@pytest.mark.parametrize("kind", ["bias", "vector"])
def test_a_label_that_never_occurs_gets_no_endless_bias_or_scale(kind: CalibrationKind) -> None:
    logits, labels = changed_sample(np.zeros(3), 1.0, np.ones(3))
    there = labels != 2
    found = fitted_calibration(logits[there], labels[there], kind)
    assert np.abs(found.bias).max() <= 3.0
    assert found.bias.argmin() == 2
    assert 0.2 <= found.scale.min() <= found.scale.max() <= 5.0


def test_the_scale_of_a_rare_label_stays_near_one() -> None:
    logits, labels = changed_sample(np.zeros(4), 1.0, np.array([1.0, 1.0, 1.0, 3.0]))
    common, rare = (np.flatnonzero((labels == 3) == is_rare) for is_rare in (False, True))
    few = np.r_[common[:3000], rare[:10]]
    full, little = (fitted_calibration(logits[rows], labels[rows], "vector") for rows in (slice(None), few))
    assert full.scale[3] / full.scale[:3].mean() == pytest.approx(3.0, rel=0.1)
    assert little.scale[3] / little.scale[:3].mean() < 2.5
