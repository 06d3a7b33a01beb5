"""From takes to heads, and an honest estimate: takes are left out in turn, heads fitted on the others are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.extras import needs
from mien.labels import NOTHING
from mien.models.artifact import Artifact
from mien.models.session import Session
from mien.resource import Resource
from mien.stages.classify import GestureClassifier, softmax
from mien.teach.bank import Bank
from mien.teach.graph import features_model, head_scores
from mien.teach.heads import Heads, Known, Rows, fitted_heads
from mien.teach.takes import Take

FOLDS = 5

_MOST_ROWS = 250  # examples per gesture that heads are fitted on, before copies: more only cost time

_DEPTH_COPIES = 4  # of each example, flatter or deeper:
_DEPTHS = (0.5, 1.5)  # depth is what landmarks only guess at, and differently for each person and camera
_SEED = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How well a gesture is read, on examples that had no part in what reads them.

    Args:
        examples: how many were asked.
        takes: how many takes the gesture has; of a single one parts were left out, so the figures promise too much.
        right: share of them for which the gesture is the answer, sure or not.
        sure: share for which it is the sure answer.
        mistaken_for: the most frequent other answer; empty if there is none.
    """

    examples: int
    takes: int
    right: float
    sure: float
    mistaken_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Heads, and what is to be expected of them.

    Args:
        heads: fitted on all takes.
        estimates: by gesture.
        known_before: share of the bank's gestures that the package's network reads rightly.
        known_after: the same with the heads beside it, each fitted without the hands that it is asked about.
        known_hands: how many hands that is.
        mistaken: share of the bank's hands of no known gesture that are read as a taught one, likewise.
    """

    heads: Heads
    estimates: Mapping[str, Estimate]
    known_before: float
    known_after: float
    known_hands: int
    mistaken: float


class Fitter(Resource):
    """Fits heads.

    Args:
        base: the package's gesture model.
        bank: hands that show known gestures.
    """

    def __init__(self, base: Artifact, bank: Bank) -> None:
        self._session = Session(base, weights=features_model())
        self._base = GestureClassifier(base)
        self._bank, self._threshold = bank, self._base.threshold
        self._labels = self._base.labels.labels
        self._probabilities = self.base_probabilities(bank.samples)
        answers = np.array(self._labels)[self._probabilities.argmax(axis=1)]
        confidence = np.where(answers == bank.labels, self._probabilities.max(axis=1), 0.0)
        self._known = Known(self.features(bank.samples), bank.labels, confidence)

    def features(self, samples: NDArray[np.float32]) -> Rows:
        """(N, F) features of (N, 22, 3) canonical landmarks."""
        return self._session.run(np.ascontiguousarray(samples, np.float32))[0].astype(np.float64)

    def base_probabilities(self, samples: NDArray[np.float32]) -> Rows:
        """(N, L) what the package's model says of (N, 22, 3) canonical landmarks."""
        return self._base.probabilities(np.ascontiguousarray(samples, np.float32))

    def base_answers(self, samples: NDArray[np.float32]) -> list[str]:
        """Its answers."""
        return [self._labels[i] for i in self.base_probabilities(samples).argmax(axis=1)]

    def probabilities(self, samples: NDArray[np.float32], heads: Heads) -> Rows:
        """(N, L + K) what a model with these heads says of (N, 22, 3) canonical landmarks."""
        return _together(self.base_probabilities(samples), self.features(samples), heads)

    def fit(self, takes: Sequence[Take]) -> Fitted:
        """Heads for the gestures of some takes, at least one, and estimates."""
        labels = tuple(dict.fromkeys(take.label for take in takes))
        heads = self._heads({label: _samples(takes, label) for label in labels}, self._known)
        names = (*self._labels, *labels)
        folds = _folds(takes)
        asked: dict[str, list[Rows]] = {label: [] for label in labels}
        bank_fold = np.arange(len(self._bank.labels)) % FOLDS
        after = np.empty(len(self._bank.labels), object)
        for fold in range(FOLDS):
            kept = {
                label: np.concatenate(
                    [take.samples[part != fold] for take, part in zip(takes, folds, strict=True) if take.label == label]
                )
                for label in labels
            }
            part_heads = self._heads(kept, self._known.where(bank_fold != fold))
            for take, part in zip(takes, folds, strict=True):
                if (part == fold).any():
                    asked[take.label].append(self.probabilities(take.samples[part == fold], part_heads))
            there = bank_fold == fold
            rows = _together(self._probabilities[there], self._known.features[there], part_heads)
            after[there] = np.array(names)[rows.argmax(axis=1)]
        is_gesture = self._bank.labels != NOTHING
        return Fitted(
            heads=heads,
            estimates={label: self._estimate(label, names, asked[label], takes) for label in labels},
            known_before=float((self._known.confidence[is_gesture] > 0).mean()),
            known_after=float((after == self._bank.labels)[is_gesture].mean()),
            known_hands=int(is_gesture.sum()),
            mistaken=float(np.isin(after[~is_gesture].astype(str), labels).mean()),
        )

    def close(self) -> None:
        """Free the networks."""
        self._session.close()
        self._base.close()

    def _heads(self, samples: Mapping[str, NDArray[np.float32]], known: Known) -> Heads:
        examples = {}
        for label, rows in samples.items():
            few = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MOST_ROWS)).round().astype(int)]
            examples[label] = self.features(_with_other_depths(few))
        with needs("teach"):
            from threadpoolctl import threadpool_limits
        with threadpool_limits(1, "blas"):  # threads of such small products wait for one another where others compute
            return fitted_heads(known, examples, self._threshold)

    def _estimate(self, label: str, names: tuple[str, ...], asked: list[Rows], takes: Sequence[Take]) -> Estimate:
        rows = np.concatenate(asked)
        answers = np.array(names)[rows.argmax(axis=1)]
        is_right = answers == label
        others, numbers = np.unique(answers[~is_right], return_counts=True)
        return Estimate(
            examples=len(rows),
            takes=sum(take.label == label for take in takes),
            right=float(is_right.mean()),
            sure=float((is_right & (rows.max(axis=1) >= self._threshold)).mean()),
            mistaken_for=str(others[numbers.argmax()]) if len(others) else "",
        )


def _with_other_depths(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 22, 3) canonical landmarks, and then copies that are flatter or deeper: (M, 22, 3)."""
    copies = np.tile(samples, (_DEPTH_COPIES, 1, 1))
    copies[:, :, 2] *= np.random.default_rng(_SEED).uniform(*_DEPTHS, (len(copies), 1)).astype(np.float32)
    return np.concatenate([samples, copies])


def _samples(takes: Sequence[Take], label: str) -> NDArray[np.float32]:
    return np.concatenate([take.samples for take in takes if take.label == label])


def _folds(takes: Sequence[Take]) -> list[NDArray[np.int64]]:
    """For each take, the fold in which each of its examples is left out: the whole take, or a fifth of the only one."""
    seen: dict[str, int] = {}
    folds = []
    for take in takes:
        number = seen[take.label] = seen.get(take.label, -1) + 1
        is_only = sum(other.label == take.label for other in takes) == 1
        count = len(take.samples)
        folds.append(np.arange(count) * FOLDS // count if is_only else np.full(count, number % FOLDS))
    return folds


def _together(base: Rows, features: Rows, heads: Heads) -> Rows:
    """(N, L + K) probabilities of the network's labels and of the heads', as the finished model gives them."""
    with np.errstate(divide="ignore"):
        return softmax(np.concatenate([np.log(np.maximum(base, 1e-30)), head_scores(features, heads)], axis=1))
