from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from mien.scale.job import Item, Part, Settings, Unit
from mien.scale.ranges import rough_seam, units_of
from mien.sources import Selection, VideoSource

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


def test_ranges_begin_to_look_at_key_frames_and_say_about_how_many_frames_they_have(
    tmp_path: Path, settings: Make, write_clip: WriteClip
) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    units = units_of(_part(path), settings(range_s=1))
    with av.open(str(path)) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.is_keyframe and p.size]
    starts = [unit.selection.start_s for unit in units]
    assert (starts[0], units[0].begin_s) == (0, None)
    begins = [unit.begin_s for unit in units[1:] if unit.begin_s is not None]
    assert len(begins) == len(units) - 1
    assert all(any(abs(begin - key) < 1e-9 for key in keys) for begin in begins)
    assert starts[1:] == [begin + 0.25 for begin in begins], "a quarter of a range, at most a second"
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


def test_a_video_gets_as_many_pieces_as_are_asked_for_but_none_too_short(
    tmp_path: Path, settings: Make, write_clip: WriteClip
) -> None:
    path = write_clip(tmp_path / "clip.mp4", 400)  # 40 s
    for pieces, count in ((1, 1), (2, 2), (4, 4), (100, 8)):
        assert len(units_of(_part(path), replace(settings(), pieces=pieces))) == count


def test_a_unit_that_did_not_begin_with_what_was_before_is_done_again() -> None:
    units = tuple(Unit(part=0, number=n, source="a", path="/a", selection=Selection()) for n in range(4))
    results = [{"before": {}, "after": {"x": 1}}, {"before": {"x": 1}, "after": {}}, {"before": {}, "after": {"y": 2}}]
    assert rough_seam(units, [*results, {"before": {"y": 2}, "after": {}}]) is None
    rough = rough_seam(units, [*results, {"before": {"y": 3}, "after": {}}])
    assert rough == replace(units[3], goes_on=True)
    given_up = {"frames": 0, "problem": "trouble"}
    assert rough_seam(units, [given_up, *results[1:], given_up]) is None


def test_a_long_range_leaves_a_video_whole(tmp_path: Path, settings: Make, write_clip: WriteClip) -> None:
    assert len(units_of(_part(write_clip(tmp_path / "clip.mp4")), settings(range_s=5))) == 1
