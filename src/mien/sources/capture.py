"""The one capture stage: frames read on a thread of its own, one of them waiting.

    source -> one waiting frame -> whoever asks

Of a live source the waiting frame is the newest: it replaces one that nobody has taken, so that nothing grows old. Of a
file every frame is kept: the next one is read only when the one before has been taken.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple, Protocol

from mien.pixels.quiet import quiet_opencv
from mien.scene import Frame
from mien.sources.base import Source

_POLL_S = 0.1
_JOIN_S = 1.0


class Captured(NamedTuple):
    """A frame, and when it came by `time.monotonic`."""

    frame: Frame
    captured_s: float


class Frames(Iterator[Frame], Protocol):
    """What the thread reads; closed on it, whatever happens."""

    def close(self) -> None: ...


class Capture(Source):
    """Reads a source on a thread; whatever is raised there is raised by the one who asks, after the frames before it.

    Args:
        source: closed with this.
        frames: what to read instead of the source itself.
    """

    def __init__(self, source: Source, frames: Frames | None = None) -> None:
        self.name = source.name
        self.kind = source.kind
        self.is_live = source.is_live
        self.frame_count = source.frame_count
        self.fps = source.fps
        self._source = source
        self._waiting = _Waiting(newest=source.is_live)
        self._threads: list[threading.Thread] = []
        self._end = weakref.finalize(self, _end, source.close, self._waiting, self._threads)
        self._start(source if frames is None else frames)

    @property
    def status(self) -> str:
        return self._source.status

    def ready(self) -> None:
        """Wait for the first frame, of a file too; raises what hinders it."""
        while not self._waiting.wait(_POLL_S):
            self.watch()

    def take(self) -> Captured | None:
        """Wait for the next frame; None at the end.

        Raises:
            Exception: whatever the source raised, once.
        """
        self.ready()
        return self._waiting.take()

    def watch(self) -> None:
        """Look after the reading thread: called about ten times per second by the thread that waits."""

    def __next__(self) -> Frame:
        captured = self.take()
        if captured is None:
            raise StopIteration
        return captured.frame

    def close(self) -> None:
        """End the thread and the source; takes a second at most, even when a driver is stuck."""
        self._end()

    def _start(self, frames: Frames) -> None:
        """Read these from now on; what a thread from before still brings is taken no more."""
        # The thread knows nothing of self, so that one that is dropped unclosed is collected, which ends it. A daemon,
        # for a driver may block for ever; it is stopped and waited for a while at the program's end, because a thread
        # that comes back from OpenCV while Python ends would abort it.
        turn = self._waiting.next_turn()
        thread = threading.Thread(target=_read, args=(frames, self._waiting, turn), name=f"read {self.name}")
        thread.daemon = True
        self._threads.append(thread)
        thread.start()


def captured(source: Source) -> Source:
    """The source read ahead on a thread, so that decoding takes no time from the work; a photo is left as it is."""
    return source if source.kind == "photo" or isinstance(source, Capture) else Capture(source)


class _Waiting:
    """Holds one frame, then the end; who waits is woken."""

    def __init__(self, *, newest: bool) -> None:
        self._changed = threading.Condition()
        self._newest = newest
        self._turn = 0
        self._captured: Captured | None = None
        self._is_over = False
        self._error: BaseException | None = None

    def next_turn(self) -> int:
        """A new thread's number; those before it are listened to no more."""
        with self._changed:
            self._turn += 1
            self._changed.notify_all()
            return self._turn

    def is_wanted(self, turn: int) -> bool:
        """Whether another frame is to be read, as soon as there is room for one."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest or self._captured is None or self._is_over or turn != self._turn
            )
            return not self._is_over and turn == self._turn

    def put(self, frame: Frame, turn: int) -> None:
        with self._changed:
            if not self._is_over and turn == self._turn:
                self._captured = Captured(frame, time.monotonic())
                self._changed.notify_all()

    def end(self, error: BaseException | None, turn: int) -> None:
        """No more frames come; the one that waits is still given."""
        with self._changed:
            if not self._is_over and turn == self._turn:
                self._error, self._is_over = error, True
                self._changed.notify_all()

    def clear(self) -> None:
        """The end at once; the frame that waits is given to nobody."""
        with self._changed:
            self._captured = self._error = None
            self._is_over = True
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Whether there is a frame or the end; raises the error that ended it, once."""
        with self._changed:
            there = self._changed.wait_for(lambda: self._captured is not None or self._is_over, timeout_s)
            if self._captured is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return there

    def take(self) -> Captured | None:
        """The frame, once."""
        with self._changed:
            captured, self._captured = self._captured, None
            self._changed.notify_all()
            return captured


def _read(frames: Frames, waiting: _Waiting, turn: int) -> None:
    """The thread: frames, then the end, whatever happens."""
    error: BaseException | None = None
    try:
        with quiet_opencv(), closing(frames):
            while waiting.is_wanted(turn):
                frame = next(frames, None)
                if frame is None:
                    break
                waiting.put(frame, turn)
                del frame  # not kept while the next one is waited for
    except BaseException as trouble:  # delivered to who asks, and raised there
        error = trouble
    waiting.end(error, turn)


def _end(close: Callable[[], None], waiting: _Waiting, threads: list[threading.Thread]) -> None:
    waiting.clear()
    close()
    until_s = time.monotonic() + _JOIN_S
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(timeout=max(until_s - time.monotonic(), 0.0))
