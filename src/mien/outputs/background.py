"""Work that must not block the caller, such as encoding: done on a thread of its own, a few pieces waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_LOOK_S = 0.5


class Worker(Generic[T]):
    """Does one piece of work after another, in order. What the work raises is raised once by the next call.

    Args:
        work: called on the thread with each piece.
        room: how many pieces may wait.
        name: of the thread.
    """

    def __init__(self, work: Callable[[T], object], *, room: int, name: str) -> None:
        self._work, self._room = work, room
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, piece: T) -> None:
        """Have this done; waits while there is no room."""
        with self._changed:
            while len(self._waiting) >= self._room and self._error is None and not self._closing:
                self._changed.wait(_LOOK_S)  # wakes for Ctrl-C on every system
        self.offer(piece)

    def offer(self, piece: T) -> bool:
        """Have this done if there is room; returns whether there was."""
        with self._changed:
            self._raise()
            if len(self._waiting) >= self._room or self._closing:
                return False
            self._waiting.append(piece)
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Wait until everything that was put is done, and end the thread; may be called twice."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                piece = self._waiting.popleft()
                self._changed.notify_all()
            try:
                self._work(piece)
            except BaseException as error:  # the caller's to handle
                with self._changed:
                    self._error, self._closing = error, True
                    self._waiting.clear()
                    self._changed.notify_all()
                return
            del piece  # not kept while waiting


def close_begun(worker: Worker[Any] | None) -> None:
    """Close a worker, if it was begun; what its work raised comes once."""
    if worker is not None:
        worker.close()
