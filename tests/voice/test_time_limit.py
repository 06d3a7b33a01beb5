from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from mien.errors import OutputError
from mien.voice.time_limit import Outcome, TimeLimit


@pytest.fixture
def told() -> list[str]:
    return []


def test_a_call_that_ends(told: list[str]) -> None:
    guard = TimeLimit(5, told.append)
    seen: list[threading.Event] = []
    assert guard.run("part", seen.append) is Outcome.DONE
    assert not seen[0].is_set()
    assert told == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OutputError("There is no device."), "There is no device"),
        (ValueError("odd"), "part failed: odd"),
        (KeyError(), "part failed: KeyError"),
    ],
)
def test_a_call_that_raises_is_the_last(told: list[str], error: Exception, words: str) -> None:
    guard = TimeLimit(5, told.append)
    calls = []

    def fail(stop: threading.Event) -> None:
        calls.append(stop)
        raise error

    assert [guard.run("part", fail) for _ in range(3)] == [Outcome.FAILED] * 3
    assert len(calls) == 1
    assert told == [words]
    assert guard.run("other", calls.append) is Outcome.DONE


def test_a_call_that_hangs_is_left_behind(told: list[str]) -> None:
    over = threading.Event()
    start_s = time.monotonic()
    assert TimeLimit(0.1, told.append).run("part", lambda _: over.wait(30), more_s=0.1) is Outcome.FAILED
    assert 0.2 <= time.monotonic() - start_s < 2
    assert len(told) == 1
    over.set()


@pytest.mark.parametrize("ask", [TimeLimit.interrupt, TimeLimit.close])
def test_a_call_that_is_asked_to_stop(told: list[str], ask: Callable[[TimeLimit], None]) -> None:
    guard = TimeLimit(30, told.append)
    threading.Timer(0.1, ask, [guard]).start()
    start_s = time.monotonic()
    assert guard.run("part", lambda stop: stop.wait(30)) is Outcome.STOPPED
    assert time.monotonic() - start_s < 2
    assert told == []
    expected = Outcome.STOPPED if ask is TimeLimit.close else Outcome.DONE
    assert guard.run("part", lambda _: None) is expected
