"""A live run: frames captured on one thread, looked at on another, and given out on the caller's.

    capture -> one waiting frame -> analysis -> one analyzed frame -> the caller's outputs

At most three frames are under way: the waiting one, the one being looked at, and the one that was finished or is being
given out; how they are captured says `mien.sources.capture`. Whatever goes wrong on a thread is raised on the caller's,
after the frames before it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mien.resource import Resource
from mien.scene import Frame, Scene
from mien.sources import Capture, Captured, Source

Analysis = Callable[[Frame], Scene]

_JOIN_S = 1.0
"""How long `close` waits for the analysis; one that goes on is left behind and ends with the process."""

_WATCH_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzedFrame:
    """A frame that was looked at.

    Args:
        scene: what is in it.
        captured_s: when the frame came, by `time.monotonic`.
        stage_ms: milliseconds the frame waited (`wait`) and was looked at (`analysis`).
    """

    scene: Scene
    captured_s: float
    stage_ms: Mapping[str, float] = field(default_factory=dict)


class Runner(Resource):
    """Runs a source through an analysis; iterate over it, or ask `next` so as not to wait.

    Args:
        source: closed with the runner.
        analysis: called on a thread of its own, one frame at a time.
    """

    def __init__(self, source: Source, analysis: Analysis) -> None:
        self._capture = source if isinstance(source, Capture) else Capture(source)
        self._analysis = analysis
        self._changed = threading.Condition()
        self._ready: AnalyzedFrame | None = None
        self._given = False
        self._paused = False
        self._closed = False
        self._analysed_all = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._analyse, name="mien-analysis", daemon=True)
        self._thread.start()

    @property
    def status(self) -> str:
        """Of the source."""
        return self._capture.status

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
        """The next analyzed frame; the one before counts as given out from now on.

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
        self._capture.close()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)

    def _analyse(self) -> None:
        try:
            while self._resumed() and (captured := self._capture.take()) is not None:
                moment = self._look(captured)
                del captured
                with self._changed:
                    self._changed.wait_for(lambda: (self._ready is None and not self._given) or self._closed)
                    self._ready = moment
                    self._changed.notify_all()
                del moment
        except BaseException as caught:  # it is raised again where the caller waits
            with self._changed:
                self._error = caught
        with self._changed:
            self._analysed_all = True
            self._changed.notify_all()

    def _resumed(self) -> bool:
        """Wait while paused; False when closed."""
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: not self._paused or self._closed, _WATCH_S):
                    return not self._closed
            self._capture.watch()  # a camera that is lost meanwhile is connected to anew

    def _look(self, captured: Captured) -> AnalyzedFrame:
        started = time.monotonic()
        scene = self._analysis(captured.frame)
        looked = time.monotonic() - started
        return AnalyzedFrame(
            scene=scene,
            captured_s=captured.captured_s,
            stage_ms={"wait": 1000 * (started - captured.captured_s), "analysis": 1000 * looked},
        )
