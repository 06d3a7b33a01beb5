from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import read_csv, write_csv

from mien.errors import DataError, UnreadableMedia
from mien.records.parquet import ParquetWriter
from mien.records.session import Session, read_session
from mien.records.writers import CsvWriter, JsonlWriter
from mien.scene import Scene, UsedModel

MakeScene = Callable[..., Scene]
WRITERS = {".parquet": ParquetWriter, ".csv": CsvWriter, ".jsonl": JsonlWriter}


@pytest.fixture
def scenes(scene: MakeScene, face: Any, hand: Any) -> list[Scene]:
    return [
        scene(0, face(), face("sad", 0.4, uncertain=True, track=2), hand()),
        scene(1),
        scene(1),
        scene(3, face(None, track=None), hand(None, side="left")),
        scene(0, source='odd, "name".jpg'),
        scene(0, hand("none"), source="last.jpg"),
    ]


def _write(path: Path, scenes: list[Scene]) -> Path:
    with WRITERS[path.suffix](path) as records:
        for scene in scenes:
            records.write(scene)
    return path


def _plain(session: Session) -> list[Any]:
    """What a session holds, frame by frame."""
    seen = session.seen
    found = [
        (
            int(seen.frame[i]),
            int(seen.task[i]),
            int(seen.track[i]),
            int(seen.side[i]),
            session.labels[seen.label[i]] if seen.label[i] >= 0 else None,
            None if np.isnan(seen.confidence[i]) else float(seen.confidence[i]),
            bool(seen.uncertain[i]),
        )
        for i in range(len(seen.frame))
    ]
    times = zip(session.source.tolist(), session.number.tolist(), session.time_s.tolist(), strict=True)
    return [(session.sources[source], number, time_s) for source, number, time_s in times] + found


@pytest.mark.parametrize("suffix", WRITERS)
def test_each_format_gives_what_was_written(suffix: str, scenes: list[Scene], tmp_path: Path) -> None:
    session = read_session(_write(tmp_path / f"a{suffix}", scenes))
    assert session.name == f"a{suffix}"
    assert _plain(session) == [
        ("żółć.mp4", 0, 0.0),
        ("żółć.mp4", 1, 0.04),
        ("żółć.mp4", 3, 0.12),
        ('odd, "name".jpg', 0, 0.0),
        ("last.jpg", 0, 0.0),
        (0, 0, 1, 0, "happy", 0.91, False),
        (0, 0, 2, 0, "sad", 0.4, True),
        (0, 1, 1, 2, "victory", 0.99, False),
        (2, 0, 0, 0, None, None, True),
        (2, 1, 1, 1, None, None, True),
        (4, 1, 1, 2, "none", 0.99, False),
    ]


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_models_of_every_frame(suffix: str, scene: MakeScene, face: Any, tmp_path: Path) -> None:
    mine = UsedModel(name="mine", version="2 beta", threshold=0.5, sha256="ab" * 6)
    other, gesture = replace(mine, threshold=0.25), replace(mine, name="hands", version="7", sha256="")
    models = [{"emotion": mine, "gesture": gesture}, {"gesture": gesture}, {"emotion": other}, {}, {"emotion": mine}]
    path = _write(
        tmp_path / f"a{suffix}",
        [replace(scene(i, *([face(), face("sad")] * (i % 2))), models=used) for i, used in enumerate(models)],
    )
    session = read_session(path)
    named = [[session.models[place] if place >= 0 else None for place in row] for row in session.model.tolist()]
    assert named == [[mine, gesture], [None, gesture], [other, None], [None, None], [mine, None]]


def test_json_lines_tell_the_detector(scene: MakeScene, tmp_path: Path) -> None:
    used = UsedModel(name="mine", version="2", threshold=1.0, sha256="ab" * 6, detector="palms 1 + points 3")
    session = read_session(_write(tmp_path / "a.jsonl", [replace(scene(0), models={"gesture": used})]))
    assert session.models == (used,)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_of_older_versions_name_no_model(suffix: str, scenes: list[Scene], tmp_path: Path) -> None:
    path = _write(tmp_path / f"a{suffix}", scenes)
    table = (read_csv(path) if suffix == ".csv" else pq.read_table(path)).drop_columns(
        ["model_emotion", "model_gesture"]
    )
    (write_csv if suffix == ".csv" else pq.write_table)(table, path)
    session = read_session(path)
    assert session.models == ()
    assert (session.model == -1).all()


def test_a_model_that_is_none(scene: MakeScene, tmp_path: Path) -> None:
    used = UsedModel(name="mine", version="2", threshold=0.5)
    path = _write(tmp_path / "a.csv", [replace(scene(0), models={"emotion": used})])
    path.write_text(path.read_text("utf-8").replace("threshold 0.5", "threshold"), "utf-8")
    with pytest.raises(DataError, match="model_emotion is wrong: a model must be written as NAME VERSION"):
        read_session(path)


@pytest.mark.parametrize("suffix", WRITERS)
def test_frames_without_anything_are_a_session_too(suffix: str, scene: MakeScene, tmp_path: Path) -> None:
    session = read_session(_write(tmp_path / f"a{suffix}", [scene(i) for i in range(3)]))
    assert len(session.time_s) == 3
    assert session.labels == ()
    assert not len(session.seen.frame)


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_part_file_of_a_killed_run(suffix: str, scenes: list[Scene], tmp_path: Path) -> None:
    writer = WRITERS[suffix](tmp_path / f"a{suffix}", **({"flush_s": 0} if suffix == ".parquet" else {}))
    for scene in scenes[:2]:
        writer.write(scene)
    assert len(read_session(tmp_path / f"a{suffix}.part").time_s) == 2
    writer.close()


def test_a_last_line_that_breaks_off_is_left_out(
    scenes: list[Scene], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _write(tmp_path / "a.jsonl", scenes)
    path.write_bytes(path.read_bytes()[:-20])
    assert len(read_session(path).time_s) == 4
    assert "is incomplete" in caplog.text


@pytest.mark.parametrize("suffix", WRITERS)
def test_file_names_that_are_no_text(suffix: str, scene: MakeScene, tmp_path: Path) -> None:
    path = _write(tmp_path / f"a{suffix}", [scene(0, source=os.fsdecode(b"caf\xe9.mp4")), scene(0, source="ok\\u.mp4")])
    assert read_session(path).sources == ("caf\\udce9.mp4", "ok\\u.mp4")


def test_records_of_older_versions_with_lone_surrogates(scene: MakeScene, tmp_path: Path) -> None:
    path = _write(tmp_path / "a.jsonl", [scene(0, source=os.fsdecode(b"caf\xe9.mp4")), scene(0, source="ok\\u.mp4")])
    path.write_bytes(path.read_bytes().replace(rb"caf\\udce9", rb"caf\udce9"))
    assert json.loads(path.read_bytes().splitlines()[0])["source"] == "caf\udce9.mp4"
    assert read_session(path).sources == ("caf\\udce9.mp4", "ok\\u.mp4")


def test_a_table_that_pandas_wrote_again(scenes: list[Scene], tmp_path: Path) -> None:
    import pandas as pd

    table = pd.read_csv(_write(tmp_path / "a.csv", scenes))
    table.to_csv(tmp_path / "b.csv", index=False)
    table.to_parquet(tmp_path / "b.parquet")
    expected = _plain(read_session(tmp_path / "a.csv"))
    for name in ("b.csv", "b.parquet"):
        assert _plain(read_session(tmp_path / name)) == expected


@pytest.mark.parametrize("missing", ["track", "time_s", "label"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_missing_column_is_named(suffix: str, missing: str, scenes: list[Scene], tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / f"b{suffix}"
    table = pd.read_csv(_write(tmp_path / "a.csv", scenes)).drop(columns=missing)
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    with pytest.raises(DataError, match=f"b{suffix} lacks the column {missing}; "):
        read_session(path)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.parquet", b"", "is empty"),
        ("a.jsonl", b"", "is empty"),
        ("a.csv", b"source,frame,time_s,kind,track,side,label,confidence,uncertain\n", "has no rows"),
        ("a.csv", b"a,b\n1\n", "lacks the columns source, frame"),
        (
            "a.csv",
            b"source,frame,time_s,kind,track,side,label,confidence,uncertain\nx,one,0,none,,,,,\n",
            "not the expected file",
        ),
        ("a.csv", b"source,frame,time_s,kind,track,side,label,confidence,uncertain\nx,1,nan,none,,,,,\n", "finite"),
        ("a.csv", b"source,frame,time_s,kind,track,side,label,confidence,uncertain\nx,1,,none,,,,,\n", "empty cells"),
        ("a.csv", b"source,frame,time_s,kind,track,side,label,confidence,uncertain\nx,1,1,foot,,,,,\n", "got foot"),
        ("a.jsonl", b"{}\n", "line 1 is not a scene"),
        ("a.jsonl", b"nonsense\n", "line 1 is not a scene"),
        ("a.jsonl", b'{"source": "a.jpg", "label": "happy", "confidence": 1}\n', "line 1 is not a scene"),
        ("a.jsonl", b"\n\n", "has no rows"),
        ("a.jsonl", b'{"kind": "end", "task": "emotion", "duration_s": 1}\n', "holds events"),
        ("a.csv", b"source,frame,time_s,kind,track,side,label,confidence,uncertain\nx,1.5,1,none,,,,,\n", "int64"),
        ("a.parquet", b"PAR1 and nothing of the kind PAR1", "damaged or not the expected file"),
        ("a.parquet", b"words", "damaged or not the expected file"),
        ("a.txt", b"words", r"not a \.parquet, \.jsonl or \.csv"),
        ("a.html", b"<html>", r"not a \.parquet, \.jsonl or \.csv"),
    ],
)
def test_files_of_another_kind(name: str, content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((DataError, UnreadableMedia), match=sentence) as caught:
        read_session(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_damaged_and_missing_files(scenes: list[Scene], tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", scenes)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableMedia, match=r"a\.parquet is damaged"):
        read_session(path)
    with pytest.raises(UnreadableMedia, match="no such file"):
        read_session(tmp_path / "b.parquet")
    (tmp_path / "c.parquet").mkdir()
    with pytest.raises(UnreadableMedia, match="it is a folder"):
        read_session(tmp_path / "c.parquet")


def test_columns_of_the_wrong_kind(tmp_path: Path) -> None:
    names = ("source", "frame", "time_s", "kind", "track", "side", "label", "confidence", "uncertain")
    row: dict[str, list[object]] = {name: ["x"] for name in names}
    pq.write_table(pa.table(row), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"the column frame holds string, not int64"):
        read_session(tmp_path / "a.parquet")
