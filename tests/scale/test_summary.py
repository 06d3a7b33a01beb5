from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("duckdb", reason="DuckDB is not installed: pip install 'mien[scale]'")

from mien.errors import DataError, InputError
from mien.records.parquet import ParquetWriter
from mien.records.session import read_session
from mien.records.tables import read_rows
from mien.reports.session.times import runs, segments, shares
from mien.scale.summary import grouping, longest_parts, summarize_batch, summarize_rows, write_csv
from mien.scene import Face, Hand, Scene

MakeScene = Callable[..., Scene]
MakeFace = Callable[..., Face]
LEFT, RIGHT = (20.0, 30.0, 60.0, 80.0), (120.0, 30.0, 160.0, 80.0)


@pytest.fixture
def batch(tmp_path: Path, scene: MakeScene, face: MakeFace, hand: Callable[..., Hand]) -> Path:
    """A video of 130 s at one frame per second with a pause of 20 s, one without anybody, and a photo."""
    scenes = []
    for second in [*range(50), *range(70, 150)]:
        seen: list[Face | Hand] = []
        if second % 10 < 7:
            label = "happy" if second % 20 < 10 else "sad"
            seen.append(face(label, box_xyxy=LEFT, track=1, uncertain=second % 10 == 3))
        if 30 <= second < 40 or second > 140:
            seen.append(face("neutral", box_xyxy=RIGHT, track=2))
        if second < 5:
            seen.append(hand("victory"))
        scenes.append(replace(scene(second, *seen, source="long.mp4"), time_s=float(second)))
    empty = [replace(scene(index, source="it's empty.mp4"), time_s=index / 10) for index in range(11)]
    photo = [scene(0, face("happy"), face("sad", box_xyxy=RIGHT, track=2), source="photo.jpg")]
    parts = tmp_path / "parts"
    for number, part in enumerate((scenes, empty, photo)):
        with ParquetWriter(parts / f"part-{number:06d}.parquet") as table:
            for each in part:
                table.write(each)
    return tmp_path


def _rows(table: pa.Table, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if all(row[key] == value for key, value in wanted.items())]


def test_people_are_counted_as_on_the_page_of_a_session(batch: Path) -> None:
    table = summarize_batch(batch, ("file", "person"))
    session = read_session(batch / "parts" / "part-000000.parquet")
    (part,) = segments(session)
    labels = session.labels
    found = shares(part, part.of("emotion"), len(labels))
    episodes = runs(part, labels)
    for row, track in enumerate(found.tracks):
        (told,) = _rows(table, file="long.mp4", kind="face", person=int(track))
        seconds = found.seconds[row]
        assert told["in_view_s"] == pytest.approx(seconds.sum())
        assert (told["first_s"], told["last_s"]) == (found.first_s[row], found.last_s[row])
        for label in ("happy", "sad", "neutral"):
            share = seconds[labels.index(label)] / seconds.sum()
            assert (told[f"share_{label}"] or 0) == pytest.approx(share, abs=1e-4)
        assert (told["share_hard_to_read"] or 0) == pytest.approx(seconds[-1] / seconds.sum(), abs=1e-4)
        mine = (episodes.task == 0) & (episodes.track == track)
        assert told["episodes"] == mine.sum()
        recorded = [
            d for t, d in zip(part.time_s, part.duration_s, strict=True) if found.first_s[row] <= t < found.last_s[row]
        ]
        assert told["unseen_s"] == pytest.approx(sum(recorded) - seconds.sum())
        assert told["unseen_s"] > 0


def test_a_file_says_how_long_nobody_was_seen_even_if_that_is_all_the_time(batch: Path) -> None:
    table = summarize_batch(batch, ("file",))
    (part,) = segments(read_session(batch / "parts" / "part-000000.parquet"))
    (long,) = _rows(table, file="long.mp4", kind="face")
    seen_s = part.duration_s[sorted(set(part.of("emotion").frame.tolist()))].sum()
    assert long["unseen_s"] == pytest.approx(part.recorded_s - seen_s)
    assert long["tracks"] == 2
    (empty,) = _rows(table, file="it's empty.mp4", kind="face")
    assert (empty["tracks"], empty["in_view_s"], empty["unseen_s"]) == (0, 0, pytest.approx(1.1))
    assert empty["share_happy"] is None
    (photo,) = _rows(table, file="photo.jpg", kind="face")
    assert (photo["share_happy"], photo["share_sad"], photo["in_view_s"]) == (0.5, 0.5, 0)


def test_minutes_add_up_to_the_file(batch: Path) -> None:
    whole = summarize_batch(batch, ("file",))
    minutes = summarize_batch(batch, ("file", "minute"))
    for file in ("long.mp4", "it's empty.mp4"):
        for kind in ("face", "hand"):
            (told,) = _rows(whole, file=file, kind=kind)
            parts = _rows(minutes, file=file, kind=kind)
            for name in ("frames", "in_view_s", "unseen_s", "episodes"):
                assert sum(part[name] for part in parts) == pytest.approx(told[name])
    assert [row["minute"] for row in _rows(minutes, file="long.mp4", kind="face")] == [0, 1, 2]
    by_all = summarize_batch(batch, ("file", "person", "minute"))
    (second,) = _rows(by_all, file="long.mp4", kind="face", person=2, minute=2)
    assert second["share_neutral"] == 1


def test_one_session_gives_the_same_table_and_grades_are_counted_where_they_are(batch: Path) -> None:
    path = batch / "parts" / "part-000000.parquet"
    rows = read_rows(path)
    plain = summarize_rows(
        rows.drop_columns([name for name in rows.column_names if name == "grade"]), ("file", "person")
    )
    expected = _rows(summarize_batch(batch, ("file", "person")), file="long.mp4")
    assert [
        {key: value for key, value in row.items() if not key.startswith("grade_")} for row in expected
    ] == plain.to_pylist()
    grade = pa.array([None if row["label"] is None else "perhaps" for row in rows.to_pylist()], pa.string())
    graded = rows.drop_columns([n for n in rows.column_names if n == "grade"]).append_column("grade", grade)
    assert {row["grade_perhaps"] for row in summarize_rows(graded, ("file", "person")).to_pylist()} == {1.0}


def test_records_that_were_appended_to_are_counted_as_on_the_page(
    tmp_path: Path, scene: MakeScene, face: MakeFace, hand: Callable[..., Hand]
) -> None:
    """A second run begins at the first frame again: its time goes on after the first run, and its people are others."""
    parts = tmp_path / "parts"
    with ParquetWriter(parts / "part-000000.parquet") as table:
        for seconds, people in ((10, 2), (4, 1), (7, 2)):
            for second in range(seconds):
                seen: list[Face | Hand] = [face("happy", box_xyxy=LEFT, track=1)]
                if people == 2 and second > 1:
                    seen.append(face("sad", box_xyxy=RIGHT, track=2, uncertain=second == 3))
                if people == 1:
                    seen.append(hand("victory"))
                table.write(replace(scene(second, *seen, source="camera"), time_s=second / 2))
                table.write(replace(scene(second, source="other"), time_s=float(second)))
    path = parts / "part-000000.parquet"
    session = read_session(path)
    (part,) = (part for part in segments(session) if part.name == "camera")
    assert part.setbacks == 2
    by_person = summarize_rows(read_rows(path), ("file", "person"))
    assert summarize_batch(tmp_path, ("file", "person")).equals(by_person)
    for kind, task in (("face", "emotion"), ("hand", "gesture")):
        found = shares(part, part.of(task), len(session.labels))
        told = {row["person"]: row for row in _rows(by_person, file="camera", kind=kind)}
        assert sorted(told) == sorted(found.tracks)
        for row, track in enumerate(found.tracks):
            assert told[track]["in_view_s"] == pytest.approx(found.seconds[row].sum())
            assert (told[track]["first_s"], told[track]["last_s"]) == (found.first_s[row], found.last_s[row])
            assert told[track]["in_view_s"] <= told[track]["last_s"] - told[track]["first_s"]
    faces = _rows(by_person, file="camera", kind="face")
    assert [row["frames"] for row in faces] == [10, 8, 4, 7, 5]
    assert [(row["first_s"], row["last_s"]) for row in faces] == [(0, 5), (1, 5), (5, 7), (7, 10.5), (8, 10.5)]
    episodes = runs(part, session.labels)
    assert sum(row["episodes"] for row in _rows(by_person, file="camera")) == len(episodes.label)
    (whole,) = _rows(summarize_rows(read_rows(path), ("file",)), file="camera", kind="face")
    assert (whole["tracks"], whole["frames"], whole["unseen_s"]) == (5, 21, 0)
    assert whole["in_view_s"] == pytest.approx(part.duration_s[part.of("emotion").frame].sum())


def test_csv_has_a_header_and_empty_cells(batch: Path, tmp_path: Path) -> None:
    write_csv(summarize_batch(batch, ("file", "person")), tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].startswith("file,person,kind,tracks,frames,first_s,last_s,in_view_s,unseen_s,episodes,share_")
    assert len(lines) == 6


def test_a_batch_in_a_folder_of_any_name_and_sources_of_any_name_are_counted(
    batch: Path, scene: MakeScene, face: MakeFace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """DuckDB takes brackets and stars in a path for a pattern, and pyarrow and it take no name that is not text."""
    expected = set(summarize_batch(batch, ("file",)).column("file").to_pylist())
    names = ["two\nlines.jpg", "two\rlines.jpg"]
    with ParquetWriter(batch / "parts" / "part-000003.parquet") as table:
        for name in names:
            table.write(scene(0, face("happy"), source=name))
    for name in (b"caf\xe9", b"a[1]*?", b"it's {a,b}"):
        folder = tmp_path_factory.mktemp("named") / os.fsdecode(name)
        shutil.copytree(batch, folder)
        table = summarize_batch(folder, ("file",))
        assert set(table.column("file").to_pylist()) == expected | set(names)
        assert longest_parts(folder, 9) == sorted((folder / "parts").glob("*.parquet"))
        write_csv(table, folder / "out.csv")
        with (folder / "out.csv").open(newline="") as file:
            assert [row["file"] for row in csv.DictReader(file)] == table.column("file").to_pylist()


def test_a_grouping_must_be_known_and_have_the_file() -> None:
    assert grouping("minute, file") == ("file", "minute")
    for alone, whole in (("person", "file,person"), ("minute", "file,minute"), ("minute,person", "file,person,minute")):
        with pytest.raises(InputError, match=rf"group by file too: --by {whole}\.$"):
            grouping(alone)
    with pytest.raises(InputError, match=r"no grouping 'bogus'; choose one of: (.*)\.$") as caught:
        grouping("bogus")
    offered = str(caught.value).partition(": ")[2].rstrip(".").split("; ")
    assert [",".join(grouping(text)) for text in offered] == offered
    assert len(offered) == 4


def test_a_folder_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no finished part"):
        summarize_batch(tmp_path, ("file",))


def test_a_table_for_excel_begins_with_a_byte_order_mark(batch: Path, tmp_path: Path) -> None:
    table = summarize_batch(batch, ("file",))
    write_csv(table, tmp_path / "plain.csv")
    write_csv(table, tmp_path / "excel.csv", bom=True)
    assert (tmp_path / "excel.csv").read_bytes() == b"\xef\xbb\xbf" + (tmp_path / "plain.csv").read_bytes()
