from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import ModelError
from mien.evaluation.grades import fitted_gain, fitted_grades
from mien.evaluation.manifest_scores import certain_figures, grade_figures
from mien.evaluation.measures import acceptable, agreed, grade_scores
from mien.evaluation.metrics import NO_ANSWER, precise_threshold
from mien.labels import EMOTIONS
from mien.recipes.tables import ExportRecipe
from mien.stages.baseline import neutral_reference, relative_logits

NEUTRAL = EMOTIONS.index("neutral")


def part(labels: NDArray[np.int64], votes: NDArray[np.float32] | None = None) -> Dataset:
    return Dataset(
        samples=np.zeros((len(labels), 2, 2), np.uint8),
        labels=labels,
        split=np.full(len(labels), "validation"),
        groups=np.full(len(labels), ""),
        label_set=EMOTIONS,
        votes=votes,
    )


def answers(count: int = 2000, *, seed: int = 3) -> tuple[NDArray[np.float64], Dataset]:
    """Calibrated probabilities of answers that are right as often as they say, half of the wrong ones voted for."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 1.0, count)
    answered = rng.integers(0, 7, count)
    right = rng.random(count) < confidence
    labels = np.where(right, answered, (answered + 1) % 7)
    p = np.full((count, 7), ((1 - confidence) / 6)[:, None])
    p[np.arange(count), answered] = confidence
    votes = np.zeros((count, 7), np.float32)
    votes[np.arange(count), labels] = 0.8
    votes[np.arange(count), answered] += np.where(rng.random(count) < 0.5, 0.2, 0.1).astype(np.float32)
    return p, part(labels, votes)


def test_an_answer_is_acceptable_as_the_label_or_by_two_of_ten_raters() -> None:
    votes = np.array([[0.7, 0.2, 0.1, 0, 0, 0, 0]] * 5, np.float32)
    data = part(np.zeros(5, np.int64), votes)
    assert acceptable(data, np.array([0, 1, 2, 3, NO_ANSWER])).tolist() == [True, True, False, False, False]
    assert acceptable(replace(data, votes=None), np.zeros(5, np.int64)) is None
    assert acceptable(replace(data, votes=np.zeros_like(votes)), np.zeros(5, np.int64)) is None


def test_a_label_is_agreed_on_if_more_raters_gave_it_than_any_other() -> None:
    votes = np.array([[0.5, 0.3, 0.2, 0, 0, 0, 0], [0.4, 0.4, 0.2, 0, 0, 0, 0], [0.3, 0.5, 0.2, 0, 0, 0, 0], [0] * 7])
    data = part(np.zeros(4, np.int64), votes.astype(np.float32))
    assert agreed(data).tolist() == [True, False, False, False]
    assert agreed(replace(data, votes=None)).all()
    assert agreed(replace(data, votes=np.zeros_like(data.votes))).all()


def test_the_grades_keep_their_promises_and_cannot_be_had_lower() -> None:
    p, data = answers()
    grades = fitted_grades(ExportRecipe(precision=0.9, certainty=0.8, acceptable=0.93), p, data)
    assert grades.perhaps is not None
    assert grades.perhaps < grades.threshold
    scores = grade_scores(p, data, threshold=grades.threshold, perhaps=grades.perhaps)
    assert scores.perhaps is not None
    assert (scores.sure.accuracy or 0) >= 0.9
    assert (scores.perhaps.acceptable or 0) >= 0.93
    lower = grade_scores(p, data, threshold=grades.threshold - 0.05, perhaps=grades.perhaps - 0.05)
    assert lower.perhaps is not None
    assert (lower.sure.accuracy or 1) < (scores.sure.accuracy or 0)
    assert (lower.perhaps.acceptable or 1) < 0.935
    assert "with a confidence below" in grades.told
    assert "two of ten raters" in grades.told


def test_without_votes_an_answer_is_sure_or_unclear() -> None:
    p, data = answers()
    grades = fitted_grades(ExportRecipe(precision=0.9, acceptable=0.95), p, replace(data, votes=None))
    assert grades.perhaps is None
    assert "no raters' votes" in grades.told
    assert fitted_grades(ExportRecipe(precision=0.9), p, data).perhaps is None


def test_a_promise_that_nothing_keeps() -> None:
    p, data = answers()
    with pytest.raises(ModelError, match=r"\(2,000 samples\); lower export\.precision"):
        fitted_grades(ExportRecipe(precision=0.999, certainty=0.9999), p, data)
    none = fitted_grades(ExportRecipe(precision=0.8, acceptable=0.999, certainty=0.9999), p, data)
    assert none.perhaps is None
    assert "sure or unclear" in none.told


def test_views_of_the_same_samples_are_no_more_certain_than_one() -> None:
    p, data = answers(400)
    recipe = ExportRecipe(precision=0.9, certainty=0.95, acceptable=0.9)
    assert fitted_grades(recipe, np.tile(p, (3, 1)), data) == fitted_grades(recipe, p, data)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == data.labels
    more = precise_threshold(np.tile(confidence, 3), np.tile(right, 3), precision=0.9, certainty=0.95)
    once = precise_threshold(confidence, right, precision=0.9, certainty=0.95)
    assert more is not None
    assert once is not None
    assert more < once, "three times as many would be more certain"


def test_balance_makes_the_promise_hold_where_rare_labels_are_common() -> None:
    rng = np.random.default_rng(1)
    labels = np.where(rng.random(4000) < 0.9, 0, 1)
    confidence = rng.uniform(0.5, 1.0, 4000)
    right = rng.random(4000) < np.where(labels == 0, 0.97, confidence**2)  # the rare label is read worse
    p = np.full((4000, 7), ((1 - confidence) / 6)[:, None])
    p[np.arange(4000), np.where(right, labels, 2)] = confidence
    found = [
        fitted_grades(ExportRecipe(precision=0.9, certainty=0.8, balance=balance), p, part(labels)).threshold
        for balance in (0.0, 0.5, 1.0)
    ]
    assert found[0] < found[1] < found[2]
    sure = confidence >= found[2]
    by_label = [right[sure & (labels == label)].mean() for label in (0, 1)]
    assert np.mean(by_label) >= 0.9
    assert np.mean([right[labels == label].mean() for label in (0, 1)]) < 0.9


def test_the_figures_of_the_grades_by_name() -> None:
    p, data = answers()
    scores = grade_scores(p, data, threshold=0.9, perhaps=0.6)
    figures = certain_figures(0.9, scores.sure.coverage, scores.sure.accuracy) | grade_figures(scores)
    confidence, good = p.max(axis=1), acceptable(data, p.argmax(axis=1))
    assert good is not None
    assert set(figures) == {
        *("coverage_at_0.9", "accuracy_at_0.9", "acceptable_at_0.9"),
        *("coverage_at_0.6", "accuracy_at_0.6", "acceptable_at_0.6", "acceptable"),
    }
    assert figures["coverage_at_0.6"] == pytest.approx((confidence >= 0.6).mean())
    assert figures["acceptable_at_0.6"] == pytest.approx(good[confidence >= 0.6].mean())
    assert figures["acceptable"] == pytest.approx(good.mean())
    assert "acceptable" not in grade_figures(grade_scores(p, replace(data, votes=None), threshold=0.9, perhaps=None))


def test_the_gain_keeps_neutral_faces_neutral() -> None:
    rng = np.random.default_rng(2)
    before = rng.normal(0, 2, (1000, 7))
    gains = {}
    for spread in (0.2, 0.6):
        after = before + rng.normal(0, spread, before.shape)
        gains[spread] = fitted_gain(before, after, EMOTIONS, 0.8)
        reference = neutral_reference(EMOTIONS, 0.8)
        rows = [relative_logits(b, a, reference, gains[spread]) for a, b in zip(before, after, strict=True)]
        kept = np.mean([row.argmax() == NEUTRAL for row in rows])
        assert kept == pytest.approx(0.97, abs=0.005)
    assert gains[0.6] < gains[0.2]
    assert fitted_gain(before, before, EMOTIONS, 0.8) == 20.0
    assert fitted_gain(before, before + rng.normal(0, 9, before.shape), EMOTIONS, 0.8) == 1.0
