"""Where records go: a file that appears when complete, a file that others follow while it grows, or a stream."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from mien.errors import OutputError
from mien.files.locks import busy, hold
from mien.files.targets import open_stream, output_error
from mien.files.whole import PartFile, written_elsewhere
from mien.words import say

_log = logging.getLogger(__name__)

_TAIL_BYTES = 1 << 16


class Sink(Protocol):
    """Takes records, and ends them with a tail (such as the end of a JSON array) whenever it is closed."""

    def add(self, data: bytes, tail: bytes) -> None: ...
    def close(self, tail: bytes) -> None: ...
    def fail(self, tail: bytes, *, records: int) -> None:
        """Close after an error or interruption, which came after this many records."""


class StreamSink:
    """stdout, as bytes if possible, so that the terminal's encoding does not matter."""

    def __init__(self) -> None:
        self._closed = False

    def add(self, data: bytes, tail: bytes) -> None:
        del tail  # a stream cannot overwrite its end: `close` writes it
        self._write(data)

    def close(self, tail: bytes) -> None:
        if not self._closed:
            self._closed = True
            if tail:
                self._write(tail)

    def fail(self, tail: bytes, *, records: int) -> None:
        if records:
            self.close(tail)
        self._closed = True

    def _write(self, data: bytes) -> None:
        stream = sys.stdout
        if stream is None:  # whoever started this has closed it
            self._closed = True
            raise output_error("to stdout", OSError(errno.EBADF, os.strerror(errno.EBADF)))
        try:
            if hasattr(stream, "buffer"):
                stream.flush()
                stream.buffer.write(data)
            else:
                stream.write(data.decode())
            stream.flush()
        except OSError as error:
            self._closed = True
            raise output_error("to stdout", error) from error
        except OutputError:
            self._closed = True
            raise


class PipeSink:
    """A named pipe, a device, or a file descriptor, as a shell's `>(command)` gives it."""

    def __init__(self, target: str | Path) -> None:
        self._name = str(target)
        wait = say("output.pipe_waits", target=target)
        self._file: io.FileIO | None = io.FileIO(open_stream(target, on_wait=lambda: _log.warning("%s", wait)), "w")

    def add(self, data: bytes, tail: bytes) -> None:
        del tail
        self._write(data)

    def close(self, tail: bytes) -> None:
        if self._file is not None:
            try:
                if tail:
                    self._write(tail)
            finally:
                self._drop()

    def fail(self, tail: bytes, *, records: int) -> None:
        if records:
            self.close(tail)
        self._drop()

    def _write(self, data: bytes) -> None:
        if self._file is None:
            raise OutputError(f"Cannot write {self._name}: it is closed.")
        try:
            write_all(self._file, data)
        except OSError as error:
            self._drop()
            raise output_error(self._name, error) from error

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()


class FileSink:
    """A file that always ends in a complete record and the tail, and gets its name when it is closed.

    After an error or interruption what is finished gets the name too, unless that would replace an earlier file: then
    it keeps its `.part` name, and the log says so.
    """

    def __init__(self, target: str | Path) -> None:
        self._name = str(target)
        self._part = PartFile(target)
        self._end = 0
        try:
            self._file: io.FileIO | None = io.FileIO(self._part.path, "w")
        except OSError as error:
            self._part.discard()
            raise output_error(target, error) from error

    @property
    def path(self) -> Path:
        """Where it is written until it is complete."""
        return self._part.path

    def add(self, data: bytes, tail: bytes) -> None:
        """Write a record over the tail, then the tail again; if that fails, restore what was there."""
        if self._file is None:
            raise OutputError(f"Cannot write {self._name}: it is closed.")
        try:
            self._put(self._file, data + tail)
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
                self._put(self._file, tail if self._end else b"")
            raise output_error(self._name, error) from error
        self._end += len(data)

    def close(self, tail: bytes) -> None:
        del tail  # it is already there
        if self._finish():
            self._part.commit()

    def fail(self, tail: bytes, *, records: int) -> None:
        del tail
        if not self._finish():
            return
        if not records:
            self._part.discard()
        elif self._part.replaces:
            self._part.keep()
            _log.warning("%s stays as it was; what was finished is in %s", self._name, self._part.path)
        else:
            self._part.commit()

    def _finish(self, *, sync: bool = True) -> bool:
        """Close the file, by default with everything flushed to disk; False if it was closed before."""
        file, self._file = self._file, None
        if file is None:
            return False
        try:
            if sync:
                os.fsync(file.fileno())
        except OSError as error:
            self._part.keep()
            raise output_error(self._name, error) from error
        finally:
            file.close()
        return True

    def _put(self, file: io.FileIO, data: bytes) -> None:
        file.seek(self._end)
        write_all(file, data)


class FollowedSink:
    """A file that grows by complete records under its own name, so that others can follow it.

    An earlier file is replaced, or added to, when the first record arrives; without one it is left alone.

    Args:
        target: an ordinary file, which need not exist.
        join: looks at an earlier file that is to be added to, and returns where new records go and what to write before
            the first one; None replaces the file.

    Attributes:
        adds: whether there are earlier records before the new ones.

    Raises:
        OutputError: it cannot be opened, or another run is writing it.
    """

    def __init__(self, target: str | Path, join: Callable[[io.FileIO], tuple[int, bytes]] | None = None) -> None:
        self._name = str(target)
        path = Path(os.path.realpath(target))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made = path if not path.exists() else None
            if written_elsewhere(path):
                raise busy(target)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._file: io.FileIO | None = io.FileIO(os.open(path, flags, 0o666), "r+")
        except OSError as error:
            raise output_error(target, error) from error
        self.adds = False
        self._begun = False
        self._prefix = b""
        self._end = 0
        if not hold(self._file.fileno()):
            self._made = None  # the other run's
            self._drop()
            raise busy(target)
        try:
            size = self._file.seek(0, os.SEEK_END)
            if join is not None and size:
                self._end, self._prefix = join(self._file)
                self.adds = self._end > 0
        except BaseException:
            self._drop()
            raise

    def add(self, data: bytes, tail: bytes) -> None:
        """Add a record; if that fails, the file ends in the previous one."""
        del tail  # a followed file has no tail
        if self._file is None:
            raise OutputError(f"Cannot write {self._name}: it is closed.")
        try:
            if not self._begun:
                self._file.truncate(self._end)
                data = self._prefix + data
                self._begun = True
            self._file.seek(self._end)
            write_all(self._file, data)
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise output_error(self._name, error) from error
        self._end += len(data)

    def close(self, tail: bytes) -> None:
        del tail
        if self._file is not None and not self._begun and not self.adds:
            with suppress(OSError):
                self._file.truncate(0)  # a run without records replaces the earlier file too
        self._made = None
        self._drop()

    def fail(self, tail: bytes, *, records: int) -> None:
        del tail
        if records:
            self._made = None
        self._drop()

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
            if self._made is not None:
                self._made.unlink(missing_ok=True)


def last_line(file: io.FileIO) -> bytes:
    """What follows the last line end in an open file; empty if the file ends in one."""
    end = file.seek(0, os.SEEK_END)
    found = b""
    while end:
        start = max(0, end - _TAIL_BYTES)
        file.seek(start)
        found = file.read(end - start) + found
        head, newline, rest = found.rpartition(b"\n")
        if newline:
            del head
            return rest
        end = start
    return found


def write_all(file: io.FileIO, data: bytes) -> None:
    """Write everything; a full disk accepts part of the data without an error."""
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[written:]
