"""What a command reads and writes, checked before it reads anything.

No result replaces an input, another result, or (unless that is asked for) an existing file.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from mien.errors import RefusedOutput
from mien.files.targets import check_name, descriptor_of, mode_of

_Identity: TypeAlias = tuple[object, ...]
_PAGES = frozenset({".html", ".md", ".svg", ".pdf"})
"""Suffixes of files that no command reads as data: an earlier report in a data folder may be replaced."""


class WritePlan:
    """What a command reads and writes, checked before it reads anything.

    Paths that lead to the same file count as one: through `.` and `..`, both kinds of links, and names that differ only
    in case. Devices such as /dev/null may be named more than once.

    Args:
        inputs: what is read: files, and folders with everything in them. None and missing paths are ignored.
        overwrite: whether existing files may be replaced. Inputs never are.
    """

    def __init__(self, inputs: Iterable[str | Path | None] = (), *, overwrite: bool = False) -> None:
        self._inputs = [Path(path) for path in inputs if path is not None and mode_of(path)]
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
