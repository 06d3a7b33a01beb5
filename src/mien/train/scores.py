"""Figures of merit for a classifier's probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ECE_BINS = 15


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, L) probabilities for (N, L) logits."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True))


def summary_scores(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy, macro F1, balanced accuracy, top-2 accuracy, ECE and NLL.

    Args:
        probabilities: (N, L), rows sum to 1.
        labels: (N,) true positions.
    """
    from sklearn.metrics import accuracy_score, f1_score, recall_score

    predicted = probabilities.argmax(axis=1)
    top_2 = np.argsort(probabilities, axis=1)[:, -2:]
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, average="macro")),
        "balanced_accuracy": float(recall_score(labels, predicted, labels=np.unique(labels), average="macro")),
        "top_2_accuracy": float((top_2 == labels[:, None]).any(axis=1).mean()),
        "ece": expected_calibration_error(probabilities, labels),
        "nll": negative_log_likelihood(probabilities, labels),
    }


def negative_log_likelihood(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean of minus the log probability of the true label."""
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, 1)).mean())


def expected_calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean gap between confidence and accuracy over 15 equal bins (Guo et al. 2017)."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _ECE_BINS).astype(int), _ECE_BINS - 1)
    gaps = [(bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean()) for b in np.unique(bins)]
    return float(sum(gaps))


def accuracy_interval(right: NDArray[np.bool_], *, rounds: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of an accuracy.

    Args:
        right: (N,) whether each answer was right.
        rounds: resamples.
        seed: of the resampling.
    """
    draws = np.random.default_rng(seed).binomial(len(right), right.mean(), size=rounds) / len(right)
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def fitted_temperature(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The temperature between 0.2 and 5 that gives the lowest negative log likelihood (golden-section search)."""
    ratio = (5**0.5 - 1) / 2
    low, high = np.log(0.2), np.log(5.0)

    def loss(log_t: float) -> float:
        return negative_log_likelihood(softmax(logits / np.exp(log_t)), labels)

    while high - low > 1e-4:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return float(np.exp((low + high) / 2))
