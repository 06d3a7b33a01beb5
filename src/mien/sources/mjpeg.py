"""A sequence of JPEG pictures (MJPEG): cut out of a stream of bytes, and decoded.

What comes between the pictures does not matter, so a plain sequence of them, `multipart/x-mixed-replace` over HTTP and
most other wrappings are read alike.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mien.errors import UnreadableMedia
from mien.pixels.images import decode_image
from mien.resource import Resource

MAX_BYTES = 32 * 2**20
"""Largest picture in bytes; what goes on for longer is damaged."""

SEARCHED_BYTES = 8 * 2**20
"""Bytes without a picture after which an input is taken for something else than MJPEG."""

_CHUNK = 2**16
_POLL_S = 0.1
_START = b"\xff\xd8\xff"
_END = b"\xff\xd9"
_SCAN = 0xDA


class MjpegSplitter:
    """Cuts JPEG pictures out of bytes that come in pieces of any size; those that are not whole are passed over."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0  # how far the picture at the start of the bytes is looked through; 0 when none has begun
        self._is_scan = False  # whether compressed data is there, rather than the next segment

    def add(self, data: bytes) -> list[bytes]:
        """The pictures that these bytes complete, in order; each begins with its start and ends with its end mark."""
        self._bytes += data
        pictures = []
        while self._find_start():
            end = self._find_end()
            if end is None:
                if len(self._bytes) <= MAX_BYTES:
                    break
                end = 0
            if end:
                pictures.append(bytes(self._bytes[:end]))
                del self._bytes[:end]
            else:
                del self._bytes[: len(_START) - 1]
            self._at = 0
        return pictures

    def _find_start(self) -> bool:
        if self._at:
            return True
        start = self._bytes.find(_START)
        if start < 0:
            del self._bytes[: max(len(self._bytes) - len(_START) + 1, 0)]
            return False
        del self._bytes[:start]
        self._at, self._is_scan = 2, False
        return True

    def _find_end(self) -> int | None:
        """Where the picture ends; None when more bytes are needed, 0 when it is damaged.

        Segments are stepped over by their length, for a small picture may be inside one, with its own end mark. In the
        compressed data after them the marks stand for themselves alone.
        """
        data = self._bytes
        while not self._is_scan:
            if self._at + 4 > len(data):
                return None
            mark, length = data[self._at + 1], int.from_bytes(data[self._at + 2 : self._at + 4], "big")
            if data[self._at] != 0xFF or mark < 0xC0 or 0xD0 <= mark <= 0xD9 or length < 2:
                return 0
            if mark == 0xFF:  # filling
                self._at += 1
                continue
            if self._at + 2 + length > len(data):
                return None
            self._at += 2 + length
            self._is_scan = mark == _SCAN
        end = data.find(_END, self._at)
        if data.find(_START, self._at, len(data) if end < 0 else end) >= 0:
            return 0  # the next picture begins inside this one
        if end < 0:
            self._at = max(self._at, len(data) - len(_START) + 1)
            return None
        return end + len(_END)


class MjpegFeed(Resource):
    """Decoded pictures of a stream of MJPEG; damaged ones are passed over.

    Args:
        read_bytes: gives bytes as soon as there are some, at most a few at a time; None when there is nothing yet,
            b"" at the end. Raises UnreadableMedia when the connection is lost.
        name: what to call it in an error.
        close: gives the connection back.
        stall_s: seconds without a picture after which the connection counts as lost; None for ever.
        is_endless: whether the end of the bytes is a loss rather than the end.

    Attributes:
        is_endless: as given.
    """

    def __init__(
        self,
        read_bytes: Callable[[], bytes | None],
        *,
        name: str,
        close: Callable[[], None] | None = None,
        stall_s: float | None = None,
        is_endless: bool = False,
    ) -> None:
        self._read_bytes = read_bytes
        self._name = name
        self._close = close
        self._stall_s = stall_s
        self.is_endless = is_endless
        self._splitter = MjpegSplitter()
        self._waiting: list[bytes] = []
        self._searched: int | None = 0  # bytes without a picture; None once there was one
        self._is_over = False

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, (H, W, 3) uint8 RGB; None at the end.

        Raises:
            UnreadableMedia: the connection is lost, nothing came for too long, or this is no MJPEG.
        """
        begin_s = time.monotonic()
        while True:
            while self._waiting:
                try:
                    image_rgb = decode_image(self._waiting.pop(0), self._name)
                except UnreadableMedia:
                    continue
                self._searched = None
                return image_rgb
            if self._is_over:
                self._check_end()
                return None
            if self._stall_s is not None and time.monotonic() - begin_s >= self._stall_s:
                raise UnreadableMedia(f"{self._name} sent no picture for {self._stall_s:g} s.")
            self._take(self._read_bytes())

    def close(self) -> None:
        if self._close is not None:
            self._close()

    def _take(self, data: bytes | None) -> None:
        if data is None:
            return
        if not data:
            self._is_over = True
            return
        self._waiting = self._splitter.add(data)
        if self._searched is not None:
            self._searched += len(data)
            if self._searched > SEARCHED_BYTES and not self._waiting:
                raise self._no_mjpeg()

    def _check_end(self) -> None:
        if self._searched is not None:
            raise self._no_mjpeg()
        if self.is_endless:
            raise UnreadableMedia(f"{self._name} ended unexpectedly.")

    def _no_mjpeg(self) -> UnreadableMedia:
        return UnreadableMedia(
            f"Cannot read {self._name}: expected a sequence of JPEG pictures (MJPEG), but found none."
        )


def pipe_reader(descriptor: int, stop: threading.Event) -> Callable[[], bytes | None]:
    """What reads a pipe for `MjpegFeed`: b"" also once `stop` is set.

    The descriptor itself is read, for a thread that is blocked in sys.stdin at the end of the program aborts it.
    """

    def read_bytes() -> bytes | None:
        if stop.is_set():
            return b""
        if os.name == "posix":
            import select

            if not select.select([descriptor], [], [], _POLL_S)[0]:
                return None
        try:
            return os.read(descriptor, _CHUNK)
        except OSError as error:
            raise UnreadableMedia(
                f"Standard input cannot be read: {(error.strerror or str(error)).lower()}."
            ) from error

    return read_bytes
