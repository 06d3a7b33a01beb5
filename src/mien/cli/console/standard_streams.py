"""The standard streams of a verb: closed ones are put right, every text can be written in any locale, and trouble with
stdout is told as that of any output."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mien.files.targets import output_error

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


_LEGIBLE = "mien.legible"
"""Name of the error handler `_legible`."""


def make_streams_legible() -> None:
    """Let stdout and stderr take every text, whatever the locale.

    The encoding of the locale stays, GB2312 say, and what it lacks is written as an escape (`\\u00e9`), so that no text
    fails. ASCII, as of LANG=C, is no encoding of a terminal any more and becomes UTF-8. Names of files that are not
    valid in the locale are written as the bytes that they are.
    """
    codecs.register_error(_LEGIBLE, _legible)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if is_ascii else stream.encoding, errors=_LEGIBLE)


def _legible(error: UnicodeError) -> tuple[str | bytes, int]:
    """Bytes of file names, which Python keeps as lone surrogates, as they are; escapes for all else."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letter = error.object[error.start]
    if "\udc80" <= letter <= "\udcff":
        return bytes([ord(letter) - 0xDC00]), error.start + 1
    return letter.encode("ascii", "backslashreplace"), error.start + 1


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
