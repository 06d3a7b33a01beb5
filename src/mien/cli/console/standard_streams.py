"""The standard streams of a verb: closed ones are put right, and trouble with stdout is told as that of any output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mien.files import output_error

_FLAGS = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)
"""How /dev/null takes the place of each: nothing can be written to a stdout that was closed, and stderr is lost."""


def open_closed_streams() -> None:
    """Take the numbers of standard streams that the caller has closed (`>&-`).

    Otherwise the next file that is opened gets such a number, and what libraries print on stderr lands in it.
    """
    for number, flags in enumerate(_FLAGS):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


@contextmanager
def stdout_told() -> Iterator[None]:
    """What is printed on stdout and cannot be raises OutputError, or ReaderLeft, whoever prints it."""
    before = sys.stdout
    if before is not None:
        sys.stdout = _Telling(before)
    try:
        yield
    finally:
        sys.stdout = before


class _Telling:
    """A text stream that writes to another."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _told():
            return int(self._stream.write(text))

    def writelines(self, lines: Sequence[str]) -> None:
        with _told():
            self._stream.writelines(lines)

    def flush(self) -> None:
        with _told():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise output_error("to stdout", error) from error
