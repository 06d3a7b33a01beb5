"""Video files in: decoded in a thread of their own, one RGB frame after another."""

from __future__ import annotations

import logging
import math
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from mien.errors import MienError, UnreadableMedia
from mien.pixels.images import quiet_opencv, read_head
from mien.scene import Frame
from mien.sources.containers import is_whole

_log = logging.getLogger(__name__)

QUEUED_FRAMES = 2
"""Frames that wait decoded; with the decoder's and the reader's own there are four at most."""

_POLL_S = 0.05
_TOLERANCE_S = 0.5
_TOLERANCE_PART = 0.1


class VideoReader:
    """An iterator over the frames of a video file; none is dropped, rotation is applied.

    Times are the file's own; where it gives none they follow from the frame rate. A video that breaks off
    gives the frames it has, then raises UnreadableMedia.

    Args:
        path: the file.
        every: give frames 0, N, 2N, ...; the others are passed over without conversion.

    Attributes:
        frame_count: how many frames the file says it has, whatever `every` is; None when it does not say.
        fps: frames a second of the file, whatever `every` is; None when unknown.

    Raises:
        UnreadableMedia: the file is missing, empty, damaged, or holds no video.
        ValueError: `every` is below 1.
    """

    def __init__(self, path: str | Path, *, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        name = str(path)
        capture = _open_capture(name)
        announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and 0 < fps <= 1000 else None
        known = math.isfinite(announced) and 0 < announced < 2**40
        self.frame_count = int(announced) if known else None
        plan = _Plan(name, every, self.fps, self.frame_count)
        self._frames: queue.Queue[Frame | _End] = queue.Queue(QUEUED_FRAMES)
        self._stop = threading.Event()
        # The thread knows nothing of self, so a reader that is dropped unclosed is collected, which ends it.
        self._thread = threading.Thread(
            target=_decode, args=(capture, plan, self._frames, self._stop), name=f"decode {name}"
        )
        self._thread.start()

    def __iter__(self) -> VideoReader:
        return self

    def __next__(self) -> Frame:
        while not self._stop.is_set():
            try:
                item = self._frames.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if isinstance(item, Frame):
                return item
            self.close()
            if item.error is not None:
                raise item.error
        raise StopIteration

    def close(self) -> None:
        """End the thread and release the file; may be called twice, and from another thread."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5.0)

    def __del__(self) -> None:
        if hasattr(self, "_stop"):
            self._stop.set()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the decoding thread needs to know of a file."""

    name: str
    every: int
    fps: float | None
    announced: int | None


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing in a queue: no more frames come, perhaps because of an error."""

    error: Exception | None


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


def _decode(capture: cv2.VideoCapture, plan: _Plan, frames: queue.Queue[Frame | _End], stop: threading.Event) -> None:
    """The thread: frames into the queue, then the end, whatever happens."""
    error: Exception | None = None
    try:
        with quiet_opencv():
            _decode_frames(capture, plan, frames, stop)
    except MienError as known:
        error = known
    except (cv2.error, MemoryError, OSError) as foreign:
        error = UnreadableMedia(f"Cannot read {plan.name} any further: decoding failed ({foreign}).")
        error.__cause__ = foreign
    except Exception as bug:  # delivered to the reader, who raises it
        error = bug
    finally:
        capture.release()
    _put(frames, _End(error), stop)


def _decode_frames(
    capture: cv2.VideoCapture, plan: _Plan, frames: queue.Queue[Frame | _End], stop: threading.Event
) -> None:
    index = 0
    time_s = -1.0
    step_s = 1.0 / plan.fps if plan.fps else 0.04
    while not _is_over(stop) and capture.grab():
        stamp_s = max(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0, 0.0)
        time_s = stamp_s if stamp_s > time_s and math.isfinite(stamp_s) else time_s + step_s
        if index % plan.every == 0:
            done, image_bgr = capture.retrieve()
            if not done or image_bgr is None:
                raise UnreadableMedia(f"Cannot read {plan.name} any further: frame {index} is damaged.")
            image_rgb: Any = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB)
            if not _put(frames, Frame(image_rgb, index, time_s, plan.name), stop):
                return
        index += 1
    if not _is_over(stop):
        _check_whole(plan, index, time_s + step_s)


def _put(frames: queue.Queue[Frame | _End], item: Frame | _End, stop: threading.Event) -> bool:
    """Hand over an item as soon as there is room; False when the reader has gone."""
    while not _is_over(stop):
        try:
            frames.put(item, timeout=_POLL_S)
            return True
        except queue.Full:
            continue
    return False


def _is_over(stop: threading.Event) -> bool:
    """Whether the reader has closed, or the program is ending.

    The thread is no daemon, because Python aborts daemons inside FFmpeg at its end; so it has to end by itself.
    """
    return stop.is_set() or not threading.main_thread().is_alive()


def _check_whole(plan: _Plan, count: int, end_s: float) -> None:
    """Raise when frames are missing at the end.

    What a file announces is often an estimate, and a trimmed clip announces frames that are not shown. So the
    sizes that the container states decide where it states them: if they go beyond the end of the file, any
    frame that is short counts. Where it states none, frames count as missing when the last one ends more than
    half a second and a tenth of the video before the announced end.
    """
    if count == 0:
        raise UnreadableMedia(f"Cannot read {plan.name}: it has no decodable frames; check the file.")
    if plan.announced is None or count >= plan.announced:
        return
    whole = is_whole(plan.name)
    if whole is None:
        length_s = plan.announced / plan.fps if plan.fps else 0.0
        whole = length_s - end_s <= max(_TOLERANCE_S, _TOLERANCE_PART * length_s)
    if not whole:
        raise UnreadableMedia(
            f"{plan.name} is truncated: {count} of {plan.announced} announced frames could be read "
            "and were kept; get a complete copy for the rest."
        )
    _log.debug("%s: %d of %d announced frames, nothing missing", plan.name, count, plan.announced)
