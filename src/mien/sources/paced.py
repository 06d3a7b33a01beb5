"""Any source as a live source: a video file in place of a camera."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from mien.scene import Frame
from mien.sources.base import Clock, Kind, Source


class PacedSource(Source):
    """Any source played as if it were live: each frame when it is due, in real time; none is dropped here.

    A frame's time is when it was due, so one that is asked for late is as old as a camera's would be.

    Args:
        source: what to play; or what opens it, which is called for each round.
        fps: frames per second; the source's own times when None, however its rate varies.
        repeat: play it for ever. Its frames are kept in memory for that (0.9 MB each of 640x480), unless it can be
            opened again.
        clock: what it goes by; real time when None.
    """

    kind: Kind = "video"
    is_live = True

    def __init__(
        self,
        source: Source | Callable[[], Source],
        fps: float | None = None,
        *,
        repeat: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if fps is not None and fps <= 0:
            raise ValueError(f"fps must be above 0, got {fps}")
        self._open_again = None if isinstance(source, Source) else source
        self._source = source if isinstance(source, Source) else source()
        self._clock = clock or Clock()
        self._stop = threading.Event()
        self._repeat = repeat
        self.name = self._source.name
        self._is_even = fps is not None
        self._rate = self.fps = fps or self._source.fps or 25.0
        self.frame_count = None if repeat else self._source.frame_count
        self._frames = self._played()

    @property
    def status(self) -> str:
        return self._source.status

    def __next__(self) -> Frame:
        return next(self._frames)

    def close(self) -> None:
        self._stop.set()
        self._source.close()

    def _played(self) -> Iterator[Frame]:
        start_s = self._clock.now()
        first_s = begin_s = last_s = 0.0
        for index, frame in enumerate(self._rounds()):
            if index == 0 and not self._is_even:
                first_s = frame.time_s
            elif index and begin_s + frame.time_s <= last_s:  # another round
                begin_s = last_s + 1 / self._rate - frame.time_s
            time_s = last_s = index / self._rate if self._is_even else begin_s + frame.time_s
            if self._clock.wait(start_s + time_s - first_s - self._clock.now(), self._stop):
                return
            yield replace(frame, index=index, time_s=time_s)

    def _rounds(self) -> Iterator[Frame]:
        kept: list[Frame] = []
        frames: Iterable[Frame] = self._source
        while True:
            count = 0
            for count, frame in enumerate(frames, start=1):  # noqa: B007
                yield frame
                if self._repeat and self._open_again is None and frames is not kept:
                    kept.append(frame)
            if not self._repeat or not count or self._stop.is_set():
                return
            frames = kept if self._open_again is None else self._opened_again(self._open_again)

    def _opened_again(self, open_again: Callable[[], Source]) -> Source:
        self._source.close()
        self._source = open_again()
        if self._stop.is_set():  # closed meanwhile
            self._source.close()
        return self._source
