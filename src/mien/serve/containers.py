"""Which uploads are videos: by their first bytes.

FFmpeg also opens playlists and lists of files, which name other files and addresses; such an upload would have this
machine read them. Only containers that hold their pictures themselves are passed on to it.
"""

from __future__ import annotations

from pathlib import Path

from mien.pixels.kinds import HEAD_BYTES, picture_kind
from mien.serve.problems import Problem

_ISO = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_STARTS = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"OggS",
    b"FLV\x01",
    b"\x00\x00\x01\xba",  # MPEG programme stream
    b"\x00\x00\x01\xb3",  # MPEG video
    b"0&\xb2u\x8ef\xcf\x11",  # ASF, WMV
)
_PACKET = 188  # of an MPEG transport stream
_SYNC = 0x47


def check_video(path: Path) -> None:
    """Refuse a file that is neither a video nor a picture by its first bytes.

    Raises:
        Problem: 415.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not _is_video(head) and picture_kind(head) is None:
        raise Problem(415, "The body is not a video of a known kind; send an MP4, MOV, WebM, MKV, AVI or MPEG file.")


def _is_video(head: bytes) -> bool:
    if head[4:8] in _ISO or head.startswith(_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return True
    return len(head) > 2 * _PACKET and all(head[i * _PACKET] == _SYNC for i in range(3))
