"""What a command says when it is interrupted: that what was finished is saved, unless a verb knows better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SAVED = "what was finished is saved"


class Interrupted(KeyboardInterrupt):
    """An interruption of a verb that knows what it leaves; the message says it, as "no report was written"."""


@contextmanager
def interruption_tells(what: str | Callable[[], str]) -> Iterator[None]:
    """While this lasts, an interruption leaves what is said here; the innermost knows best. Also decorates a verb.

    Args:
        what: the end of the sentence "interrupted; ...", or what finds it out when it happens.
    """
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as interruption:
        raise Interrupted(what if isinstance(what, str) else what()) from interruption


def told_of(end: BaseException) -> str:
    """What the interruption that led to this end leaves, in words."""
    error: BaseException | None = end
    while error is not None:
        if isinstance(error, Interrupted):
            return str(error)
        error = error.__cause__ or error.__context__
    return SAVED
