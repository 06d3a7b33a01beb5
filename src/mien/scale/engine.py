"""The interface between a run and the engine that does its tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mien.scale.job import WorkItem

Outcome = Literal["done", "failed", "crashed", "killed", "fatal"]
"""How a task ended: `failed` with a sentence about the source; `crashed` with its worker; `killed` with it from outside
(or for want of memory, which looks the same); `fatal` where no other task would fare better, as on a full disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A task that ended, well or not.

    Args:
        task: which one.
        outcome: how.
        facts: what came of it.
        reason: why it did not end well, one sentence.
        exit_code: of the command, where the outcome is `fatal`.
    """

    task: WorkItem
    outcome: Outcome
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    exit_code: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """A task that is under way: how many frames of it are done."""

    task: WorkItem
    frames: int


class Engine(Protocol):
    """Does tasks; a worker does one at a time."""

    workers: int

    @property
    def free(self) -> int:
        """How many more tasks can begin."""
        ...

    def submit(self, task: WorkItem) -> None:
        """Have a task begun; one must be free."""
        ...

    def wait(self, timeout_s: float) -> Ended | Advanced | None:
        """The next thing that happened, None if nothing does in time."""
        ...

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        ...
