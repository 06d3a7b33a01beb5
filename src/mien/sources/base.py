"""The interface of every source, and the clock that live sources use."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Literal

from mien.resource import Resource
from mien.scene import Frame

Kind = Literal["photo", "video"]


class Source(Resource, ABC):
    """Frames in order, once; a context manager that releases everything.

    Attributes:
        name: the path or address as given; an address without its password.
        kind: `photo` or `video`; a camera or stream is a video.
        is_live: whether the frames show the present, so that a late one is worth less than the next.
        frame_count: how many frames the file says it has, wanted or not; None if unknown.
        fps: frames per second of the file, wanted or not; None for photos and if unknown.
    """

    name: str
    kind: Kind
    is_live: bool = False
    frame_count: int | None = None
    fps: float | None = None

    @property
    def status(self) -> str:
        """What a viewer should know, e.g. "camera lost, trying again in 4 s"; mostly empty."""
        return ""

    def ready(self) -> None:
        """Wait for the first frame without taking it; returns at once for a file.

        Raises:
            InputError: it will not arrive; the message says why.
        """

    def __iter__(self) -> Source:
        return self

    @abstractmethod
    def __next__(self) -> Frame: ...

    @abstractmethod
    def close(self) -> None:
        """End the source; no more frames follow. May be called twice, and from another thread."""


class Clock:
    """Seconds that only go forward, whatever happens to the system time, and waits that a stop ends at once."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Let time pass; returns True as soon as `stop` is set."""
        return stop.wait(max(seconds, 0.0))
