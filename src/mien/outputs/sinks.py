"""Where records go: a file that at every moment ends in a whole record, or stdout."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from mien.errors import OutputError
from mien.files import PartFile, output_error


class Sink(Protocol):
    """Takes records that are followed by a tail (such as the end of a JSON array) whenever it is closed."""

    def add(self, data: bytes, tail: bytes) -> None: ...
    def close(self, tail: bytes) -> None: ...
    def discard(self) -> None: ...


class StreamSink:
    """stdout, as bytes where it has them, so that the encoding of the terminal plays no part."""

    def __init__(self) -> None:
        self._closed = False
        self._broken = False

    def add(self, data: bytes, tail: bytes) -> None:
        del tail  # a stream cannot go back over its end: `close` writes it
        self._write(data)

    def close(self, tail: bytes) -> None:
        if not self._closed and not self._broken:
            self._closed = True
            self._write(tail)

    def discard(self) -> None:
        self._closed = True

    def _write(self, data: bytes) -> None:
        stream = sys.stdout
        try:
            if hasattr(stream, "buffer"):
                stream.flush()
                stream.buffer.write(data)
            else:
                stream.write(data.decode())
            stream.flush()
        except OSError as error:
            self._broken = True
            raise output_error("to stdout", error) from error


class FileSink:
    """A file that at every moment ends in a whole record and the tail."""

    def __init__(self, target: str | Path) -> None:
        self._part = PartFile(target)
        self._name = str(target)
        self._end = 0
        try:
            self._file: io.FileIO | None = io.FileIO(self._part.path, "w")
        except OSError as error:
            raise output_error(target, error) from error
        self._seeks = self._file.seekable()

    def add(self, data: bytes, tail: bytes) -> None:
        """Put a record over the tail, and the tail after it; when that fails, restore what was there."""
        if self._file is None:
            raise OutputError(f"Cannot write {self._name}: it is closed.")
        try:
            self._write(self._file, data + tail if self._seeks else data)
        except OSError as error:
            if self._seeks:
                with suppress(OSError):
                    self._file.truncate(self._end)
                    self._write(self._file, tail if self._end else b"")
            raise output_error(self._name, error) from error
        self._end += len(data)

    def close(self, tail: bytes) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            if not self._seeks:
                file.write(tail)
            elif not self._part.direct:
                os.fsync(file.fileno())
        except OSError as error:
            raise output_error(self._name, error) from error
        finally:
            file.close()
        self._part.commit()

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._part.discard()

    def _write(self, file: io.FileIO, data: bytes) -> None:
        if self._seeks:
            file.seek(self._end)
        rest = memoryview(data)
        while rest:
            written = file.write(rest)
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[written:]
