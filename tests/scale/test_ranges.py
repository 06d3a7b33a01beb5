from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from mien.scale.job import Item, Part, Settings, Unit
from mien.scale.ranges import units_of
from mien.sources import VideoSource

Make = Callable[..., Settings]
WriteClip = Callable[..., Path]


def _part(path: Path) -> Part:
    return Part(number=0, items=(Item(source=path.name, path=str(path), is_video=True),))


def _given(units: tuple[Unit, ...], path: Path) -> list[tuple[int, float]]:
    found = []
    for unit in units:
        with VideoSource(path, selection=unit.selection) as source:
            found += [(frame.index, frame.time_s) for frame in source]
    return found


@pytest.mark.parametrize(
    "selection", [{}, {"every": 3}, {"fps": 3}, {"keyframes": True}, {"start_s": 1.25, "end_s": 5.1}]
)
@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".mp4", "mpeg4", {}),
        (".mp4", "libx264", {"bf": "3", "x264-params": "open-gop=1:scenecut=0"}),
        (".avi", "mpeg4", {}),
        (".mkv", "libx264", {"bf": "2"}),
    ],
)
def test_ranges_give_each_frame_of_the_whole_once_and_in_order(
    tmp_path: Path,
    settings: Make,
    write_clip: WriteClip,
    suffix: str,
    codec: str,
    options: dict[str, str],
    selection: dict[str, Any],
) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", codec=codec, options=options)
    asked = settings(range_s=1, **selection)
    units = units_of(_part(path), asked)
    assert len(units) > 2
    with VideoSource(path, selection=asked.selection) as source:
        whole = [(frame.index, frame.time_s) for frame in source]
    assert _given(units, path) == whole


def test_ranges_meet_at_key_frames_and_say_about_how_many_frames_they_have(
    tmp_path: Path, settings: Make, write_clip: WriteClip
) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    units = units_of(_part(path), settings(range_s=1))
    with av.open(str(path)) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.is_keyframe and p.size]
    starts = [unit.selection.start_s for unit in units]
    assert starts[0] == 0
    assert all(any(abs(start - key) < 1e-9 for key in keys) for start in starts)
    assert [unit.selection.end_s for unit in units] == [*starts[1:], None]
    assert [unit.is_first for unit in units] == [True] + [False] * (len(units) - 1)
    assert sum(unit.weight for unit in units) == pytest.approx(60, abs=len(units))


def test_a_video_with_one_key_frame_and_an_unreadable_one_are_one_unit(
    tmp_path: Path, settings: Make, write_clip: WriteClip
) -> None:
    path = write_clip(tmp_path / "clip.mp4", gop=1000, codec="libx264", options={"x264-params": "scenecut=0"})
    assert len(units_of(_part(path), settings(range_s=1))) == 1
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    assert len(units_of(_part(broken), settings(range_s=1))) == 1


def test_a_long_range_leaves_a_video_whole(tmp_path: Path, settings: Make, write_clip: WriteClip) -> None:
    assert len(units_of(_part(write_clip(tmp_path / "clip.mp4")), settings(range_s=5))) == 1
