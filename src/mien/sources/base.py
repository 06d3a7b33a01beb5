"""What every source is, and the clock that live ones go by."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Literal

from mien.resource import Resource
from mien.scene import Frame

Kind = Literal["photo", "video"]


class Source(Resource, ABC):
    """Frames in order, once, and a context manager that gives everything back.

    Attributes:
        name: the path or address, as given; of an address without its password.
        kind: `photo` or `video`; a camera or stream is a video.
        is_live: whether the frames are of now, so that a late one is worth less than the next.
        frame_count: how many frames the file says it has, whatever `every` is; None when unknown.
        fps: frames a second of the file, whatever `every` is; None for photos and when unknown.
    """

    name: str
    kind: Kind
    is_live: bool = False
    frame_count: int | None = None
    fps: float | None = None

    @property
    def status(self) -> str:
        """What somebody who watches should know, e.g. "camera lost, trying again in 4 s"; mostly empty."""
        return ""

    def ready(self) -> None:
        """Wait for the first frame without taking it; returns at once for a file.

        Raises:
            InputError: it will not come; the message says why.
        """

    def __iter__(self) -> Source:
        return self

    @abstractmethod
    def __next__(self) -> Frame: ...

    @abstractmethod
    def close(self) -> None:
        """End the source; later frames are not given. May be called twice, and from another thread."""


class Clock:
    """Seconds that only go forward, whatever happens to the time of day, and waits that a stop ends at once."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Let time pass; True at once when `stop` is or gets set."""
        return stop.wait(max(seconds, 0.0))
