"""A live run as a video file: a constant frame rate from frames that arrive at any time."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.outputs.draw import draw_scene
from mien.outputs.video import CODECS, VideoWriter
from mien.scene import Scene

RATE_FPS = 15.0
"""Default frames per second of a recording."""

LONGEST_GAP_S = 120.0
"""A gap is shown for as long as it lasted, but no longer than this."""

_log = logging.getLogger(__name__)


class Recording:
    """Writes annotated frames so that the file plays at the speed of the run.

    At each time it shows the picture that was newest then, and nothing early. A frame is held until the next one
    arrives, even over a gap of up to `LONGEST_GAP_S`, and left out if another arrives within the same frame of the
    file.

    A full disk ends the recording but not the run: what was written stays readable, and `problem` says what happened.

    Args:
        path: ends in .mp4 or .webm; the file is created with the first frame.
        fps: frames per second of the file.

    Raises:
        OutputError: the suffix is not one of these.
        ValueError: the rate is not above 0 and at most 1000.
    """

    def __init__(self, path: str | Path, *, fps: float = RATE_FPS) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in CODECS:
            raise OutputError(f"A video must be written as {' or '.join(CODECS)}, got {path}.")
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise ValueError(f"a video must have more than 0 and at most 1000 frames per second, got {fps}")
        self.fps = fps
        self.problem = ""
        self._video: VideoWriter | None = None
        self._newest: Scene | None = None
        self._picture: NDArray[np.uint8] | None = None  # the newest scene as it is written, once it is
        self._time_s = 0.0  # of the newest scene, in the file
        self._written = 0
        self._codec = ""

    @property
    def advice(self) -> str:
        """What to know about the file before sharing it; empty if there is nothing."""
        if self._codec != "mp4v":
            return ""
        return "Browsers may not play it (MPEG-4 part 2); desktop players do. A .webm plays in both."

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
        if self._video is None:
            return
        try:
            self._hold(math.floor(round(self._time_s * self.fps, 6)) + 1 - self._written)
            video, self._video = self._video, None
            if video is not None:
                video.close()
        except OutputError as error:
            self._stop(error)

    def _add(self, scene: Scene) -> None:
        if self._video is None or self._newest is None:
            self._video = VideoWriter(self.path, self.fps, scene.size_hw)
            self._codec = self._video.codec
        else:
            # The times in files may jump; nothing is shown backwards, and gaps are limited.
            self._time_s += min(max(scene.time_s - self._newest.time_s, 0.0), LONGEST_GAP_S)
            self._hold(math.ceil(round(self._time_s * self.fps, 6)) - self._written)
        self._newest, self._picture = scene, None

    def _hold(self, frames: int) -> None:
        """Write the newest picture this many times; it is drawn only if it gets into the file at all."""
        if frames <= 0 or self._newest is None or self._video is None:
            return
        if self._picture is None:
            self._picture = self._drawn(self._newest, self._video.size_hw)
        self._video.hold(self._picture, frames)
        self._written += frames

    def _drawn(self, scene: Scene, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        picture = draw_scene(scene).image_rgb
        if picture.shape[:2] == size_hw:
            return picture
        return np.asarray(cv2.resize(picture, size_hw[::-1], interpolation=cv2.INTER_AREA), np.uint8)

    def _stop(self, error: OutputError) -> None:
        self.problem = f"{error} The recording has ended; everything else continues."
        _log.warning("%s", self.problem)
        video, self._video = self._video, None
        if video is not None:
            try:
                video.close()
            except OutputError as second:
                _log.warning("%s", second)
