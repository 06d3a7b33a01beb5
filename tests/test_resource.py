from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from mien.resource import Turns


def test_a_few_share_and_one_alone_waits_for_all_of_them() -> None:
    turns = Turns(2)
    both, go = threading.Barrier(3, timeout=30), threading.Event()
    third, alone = threading.Event(), threading.Event()

    def share() -> None:
        with turns.shared():
            both.wait()
            assert go.wait(30)

    def enter(entered: threading.Event) -> None:
        with turns.alone() if entered is alone else turns.shared():
            entered.set()

    threads = [threading.Thread(target=share) for _ in range(2)]
    for thread in threads:
        thread.start()
    both.wait()  # two are inside at the same time
    threads += [threading.Thread(target=enter, args=(entered,)) for entered in (third, alone)]
    for thread in threads[2:]:
        thread.start()
    assert not third.wait(0.05)
    assert not alone.is_set()
    go.set()
    for thread in threads:
        thread.join(30)
    assert third.is_set()
    assert alone.is_set()


def test_whoever_is_alone_lets_nobody_in_and_goes_in_spite_of_an_error() -> None:
    turns, entered = Turns(3), threading.Event()

    def share() -> None:
        with turns.shared():
            entered.set()

    thread = threading.Thread(target=share)
    with suppress(KeyError), turns.alone():
        thread.start()
        assert not entered.wait(0.05)
        {}["nothing"]
    thread.join(30)
    assert entered.is_set()
    with turns.alone():
        pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="heaps are those of glibc")
def test_threads_share_a_few_heaps() -> None:
    """In a process of its own: glibc says how many heaps there are in a report as XML."""
    code = """
import ctypes, os, threading
from mien.resource import share_heaps
libc = ctypes.CDLL(None)
assert share_heaps(2) == hasattr(libc, "mallopt")
barrier = threading.Barrier(9)
def work():
    held = [bytearray(50_000) for _ in range(20)]
    barrier.wait()
    return held
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
barrier.wait()
[thread.join() for thread in threads]
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert 1 <= done.stdout.count("<heap nr=") <= 2
