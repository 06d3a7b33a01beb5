"""A time limit for calls that may hang or raise, such as calls to voices and sound devices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum

from mien.errors import MienError
from mien.words import say

_POLL_S = 0.02
_GRACE_S = 0.8
"""How long a call may take to stop after it was asked to."""


class Outcome(Enum):
    """How a guarded call ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class TimeLimit:
    """Limits calls that may hang or raise: each has a time limit, and a part that failed once is not called again.

    A call runs on its own thread, which is left behind if it neither ends nor stops.

    Args:
        limit_s: seconds a call may take, in addition to its own allowance.
        report: called once for each part that is given up.
    """

    def __init__(self, limit_s: float, report: Callable[[str], None]) -> None:
        self.given_up: set[str] = set()
        self._limit_s, self._report = limit_s, report
        self._stop = threading.Event()
        self._closed = False

    def run(self, part: str, call: Callable[[threading.Event], None], *, more_s: float = 0.0) -> Outcome:
        """Make a call, which receives the event that asks it to stop.

        Args:
            part: name of what is called, used in messages.
            call: what to do.
            more_s: seconds it may take beyond the limit.
        """
        if part in self.given_up:
            return Outcome.FAILED
        self._stop = stop = threading.Event()
        if self._closed:
            return Outcome.STOPPED
        over, failures = self._start(part, call, stop)
        deadline_s = time.monotonic() + self._limit_s + more_s
        while not over.wait(_POLL_S):
            if stop.is_set():
                if not over.wait(_GRACE_S):
                    self._give_up(part, say("voice.does_not_stop", part=part))
                return Outcome.STOPPED
            if time.monotonic() > deadline_s:
                stop.set()
                self._give_up(part, say("voice.no_answer", part=part, seconds=self._limit_s + more_s))
                return Outcome.FAILED
        if stop.is_set():
            return Outcome.STOPPED
        if failures:
            self._give_up(part, failures[0])
            return Outcome.FAILED
        return Outcome.DONE

    def interrupt(self) -> None:
        """Ask the running call to stop."""
        self._stop.set()

    def close(self) -> None:
        """Ask the running call to stop, and make no more calls."""
        self._closed = True
        self._stop.set()

    def _start(
        self, part: str, call: Callable[[threading.Event], None], stop: threading.Event
    ) -> tuple[threading.Event, list[str]]:
        """Start a call; return the event set at its end, and the list that will hold its failure."""
        over = threading.Event()
        failures: list[str] = []

        def work() -> None:
            try:
                call(stop)
            except MienError as exc:
                failures.append(str(exc))
            except Exception as exc:  # whatever a voice does, the camera keeps running
                failures.append(say("voice.failed", part=part, why=str(exc) or type(exc).__name__))
            finally:
                over.set()

        threading.Thread(target=work, name=f"mien-{part}", daemon=True).start()
        return over, failures

    def _give_up(self, part: str, reason: str) -> None:
        self.given_up.add(part)
        if not self._closed:
            self._report(reason.rstrip("."))
