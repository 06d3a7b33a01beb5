"""Video files in: one RGB frame after another, decoded when it is asked for."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import cv2

from mien.errors import UnreadableMedia
from mien.pixels.images import quiet_opencv, read_head
from mien.scene import Frame
from mien.sources.base import Kind, Source
from mien.sources.containers import is_whole
from mien.sources.selection import ALL, Selection

_log = logging.getLogger(__name__)

_TOLERANCE_S = 0.5
_TOLERANCE_PART = 0.1


class VideoSource(Source):
    """The frames of a video file; none is dropped, rotation is applied.

    Times are the file's own; where it gives none they follow from the frame rate. A video that breaks off
    gives the frames it has, then raises UnreadableMedia. `mien.sources.Capture` decodes ahead on another thread.

    Args:
        path: the file.
        selection: which frames to give; the others are passed over without conversion.

    Raises:
        UnreadableMedia: the file is missing, empty, damaged, or holds no video.
    """

    kind: Kind = "video"

    def __init__(self, path: str | Path, *, selection: Selection = ALL) -> None:
        self.name = str(path)
        self._selection = selection
        self._capture = _open_capture(self.name)
        announced = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and 0 < fps <= 1000 else None
        known = math.isfinite(announced) and 0 < announced < 2**40
        self.frame_count = int(announced) if known else None
        self._is_closed = False
        self._reading = threading.Lock()
        self._frames = self._decoded()

    def __next__(self) -> Frame:
        try:
            with self._reading, quiet_opencv():
                frame = next(self._frames)
        except (cv2.error, MemoryError, OSError) as error:
            raise UnreadableMedia(f"Cannot read {self.name} any further: decoding failed ({error}).") from error
        if self._is_closed:
            self.close()  # whoever closed it meanwhile could not
            raise StopIteration
        return frame

    def close(self) -> None:
        """Release the file; a frame that another thread is decoding is finished first, and given to nobody."""
        self._is_closed = True
        if self._reading.acquire(blocking=False):  # else the thread that reads does it
            try:
                self._frames.close()
                self._capture.release()
            finally:
                self._reading.release()

    def _decoded(self) -> Generator[Frame, None, None]:
        try:
            yield from self._numbered()
        finally:
            self._capture.release()

    def _numbered(self) -> Iterator[Frame]:
        capture = self._capture
        picker = self._selection.picker()
        index = 0
        time_s = -1.0
        step_s = 1.0 / self.fps if self.fps else 0.04
        while not self._is_closed and capture.grab():
            stamp_s = max(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0, 0.0)
            time_s = stamp_s if stamp_s > time_s and math.isfinite(stamp_s) else time_s + step_s
            if picker.is_over(time_s):
                return
            if picker.wants(index, time_s):
                done, image_bgr = capture.retrieve()
                if not done or image_bgr is None:
                    raise UnreadableMedia(f"Cannot read {self.name} any further: frame {index} is damaged.")
                image_rgb: Any = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
                del image_bgr  # not kept while the frame is looked at
                yield Frame(image_rgb, index, time_s, self.name)
                del image_rgb
            index += 1
        if not self._is_closed:
            self._check_whole(index, time_s + step_s)

    def _check_whole(self, count: int, end_s: float) -> None:
        """Raise when frames are missing at the end.

        What a file announces is often an estimate, and a trimmed clip announces frames that are not shown. So the
        sizes that the container states decide where it states them: if they go beyond the end of the file, any
        frame that is short counts. Where it states none, frames count as missing when the last one ends more than
        half a second and a tenth of the video before the announced end.
        """
        announced = self.frame_count
        if count == 0:
            raise UnreadableMedia(f"Cannot read {self.name}: it has no decodable frames; check the file.")
        if announced is None or count >= announced:
            return
        whole = is_whole(self.name)
        if whole is None:
            length_s = announced / self.fps if self.fps else 0.0
            whole = length_s - end_s <= max(_TOLERANCE_S, _TOLERANCE_PART * length_s)
        if not whole:
            raise UnreadableMedia(
                f"{self.name} is truncated: {count} of {announced} announced frames could be read "
                "and were kept; get a complete copy for the rest."
            )
        _log.debug("%s: %d of %d announced frames, nothing missing", self.name, count, announced)


def _open_capture(name: str) -> cv2.VideoCapture:
    read_head(name)
    with quiet_opencv():
        try:  # an absolute path, for a leading dash or a colon means something else to FFmpeg
            capture = cv2.VideoCapture(str(Path(name).absolute()), cv2.CAP_FFMPEG)
        except cv2.error as error:
            raise _no_video(name) from error
    if not capture.isOpened():
        raise _no_video(name)
    return capture


def _no_video(name: str) -> UnreadableMedia:
    if is_whole(name) is False:
        return UnreadableMedia(f"Cannot read {name}: the video is truncated; get a complete copy of it.")
    return UnreadableMedia(
        f"Cannot read {name}: it is damaged or not a video of a known kind; give an MP4, MOV, AVI, MKV or WebM."
    )
