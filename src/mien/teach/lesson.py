"""A lesson before a camera: a countdown, then examples until there are enough or the time is up.

It knows no window and no terminal: for each picture it says what to tell the user.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mien.errors import InputError
from mien.scene import Scene
from mien.teach.examples import Examples
from mien.teach.takes import ENOUGH, FEWEST, Take
from mien.words import say

COUNTDOWN_S = 3.0
SECONDS = 20.0
"""How long a camera is watched at most, after the countdown."""

_LONGEST_LOST_S = 1.0
_STILL_S = 2.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What the user should see now.

    Args:
        caption: what to do, one sentence.
        examples: different examples so far.
        share: of what is needed, 0 to 1.
        advice: the part of the caption that says what to do otherwise; empty if all is well.
        done: whether the lesson is over.
    """

    caption: str
    examples: int
    share: float
    advice: str = ""
    done: bool = False


class Lesson:
    """Collects a take from a camera, picture by picture.

    Args:
        label: the gesture that is shown.
        seconds: how long to watch at most, after the countdown.
        enough: different examples after which it is over.
    """

    def __init__(self, label: str, *, seconds: float = SECONDS, enough: int = ENOUGH) -> None:
        self.label = label
        self._seconds, self._enough = seconds, enough
        self._examples = Examples()
        self._began_s: float | None = None
        self._seen_s = self._new_s = -math.inf

    def step(self, scene: Scene) -> Progress:
        """Take the next picture: its largest hand is an example once the countdown is over."""
        now = scene.time_s
        if self._began_s is None:
            self._began_s = now
        since = now - self._began_s - COUNTDOWN_S
        if since < 0:
            self._seen_s = self._new_s = now
            return Progress(say("teach.ready", label=self.label, n=math.ceil(-since)), 0, 0.0)
        if self._examples.add(scene.hands):
            self._new_s = now
        if scene.hands:
            self._seen_s = now
        found = len(self._examples.different)
        done = found >= self._enough or since >= self._seconds
        advice = "" if done else self._advice(scene)
        return Progress(self._caption(found, advice, done=done), found, min(found / self._enough, 1.0), advice, done)

    @property
    def began(self) -> bool:
        """Whether the countdown is over."""
        return self._examples.frames > 0

    def take(self) -> Take:
        """What was collected.

        Raises:
            InputError: no hand was seen, or too little.
        """
        if not self._examples.frames:
            raise InputError("The camera gave no picture after the countdown; nothing was learned.")
        return self._examples.take(self.label, "camera", "the camera")

    def _advice(self, scene: Scene) -> str:
        now = scene.time_s
        if now - self._seen_s > _LONGEST_LOST_S:
            return say("teach.lost", label=self.label)
        if len(scene.hands) > 1:
            return say("teach.one_hand")
        return say("teach.still") if now - self._new_s > _STILL_S else ""

    def _caption(self, found: int, advice: str, *, done: bool) -> str:
        if done:
            return say("teach.enough" if found >= FEWEST else "teach.over", n=found)
        return say("teach.examples", label=self.label, n=found, enough=self._enough, advice=advice or say("teach.move"))
