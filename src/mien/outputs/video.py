"""Annotated videos out: MP4 for everything, WebM where it has to play in a browser.

The choice depends on what the OpenCV wheels can encode. MP4: H.264 (`avc1`), which every browser plays, if this build
of OpenCV has an encoder; the Linux wheels have none, so there it is MPEG-4 part 2 (`mp4v`), which desktop players play
and browsers do not. WebM: VP8, which browsers play, at about a tenth of the speed. VP9 would be available too, but is
five times slower still.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.files import PartFile, is_stream, output_error
from mien.outputs.held_frames import KEY_EVERY, Hold, hold_frames
from mien.pixels.images import quiet_opencv, quiet_stderr
from mien.resource import ResultWriter
from mien.sources.containers import is_whole

_log = logging.getLogger(__name__)

CODECS = {".mp4": ("avc1", "mp4v"), ".webm": ("VP80",)}
"""Codecs to try for each suffix, best first."""

FREE_BYTES = 8 * 2**20
"""Disk space to keep free: the index of a video is written last, and without it nothing can be read."""

_LOOK_EVERY = 16


class VideoWriter(ResultWriter):
    """A video file that frames are added to; sound is not written.

    It is called `<name>.part<suffix>` until it is closed, even if the run is interrupted or fails; then it holds the
    frames so far. OpenCV does not report a full disk, so the free space is watched and the result is checked.

    Args:
        path: ends in .mp4 or .webm.
        fps: frames per second, above 0 and at most 1000.
        size_hw: height and width of the frames in pixels; odd sizes get a repeated row or column for the codecs.

    Raises:
        OutputError: wrong suffix, no codec, a folder that cannot be written, no space. From `write` and `close` too.
        ValueError: an invalid rate or size.
    """

    def __init__(self, path: str | Path, fps: float, size_hw: tuple[int, int]) -> None:
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise ValueError(f"a video must have more than 0 and at most 1000 frames per second, got {fps}")
        if min(size_hw) < 1 or max(size_hw) > 16384:
            raise ValueError(f"a video must be 1 to 16384 pixels high and wide, got {size_hw}")
        self.size_hw = size_hw
        self.frames = 0
        self._fps = fps
        self._holds: list[Hold] = []
        self._name = str(path)
        suffix = Path(path).suffix.lower()
        if suffix not in CODECS:
            raise OutputError(f"A video must be written as {' or '.join(CODECS)}, got {path}.")
        if is_stream(path):
            raise OutputError(f"Cannot write {path}: a video needs an ordinary file.")
        self._part = PartFile(path, keep_suffix=True)
        even_wh = size_hw[1] + size_hw[1] % 2, size_hw[0] + size_hw[0] % 2
        try:
            self._check_room()
            self.codec, writer = self._open(suffix, fps, even_wh)
        except BaseException:
            self._part.discard()
            raise
        self._writer: cv2.VideoWriter | None = writer

    def write(self, image_rgb: NDArray[np.uint8]) -> None:
        """Add a frame.

        Args:
            image_rgb: (H, W, 3) uint8 RGB of the video's size.
        """
        if self._writer is None:
            raise OutputError(f"Cannot write {self._name}: it is closed.")
        if image_rgb.shape != (*self.size_hw, 3) or image_rgb.dtype != np.uint8:
            raise ValueError(
                f"a frame of {self._name} must be {(*self.size_hw, 3)} uint8, got {image_rgb.shape}, {image_rgb.dtype}"
            )
        if self.frames % _LOOK_EVERY == 0:
            self._check_room()
        height, width = self.size_hw
        frame_bgr = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
        if height % 2 or width % 2:
            frame_bgr = cv2.copyMakeBorder(frame_bgr, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        with quiet_opencv():
            self._writer.write(frame_bgr)
        self.frames += 1

    def hold(self, image_rgb: NDArray[np.uint8], frames: int) -> None:
        """Add a frame any number of times; this costs no more than `KEY_EVERY` frames, and hardly any space.

        Args:
            image_rgb: as for `write`.
            frames: how many.
        """
        first, written = self.frames, min(frames, KEY_EVERY)
        for _ in range(written):
            self.write(image_rgb)
        if frames > written:
            self._holds.append(Hold(first=first, end=self.frames, more=frames - written))

    def fail(self) -> None:
        """Close after an error or interruption: what is finished gets its name, unless that would replace an earlier
        file; then it keeps its current name, and the log says so."""
        if self._part.replaces and self._writer is not None and self.frames:
            self._finish(self._part.keep)
            _log.warning("%s stays as it was; what was finished is in %s", self._name, self._part.path)
        else:
            self.close()

    def close(self) -> None:
        """Finish the file, check that it can be read, and give it its name; may be called twice."""
        self._finish(self._part.commit)

    def _finish(self, settle: Callable[[], None]) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        with quiet_opencv():
            writer.release()
        if self.frames == 0:
            self._part.discard()
            return
        if not self._is_whole():
            self._part.discard()
            raise OutputError(
                f"Cannot write {self._name}: the system did not store all of it, most likely because the disk is full "
                "or the file is too large; free some space or name another folder."
            )
        self._lengthen()
        settle()

    def _lengthen(self) -> None:
        """Make held pictures last as long as they should, without risking what has been written."""
        if not self._holds:
            return
        size_wh = self.size_hw[1] + self.size_hw[1] % 2, self.size_hw[0] + self.size_hw[0] % 2
        try:
            hold_frames(self._part.path, self._holds, fourcc=self.codec, fps=self._fps, size_wh=size_wh)
        except (ValueError, OSError, struct.error, cv2.error) as error:
            _log.warning("Gaps in %s are shorter than they were: %s.", self._name, error)

    def _open(self, suffix: str, fps: float, size_wh: tuple[int, int]) -> tuple[str, cv2.VideoWriter]:
        for codec in CODECS[suffix]:
            with quiet_opencv(), quiet_stderr():
                fourcc = cv2.VideoWriter.fourcc(*codec)
                writer = cv2.VideoWriter(str(self._part.path.absolute()), cv2.CAP_FFMPEG, fourcc, fps, size_wh)
            if writer.isOpened():
                return codec, writer
            writer.release()
        height, width = self.size_hw
        raise OutputError(
            f"Cannot write {self._name}: OpenCV has no encoder for {suffix} of {width} x {height} pixels at {fps:g} "
            "frames a second here; try the other of .mp4 and .webm."
        )

    def _check_room(self) -> None:
        try:
            free = shutil.disk_usage(self._part.path.parent).free
        except OSError as error:
            raise output_error(self._name, error) from error
        if free < FREE_BYTES:
            raise output_error(self._name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def _is_whole(self) -> bool:
        with quiet_opencv():
            capture = cv2.VideoCapture(str(self._part.path.absolute()), cv2.CAP_FFMPEG)
            try:
                opened, announced = capture.isOpened(), capture.get(cv2.CAP_PROP_FRAME_COUNT)
            finally:
                capture.release()
        return opened and announced >= self.frames - 1 and is_whole(self._part.path) is not False
