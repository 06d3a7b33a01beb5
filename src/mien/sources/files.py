"""Photo and video files, and folders of them."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mien.addresses import named
from mien.errors import UnreadableMedia
from mien.pixels.headers import picture_kind
from mien.pixels.images import PHOTO_SUFFIXES, read_error, read_head, read_image
from mien.scene import Frame
from mien.sources.base import Kind, Source
from mien.sources.videos import VideoSource
from mien.wording import natural_key

_log = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".avi",
        ".mkv",
        ".webm",
        ".mpg",
        ".mpeg",
        ".wmv",
        ".flv",
        ".3gp",
        ".ts",
        ".mts",
        ".ogv",
    }
)
"""Suffixes, in lower case, of the files in a folder that count as videos."""

PHOTO_S = 1.0
"""Seconds that a photo counts for between the videos of a folder."""


class PhotoSource(Source):
    """A photo as a single frame, read on demand."""

    kind: Kind = "photo"

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self.frame_count = 1
        self._done = False

    def __next__(self) -> Frame:
        if self._done:
            raise StopIteration
        self._done = True
        return Frame(read_image(self.name), source=self.name, still=True)

    def close(self) -> None:
        self._done = True


def open_source(spec: str | Path, *, every: int = 1) -> Source:
    """Open a photo or video; its contents, then its name, decide which it is.

    Args:
        spec: path of the file.
        every: of a video, give frames 0, N, 2N, ...

    Raises:
        UnreadableMedia: missing, or not readable as a photo or video.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}")
    return PhotoSource(spec) if source_kind(spec) == "photo" else VideoSource(spec, every=every)


def source_kind(spec: str | Path) -> Kind:
    """Whether a file is taken for a photo or a video, by its first bytes, then by its name.

    Raises:
        UnreadableMedia: missing, empty, or not permitted.
    """
    head = read_head(str(spec))
    if picture_kind(head) is not None:
        return "photo"
    if Path(spec).suffix.lower() in PHOTO_SUFFIXES and head[4:8] != b"ftyp":
        return "photo"
    return "video"


class FolderSource(Source):
    """Photos and videos one after another, as one source.

    Frame numbers and times continue from file to file; each frame names its file. A file that cannot be read is
    skipped.

    Args:
        paths: the files, in order.
        name: of the whole.

    Attributes:
        problems: what was skipped or ended early so far, and why.
    """

    kind: Kind = "video"

    def __init__(self, paths: Sequence[Path], *, name: str) -> None:
        self.name = name
        self.problems: list[UnreadableMedia] = []
        self._closed = False
        self._open: Source | None = None
        self._left = self._frames(paths)

    def __next__(self) -> Frame:
        if self._closed:
            raise StopIteration
        return next(self._left)

    def close(self) -> None:
        self._closed = True
        if self._open is not None:
            self._open.close()

    def _frames(self, paths: Sequence[Path]) -> Iterator[Frame]:
        count, start_s, end_s = 0, 0.0, 0.0
        for path in paths:
            if self._closed:
                return
            try:
                with open_source(path) as self._open:
                    step_s = 1 / (self._open.fps or 25.0) if self._open.kind == "video" else PHOTO_S
                    for frame in self._open:
                        yield replace(frame, index=count, time_s=start_s + frame.time_s)
                        count, end_s = count + 1, start_s + frame.time_s + step_s
            except UnreadableMedia as problem:
                self.problems.append(problem)
                _log.warning("%s", problem)
            start_s = end_s
        if not count and self.problems and not self._closed:
            raise self.problems[0]


def expand_sources(specs: Sequence[str | Path]) -> tuple[list[Path], list[UnreadableMedia]]:
    """The files that specs name, in the order given.

    A file stands for itself, whatever its suffix. A folder gives the photos and videos in and below it; hidden files
    and folders and other suffixes are skipped, and links to folders are not followed. A glob (`*`, `?`, `[...]`, `**`
    for any depth) gives the photos and videos that match, and those in the folders that match. Folders and globs are in
    natural order: frame2 before frame10.

    Returns:
        The files, and an error to report for each spec that names nothing and each unreadable folder.
    """
    paths: list[Path] = []
    problems: list[UnreadableMedia] = []
    for spec in map(str, specs):
        if not spec:  # Path("") is the folder one stands in, and nobody has named that
            problems.append(UnreadableMedia("The name of a source is empty; name a photo, a video or a folder."))
            continue
        path = Path(spec)
        try:
            if path.is_dir():
                found = _folder(path, problems)
            elif os.path.lexists(path):
                found = [path]
            else:
                found = _matches(spec)
        except (OSError, ValueError) as error:
            problems.append(read_error(spec, error))
        except UnreadableMedia as problem:
            problems.append(problem)
        else:
            paths.extend(found)
    return paths, problems


def _folder(folder: Path, problems: list[UnreadableMedia]) -> list[Path]:
    """Media in and below a folder; subfolders that cannot be listed are added to the problems."""
    before = len(problems)
    paths: list[Path] = []

    def fail(error: OSError) -> None:
        problems.append(read_error(str(error.filename), error))

    for name, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [sub for sub in folders if not sub.startswith(".")]
        paths.extend(Path(name, file) for file in files if not file.startswith(".") and _is_media(Path(file)))
    if not paths and len(problems) == before:
        raise UnreadableMedia(f"The folder {folder} holds no photo or video; name another one.")
    return _in_order(paths)


def _matches(spec: str) -> list[Path]:
    """Media that a glob names, each once, also when its folder matches as well."""
    if not glob.has_magic(spec):
        raise UnreadableMedia(f"Cannot read {named(spec)}: there is no such file or folder; check the name.")
    found: dict[Path, None] = {}
    for path in _in_order(map(Path, glob.glob(spec, recursive=True))):  # noqa: PTH207
        if path.is_dir():
            with suppress(UnreadableMedia):  # a match without media, among others
                found.update(dict.fromkeys(_folder(path, [])))
        elif _is_media(path):
            found[path] = None
    if not found:
        raise UnreadableMedia(f"Cannot read {named(spec)}: no photo or video matches it; check the pattern.")
    return _in_order(found)


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """Natural order, part by part."""
    return sorted(paths, key=lambda path: [natural_key(part) for part in path.parts])
