"""The process of a worker: tasks come in on stdin, what became of them goes out on stdout, one JSON object per line.

When the run that started it is gone, so is its end of stdin, and the worker ends at once.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
from typing import IO, Any

from mien.errors import InputError, MienError
from mien.resource import share_heaps
from mien.scale.folder import BatchFolder
from mien.scale.job import Settings, WorkItem
from mien.scale.tasks import Tell, Worker

_log = logging.getLogger(__name__)


def main() -> None:
    """Do what stdin says until it ends."""
    share_heaps()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the run, which ends its workers
    told = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print is no message
    logging.basicConfig(level=logging.WARNING, format=f"worker {os.getpid()}: %(message)s", stream=sys.stderr)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()

    first = json.loads(lines.get())
    worker = Worker(BatchFolder(first["folder"]), Settings.from_dict(first["settings"], **first["how"]))
    _tell(told, {"ready": True})
    with worker:
        while True:
            task = WorkItem.from_dict(json.loads(lines.get()))
            if task.kind == "look" and not worker.is_loaded:
                _tell(told, {"ready": False})  # should it die now, the task was not why
                try:
                    worker.load()
                except MienError as error:
                    _tell(told, {"outcome": "fatal", "reason": str(error), "exit_code": error.exit_code})
                    return
                _tell(told, {"ready": True})
            _tell(told, attempt(worker, task, lambda frames: _tell(told, {"frames": frames})))


def attempt(worker: Worker, task: WorkItem, tell: Tell) -> dict[str, Any]:
    """Do a task and say how it ended, as the fields of `Ended`.

    Args:
        worker: with its models.
        task: what to do.
        tell: is told how many frames are done.
    """
    try:
        return {"outcome": "done", "facts": worker.perform(task, tell)}
    except InputError as error:
        return {"outcome": "failed", "reason": str(error)}
    except MienError as error:  # nothing can be written, a package is missing, ...: the same for every source
        return {"outcome": "fatal", "reason": str(error), "exit_code": error.exit_code}
    except Exception as error:
        _log.exception("%s", task.about)
        return {"outcome": "failed", "reason": f"{task.about}: {type(error).__name__}: {str(error)[:200]}"}


def _tell(told: IO[bytes], message: dict[str, Any]) -> None:
    told.write(json.dumps(message).encode() + b"\n")


def _read(lines: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
