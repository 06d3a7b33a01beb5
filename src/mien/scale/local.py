"""The engine of one machine: processes, each with its own models, one task at a time."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

from mien.errors import MienError
from mien.resource import Resource
from mien.scale.engine import Advanced, Ended, Outcome
from mien.scale.job import WorkItem

_END_S = 2.0
_KILLED = -int(getattr(signal, "SIGKILL", 9))


class LocalEngine(Resource):
    """Processes that do tasks; one that dies is replaced.

    Args:
        workers: how many, at least 1.
        setup: what each is told first: `folder`, `settings` and `how`, as JSON.
        log: takes what workers print.
        say: called with a line about each worker that died.
    """

    def __init__(self, workers: int, setup: Mapping[str, Any], log: IO[bytes], say: Callable[[str], object]) -> None:
        self.workers = workers
        self._setup = json.dumps(dict(setup)).encode() + b"\n"
        self._pieces = int(setup["how"].get("pieces", 1))
        self._log = log
        self._say = say
        self._heard: queue.SimpleQueue[tuple[_Process, dict[str, Any] | None]] = queue.SimpleQueue()
        self._processes: list[_Process] = []
        self._is_closed = False

    @property
    def pids(self) -> list[int]:
        """Of the processes that are there."""
        return [process.pid for process in self._processes]

    @property
    def free(self) -> int:
        return self.workers - sum(process.task is not None for process in self._processes)

    def submit(self, task: WorkItem) -> None:
        idle = next((process for process in self._processes if process.task is None), None)
        if idle is None:  # as many processes as there is work for
            idle = self._added()
        idle.begin(task)
        if task.kind == "split":  # who will do the ranges starts meanwhile
            while len(self._processes) < min(self.workers, self._pieces, os.cpu_count() or 1):
                self._added()

    def wait(self, timeout_s: float) -> Ended | Advanced | None:
        try:
            process, message = self._heard.get(timeout=timeout_s)
        except queue.Empty:
            return None
        task = process.task
        if message is None:
            return self._lost(process)
        if "ready" in message:
            process.is_ready = message["ready"]
            return None
        if task is None:
            return None
        if "frames" in message:
            return Advanced(task=task, frames=message["frames"])
        process.task = None
        return Ended(task=task, **message)

    def _added(self) -> _Process:
        process = _Process(self._setup, self._log, self._heard)
        self._processes.append(process)
        return process

    def close(self) -> None:
        self._is_closed = True
        for process in self._processes:
            process.end()
        self._processes.clear()

    def _lost(self, process: _Process) -> Ended | None:
        """A process is gone, with its task."""
        if process in self._processes:
            self._processes.remove(process)
        code = process.end()
        task, process.task = process.task, None
        if self._is_closed:
            return None
        outcome: Outcome = "killed" if code == _KILLED else "crashed"
        how = _how(code)
        self._say(f"worker {process.pid} {how}{'' if task is None else f' at {task.about}'}; another takes its place")
        if not process.is_ready and outcome == "crashed":
            raise MienError(f"A worker {how} before it had loaded the models; batch.log says why.")
        if task is None:
            return None
        return Ended(task=task, outcome=outcome, reason=f"{task.about}: the worker {how} while it looked at this.")


class _Process:
    """One process and the thread that listens to it."""

    def __init__(
        self, setup: bytes, log: IO[bytes], heard: queue.SimpleQueue[tuple[_Process, dict[str, Any] | None]]
    ) -> None:
        self.task: WorkItem | None = None
        self.is_ready = False
        # A safe path: no module of the folder that one stands in is taken for one that is wanted.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mien.scale.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
        self.pid = self._process.pid
        self._send(setup)
        self._thread = threading.Thread(target=self._listen, args=(heard,), name=f"worker {self.pid}", daemon=True)
        self._thread.start()

    def begin(self, task: WorkItem) -> None:
        self.task = task
        self._send(json.dumps(task.to_dict()).encode() + b"\n")

    def end(self) -> int:
        """End it, and return its exit code."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with suppress(OSError):
            if self._process.poll() is None and (self.task is not None or not self.is_ready):
                self._process.kill()
        try:
            code = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if threading.current_thread() is not self._thread:
            self._thread.join(_END_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def _send(self, line: bytes) -> None:
        with suppress(OSError):  # that it is gone is heard by its thread
            if self._process.stdin is not None:
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _listen(self, heard: queue.SimpleQueue[tuple[_Process, dict[str, Any] | None]]) -> None:
        if self._process.stdout is not None:
            with suppress(OSError, ValueError):
                for line in self._process.stdout:
                    with suppress(ValueError):  # it was killed in the middle of a line
                        heard.put((self, json.loads(line)))
        heard.put((self, None))


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
