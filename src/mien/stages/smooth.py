"""Steady answers from jittery ones: averages, thresholds with hysteresis, a minimum hold time, and events.

All times are those of the scenes, in seconds; the frame rate makes no difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from mien.labels import NOTHING, Task
from mien.scene import Event, Face, Hand, Prediction, Scene, UsedModel

T = TypeVar("T", Face, Hand)

_EPSILON_S = 1e-6  # time differences are not exact


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothSettings:
    """How steady the answers are. The defaults were chosen with benchmarks/smoothing.py.

    Args:
        average_s: time constant of the exponential average of the probabilities, in seconds: what was seen that long
            ago still counts 37 %. 0 takes each frame as it is.
        hold_s: how long, in seconds, the average must call for a label before the label replaces another on screen,
            and before an event reports it.
        lost_s: how long a track may be out of sight before its label ends, in seconds; as for the tracker.
        slack: how far the average may fall below the threshold before a label disappears, and by how much another label
            must lead to replace it, 0 to 1.
        emotion_threshold: lowest average probability at which an expression is shown; below it, it is uncertain.
        gesture_threshold: likewise for gestures.
        emotion_perhaps: lowest average probability at which an expression that is not shown is perhaps right; None if
            there is no such grade.
        gesture_perhaps: likewise for gestures.
    """

    average_s: float = 0.2
    hold_s: float = 0.2
    lost_s: float = 1.0
    slack: float = 0.2
    emotion_threshold: float = 0.5
    gesture_threshold: float = 0.7
    emotion_perhaps: float | None = None
    gesture_perhaps: float | None = None

    def __post_init__(self) -> None:
        for name in ("average_s", "hold_s", "lost_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be 0 or more seconds, got {getattr(self, name)}")
        for name in ("slack", "emotion_threshold", "gesture_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        for name in ("emotion_perhaps", "gesture_perhaps"):
            least, most = getattr(self, name), getattr(self, name.replace("perhaps", "threshold"))
            if least is not None and not 0 <= least <= most:
                raise ValueError(f"{name} must lie between 0 and the threshold of {most}, got {least}")

    def threshold(self, task: Task) -> float:
        """Lowest average probability at which a label of the task is shown."""
        return self.emotion_threshold if task == "emotion" else self.gesture_threshold

    def perhaps(self, task: Task) -> float | None:
        """Lowest average probability at which a label of the task that is not shown is perhaps right."""
        return self.emotion_perhaps if task == "emotion" else self.gesture_perhaps


@dataclass(slots=True)
class _Answer:
    """What one track says.

    `away_s` is how long it has been out of sight. `probabilities` is the average. `wanted` is the label that it calls
    for, None for none, and `since_s` since when; `shown` is the label on screen, `perhaps` the one that is perhaps
    right while none is, and `settled` whether one has held yet. `told` is the label of the last event, None after an
    end, and `started_s` the time of that event; `model` is what answers, for the record.
    """

    task: Task
    track: int
    born_s: float
    seen_s: float
    probabilities: Mapping[str, float]
    away_s: float = 0.0
    wanted: str | None = None
    since_s: float = 0.0
    shown: str | None = None
    perhaps: str | None = None
    settled: bool = False
    told: str | None = None
    started_s: float = 0.0
    model: UsedModel | None = None

    def move(self, seconds: float) -> None:
        """Follow a clock that was changed."""
        self.born_s += seconds
        self.seen_s += seconds
        self.since_s += seconds
        self.started_s += seconds

    def hear(self, scores: Mapping[str, float], time_s: float, average_s: float) -> None:
        """Average the scores of a frame with earlier ones, which fade with the time constant."""
        passed_s, age_s = time_s - self.seen_s, time_s - self.born_s
        self.seen_s = time_s
        share = 1.0
        if average_s > 0:
            # The first frame weighs no more than others: the correction of Kingma and Ba 2015, Adam, section 3.
            share = math.expm1(-passed_s / average_s) / min(math.expm1(-(age_s + passed_s) / average_s), -1e-12)
        if share == 1.0:
            self.probabilities = scores
            return
        mixed = {label: old + share * (scores[label] - old) for label, old in self.probabilities.items()}
        self.probabilities = {label: min(max(score, 0.0), 1.0) for label, score in mixed.items()}

    def choose(self, threshold: float, slack: float, previous: str | None) -> str | None:
        """The label that the average calls for; the previous one for as long as possible."""
        best = max(self.probabilities, key=lambda label: self.probabilities[label])
        if previous is not None:
            held = self.probabilities[previous]
            overtaken = self.probabilities[best] >= threshold and self.probabilities[best] - held >= slack
            if held >= threshold - slack and not (overtaken and best != previous):
                return previous
        return best if self.probabilities[best] >= threshold else None

    def tell(self, label: str | None, time_s: float) -> tuple[Event, ...]:
        """The event that announces `label`; none if it has been announced."""
        if label == self.told:
            return ()
        kind: Literal["start", "change", "end"] = "start" if self.told is None else "end" if label is None else "change"
        lasted_s = 0.0 if self.told is None else time_s - self.started_s
        named = label or self.told or ""
        self.told, self.started_s = label, time_s
        return (
            Event(
                kind=kind,
                task=self.task,
                track=self.track,
                label=named,
                time_s=time_s,
                duration_s=lasted_s,
                model=self.model,
            ),
        )

    def prediction(self, *, baseline: bool) -> Prediction:
        label = self.shown or self.perhaps or max(self.probabilities, key=lambda label: self.probabilities[label])
        return Prediction(
            label=label,
            confidence=self.probabilities[label],
            uncertain=self.shown is None,
            perhaps=self.shown is None and self.perhaps is not None,
            baseline=baseline,
            probabilities=self.probabilities,
        )


class Smoother:
    """Smooths the predictions of one source, and reports what starts, changes and ends.

    The probabilities of every track and task are averaged over time. The average calls for a label that reaches the
    threshold, and keeps calling for it until it falls below the threshold by `slack`, or until another label reaches
    the threshold and leads by `slack`. A new track shows what its average calls for; once that has held for `hold_s`,
    another label must be called for just as long to replace it. While no label is shown, the prediction has the most
    probable label and is uncertain; it is perhaps right from the average of that grade on, until that falls below it by
    a quarter of `slack`.

    Events report labels held for `hold_s`, but not `none` or uncertain ones. Time out of sight does not count, and
    after more than `hold_s` of it a label that was not reported yet has to be held anew. An event has the time of the
    frame that caused it; an end by loss has that of the frame in which the track was last seen, up to `lost_s` earlier.
    The duration is the time since the previous event, so that durations of a track add up.

    A step back in time by up to `lost_s` counts as no time; a larger one, as in a clip that starts over, ends
    everything.

    Args:
        settings: how steady.
    """

    def __init__(self, settings: SmoothSettings | None = None) -> None:
        self.settings = settings or SmoothSettings()
        self._answers: dict[tuple[Task, int], _Answer] = {}
        self._time_s = -math.inf
        self._asked: Mapping[str, UsedModel] = {}
        self._models: Mapping[str, UsedModel] = {}

    def update(self, scene: Scene) -> tuple[Scene, tuple[Event, ...]]:
        """The scene with smoothed predictions, and the events that it caused.

        Faces and hands without a track or without a prediction are unchanged.
        """
        passed_s = max(0.0, scene.time_s - self._time_s)
        events = [*self._move_to(scene.time_s), *self._end_lost(scene.time_s)]
        if scene.models is not self._asked:
            self._asked, self._models = scene.models, self._as_used(scene.models)
        faces = tuple(self._smoothed("emotion", face, scene.time_s, events) for face in scene.faces)
        hands = tuple(self._smoothed("gesture", hand, scene.time_s, events) for hand in scene.hands)
        for answer in self._answers.values():
            if answer.seen_s < scene.time_s:
                answer.since_s += passed_s  # what it would say is unknown while it is out of sight
                answer.away_s += passed_s
        return replace(scene, faces=faces, hands=hands, models=self._models), tuple(events)

    def finish(self) -> tuple[Event, ...]:
        """The ends of all labels that still hold when the source ends; another source comes next."""
        events = tuple(event for answer in self._answers.values() for event in answer.tell(None, answer.seen_s))
        self._answers.clear()
        self._time_s = -math.inf
        return events

    def _as_used(self, models: Mapping[str, UsedModel]) -> Mapping[str, UsedModel]:
        """The models with the thresholds that decide here."""
        least = {"emotion": self.settings.emotion_threshold, "gesture": self.settings.gesture_threshold}
        return {task: replace(model, threshold=least.get(task, model.threshold)) for task, model in models.items()}

    def _move_to(self, time_s: float) -> Sequence[Event]:
        """Keep up with the clock of the scenes, also where it steps back."""
        back_s = self._time_s - time_s
        events = self.finish() if back_s > self.settings.lost_s else ()
        if back_s > 0:
            for answer in self._answers.values():
                answer.move(-back_s)
        self._time_s = time_s
        return events

    def _end_lost(self, time_s: float) -> Sequence[Event]:
        lost = [key for key, answer in self._answers.items() if time_s - answer.seen_s > self.settings.lost_s]
        answers = [self._answers.pop(key) for key in lost]
        return [event for answer in answers for event in answer.tell(None, answer.seen_s)]

    def _smoothed(self, task: Task, item: T, time_s: float, events: list[Event]) -> T:
        if item.track is None or item.prediction is None:
            return item
        answer = self._answers.get((task, item.track))
        if answer is not None and answer.probabilities.keys() != item.prediction.probabilities.keys():
            events.extend(answer.tell(None, answer.seen_s))  # another model: nothing to average with
            answer = None
        if answer is None:
            answer = _Answer(task, item.track, time_s, time_s, item.prediction.probabilities, since_s=time_s)
            self._answers[task, item.track] = answer
        answer.model = self._models.get(task)
        answer.hear(item.prediction.probabilities, time_s, self.settings.average_s)
        wanted = answer.choose(self.settings.threshold(task), self.settings.slack, answer.wanted)
        least, near = self.settings.perhaps(task), self.settings.slack / 4
        answer.perhaps = None if least is None else answer.choose(least, near, answer.perhaps)
        # A hand that passes by twice does not hold its gesture for the sum of both times.
        is_back = answer.away_s > self.settings.hold_s + _EPSILON_S and wanted != answer.told
        answer.away_s = 0.0
        if wanted != answer.wanted or is_back:
            answer.wanted, answer.since_s = wanted, time_s
        held = time_s - answer.since_s >= self.settings.hold_s - _EPSILON_S
        if held:
            answer.settled = True
            events.extend(answer.tell(None if wanted == NOTHING else wanted, time_s))
        if held or not answer.settled:
            answer.shown = wanted
        return replace(item, prediction=answer.prediction(baseline=item.prediction.baseline))
