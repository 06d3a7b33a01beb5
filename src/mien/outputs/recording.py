"""A live run as a video file that plays at the speed of the run."""

from __future__ import annotations

import logging
import math
from pathlib import Path

from mien.errors import OutputError
from mien.outputs.background import Worker, close_begun
from mien.outputs.draw import draw_scene
from mien.outputs.encoders import SUFFIXES
from mien.outputs.video import VideoWriter
from mien.scene import Scene
from mien.words import say, words

RATE_FPS = 15.0
"""Default of the most frames per second of a recording."""

LONGEST_GAP_S = 120.0
"""A gap is shown for as long as it lasted, but no longer than this."""

_EARLY = 0.3
"""Share of the time between two frames by which one may come early: cameras are not exact."""
_ROOM = 4

_log = logging.getLogger(__name__)


class Recording:
    """Writes annotated frames at the times at which they came, drawn and encoded on a thread of its own.

    Each picture is shown until the next one, even over a gap of up to `LONGEST_GAP_S`, and nothing early. Of frames
    that follow each other faster than the rate allows, some are left out.

    A full disk ends the recording but not the run: what was written stays readable, and `problem` says what happened.

    Args:
        path: ends in one of `encoders.SUFFIXES`; the file is created with the first frame.
        fps: frames per second at most.
        waits: whether `write` waits while the encoder is behind; otherwise a frame that comes meanwhile is left out.
        text_scale: of the size of labels.

    Raises:
        OutputError: the suffix is not one of these.
        ValueError: the rate is not above 0 and at most 1000.
    """

    def __init__(self, path: str | Path, *, fps: float = RATE_FPS, waits: bool = True, text_scale: float = 1.0) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in SUFFIXES:
            raise OutputError(f"A video must be written as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {path}.")
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise ValueError(f"a video must have more than 0 and at most 1000 frames per second, got {fps}")
        self.fps = fps
        self.problem = ""
        self._waits, self._text_scale = waits, text_scale
        self._video: VideoWriter | None = None
        self._worker: Worker[tuple[Scene, float]] | None = None
        self._newest_s = 0.0  # the last scene's own time
        self._time_s = 0.0  # and that in the file
        self._due_s = 0.0  # when the next frame may come
        self._left: Scene | None = None  # the newest scene, while it is not in the file
        self._given = self._missed = 0
        self._advice = ""

    @property
    def advice(self) -> str:
        """What to know about the file before sharing it; empty if there is nothing."""
        if not self._missed:
            return self._advice
        missed = say("recording.missed", missed=self._missed, n=self._given + self._missed)
        return words().join("sentences", [*filter(None, [self._advice]), missed])

    @property
    def running(self) -> bool:
        """Whether frames are still written."""
        return not self.problem

    def write(self, scene: Scene) -> None:
        """Add a scene, which must have its picture."""
        if self.problem:
            return
        try:
            self._add(scene)
        except OutputError as error:
            self._stop(error)

    def close(self) -> None:
        """Finish the file; may be called twice."""
        try:
            close_begun(self._worker)
            video, self._video = self._video, None
            if video is not None:
                video.close()
        except OutputError as error:
            self._stop(error)

    def _add(self, scene: Scene) -> None:
        if self._video is None:
            self._video = VideoWriter(self.path, self.fps, scene.size_hw, last_s=1 / self.fps)
            self._advice = self._video.advice
            self._worker = Worker(self._write, room=_ROOM, name=f"record {self.path.name}")
        else:
            # The times in files may jump; nothing is shown backwards, and gaps are limited.
            self._time_s += min(max(scene.time_s - self._newest_s, 0.0), LONGEST_GAP_S)
        self._newest_s = scene.time_s
        step_s = 1 / self.fps
        if self._left is not None and self._time_s - self._due_s > step_s:  # it was the newest while no other came
            self._give(self._left, self._due_s)
            self._due_s += step_s
        if self._time_s < self._due_s - _EARLY * step_s:
            self._left = scene
            return
        self._give(scene, self._time_s)
        self._due_s = max(self._due_s, self._time_s - _EARLY * step_s) + step_s

    def _give(self, scene: Scene, time_s: float) -> None:
        self._left = None
        if self._worker is None:
            return
        if self._waits:
            self._worker.put((scene, time_s))
        elif not self._worker.offer((scene, time_s)):
            self._left = scene
            self._missed += 1
            return
        self._given += 1

    def _write(self, piece: tuple[Scene, float]) -> None:
        scene, time_s = piece
        if self._video is not None:
            self._video.write(draw_scene(scene, text_scale=self._text_scale).image_rgb, time_s)

    def _stop(self, error: OutputError) -> None:
        self.problem = say("recording.ended", problem=error)
        _log.warning("%s", self.problem)
        video, self._video = self._video, None
        try:
            close_begun(self._worker)
            if video is not None:
                video.close()
        except OutputError as second:
            _log.warning("%s", second)
