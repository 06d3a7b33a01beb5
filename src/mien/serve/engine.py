"""The models, loaded once and shared by all requests, connections and jobs, and the threads that they run on."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.labels import TASKS, Task
from mien.pipeline import Analyzer, CropReader, Options
from mien.resource import Resource
from mien.serve.problems import busy

T = TypeVar("T")

_LARGE_BYTES = 16_000_000  # of a picture: smaller ones are stored where earlier ones were

_WORKERS = 3
"""One computes, while the others decode what comes next or write what was found."""


class Models(Resource):
    """Everything that answers.

    Args:
        options: which models, and how they compute.

    Attributes:
        largest_bytes: of the pictures since memory was given back.

    Raises:
        UnknownName, ModelError: a model cannot be used.
    """

    def __init__(self, options: Options) -> None:
        with ExitStack() as stack:
            self.analyzer = stack.enter_context(Analyzer(options))
            self._readers: dict[Task, CropReader] = {
                task: stack.enter_context(CropReader(task, options)) for task in TASKS
            }
            self._resources = stack.pop_all()
        self.largest_bytes = 0

    def note(self, image_rgb: NDArray[np.uint8]) -> None:
        """Say how large a picture is that is looked at."""
        self.largest_bytes = max(self.largest_bytes, image_rgb.nbytes)

    def reader(self, task: Task) -> CropReader:
        """What reads crops for a task."""
        return self._readers[task]

    def close(self) -> None:
        """Free the models."""
        self._resources.close()


class Engine(Resource):
    """Runs work with the models on a few threads, first come, first served.

    Args:
        options: which models; loaded by `load`, or when the first work needs them.
        most: how many requests may be read or wait at the same time; see `admitted`.
        idle_s: seconds without work after which `rest` releases the models; None keeps them.
        clock: what idle time goes by, in seconds.
    """

    def __init__(
        self,
        options: Options,
        *,
        most: int = 64,
        idle_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options, self._most, self._idle_s, self._clock = options, most, idle_s, clock
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="mien-serve")
        self._changing = threading.Lock()
        self._models: Models | None = None
        self._working = 0
        self._worked_s = clock()
        self.admitted_now = 0

    @property
    def is_loaded(self) -> bool:
        """Whether the models are in memory."""
        return self._models is not None

    def load(self) -> None:
        """Load the models now.

        Raises:
            UnknownName, ModelError: a model cannot be used.
        """
        with self._changing:
            self._loaded()

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """A place for one request, from before its body is read until it is answered.

        Raises:
            Problem: 503, there are too many.
        """
        if self.admitted_now >= self._most:
            raise busy(f"This server is reading {self._most} pictures already")
        self.admitted_now += 1
        try:
            yield
        finally:
            self.admitted_now -= 1

    async def run(self, work: Callable[[Models], T]) -> T:
        """The result of work, done on another thread; it is finished even if nobody waits for it any more."""
        return await asyncio.shield(asyncio.wrap_future(self.submit(work)))

    def submit(self, work: Callable[[Models], T]) -> Future[T]:
        """Queue work from any thread."""
        return self._pool.submit(self._done, work)

    def rest(self) -> bool:
        """Release the models if there was no work for `idle_s`; says whether it did."""
        with self._changing:
            if self._models is None or self._idle_s is None or self._working:
                return False
            if self._clock() - self._worked_s < self._idle_s:
                return False
            self._models.close()
            self._models = None
        _return_memory()
        return True

    def tidy(self) -> None:
        """Give back the memory of large pictures, and the models if there was no work for `idle_s`."""
        models = self._models
        if models is not None and models.largest_bytes >= _LARGE_BYTES:
            models.largest_bytes = 0
            _return_memory()
        self.rest()

    def close(self) -> None:
        """Free the models once the work at hand is done; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._changing:
            if self._models is not None:
                self._models.close()
                self._models = None

    def _done(self, work: Callable[[Models], T]) -> T:
        with self._changing:
            models = self._loaded()
            self._working += 1
        try:
            return work(models)
        finally:
            with self._changing:
                self._working -= 1
                self._worked_s = self._clock()

    def _loaded(self) -> Models:
        if self._models is None:
            self._models = Models(self._options)
            self._worked_s = self._clock()
        return self._models


def _return_memory() -> None:
    """Give freed memory back to the system; the C library of Linux keeps it otherwise."""
    gc.collect()
    if sys.platform.startswith("linux"):
        try:
            ctypes.CDLL(None).malloc_trim(0)
        except (AttributeError, OSError):  # another C library
            return
