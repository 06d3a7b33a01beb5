"""Heads: for each gesture of one's own, how likely a hand shows it rather than anything else.

A head is a logistic regression on the whitened features of a hand and on its distance from the middle of the examples.
The whitening is what makes a few examples of one person enough: it comes from the bank, and says in which ways the
hands of many people differ that show the same gesture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.labels import NOTHING

Rows = NDArray[np.float64]

COPIES = 4
"""Noisy copies of each example."""

MOST_LOST = 0.004
"""Largest share of the bank's gestures, each read rightly by the package's network, that one head may take away."""

MOST_UNSURE = 0.01
"""Largest share of the bank's gestures, surely read by the network, that one head may make unsure."""

_SHARPER = (3.0, 4.0, 6.0, 8.0)
_NOISE = 0.05  # of a landmark, of the hand's size 1
_DEPTH = 0.25  # z is the least certain of a landmark's coordinates: it is scaled by exp of so much
_OWN = 0.1  # share of a feature's whole variance that is added to that within a gesture
_LINEAR = 0.5  # how strong the linear part of a head is, beside the distance
_PENALTY = 1.0
_WEIGHT = 2000.0  # how many hands all those of one side count as, whatever their number
_ALIKE = 0.05  # `none` of the bank is the gesture itself where it scores above this quantile of the examples
_STEPS = 20
_CLOSE = 1e-4


@dataclass(frozen=True, slots=True)
class Heads:
    """K heads on F features.

    Args:
        labels: the gestures' names.
        mean: (F,) subtracted from the features.
        whiten: (F, F) then makes how people differ within a gesture the same in all directions.
        centres: (K, F) the middle of each gesture's examples, whitened.
        linear: (F, K) and
        bias: (K,) of the logistic regression,
        slope: (K,) at most 0: what the mean squared distance from the centre counts.
    """

    labels: tuple[str, ...]
    mean: Rows
    whiten: Rows
    centres: Rows
    linear: Rows
    bias: Rows
    slope: Rows


@dataclass(frozen=True, slots=True)
class Known:
    """The bank, as heads are fitted on it.

    Args:
        features: (B, F) of its hands, and of noisy copies of them after these.
        labels: (B,) names of the gestures they show.
        confidence: (B,) the probability that the package's network gives its answer; 0 where that is wrong.
    """

    features: Rows
    labels: NDArray[np.str_]
    confidence: Rows

    def where(self, chosen: NDArray[np.bool_]) -> Known:
        """A part of it."""
        return Known(self.features[chosen], self.labels[chosen], self.confidence[chosen])


def noisy(samples: NDArray[np.float32], copies: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Landmarks as they might have been read from other pictures of the same hands: (copies * N, 22, 3)."""
    made = np.tile(samples, (copies, 1, 1)).astype(np.float64)
    made[:, :21, 2] *= np.exp(rng.normal(0, _DEPTH, (len(made), 1)))
    made[:, :21] += rng.normal(0, _NOISE, made[:, :21].shape)
    return made.astype(np.float32)


def fitted_heads(known: Known, examples: Mapping[str, Rows], threshold: float) -> Heads:
    """Heads for all gestures of one's own.

    Args:
        known: the bank.
        examples: (N, F) features of each gesture's examples and their copies.
        threshold: confidence from which an answer is sure.
    """
    mean = known.features.mean(axis=0)
    whiten = _whitening(known)
    bank = (known.features - mean) @ whiten
    own = {label: (rows - mean) @ whiten for label, rows in examples.items()}
    parts = [_fitted(label, own, bank, known, threshold) for label in own]
    centres, linear, bias, slope = (np.stack(part) for part in zip(*parts, strict=True))
    return Heads(tuple(own), mean, whiten, centres, linear.T, bias, slope)


def _whitening(known: Known) -> Rows:
    gestures = [label for label in np.unique(known.labels) if label != NOTHING]
    away = [rows - rows.mean(axis=0) for label in gestures for rows in [known.features[known.labels == label]]]
    within = np.concatenate(away)
    covariance = within.T @ within / len(within) + np.diag(_OWN * known.features.var(axis=0) + 1e-9)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance)), np.float64)


def _fitted(
    label: str, own: Mapping[str, Rows], bank: Rows, known: Known, threshold: float
) -> tuple[Rows, Rows, Rows, Rows]:
    """Centre (F,), linear part (F,), bias and slope of one head."""
    mine = own[label]
    centre = mine.mean(axis=0)
    others = [rows for name, rows in own.items() if name != label]
    terms = _terms(np.concatenate([mine, bank, *others]), centre)
    is_mine = np.arange(len(terms)) < len(mine)
    sides = [np.full(len(rows), 1 / len(rows)) for rows in (mine, bank, *others)]
    weights = _WEIGHT * np.concatenate(sides)
    found = _regression(terms, is_mine, weights)
    # Hands of no known gesture that look like the examples: what is taught was among them.
    at_bank = slice(len(mine), len(mine) + len(bank))
    for _ in range(2):
        scores = terms @ found
        alike = np.zeros(len(terms), bool)
        alike[at_bank] = (known.labels == NOTHING) & (scores[at_bank] > np.quantile(scores[: len(mine)], _ALIKE))
        found = _regression(terms, is_mine, np.where(alike, 0.0, weights))
    linear, slope, bias = found[:-2] * _LINEAR / np.sqrt(len(centre)), found[-2], found[-1] - found[-2]
    scores = terms[at_bank] @ found
    excess = _excess(scores, known)
    scale = _sharpness(scores - excess, known, threshold)
    return centre, scale * linear, np.asarray(scale * (bias - excess)), np.asarray(scale * slope)


def _terms(white: Rows, centre: Rows) -> Rows:
    """(N, F + 2): the features, the distance from the centre, and one."""
    count = white.shape[1]
    far = ((white - centre) ** 2).mean(axis=1) - 1
    return np.column_stack([white * _LINEAR / np.sqrt(count), far, np.ones(len(white))])


def _excess(scores: Rows, known: Known) -> float:
    """How much a head says too much, so that it takes too many of the bank's gestures from the network."""
    at = (known.labels != NOTHING) & (known.confidence > 0)
    over = scores[at] - np.log(known.confidence[at])
    return max(0.0, float(np.quantile(over, 1 - MOST_LOST))) if at.any() else 0.0


def _sharpness(scores: Rows, known: Known, threshold: float) -> float:
    """What scores are multiplied by, so that few of the bank's sure answers become unsure.

    A score of 0, where a head and all others are equally likely, stays one: what is answered changes little, and how
    surely much.
    """
    at = (known.labels != NOTHING) & (known.confidence > threshold)
    room = np.log(known.confidence[at] / threshold - 1 + 1e-9)  # the score with which an answer is just still sure
    for scale in _SHARPER:
        if not at.any() or (scale * scores[at] > room).mean() <= MOST_UNSURE:
            return float(scale)
    return float(_SHARPER[-1])


def _regression(terms: Rows, is_mine: NDArray[np.bool_], weights: Rows) -> Rows:
    """Weights of a logistic regression by Newton's method; nothing is gained by being farther from the centre."""
    found = _newton(terms, is_mine, weights)
    if found[-2] > 0:
        kept = np.delete(terms, -2, axis=1)
        found = np.insert(_newton(kept, is_mine, weights), -1, 0.0)
    return found


def _newton(terms: Rows, is_mine: NDArray[np.bool_], weights: Rows) -> Rows:
    penalty = np.full(terms.shape[1], _PENALTY)
    penalty[-1] = 1e-6
    found = np.zeros(terms.shape[1])
    for _ in range(_STEPS):
        odds = 1 / (1 + np.exp(-np.clip(terms @ found, -30, 30)))
        slope = terms.T @ (weights * (odds - is_mine)) + penalty * found
        steep = (terms * (weights * np.maximum(odds * (1 - odds), 1e-6))[:, None]).T @ terms + np.diag(penalty)
        step = np.linalg.solve(steep, slope)
        found = found - step
        if np.abs(step).max() < _CLOSE:
            break
    return np.asarray(found, np.float64)
