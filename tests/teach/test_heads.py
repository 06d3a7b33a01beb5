from __future__ import annotations

import numpy as np
import pytest

from mien.labels import GESTURES
from mien.models.artifact import zoo_artifact
from mien.stages.classify import softmax
from mien.teach.bank import load_bank
from mien.teach.fit import Fitter
from mien.teach.graph import head_scores
from mien.teach.heads import MOST_LOST, Heads, Known, Rows, fitted_heads

BANK = load_bank()


@pytest.fixture(scope="module")
def fitter() -> Fitter:
    return Fitter(zoo_artifact("gesture_landmark"), BANK)


@pytest.fixture(scope="module")
def known(fitter: Fitter) -> Known:
    rows = fitter.base_probabilities(BANK.samples)
    is_right = np.array(GESTURES.labels)[rows.argmax(axis=1)] == BANK.labels
    return Known(fitter.features(BANK.samples), BANK.labels, np.where(is_right, rows.max(axis=1), 0.0))


def little_fingers(fitter: Fitter, count: int, *, bent: bool = True) -> Rows:
    """Features of hands of the bank that say `call`, with the thumb of a fist: a little finger alone."""
    calls, fists = (BANK.samples[BANK.labels == label][:count].copy() for label in ("call", "punch"))
    if bent:
        calls[:, 1:5] = fists[:, 1:5]
    return fitter.features(calls)


def taken(heads: Heads, known: Known, confidence: Rows) -> Rows:
    scores = head_scores(known.features, heads)
    return np.asarray((scores > np.log(np.maximum(confidence, 1e-9))[:, None]).any(axis=1))


def test_other_hands_of_the_kind_are_known_and_known_gestures_stay(fitter: Fitter, known: Known) -> None:
    hands = little_fingers(fitter, 200)
    heads = fitted_heads(known, {"little": hands[:60]}, 0.9)
    assert (head_scores(hands[100:], heads) > 0).mean() > 0.9
    gestures = (known.labels != "none") & (known.confidence > 0)
    assert taken(heads, known, known.confidence)[gestures].mean() < 2 * MOST_LOST
    assert (heads.slope <= 0).all()


def test_two_heads_tell_their_gestures_apart(fitter: Fitter, known: Known) -> None:
    little = little_fingers(fitter, 160)
    spare = fitter.features(BANK.samples[BANK.labels == "none"])
    far = ((spare - spare.mean(axis=0)) ** 2).sum(axis=1).argmax()
    odd = spare[far] + np.random.default_rng(1).normal(0, 0.02, (60, spare.shape[1]))
    heads = fitted_heads(known, {"little": little[:60], "odd": odd}, 0.9)
    scores = head_scores(np.concatenate([little[60:], odd]), heads)
    assert (scores[: len(little) - 60].argmax(axis=1) == 0).mean() > 0.95
    assert (scores[len(little) - 60 :].argmax(axis=1) == 1).mean() > 0.95


def test_a_gesture_that_is_one_of_the_package_takes_little_of_it(fitter: Fitter, known: Known) -> None:
    """Somebody teaches a plain V under another name: it is held back, whatever its examples say."""
    same = fitter.features(BANK.samples[BANK.labels == "victory"][:80])
    heads = fitted_heads(known, {"peace": same}, 0.9)
    gestures = (known.labels != "none") & (known.confidence > 0)
    assert taken(heads, known, known.confidence)[gestures].mean() < 3 * MOST_LOST


@pytest.mark.parametrize("spread", [0.0, 1e-7])
def test_examples_that_are_all_the_same_do_not_break_the_fit(fitter: Fitter, known: Known, spread: float) -> None:
    one = little_fingers(fitter, 1)
    rows = one + spread * np.random.default_rng(2).normal(size=(40, one.shape[1]))
    heads = fitted_heads(known, {"still": rows}, 0.9)
    assert all(np.isfinite(part).all() for part in (heads.linear, heads.bias, heads.slope, heads.whiten))
    assert (head_scores(one, heads) > 0).all()
    gestures = (known.labels != "none") & (known.confidence > 0)
    assert taken(heads, known, known.confidence)[gestures].mean() < 0.02


def test_sure_answers_stay_sure(fitter: Fitter, known: Known) -> None:
    heads = fitted_heads(known, {"little": little_fingers(fitter, 60)}, 0.9)
    base = fitter.base_probabilities(BANK.samples)
    rows = softmax(np.column_stack([np.log(np.maximum(base, 1e-30)), head_scores(known.features, heads)]))
    were, are = ((each.max(axis=1) >= 0.9) & (known.labels != "none") for each in (base, rows))
    assert were.mean() - are.mean() < 0.02
