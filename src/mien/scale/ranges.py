"""Where a video is cut into ranges that workers do at the same time: after key frames, whose times need no decoding.

Which frames a range has is decided by `Selection` alone, so that a cut that is not quite after a key frame costs time
but no frame: of two ranges that meet, exactly one wants each frame.

What is found in a frame also depends on those shortly before, because faces are followed. So a range begins to look at
a key frame, `WARM_S` before its own first frame, and remembers. Where that is not what the range before remembers at
its end, the seam is rough, and the range is done again from there (`rough_seam`). So its rows are always those of a
video that was never cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Any

from mien.errors import InputError
from mien.scale.job import Part, Settings, Unit
from mien.sources import Selection
from mien.sources.ffmpeg import errors_of_ffmpeg, open_file, rate_of

_SEEKS = ("mov", "avi")
"""Containers that are entered anywhere at once."""

_READS = ("matroska", "webm")
"""Containers whose frames are counted by reading, without decoding, all that is before; so they get few ranges."""

_MOST_READ = 16

WARM_S = 1.0
"""Seconds of video that a range looks at before its own first frame, at most a quarter of its length."""

LEAST_S = 5.0
"""Seconds of the shortest ranges that a video gets when there are few videos for many workers."""


def units_of(part: Part, settings: Settings) -> tuple[Unit, ...]:
    """The units of a video; a single one where it cannot be cut, also when it cannot be read, which that will tell."""
    (item,) = part.items
    whole = Unit(part=part.number, number=0, source=item.source, path=item.path, selection=settings.selection)
    if "://" in item.path:
        return (whole,)
    try:
        cuts, count, fps = _cuts(item.path, settings)
    except InputError:
        return (whole,)
    edges: list[tuple[float | None, float]] = [(None, settings.selection.start_s), *cuts]
    ends = [*(cut_s for _, cut_s in cuts), settings.selection.end_s]
    units = []
    for number, ((begin_s, start_s), end_s) in enumerate(zip(edges, ends, strict=True)):
        selection = replace(settings.selection, start_s=start_s, end_s=end_s)
        weight = selection.expected(count, fps) or (end_s - start_s if end_s is not None else settings.range_s)
        unit = replace(whole, number=number, selection=selection, begin_s=begin_s, is_first=number == 0)
        units.append(replace(unit, weight=max(float(weight), 1.0)))
    return tuple(units)


def rough_seam(units: Sequence[Unit], results: Sequence[Mapping[str, Any]]) -> Unit | None:
    """The first unit of a video that did not begin with what the one before remembered, as it is to be done again.

    Args:
        units: of the video, in order.
        results: of each; one that was given up remembers nothing, and what follows it stays as it is.
    """
    for unit, before, result in zip(units[1:], results, results[1:], strict=False):
        if "after" in before and "before" in result and before["after"] != result["before"]:
            return replace(unit, goes_on=True)
    return None


def _cuts(path: str, settings: Settings) -> tuple[list[tuple[float, float]], int | None, float | None]:
    """Where to begin to look and where a range begins, in seconds, for all but the first; and how many frames the
    whole video has at which rate."""
    selection = settings.selection
    container, stream = open_file(path)
    try:
        fps, base = rate_of(stream), stream.time_base
        length_s = (container.duration or 0) / 1e6
        count = stream.frames if 0 < stream.frames < 2**40 else round(length_s * (fps or 0)) or None
        kinds = container.format.name.split(",")
        if not base or not length_s or not any(kind in (*_SEEKS, *_READS) for kind in kinds):
            return [], count, fps
        step_s = settings.range_s
        if settings.pieces > 1:
            step_s = min(step_s, max(length_s / settings.pieces, LEAST_S))
        if not any(kind in _SEEKS for kind in kinds):
            step_s = max(step_s, length_s / _MOST_READ)
        warm_s = min(WARM_S, step_s / 4)
        zero_s = Fraction(container.start_time or 0, 10**6)
        end_s = min(length_s, math.inf if selection.end_s is None else selection.end_s)
        cuts: list[tuple[float, float]] = []
        last_s, target_s = selection.start_s, selection.start_s + step_s
        with suppress(*errors_of_ffmpeg(), StopIteration):  # an index that is damaged: no more cuts
            while target_s < end_s - step_s / 2:
                container.seek(round((Fraction(target_s - warm_s) + zero_s) / base), stream=stream)
                packet = next(container.demux(stream))
                stamp = packet.dts if packet.pts is None else packet.pts
                if stamp is None:
                    break
                begin_s = _aligned(float(stamp * base - zero_s), selection)
                cut_s = _aligned(begin_s + warm_s, selection)
                if packet.is_keyframe and last_s + step_s / 4 < begin_s and cut_s < end_s:
                    cuts.append((begin_s, cut_s))
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
