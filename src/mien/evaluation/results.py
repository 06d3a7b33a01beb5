"""What an evaluation found, typed: the one place that names each measure, as metrics.json calls it.

The names of the fields are the keys of metrics.json, but for those of `_KEYS`. A field whose default is None is left
out of the file while it is None; the others are always there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, UnknownName
from mien.schema import checked

T = TypeVar("T")

WANTED_ACCURACY = 0.9
"""Of the answers given, for `RiskScores.coverage_at_accuracy`."""

_DIGITS = 6

Interval = tuple[float, float]
"""Lower and upper end of the middle 95 %."""

_KEYS = {"f1": "f1-score", "coverage_at_accuracy": f"coverage_at_accuracy_{WANTED_ACCURACY:g}"}
"""Keys of metrics.json that no field can be called."""


@dataclass(frozen=True, kw_only=True)
class AnswerScores:
    """Scores that need the answers alone, each a share from 0 to 1."""

    accuracy: float
    macro_f1: float
    balanced_accuracy: float


@dataclass(frozen=True, kw_only=True)
class ConfidenceScores:
    """Expected calibration error in 15 bins, Brier score (0 to 2) and negative log likelihood; 0 is best."""

    ece: float
    brier: float
    nll: float


@dataclass(frozen=True, kw_only=True)
class SummaryScores(ConfidenceScores, AnswerScores):
    """Every score that probabilities allow."""

    top_2_accuracy: float


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Rows of `counts` are true labels, columns answers; the last column counts samples without an answer."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def matrix(self) -> NDArray[np.int64]:
        """The counts, (labels, labels + 1) int64."""
        return np.array(self.counts, np.int64)


@dataclass(frozen=True, kw_only=True)
class LabelScores:
    """Scores of one label, or a mean over all; `support` counts its samples."""

    precision: float
    recall: float
    f1: float
    support: float


@dataclass(frozen=True, kw_only=True)
class ConfusedPair:
    """How often a label is answered as another: `share` is of the samples with the true label."""

    true: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True, kw_only=True)
class CopyFreeScores:
    """Scores without samples that equal a training sample or an earlier one; None where no sample is left."""

    samples: int
    equal_to_training: int
    repeated: int
    accuracy: float | None = None
    macro_f1: float | None = None
    balanced_accuracy: float | None = None
    accuracy_95: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class CalibrationScores:
    """Either `as_given`, or the temperature and the scores before and after it."""

    as_given: ConfidenceScores | None = None
    temperature: float | None = None
    temperature_from: str | None = None
    before: ConfidenceScores | None = None
    after: ConfidenceScores | None = None

    @property
    def last(self) -> ConfidenceScores:
        """Of the probabilities that are used."""
        used = self.after or self.as_given
        assert used is not None, "one of both is measured"  # noqa: S101
        return used


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """By label, and `macro` for the mean: each label against the rest; None where only one label has samples."""

    roc_auc: Mapping[str, float] | None = None
    average_precision: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class RiskScores:
    """Answering only when sure.

    Args:
        area: under the risk-coverage curve.
        coverage_at_accuracy: largest share that may be answered with `WANTED_ACCURACY`; None when no share may.
        threshold: of the model; the next two are at it.
        coverage: share that is answered.
        accuracy: of these answers; None when there are none.
    """

    area: float
    coverage_at_accuracy: float | None
    threshold: float | None = None
    coverage: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class GradeShare:
    """Answers of a grade or a better one.

    Args:
        threshold: lowest confidence of the grade.
        coverage: share of all answers.
        accuracy: share of these that are right; None when there are none.
        acceptable: share of these that people would accept; None when there are none or no votes.
    """

    threshold: float
    coverage: float
    accuracy: float | None = None
    acceptable: float | None = None


@dataclass(frozen=True, kw_only=True)
class GradeScores:
    """What the grades of a model are worth: of its sure answers, and of those that are sure or perhaps right.

    `acceptable` is the share of all answers that people would accept; None without votes. `perhaps` is None for a model
    without that grade.
    """

    sure: GradeShare
    perhaps: GradeShare | None = None
    acceptable: float | None = None


@dataclass(frozen=True, kw_only=True)
class VoteScores(AnswerScores):
    """Scores against the label most raters chose."""

    samples: int
    accuracy_95: Interval
    labels_agree_with_votes: float


@dataclass(frozen=True, kw_only=True)
class GroupScores:
    """Of the samples of one person, clip or the like."""

    samples: int
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Measures(AnswerScores):
    """Everything measured on answers to a split; what they do not allow is None.

    Args:
        intervals_95: bootstrap intervals by the name of the score.
        most_frequent_label: accuracy of always answering it.
        report: by label, then the means.
        most_confused: the commonest errors by pair.
        never_predicted: labels that occur but are never answered.
        accuracy_with_left_out: samples that were left out counted as wrong.
        views: by name, scores of the mean over several views of each sample.
        ferplus: against raters' votes.
        grades: of the model's answers.
        groups: by name.
    """

    samples: int
    intervals_95: Mapping[str, Interval]
    most_frequent_label: float
    confusion: Confusion
    report: Mapping[str, LabelScores]
    most_confused: tuple[ConfusedPair, ...]
    never_predicted: tuple[str, ...]
    without_copies: CopyFreeScores
    accuracy_with_left_out: float | None = None
    top_2_accuracy: float | None = None
    calibration: CalibrationScores | None = None
    ranking: Ranking | None = None
    risk_coverage: RiskScores | None = None
    views: Mapping[str, SummaryScores] | None = None
    ferplus: VoteScores | None = None
    grades: GradeScores | None = None
    groups: Mapping[str, GroupScores] | None = None


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """The data of an evaluation: `counts` are of its split, by label."""

    source: str
    fingerprint: str
    split: str
    samples: int
    left_out: int
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class EvaluationFacts:
    """How an evaluation was made; `seconds` is what it took."""

    data: DataFacts
    protocol: str
    command: str
    seed: int
    versions: Mapping[str, str]
    machine: str
    time: str
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class SavedSubject:
    """Who answered, as metrics.json keeps it."""

    kind: str
    name: str
    parameters: int | None = None


@dataclass(frozen=True, kw_only=True)
class SavedData:
    source: str
    split: str


@dataclass(frozen=True, kw_only=True)
class SavedCopyFree:
    samples: int
    accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class SavedMeasures:
    """The measures that a comparison shows."""

    samples: int
    accuracy: float
    without_copies: SavedCopyFree


@dataclass(frozen=True, kw_only=True)
class SavedRun:
    """The run that answered, as it saved itself; empty for others."""

    recipe: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    curves: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class SavedEvaluation:
    """What a comparison needs of a metrics.json, of this version or an earlier one."""

    subject: SavedSubject
    data: SavedData
    protocol: str
    command: str
    machine: str
    figures: SavedMeasures
    run: SavedRun


@dataclass(frozen=True, kw_only=True)
class MeasuredEvaluation:
    """What a manifest needs of a metrics.json."""

    data: SavedData
    command: str
    figures: Measures


def rounded(value: Any) -> Any:
    """Plain data with its numbers rounded to six decimal places, as in metrics.json."""
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value


def plain(value: Any) -> Any:
    """Dataclasses, mappings and tuples as dictionaries and lists with the keys of metrics.json."""
    if is_dataclass(value):
        kept = {each.name: getattr(value, each.name) for each in fields(value)}
        absent = {each.name for each in fields(value) if each.default is None and kept[each.name] is None}
        if isinstance(value, RiskScores) and value.threshold is not None:
            absent.discard("accuracy")  # no answer is that sure: null, which differs from no threshold
        return {_KEYS.get(name, name): plain(each) for name, each in kept.items() if name not in absent}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


def saved_evaluation(data: Mapping[str, Any], path: object) -> SavedEvaluation:
    """The contents of a metrics.json; InputError when it is none of this version."""
    return _read(SavedEvaluation, data, path)


def measured_evaluation(data: Mapping[str, Any], path: object) -> MeasuredEvaluation:
    """The contents of a metrics.json with all measures; InputError when it is none of this version."""
    return _read(MeasuredEvaluation, data, path)


def _read(cls: type[T], data: Mapping[str, Any], path: object) -> T:
    def wrong(sentence: object) -> InputError:
        return InputError(f"{path} is not an evaluation of this version: {sentence}; evaluate again")

    names = {key: name for name, key in _KEYS.items()}
    try:
        return checked(cls, _renamed(data, names), whole="metrics", noun="key", wrong=wrong, others=True)
    except UnknownName as exc:
        raise wrong(exc) from exc


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(each, names) for key, each in value.items()}
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value
