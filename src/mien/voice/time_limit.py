"""A time limit for calls that may hang or raise, such as those to voices and sound devices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum

from mien.errors import MienError

_POLL_S = 0.02
_GRACE_S = 0.8
"""How long something that was asked to stop may take."""


class Outcome(Enum):
    """How a guarded call ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


class TimeLimit:
    """Calls that may hang or raise: each has a time limit, and a part that failed once is not asked again.

    A call runs on a thread of its own, which is left behind when it neither ends nor stops.

    Args:
        limit_s: seconds a call may take, beyond what it is given more.
        report: is told once of each part that is given up.
    """

    def __init__(self, limit_s: float, report: Callable[[str], None]) -> None:
        self.given_up: set[str] = set()
        self._limit_s, self._report = limit_s, report
        self._stop = threading.Event()
        self._closed = False

    def run(self, part: str, call: Callable[[threading.Event], None], *, more_s: float = 0.0) -> Outcome:
        """Make a call, which gets the event that asks it to stop.

        Args:
            part: what is called; the name it is given up by.
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
                    self._give_up(part, f"{part} does not stop when asked to")
                return Outcome.STOPPED
            if time.monotonic() > deadline_s:
                stop.set()
                self._give_up(part, f"{part} gave no answer for {self._limit_s + more_s:.0f} seconds")
                return Outcome.FAILED
        if stop.is_set():
            return Outcome.STOPPED
        if failures:
            self._give_up(part, failures[0])
            return Outcome.FAILED
        return Outcome.DONE

    def interrupt(self) -> None:
        """Ask the call that runs to stop."""
        self._stop.set()

    def close(self) -> None:
        """Ask the call that runs to stop and make no more."""
        self._closed = True
        self._stop.set()

    def _start(
        self, part: str, call: Callable[[threading.Event], None], stop: threading.Event
    ) -> tuple[threading.Event, list[str]]:
        """Start a call; give the event of its end, and the list that its failure will be in."""
        over = threading.Event()
        failures: list[str] = []

        def work() -> None:
            try:
                call(stop)
            except MienError as exc:
                failures.append(str(exc))
            except Exception as exc:  # whatever a voice does, the camera goes on
                failures.append(f"{part} failed: {str(exc) or type(exc).__name__}")
            finally:
                over.set()

        threading.Thread(target=work, name=f"mien-{part}", daemon=True).start()
        return over, failures

    def _give_up(self, part: str, reason: str) -> None:
        self.given_up.add(part)
        if not self._closed:
            self._report(reason.rstrip("."))
