"""Results that are either complete or absent: written under another name next to their target, then renamed.

While a file is being written it is called `<name>.part`, or `<name>.part<suffix>` for writers that choose the format by
the suffix; if an earlier run has left such a file, it stays and the new one is called `<name>.2.part`.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from mien.errors import OutputError, RefusedOutput
from mien.files.locks import CAN_LOCK, busy, hold, is_held
from mien.files.targets import is_stream, open_stream, output_error

_MOST_PARTS = 100


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
    with _scratch_for(target) as scratch:
        old = scratch / "old"
        try:
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


def check_folder(target: str | Path) -> None:
    """Find out before long work, without writing anything, whether `whole_folder` may write a folder.

    Args:
        target: the final path of the folder; a link is followed.

    Raises:
        OutputError: it cannot be created or replaced, for lack of permission or because its disk is read-only.
    """
    target = Path(os.path.realpath(target))
    above = next(path for path in target.parents if os.path.lexists(path))
    for place in (above, *([target] if target.is_dir() else [])):
        if not place.is_dir():
            raise output_error(target, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
        if not os.access(place, os.W_OK | os.X_OK):
            raise output_error(target, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def remove_folder(target: str | Path, *, known: Iterable[str], check: Callable[[], object] | None = None) -> None:
    """Remove a folder in one go: whatever happens, it is there as a whole or no longer there.

    Args:
        target: the folder; a link is followed.
        known: patterns of the files that such a folder holds, e.g. `*.png`.
        check: called when no other run can write the folder any more; what it raises leaves the folder as it is.

    Raises:
        OutputError: it cannot be removed.
        RefusedOutput: another run is writing this folder, or it holds other files.
    """
    target = Path(os.path.realpath(target))
    with _scratch_for(target) as scratch:
        if check is not None:
            check()
        spare_foreign(target, known)
        old = scratch / "old"
        try:
            target.rename(old)
        except OSError as error:
            raise output_error(target, error) from error
        try:
            shutil.rmtree(old)
        except OSError as error:
            raise OutputError(f"{target} is gone, but not all of its files: remove {old} yourself.") from error


@contextmanager
def _scratch_for(target: Path) -> Iterator[Path]:
    """A folder next to the target, for this run alone: another one for the same target is refused meanwhile."""
    held: int | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise output_error(target, error) from error
    try:
        if CAN_LOCK:
            try:
                held = os.open(scratch, os.O_RDONLY)
            except OSError as error:
                raise output_error(target, error) from error
            others = (path for path in target.parent.glob(f".{_escaped(target.name)}-????????") if path != scratch)
            if not hold(held) or any(map(is_held, others)):
                raise busy(target)
        yield scratch
    finally:
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
