"""Resources that must be closed (a `with` statement closes them whatever happens), and cores that are shared."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from mien.errors import OutputError

R = TypeVar("R", bound="Resource")

_log = logging.getLogger(__name__)


_MOST_THREADS = 4
_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h


def usable_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_threads() -> int:
    """Threads for one computation: as many as there are usable cores, 4 at most."""
    return min(usable_cores(), _MOST_THREADS)


def share_heaps(most: int = 2) -> bool:
    """Keep this process's threads to a few heaps, for a whole program, not for a library.

    Otherwise glibc gives each thread one of its own, and what has been freed in one is not used by another (15 MB for
    `mien look` of a 1080p video).

    Args:
        most: heaps of all threads together.

    Returns:
        Whether it was changed: only on Linux with glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_ARENA_MAX, most))


class Resource:
    """Base of everything that holds a model, a thread or a file; `close` may be called twice."""

    def close(self) -> None:
        """Release what is held."""
        raise NotImplementedError

    def __enter__(self: R) -> R:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ResultWriter(Resource):
    """Base of what writes a result: an error within its `with` statement ends it by `fail` instead of `close`."""

    def fail(self) -> None:
        """Close after an error or interruption: what is finished stays readable."""
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        try:
            self.fail()
        except OutputError as second:  # the first error is the one to tell
            _log.warning("%s", second)


class Turns:
    """A few threads at a time, or one alone.

    Args:
        most: how many share it at the same time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._places = threading.Semaphore(most)
        self._changing = threading.Lock()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Wait for a place, and hold it in this block."""
        with self._places:
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until all others are done; nobody else is inside during this block."""
        with self._changing:
            for _ in range(self._most):
                self._places.acquire()
            try:
                yield
            finally:
                self._places.release(self._most)
