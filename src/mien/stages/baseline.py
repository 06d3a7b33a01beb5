"""A person's own neutral face as reference: expressions are read as changes from it.

With calibrated logits z of a face (logarithms of its probabilities, but for a constant) and z0 of the same person's
neutral face, the relative ones are

    gain (z - z0) + r

where r are those of a face that is surely neutral: the logarithm of t for neutral and of (1 - t) / (L - 1) for each of
the L - 1 other labels, with t half way from the model's threshold to 1. So the neutral face itself is answered as
surely neutral, whatever it reminds the model of, and `gain` says how soon a change from it counts: the export fits it
(`mien.evaluation.grades.fitted_gain`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.labels import LabelSet

NEUTRAL = "neutral"

BASELINE_S = 5.0
"""Calm seconds from which a neutral face is learned when a key or a button asks for it."""

NOT_AT_REST = ("happy", "surprise")
"""What the face of somebody at rest hardly ever looks like: a smile at the start is no baseline."""
_RESTLESS = 0.15
"""A face is calm if its probabilities differ from their mean by no more than this on average: total variation, 0 to
1."""
_FEWEST = 5  # frames
_FORGOTTEN_S = 10.0

Floats = NDArray[np.float64]


def neutral_reference(labels: LabelSet, threshold: float) -> Floats:
    """(L,) logarithms of the probabilities that a neutral face gets relative to itself.

    Raises:
        ModelError: no label is neutral.
    """
    if NEUTRAL not in labels:
        raise ModelError(
            f"A baseline needs a model that can answer {NEUTRAL}; this one answers {', '.join(labels.labels)}."
        )
    surely = (1 + threshold) / 2
    reference = np.full(len(labels), np.log(max(1 - surely, 1e-6) / (len(labels) - 1)))
    reference[labels.index(NEUTRAL)] = np.log(surely)
    return reference


@dataclass(slots=True)
class _Learner:
    """What one track has shown lately, until its neutral face is known: times, logits and probabilities."""

    seen_s: float
    frames: deque[tuple[float, Floats, Floats]] = field(default_factory=deque)
    baseline: Floats | None = None


class Baselines:
    """The neutral faces of the people of one source, by track.

    Args:
        labels: of the model.
        threshold: of the model: confidence from which its answer is sure.
        gain: of its manifest.
        seconds: a track's neutral face is the mean of the first so many seconds in which it is calm: its answer stays
            much the same, and is not happy or surprised. None learns nothing.
        given: (L,) calibrated logits of the one person whose neutral face is known; for every face.

    Raises:
        ModelError: no label is neutral.
    """

    def __init__(
        self,
        labels: LabelSet,
        *,
        threshold: float,
        gain: float,
        seconds: float | None = None,
        given: Floats | None = None,
    ) -> None:
        self._labels, self._seconds, self._given, self._gain = labels, seconds, given, gain
        self._reference = neutral_reference(labels, threshold)
        self._tracks: dict[int, _Learner] = {}

    def relative(
        self, tracks: Sequence[int | None], logits: Floats, probabilities: Floats, time_s: float
    ) -> tuple[Floats, list[bool]]:
        """Logits relative to the neutral faces known by now, and learn from those that are not.

        Args:
            tracks: of the N faces of a frame; one without a number has only what was given.
            logits: (N, L) calibrated.
            probabilities: (N, L) their softmax.
            time_s: of the frame.

        Returns:
            (N, L) logits, and for each face whether they are relative; if not, they are as they came.
        """
        seen = zip(tracks, logits, probabilities, strict=True)
        own = [self._of(track, row, p, time_s) for track, row, p in seen]
        rows = [
            row if base is None else relative_logits(row, base, self._reference, self._gain)
            for row, base in zip(logits, own, strict=True)
        ]
        return np.stack(rows), [base is not None for base in own]

    def _of(self, track: int | None, logits: Floats, probabilities: Floats, time_s: float) -> Floats | None:
        if self._given is not None or self._seconds is None or track is None:
            return self._given
        for gone in [key for key, one in self._tracks.items() if not 0 <= time_s - one.seen_s <= _FORGOTTEN_S]:
            del self._tracks[gone]
        learner = self._tracks.setdefault(track, _Learner(time_s))
        learner.seen_s = time_s
        if learner.baseline is None:
            learner.frames.append((time_s, logits, probabilities))
            learner.baseline = self._calm(learner.frames, self._seconds)
            if learner.baseline is not None:
                learner.frames.clear()
        return learner.baseline

    def _calm(self, frames: deque[tuple[float, Floats, Floats]], seconds: float) -> Floats | None:
        """The mean logits of the last seconds if they were calm; earlier frames are dropped."""
        while len(frames) > 1 and frames[-1][0] - frames[1][0] >= seconds:
            frames.popleft()
        if len(frames) < _FEWEST or frames[-1][0] - frames[0][0] < seconds:
            return None
        p = np.stack([probabilities for *_, probabilities in frames])
        mean = p.mean(axis=0)
        spread = float(np.abs(p - mean).sum(axis=1).mean() / 2)
        if spread > _RESTLESS or self._labels.labels[int(mean.argmax())] in NOT_AT_REST:
            return None
        return np.asarray(np.mean([logits for _, logits, _ in frames], axis=0))


def relative_logits(logits: Floats, baseline: Floats, reference: Floats, gain: float) -> Floats:
    """Logits of a face relative to a neutral one; see the head of this module.

    Args:
        logits: (L,) calibrated.
        baseline: (L,) calibrated, of the neutral face.
        reference: (L,) of `neutral_reference`.
        gain: of the manifest.
    """
    change = logits - baseline
    return np.asarray(gain * (change - change.mean()) + reference)
