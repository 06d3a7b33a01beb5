"""Where a video can be cut into ranges that workers do at the same time: at key frames, whose times need no decoding.

Which frames a range has is decided by `Selection` alone, so that a cut that is not quite at a key frame costs time but
no frame: of two ranges that meet, exactly one wants each frame.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

from mien.errors import InputError
from mien.scale.job import Part, Settings, Unit
from mien.sources import Selection
from mien.sources.ffmpeg import errors_of_ffmpeg, open_file, rate_of

_SEEKS = ("mov", "avi")
"""Containers that are entered anywhere at once."""

_READS = ("matroska", "webm")
"""Containers whose frames are counted by reading, without decoding, all that is before; so they get few ranges."""

_MOST_READ = 16


def units_of(part: Part, settings: Settings) -> tuple[Unit, ...]:
    """The units of a video; a single one where it cannot be cut, also when it cannot be read, which that will tell."""
    (item,) = part.items
    whole = Unit(part=part.number, number=0, source=item.source, path=item.path, selection=settings.selection)
    if "://" in item.path:
        return (whole,)
    try:
        cuts_s, count, fps = _cuts(item.path, settings.selection, settings.range_s)
    except InputError:
        return (whole,)
    edges = [settings.selection.start_s, *cuts_s]
    ends = [*cuts_s, settings.selection.end_s]
    units = []
    for number, (start_s, end_s) in enumerate(zip(edges, ends, strict=True)):
        selection = replace(settings.selection, start_s=start_s, end_s=end_s)
        weight = selection.expected(count, fps) or (end_s - start_s if end_s is not None else settings.range_s)
        units.append(
            replace(whole, number=number, selection=selection, is_first=number == 0, weight=max(float(weight), 1.0))
        )
    return tuple(units)


def _cuts(path: str, selection: Selection, range_s: float) -> tuple[list[float], int | None, float | None]:
    """Times in seconds at which ranges meet, and how many frames the whole video has at which rate."""
    container, stream = open_file(path)
    try:
        fps, base = rate_of(stream), stream.time_base
        length_s = (container.duration or 0) / 1e6
        count = stream.frames if 0 < stream.frames < 2**40 else round(length_s * (fps or 0)) or None
        kinds = container.format.name.split(",")
        if not base or not length_s or not any(kind in (*_SEEKS, *_READS) for kind in kinds):
            return [], count, fps
        step_s = range_s if any(kind in _SEEKS for kind in kinds) else max(range_s, length_s / _MOST_READ)
        zero_s = Fraction(container.start_time or 0, 10**6)
        end_s = min(length_s, math.inf if selection.end_s is None else selection.end_s)
        cuts: list[float] = []
        last_s, target_s = selection.start_s, selection.start_s + step_s
        with suppress(*errors_of_ffmpeg(), StopIteration):  # an index that is damaged: no more cuts
            while target_s < end_s - step_s / 2:
                container.seek(round((Fraction(target_s) + zero_s) / base), stream=stream)
                packet = next(container.demux(stream))
                stamp = packet.dts if packet.pts is None else packet.pts
                if stamp is None:
                    break
                cut_s = _aligned(float(stamp * base - zero_s), selection)
                if packet.is_keyframe and last_s + step_s / 4 < cut_s < end_s:
                    cuts.append(cut_s)
                    last_s = cut_s
                target_s = max(target_s, last_s) + step_s
        return cuts, count, fps
    finally:
        container.close()


def _aligned(time_s: float, selection: Selection) -> float:
    """A time, moved to where the next of so many frames per second is due, for these are counted from the start."""
    if selection.fps is None:
        return time_s
    return selection.start_s + math.ceil((time_s - selection.start_s) * selection.fps - 1e-9) / selection.fps
