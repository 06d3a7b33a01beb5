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

MOST_LOST = 0.004
"""Largest share of the bank's gestures, each read rightly by the package's network, that one head may take away."""

MOST_MISTAKEN = 0.03
"""Share of the bank's hands of no known gesture that a head may take, so that it knows other people's hands too."""

MOST_UNSURE = 0.01
"""Largest share of the bank's gestures, surely read by the network, that one head may make unsure."""

_SHARPER = (3.0, 4.0, 6.0, 8.0)
_OWN = 0.1  # share of a feature's whole variance that is added to that within a gesture
_LINEAR = 2.0  # how strong the linear part of a head is, beside the distance
_PENALTY = 1.0
_MOST_RAISED = 3.0
_WEIGHT = 2000.0  # how many hands all those of one side count as, whatever their number
_ALIKE = 0.5  # `none` of the bank is the gesture itself where it scores above this quantile of the examples
_NONE = 0.25  # share of the bank's weight that hands of no gesture have
_COPIES = 4
_SPREAD = 1.0  # how far copies are from an example, as a part of how people differ within a gesture
_SEED = 5
_STEPS = 40
_CLOSE = 1e-3


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
        features: (B, F) of its hands.
        labels: (B,) names of the gestures they show.
        confidence: (B,) the probability that the package's network gives its answer; 0 where that is wrong.
    """

    features: Rows
    labels: NDArray[np.str_]
    confidence: Rows

    def where(self, chosen: NDArray[np.bool_]) -> Known:
        """A part of it."""
        return Known(self.features[chosen], self.labels[chosen], self.confidence[chosen])


def fitted_heads(known: Known, examples: Mapping[str, Rows], threshold: float) -> Heads:
    """Heads for all gestures of one's own.

    Args:
        known: the bank.
        examples: (N, F) features of each gesture's examples.
        threshold: confidence from which an answer is sure.
    """
    mean = known.features.mean(axis=0)
    whiten = _whitening(known)
    bank = (known.features - mean) @ whiten
    rng = np.random.default_rng(_SEED)
    own = {label: _spread((rows - mean) @ whiten, rng) for label, rows in examples.items()}
    parts = [_fitted(label, own, bank, known, threshold) for label in own]
    centres, linear, bias, slope = (np.stack(part) for part in zip(*parts, strict=True))
    return Heads(tuple(own), mean, whiten, centres, linear.T, bias, slope)


def _spread(white: Rows, rng: np.random.Generator) -> Rows:
    """Whitened examples, and copies of them as other people might have shown them."""
    copies = np.tile(white, (_COPIES, 1))
    return np.concatenate([white, copies + _SPREAD * rng.normal(size=copies.shape)])


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
    at_bank = slice(len(mine), len(mine) + len(bank))
    alone = [np.full(len(rows), 1 / len(rows)) for rows in (mine, *others)]
    weights = _WEIGHT * np.concatenate([alone[0], _shares(known), *alone[1:]])
    found = _regression(terms, is_mine, weights)
    # Hands of no known gesture that look like the examples: what is taught was among them.
    scores = terms @ found
    alike = (known.labels == NOTHING) & (scores[at_bank] > np.quantile(scores[: len(mine)], _ALIKE))
    weights[at_bank][alike] = 0.0
    found = _regression(terms, is_mine, weights, found)
    # What a head says of hands of the bank that it was not fitted on.
    for half in (0, 1):
        is_asked = np.arange(len(bank)) % 2 == half
        kept = weights.copy()
        kept[at_bank] = np.where(is_asked, 0.0, 2 * kept[at_bank])
        scores[at_bank][is_asked] = terms[at_bank][is_asked] @ _regression(terms, is_mine, kept, found)
    shift = _shift(scores[at_bank], known)
    scale = _sharpness(scores[at_bank] - shift, known, threshold)
    linear, slope, bias = found[:-2] * _LINEAR / np.sqrt(len(centre)), found[-2], found[-1] - found[-2]
    return centre, scale * linear, np.asarray(scale * (bias - shift)), np.asarray(scale * slope)


def _shares(known: Known) -> Rows:
    """(B,) what each hand of the bank counts, together 1: those of `none` together `_NONE`, however many there are."""
    is_none = known.labels == NOTHING
    parts = np.where(is_none, _NONE / max(is_none.sum(), 1), (1 - _NONE) / max((~is_none).sum(), 1))
    return np.asarray(parts / parts.sum(), np.float64)


def _terms(white: Rows, centre: Rows) -> Rows:
    """(N, F + 2): the features, the distance from the centre, and one."""
    count = white.shape[1]
    far = ((white - centre) ** 2).mean(axis=1) - 1
    return np.column_stack([white * _LINEAR / np.sqrt(count), far, np.ones(len(white))])


def _shift(scores: Rows, known: Known) -> float:
    """What is subtracted from a head's scores.

    It takes as much as it may from the bank: as few examples of one person are narrower than the gesture, a head that
    took only what its examples show would miss other people. If it takes too many known gestures, it is held back.
    """
    taken = [
        float(np.quantile(scores[at] - np.log(known.confidence[at]), 1 - most)) if at.any() else 0.0
        for kind, most in ((known.labels != NOTHING, MOST_LOST), (known.labels == NOTHING, MOST_MISTAKEN))
        for at in [kind & (known.confidence > 0)]
    ]
    return max(taken[0], min(taken[1], 0.0), -_MOST_RAISED)


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


def _regression(terms: Rows, is_mine: NDArray[np.bool_], weights: Rows, start: Rows | None = None) -> Rows:
    """Weights of a logistic regression by Newton's method, from others if given; nothing is gained by being farther
    from the centre."""
    used = weights > 0
    terms, is_mine, weights = terms[used], is_mine[used], weights[used]
    found = _newton(terms, is_mine, weights, np.zeros(terms.shape[1]) if start is None else start)
    if found[-2] > 0:
        nearer = np.delete(terms, -2, axis=1)
        found = np.insert(_newton(nearer, is_mine, weights, np.delete(found, -2)), -1, 0.0)
    return found


def _newton(terms: Rows, is_mine: NDArray[np.bool_], weights: Rows, found: Rows) -> Rows:
    """Minimise the penalised negative log likelihood; a step that would increase it is halved."""
    penalty = np.full(terms.shape[1], _PENALTY)
    penalty[-1] = 1e-6
    signs = np.where(is_mine, -1.0, 1.0)

    def cost(at: Rows) -> float:
        return float(weights @ np.logaddexp(0, signs * (terms @ at)) + 0.5 * penalty @ at**2)

    now = cost(found)
    for _ in range(_STEPS):
        odds = 1 / (1 + np.exp(-np.clip(terms @ found, -50, 50)))
        slope = terms.T @ (weights * (odds - is_mine)) + penalty * found
        steep = (terms * (weights * odds * (1 - odds))[:, None]).T @ terms + np.diag(penalty)
        step = np.linalg.solve(steep, slope)
        then = cost(found - step)
        while then > now and np.abs(step).max() > _CLOSE:
            step = step / 2
            then = cost(found - step)
        found = found - step
        is_close, now = now - then < _CLOSE, then
        if is_close:
            break
    return np.asarray(found, np.float64)
