from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mien
from mien.errors import MissingExtra, OutputError
from mien.labels import EMOTIONS, EMOTIONS_8, GESTURES
from mien.records.parquet import ParquetWriter, read_journal
from mien.records.writers import CsvWriter, JsonlWriter, read_jsonl
from mien.scene import Prediction, Scene, UsedModel

MakeScene = Callable[..., Scene]

_PROGRAM = (
    "import os, resource, signal, sys\n"
    "from mien.errors import OutputError\n"
    "from mien.records.parquet import ParquetWriter\n"
    "from mien.scene import Scene\n"
    "def scene(i):\n    return Scene(source='x', frame=i, time_s=i / 25, size_hw=(1, 1))\n"
)


@pytest.fixture
def scenes(scene: MakeScene, face: Any, hand: Any) -> list[Scene]:
    return [
        scene(0, face(), face("sad", 0.4123, uncertain=True, track=2), hand()),
        scene(1),
        scene(2, face(None, track=None), hand(None, side="left")),
    ]


@pytest.fixture
def table(scenes: list[Scene], tmp_path: Path) -> Path:
    with ParquetWriter(tmp_path / "out.parquet") as records:
        for scene in scenes:
            records.write(scene)
    return tmp_path / "out.parquet"


def _scene_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The JSON of a frame, put together again from its rows."""
    scene: dict[str, Any] = {key: rows[0][key] for key in ("source", "frame", "time_s")}
    scene |= {"size": [rows[0]["height"], rows[0]["width"]], "faces": [], "hands": []}
    for row in rows:
        if row["kind"] == "none":
            continue
        task, labels = ("emotion", EMOTIONS) if row["kind"] == "face" else ("gesture", GESTURES)
        region = {"track": row["track"], "box": [row[key] for key in ("x1", "y1", "x2", "y2")], "score": row["score"]}
        if row["kind"] == "hand":
            region["side"] = row["side"]
            values = [round(value, 2) for value in row["landmarks"]]
            pointing = [row["pointing_x"], row["pointing_y"]]
            region["pointing"] = None if pointing == [None, None] else pointing
            region["landmarks"] = [values[i : i + 3] for i in range(0, 63, 3)]
        if row["label"] is not None:
            region |= {key: row[key] for key in ("label", "confidence", "uncertain", "grade")}
            region |= {"baseline": True} if row["baseline"] else {}
            region["scores"] = {label: row[f"{task}_{label}"] for label in labels.labels}
        scene[f"{row['kind']}s"].append(region)
    return scene


def test_the_table_holds_all_that_json_lines_hold(table: Path, scenes: list[Scene], tmp_path: Path) -> None:
    with JsonlWriter(tmp_path / "out.jsonl") as records:
        for scene in scenes:
            records.write(scene)
    rows = pq.read_table(table).to_pylist()
    frames = [[row for row in rows if row["frame"] == i] for i in range(3)]
    assert [_scene_of(frame) for frame in frames] == [s.to_dict() for s in read_jsonl(tmp_path / "out.jsonl")]
    assert frames[1] == [{**dict.fromkeys(rows[0]), **frames[1][0]}]
    assert {key: value for key, value in frames[1][0].items() if value is not None} == {
        "source": "żółć.mp4", "frame": 1, "time_s": 0.04, "height": 160, "width": 200, "kind": "none",
    }  # fmt: skip


def test_columns_are_those_of_csv_with_types(table: Path, tmp_path: Path) -> None:
    schema = pq.read_schema(table)
    with CsvWriter(tmp_path / "out.csv") as records:
        assert tuple(schema.names) == records.columns
    kinds = {name: str(schema.field(name).type) for name in schema.names}
    assert {kinds[name] for name in ("source", "kind", "side", "label")} == {"string"}
    assert {kinds[name] for name in ("height", "width", "track")} == {"int32"}
    assert (kinds["frame"], kinds["uncertain"]) == ("int64", "bool")
    assert pq.read_schema(table).field("landmarks").type.value_type == pa.float32()
    floats = {"time_s", "x1", "y1", "x2", "y2", "score", "confidence", "emotion_angry", "gesture_none"}
    assert {kinds[name] for name in floats} == {"double"}


def test_metadata_names_every_model_once(scene: MakeScene, face: Any, tmp_path: Path) -> None:
    emotion = UsedModel(name="mine", version="2", threshold=0.5, sha256="ab" * 6, detector="finder 1")
    stricter = replace(emotion, threshold=0.9)
    with ParquetWriter(tmp_path / "out.parquet", flush_s=0) as records:
        for number, model in enumerate((emotion, emotion, stricter, emotion)):
            records.write(replace(scene(number, face()), models={"emotion": model}))
        journal = pa.Table.from_batches(read_journal(tmp_path / "out.parquet.part"))
    about = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"mien"])
    assert about == {
        "version": mien.__version__,
        "models": [{"task": "emotion", **emotion.to_dict()}, {"task": "emotion", **stricter.to_dict()}],
    }
    rows = pq.read_table(tmp_path / "out.parquet")
    assert [UsedModel.parse(text).threshold for text in rows["model_emotion"].to_pylist()] == [0.5, 0.5, 0.9, 0.5]
    assert rows["model_emotion"] == journal["model_emotion"]


def test_pandas_reads_it_and_agrees_with_csv(table: Path, scenes: list[Scene], tmp_path: Path) -> None:
    import pandas as pd

    with CsvWriter(tmp_path / "out.csv") as records:
        for scene in scenes:
            records.write(scene)
    ours, csv = pd.read_parquet(table), pd.read_csv(tmp_path / "out.csv")
    assert len(ours) == len(csv) == 6
    for name in csv.columns:
        assert ours[name].isna().tolist() == csv[name].isna().tolist(), name
        cells, texts = ours[name].dropna().tolist(), csv[name].dropna().tolist()
        if name == "landmarks":
            texts = [np.array(text.split(), np.float32) for text in texts]
        assert np.array_equal(cells, texts), name


def test_nothing_seen_is_a_table_without_rows(tmp_path: Path) -> None:
    with ParquetWriter(tmp_path / "out.parquet"):
        pass
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_rows_reach_the_disk_as_they_come_and_groups_are_large(scene: MakeScene, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    with ParquetWriter(path, flush_s=0) as records:
        for i in range(5):
            records.write(scene(i))
            assert sum(batch.num_rows for batch in read_journal(f"{path}.part")) == i + 1
    assert pq.read_metadata(path).num_row_groups == 1
    with ParquetWriter(path, flush_s=3600) as records:
        for i in range(1000):
            records.write(scene(i))
        flushed = sum(batch.num_rows for batch in read_journal(f"{path}.part"))
        assert 500 < flushed < 1000
    assert pq.read_table(path)["frame"].to_pylist() == list(range(1000))


def test_long_tables_have_several_groups(scene: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.records.parquet._GROUP_ROWS", 300)
    with ParquetWriter(tmp_path / "out.parquet") as records:
        for i in range(1000):
            records.write(scene(i))
    assert pq.read_metadata(tmp_path / "out.parquet").num_row_groups == 2
    assert pq.read_table(tmp_path / "out.parquet")["frame"].to_pylist() == list(range(1000))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_interrupted_run_keeps_what_is_finished(
    error: type[BaseException], scenes: list[Scene], tmp_path: Path
) -> None:
    def run() -> None:
        with ParquetWriter(tmp_path / "out.parquet") as records:
            records.write(scenes[0])
            records.write(scenes[1])
            raise error

    with pytest.raises(error):
        run()
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 4
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_a_run_that_fails_at_once_keeps_the_earlier_file(tmp_path: Path) -> None:
    (tmp_path / "out.parquet").write_text("earlier")

    def run() -> None:
        with ParquetWriter(tmp_path / "out.parquet"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run()
    assert (tmp_path / "out.parquet").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_a_killed_process_leaves_its_rows_in_a_stream(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program = _PROGRAM + (
        "records = ParquetWriter(sys.argv[1], flush_s=0)\n"
        "for i in range(5):\n    records.write(scene(i))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out.parquet")], check=False)
    assert done.returncode == -9
    part = tmp_path / "out.parquet.part"
    assert [path.name for path in tmp_path.iterdir()] == [part.name]
    with pa.ipc.open_stream(part.read_bytes()) as stream:
        assert stream.read_all()["frame"].to_pylist() == list(range(5))
    part.write_bytes(part.read_bytes()[:-20])
    assert [row for batch in read_journal(part) for row in batch["frame"].to_pylist()] == list(range(4))
    assert "are incomplete" in caplog.text


def test_a_full_disk_keeps_what_is_finished(tmp_path: Path) -> None:
    program = _PROGRAM + (
        "records = ParquetWriter(sys.argv[1], flush_s=0)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "done = 0\n"
        "try:\n"
        "    with records:\n"
        "        for i in range(1000):\n            records.write(scene(i))\n            done += 1\n"
        "except OutputError as error:\n    print(done, error)\n"
    )
    path = tmp_path / "out.parquet"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    number, sentence = done.stdout.split(maxsplit=1)
    assert "larger than the system allows" in sentence
    assert done.stderr == ""
    assert 5 < int(number) < 200
    assert pq.read_table(path)["frame"].to_pylist() == list(range(int(number)))
    assert [item.name for item in tmp_path.iterdir()] == ["out.parquet"]


def test_room_for_the_finished_table_is_kept_free(
    scene: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    records = ParquetWriter(tmp_path / "out.parquet", flush_s=0)
    records.write(scene(0))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    with pytest.raises(OutputError, match="disk is full"):
        records.write(scene(1))
    records.close()  # what was kept free is there for these rows
    assert pq.read_table(tmp_path / "out.parquet")["frame"].to_pylist() == [0, 1]


@pytest.mark.parametrize("way", ["close", "fail"])
def test_a_table_without_its_rows_gets_no_name(
    scene: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    records = ParquetWriter(tmp_path / "out.parquet")
    records.write(scene(0))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    if way == "close":
        with pytest.raises(OutputError, match="disk is full"):
            records.close()
    else:
        records.fail()
        assert "disk is full" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_cannot_be_made_leaves_the_rows_and_says_where(
    scene: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    records = ParquetWriter(tmp_path / "out.parquet")
    records.write(scene(0))
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"disk is full.*out\.parquet\.part"):
        records.close()
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet.part"]
    assert sum(batch.num_rows for batch in read_journal(tmp_path / "out.parquet.part")) == 1


def test_other_labels(scene: MakeScene, face: Any, tmp_path: Path) -> None:
    prediction = Prediction(label="contempt", confidence=1.0, uncertain=False, probabilities={"contempt": 1.0})
    strange = scene(0, type(face())(box_xyxy=(0, 0, 1, 1), detection_score=1.0, prediction=prediction))
    with pytest.raises(OutputError, match="contempt"), ParquetWriter(tmp_path / "a.parquet") as records:
        records.write(strange)
    with ParquetWriter(tmp_path / "b.parquet", emotions=EMOTIONS_8.labels) as records:
        records.write(strange)
    assert pq.read_table(tmp_path / "b.parquet")["emotion_contempt"].to_pylist() == [1.0]
    assert [path.name for path in tmp_path.iterdir()] == ["b.parquet"]


def test_file_names_that_are_no_text(scene: MakeScene, tmp_path: Path) -> None:
    with ParquetWriter(tmp_path / "out.parquet") as records:
        records.write(scene(0, source=os.fsdecode(b"caf\xe9.mp4")))
    assert pq.read_table(tmp_path / "out.parquet")["source"].to_pylist() == ["caf\\udce9.mp4"]


def test_impossible_targets(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target, words in (
        (tmp_path / "file" / "out", "a file, not a folder"),
        (tmp_path, "it is a folder"),
        ("-", "cannot go to stdout"),
        ("/dev/null", "ordinary file"),
    ):
        with pytest.raises(OutputError, match=words):
            ParquetWriter(target)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert Path("/dev/null").is_char_device()


def test_closed(scene: MakeScene, tmp_path: Path) -> None:
    records = ParquetWriter(tmp_path / "new" / "out.parquet")
    records.close()
    records.close()
    with pytest.raises(OutputError, match="closed"):
        records.write(scene(0))


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pyarrow.*mien\[table\]"):
        ParquetWriter(tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())
