"""Video files in: one RGB frame after another, decoded when it is asked for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from mien.addresses import named
from mien.errors import InputError, UnreadableMedia
from mien.pixels.photos import MAX_PIXELS
from mien.pixels.planes import ToRgb
from mien.pixels.quiet import quiet_opencv
from mien.resource import usable_threads
from mien.scene import Frame
from mien.sources.base import Kind, Source
from mien.sources.containers import is_whole
from mien.sources.ffmpeg import PixelAspect, errors_of_decoding, errors_of_ffmpeg, open_file, rate_of, reason
from mien.sources.frame_times import Positions, timed
from mien.sources.selection import ALL, ROUNDING_S, Selection

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_log = logging.getLogger(__name__)

_MOST_FAILURES = 100  # in a row, after which a file counts as ended
_MOST_WAITING = 64 * 2**20  # bytes of packets from a key frame on that are kept until the start is found
_FRAMES_OF_FIELDS = 2  # stamps at the end that belong to no frame: one may be that of a second field
_FALLBACK_S = 0.04
_EARLIER_S = 1.0


class VideoSource(Source):
    """The frames of a video file, as they are meant to be seen; none is dropped.

    Times are the file's own, from the start of its picture or sound, whichever is first; `timed` says what becomes of
    stamps that cannot be. A frame that cannot be decoded is left out but counted. A video that breaks off or lacks
    frames gives those it has, then raises UnreadableMedia. `mien.sources.Capture` decodes ahead on another thread.

    Args:
        path: the file.
        selection: which frames to give; the others are passed over without conversion, and where possible without
            decoding.
        max_pixels: the largest frame that is decoded.

    Raises:
        UnreadableMedia: the file is missing, empty, damaged, encrypted, too large, or holds no video.
        InputError: it ends before the selection begins.
    """

    kind: Kind = "video"

    def __init__(self, path: str | Path, *, selection: Selection = ALL, max_pixels: int = MAX_PIXELS) -> None:
        self.name = str(path)
        self._selection = selection
        self._container, self._stream = open_file(self.name, max_pixels)
        self._errors, self._decoding_errors = errors_of_ffmpeg(), errors_of_decoding()
        self._fatal: tuple[type[Exception], ...] = (cv2.error, MemoryError, OSError, *self._errors)
        self.fps = rate_of(self._stream)
        stated = self._stream.frames
        self.frame_count = stated if 0 < stated < 2**40 else self._estimated_count()
        self._zero_s = Fraction(self._container.start_time or 0, 10**6)
        context = self._stream.codec_context
        context.thread_type, context.thread_count = "AUTO", usable_threads()
        if selection.keyframes:
            context.skip_frame = "NONKEY"
        self._step_s = 1 / self.fps if self.fps else _FALLBACK_S
        self._aspect = PixelAspect(self._stream)
        self._is_hidden_possible = context.name == "vp8"
        self._read = 0  # frames that the file turned out to hold
        self._failed = 0  # of these, with which decoding failed
        self._broken_off = 0  # of these, that end with the file
        self._doubtful = 0  # of these, that a decoder may have left out without a word, for want of others
        self._is_in_doubt = False  # whether it may leave out what comes, until the next key frame
        self._has_decoded = False
        self._positions = Positions()
        self._is_cut = False
        self._is_closed = False
        self._reading = threading.Lock()
        self._frames = self._decoded()

    def __next__(self) -> Frame:
        try:
            with self._reading, quiet_opencv():
                frame = next(self._frames)
        except self._fatal as error:
            raise UnreadableMedia(
                f"Cannot read {named(self.name)} any further: decoding failed ({reason(error)})."
            ) from None
        if self._is_closed:
            self.close()  # whoever closed it meanwhile could not
            raise StopIteration
        return frame

    @property
    def lost(self) -> int:
        """How many frames could not be decoded so far."""
        return self._broken_off + max(self._failed, self._positions.missed)

    def close(self) -> None:
        """Release the file; a frame that another thread is decoding is finished first, and given to nobody."""
        self._is_closed = True
        if self._reading.acquire(blocking=False):  # else the thread that reads does it
            try:
                self._frames.close()
                self._container.close()
            finally:
                self._reading.release()

    def _estimated_count(self) -> int | None:
        frames = (self._container.duration or 0) / 1e6 * (self.fps or 0)
        return round(frames) if 0.5 < frames < 2**40 else None

    def _decoded(self) -> Generator[Frame, None, None]:
        try:
            yield from self._wanted()
        finally:
            self._container.close()

    def _wanted(self) -> Iterator[Frame]:
        chosen = self._selection
        picker, to_rgb = chosen.picker(), ToRgb()
        given, time_s = 0, None
        stamped = (((*item, self._aspect.of(item[0])), self._stamp_s(*item)) for item in self._numbered())
        for (decoded, index, aspect), time_s in timed(stamped, self._step_s):
            if self._is_closed or picker.is_over(time_s):
                return
            if picker.wants(index, time_s):
                given += 1
                yield Frame(to_rgb.convert(decoded, aspect), index, time_s, self.name)
            del decoded  # its memory is the decoder's, which may want it for the next one
        if not self._is_closed:
            self._check_whole(is_any=time_s is not None)
            if not given and time_s is not None:
                raise InputError(
                    f"{named(self.name)} ends at {time_s:.3f} s, before {chosen.start_s:g} s; choose an earlier start."
                )

    def _stamp_s(self, thing: VideoFrame | Packet[VideoStream], index: int | None = None) -> float | None:
        """When it is to be shown, in seconds from the start of the file; None if the file does not say.

        Args:
            thing: a packet or frame.
            index: its position; key frames of a file without any stamps have the time that follows from it.
        """
        stamp = thing.dts if thing.pts is None else thing.pts
        base = self._stream.time_base
        if stamp is None or not base:
            return index * self._step_s if index is not None and self._selection.keyframes else None
        return float(stamp * base - self._zero_s)

    def _numbered(self) -> Iterator[tuple[VideoFrame, int]]:
        """Decoded frames in the order of showing, each with its position in the video."""
        if self._selection.keyframes:
            return self._keyframes()
        return self._from_start() if self._selection.start_s > 0 else self._from_beginning()

    def _from_beginning(self) -> Iterator[tuple[VideoFrame, int]]:
        first_pts: int | None = None
        is_begun = self._begins_with_key_frame()
        for packet in self._packets():
            if packet.is_keyframe and not is_begun:
                is_begun, first_pts = True, packet.pts
            # What is shown before the first key frame may need others that are not there.
            is_due = first_pts is None or packet.pts is None or packet.pts >= first_pts
            if self._is_shown(packet) and is_begun and is_due:
                self._positions.add(packet.pts)
            for decoded in self._frames_of(packet):
                index = self._position(decoded)
                if index is not None:
                    yield decoded, index
            if not is_begun:  # a recording that begins in the middle: nothing can be seen before the first key frame
                self._failed = self._doubtful = 0

    def _begins_with_key_frame(self) -> bool:
        """Whether the file lists all its frames, as an MP4 does, and the first as one that is stored whole."""
        entries = self._stream.index_entries
        return bool(self._stream.frames and len(entries) == self._stream.frames and entries[0].is_keyframe)

    def _from_start(self) -> Iterator[tuple[VideoFrame, int]]:
        """From the last key frame before the start on; what is before it is counted but not decoded."""
        waiting: list[Packet[VideoStream]] = []
        before = self._read = self._skipped()
        size, is_found = 0, False
        for packet in self._packets():
            if not is_found:
                time_s = self._stamp_s(packet)
                is_found = not packet.size or time_s is None or time_s >= self._selection.start_s - ROUNDING_S
                if packet.is_keyframe and not is_found:
                    before += sum(map(self._is_shown, waiting))
                    waiting, size = [], 0
                waiting.append(packet)
                size += packet.size
                if not is_found and size <= _MOST_WAITING:
                    continue
                is_found = True
                self._positions.begin(before)
            else:
                waiting = [packet]
            for fed in waiting:
                if self._is_shown(fed):
                    self._positions.add(fed.pts)
                for decoded in self._frames_of(fed):
                    # Before the first one may be what needs frames before the key frame.
                    index = self._position(decoded) if self._has_decoded else self._positions.of(decoded.pts)
                    if not self._has_decoded:
                        self._has_decoded, self._doubtful = True, 0
                    if index is not None:
                        yield decoded, index
            waiting = []

    def _skipped(self) -> int:
        """Go near the start where the file lists all its frames, as an MP4 does; returns how many are before."""
        base, entries = self._stream.time_base, self._stream.index_entries
        if not base or not self._stream.frames or len(entries) != self._stream.frames:
            return 0
        # The list has times of decoding, which are earlier than those of showing, but hardly by a second.
        wanted = round((Fraction(self._selection.start_s - _EARLIER_S) + self._zero_s) / base)
        wanted = min(wanted, entries[-1].timestamp)  # there is no end to what can be asked for
        if wanted <= entries[0].timestamp:
            return 0
        place = None
        with suppress(*self._errors):  # an index that is damaged, or a file that ends before it
            self._container.seek(wanted, stream=self._stream)
            place = next(self._container.demux(self._stream)).pos
        # Where that led to is not always what was asked for.
        at = next((index for index, entry in enumerate(entries) if entry.pos == place), 0)
        self._container.seek(wanted if at else entries[0].timestamp, stream=self._stream)
        return at - sum(entries[index].is_discard for index in range(at))

    def _keyframes(self) -> Iterator[tuple[VideoFrame, int]]:
        """Key frames alone; packets in between are counted but not decoded."""
        start_s = self._selection.start_s - ROUNDING_S
        self._read = self._skipped() if start_s > 0 else 0
        self._positions.begin(self._read)
        fed: list[int] = []
        for packet in self._packets():
            if self._is_shown(packet):
                self._positions.add(packet.pts)
            time_s = self._stamp_s(packet, self._read - 1)
            if not packet.size or (packet.is_keyframe and (time_s is None or time_s >= start_s)):
                fed.append(self._read - 1)
                for decoded in self._frames_of(packet):
                    at = fed.pop(0)
                    index = at if decoded.pts is None else self._positions.of(decoded.pts)
                    if index is not None:
                        yield decoded, index

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """What the file holds of the picture, in the order of decoding, and at its end one that is empty."""
        failures = 0
        held: Packet[VideoStream] | None = None
        while not self._is_closed and failures < _MOST_FAILURES:
            try:
                for packet in self._container.demux(self._stream):
                    if held is not None:
                        self._read += self._is_shown(held)
                        if packet.size:
                            yield held
                        else:
                            # Half a picture is none; and its error would cost those that the decoder still holds.
                            self._broken_off += self._is_shown(held)
                        held = None
                    if packet.size:
                        failures = 0
                        self._is_cut = packet.is_corrupt
                        if packet.has_sidedata("encryption_info"):
                            raise UnreadableMedia(
                                f"Cannot read {named(self.name)}: it is encrypted; get a copy without protection."
                            )
                        if packet.is_corrupt:
                            held = packet  # until it is known whether the file ends in it
                            continue
                        self._read += self._is_shown(packet)
                    yield packet
                    if self._is_closed:
                        return
                return
            except self._errors as error:  # reading goes on after it where it can
                failures += 1
                _log.debug("%s: %s", self.name, reason(error))
        self._is_cut = True

    def _frames_of(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        if self._is_in_doubt or not self._has_decoded:
            self._doubtful += self._is_shown(packet)
        try:
            frames = self._stream.codec_context.decode(packet)
        except self._decoding_errors as error:
            _log.debug("%s: frame %d is damaged: %s", self.name, self._read, reason(error))
            self._failed += 1
            self._doubtful += 1 + usable_threads()  # a thread tells later, when other frames have followed
            self._is_in_doubt = True
            return []
        self._is_in_doubt = self._is_in_doubt and not packet.is_keyframe
        return frames

    def _position(self, decoded: VideoFrame) -> int | None:
        index = self._positions.of(decoded.pts, self._failed if decoded.pts is None else self._doubtful)
        if not self._has_decoded:
            self._has_decoded, self._doubtful = True, self._positions.missed
        return index

    def _is_shown(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet gives a frame: not one that an edit list cuts away, nor one that VP8 keeps for reference."""
        if not packet.size or packet.is_discard:
            return False
        return not self._is_hidden_possible or bool(memoryview(packet)[0] & 0x10)

    def _check_whole(self, *, is_any: bool) -> None:
        """Raise when frames are missing. Announced lengths are estimates: they count only with a file that is cut."""
        name, announced = named(self.name), self.frame_count
        left = 0 if self._selection.keyframes else self._positions.left
        if left >= _FRAMES_OF_FIELDS or self._failed or self._broken_off:  # what was stored last never came out
            self._positions.missed += left
        kept = self._read - self.lost
        is_short = announced is None or kept < announced
        is_cut = self._is_cut or (is_short and is_whole(self.name) is False)
        if not is_any and self._selection.keyframes and self._selection.start_s and self._read:
            raise InputError(f"{name} has no key frame from {self._selection.start_s:g} s on; choose an earlier start.")
        if not is_any:
            what = "it is truncated before its first frame" if is_cut else "it has no decodable frames"
            raise UnreadableMedia(f"Cannot read {name}: {what}; check the file.")
        if is_cut:
            of = f" of {announced} announced" if announced is not None and announced > kept else ""
            raise UnreadableMedia(
                f"{name} is truncated: {kept}{of} frames could be read and were kept; get a complete copy for the rest."
            )
        if self.lost:
            raise UnreadableMedia(
                f"{name} is damaged: {self.lost} of {self._read} frames could not be decoded, the others were kept; "
                "get a complete copy for the rest."
            )
