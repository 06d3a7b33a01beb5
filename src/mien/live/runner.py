"""A live run: frames captured on one thread, looked at on another, and given out on the caller's.

    capture -> one waiting frame -> analysis -> one finished moment -> the caller's outputs

At most three frames are under way: the waiting one, the one being looked at, and the one that was finished or is being
given out. A live source keeps only its newest frame waiting, so that a slow stage makes fewer frames, not later ones;
of a file every frame is kept. Whatever goes wrong on a thread is raised on the caller's, after the frames before it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mien.resource import Resource
from mien.scene import Frame, Scene
from mien.sources import Source

Analysis = Callable[[Frame], Scene]

_JOIN_S = 1.0
"""How long `close` waits for each thread; one that hangs in a driver is left behind and ends with the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzedFrame:
    """A frame that was looked at.

    Args:
        scene: what is in it.
        captured_s: when the frame came, by the runner's clock.
        dropped: frames of a live source that were passed over since the moment before.
        stage_ms: milliseconds the frame waited (`wait`) and was looked at (`analysis`).
    """

    scene: Scene
    captured_s: float
    dropped: int
    stage_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Captured:
    frame: Frame
    captured_s: float
    dropped: int


class Runner(Resource):
    """Runs a source through an analysis; iterate over it, or ask `next` so as not to wait.

    Args:
        source: closed with the runner.
        analysis: called on a thread of its own, one frame at a time.
        clock: seconds that never jump.
    """

    def __init__(self, source: Source, analysis: Analysis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self.clock = clock
        self._analysis = analysis
        self._changed = threading.Condition()
        self._waiting: _Captured | None = None
        self._ready: AnalyzedFrame | None = None
        self._given = False
        self._paused = False
        self._closed = False
        self._captured_all = False
        self._analysed_all = False
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._capture, name="mien-capture", daemon=True),
            threading.Thread(target=self._analyse, name="mien-analysis", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def paused(self) -> bool:
        """Whether no frames are looked at; of a live source they go on passing."""
        return self._paused

    @paused.setter
    def paused(self, value: bool) -> None:
        with self._changed:
            self._paused = value
            self._changed.notify_all()

    def next(self, timeout_s: float | None = None) -> AnalyzedFrame | None:
        """The next moment; the one before counts as given out from now on.

        Args:
            timeout_s: how long to wait for it; None waits as long as it takes.

        Returns:
            None when the time is over.

        Raises:
            StopIteration: the source has ended or the runner was closed.
            Exception: whatever the source or the analysis raised.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            self._given = False
            self._changed.notify_all()
            while self._ready is None or self._closed:
                if self._closed:
                    raise StopIteration
                if self._error is not None and self._analysed_all:
                    error, self._error = self._error, None
                    self._closed = True
                    self._changed.notify_all()
                    raise error
                if self._analysed_all:
                    raise StopIteration
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._changed.wait(left)
            moment, self._ready = self._ready, None
            self._given = True
            return moment

    def __iter__(self) -> Iterator[AnalyzedFrame]:
        while True:
            try:
                moment = self.next()
            except StopIteration:
                return
            if moment is not None:
                yield moment

    def close(self) -> None:
        """End both threads and the source; may be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.source.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_S)

    def _capture(self) -> None:
        error: BaseException | None = None
        dropped = 0
        try:
            for frame in self.source:
                captured = _Captured(frame, self.clock(), 0)
                with self._changed:
                    if not self.source.is_live:
                        self._changed.wait_for(lambda: self._waiting is None or self._closed)
                    if self._closed:
                        break
                    dropped = self._waiting.dropped + 1 if self._waiting is not None else 0
                    captured.dropped = dropped
                    self._waiting = captured
                    self._changed.notify_all()
        except BaseException as caught:  # it is raised again where the caller waits
            error = caught
        with self._changed:
            self._captured_all = True
            self._error = self._error or error
            self._changed.notify_all()

    def _analyse(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(self._can_analyse)
                    captured = self._waiting
                    if captured is None or self._closed:
                        break
                    self._waiting = None
                    self._changed.notify_all()
                moment = self._look(captured)
                with self._changed:
                    self._changed.wait_for(lambda: (self._ready is None and not self._given) or self._closed)
                    self._ready = moment
                    self._changed.notify_all()
        except BaseException as caught:  # it is raised again where the caller waits
            with self._changed:
                self._error = caught
        with self._changed:
            self._analysed_all = True
            self._changed.notify_all()

    def _can_analyse(self) -> bool:
        if self._closed:
            return True
        if self._waiting is not None:
            return not self._paused
        return self._captured_all

    def _look(self, captured: _Captured) -> AnalyzedFrame:
        started = time.perf_counter()
        waited = self.clock() - captured.captured_s
        scene = self._analysis(captured.frame)
        looked = time.perf_counter() - started
        return AnalyzedFrame(
            scene=scene,
            captured_s=captured.captured_s,
            dropped=captured.dropped,
            stage_ms={"wait": 1000 * waited, "analysis": 1000 * looked},
        )
