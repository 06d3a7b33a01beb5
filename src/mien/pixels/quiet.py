"""What native code prints on stderr by itself is kept from the user."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_before = 0


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from writing to stderr in this block; safe in any number of threads.

    FFmpeg reads its variable once per process, when the first video is opened, so it is set here and stays set.
    """
    global _quiet_users, _quiet_before
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    log: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    with _quiet_lock:
        if _quiet_users == 0:
            _quiet_before = log.setLogLevel(0)
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                log.setLogLevel(_quiet_before)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard what native code writes to stderr while OpenCV opens an encoder.

    It prints a line about WebM's codec tags that bypasses its own log. Nothing is done if stderr is not a real file.
    """
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


_LIBTIFF_LINE = re.compile(
    rb"[\w.]*(?:TIFF|JPEG|Fax|LZW|ZIP|ZSTD|Pack|Log|LERC|Decode|Setup|tempfile|filename)[\w.]*: .*"
)
_libtiff_lock = threading.Lock()


@contextmanager
def quiet_libtiff() -> Iterator[None]:
    """Drop the lines that libtiff prints in this block; one thread at a time.

    Pillow has it print errors, which are raised as well. Other lines that come meanwhile are printed at the end.
    """
    with _libtiff_lock:
        try:
            kept = os.dup(2)
        except OSError:
            yield
            return
        try:
            with tempfile.TemporaryFile() as caught:
                if sys.stderr is not None:
                    sys.stderr.flush()
                os.dup2(caught.fileno(), 2)
                try:
                    yield
                finally:
                    os.dup2(kept, 2)
                    caught.seek(0)
                    for line in caught.readlines():
                        if not _LIBTIFF_LINE.match(line):
                            os.write(2, line)
        finally:
            os.close(kept)
