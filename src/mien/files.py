"""What is written, and what must not be lost in the process.

`WritePlan` is consulted before a command reads anything: no result replaces an input, another result, or (unless that
is asked for) an existing file. `PartFile` and `whole_folder` write results that are either complete or absent: under
another name next to their target, then renamed. While a file is being written it is called `<name>.part`, or
`<name>.part<suffix>` for writers that choose the format by the suffix; if an earlier run has left such a file, it
stays and the new one is called `<name>.2.part`. A writer holds a lock, so that two writers of one target cannot mix.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

from mien.addresses import is_address, named
from mien.errors import OutputError, ReaderLeft, RefusedOutput

try:
    import fcntl
except ImportError:  # Windows has none, but does not let an open file be renamed anyway
    fcntl = None  # type: ignore[assignment]

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
_MOST_PARTS = 100
_LOCK_TRIES = 10
_LOCK_PAUSE_S = 0.02

_Identity: TypeAlias = tuple[object, ...]


def output_error(target: str | Path, error: OSError) -> OutputError:
    """The error for a system failure while writing `target`; raise it `from error`."""
    reason = _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
    kind = ReaderLeft if error.errno == errno.EPIPE else OutputError
    return kind(f"Cannot write {target}: {reason}.")


class WritePlan:
    """What a command reads and writes, checked before it reads anything.

    Paths that lead to the same file count as one: through `.` and `..`, both kinds of links, and names that differ only
    in case. Devices such as /dev/null may be named more than once.

    Args:
        inputs: what is read: files, and folders with everything in them. None and missing paths are ignored.
        overwrite: whether existing files may be replaced. Inputs never are.
    """

    def __init__(self, inputs: Iterable[str | Path | None] = (), *, overwrite: bool = False) -> None:
        self._inputs = [Path(path) for path in inputs if path is not None and _mode(path)]
        self._overwrite = overwrite
        self._claimed: dict[_Identity, str] = {}
        self._known: dict[_Identity, Path] | None = None

    def file(self, target: str | Path | None, option: str, *, grows: bool = False) -> None:
        """Claim a file; None claims nothing.

        Args:
            target: a path, or `-` for stdout.
            option: how the user names it, e.g. `--csv`.
            grows: whether an existing file is added to rather than replaced.

        Raises:
            RefusedOutput: it may not be written.
        """
        if target is None:
            return
        check_name(target, option)
        is_path = descriptor_of(target) is None
        if is_path and Path(target).is_dir():
            raise RefusedOutput(f"{option} {target} is a folder; name a file.")
        identity = _identity(target)
        if identity is None:
            return
        there = is_path and Path(target).is_file()
        if there:
            self._spare_inputs(Path(target), option, identity)
        if identity in self._claimed:
            raise RefusedOutput(
                f"{self._claimed[identity]} and {option} both write {_shown(target)}; name different files."
            )
        self._claimed[identity] = option
        if there and not (self._overwrite or grows):
            raise RefusedOutput(f"{target} already exists; name another file or use --overwrite.")

    def folder(self, target: str | Path | None, option: str) -> None:
        """Claim a folder that is replaced as a whole; None claims nothing. Whether an existing one may be replaced is
        decided by the folder's writer, which knows its own files.

        Raises:
            RefusedOutput: it is, or holds, an input or another result.
        """
        if target is None:
            return
        check_name(target, option)
        if not Path(target).exists():
            return
        for path in self._inputs:
            real = Path(os.path.realpath(path))
            if any(_same(above, Path(target)) for above in (real, *real.parents)):
                what = "is an input" if _same(real, Path(target)) else f"holds the input {path}"
                raise RefusedOutput(f"{option} {target} {what}, which would be replaced; name another folder.")

    def _spare_inputs(self, target: Path, option: str, identity: _Identity) -> None:
        if self._known is None:
            pairs = [(_identity(path), path) for path in self._inputs if path.exists() and not path.is_dir()]
            self._known = {found: path for found, path in pairs if found is not None}
        source = self._known.get(identity)
        if source is not None:
            raise RefusedOutput(f"{option} {target} would replace the input {source}; name another file.")
        real = Path(os.path.realpath(target))
        for folder in filter(Path.is_dir, self._inputs):
            if real.suffix.lower() not in _PAGES and any(_same(above, folder) for above in real.parents):
                raise RefusedOutput(f"{option} {target} would replace a file of the input {folder}; name another file.")


_PAGES = frozenset({".html", ".md", ".svg", ".pdf"})
"""Suffixes of files that no command reads as data: an earlier report in a data folder may be replaced."""


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


def _mode(path: str | Path) -> int:
    """What a path leads to, as `stat` says; 0 for what is not there or cannot be."""
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0


def _shown(target: str | Path) -> str:
    return "stdout" if descriptor_of(target) == 1 else str(target)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _identity(target: str | Path) -> _Identity | None:
    """Tells whether two targets are the same; None for devices, which may have several writers."""
    descriptor = descriptor_of(target)
    try:
        facts = os.fstat(descriptor) if descriptor is not None else Path(target).stat()
    except (OSError, ValueError):
        name = unicodedata.normalize("NFC", os.path.realpath(target)).casefold()
        return ("name", name) if descriptor is None else ("descriptor", descriptor)
    if stat.S_ISCHR(facts.st_mode):
        return None if descriptor is None else ("descriptor", descriptor)
    return ("file", facts.st_dev, facts.st_ino)


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
    mode = _mode(target)
    return mode != 0 and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def busy(target: str | Path) -> RefusedOutput:
    """The error for a target that another run is writing."""
    return RefusedOutput(f"Cannot write {target}: another run is writing it; name another file or wait for that run.")


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
        raise busy(folder)
    return descriptor


def written_elsewhere(target: Path) -> bool:
    """Whether another writer is writing this target, under its own name or a `.part` name."""
    names = (target.with_name(_part_name(target.name, number, end)) for number in range(1, 10) for end in _ends(target))
    return is_held(target) or any(map(is_held, names))


def _part_name(name: str, number: int, suffix: str) -> str:
    return f"{name}.part{suffix}" if number == 1 else f"{name}.{number}.part{suffix}"


def _ends(target: Path) -> tuple[str, ...]:
    return ("", target.suffix) if target.suffix else ("",)


class PartFile:
    """The place where a result is written until it is complete.

    A missing folder is created. The file exists, empty and locked, as soon as this object does. A target that is a
    device, a pipe or a file descriptor is `direct`: it has no such place, and `path` is its name.

    Args:
        target: the final path of the result; a link is followed.
        keep_suffix: whether the temporary name ends in the target's suffix.

    Attributes:
        replaces: whether there was an earlier file.

    Raises:
        OutputError: the target is a folder, or its folder cannot be created or written.
        RefusedOutput: another run is writing this target.
    """

    def __init__(self, target: str | Path, *, keep_suffix: bool = False) -> None:
        self.direct = is_stream(target)
        self.replaces = False
        self._held: int | None = None
        if self.direct:
            self.target = self.path = Path(target)
            return
        self.target = Path(os.path.realpath(target))
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if self.target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self.replaces = self.target.exists()
            self.path, self._held = self._made(self.target.suffix if keep_suffix else "")
        except OSError as error:
            raise output_error(target, error) from error

    def commit(self) -> None:
        """Give the written file its name, replacing the earlier one.

        Raises:
            OutputError: it cannot be renamed, or a file of that name has appeared meanwhile; what was written stays.
        """
        if self.direct:
            return
        self._let_go()
        if self.target.exists() and not self.replaces:
            raise OutputError(
                f"{self.target} did not exist when this began, but does now; the result is in {self.path}."
            )
        try:
            if self.replaces:
                with suppress(OSError):
                    shutil.copymode(self.target, self.path)
            self.path.replace(self.target)
        except OSError as error:
            raise output_error(self.target, error) from error

    def take(self, better: Path) -> None:
        """Put another file, next to the target, in place of what was written.

        Raises:
            OutputError: it cannot be renamed; what was written stays.
        """
        self._let_go()  # Windows does not rename over a file that is open
        try:
            better.replace(self.path)
            self._held = os.open(self.path, os.O_RDWR)
        except OSError as error:
            raise output_error(self.target, error) from error
        hold(self._held)

    def keep(self) -> None:
        """Leave what was written under its current name, and the target unchanged."""
        self._let_go()

    def discard(self) -> None:
        """Remove what was written; the target is unchanged."""
        self._let_go()
        if not self.direct:
            self.path.unlink(missing_ok=True)

    def _made(self, suffix: str) -> tuple[Path, int]:
        """A new file next to the target, and the descriptor that locks it."""
        if is_held(self.target):
            raise busy(self.target)
        for number in range(1, _MOST_PARTS):
            path = self.target.with_name(_part_name(self.target.name, number, suffix))
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
            except FileExistsError:
                continue  # left by a killed run, or by a running one, which is detected below
            if not self._is_alone(descriptor, path, suffix):
                os.close(descriptor)
                path.unlink(missing_ok=True)
                raise busy(self.target)
            return path, descriptor
        raise OutputError(
            f"Cannot write {self.target}: there are too many .part files next to it; remove those you do not need."
        )

    def _is_alone(self, descriptor: int, path: Path, suffix: str) -> bool:
        others = (self.target.with_name(_part_name(self.target.name, number, suffix)) for number in range(1, 10))
        return hold(descriptor) and not any(is_held(other) for other in others if other != path)

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


def write_whole(target: str | Path, data: bytes) -> None:
    """Write a file in one go: all or nothing.

    Raises:
        OutputError: the disk is full, the folder cannot be written, or the like.
    """
    if is_stream(target):
        descriptor = open_stream(target)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
        except OSError as error:
            raise output_error(target, error) from error
        return
    part = PartFile(target)
    try:
        part.path.write_bytes(data)
        part.commit()
    except OSError as error:
        part.discard()
        raise output_error(target, error) from error
    except BaseException:
        part.discard()
        raise


@contextmanager
def whole_folder(target: str | Path, *, known: Iterable[str]) -> Iterator[Path]:
    """A place next to the target where a folder is written until it is complete; then it gets the target's name.

    An existing folder is replaced if it holds only files of the kinds that are written; the caller decides beforehand
    whether it may be.

    Args:
        target: the final path of the folder; a link is followed.
        known: patterns of the files that such a folder holds, e.g. `*.png`; subfolders may have any name.

    Raises:
        OutputError: the place cannot be written, the disk is full, or the like.
        RefusedOutput: another run is writing this folder, or the existing folder holds other files.
    """
    target = Path(os.path.realpath(target))
    patterns = tuple(known)
    spare_foreign(target, patterns)
    held: int | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise output_error(target, error) from error
    old = scratch / "old"
    try:
        if fcntl is not None:
            held = os.open(scratch, os.O_RDONLY)
            others = (path for path in target.parent.glob(f".{_escaped(target.name)}-????????") if path != scratch)
            if not hold(held) or any(map(is_held, others)):
                raise busy(target)
        fresh = scratch / "new"
        fresh.mkdir()
        yield fresh
        if target.exists():
            spare_foreign(target, patterns)
            target.rename(old)
        fresh.rename(target)
    except OSError as error:
        raise output_error(target, error) from error
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        if held is not None:
            os.close(held)
        shutil.rmtree(scratch, ignore_errors=True)


def spare_foreign(folder: Path, known: Iterable[str]) -> None:
    """Refuse to replace a folder that holds anything other than what is written there.

    Args:
        folder: it need not exist.
        known: patterns of file names, e.g. `*.png`.

    Raises:
        RefusedOutput: it holds another file.
    """
    patterns = tuple(known)
    for path in folder.rglob("*") if folder.is_dir() else ():
        if not path.is_dir() and not any(fnmatchcase(path.name.lower(), pattern.lower()) for pattern in patterns):
            name = path.relative_to(folder)
            raise RefusedOutput(f"{folder} also holds {name}, which would be lost; move it or name another folder.")


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)
