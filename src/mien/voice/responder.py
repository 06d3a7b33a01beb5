"""When a sentence is said, and which one: on stable changes, in rotation, never too often."""

from __future__ import annotations

from collections.abc import Sequence

from mien.labels import Task
from mien.scene import Detection, Event, Scene
from mien.voice.responses import Responses, Sentence, placeholders, prompt_for


class Responder:
    """Chooses what to say about changes in a scene. It has no clock of its own but uses `Scene.time_s`.

    A label that starts or takes over is answered once the cooldowns allow. Until then it waits for as long as its track
    shows it, and a newer label of the same task replaces it. If both tasks are waiting, the priority decides.

    Args:
        responses: the sentences and cooldowns.
    """

    def __init__(self, responses: Responses) -> None:
        self._responses = responses
        self._now_s = 0.0
        self._said_s: float | None = None
        self._label_said_s: dict[tuple[Task, str], float] = {}
        self._turns: dict[tuple[Task, str], list[str]] = {}
        self._waiting: dict[Task, Event] = {}

    def offer(self, events: Sequence[Event], scene: Scene) -> Sentence | None:
        """What to say now, if anything; call it for every scene, with the events of that scene.

        Args:
            events: changes since the last call, oldest first.
            scene: the scene now; `{count}` and `{confidence}` are read from it.
        """
        self._set_time(scene.time_s)
        for event in events:
            self._note(event)
        rules = self._responses
        if self._said_s is not None and self._now_s - self._said_s < rules.cooldown_s:
            return None
        for task in rules.priority:
            waiting = self._waiting.get(task)
            if waiting is None or not self._is_due(task, waiting.label):
                continue
            del self._waiting[task]
            sentence = self._sentence(waiting, scene)
            if sentence is not None:
                self._said_s = self._label_said_s[task, waiting.label] = self._now_s
                return sentence
        return None

    def _set_time(self, time_s: float) -> None:
        """Advance to a time; if it went back (a looped file, a corrected clock), elapsed time stays elapsed."""
        back_s = self._now_s - time_s
        if back_s > 0:
            self._said_s = None if self._said_s is None else self._said_s - back_s
            self._label_said_s = {key: said_s - back_s for key, said_s in self._label_said_s.items()}
        self._now_s = time_s

    def _note(self, event: Event) -> None:
        waiting = self._waiting.get(event.task)
        if waiting is not None and waiting.track == event.track:
            del self._waiting[event.task]
        if event.kind != "end" and self._responses.answers(event.task, event.label):
            self._waiting[event.task] = event

    def _is_due(self, task: Task, label: str) -> bool:
        said_s = self._label_said_s.get((task, label))
        return said_s is None or self._now_s - said_s >= self._responses.label_cooldown_s

    def _sentence(self, event: Event, scene: Scene) -> Sentence | None:
        seen: Sequence[Detection] = scene.faces if event.task == "emotion" else scene.hands
        count = max(1, sum(one.label == event.label and not one.uncertain for one in seen))
        confidence = _confidence(event, seen)
        chosen = self._next(event, count, confidence)
        if chosen is None:
            return None
        text = self._responses.text(chosen, label=event.label, confidence=confidence, count=count)
        return Sentence(
            text,
            event.label,
            event.task,
            scene.time_s,
            None if self._responses.voice else prompt_for(event.label, text),
        )

    def _next(self, event: Event, count: int, confidence: float | None) -> str | None:
        """The next sentence in rotation: of those that fit, the one not said for longest, never the last one."""
        turns = self._turns.setdefault(
            (event.task, event.label), list(self._responses.answers(event.task, event.label))
        )
        last = turns[-1] if (event.task, event.label) in self._label_said_s else None
        usable = [one for one in turns if confidence is not None or "confidence" not in placeholders(one)]
        fitting = [one for one in usable if ("count" in placeholders(one)) == (count > 1)]
        others = [one for one in usable if count > 1 or not fitting]
        fresh = [one for one in (*fitting, *others) if one != last]
        chosen = next(iter(fresh or fitting or others), None)
        if chosen is not None:
            turns.remove(chosen)
            turns.append(chosen)
        return chosen


def _confidence(event: Event, seen: Sequence[Detection]) -> float | None:
    """The confidence of the label: on its own track, otherwise the highest in view; None without a prediction."""
    own = [
        one.probabilities[event.label] for one in seen if one.track == event.track and event.label in one.probabilities
    ]
    return max(
        own or [one.probabilities[event.label] for one in seen if event.label in one.probabilities], default=None
    )
