"""A user command for every event: `--on-event "notify-send {label}"`."""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress

from mien.errors import InputError, UnknownName
from mien.records.events import event_json
from mien.resource import Resource
from mien.scene import Event
from mien.wording import count

_log = logging.getLogger(__name__)

PLACEHOLDERS = ("kind", "task", "label", "track", "time_s", "duration_s")
"""Placeholders allowed in a command; each is replaced by the event's value."""

MOST_WAITING = 16
"""At most this many events wait for their command; beyond that the oldest is dropped."""

_CLOSE_S = 2.0
_KILL_S = 0.5
_PLACE = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")


class EventCommand(Resource):
    """Runs a command for each event, one after another, on its own thread; call it with the event.

    The call never blocks. No shell is used: the command is split into words as a shell would, and each placeholder is
    replaced inside its word, so that no value can become a command; use `sh -c "..."` if you need a shell. The command
    gets the event on stdin as one line of JSON. What it prints goes to stderr, because stdout carries data. A command
    that fails, or takes too long and is stopped, is reported in the log, once for each kind of failure.

    Args:
        command: for example `notify-send "{task}" "{label} since {time_s} s"`; `{{label}}` stands for `{label}` itself.
        limit_s: how long one run may take, in seconds.

    Raises:
        UnknownName: there is no such placeholder.
        InputError: the command is empty, cannot be split into words, or names no program.
    """

    def __init__(self, command: str, *, limit_s: float = 10.0) -> None:
        if not limit_s > 0:
            raise ValueError(f"the time limit of a command must be above 0 s, got {limit_s} s")
        self._words = _split(command)
        self._limit_s = limit_s
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._abandoned = False
        self._process: subprocess.Popen[bytes] | None = None
        self._said: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="mien-on-event", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Queue the command for an event; if too many are waiting, the oldest is dropped."""
        with self._changed:
            if self._closed:
                return
            if len(self._waiting) == MOST_WAITING:
                self._waiting.popleft()
                self._say(f"is slower than the events: the oldest of {MOST_WAITING} waiting events are dropped")
            self._waiting.append(event)
            self._changed.notify_all()

    def close(self) -> None:
        """Give waiting commands two seconds, then stop; may be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            return
        with self._changed:
            self._abandoned = True
            left = len(self._waiting)
            self._waiting.clear()
            if self._process is not None:
                _kill(self._process)
        self._say(f"was still running at the end and was stopped; {count(left, 'more event')} still waiting")
        self._thread.join(_KILL_S)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                event = self._waiting.popleft()
            try:
                self._run(event)
            except Exception as error:  # later events must still get their command
                self._say(f"could not be run ({type(error).__name__}: {error})")

    def _run(self, event: Event) -> None:
        values = {name: str(value) for name, value in event.to_dict().items()}
        words = [_filled(word, values) for word in self._words]
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=_stderr(),
                start_new_session=True,  # Ctrl-C is for mien alone, and the command's children can be stopped with it
            )
        except (OSError, ValueError) as error:
            self._say(f"cannot be started: {getattr(error, 'strerror', None) or error}")
            return
        with self._changed:
            self._process = process
            if self._abandoned:
                _kill(process)
        try:
            self._wait(process, event_json(event) + b"\n")
        finally:
            with self._changed:
                self._process = None

    def _wait(self, process: subprocess.Popen[bytes], told: bytes) -> None:
        try:
            process.communicate(told, timeout=self._limit_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            self._say(f"took longer than {self._limit_s:g} s and was stopped")
            return
        code = process.returncode
        if code and not self._abandoned:
            self._say(f"ended with code {code}" if code > 0 else f"was ended by signal {-code}")

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            _log.warning("The command for events, %s, %s.", self._words[0], sentence)


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(
            f"The command {command!r} cannot be split into words: {error}; close every quotation mark."
        ) from error
    if not words or not words[0]:
        raise InputError("The command for events is empty; give a program and its arguments.")
    for word in words:
        for _, name in _PLACE.findall(word):
            if name and name not in PLACEHOLDERS:
                raise UnknownName("placeholder", name, PLACEHOLDERS)
    if _PLACE.search(words[0]) is None and shutil.which(words[0]) is None:
        raise InputError(f"There is no program {words[0]} to run for events; check its name or give its full path.")
    return words


def _filled(word: str, values: dict[str, str]) -> str:
    return _PLACE.sub(lambda found: f"{{{found[1]}}}" if found[1] else values[found[2]], word)


def _stderr() -> int:
    """Where a command may print: our stderr if it is a real file, otherwise nowhere."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return subprocess.DEVNULL


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command and everything it has started."""
    if process.poll() is not None:
        return
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
