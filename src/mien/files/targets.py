"""What a result is written to: a file, a folder, a device, a pipe or a descriptor, by the name that the user gave."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from mien.addresses import is_address, named
from mien.errors import OutputError, ReaderLeft, RefusedOutput

STDOUT = "-"
"""Names standard output in place of a file."""

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or name another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or name another folder",
    errno.EFBIG: "the file would be larger than the system allows; name another folder or raise the limit",
    errno.EACCES: "you have no permission; name a folder you may write to",
    errno.EPERM: "you have no permission; name a folder you may write to",
    errno.EROFS: "the disk is read-only; name another folder",
    errno.ENOENT: "its folder does not exist and cannot be made; name another folder",
    errno.ENOTDIR: "a part of its path is a file, not a folder; name another folder",
    errno.EEXIST: "a part of its path is a file, not a folder; name another folder",
    errno.EISDIR: "it is a folder; name a file",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EPIPE: "the program that reads it has closed it",
    errno.EBADF: "nothing is open there; name a file",
}
_DESCRIPTOR = re.compile(r"/dev/(?:(?P<name>stdin|stdout|stderr)|fd/(?P<number>\d+))|/proc/(?:self|\d+)/fd/(?P<of>\d+)")
_STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}


def output_error(target: str | Path, error: OSError) -> OutputError:
    """The error for a system failure while writing `target`; raise it `from error`."""
    reason = _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
    kind = ReaderLeft if error.errno == errno.EPIPE else OutputError
    return kind(f"Cannot write {target}: {reason}.")


def check_name(target: str | Path, option: str) -> None:
    """Refuse what cannot be the name of a file or folder, and an address: a folder of that name would carry its
    password.

    Args:
        target: what is to be written.
        option: how the user names it, e.g. `--csv`.

    Raises:
        RefusedOutput: the name is empty, too long for the system, not valid, or an address.
    """
    if not str(target):
        raise RefusedOutput(f"{option} needs the name of a file or folder, but its name is empty.")
    if is_address(target):
        raise RefusedOutput(f"{option} {named(target)} is an address, but mien writes only to files; name a file.")
    try:
        os.lstat(target)
    except ValueError:
        name = named(repr(str(target)))
        raise RefusedOutput(f"{option} {name} is not a valid file name; choose another one.") from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise RefusedOutput(f"{option} {named(target)}: the name is too long; choose a shorter one.") from None


def mode_of(path: str | Path) -> int:
    """What a path leads to, as `stat` says; 0 for what is not there or cannot be."""
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0


def descriptor_of(target: str | Path) -> int | None:
    """The file descriptor that a name such as `-`, /dev/stdout or /dev/fd/63 stands for; None for other names.

    Shells produce such names for process substitution, `>(command)`.
    """
    if str(target) == STDOUT:
        return 1
    found = _DESCRIPTOR.fullmatch(os.path.abspath(target)) if str(target).startswith("/") else None  # noqa: PTH100
    if found is None:
        return None
    return _STANDARD[found["name"]] if found["name"] else int(found["number"] or found["of"])


def open_stream(target: str | Path, *, on_wait: Callable[[], object] = lambda: None) -> int:
    """Open a device, a pipe or a descriptor's file for writing; returns a new descriptor.

    Args:
        target: a name for which `is_stream` is true.
        on_wait: called if a named pipe has no reader yet, before waiting for one.

    Raises:
        OutputError: it cannot be opened.
    """
    descriptor = descriptor_of(target)
    try:
        if descriptor is not None:
            return os.dup(descriptor)
        try:
            opened = os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            on_wait()
            return os.open(target, os.O_WRONLY)
        if hasattr(os, "set_blocking"):
            os.set_blocking(opened, True)
        return opened
    except OSError as error:
        raise output_error(target, error) from error


def is_stream(target: str | Path) -> bool:
    """Whether a target takes a stream of bytes and cannot be renamed: a device, a pipe, a file descriptor."""
    if descriptor_of(target) is not None:
        return True
    mode = mode_of(target)
    return mode != 0 and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
