"""Grades of answers: from which confidence they are sure, and from which they are what people might say as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import ModelError
from mien.evaluation.measures import acceptable, percent
from mien.evaluation.metrics import precise_threshold, risk_coverage
from mien.labels import LabelSet
from mien.recipes.tables import ExportRecipe
from mien.stages.baseline import NEUTRAL, neutral_reference
from mien.wording import count

_BALANCED = ", also where labels that are rare there are more common"
STAYS_NEUTRAL = 0.97
"""Share of neutral faces that stay neutral relative to themselves a moment before."""
GAINS = (1.0, 20.0)
"""Least and most that changes from a person's own neutral face may count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grades:
    """Where the grades of a model begin, as in its manifest, and how that was chosen, in sentences."""

    threshold: float
    perhaps: float | None
    told: str = ""


def fitted_grades(export: ExportRecipe, probabilities: NDArray[np.float64], validation: Dataset) -> Grades:
    """The grades that a recipe asks for: `precision`, `acceptable` and `certainty` of its table `export`.

    Args:
        export: the recipe's table.
        probabilities: (V N, L) calibrated answers to the N validation samples, once for each of V views of them; the
            views of a sample are no more certain than one sample.
        validation: the samples.

    Raises:
        ModelError: no confidence has the precision.
    """
    views = len(probabilities) // len(validation)
    confidence, answers = probabilities.max(axis=1), probabilities.argmax(axis=1)
    labels = np.tile(validation.labels, views)
    weights = np.bincount(labels)[labels].astype(np.float64) ** -export.balance
    threshold, told = _sure(export, confidence, answers == labels, weights, views)
    perhaps, also = None, ""
    if export.acceptable:
        good = [acceptable(validation, each) for each in answers.reshape(views, -1)]
        voted = np.concatenate([each for each in good if each is not None] or [np.zeros(0, np.bool_)])
        perhaps, also = _perhaps(export, confidence, voted, views)
        perhaps = None if perhaps is None else min(perhaps, threshold)
    return Grades(threshold=threshold, perhaps=perhaps, told=" ".join(filter(None, (told, also))))


def fitted_gain(before: NDArray[np.float64], after: NDArray[np.float64], labels: LabelSet, threshold: float) -> float:
    """How much changes from a person's own neutral face may count (`mien.stages.baseline`), from 1 to 20.

    Of neutral faces, read relative to themselves a moment before, 97 % stay neutral; the more of a change a model sees
    where there is none, the less it may count. At 1 fewer may stay neutral, at 20 more.

    Args:
        before: (N, L) calibrated logits of neutral faces.
        after: (N, L) those of the same faces a moment later.
        labels: their names.
        threshold: of the model.
    """
    neutral = labels.index(NEUTRAL)
    reference = neutral_reference(labels, threshold)
    change = after - before
    others = np.delete(change - change[:, [neutral]], neutral, axis=1).max(axis=1)
    seen = max(float(np.quantile(others, STAYS_NEUTRAL)), 1e-3)
    lead = reference[neutral] - np.delete(reference, neutral).max()
    return round(float(np.clip(lead / seen, *GAINS)), 3)


def _sure(
    export: ExportRecipe,
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64],
    views: int,
) -> tuple[float, str]:
    if not export.precision:
        return export.threshold, ""
    samples = count(len(right) // views, "validation sample")
    threshold = precise_threshold(
        confidence, right, precision=export.precision, certainty=export.certainty, views=views, weights=weights
    )
    if threshold is None:
        raise ModelError(
            f"No confidence threshold makes answers right in {percent(export.precision)} of cases on the validation "
            f"split ({count(len(right) // views, 'sample')}); lower export.precision, or set it to 0 to use "
            "export.threshold"
        )
    coverage, accuracy = risk_coverage(confidence, right).at(threshold)
    return threshold, (
        f"An answer with a confidence below {threshold:g} is uncertain: above it at least "
        f"{percent(export.precision)} of the answers to the {samples} are right with {percent(export.certainty)} "
        f"certainty (exact binomial bound){_BALANCED if export.balance else ''}. {percent(coverage)} of their answers "
        f"are not uncertain, and {percent(accuracy or 0.0)} of these are right."
    )


def _perhaps(
    export: ExportRecipe, confidence: NDArray[np.float64], good: NDArray[np.bool_], views: int
) -> tuple[float | None, str]:
    if not len(good):
        return None, "There are no raters' votes, so an answer is either sure or unclear."
    wanted = percent(export.acceptable)
    least = precise_threshold(confidence, good, precision=export.acceptable, certainty=export.certainty, views=views)
    if least is None:
        return (
            None,
            f"No confidence threshold makes {wanted} of answers acceptable, so an answer is either sure or unclear.",
        )
    coverage, share = risk_coverage(confidence, good).at(least)
    return least, (
        f'An uncertain answer with a confidence of {least:g} or more is given as "perhaps", one with less as unclear: '
        f"of answers that are sure or perhaps right, at least {wanted} are acceptable to people, that is, the label or "
        f"what at least two of ten raters said, with {percent(export.certainty)} certainty. {percent(coverage)} of the "
        f"answers to the validation samples are so, and {percent(share or 0.0)} of these are acceptable."
    )
