"""Passwords on the command line: nothing that is written to stderr while a verb runs shows them.

Errors of mien already name addresses without their secrets. This covers what others write there: the command-line
parser, a warning from a library, a traceback, a path made from an address.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mien.addresses import named


def hide_secrets(arguments: Sequence[str]) -> None:
    """`secrets_hidden`, until the process ends."""
    places = dict(_places(arguments))
    if places:
        sys.stderr = _Hiding(sys.stderr, places)


@contextmanager
def secrets_hidden(arguments: Sequence[str]) -> Iterator[None]:
    """On stderr, replace each argument that holds a password, or is unusually long, with what may be shown of it.

    Args:
        arguments: the words of the command; an option's value may follow its `=`.
    """
    before = sys.stderr
    hide_secrets(arguments)
    try:
        yield
    finally:
        sys.stderr = before


def _places(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What to replace with what, the longest forms first."""
    for argument in sorted(arguments, key=len, reverse=True):
        option, equals, behind = argument.partition("=") if argument.startswith("-") else ("", "", argument)
        value = behind if equals or not option else argument
        safe = named(value)
        if safe == value:
            continue
        for form in dict.fromkeys((value, repr(value)[1:-1], str(Path(value)))):
            yield form, safe


class _Hiding:
    """A text stream that writes to another with some parts replaced."""

    def __init__(self, stream: Any, places: dict[str, str]) -> None:
        self._stream = stream
        self._places = places

    def write(self, text: str) -> int:
        for secret, safe in self._places.items():
            text = text.replace(secret, safe)
        return int(self._stream.write(text))

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
