from __future__ import annotations

import threading
from contextlib import suppress

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
