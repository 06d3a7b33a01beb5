"""Result files that are whole or not there: written beside their target under another name, then renamed.

While a file is being written it is called `<name>.part` (or `<name>.part<suffix>` for writers that choose the
format by the suffix). A process that is killed leaves that file and no target; an earlier target stays until
it is replaced.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from mien.errors import OutputError

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
}


def output_error(target: str | Path, error: OSError) -> OutputError:
    """The sentence for a failure of the system to write `target`; raise it `from error`."""
    reason = _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
    return OutputError(f"Cannot write {target}: {reason}.")


class PartFile:
    """The place where a result is written until it is whole.

    The folder is made when it is missing. A target that is a device or a pipe is written directly.

    Args:
        target: the path the result gets in the end; a link is followed.
        keep_suffix: whether the name while writing ends in the target's suffix.

    Raises:
        OutputError: the target is a folder, or its folder cannot be made.
    """

    def __init__(self, target: str | Path, *, keep_suffix: bool = False) -> None:
        self.target = Path(os.path.realpath(target))
        self.direct = False
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            if self.target.exists():
                mode = self.target.stat().st_mode
                if stat.S_ISDIR(mode):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                self.direct = not stat.S_ISREG(mode)
        except OSError as error:
            raise output_error(target, error) from error
        suffix = self.target.suffix if keep_suffix else ""
        part = self.target.with_name(f"{self.target.name}.part{suffix}")
        self.path = self.target if self.direct else part

    def commit(self) -> None:
        """Give the written file its name, replacing an earlier one."""
        if self.direct:
            return
        try:
            self.path.replace(self.target)
        except OSError as error:
            raise output_error(self.target, error) from error

    def discard(self) -> None:
        """Remove what was written; the target stays as it was."""
        if not self.direct:
            self.path.unlink(missing_ok=True)


def write_whole(target: str | Path, data: bytes) -> None:
    """Write a file in one go: all of it or nothing.

    Raises:
        OutputError: the disk is full, the folder cannot be written, or the like.
    """
    part = PartFile(target)
    try:
        part.path.write_bytes(data)
    except OSError as error:
        part.discard()
        raise output_error(target, error) from error
    try:
        part.commit()
    except OutputError:
        part.discard()
        raise
