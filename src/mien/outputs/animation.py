"""Annotated videos as animated pictures: GIF, which works everywhere, and WebP, which is smaller and keeps colours."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.files import PartFile, output_error
from mien.pixels.images import quiet_opencv
from mien.resource import ResultWriter

_log = logging.getLogger(__name__)

ANIMATIONS = (".gif", ".webp")

MOST_BYTES = 512 * 2**20
"""OpenCV takes all frames at once; at most this many bytes of them are kept."""

_MOST_FPS = 50
"""Browsers play a GIF with shorter frames at 10 frames per second."""


class AnimationWriter(ResultWriter):
    """An animated picture that frames are added to; it is written when closed, and plays in a loop.

    Args:
        path: ends in .gif or .webp.
        fps: frames per second, above 0; above 50, some frames are left out.
        size_hw: height and width of the frames in pixels.

    Raises:
        OutputError: the folder cannot be written. From `write` and `close` too: too many frames, or a full disk.
    """

    def __init__(self, path: str | Path, fps: float, size_hw: tuple[int, int]) -> None:
        self.size_hw = size_hw
        self._name = str(path)
        self._part: PartFile | None = PartFile(path, keep_suffix=True)
        self._step = max(1.0, fps / _MOST_FPS)
        self._duration_ms = round(1000 * self._step / fps)
        self._frames: list[NDArray[np.uint8]] = []
        self._came = 0

    def write(self, image_rgb: NDArray[np.uint8]) -> None:
        """Add a frame, (H, W, 3) uint8 RGB, of the animation's size."""
        if self._came >= len(self._frames) * self._step:
            if (len(self._frames) + 1) * image_rgb.nbytes > MOST_BYTES:
                raise OutputError(
                    f"{self._name} would have more frames than an animated picture can hold here "
                    f"({len(self._frames)}); write .mp4 or .webm."
                )
            self._frames.append(np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), np.uint8))
        self._came += 1

    def close(self) -> None:
        """Write the file and give it its name; may be called twice."""
        self._finish(failed=False)

    def fail(self) -> None:
        """Close after an error or interruption: what is finished gets its name, unless that would replace an earlier
        file; then it is called `.part`, and the log says so."""
        self._finish(failed=True)

    def _finish(self, *, failed: bool) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        if not self._frames:
            part.discard()
            return
        try:
            part.path.write_bytes(self._encoded())
            if failed and part.replaces:
                part.keep()
                _log.warning("%s stays as it was; what was finished is in %s", self._name, part.path)
            else:
                part.commit()
        except OSError as error:
            part.discard()
            raise output_error(self._name, error) from error
        except BaseException:
            part.discard()
            raise

    def _encoded(self) -> bytes:
        animation = cv2.Animation()
        animation.frames = self._frames
        animation.durations = [self._duration_ms] * len(self._frames)
        suffix = Path(self._name).suffix.lower()
        try:
            with quiet_opencv():
                done, data = cv2.imencodeanimation(suffix, animation)
        except cv2.error:
            done, data = False, np.empty(0, np.uint8)
        if not done:
            raise OutputError(f"Cannot write {self._name}: OpenCV cannot encode it; write .mp4 or .webm.")
        return data.tobytes()
