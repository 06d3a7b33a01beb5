"""Annotated videos out: H.264 in MP4 (or MOV, M4V, MKV), VP9 in WebM, each frame at its own time, with the sound.

While an MP4 grows it consists of fragments of a second, so that it can be read whatever happens to the program; when it
is finished, its tables are put at the front, as players on the web need them.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.files.targets import is_stream, output_error
from mien.files.whole import PartFile
from mien.outputs.container import MATROSKA_TICKS, WITH_TABLES, errors, frames_in, mapped, open_growing, rearrange
from mien.outputs.encoders import KEY_S, SUFFIXES, Picture, best_encoder, set_up
from mien.outputs.sound import SoundOf, SoundTrack
from mien.outputs.timeline import Timeline
from mien.outputs.video_frames import letterboxed, to_yuv420p
from mien.resource import ResultWriter
from mien.words import say

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    VideoPacket = Packet[VideoStream]

_log = logging.getLogger(__name__)

FREE_BYTES = 8 * 2**20
"""Disk space to keep free, for the tables that are written last."""

_LOOK_EVERY = 16
_LONGEST_S = 5
"""A frame that is shown for longer is repeated, which takes hardly any space: programs that jump into such a gap would
show what comes after it, and MP4 cannot hold a frame for more than half an hour at this clock."""


class VideoWriter(ResultWriter):
    """A video file that frames are added to, each shown until the next.

    It is called `<name>.part<suffix>` until it is closed, even if the run is interrupted or fails; then it holds the
    frames so far. The free space is watched, so that a full disk ends the file and does not spoil it.

    Args:
        path: ends in one of `SUFFIXES`.
        fps: nominal frames per second, above 0 and at most 1000: what frames that come without times have.
        size_hw: height and width of the frames in pixels; odd sizes get a repeated row or column for the encoders.
        sound: of what video the sound is taken over; None for none.
        last_s: how many seconds the last frame is shown; None for as long as those before it.

    Attributes:
        codec: what the picture is encoded as, e.g. `H.264`.
        advice: what to know about the file before sharing it, a sentence; empty if there is nothing.
        frames: how many were written.
        problem: what is wrong with the sound, once the file is closed; empty if nothing is.

    Raises:
        OutputError: wrong suffix, no encoder, a folder that cannot be written, no space. From `write` and `close` too.
        ValueError: an invalid rate or size.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float,
        size_hw: tuple[int, int],
        *,
        sound: SoundOf | None = None,
        last_s: float | None = None,
    ) -> None:
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise ValueError(f"a video must have more than 0 and at most 1000 frames per second, got {fps}")
        if min(size_hw) < 1 or max(size_hw) > 16384:
            raise ValueError(f"a video must be 1 to 16384 pixels high and wide, got {size_hw}")
        self.size_hw = size_hw
        self.frames = 0
        self.problem = ""
        self._last_s = last_s
        self._name = str(path)
        self._suffix = Path(path).suffix.lower()
        if self._suffix not in SUFFIXES:
            raise OutputError(f"A video must be written as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, got {path}.")
        if is_stream(path):
            raise OutputError(f"Cannot write {path}: a video needs an ordinary file.")
        self._part = PartFile(path, keep_suffix=True)
        self._errors = errors()
        self._is_open = False
        self._sound: SoundTrack | None = None
        self._error: OutputError | None = None
        self._waiting: VideoPacket | None = None  # the newest, until it is known how long it lasts
        self._shown: VideoFrame | None = None
        self._written = 0  # frames in the file, with those that are repeated
        self._readable: int | None = None
        self._key_tick: int | None = None
        try:
            self._check_room()
            self._open(fps, sound)
        except BaseException:
            self._abandon()
            raise

    def write(self, image_rgb: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Add a frame.

        Args:
            image_rgb: (H, W, 3) uint8 RGB; of another size than the video's it is fitted in, with black bars.
            time_s: when it is shown, in seconds from the start of the file, after the frame before; one that is not is
                shown right after that. None for one frame of the nominal rate later.
        """
        if not self._is_open or self._error is not None:
            raise OutputError(f"Cannot write {self._name}: it is closed.")
        if self.frames % _LOOK_EVERY == 0:
            self._check_room()
        frame = self._converted(letterboxed(image_rgb, self.size_hw))
        tick = self._timeline.tick(time_s)
        longest = _LONGEST_S * self._timeline.ticks
        while self._shown is not None and self._timeline.last is not None and tick - self._timeline.last > longest:
            self._encode(self._shown, self._timeline.last + longest, may_be_key=False)
        self._encode(frame, tick)
        self._shown = frame
        self.frames += 1

    def fail(self) -> None:
        """Close after an error or interruption: what is finished gets its name, unless that would replace an earlier
        file; then it keeps its current name, and the log says so."""
        self._finish(is_whole=False)

    def close(self) -> None:
        """Finish the file and give it its name; may be called twice."""
        self._finish(is_whole=True)

    def _open(self, fps: float, sound: SoundOf | None) -> None:
        height, width = self.size_hw
        even_hw = height + height % 2, width + width % 2
        self._encoder = best_encoder(self._suffix, even_hw, fps)
        self.codec, self.advice = self._encoder.codec, ""
        if not self._encoder.plays_in_browsers:
            self.advice = say("output.not_in_browsers", codec=self.codec)
        ticks = self._encoder.most_ticks if self._suffix in WITH_TABLES else MATROSKA_TICKS
        self._timeline = Timeline(ticks, 1 / fps)
        try:
            self._container: OutputContainer = open_growing(self._part.path, self._suffix)
            self._is_open = True
            picture = Picture(size_hw=even_hw, fps=fps, ticks=ticks)
            stream = self._container.add_stream(self._encoder.name, rate=picture.rate)  # else PyAV 17 states 24
            self._stream = cast("VideoStream", stream)
            set_up(self._stream.codec_context, self._encoder, picture)
            self._stream.time_base = self._stream.codec_context.time_base
            if sound is not None:
                self._sound = SoundTrack(sound, self._container, self._suffix)
            self._container.start_encoding()
        except self._errors as error:
            raise mapped(self._name, error) from error

    def _converted(self, image_rgb: NDArray[np.uint8]) -> VideoFrame:
        """A frame of even size in the encoder's format and colours."""
        import av

        height, width = self.size_hw
        if height % 2 or width % 2:
            padded = cv2.copyMakeBorder(image_rgb, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
            image_rgb = np.asarray(padded, np.uint8)
        frame = av.VideoFrame.from_ndarray(to_yuv420p(image_rgb), format="yuv420p")
        if self._encoder.pixel_format != "yuv420p":
            frame = frame.reformat(format=self._encoder.pixel_format)
        context = self._stream.codec_context
        frame.colorspace, frame.color_range = context.colorspace, context.color_range
        frame.color_primaries, frame.color_trc = context.color_primaries, context.color_trc
        return frame

    def _encode(self, frame: VideoFrame, tick: int, *, may_be_key: bool = True) -> None:
        from av.video.frame import PictureType

        is_key = may_be_key and (self._key_tick is None or tick - self._key_tick >= KEY_S * self._timeline.ticks)
        if is_key:
            self._key_tick = tick
        frame.pict_type = PictureType.I if is_key else PictureType.NONE
        frame.pts, frame.time_base = tick, self._stream.codec_context.time_base
        self._timeline.add(tick)
        self._written += 1
        try:
            self._take(self._stream.encode(frame))
        except self._errors as error:
            self._error = mapped(self._name, error)
            raise self._error from error

    def _take(self, packets: Iterable[VideoPacket]) -> None:
        for packet in packets:
            if self._waiting is not None:
                self._waiting.duration = max((packet.pts or 0) - (self._waiting.pts or 0), 1)
                self._put(self._waiting)
            self._waiting = packet

    def _put(self, packet: VideoPacket) -> None:
        """Write a packet of the picture, and the sound before it."""
        base = packet.time_base
        self._put_sound(float((packet.pts or 0) * base))
        self._container.mux(packet)

    def _put_sound(self, time_s: float) -> None:
        if self._sound is not None:
            for packet in self._sound.until(time_s):
                self._container.mux(packet)

    def _finish(self, *, is_whole: bool) -> None:
        told = self._error
        if not self._is_open:
            return
        if self.frames == 0:
            self._abandon()
            return
        try:
            if told is None:
                self._end(is_whole=is_whole)
        except self._errors as error:
            self._error = mapped(self._name, error)
        self._is_open = False
        try:
            self._container.close()
        except self._errors as error:
            self._error = self._error or mapped(self._name, error)
        self._close_sound()
        self._rearrange()
        self._settle(is_whole=is_whole and self._error is None)
        if self._error is not None and told is None:
            raise self._error

    def _end(self, *, is_whole: bool) -> None:
        """Everything that is not in the file yet; the sound to its end, or up to where the picture ends."""
        self._take(self._stream.encode(None))
        last, self._waiting = self._waiting, None
        if last is not None:
            line = self._timeline
            last.duration = line.last_step if self._last_s is None else max(round(self._last_s * line.ticks), 1)
            end_s = float(((last.pts or 0) + last.duration) * last.time_base)
            self._put(last)
            self._put_sound(math.inf if is_whole else end_s)

    def _rearrange(self) -> None:
        """The tables to the front; after an error, whatever can be read into a file of its own."""
        if self._suffix not in WITH_TABLES and self._error is None:
            self._readable = self._written
            return
        path = self._part.path
        better = path.with_name(f"{path.stem}.tables{path.suffix}")
        try:
            self._readable = rearrange(path, self._suffix, better)
        except self._errors as error:
            _log.debug("%s keeps its tables where they are: %s", self._name, error)
            self._readable = self._written if self._error is None else None
            return
        if self._readable < self._written and self._error is None:
            self._error = OutputError(
                f"Cannot write {self._name}: the system did not store all of it, most likely because the disk is full "
                "or the file is too large; free some space or name another folder."
            )
        if self._readable:
            self._part.take(better)

    def _settle(self, *, is_whole: bool) -> None:
        """Give the file its name if it may have it; a file of which nothing can be read is removed."""
        if self._error is not None and self._readable is None:
            if frames_in(self._part.path):
                self._keep()
            else:
                self._part.discard()
        elif not self._readable:
            self._part.discard()
        elif self._part.replaces and not is_whole:
            self._keep()
        else:
            self._part.commit()

    def _keep(self) -> None:
        self._part.keep()
        what = "stays as it was" if self._part.replaces else "was not finished"
        _log.warning("%s %s; what was finished is in %s", self._name, what, self._part.path)

    def _abandon(self) -> None:
        """Remove everything; the earlier file stays."""
        if self._is_open:
            self._is_open = False
            with suppress(*self._errors):
                self._container.close()
        self._close_sound()
        self._part.discard()

    def _close_sound(self) -> None:
        sound, self._sound = self._sound, None
        if sound is not None:
            sound.close()
            self.problem = sound.problem

    def _check_room(self) -> None:
        try:
            free = shutil.disk_usage(self._part.path.parent).free
        except OSError as error:
            raise output_error(self._name, error) from error
        if free < FREE_BYTES:
            raise OutputError(
                f"Cannot write {self._name}: less than {FREE_BYTES / 10**6:.0f} MB of the disk are free, which a video "
                "needs to be finished; free some space or name another folder."
            )
