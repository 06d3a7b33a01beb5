from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from mien.artwork.drawings import demo_frame
from mien.errors import UnreadableMedia
from mien.pipeline import Analyzer
from mien.records.parquet import ParquetWriter
from mien.records.writers import JsonlWriter
from mien.scale.folder import BatchFolder, read_json, write_json
from mien.scale.job import Item, Part, Settings, Unit, WorkItem
from mien.scale.ranges import rough_seam
from mien.scale.tasks import ExactWriter, Worker, joined
from mien.scene import Face, Hand, Scene
from mien.sources import Selection, open_source

Make = Callable[..., Settings]


@pytest.fixture
def folder(tmp_path: Path) -> BatchFolder:
    made = BatchFolder(tmp_path / "out")
    made.work.mkdir(parents=True)
    made.parts.mkdir()
    return made


def _unit(number: int, *, source: str = "clip.mp4") -> Unit:
    return Unit(part=0, number=number, source=source, path=f"/{source}", selection=Selection(), is_first=not number)


def _video(source: str, path: Path) -> Part:
    return Part(number=0, items=(Item(source=source, path=str(path), is_video=True),))


def test_a_person_in_view_over_a_seam_keeps_one_number(
    folder: BatchFolder, scene: Callable[..., Scene], face: Callable[..., Face]
) -> None:
    """One leaves before the seam, so that the other one, who stays, would be the first of the second range."""
    left, right = (20.0, 30.0, 60.0, 80.0), (120.0, 30.0, 160.0, 80.0)
    views = [(left,)] * 3 + [(left, right)] * 3 + [(right,)] * 6
    for number, (begin, end) in enumerate(((0, 8), (8, 12))):
        unit = _unit(number)
        with JsonlWriter(folder.rows(unit)) as rows:
            for index in range(begin, end):
                faces = [face(box_xyxy=box, track=place) for place, box in enumerate(views[index], 1)]
                rows.write(scene(index, *faces, source="clip.mp4"))
        write_json(folder.result(unit), {"frames": end - begin})
    units = (_unit(0), _unit(1))
    results = [read_json(folder.result(unit)) for unit in units]
    scenes = list(joined(folder, _video("clip.mp4", Path("/clip.mp4")), units, results))
    assert [each.frame for each in scenes] == list(range(12))
    at_right = {each.track for one in scenes for each in one.faces if each.box_xyxy == right}
    assert at_right == {2}


def test_what_is_written_in_between_changes_no_number(
    folder: BatchFolder, scene: Callable[..., Scene], hand: Callable[..., Hand], face: Callable[..., Face]
) -> None:
    """Where a finger points is computed from landmarks, of which a record has two digits only."""
    pick = np.random.default_rng(3)
    unit = _unit(0)
    scenes = []
    for index in range(40):
        points = tuple((float(x), float(y), float(z)) for x, y, z in pick.uniform(20, 60, (21, 3)) / [1, 1, 40])
        x, y = pick.uniform(20, 23, 2)
        box = (x, y, x + 50.123456, y + 50.654321)
        pointing = replace(hand("point"), landmarks_xyz=points, box_xyxy=box)
        scenes.append(scene(index, face(track=1, box_xyxy=(x, y, x + 41.987654, y + 40.1)), pointing, source="c.mp4"))
    with ExactWriter(folder.rows(unit)) as rows:
        for each in scenes:
            rows.write(each)
    found = list(joined(folder, _video("c.mp4", Path("/c.mp4")), (unit,), [{"frames": len(scenes)}]))
    assert [each.to_dict() for each in found] == [each.to_dict() for each in scenes]
    assert [each.faces[0].box_xyxy for each in found] == [each.faces[0].box_xyxy for each in scenes]


def test_ranges_have_the_rows_of_the_whole_video(folder: BatchFolder, settings: Make, drawn_clip: Path) -> None:
    asked = settings(range_s=1)
    part = _video("clip.mp4", drawn_clip)
    with Worker(folder, asked) as worker:
        worker.perform(WorkItem(kind="split", part=part))
        units = folder.units(part)
        for unit in reversed(units):
            worker.perform(WorkItem(kind="look", part=part, unit=unit))
        facts = worker.perform(WorkItem(kind="join", part=part))
    assert len(units) > 2
    whole = folder.path / "whole.parquet"
    with Analyzer(asked.options) as analyzer, open_source(drawn_clip) as source, ParquetWriter(whole) as rows:
        for each in analyzer.scenes(source):
            rows.write(replace(each, source="clip.mp4"))
    found = pq.read_table(folder.table(part))
    assert found.to_pylist() == pq.read_table(whole).to_pylist()
    assert {row["kind"] for row in found.to_pylist()} >= {"face"}
    assert (facts["frames"], facts["rows"]) == (20, found.num_rows)
    assert list(folder.work.iterdir()) == []


def test_ranges_of_a_video_in_which_faces_are_followed_have_its_rows(
    folder: BatchFolder, settings: Make, write_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """A face comes and goes and is followed in between, at 25 frames per second, with a cut every second; a range that
    remembers too little, here because it begins with its own first frame, goes on with what the one before remembers.
    """
    drawn = [np.ascontiguousarray(demo_frame(30 + index)[::2, ::2]) for index in range(34)]
    frames = [drawn[index // 3] for index in range(100)]
    for index in (*range(33, 41), *range(60, 77)):
        frames[index] = np.full_like(frames[index], 90)
    clip = write_clip(tmp_path / "clip.mp4", frames, rate=25, gop=12)
    asked = settings(range_s=1)
    part = _video("clip.mp4", clip)
    with Analyzer(asked.options) as analyzer, open_source(clip) as source:
        whole = [replace(each, source="clip.mp4").to_dict() for each in analyzer.scenes(source)]
    counts = []
    for is_warm in (True, False):
        with Worker(folder, asked) as worker:
            worker.perform(WorkItem(kind="split", part=part))
            units = folder.units(part)
            if not is_warm:
                units = tuple(
                    replace(unit, begin_s=None if unit.begin_s is None else unit.selection.start_s) for unit in units
                )
            assert len(units) > 2
            for unit in reversed(units):
                worker.perform(WorkItem(kind="look", part=part, unit=unit))
            redone = []
            while rough := rough_seam(units, [read_json(folder.result(unit)) for unit in units]):
                redone.append(rough.number)
                worker.perform(WorkItem(kind="look", part=part, unit=rough))
        found = joined(folder, part, units, [read_json(folder.result(unit)) for unit in units])
        assert [each.to_dict() for each in found] == whole
        assert redone == sorted(set(redone))
        counts.append(len(redone))
    assert counts[0] < counts[1]


def test_what_an_earlier_worker_left_half_written_is_removed(
    folder: BatchFolder, settings: Make, walls: Callable[[int], Path]
) -> None:
    photo = walls(1) / "wall0.png"
    unit = replace(_unit(0), path=str(photo), source="wall.png")
    left = folder.work / f"{unit.key}.jsonl.part"
    left.write_text('{"half')
    other = folder.work / "000001-00000.jsonl.part"
    other.write_text('{"half')
    part = Part(number=0, items=())
    with Worker(folder, settings()) as worker:
        assert worker.perform(WorkItem(kind="look", part=part, unit=unit))["frames"] == 1
    assert not left.exists()
    assert other.exists()
    assert folder.rows(unit).read_text().count("\n") == 1


def test_what_cannot_be_read_raises_and_what_breaks_off_is_kept(
    folder: BatchFolder, settings: Make, drawn_clip: Path, tmp_path: Path, write_clip: Callable[..., Path]
) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_text("no video")
    whole = write_clip(tmp_path / "whole.mkv", 40)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    part = Part(number=0, items=())
    with Worker(folder, settings()) as worker:
        unit = replace(_unit(0), path=str(broken), source="shown as.mkv")
        with pytest.raises(UnreadableMedia, match=r"shown as\.mkv"):
            worker.perform(WorkItem(kind="look", part=part, unit=unit))
        assert not folder.result(unit).exists()
        result = worker.perform(
            WorkItem(kind="look", part=part, unit=replace(_unit(1), path=str(cut), source="cut.mkv"))
        )
    assert 0 < result["frames"] < 40
    assert result["problem"].startswith("cut.mkv is truncated")


def test_a_last_range_without_any_wanted_frame_is_no_failure(
    folder: BatchFolder, settings: Make, write_clip: Callable[..., Path], tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", 20)
    part = Part(number=0, items=())
    late = replace(_unit(1), path=str(clip), selection=Selection(start_s=30.0))
    with Worker(folder, settings()) as worker:
        assert worker.perform(WorkItem(kind="look", part=part, unit=late))["frames"] == 0
        with pytest.raises(Exception, match="choose an earlier start"):
            worker.perform(WorkItem(kind="look", part=part, unit=replace(late, number=0, is_first=True)))


def test_damage_within_a_range_is_told(
    folder: BatchFolder, settings: Make, write_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """A range that ends before the file does not check the whole of it, and must still say what it lost."""
    clip = write_clip(tmp_path / "clip.mp4", 60, codec="libx264", options={"x264-params": "bframes=0:scenecut=0"})
    data = bytearray(clip.read_bytes())
    places = _packets(clip)
    for start, size in places[15:17]:
        data[start : start + size] = b"\xff" * size
    clip.write_bytes(data)
    unit = replace(_unit(0), path=str(clip), selection=Selection(end_s=4.0))
    with Worker(folder, settings()) as worker:
        result = worker.perform(WorkItem(kind="look", part=Part(number=0, items=()), unit=unit))
    assert result["frames"] < 40
    assert "could not be decoded" in result["problem"]


def _packets(path: Path) -> list[tuple[int, int]]:
    import av

    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size and packet.pos]


def test_a_photo_part_has_a_row_per_photo_in_order(
    folder: BatchFolder, settings: Make, walls: Callable[[int], Path]
) -> None:
    photos = sorted(walls(3).iterdir())
    part = Part(number=0, items=tuple(Item(source=p.name, path=str(p), is_video=False) for p in photos))
    with Worker(folder, settings()) as worker:
        for unit in part.photo_units(Selection()):
            worker.perform(WorkItem(kind="look", part=part, unit=unit))
        facts: dict[str, Any] = worker.perform(WorkItem(kind="join", part=part))
    assert pq.read_table(folder.table(part), columns=["source"]).to_pydict()["source"] == [p.name for p in photos]
    assert facts["rows"] == 3
    assert folder.facts(part).exists()
