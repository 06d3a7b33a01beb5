"""What follows from a scene: steady labels and boxes, events, and now and then a sentence with its caption."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mien.pipeline import Analyzer, FrameSequence
from mien.scene import Detection, Event, Scene
from mien.stages.one_euro import OneEuroSmoother
from mien.stages.smooth import Smoother, SmoothSettings
from mien.voice.responder import Responder
from mien.voice.responses import Sentence

_CAPTION_S = 6.0
_CAPTION_GAP_S = 0.5
"""A caption disappears once nobody has shown its label for this long; losing a face for a frame or two keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What follows from one scene.

    Args:
        scene: with smoothed labels; boxes and landmarks as detected, for records.
        steady: the same with steadied boxes and landmarks, for display.
        events: what started, changed and ended, oldest first.
        sentence: what to say now; None for nothing.
    """

    scene: Scene
    steady: Scene
    events: tuple[Event, ...]
    sentence: Sentence | None


class Reactions:
    """Follows one source scene by scene.

    Args:
        smoother: steadies labels and turns them into events.
        responder: chooses the sentences; without it nothing is said.
    """

    def __init__(self, smoother: Smoother, responder: Responder | None = None) -> None:
        self._smoother, self._responder = smoother, responder
        self._steadier = OneEuroSmoother()
        self._source: str | None = None
        self._answer: Sentence | None = None  # what the caption says
        self._caption_s = self._label_s = 0.0

    def take(self, scene: Scene) -> Reaction:
        """What follows from the next scene. In a folder each file stands alone, so labels end with their file."""
        ended: tuple[Event, ...] = ()
        if self._source != scene.source:
            self._source = scene.source
            self._steadier = OneEuroSmoother()
            ended = self._smoother.finish()
        scene, changes = self._smoother.update(scene)
        # Jittery boxes are steadied for display; what is recorded as data stays as detected.
        steady = self._steadier.update(scene)
        events = (*ended, *changes)
        sentence = None if self._responder is None else self._responder.offer(events, scene)
        if sentence is not None:
            self._answer, self._caption_s, self._label_s = sentence, time.monotonic(), scene.time_s
        self._check_caption(scene)
        return Reaction(scene=scene, steady=steady, events=events, sentence=sentence)

    def finish(self) -> tuple[Event, ...]:
        """The ends of all labels that still hold."""
        return self._smoother.finish()

    @property
    def caption(self) -> str:
        """The last sentence while it is fresh and true; empty for none."""
        captioned = self._answer is not None and time.monotonic() - self._caption_s < _CAPTION_S
        return self._answer.text if self._answer is not None and captioned else ""

    def _check_caption(self, scene: Scene) -> None:
        """A caption disappears with its label: with another face, or none, it would be wrong."""
        answer = self._answer
        if answer is None:
            return
        seen: Sequence[Detection] = scene.faces if answer.task == "emotion" else scene.hands
        if any(one.label == answer.label and not one.uncertain for one in seen):
            self._label_s = scene.time_s
        elif not 0 <= scene.time_s - self._label_s < _CAPTION_GAP_S:
            self._answer = None


def smooth_settings(analyzer: Analyzer | FrameSequence) -> SmoothSettings:
    """The grades of both tasks, so that a task switched on later shows what is uncertain too."""
    sure: dict[str, float] = {f"{task}_threshold": least for task, least in analyzer.thresholds.items()}
    perhaps: dict[str, float | None] = {f"{task}_perhaps": least for task, least in analyzer.perhaps.items()}
    return SmoothSettings(**sure, **perhaps)  # type: ignore[arg-type]
