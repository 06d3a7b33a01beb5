"""What is written, and what must not be lost by it.

`WritePlan` is asked before a command reads anything: no result replaces an input, another result, or (unless that is
wished for) a file that is there. `PartFile` and `whole_folder` write results that are whole or not there: under another
name beside their target, then renamed. While a file is being written it is called `<name>.part`, or
`<name>.part<suffix>` for writers that choose the format by the suffix; where an earlier run has left such a file, that
one stays and the new one is called `<name>.2.part`. Whoever writes holds a lock, so that two writers of one target
cannot mix.
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
except ImportError:  # Windows has none, and does not let a file be renamed while it is open anyway
    fcntl = None  # type: ignore[assignment]

STDOUT = "-"
"""Stands for standard output where a file is named."""

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or name another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or name another folder",
    errno.EFBIG: "the file would be larger than the system allows; name another folder or raise the limit",
    errno.EACCES: "there is no permission; name a folder you may write to",
    errno.EPERM: "there is no permission; name a folder you may write to",
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
    """The sentence for a failure of the system to write `target`; raise it `from error`."""
    reason = _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
    kind = ReaderLeft if error.errno == errno.EPIPE else OutputError
    return kind(f"Cannot write {target}: {reason}.")


class WritePlan:
    """What a command reads and writes, checked before it reads anything.

    Paths that lead to one file are one file: through `.` and `..`, links of both kinds, and names that differ in case
    only. Devices such as /dev/null may be named more than once.

    Args:
        inputs: what is read: files, and folders with all that is in them. None and what does not exist is passed over.
        overwrite: whether files that are there may be replaced. Inputs never are.
    """

    def __init__(self, inputs: Iterable[str | Path | None] = (), *, overwrite: bool = False) -> None:
        self._inputs = [Path(path) for path in inputs if path is not None]
        self._overwrite = overwrite
        self._claimed: dict[_Identity, str] = {}
        self._known: dict[_Identity, Path] | None = None

    def file(self, target: str | Path | None, option: str, *, grows: bool = False) -> None:
        """Claim a file; None claims nothing.

        Args:
            target: a path, or `-` for stdout.
            option: how the user names it, e.g. `--csv`.
            grows: whether a file that is there is added to rather than replaced.

        Raises:
            RefusedOutput: it may not be written.
        """
        if target is None:
            return
        _check_is_here(target, option)
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
            raise RefusedOutput(f"{target} is there already; name another file or say --overwrite.")

    def folder(self, target: str | Path | None, option: str) -> None:
        """Claim a folder that is replaced as a whole; None claims nothing. Whether what is there may be replaced is for
        the folder's writer to say, who knows its own kind.

        Raises:
            RefusedOutput: it is, or holds, an input or another result.
        """
        if target is None:
            return
        _check_is_here(target, option)
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
"""Suffixes of files that no command reads as data: an earlier report in a folder of data may be replaced."""


def _check_is_here(target: str | Path, option: str) -> None:
    """A folder named like an address would bear its password."""
    if is_address(target):
        raise RefusedOutput(f"{option} {named(target)} is an address, and mien writes to files alone; name a file.")


def _shown(target: str | Path) -> str:
    return "stdout" if descriptor_of(target) == 1 else str(target)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _identity(target: str | Path) -> _Identity | None:
    """What tells whether two targets are one; None for devices, which take anything from anybody."""
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
    """The number of an open file that a name such as `-`, /dev/stdout or /dev/fd/63 stands for; None for other names.

    Process substitution of a shell, `>(command)`, gives such names.
    """
    if str(target) == STDOUT:
        return 1
    found = _DESCRIPTOR.fullmatch(os.path.abspath(target)) if str(target).startswith("/") else None  # noqa: PTH100
    if found is None:
        return None
    return _STANDARD[found["name"]] if found["name"] else int(found["number"] or found["of"])


def open_stream(target: str | Path, *, on_wait: Callable[[], object] = lambda: None) -> int:
    """Open a device, a pipe or the open file of a number for writing; gives a descriptor of one's own.

    Args:
        target: a name that `is_stream` is true for.
        on_wait: called when a named pipe has no reader yet, which is then waited for.

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
    """Whether a target takes bytes one after another and cannot be renamed: a device, a pipe, an open file's number."""
    if descriptor_of(target) is not None:
        return True
    try:
        mode = Path(target).stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def busy(target: str | Path) -> RefusedOutput:
    """The error for a target that somebody else is writing."""
    return RefusedOutput(f"Cannot write {target}: another run is writing it; name another file or wait for that run.")


def hold(descriptor: int) -> bool:
    """Lock an open file until it is closed; False when another writer holds it.

    File systems without locks hold nothing, and everybody gets True.
    """
    if fcntl is None:
        return True
    for _ in range(_LOCK_TRIES):  # who looks whether it is held (`is_held`) holds it for a moment
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


def written_elsewhere(target: Path) -> bool:
    """Whether another writer is at work on this target, under its own name or a `.part` name."""
    names = (target.with_name(_part_name(target.name, number, end)) for number in range(1, 10) for end in _ends(target))
    return is_held(target) or any(map(is_held, names))


def _part_name(name: str, number: int, suffix: str) -> str:
    return f"{name}.part{suffix}" if number == 1 else f"{name}.{number}.part{suffix}"


def _ends(target: Path) -> tuple[str, ...]:
    return ("", target.suffix) if target.suffix else ("",)


class PartFile:
    """The place where a result is written until it is whole.

    The folder is made when it is missing. The file is there, empty and held, as soon as this is. A target that is a
    device, a pipe or an open file's number is `direct`: there is no such place, and `path` is its name.

    Args:
        target: the path the result gets in the end; a link is followed.
        keep_suffix: whether the name while writing ends in the target's suffix.

    Attributes:
        replaces: whether there was an earlier file.

    Raises:
        OutputError: the target is a folder, or its folder cannot be made or written.
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
            OutputError: it cannot be renamed, or a file of that name has come meanwhile; what was written stays.
        """
        if self.direct:
            return
        self._let_go()
        if self.target.exists() and not self.replaces:
            raise OutputError(
                f"{self.target} was not there when this began, and is now; what was to be written is in {self.path}."
            )
        try:
            if self.replaces:
                with suppress(OSError):
                    shutil.copymode(self.target, self.path)
            self.path.replace(self.target)
        except OSError as error:
            raise output_error(self.target, error) from error

    def keep(self) -> None:
        """Leave what was written under its present name, and the target as it was."""
        self._let_go()

    def discard(self) -> None:
        """Remove what was written; the target stays as it was."""
        self._let_go()
        if not self.direct:
            self.path.unlink(missing_ok=True)

    def _made(self, suffix: str) -> tuple[Path, int]:
        """A new file beside the target, and the descriptor that holds it."""
        if is_held(self.target):
            raise busy(self.target)
        for number in range(1, _MOST_PARTS):
            path = self.target.with_name(_part_name(self.target.name, number, suffix))
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
            except FileExistsError:
                continue  # what a killed run has left, or a live one, who is found below
            if not self._is_alone(descriptor, path, suffix):
                os.close(descriptor)
                path.unlink(missing_ok=True)
                raise busy(self.target)
            return path, descriptor
        raise OutputError(f"Cannot write {self.target}: too many .part files lie beside it; remove what is not needed.")

    def _is_alone(self, descriptor: int, path: Path, suffix: str) -> bool:
        others = (self.target.with_name(_part_name(self.target.name, number, suffix)) for number in range(1, 10))
        return hold(descriptor) and not any(is_held(other) for other in others if other != path)

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


def write_whole(target: str | Path, data: bytes) -> None:
    """Write a file in one go: all of it or nothing.

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
    """A place beside the target where a folder is written until it is whole; then it gets the target's name.

    A folder that is there is replaced, if all in it is of the kind that is written; whether it may be is for
    the caller to say beforehand.

    Args:
        target: the folder's path in the end; a link is followed.
        known: patterns of the files that such a folder holds, e.g. `*.png`; folders in it may be any.

    Raises:
        OutputError: the place cannot be written, the disk is full, or the like.
        RefusedOutput: another run is writing this folder, or the folder that is there holds other files.
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
    """Refuse to replace a folder in which something else lies than what is written there.

    Args:
        folder: it need not exist.
        known: patterns of names of files, e.g. `*.png`.

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
