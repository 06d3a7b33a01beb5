"""Keep native libraries from printing on stderr."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
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


_STDERR_OF_C = {"linux": "stderr", "darwin": "__stderrp"}
_c_lock = threading.Lock()
_c_users = 0
_c_before: int | None = None


@contextmanager
def quiet_c_libraries() -> Iterator[None]:
    """Discard what C code prints through its own stderr in this block; safe in any number of threads.

    libjpeg and libtiff print a line for much that is wrong with a file, whether or not it is reported as well. Only
    their FILE is exchanged: what Python and others write to descriptor 2 appears as ever. Where there is no such FILE,
    as on Windows, nothing is done.
    """
    global _c_users, _c_before
    files = _c_files()
    if files is None:
        yield
        return
    stderr, nowhere = files
    with _c_lock:
        if _c_users == 0:
            _c_before = stderr.value
            stderr.value = nowhere
        _c_users += 1
    try:
        yield
    finally:
        with _c_lock:
            _c_users -= 1
            if _c_users == 0:
                stderr.value = _c_before


@cache
def _c_files() -> tuple[ctypes.c_void_p, int] | None:
    """The pointer to the FILE that C calls stderr, and another FILE that leads nowhere."""
    try:
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(os.devnull.encode(), b"w")
        return (ctypes.c_void_p.in_dll(library, _STDERR_OF_C[sys.platform]), nowhere) if nowhere else None
    except (OSError, TypeError, ValueError, AttributeError, KeyError):
        return None
