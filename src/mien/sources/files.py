"""Photo and video files, and folders of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mien.errors import UnreadableMedia
from mien.pixels.images import read_head, read_image
from mien.pixels.kinds import MEDIA_SUFFIXES, MJPEG_SUFFIXES, VIDEO_SUFFIXES, is_video_head, picture_kind, unread_kind
from mien.pixels.photos import MAX_PIXELS
from mien.scene import Frame
from mien.sources.animations import AnimationSource, is_animation
from mien.sources.base import Kind, Source
from mien.sources.selection import ALL, Selection
from mien.sources.videos import VideoSource

_log = logging.getLogger(__name__)

PHOTO_S = 1.0
"""Seconds that a photo counts for between the videos of a folder."""


class PhotoSource(Source):
    """A photo as a single frame, read on demand.

    Args:
        path: the file.
        max_pixels: the largest size that is decoded.
    """

    kind: Kind = "photo"

    def __init__(self, path: str | Path, *, max_pixels: int = MAX_PIXELS) -> None:
        self.name = str(path)
        self._max_pixels = max_pixels
        self.frame_count = 1
        self._done = False

    def __next__(self) -> Frame:
        if self._done:
            raise StopIteration
        self._done = True
        return Frame(read_image(self.name, max_pixels=self._max_pixels), source=self.name, still=True)

    def close(self) -> None:
        self._done = True


def open_source(
    spec: str | Path,
    *,
    selection: Selection = ALL,
    max_pixels: int = MAX_PIXELS,
    max_frame_pixels: int = MAX_PIXELS,
) -> Source:
    """Open a photo or video; its contents, then its name, decide which it is. An animated picture is a video.

    Args:
        spec: path of the file.
        selection: of a video, which frames to give; a photo is always given.
        max_pixels: the largest picture that is decoded.
        max_frame_pixels: likewise for the frames of videos that are no animated pictures.

    Raises:
        UnreadableMedia: missing, or not readable as a photo or video.
    """
    head = read_head(str(spec))
    if _kind(spec, head) == "photo":
        return PhotoSource(spec, max_pixels=max_pixels)
    if picture_kind(head) is not None and not _is_bare_mjpeg(spec, head):
        return AnimationSource(spec, selection=selection, max_pixels=max_pixels)
    return VideoSource(spec, selection=selection, max_pixels=max_frame_pixels)


def source_kind(spec: str | Path) -> Kind:
    """Whether a file is taken for a photo or a video, by its first bytes, then by its name.

    Raises:
        UnreadableMedia: missing, empty, or not permitted.
    """
    return _kind(spec, read_head(str(spec)))


def _kind(spec: str | Path, head: bytes) -> Kind:
    if _is_bare_mjpeg(spec, head):
        return "video"
    if picture_kind(head) is not None:
        return "video" if is_animation(spec, head) else "photo"
    is_picture = Path(spec).suffix.lower() in MEDIA_SUFFIXES - VIDEO_SUFFIXES
    return "photo" if unread_kind(head) is not None or (is_picture and not is_video_head(head)) else "video"


def _is_bare_mjpeg(spec: str | Path, head: bytes) -> bool:
    """Whether it is a video that is nothing but one JPEG after another, which only its name tells from a photo."""
    return picture_kind(head) == "JPEG" and Path(spec).suffix.lower() in MJPEG_SUFFIXES


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
