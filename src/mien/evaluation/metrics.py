"""Figures of merit for a classifier's answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.results import AnswerScores, ConfidenceScores, Interval, SummaryScores
from mien.extras import needs

NO_ANSWER = -1
"""Position of a missing answer, or of one that is not among the labels; it always counts as wrong."""

_ECE_BINS = 15


def summary_scores(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> SummaryScores:
    """Accuracy, macro F1, balanced accuracy, top-2 accuracy, ECE, Brier score and NLL.

    Args:
        probabilities: (N, L), rows sum to 1.
        labels: (N,) true positions.
    """
    return SummaryScores(
        **asdict(answer_scores(probabilities.argmax(axis=1), labels)),
        **asdict(confidence_scores(probabilities, labels)),
        top_2_accuracy=top_2_accuracy(probabilities, labels),
    )


def confidence_scores(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> ConfidenceScores:
    """ECE, Brier score and NLL; arguments as of `summary_scores`."""
    return ConfidenceScores(
        ece=expected_calibration_error(probabilities, labels),
        brier=brier_score(probabilities, labels),
        nll=negative_log_likelihood(probabilities, labels),
    )


def answer_scores(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> AnswerScores:
    """Accuracy, macro F1 (over labels that are true or answered) and balanced accuracy (over true labels).

    Args:
        predicted: (N,) positions of the answers, or NO_ANSWER.
        labels: (N,) true positions.
    """
    with needs("data"):
        from sklearn.metrics import f1_score, recall_score
    named = np.union1d(labels, predicted[predicted != NO_ANSWER])
    return AnswerScores(
        accuracy=float((predicted == labels).mean()),
        macro_f1=float(f1_score(labels, predicted, labels=named, average="macro", zero_division=0)),
        balanced_accuracy=float(
            recall_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
        ),
    )


def top_2_accuracy(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """How often the true label is one of the two most probable ones."""
    top_2 = np.argsort(probabilities, axis=1)[:, -2:]
    return float((top_2 == labels[:, None]).any(axis=1).mean())


def negative_log_likelihood(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean of minus the log probability of the true label, which counts as 1e-12 where it is less or impossible."""
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, 1)).mean())


def brier_score(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean squared distance of the probabilities from the truth, summed over the labels: 0 to 2 (Brier 1950)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


@dataclass(frozen=True, eq=False)
class Reliability:
    """What a calibration curve shows; bins without answers are left out.

    Args:
        confidence: (B,) mean confidence in each bin.
        accuracy: (B,) share of right answers in it.
        share: (B,) fraction of all answers that fall into it.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    share: NDArray[np.float64]


def reliability(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> Reliability:
    """Confidence against accuracy in 15 bins of equal width (Guo et al. 2017)."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _ECE_BINS).astype(int), _ECE_BINS - 1)
    members = [bins == b for b in np.unique(bins)]
    return Reliability(
        np.array([confidence[m].mean() for m in members]),
        np.array([right[m].mean() for m in members]),
        np.array([m.mean() for m in members]),
    )


def expected_calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean gap between confidence and accuracy over 15 bins of equal width (Guo et al. 2017)."""
    curve = reliability(probabilities, labels)
    return float((curve.share * np.abs(curve.accuracy - curve.confidence)).sum())


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """What answering only when confident enough costs and gains (Geifman & El-Yaniv 2017).

    Args:
        threshold: (K,) confidences that occur, in descending order.
        coverage: (K,) share of samples with that confidence or more.
        accuracy: (K,) share of right answers among them.
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    def coverage_at(self, accuracy: float) -> float | None:
        """The largest coverage whose answers are right that often; None if no threshold achieves it."""
        reached = self.coverage[self.accuracy >= accuracy]
        return float(reached.max()) if len(reached) else None

    def at(self, threshold: float) -> tuple[float, float | None]:
        """Coverage and accuracy of the answers with this confidence or more; no accuracy if there are none."""
        kept = np.flatnonzero(self.threshold >= threshold)
        return (float(self.coverage[kept[-1]]), float(self.accuracy[kept[-1]])) if len(kept) else (0.0, None)

    @property
    def area(self) -> float:
        """Mean share of wrong answers over all coverages; lower is better."""
        return float(((1 - self.accuracy) * np.diff(self.coverage, prepend=0.0)).sum())


def risk_coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> RiskCoverage:
    """The curve over every threshold; equal confidences are kept or dropped together.

    Args:
        confidence: (N,) 0 to 1.
        right: (N,) whether each answer was right.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked, count = confidence[order], np.arange(1, len(order) + 1)
    last = np.append(np.diff(ranked) != 0, True)
    hits = np.cumsum(right[order])
    return RiskCoverage(ranked[last], count[last] / len(order), hits[last] / count[last])


def precise_threshold(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    *,
    precision: float,
    certainty: float = 0.95,
    views: int = 1,
    weights: NDArray[np.float64] | None = None,
) -> float | None:
    """The lowest confidence at which answers are right often enough, with a margin for new samples.

    The margin: not the share of right answers itself but its exact lower bound must reach the precision (Clopper &
    Pearson 1934), as in selective classification with a guaranteed risk (Geifman & El-Yaniv 2017). All confidences that
    occur are tried, without a correction for their number.

    Args:
        confidence: (N,) 0 to 1.
        right: (N,) whether each answer was right.
        precision: wanted share of right answers among those that are not uncertain, below 1.
        certainty: of the bound, one-sided.
        views: how many of the samples show the same thing; the bound counts them as one.
        weights: (N,) above 0, how much each sample counts, e.g. more for a rare label; all the same by default. The
            bound is that of as many equal samples as these are worth: square of the sum over sum of the squares (Kish
            1965).

    Returns:
        The threshold, rounded up to four digits; None if no threshold is good enough.
    """
    with needs("data"):
        from scipy.stats import beta
    order = np.argsort(-confidence, kind="stable")
    ranked, last = confidence[order], np.append(np.diff(confidence[order]) != 0, True)
    w = (np.ones(len(right)) if weights is None else weights)[order]
    total = np.cumsum(w)
    kept = total**2 / np.cumsum(w**2) / views
    hits = kept * np.cumsum(w * right[order]) / total
    bound = np.nan_to_num(beta.ppf(1 - certainty, hits, kept - hits + 1))  # not a number where no answer was right
    enough = ranked[last & (bound >= precision)]
    return float(min(np.ceil(enough.min() * 1e4) / 1e4, 1.0)) if len(enough) else None


def answer_matrix(predicted: NDArray[np.int64], labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(L, L + 1) int64: rows are true labels, columns answers; the last column counts those without an answer."""
    matrix = np.zeros((count, count + 1), np.int64)
    np.add.at(matrix, (labels, predicted), 1)  # NO_ANSWER is the last column
    return matrix


def score_intervals(matrix: NDArray[np.int64], *, rounds: int = 2000, seed: int = 0) -> dict[str, Interval]:
    """95 % bootstrap intervals of accuracy, macro F1 and balanced accuracy.

    Resampling the answers means drawing as many cells of their matrix by its shares, so no sample is copied.

    Args:
        matrix: from `answer_matrix`.
        rounds: resamples.
        seed: seed of the resampling.
    """
    total = int(matrix.sum())
    draws = np.random.default_rng(seed).multinomial(total, matrix.ravel() / total, size=rounds)
    cells = draws.reshape(rounds, *matrix.shape).astype(np.float64)
    hits = np.diagonal(cells, axis1=1, axis2=2)
    true, answered = cells.sum(axis=2), cells[:, :, :-1].sum(axis=1)
    f1 = _mean_where(2 * hits, true + answered)
    recall = _mean_where(hits, true)
    figures = {"accuracy": hits.sum(axis=1) / total, "macro_f1": f1, "balanced_accuracy": recall}
    return {name: _middle_95(values) for name, values in figures.items()}


def accuracy_interval(right: NDArray[np.bool_], *, rounds: int = 2000, seed: int = 0) -> Interval:
    """95 % bootstrap interval of an accuracy.

    Args:
        right: (N,) whether each answer was right.
        rounds: resamples.
        seed: seed of the resampling.
    """
    return _middle_95(np.random.default_rng(seed).binomial(len(right), right.mean(), size=rounds) / len(right))


def _mean_where(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R,) mean of the quotients in each row, over those whose denominator is above 0."""
    there = wholes > 0
    quotients = np.divide(parts, wholes, out=np.zeros_like(parts), where=there)
    return np.asarray(quotients.sum(axis=1) / np.maximum(there.sum(axis=1), 1))


def _middle_95(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
