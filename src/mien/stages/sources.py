"""Where frames come from: photos and video files, one interface, and a fake one for tests.

with open_source("clip.mp4", every=5) as source:
    for frame in source:
        ...
"""

from __future__ import annotations

import glob
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import UnreadableMedia
from mien.pixels.headers import picture_kind
from mien.pixels.images import PHOTO_SUFFIXES, read_error, read_head, read_image
from mien.pixels.videos import VideoReader
from mien.resource import Resource
from mien.scene import Frame

Kind = Literal["photo", "video"]

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
"""Suffixes, in lower case, of files that a folder gives as videos."""

_DIGITS = re.compile(r"(\d+)")


class Source(Resource, ABC):
    """Frames in order, once, and a context manager that gives everything back.

    Attributes:
        name: the path or address, as given.
        kind: `photo` or `video`.
        frame_count: how many frames the file says it has, whatever `every` is; None when unknown.
        fps: frames a second of the file, whatever `every` is; None for photos and when unknown.
    """

    name: str
    kind: Kind
    frame_count: int | None = None
    fps: float | None = None

    def __iter__(self) -> Source:
        return self

    @abstractmethod
    def __next__(self) -> Frame: ...

    @abstractmethod
    def close(self) -> None:
        """End the source; later frames are not given. May be called twice, and from another thread."""


class PhotoSource(Source):
    """A photo as one frame, read when it is asked for."""

    kind: Kind = "photo"

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self.frame_count = 1
        self._done = False

    def __next__(self) -> Frame:
        if self._done:
            raise StopIteration
        self._done = True
        return Frame(read_image(self.name), source=self.name)

    def close(self) -> None:
        self._done = True


class FakeSource(Source):
    """Frames from memory, for tests and demonstrations.

    Args:
        images_rgb: the pictures, each (H, W, 3) uint8 RGB.
        fps: pictures a second, which gives the time stamps.
        name: what the frames say they come from.
        error: raised after the last picture, like a video that breaks off.
    """

    kind: Kind = "video"

    def __init__(
        self,
        images_rgb: Sequence[NDArray[np.uint8]],
        *,
        fps: float = 25.0,
        name: str = "fake",
        error: Exception | None = None,
    ) -> None:
        self.name = name
        self.fps = fps
        self.frame_count = len(images_rgb)
        self.closed = False
        self._error = error
        self._left = iter([Frame(im, i, i / fps, name) for i, im in enumerate(images_rgb)])

    def __next__(self) -> Frame:
        if self.closed:
            raise StopIteration
        try:
            return next(self._left)
        except StopIteration:
            if self._error is None:
                raise
        error, self._error = self._error, None
        raise error

    def close(self) -> None:
        self.closed = True


class VideoSource(Source):
    """A video file; `mien.pixels.videos.VideoReader` says how it is read and what can go wrong."""

    kind: Kind = "video"

    def __init__(self, path: str | Path, *, every: int = 1) -> None:
        self.name = str(path)
        self._reader = VideoReader(path, every=every)
        self.frame_count = self._reader.frame_count
        self.fps = self._reader.fps

    def __next__(self) -> Frame:
        return next(self._reader)

    def close(self) -> None:
        self._reader.close()


def open_source(spec: str | Path, *, every: int = 1) -> Source:
    """Open a photo or video; what it is follows from its contents, then from its name.

    Args:
        spec: path of the file.
        every: of a video, give frames 0, N, 2N, ...

    Raises:
        UnreadableMedia: nothing there, or nothing that can be read as a photo or video.
    """
    if every < 1:
        raise ValueError(f"every is at least 1, got {every}")
    head = read_head(str(spec))
    if picture_kind(head) is not None:
        return PhotoSource(spec)
    if Path(spec).suffix.lower() in PHOTO_SUFFIXES and head[4:8] != b"ftyp":
        return PhotoSource(spec)
    return VideoSource(spec, every=every)


def expand_sources(specs: Sequence[str | Path]) -> tuple[list[Path], list[UnreadableMedia]]:
    """The files that specs name, in the order given.

    A file stands for itself, whatever its suffix. A folder gives the photos and videos in and below it;
    hidden files and folders and other suffixes are passed over, links to folders are not followed. A glob
    (`*`, `?`, `[...]`, `**` for any depth) gives the photos and videos that match, and those in the folders
    that match. Folders and globs are in natural order: frame2 before frame10.

    Returns:
        The files, and an error to report for each spec that names nothing and each unreadable folder.
    """
    paths: list[Path] = []
    problems: list[UnreadableMedia] = []
    for spec in map(str, specs):
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
        raise UnreadableMedia(f"Cannot read {spec}: there is no such file or folder; check the name.")
    found: dict[Path, None] = {}
    for path in _in_order(map(Path, glob.glob(spec, recursive=True))):  # noqa: PTH207
        if path.is_dir():
            with suppress(UnreadableMedia):  # a match without media, beside others
                found.update(dict.fromkeys(_folder(path, [])))
        elif _is_media(path):
            found[path] = None
    if not found:
        raise UnreadableMedia(f"Cannot read {spec}: no photo or video matches it; check the pattern.")
    return _in_order(found)


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """Natural order, part by part; plain order where names differ in case or leading zeros only."""
    return sorted(paths, key=lambda path: ([_natural(part) for part in path.parts], path.parts))


def _natural(part: str) -> list[tuple[int, int, str]]:
    pieces = _DIGITS.split(part.casefold())
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece]
