"""Video files as containers: how they grow, and how a finished one gets its tables to the front."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import OutputError
from mien.files.targets import output_error

if TYPE_CHECKING:
    from av.container import OutputContainer

_MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm", ".mkv": "matroska"}
_FRAGMENTS = {
    # Fragments of a second, which a plain file is made of at the end. delay_moov: else a late start is lost.
    "movflags": "hybrid_fragmented+delay_moov",
    "frag_duration": "1000000",
    "flush_packets": "1",
}
_CLUSTERS = {"cluster_time_limit": "1000", "flush_packets": "1"}

WITH_TABLES = frozenset({".mp4", ".m4v", ".mov"})
"""Kinds of files whose tables have to be at the front for players on the web."""

MATROSKA_TICKS = 1000
"""Ticks per second of the clock of the other kinds."""


def errors() -> tuple[type[Exception], ...]:
    """What PyAV raises."""
    import av

    return (av.error.FFmpegError, OSError, ValueError, RuntimeError)


def mapped(name: str, error: Exception) -> OutputError:
    """The error for a failure of PyAV while writing `name`; raise it `from error`."""
    number = getattr(error, "errno", None) or 0
    if number in errno.errorcode:
        return output_error(name, OSError(number, os.strerror(number)))
    reason = str(getattr(error, "strerror", None) or error).partition("\n")[0].lower()
    return OutputError(f"Cannot write {name}: the encoder failed ({reason}); try another size or kind of file.")


def open_growing(path: Path, suffix: str) -> OutputContainer:
    """A file that can be read up to its last second while it grows, whatever happens to the program.

    Args:
        path: replaced.
        suffix: the kind of file, in lower case.
    """
    import av

    # An absolute path, for a leading dash or a colon means something else to FFmpeg.
    options = _FRAGMENTS if suffix in WITH_TABLES else _CLUSTERS
    return av.open(f"file:{path.absolute()}", "w", format=_MUXERS[suffix], options=options)


def rearrange(path: Path, suffix: str, target: Path) -> int:
    """Copy what can be read of a file to another one, its tables at the front; nothing is encoded again.

    Without any frame there is nothing to copy, and no other file.

    Args:
        path: a file that has been written.
        suffix: the kind of both files, in lower case.
        target: replaced; removed if this fails.

    Returns:
        How many frames the copy has.
    """
    import av

    frames = 0
    options = {"movflags": "faststart"} if suffix in WITH_TABLES else {}
    try:
        with (
            av.open(f"file:{path.absolute()}") as source,
            av.open(f"file:{target.absolute()}", "w", format=_MUXERS[suffix], options=options) as copy,
        ):
            streams = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
            for packet in source.demux():
                if packet.size and not packet.is_corrupt:
                    frames += packet.stream.type == "video"
                    packet.stream = streams[packet.stream.index]
                    copy.mux(packet)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    if not frames:
        target.unlink(missing_ok=True)
    return frames


def frames_in(path: Path) -> int:
    """How many frames can be read of a file; 0 for one that is none."""
    import av

    frames = 0
    try:
        with av.open(f"file:{path.absolute()}") as source:
            for packet in source.demux(video=0):
                frames += packet.size > 0 and not packet.is_corrupt
    except errors():
        pass
    return frames
