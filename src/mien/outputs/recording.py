"""A live run as a video file: a steady rate out of frames that come when they come."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

from mien.errors import OutputError
from mien.outputs.draw import draw_scene
from mien.outputs.video import CODECS, VideoWriter
from mien.scene import Scene

_MOST_REPEATS = 600

_log = logging.getLogger(__name__)


class Recording:
    """Writes annotated frames so that the file plays at the speed of the run: a frame is repeated while no other comes,
    and left out when several come within one.

    A disk that fills ends the recording, not the run: what was written stays readable, and `problem` says it.

    Args:
        path: ends in .mp4 or .webm; the file is made with the first frame.
        fps: frames a second of the file.

    Raises:
        OutputError: the suffix is another.
    """

    def __init__(self, path: str | Path, *, fps: float = 15.0) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in CODECS:
            raise OutputError(f"Videos are written as {' or '.join(CODECS)}, got {path}; choose one of these.")
        self.fps = fps
        self.problem = ""
        self._video: VideoWriter | None = None
        self._started_s = 0.0
        self._written = 0

    @property
    def running(self) -> bool:
        """Whether frames are still written."""
        return not self.problem

    def write(self, scene: Scene) -> None:
        """Add what was seen; needs the scene's picture."""
        if self.problem:
            return
        try:
            self._add(scene)
        except OutputError as error:
            self._stop(error)

    def close(self) -> None:
        """Finish the file; may be called twice."""
        video, self._video = self._video, None
        if video is None:
            return
        try:
            video.close()
        except OutputError as error:
            self._stop(error)

    def _add(self, scene: Scene) -> None:
        if self._video is None:
            self._video = VideoWriter(self.path, self.fps, scene.size_hw)
            self._started_s = scene.time_s
        # Clocks of files may jump; a gap is shown for a limited time, and never backwards.
        due = int((scene.time_s - self._started_s) * self.fps) + 1 - self._written
        due = min(max(due, 0), _MOST_REPEATS)
        if not due:
            return
        picture = draw_scene(scene).image_rgb
        height, width = self._video.size_hw
        if picture.shape[:2] != (height, width):
            picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        for _ in range(due):
            self._video.write(picture)
        self._written += due

    def _stop(self, error: OutputError) -> None:
        self.problem = f"{error} The recording has ended; all else goes on."
        _log.warning("%s", self.problem)
        video, self._video = self._video, None
        if video is not None:
            try:
                video.close()
            except OutputError as second:
                _log.warning("%s", second)
