"""Probabilities that are right as often as they claim: calibration of logits on a validation split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.metrics import negative_log_likelihood
from mien.extras import needs
from mien.recipes.tables import CalibrationKind
from mien.stages.classify import softmax

_TEMPERATURES = (0.2, 5.0)
_MOST_BIAS = 3.0
_PENALTY = 0.003
"""Weight of the squared logarithms of the scales in the loss: rare labels have few samples to fit a scale on."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Probabilities are softmax(logits * scale / temperature + bias).

    Args:
        temperature: above 0; one for all labels.
        scale: (L,) factors of each label's logit; ones if only the temperature is fitted.
        bias: (L,) added to each label's logit.
    """

    temperature: float
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]

    @property
    def offset(self) -> NDArray[np.float64]:
        """(L,) what to add to logits times their scale, so that the temperature is all that is left to apply."""
        return self.temperature * self.bias

    def adjusted(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """(N, L) logits for (N, L) ones, so that their softmax over the temperature gives the probabilities."""
        return np.asarray(logits * self.scale + self.offset)

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """(N, L) for (N, L) logits."""
        return softmax(self.adjusted(logits) / self.temperature)


def fitted_calibration(
    logits: NDArray[Any], labels: NDArray[np.int64], kind: CalibrationKind, *, temperature: float = 0.0
) -> Calibration:
    """The calibration with the lowest negative log likelihood.

    `temperature`: temperature scaling. `bias`: also adds a number to each label's logit, for labels answered too often
    or too seldom; bias-corrected temperature scaling (Alexandari, Kundaje and Shrikumar 2020, "Maximum likelihood
    with bias-corrected calibration is hard-to-beat at label shift adaptation"). `vector`: also a scale for each label,
    for labels whose answers are too sure or too timid; vector scaling. Both scalings are from Guo et al. 2017. A small
    penalty on the squared logarithms of the scales draws them towards 0.

    Args:
        logits: (N, L).
        labels: (N,) true positions.
        kind: what is fitted.
        temperature: one to keep; 0 fits it between 0.2 and 5.

    Returns:
        The calibration; biases lie between -3 and 3, scales between 0.2 and 5.

    Raises:
        MissingExtra: SciPy is not installed (`bias` and `vector`).
    """
    classes = logits.shape[1]
    if kind == "temperature":
        return Calibration(temperature or fitted_temperature(logits, labels), np.ones(classes), np.zeros(classes))
    with needs("data"):
        from scipy.optimize import minimize
    count = len(labels)
    right = np.eye(classes)[labels]

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs, bias = values[1 : classes + 1], values[classes + 1 :]
        sharp = logits * np.exp(logs - values[0])  # (N, L)
        p = softmax(sharp + bias)
        off = (p - right) / count
        slopes = (off * sharp).sum(axis=0)
        slope = np.concatenate([[-slopes.sum()], slopes + 2 * _PENALTY * logs, off.sum(axis=0)])
        return negative_log_likelihood(p, labels) + _PENALTY * float((logs**2).sum()), slope

    low, high = np.log(_TEMPERATURES)
    kept = np.log(temperature) if temperature else None
    scales = (low, high) if kind == "vector" else (0.0, 0.0)
    bounds = [
        (low, high) if kept is None else (kept, kept),
        *[scales] * classes,
        *[(-_MOST_BIAS, _MOST_BIAS)] * classes,
    ]
    found = minimize(loss, np.r_[kept or 0.0, np.zeros(2 * classes)], jac=True, bounds=bounds, method="L-BFGS-B").x
    return Calibration(float(np.exp(found[0])), np.exp(found[1 : classes + 1]), np.asarray(found[classes + 1 :]))


def fitted_temperature(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The temperature between 0.2 and 5 that gives the lowest negative log likelihood (golden-section search)."""
    ratio = (5**0.5 - 1) / 2
    low, high = np.log(_TEMPERATURES)

    def loss(log_t: float) -> float:
        return negative_log_likelihood(softmax(logits / np.exp(log_t)), labels)

    while high - low > 1e-4:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))
