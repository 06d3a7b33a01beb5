"""Pictures that a finished video holds for longer, without encoding them again.

A gap of minutes is thousands of frames of one picture, and each would cost as much as any other: at 640 x 480 pixels,
2 ms in MP4 and 10 ms in WebM. A key frame does not depend on earlier frames, so it may occur any number of times. In
MP4 the tables say where the bytes of each frame are, and may name the same place again. WebM is copied without
decoding; there the frame is repeated less often if it would need too much room, but times are kept.
"""

from __future__ import annotations

import math
import os
import shutil
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.pixels.images import quiet_opencv, quiet_stderr

KEY_EVERY = 12
"""OpenCV's encoders make a key frame at least this often, so that many frames in a row always contain one."""

_WEBM_BYTES = 4 * 2**20
"""Room for the repeated frames of one gap."""

_PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"})
_UNKNOWN = frozenset({b"sdtp", b"sbgp", b"stps", b"mvex"})  # per-frame tables that no encoder here writes
_Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A picture that was written several times in a row and has to be repeated more often.

    Args:
        first: number of the first frame of the row, from 0.
        end: number of the frame after the row; at least `KEY_EVERY` after the first.
        more: how many frames to add.
    """

    first: int
    end: int
    more: int


def hold_frames(path: Path, holds: Sequence[Hold], *, fourcc: str, fps: float, size_wh: tuple[int, int]) -> None:
    """Lengthen the rows of a finished video, in place.

    Args:
        path: an .mp4 or .webm file as OpenCV writes it; unchanged if this fails.
        holds: rows, in order.
        fourcc: its codec.
        fps: its frames per second.
        size_wh: its width and height in pixels.

    Raises:
        ValueError: the file is not as expected.
        OSError: it cannot be written.
    """
    if path.suffix.lower() == ".mp4":
        _hold_in_mp4(path, holds)
    else:
        _hold_in_webm(path, holds, fourcc, fps, size_wh)


def _order(count: int, is_key: NDArray[np.bool_], holds: Sequence[Hold]) -> _Table:
    """The number of the frame at each place, from 0; (M,) int64."""
    times = np.ones(count, np.int64)
    for hold in holds:
        keys = np.flatnonzero(is_key[hold.first : hold.end])
        if not len(keys):
            raise ValueError(f"there is no key frame among the frames {hold.first} to {hold.end}")
        times[hold.first + keys[-1]] += hold.more
    return np.repeat(np.arange(count), times)


# MP4: ISO/IEC 14496-12, by its four-letter names.


@dataclass(slots=True)
class _Atom:
    kind: bytes
    body: bytes
    parts: list[_Atom] = field(default_factory=list)

    def packed(self) -> bytes:
        body = b"".join(part.packed() for part in self.parts) if self.parts else self.body
        return struct.pack(">I4s", 8 + len(body), self.kind) + body

    def find(self, *kinds: bytes) -> _Atom:
        atom = self
        for kind in kinds:
            atom = next((part for part in atom.parts if part.kind == kind), _NOTHING)
        if atom is _NOTHING:
            raise ValueError(f"there is no {b'/'.join(kinds).decode()} in it")
        return atom

    def table(self, width: int) -> _Table:
        """The rows of 32-bit numbers that a table holds after their count, (N, width)."""
        count = struct.unpack_from(">I", self.body, 4)[0]
        return np.frombuffer(self.body, ">u4", count * width, 8).reshape(count, width).astype(np.int64)


_NOTHING = _Atom(b"", b"")


def _hold_in_mp4(path: Path, holds: Sequence[Hold]) -> None:
    with path.open("r+b") as file:
        at, data = _movie(file, path.stat().st_size)
        moov = _Atom(b"moov", data, _parsed(data))
        tracks = [part for part in moov.parts if part.kind == b"trak"]
        if len(tracks) != 1:
            raise ValueError(f"it has {len(tracks)} tracks")
        more_s = _lengthen(tracks[0], holds)
        movie = moov.find(b"mvhd")
        more = round(more_s * struct.unpack_from(">I", movie.body, 20 if movie.body[0] else 12)[0])
        movie.body = _longer(movie.body, (16, 24), more)
        header = tracks[0].find(b"tkhd")
        header.body = _longer(header.body, (20, 28), more)
        if any(part.kind == b"edts" for part in tracks[0].parts):
            edits = tracks[0].find(b"edts", b"elst")
            edits.body = _longer(edits.body, (8, 8), more)
        file.seek(at)
        file.write(moov.packed())
        file.truncate()


def _movie(file: BinaryIO, size: int) -> tuple[int, bytes]:
    """Where the atom `moov` is, which must be the last one, and what it holds."""
    at = 0
    while at < size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"moov" and at + length == size:
            return at, file.read(length - 8)
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        at += max(length, 8)
    raise ValueError("its tables are not at its end")


def _parsed(data: bytes) -> list[_Atom]:
    atoms, at = [], 0
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if length < 8 or kind in _UNKNOWN:
            raise ValueError(f"it holds {kind!r} of {length} bytes")
        body = data[at + 8 : at + length]
        atoms.append(_Atom(kind, body, _parsed(body) if kind in _PARENTS else []))
        at += length
    return atoms


def _lengthen(track: _Atom, holds: Sequence[Hold]) -> float:
    """Make the tables of a track name frames more often; returns the seconds added."""
    header = track.find(b"mdia", b"mdhd")
    tables = track.find(b"mdia", b"minf", b"stbl")
    sizes_atom, chunks_atom, times_atom = (tables.find(kind) for kind in (b"stsz", b"stsc", b"stts"))
    same_size, count = struct.unpack_from(">II", sizes_atom.body, 4)
    sizes = np.frombuffer(sizes_atom.body, ">u4", 0 if same_size else count, 12).astype(np.int64)
    sizes = np.full(count, same_size) if same_size else sizes
    places = _places(tables, chunks_atom.table(3), sizes)
    durations = np.repeat(*times_atom.table(2).T[::-1])
    keys = _first(tables, b"stss")
    is_key = np.ones(count, bool)
    if keys is not None:
        is_key[:] = False
        is_key[keys.table(1)[:, 0] - 1] = True
    order = _order(count, is_key, holds)
    more = int(durations[order].sum() - durations.sum())

    sizes_atom.body = struct.pack(">III", 0, 0, len(order)) + sizes[order].astype(">u4").tobytes()
    chunks_atom.body = struct.pack(">IIIII", 0, 1, 1, 1, 1)  # every frame is a chunk of its own
    times_atom.body = _runs(durations[order])
    shifts = _first(tables, b"ctts")
    if shifts is not None:
        shifts.body = shifts.body[:4] + _runs(np.repeat(*shifts.table(2).T[::-1])[order])[4:]
    if keys is not None:
        numbers = np.flatnonzero(is_key[order]) + 1
        keys.body = struct.pack(">II", 0, len(numbers)) + numbers.astype(">u4").tobytes()
    offsets = next(part for part in tables.parts if part.kind in (b"stco", b"co64"))
    offsets.body = struct.pack(">II", 0, len(order))
    offsets.body += places[order].astype(">u8" if offsets.kind == b"co64" else ">u4").tobytes()
    header.body = _longer(header.body, (16, 24), more)
    return more / float(struct.unpack_from(">I", header.body, 20 if header.body[0] else 12)[0])


def _places(tables: _Atom, chunks: _Table, sizes: _Table) -> _Table:
    """Where the bytes of each frame begin in the file, (N,) int64."""
    atom = _first(tables, b"stco") or tables.find(b"co64")
    count = struct.unpack_from(">I", atom.body, 4)[0]
    offsets = np.frombuffer(atom.body, ">u8" if atom.kind == b"co64" else ">u4", count, 8).astype(np.int64)
    # A row of stsc is valid from its first chunk up to the next row's.
    spans = np.diff(np.append(chunks[:, 0], count + 1))
    frames_of_chunk = np.repeat(chunks[:, 1], spans)
    chunk_of_frame = np.repeat(np.arange(count), frames_of_chunk)
    before = np.cumsum(sizes) - sizes
    first_of_chunk = np.cumsum(frames_of_chunk) - frames_of_chunk
    return np.asarray(offsets[chunk_of_frame] + before - before[first_of_chunk[chunk_of_frame]])


def _first(atom: _Atom, kind: bytes) -> _Atom | None:
    return next((part for part in atom.parts if part.kind == kind), None)


def _runs(values: _Table) -> bytes:
    """A table of (count, value) for values that are mostly the same."""
    starts = np.flatnonzero(np.append(True, np.diff(values) != 0))
    rows = np.stack([np.diff(np.append(starts, len(values))), values[starts]], axis=1)
    return struct.pack(">II", 0, len(rows)) + rows.astype(">u4").tobytes()


def _longer(body: bytes, offsets: tuple[int, int], more: int) -> bytes:
    """A header with a longer duration: 32 bits at the first offset in version 0, otherwise 64 bits at the second."""
    form, at = (">Q", offsets[1]) if body[0] else (">I", offsets[0])
    (length,) = struct.unpack_from(form, body, at)
    return body[:at] + struct.pack(form, length + more) + body[at + struct.calcsize(form) :]


# WebM: OpenCV reads the encoded frames and writes them again.


def _hold_in_webm(path: Path, holds: Sequence[Hold], fourcc: str, fps: float, size_wh: tuple[int, int]) -> None:
    descriptor, name = tempfile.mkstemp(suffix=path.suffix, dir=path.parent)
    os.close(descriptor)
    longer = Path(name)
    try:
        with quiet_opencv(), quiet_stderr():
            capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
            raw = [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1]
            code = cv2.VideoWriter.fourcc(*fourcc)
            writer = cv2.VideoWriter(str(longer.absolute()), cv2.CAP_FFMPEG, code, fps, size_wh, raw)
            try:
                _copy(capture, writer, holds)
            finally:
                capture.release()
                writer.release()
        shutil.copyfile(longer, path)  # not renamed: the writer holds the file open
    finally:
        longer.unlink(missing_ok=True)


def _copy(capture: cv2.VideoCapture, writer: cv2.VideoWriter, holds: Sequence[Hold]) -> None:
    if not (capture.isOpened() and writer.isOpened()):
        raise ValueError("OpenCV does not open it")
    count, place, waiting = 0, 0, list(holds)
    while (got := capture.read())[0]:
        is_key, places = capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME), [place]
        if waiting and is_key and waiting[0].first <= count < waiting[0].end:
            more = waiting.pop(0).more
            step = math.ceil(got[1].size * more / _WEBM_BYTES)
            places += range(place + 1, place + 1 + more, step)
            place += more
        for at in places:
            writer.set(cv2.VIDEOWRITER_PROP_KEY_FLAG, is_key)
            writer.set(cv2.VIDEOWRITER_PROP_PTS, at)
            writer.write(got[1])
        count, place = count + 1, place + 1
    if waiting:
        raise ValueError(f"there is no key frame among the frames {waiting[0].first} to {waiting[0].end}")
