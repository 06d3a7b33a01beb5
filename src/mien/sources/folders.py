"""Files, folders and globs, as the list of files to look at; nothing in them is passed over in silence."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mien.addresses import is_address, named
from mien.errors import UnreadableMedia
from mien.pixels.images import read_error
from mien.pixels.kinds import HEAD_BYTES, is_media
from mien.wording import natural_key
from mien.words import say, words

_MOST_NAMED = 5


@dataclass
class LeftOut:
    """What a folder or glob holds besides the photos and videos.

    Each is counted once, however many specs name its folder.

    Args:
        suffixes: the suffixes of files that are neither photos nor videos, by path.
        hidden: hidden files and folders.
        links: links to folders.
    """

    suffixes: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)

    def add(self, other: LeftOut) -> None:
        """What another folder or glob holds."""
        self.suffixes |= other.suffixes
        self.hidden |= other.hidden
        self.links |= other.links

    def __str__(self) -> str:
        """A sentence, empty if nothing was left out."""
        parts = []
        if self.suffixes:
            counts = Counter(self.suffixes.values())
            often = sorted(counts, key=lambda name: (-counts[name], name))
            names = often[:_MOST_NAMED]
            named = words().join("items", [*names, *(["..."] if len(often) > len(names) else [])])
            parts.append(say("left_out.files", n=len(self.suffixes), suffixes=named))
        if self.hidden:
            parts.append(say("left_out.hidden", n=len(self.hidden)))
        if self.links:
            parts.append(say("left_out.links", n=len(self.links)))
        return say("left_out.all", parts=words().join("clauses", parts)) if parts else ""


def expand_sources(
    specs: Sequence[str | Path], *, on_note: Callable[[str], None] | None = None
) -> tuple[list[Path], list[UnreadableMedia]]:
    """The files that specs name, in the order given, each once, whatever its names.

    A file stands for itself, whatever its suffix. A folder gives the photos and videos in and below it, by suffix or by
    contents, and what looks like one and cannot be read, so that it is reported. What is none is left out, as are
    hidden files and folders; links to folders are not followed. A glob (`*`, `?`, `[...]`, `**` for any depth) gives
    the photos and videos that match, and those in the folders that match. Folders and globs are in natural order:
    frame2 before frame10.

    Args:
        specs: paths and globs.
        on_note: gets a sentence about what was left out, if anything was.

    Returns:
        The files, and an error to report for each spec that names nothing and each unreadable folder.
    """
    found: dict[object, Path] = {}
    problems: list[UnreadableMedia] = []
    left = LeftOut()
    for spec in map(str, specs):
        if not spec:  # Path("") is the folder one stands in, and nobody has named that
            problems.append(UnreadableMedia("The name of a source is empty; name a photo, a video or a folder."))
            continue
        try:
            for path in _named_by(spec, problems, left):
                found.setdefault(_identity(path), path)
        except (OSError, ValueError) as error:
            problems.append(read_error(spec, error))
        except UnreadableMedia as problem:
            problems.append(problem)
    if on_note is not None and found and str(left):
        on_note(str(left))
    return list(found.values()), problems


def _named_by(spec: str, problems: list[UnreadableMedia], left: LeftOut) -> list[Path]:
    path = Path(spec)
    if path.is_dir():
        return _folder(path, problems, left)
    return [path] if os.path.lexists(path) else _matches(spec, left)


def _identity(path: Path) -> object:
    """The same for all names of a file: links, hard links, and ways through other folders."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return str(path)
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _folder(folder: Path, problems: list[UnreadableMedia], left: LeftOut) -> list[Path]:
    """Media in and below a folder; subfolders that cannot be listed are added to the problems."""
    before = len(problems)
    paths: list[Path] = []
    here = LeftOut()

    def fail(error: OSError) -> None:
        problems.append(read_error(str(error.filename), error))

    for name, folders, files in os.walk(folder, onerror=fail):
        shown = [sub for sub in folders if not sub.startswith(".")]
        here.hidden.update(_place(Path(name, sub)) for sub in folders if sub.startswith("."))
        here.links.update(_place(path) for path in (Path(name, sub) for sub in shown) if path.is_symlink())
        folders[:] = shown
        paths.extend(path for path in (Path(name, file) for file in files) if _is_wanted(path, here))
    if not paths and len(problems) == before:
        raise UnreadableMedia(f"The folder {folder} holds no photo or video; name another one.")
    left.add(here)
    return _in_order(paths)


def _matches(spec: str, left: LeftOut) -> list[Path]:
    """Media that a glob names, each once, also when its folder matches as well."""
    if spec == "-":
        raise UnreadableMedia("Cannot read -: that is standard input, and files are needed here; try mien live.")
    if is_address(spec):
        raise UnreadableMedia(f"Cannot read {named(spec)}: it is an address, and files are needed here; try mien live.")
    if not glob.has_magic(spec):
        raise UnreadableMedia(f"Cannot read {named(spec)}: there is no such file or folder; check the name.")
    found: dict[Path, None] = {}
    for path in _in_order(map(Path, glob.glob(spec, recursive=True))):  # noqa: PTH207
        if path.is_dir():
            with suppress(UnreadableMedia):  # a match without media, among others
                found.update(dict.fromkeys(_folder(path, [], left)))
        elif path not in found and _is_wanted(path, left):
            found[path] = None
    if not found:
        raise UnreadableMedia(f"Cannot read {named(spec)}: no photo or video matches it; check the pattern.")
    return _in_order(found)


def _is_wanted(path: Path, left: LeftOut) -> bool:
    """Whether a file of a folder is a photo or video or looks like one; if not, it is counted."""
    if path.name.startswith("."):
        left.hidden.add(_place(path))
        return False
    head = b""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
    if is_media(path, head):
        return True
    left.suffixes[_place(path)] = path.suffix.lower() or say("left_out.no_suffix")
    return False


def _place(path: Path) -> str:
    """The same for every way to a file, folder or link, which is not followed."""
    return f"{os.path.realpath(path.parent)}{os.sep}{path.name}"


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """Natural order, part by part."""
    return sorted(paths, key=lambda path: [natural_key(part) for part in path.parts])
