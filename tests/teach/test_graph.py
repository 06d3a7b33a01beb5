from __future__ import annotations

import numpy as np
import pytest

from mien.labels import GESTURES
from mien.models.artifact import Artifact, zoo_artifact
from mien.models.session import Session
from mien.stages.classify import GestureClassifier, softmax
from mien.teach.bank import load_bank
from mien.teach.graph import features_model, head_scores, taught_model_bytes
from mien.teach.heads import Heads

SAMPLES = load_bank().samples[::90]


@pytest.fixture(scope="module")
def base() -> Artifact:
    return zoo_artifact("gesture_landmark")


@pytest.fixture(scope="module")
def features(base: Artifact) -> Session:
    return Session(base, weights=features_model())


def some_heads(count: int, rng: np.random.Generator) -> Heads:
    wide = 69
    return Heads(
        labels=tuple(f"g{i}" for i in range(count)),
        mean=rng.normal(size=wide),
        whiten=rng.normal(size=(wide, wide)) / 8,
        centres=rng.normal(size=(count, wide)),
        linear=rng.normal(size=(wide, count)) / 8,
        bias=rng.normal(size=count),
        slope=-rng.uniform(0.1, 1, count),
    )


def test_features_do_not_change_when_the_hand_is_turned_or_grows(features: Session) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    turned = SAMPLES.copy()
    turned[:, :21] = 1.7 * SAMPLES[:, :21] @ turn.astype(np.float32)
    before, after = (features.run(rows)[0] for rows in (SAMPLES, turned))
    assert before.shape == (len(SAMPLES), 69)
    np.testing.assert_allclose(before, after, atol=2e-3)
    mirrored = SAMPLES * np.float32([-1, 1, 1])
    assert np.abs(features.run(mirrored)[0] - before).max() > 0.1  # out of the palm is into the back of the hand


def test_the_written_model_says_what_the_network_and_the_heads_say(base: Artifact, features: Session) -> None:
    heads = some_heads(2, np.random.default_rng(4))
    order = [*range(10), 11, 12, 10]
    content = taught_model_bytes(base.model_path.read_bytes(), base.manifest.temperature, heads, order)
    found = softmax(Session(base, weights=content).run(SAMPLES)[0].astype(np.float64))
    with GestureClassifier(base) as network:
        known = network.probabilities(SAMPLES)
    odds = np.exp(head_scores(features.run(SAMPLES)[0].astype(np.float64), heads))
    together = np.column_stack([known, odds]) / (1 + odds.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, together[:, order], atol=1e-4)
    assert found.argmax(axis=1).max() > 10  # heads have a say
    np.testing.assert_allclose(found[:, :10] / found[:, 12:], known[:, :10] / known[:, 10:], rtol=2e-2)


def test_a_silent_head_changes_nothing(base: Artifact) -> None:
    heads = some_heads(1, np.random.default_rng(5))
    silent = Heads(
        heads.labels, heads.mean, heads.whiten, heads.centres, 0 * heads.linear, heads.bias - 60, heads.slope
    )
    order = [*range(len(GESTURES)), len(GESTURES)]
    content = taught_model_bytes(base.model_path.read_bytes(), base.manifest.temperature, silent, order)
    found = softmax(Session(base, weights=content).run(SAMPLES)[0].astype(np.float64))
    with GestureClassifier(base) as network:
        np.testing.assert_allclose(found[:, :-1], network.probabilities(SAMPLES), atol=1e-5)
