"""Which frames of a video are wanted: every N-th, so many per second, from one moment to another, key frames alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import SupportsIndex

from mien.errors import InvalidOption
from mien.scene import Frame

ROUNDING_S = 0.001
"""Seconds by which a time may be early and still count as reached: some containers round times to milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which frames of a video are wanted; all by default. A photo is always wanted.

    Args:
        every: frames 0, N, 2N, ... of the file.
        fps: the first frame of each 1 / fps seconds, counted from `start_s`; where the video has fewer frames, all.
        start_s: nothing before this time of the file, in seconds.
        end_s: nothing from this time of the file on, in seconds; None for its end.
        keyframes: only frames that are stored whole, one every few seconds; hours of video take minutes.

    Raises:
        InvalidOption: a value that makes no sense, or two that contradict each other.
    """

    every: int = 1
    fps: float | None = None
    start_s: float = 0.0
    end_s: float | None = None
    keyframes: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.every, SupportsIndex) or self.every < 1:
            raise InvalidOption(f"every must be at least 1 and a whole number, got {self.every!r}.")
        if self.fps is not None and not (math.isfinite(self.fps) and self.fps > 0):
            raise InvalidOption(f"fps must be a number of frames per second above 0, got {self.fps:g}.")
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise InvalidOption(f"A video begins at 0 s, so it cannot be looked at from {self.start_s:g} s.")
        if self.end_s is not None and not self.end_s > self.start_s:
            way_out = "exchange them" if self.end_s < self.start_s else "choose a later end"
            raise InvalidOption(
                f"The end must come after the start, got {self.end_s:g} s and {self.start_s:g} s; {way_out}."
            )
        ways = [
            name
            for name, is_given in (
                ("every", self.every > 1),
                ("fps", self.fps is not None),
                ("keyframes", self.keyframes),
            )
            if is_given
        ]
        if len(ways) > 1:
            raise InvalidOption(f"{' and '.join(ways)} each say which frames are wanted; give only one of them.")

    @property
    def has_live_meaning(self) -> bool:
        """Whether it can be asked of a camera or stream, which has no beginning, no end and no key frames."""
        return self.start_s == 0 and self.end_s is None and not self.keyframes

    def picker(self) -> Picker:
        """What decides about the frames of one video, in their order."""
        return Picker(self)

    def of(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The wanted ones of frames that come one after another, by their index and time; ends with the last."""
        picker = self.picker()
        for frame in frames:
            if picker.is_over(frame.time_s):
                return
            if picker.wants(frame.index, frame.time_s):
                yield frame

    def expected(self, frame_count: int | None, fps: float | None) -> int | None:
        """About how many frames will come of a video, for a progress bar; None if that cannot be told.

        Args:
            frame_count: frames of the whole video.
            fps: frames per second of it.
        """
        if frame_count is None or self.keyframes:
            return None
        if not fps:
            return -(-frame_count // self.every) if self.start_s == 0 and self.end_s is self.fps is None else None
        length_s = frame_count / fps
        part_s = min(length_s, math.inf if self.end_s is None else self.end_s) - self.start_s
        share = min(1.0 if self.fps is None else self.fps / fps, 1.0) / self.every
        return max(math.ceil(round(part_s * fps * share, 6)), 0)


class Picker:
    """Decides about the frames of one video, each asked about once and in order."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._slot = -1

    def wants(self, index: int, time_s: float, *, is_key: bool = True) -> bool:
        """Whether this frame is wanted.

        Args:
            index: its position in the video, from 0, counting every frame.
            time_s: its time in the video, seconds.
            is_key: whether it is stored whole, as every frame of an animation counts.
        """
        chosen = self._selection
        if time_s < chosen.start_s - ROUNDING_S or self.is_over(time_s):
            return False
        if chosen.fps is not None:
            slot = math.floor((time_s - chosen.start_s + ROUNDING_S) * chosen.fps)
            is_new, self._slot = slot > self._slot, max(slot, self._slot)
            return is_new
        return is_key if chosen.keyframes else index % chosen.every == 0

    def is_over(self, time_s: float) -> bool:
        """Whether neither a frame of this time nor a later one is wanted."""
        end_s = self._selection.end_s
        return end_s is not None and time_s >= end_s - ROUNDING_S


ALL = Selection()
"""Every frame."""
