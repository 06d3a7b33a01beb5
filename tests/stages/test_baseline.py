from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.labels import EMOTIONS, GESTURES
from mien.stages.baseline import Baselines, neutral_reference, relative_logits
from mien.stages.classify import softmax

NEUTRAL, HAPPY, SAD = (EMOTIONS.index(label) for label in ("neutral", "happy", "sad"))
THRESHOLD = 0.8

Floats = NDArray[np.float64]


def logits(**shares: float) -> Floats:
    """Logarithms of probabilities; what is left goes to the other labels."""
    rest = (1 - sum(shares.values())) / (len(EMOTIONS) - len(shares))
    return np.log([shares.get(label, rest) for label in EMOTIONS.labels])


SAD_AT_REST = logits(sad=0.6, neutral=0.25)
SMILE = logits(sad=0.35, neutral=0.25, happy=0.3)


def baselines(**changes: object) -> Baselines:
    return Baselines(EMOTIONS, threshold=THRESHOLD, gain=3.0, **changes)  # type: ignore[arg-type]


def ask(known: Baselines, row: Floats, time_s: float = 0.0, track: int | None = 1) -> tuple[Floats, bool]:
    """Probabilities, and whether they are relative."""
    rows, own = known.relative([track], row[None], softmax(row[None]), time_s)
    return softmax(rows)[0], own[0]


def show(known: Baselines, row: Floats, times_s: Floats, track: int = 1) -> list[bool]:
    return [ask(known, row, float(time_s), track)[1] for time_s in times_s]


def test_the_neutral_face_itself_is_surely_neutral_whatever_it_reminds_of() -> None:
    for row in (SAD_AT_REST, logits(angry=0.9), logits(neutral=0.99)):
        p, is_relative = ask(baselines(given=row), row)
        assert is_relative
        assert p.argmax() == NEUTRAL
        assert p[NEUTRAL] == pytest.approx((1 + THRESHOLD) / 2)
        assert np.delete(p, NEUTRAL) == pytest.approx((1 - p[NEUTRAL]) / 6)


def test_a_change_counts_by_the_gain() -> None:
    p, _ = ask(baselines(given=SAD_AT_REST), SMILE)
    assert p.argmax() == HAPPY
    change = SMILE - SAD_AT_REST
    reference = neutral_reference(EMOTIONS, THRESHOLD)
    for gain in (1.0, 2.5):
        row = relative_logits(SMILE, SAD_AT_REST, reference, gain)
        expected = gain * (change[HAPPY] - change[SAD]) + reference[HAPPY] - reference[SAD]
        assert row[HAPPY] - row[SAD] == pytest.approx(expected)


def test_a_constant_in_the_logits_says_nothing() -> None:
    plain, _ = ask(baselines(given=SAD_AT_REST), SMILE)
    moved, _ = ask(baselines(given=SAD_AT_REST + 5), SMILE - 3)
    assert moved == pytest.approx(plain)


def test_it_is_learned_from_the_first_calm_seconds_track_by_track() -> None:
    known = baselines(seconds=2.0)
    times = np.arange(0, 4, 0.1)
    told = show(known, SAD_AT_REST, times)
    assert told.index(True) == 20
    assert all(told[20:])
    p, is_relative = ask(known, SMILE, 4.0)
    assert is_relative
    assert p.argmax() == HAPPY
    p, is_relative = ask(known, SMILE, 4.0, track=2)
    assert not is_relative, "another person's face is not known"
    assert p == pytest.approx(softmax(SMILE[None])[0])


@pytest.mark.parametrize("restless", ["moves", "smiles", "seldom seen"])
def test_what_is_not_at_rest_is_no_baseline(restless: str) -> None:
    known = baselines(seconds=1.0)
    for i in range(40):
        row = {"moves": (SAD_AT_REST, logits(angry=0.9))[i % 2], "smiles": logits(happy=0.9)}.get(restless, SAD_AT_REST)
        time_s = i * (0.5 if restless == "seldom seen" else 0.1)
        if restless == "seldom seen" and i == 4:
            break
        assert not ask(known, row, time_s)[1]
    calm = show(known, SAD_AT_REST, 30 + np.arange(0, 1.5, 0.1))
    assert calm[-1], "the first calm seconds count, whenever they come"


def test_an_unrest_only_delays_it() -> None:
    known = baselines(seconds=1.0)
    for i in range(10):
        assert not ask(known, (SAD_AT_REST, logits(angry=0.9))[i % 2], i / 10)[1]
    told = show(known, SAD_AT_REST, 1.0 + np.arange(0, 2, 0.1))
    assert not told[0]
    assert told[-1]


def test_learning_again_forgets_and_a_given_face_needs_no_track() -> None:
    known = baselines(given=SAD_AT_REST)
    assert ask(known, SMILE, track=None)[1]
    learner = baselines(seconds=1.0)
    show(learner, SAD_AT_REST, np.arange(0, 2, 0.1))
    assert not ask(learner, SMILE, track=None)[1]
    assert not ask(learner, SMILE, time_s=60.0)[1], "a track number that comes back after a minute is somebody else"


def test_a_model_without_neutral_has_no_baseline() -> None:
    with pytest.raises(ModelError, match="can answer neutral; this one answers loser"):
        Baselines(GESTURES, threshold=0.5, gain=1.0)
