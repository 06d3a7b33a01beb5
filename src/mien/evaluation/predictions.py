"""Answers to a split of a data set, from a network or from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import DataError
from mien.evaluation.calibration import fitted_temperature
from mien.evaluation.evaluated_model import EvaluatedModel
from mien.evaluation.metrics import NO_ANSWER
from mien.evaluation.prediction_table import PredictionTable, in_order_of
from mien.stages.classify import answered, softmax
from mien.words import kept

_CROP_SHARE = 44 / 48
"""Fraction of the side that each of the ten crops keeps."""

OnStep = Callable[[int], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """Answers to the samples of `part`, in the labels of its label set.

    Args:
        part: the samples that can be scored: those whose label is an output of the subject. Samples of a label that a
            model leaves out of its answers are among them and always count as wrong.
        left_out: how many samples of the split have a label that is no output.
        predicted: (N,) positions of the answers, or NO_ANSWER.
        probabilities: (N, L) as the subject gives them, after the temperature if there is one.
        before: (N, L) without the temperature; None if there is none.
        temperature: what the logits were divided by.
        temperature_from: where it comes from, in words.
        threshold: confidence below which the subject's answer is uncertain; None if unknown.
        perhaps: confidence from which an uncertain answer is perhaps right; None if there is no such grade.
        views: (N, L) probabilities averaged over several views of each sample, by name.
        notes: what a reader must know, one sentence each.
    """

    part: Dataset
    left_out: int
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None
    before: NDArray[np.float64] | None = None
    temperature: float | None = None
    temperature_from: str = ""
    threshold: float | None = None
    perhaps: float | None = None
    views: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether each answer is right."""
        return np.asarray(self.predicted == self.part.labels)


@dataclass(frozen=True, eq=False)
class _Match:
    """Labels of a subject against those of the data: the samples kept, and the subject's columns for their labels."""

    part: Dataset
    columns: list[int]
    left_out: int
    notes: tuple[str, ...]


def answers_of_subject(
    subject: EvaluatedModel, dataset: Dataset, split: str, *, ten_crop: bool = False, on_step: OnStep | None = None
) -> Predictions:
    """Run a network on every sample of a split; a model answers as it does in use, never with a label it leaves out.

    The temperature is the model's own, or, for a run, the one with the lowest negative log likelihood on the validation
    split (Guo et al. 2017); it is never fitted on the test split.

    Args:
        subject: the network.
        dataset: the data set that holds the split.
        split: train, validation, test, or all.
        ten_crop: also average over ten views (four corners and the middle, each also mirrored).
        on_step: called with the number of views done since the last call.

    Raises:
        DataError: the split is empty, or fewer than two labels are common to subject and data.
        ModelError: the samples do not fit the network.
    """
    match = _matched(subject.labels, samples_of(dataset, split), never=subject.left_out)
    part = match.part
    answers = [column for column, label in enumerate(subject.labels) if label not in subject.left_out]

    def ask(samples: NDArray[Any]) -> NDArray[np.float64]:
        return answered(subject.logits(samples, on_step=on_step), answers)[:, match.columns]

    logits = ask(part.samples)
    temperature, source = _temperature(subject, dataset, split, logits, part)
    p = softmax(logits / temperature)
    views, notes = _views(subject, part, ten_crop)
    averaged = {
        name: np.mean([p if view is None else softmax(ask(view(part.samples)) / temperature) for view in made], axis=0)
        for name, made in views.items()
    }
    return Predictions(
        part=part,
        left_out=match.left_out,
        predicted=p.argmax(axis=1),
        probabilities=p,
        before=softmax(logits),
        temperature=temperature,
        temperature_from=source,
        threshold=subject.threshold,
        perhaps=subject.perhaps,
        views=averaged,
        notes=match.notes + notes,
    )


def views_to_ask(subject: EvaluatedModel, part: Dataset, *, ten_crop: bool) -> int:
    """How many views of each sample `answers_of_subject` uses."""
    views, _ = _views(subject, part, ten_crop)
    return 1 + sum(view is not None for made in views.values() for view in made)


def answers_of_predictions(predictions: PredictionTable, dataset: Dataset, split: str) -> Predictions:
    """Answers from a file.

    Raises:
        DataError: the split is empty, or fewer than two labels are common to both.
        InputError: the rows are not those of the split.
    """
    whole = samples_of(dataset, split)
    names = np.array([whole.name(i) for i in range(len(whole))])
    rows = in_order_of(predictions, names, np.array(whole.label_set.labels)[whole.labels])
    match = _matched(predictions.labels, whole)
    rows = rows[np.isin(whole.labels, [whole.label_set.index(label) for label in match.part.label_set.labels])]
    position = np.full(len(predictions.labels) + 1, NO_ANSWER)  # NO_ANSWER itself is the last entry
    position[match.columns] = np.arange(len(match.columns))
    predicted, notes = position[predictions.predicted[rows]], match.notes
    p = predictions.probabilities
    if p is not None:
        p = p[rows][:, match.columns]
        total = p.sum(axis=1, keepdims=True)
        p = np.divide(p, total, out=np.full_like(p, 1 / p.shape[1]), where=total > 0)
        outside = (predicted == NO_ANSWER) & (predictions.predicted[rows] != NO_ANSWER) & (total[:, 0] > 0)
        predicted = np.where(outside, p.argmax(axis=1), predicted)
    missing = int((predicted == NO_ANSWER).sum())
    if missing:
        notes += (kept("kept.no_answer", missing=missing, n=len(predicted)),)
    return Predictions(part=match.part, left_out=match.left_out, predicted=predicted, probabilities=p, notes=notes)


def samples_of(dataset: Dataset, split: str) -> Dataset:
    """A split, or all splits together, with a name for every sample; raises DataError if it is empty."""
    part = dataset if split == "all" else dataset.part(split)
    if not len(part):
        raise DataError(f"the data set {part.source or '(unnamed)'} has no samples")
    if part.names is not None:
        return part
    return replace(part, names=np.array([f"{split} {i}" for i in range(1, len(part) + 1)]))


def _matched(labels: Sequence[str], part: Dataset, *, never: Sequence[str] = ()) -> _Match:
    """The match of a subject with these outputs, which it answers with but for those that it never does."""
    answers = [label for label in labels if label not in never]
    common = [label for label in part.label_set.labels if label in answers]
    missing = [label for label in part.label_set.labels if label not in labels]
    extra = [label for label in answers if label not in part.label_set]
    if len(common) < 2:
        raise DataError(
            f"answers are {', '.join(answers)}, labels of {part.source or 'the data set'} are "
            f"{', '.join(part.label_set.labels)}; they must have at least two in common"
        )
    count, notes = len(part), []
    if missing:
        part = part.without(missing)
        left_out = {"left_out": count - len(part), "all": count}
        notes.append(kept("kept.cannot_answer", labels=", ".join(missing), **left_out))
    if extra:
        notes.append(kept("kept.no_label", labels=", ".join(extra)))
    if never:
        names = np.array(part.label_set.labels)[part.labels]
        notes.append(kept("kept.never_answered", labels=", ".join(never), n=int(np.isin(names, never).sum())))
    if not len(part):
        raise DataError(f"the split has no samples of the labels {', '.join(common)}")
    columns = [list(labels).index(label) for label in part.label_set.labels]
    return _Match(part, columns, count - len(part), tuple(notes))


def _temperature(
    subject: EvaluatedModel, dataset: Dataset, split: str, logits: NDArray[np.float64], part: Dataset
) -> tuple[float, str]:
    if subject.temperature is not None:
        own = kept("kept.temperature_own_here" if split == "validation" else "kept.temperature_own")
        return subject.temperature, own
    if split == "validation":
        return fitted_temperature(logits, part.labels), kept("kept.temperature_here")
    if not (dataset.split == "validation").any():
        return 1.0, kept("kept.temperature_none")
    match = _matched(subject.labels, dataset.part("validation"))
    return (
        fitted_temperature(subject.logits(match.part.samples)[:, match.columns], match.part.labels),
        kept("kept.temperature_validation", n=len(match.part)),
    )


View = Callable[[NDArray[Any]], NDArray[Any]]


def _views(
    subject: EvaluatedModel, part: Dataset, ten_crop: bool
) -> tuple[dict[str, list[View | None]], tuple[str, ...]]:
    """The averages to compute: by name the views of each, where None is the unchanged sample."""
    if subject.spec.kind == "landmarks":
        return {}, ()
    mirror_safe = part.label_set.mirror_safe
    notes: tuple[str, ...] = ()
    if not mirror_safe:
        notes = (kept("kept.no_mirrored"),)
    elif subject.averages_mirror:
        mirror_safe = False
        notes = (kept("kept.averages_mirror"),)
    views: dict[str, list[View | None]] = {"flip": [None, _mirrored]} if mirror_safe else {}
    if ten_crop:
        crops = list(_corner_crops(part.samples.shape[1:3]))
        mirrored = [lambda samples, crop=crop: _mirrored(crop(samples)) for crop in crops] if mirror_safe else []
        views["ten crops" if mirror_safe else "five crops"] = [*crops, *mirrored]
    return views, notes


def _mirrored(samples: NDArray[Any]) -> NDArray[Any]:
    return samples[:, :, ::-1]


def _corner_crops(size_hw: tuple[int, ...]) -> Iterator[View]:
    """Four corners and the middle (Krizhevsky et al. 2012), each scaled up to the whole again."""
    whole_height, whole_width = size_hw
    height, width = round(whole_height * _CROP_SHARE), round(whole_width * _CROP_SHARE)
    bottom, right = whole_height - height, whole_width - width

    def crop(top: int, left: int) -> View:
        def cut(samples: NDArray[Any]) -> NDArray[Any]:
            parts = np.ascontiguousarray(samples[:, top : top + height, left : left + width])
            whole = whole_width, whole_height
            return np.stack([cv2.resize(part, whole, interpolation=cv2.INTER_LINEAR) for part in parts])

        return cut

    for top, left in ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)):
        yield crop(top, left)
