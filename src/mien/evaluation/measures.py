"""The measurements of a report, each from answers alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.data.duplicates import sample_keys
from mien.evaluation.metrics import (
    NO_ANSWER,
    RiskCoverage,
    accuracy_interval,
    answer_scores,
    confidence_scores,
    risk_coverage,
)
from mien.evaluation.predictions import Predictions
from mien.evaluation.results import (
    WANTED_ACCURACY,
    CalibrationScores,
    ConfusedPair,
    CopyFreeScores,
    GradeScores,
    GradeShare,
    GroupScores,
    LabelScores,
    Ranking,
    RiskScores,
    VoteScores,
)
from mien.extras import needs

_ENOUGH_VOTES = 0.2 - 1e-6
"""Two of ten votes; votes are shares of those that named a label."""
_FEWEST_CONFUSED = 3
_MOST_PAIRS = 10
_MOST_GROUPS = 40


def percent(share: float, digits: int = 1) -> str:
    """A share as text, e.g. "68.1 %"."""
    return f"{100 * share:.{digits}f} %"


def classification(answers: Predictions) -> dict[str, LabelScores]:
    """Precision, recall, F1 and support by label, and their macro and weighted means, by scikit-learn."""
    with needs("data"):
        from sklearn.metrics import classification_report
    names = answers.part.label_set.labels
    report: dict[str, Any] = classification_report(
        answers.part.labels,
        answers.predicted,
        labels=range(len(names)),
        target_names=names,
        output_dict=True,
        zero_division=0,
    )
    return {
        name: LabelScores(
            precision=float(row["precision"]),
            recall=float(row["recall"]),
            f1=float(row["f1-score"]),
            support=float(row["support"]),
        )
        for name, row in report.items()
        if isinstance(row, dict) and name != "micro avg"
    }


def confused_pairs(matrix: NDArray[np.int64], labels: tuple[str, ...]) -> tuple[ConfusedPair, ...]:
    """The ten most common confusions, by share of the true label, largest first; at least three cases each."""
    supports = matrix.sum(axis=1)
    pairs = [
        ConfusedPair(true=true, predicted=predicted, count=int(matrix[i, j]), share=float(matrix[i, j] / supports[i]))
        for i, true in enumerate(labels)
        for j, predicted in enumerate(labels)
        if i != j and matrix[i, j] >= _FEWEST_CONFUSED
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair.share)[:_MOST_PAIRS])


def without_copies(answers: Predictions, dataset: Dataset, split: str, seed: int) -> CopyFreeScores:
    """Scores without samples that equal a training sample, or an earlier one of the split, in every pixel."""
    part = answers.part
    keys = sample_keys(part.samples)
    train = set() if split in ("train", "all") else set(sample_keys(dataset.samples[dataset.split == "train"]))
    seen: set[bytes] = set()
    known, repeated = np.zeros(len(part), bool), np.zeros(len(part), bool)
    for i, key in enumerate(keys):
        known[i], repeated[i] = key in train, key in seen
        seen.add(key)
    fresh = ~(known | repeated)
    to_training, repeats = int(known.sum()), int((repeated & ~known).sum())
    if not fresh.any():
        return CopyFreeScores(samples=0, equal_to_training=to_training, repeated=repeats)
    return CopyFreeScores(
        samples=int(fresh.sum()),
        equal_to_training=to_training,
        repeated=repeats,
        **asdict(answer_scores(answers.predicted[fresh], part.labels[fresh])),
        accuracy_95=accuracy_interval(answers.right[fresh], seed=seed),
    )


def risk_curve(answers: Predictions) -> RiskCoverage:
    """Accuracy of the most confident answers against their share; a sample without an answer has no confidence."""
    if answers.probabilities is None:
        raise ValueError("answers without probabilities have no confidence")
    confidence = np.where(answers.predicted == NO_ANSWER, 0.0, answers.probabilities.max(axis=1))
    return risk_coverage(confidence, answers.right)


def calibration(answers: Predictions, p: NDArray[np.float64]) -> CalibrationScores:
    """ECE, Brier score and NLL, before and after the temperature if there is one.

    Args:
        answers: with or without a temperature.
        p: their probabilities.
    """
    labels = answers.part.labels

    after = confidence_scores(p, labels)
    if answers.before is None:
        return CalibrationScores(as_given=after)
    return CalibrationScores(
        temperature=answers.temperature,
        temperature_from=answers.temperature_from,
        before=confidence_scores(answers.before, labels),
        after=after,
    )


def ranking(p: NDArray[np.float64], labels: NDArray[np.int64], names: tuple[str, ...]) -> Ranking:
    """Area under the ROC curve and average precision of each label against the rest, if it has samples."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    present = [i for i in range(len(names)) if 0 < (labels == i).sum() < len(labels)]
    auc = {names[i]: float(roc_auc_score(labels == i, p[:, i])) for i in present}
    precision = {names[i]: float(average_precision_score(labels == i, p[:, i])) for i in present}
    if not present:
        return Ranking()
    means = {"macro": float(np.mean(list(auc.values())))}, {"macro": float(np.mean(list(precision.values())))}
    return Ranking(roc_auc=auc | means[0], average_precision=precision | means[1])


def risk_scores(curve: RiskCoverage, threshold: float | None) -> RiskScores:
    """The curve in numbers, and where the model's own threshold lies on it."""
    reached = curve.coverage_at(WANTED_ACCURACY)
    if threshold is None:
        return RiskScores(area=curve.area, coverage_at_accuracy=reached)
    coverage, accuracy = curve.at(threshold)
    return RiskScores(
        area=curve.area, coverage_at_accuracy=reached, threshold=threshold, coverage=coverage, accuracy=accuracy
    )


def by_votes(answers: Predictions, seed: int) -> VoteScores | None:
    """Scores against the label that most raters chose, if there are votes."""
    votes = answers.part.votes
    if votes is None or not votes.any():
        return None
    voted = votes.sum(axis=1) > 0
    plurality = votes[voted].argmax(axis=1)
    right = answers.predicted[voted] == plurality
    return VoteScores(
        samples=int(voted.sum()),
        **asdict(answer_scores(answers.predicted[voted], plurality)),
        accuracy_95=accuracy_interval(right, seed=seed),
        labels_agree_with_votes=float((answers.part.labels[voted] == plurality).mean()),
    )


def acceptable(part: Dataset, predicted: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """(N,) whether people would accept each answer: it is the label, or at least two of the ten raters of FER+ gave it.

    Args:
        part: the samples, with the votes of raters; one without votes goes by its label.
        predicted: (N,) positions of the answers among its labels, or NO_ANSWER, which nobody accepts.

    Returns:
        None if there are no votes.
    """
    votes = part.votes
    if votes is None or not votes.any():
        return None
    given = votes[np.arange(len(predicted)), np.maximum(predicted, 0)] >= _ENOUGH_VOTES
    return np.asarray((predicted == part.labels) | (given & (predicted != NO_ANSWER)))


def agreed(part: Dataset) -> NDArray[np.bool_]:
    """(N,) whether more raters gave a sample's label than any other; true for all samples if there are no votes."""
    votes = part.votes
    if votes is None or not votes.any():
        return np.ones(len(part.labels), np.bool_)
    rows = np.arange(len(votes))
    others = votes.copy()
    others[rows, part.labels] = -1
    return np.asarray(votes[rows, part.labels] > others.max(axis=1), np.bool_)


def grade_scores(
    probabilities: NDArray[np.float64],
    part: Dataset,
    *,
    threshold: float,
    perhaps: float | None,
    predicted: NDArray[np.int64] | None = None,
) -> GradeScores:
    """What grades are worth.

    Args:
        probabilities: (N, L) of the answers.
        part: the samples.
        threshold: confidence from which an answer is sure.
        perhaps: confidence from which it is perhaps right; None if there is no such grade.
        predicted: (N,) positions of the answers; those of the highest probabilities by default.
    """
    answers = probabilities.argmax(axis=1) if predicted is None else predicted
    confidence = np.where(answers == NO_ANSWER, 0.0, probabilities.max(axis=1))
    right, good = answers == part.labels, acceptable(part, answers)

    def share(least: float) -> GradeShare:
        coverage, accuracy = risk_coverage(confidence, right).at(least)
        accepted = None if good is None else risk_coverage(confidence, good).at(least)[1]
        return GradeShare(threshold=least, coverage=coverage, accuracy=accuracy, acceptable=accepted)

    return GradeScores(
        sure=share(threshold),
        perhaps=None if perhaps is None else share(perhaps),
        acceptable=None if good is None else float(good.mean()),
    )


def by_group(answers: Predictions) -> dict[str, GroupScores] | None:
    """Accuracy by group (person or clip), for up to forty groups."""
    groups = answers.part.groups
    names = np.unique(groups)
    if not 2 <= len(names) <= _MOST_GROUPS:
        return None
    return {
        str(name) or "(no group)": GroupScores(
            samples=int((groups == name).sum()), accuracy=float(answers.right[groups == name].mean())
        )
        for name in names
    }
