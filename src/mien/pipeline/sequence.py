"""The frames of one more source, with the models of an `Analyzer`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mien.labels import Task
from mien.pipeline.options import Options, check_tasks
from mien.pipeline.tracks import Tracks
from mien.scene import Frame, Scene

if TYPE_CHECKING:
    from mien.pipeline.analyzer import Analyzer


class FrameSequence:
    """Looks at the frames of one source, one by one, with the models of an `Analyzer` and tracks and tasks of its own.

    Any number of sequences share one Analyzer, each used by one thread at a time.

    Args:
        analyzer: has the models; not closed.
        tasks: what to look for.
    """

    def __init__(self, analyzer: Analyzer, tasks: Sequence[str]) -> None:
        self._analyzer = analyzer
        self.tasks = tasks
        self._tracks = Tracks()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is looked for in the next frame."""
        return self._tasks

    @tasks.setter
    def tasks(self, tasks: Sequence[str]) -> None:
        self._tasks = check_tasks(tasks)

    @property
    def thresholds(self) -> dict[Task, float]:
        """As of the Analyzer."""
        return self._analyzer.thresholds

    @property
    def perhaps(self) -> dict[Task, float | None]:
        """As of the Analyzer."""
        return self._analyzer.perhaps

    @property
    def options(self) -> Options:
        """As of the Analyzer."""
        return self._analyzer.options

    @property
    def learns_baselines(self) -> bool:
        """Whether neutral faces are learned here, or by the Analyzer."""
        return self._tracks.baseline_s is not None or self._analyzer.learns_baselines

    def learn_baselines(self, seconds: float) -> None:
        """As of the Analyzer, for the faces of this sequence alone."""
        self._analyzer._check_learning(seconds)
        self._tracks.baseline_s, self._tracks.baselines = seconds, None

    def restart(self) -> None:
        """Forget all tracks, because another source comes next."""
        self._tracks = Tracks(baseline_s=self._tracks.baseline_s)

    def step(self, frame: Frame) -> Scene:
        """What is in one frame; faces and hands keep their track numbers from one `restart` to the next."""
        return self._analyzer._see(frame, self._tracks, self._tasks)

    def memory(self, at_s: float) -> dict[str, Any]:
        """What of the frames so far decides what is found in those from a time on, as JSON; track numbers aside.

        Two sequences whose memories are equal find the same from then on, however early each began.
        """
        return self._tracks.memory(at_s)

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Begin where the sequence that gave this memory is."""
        self._tracks = Tracks(baseline_s=self._tracks.baseline_s)
        self._tracks.face_time_s = memory.get("face_time_s", -math.inf)
        self._tracks.depth.recall(memory.get("depth", {}))
        self._analyzer._recall(memory, self._tracks)
