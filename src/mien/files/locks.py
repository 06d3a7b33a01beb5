"""Locks: two writers of one target cannot mix."""

from __future__ import annotations

import os
import time
from pathlib import Path

from mien.errors import RefusedOutput

try:
    import fcntl
except ImportError:  # Windows has none, but does not let an open file be renamed anyway
    fcntl = None  # type: ignore[assignment]

CAN_LOCK = fcntl is not None
"""Whether this system can lock a folder."""

_LOCK_TRIES = 10
_LOCK_PAUSE_S = 0.02


def busy(target: str | Path, what: str = "file") -> RefusedOutput:
    """The error for a target, a file or a folder, that another run is writing."""
    return RefusedOutput(f"Cannot write {target}: another run is writing it; name another {what} or wait for that run.")


def hold(descriptor: int) -> bool:
    """Lock an open file until it is closed; False when another writer holds it.

    On file systems without locks nothing is held, and every caller gets True.
    """
    if fcntl is None:
        return True
    for _ in range(_LOCK_TRIES):  # `is_held` holds it for a moment while it looks
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)
        except OSError:
            return True
        else:
            return True
    return False


def is_held(path: Path) -> bool:
    """Whether a writer holds this file or folder."""
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def hold_folder(folder: Path) -> int | None:
    """Lock a folder in which several files are written, until the descriptor that is returned is closed.

    Returns:
        The descriptor; None where the system locks no folders.

    Raises:
        RefusedOutput: another writer holds it.
        OSError: it cannot be opened.
    """
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    if not hold(descriptor):
        os.close(descriptor)
        raise busy(folder, "folder")
    return descriptor
