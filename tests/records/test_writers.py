from __future__ import annotations

import codecs
import csv
import errno
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.json
import pytest

from mien.errors import DataError, OutputError, ReaderLeft, RefusedOutput, UnreadableMedia
from mien.labels import EMOTIONS, EMOTIONS_8, GESTURES
from mien.records import sinks
from mien.records.rows import table_columns
from mien.records.writers import CsvWriter, Growth, JsonlWriter, JsonWriter, LineFile, WordFile, read_jsonl
from mien.scene import Prediction, Scene, UsedModel

WRITERS = [JsonlWriter, JsonWriter, CsvWriter]
MakeScene = Callable[..., Scene]


@pytest.fixture
def scenes(scene: MakeScene, face: Any, hand: Any) -> list[Scene]:
    return [
        scene(0, face(), face("sad", 0.4, uncertain=True), hand()),
        scene(1),
        scene(2, face(None, track=None), hand(None, side="left")),
    ]


def _count(path: Path, kind: type) -> int:
    """Whole records in a file, read the way its users would."""
    text = path.read_text(encoding="utf-8")
    if kind is JsonlWriter:
        return len([json.loads(line) for line in text.splitlines()])
    if kind is JsonWriter:
        return len(json.loads(text))
    assert text.endswith("\n")
    return len({row["frame"] for row in csv.DictReader(io.StringIO(text))})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_jsonl_reads_back(scenes: list[Scene], tmp_path: Path) -> None:
    with JsonlWriter(tmp_path / "out.jsonl") as records:
        for scene in scenes:
            records.write(scene)
    assert [scene.to_dict() for scene in read_jsonl(tmp_path / "out.jsonl")] == [s.to_dict() for s in scenes]
    text = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert "żółć.mp4" in text
    first = json.loads(text.splitlines()[0])
    assert list(first) == ["source", "frame", "time_s", "size", "faces", "hands"]
    assert json.loads(text.splitlines()[1])["faces"] == []


def test_json_is_one_array(scenes: list[Scene], tmp_path: Path) -> None:
    with JsonWriter(tmp_path / "out.json") as records:
        for number, scene in enumerate(scenes, 1):
            records.write(scene)
            assert len(json.loads((tmp_path / "out.json.part").read_bytes())) == number
    assert json.loads((tmp_path / "out.json").read_bytes()) == [scene.to_dict() for scene in scenes]


def test_empty_files(tmp_path: Path) -> None:
    for kind in WRITERS:
        with kind(tmp_path / kind.__name__):
            pass
    assert (tmp_path / "JsonlWriter").read_bytes() == b""
    assert json.loads((tmp_path / "JsonWriter").read_bytes()) == []
    assert len((tmp_path / "CsvWriter").read_text().splitlines()) == 1


def test_csv_is_a_row_a_region(scenes: list[Scene], tmp_path: Path) -> None:
    with CsvWriter(tmp_path / "out.csv") as records:
        for scene in scenes:
            records.write(scene)
    rows = _rows(tmp_path / "out.csv")
    assert [(row["frame"], row["kind"], row["label"]) for row in rows] == [
        ("0", "face", "happy"),
        ("0", "face", "sad"),
        ("0", "hand", "victory"),
        ("1", "none", ""),
        ("2", "face", ""),
        ("2", "hand", ""),
    ]
    assert list(rows[0]) == [
        *("source", "frame", "time_s", "height", "width", "kind", "track", "x1", "y1", "x2", "y2", "score", "side"),
        *("label", "confidence", "uncertain", "grade", "baseline"),
        *(f"emotion_{label}" for label in EMOTIONS.labels),
        *(f"gesture_{label}" for label in GESTURES.labels),
        *("pointing_x", "pointing_y", "landmarks", "model_emotion", "model_gesture"),
    ]
    happy, sad, victory, nothing, _, left = rows
    assert (happy["x1"], happy["y2"], happy["score"], happy["uncertain"]) == ("20.0", "120.25", "0.98", "false")
    assert float(happy["emotion_happy"]) == 0.91
    assert math.isclose(sum(float(happy[f"emotion_{label}"]) for label in EMOTIONS.labels), 1, abs_tol=1e-3)
    assert happy["gesture_victory"] == happy["side"] == ""
    assert (sad["uncertain"], sad["grade"], sad["baseline"]) == ("true", "unclear", "false")
    assert (victory["grade"], victory["baseline"]) == ("sure", "")
    assert (victory["side"], victory["gesture_victory"], victory["emotion_sad"]) == ("right", "0.99", "")
    assert (victory["pointing_x"], happy["landmarks"]) == ("", "")
    assert list(map(float, victory["landmarks"].split())) == [
        round(value, 2) for point in scenes[0].hands[0].landmarks_xyz for value in point
    ]
    assert (nothing["time_s"], nothing["height"], nothing["width"]) == ("0.04", "160", "200")
    assert (left["side"], left["track"]) == ("left", "1")


def test_every_row_says_which_models_looked(scene: MakeScene, face: Any, tmp_path: Path) -> None:
    emotion = UsedModel(name="mine", version="2", threshold=0.5, sha256="abcdef0123456789", detector="finder 1")
    gesture = UsedModel(name="gesture_landmark", version="1", threshold=0.93)
    both = {"emotion": emotion, "gesture": gesture}
    scenes = [replace(scene(0, face()), models=both), replace(scene(1), models=both)]
    scenes += [replace(scene(2), models={"gesture": gesture}), scene(3)]
    with CsvWriter(tmp_path / "out.csv") as table, JsonlWriter(tmp_path / "out.jsonl") as lines:
        for one in scenes:
            table.write(one)
            lines.write(one)
    cells = [(row["model_emotion"], row["model_gesture"]) for row in _rows(tmp_path / "out.csv")]
    first, second = "mine 2 (sha256 abcdef012345) threshold 0.5", "gesture_landmark 1 (sha256 ) threshold 0.93"
    assert cells == [(first, second), (first, second), ("", second), ("", "")]
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert records[0]["models"]["emotion"] == {
        "name": "mine", "version": "2", "threshold": 0.5, "sha256": "abcdef012345", "detector": "finder 1",
    }  # fmt: skip
    assert [list(record.get("models", ())) for record in records] == [list(both), list(both), ["gesture"], []]
    assert [one.models for one in read_jsonl(tmp_path / "out.jsonl")] == [one.models for one in scenes]


def test_columns_of_scores_can_be_chosen_by_their_beginning() -> None:
    names = table_columns(EMOTIONS.labels, GESTURES.labels)
    assert [name for name in names if name.startswith("emotion_")] == [f"emotion_{label}" for label in EMOTIONS.labels]


def test_csv_of_other_labels(scene: MakeScene, face: Any, tmp_path: Path) -> None:
    prediction = Prediction(label="contempt", confidence=1.0, uncertain=False, probabilities={"contempt": 1.0})
    strange = scene(0, type(face())(box_xyxy=(0, 0, 1, 1), detection_score=1.0, prediction=prediction))
    with pytest.raises(OutputError, match="contempt"), CsvWriter(tmp_path / "a.csv") as records:
        records.write(strange)
    with CsvWriter(tmp_path / "b.csv", emotions=EMOTIONS_8.labels) as records:
        records.write(strange)
    assert "emotion_contempt" in (tmp_path / "b.csv").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["b.csv"]


def test_csv_quotes_names(scene: MakeScene, tmp_path: Path) -> None:
    names = ['a, "b"\n.mp4', "two\rlines.mp4", "two\r\nlines.mp4"]
    with CsvWriter(tmp_path / "out.csv") as records:
        for name in names:
            records.write(scene(0, source=name))
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["source"] for row in csv.DictReader(file)] == names


def test_file_names_that_are_no_text_are_the_same_in_every_record(scene: MakeScene, tmp_path: Path) -> None:
    """And what other programs take for text: lone surrogates in JSON are refused by pyarrow, DuckDB and pandas."""
    for kind in WRITERS:
        with kind(tmp_path / kind.__name__) as records:
            records.write(scene(0, source=os.fsdecode(b"caf\xe9.mp4")))
        assert _count(tmp_path / kind.__name__, kind) == 1
    written = "caf\\udce9.mp4"
    assert next(read_jsonl(tmp_path / "JsonlWriter")).source == written
    assert json.loads((tmp_path / "JsonWriter").read_bytes())[0]["source"] == written
    with (tmp_path / "CsvWriter").open(newline="", encoding="utf-8") as file:
        assert [row["source"] for row in csv.DictReader(file)] == [written]
    assert pyarrow.json.read_json(tmp_path / "JsonlWriter")["source"].to_pylist() == [written]


def test_numpy_numbers_become_plain(scene: MakeScene, face: Any, tmp_path: Path) -> None:
    prediction = Prediction(
        label="happy", confidence=np.float32(0.91), uncertain=False, probabilities={"happy": np.float32(0.91)}
    )
    odd = type(face())(
        box_xyxy=tuple(np.float32([1, 2, 3.1, 4])),
        detection_score=np.float64(0.5),
        track=np.int64(3),
        prediction=prediction,
    )
    for kind in (JsonlWriter, CsvWriter):
        with kind(tmp_path / kind.__name__) as records:
            records.write(scene(0, odd))
    (line,) = (tmp_path / "JsonlWriter").read_text().splitlines()
    record = json.loads(line)["faces"][0]
    assert (record["box"], record["track"], record["confidence"]) == ([1.0, 2.0, 3.1, 4.0], 3, 0.91)
    assert "float" not in (tmp_path / "CsvWriter").read_text()


def test_lines(tmp_path: Path) -> None:
    with LineFile(tmp_path / "out.txt") as lines:
        lines.write("żółć")
        assert (tmp_path / "out.txt.part").read_text(encoding="utf-8") == "żółć\n"
        assert not (tmp_path / "out.txt").exists()
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "żółć\n"


@pytest.mark.parametrize("kind", WRITERS)
def test_stdout(kind: type, scenes: list[Scene], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with kind("-") as records, kind(tmp_path / "out") as file:
        for scene in scenes:
            records.write(scene)
            file.write(scene)
    assert capsys.readouterr().out == (tmp_path / "out").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_an_interrupted_run_keeps_what_is_finished(
    kind: type, error: type[BaseException], scenes: list[Scene], tmp_path: Path
) -> None:
    def run() -> None:
        with kind(tmp_path / "out") as records:
            records.write(scenes[0])
            records.write(scenes[1])
            raise error

    with pytest.raises(error):
        run()
    assert _count(tmp_path / "out", kind) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_run_that_fails_at_once_keeps_the_earlier_file(kind: type, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("earlier")

    def run() -> None:
        with kind(tmp_path / "out"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run()
    assert (tmp_path / "out").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_killed_process_leaves_whole_records(kind: type, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        f"from mien.records.writers import {kind.__name__} as Writer\n"
        "from mien.scene import Scene\n"
        "records = Writer(sys.argv[1])\n"
        "for i in range(5):\n"
        "    records.write(Scene(source='x', frame=i, time_s=0, size_hw=(1, 1)))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], check=False)
    assert done.returncode == -9
    assert [path.name for path in tmp_path.iterdir()] == ["out.part"]
    assert _count(tmp_path / "out.part", kind) == 5


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_keeps_what_is_finished(kind: type, tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "from mien.errors import OutputError\n"
        f"from mien.records.writers import {kind.__name__} as Writer\n"
        "from mien.scene import Scene\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "done = 0\n"
        "try:\n"
        "    with Writer(sys.argv[1]) as records:\n"
        "        for i in range(1000):\n"
        "            records.write(Scene(source='x', frame=i, time_s=0, size_hw=(1, 1)))\n"
        "            done += 1\n"
        "except OutputError as error:\n    print(done, error)\n"
    )
    path = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    number, sentence = done.stdout.split(maxsplit=1)
    assert "larger than the system allows" in sentence
    assert 5 < int(number) < 200
    assert _count(path, kind) == int(number)
    assert [item.name for item in tmp_path.iterdir()] == ["out"]


def test_dev_full(scenes: list[Scene]) -> None:
    for kind in WRITERS:
        with pytest.raises(OutputError, match="disk is full"), kind("/dev/full") as records:
            records.write(scenes[0])
    with JsonlWriter("/dev/null") as records:
        records.write(scenes[0])
    assert Path("/dev/null").is_char_device()


def test_stdout_is_full() -> None:
    program = (
        "from mien.errors import OutputError\n"
        "from mien.records.writers import LineFile\n"
        "import sys\n"
        "try:\n    LineFile('-').write('x')\n"
        "except OutputError as error:\n    sys.stderr.write(str(error)); sys.stderr.flush()\n"
        "import os; os._exit(0)\n"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=True
        )
    assert done.stderr == "Cannot write to stdout: the disk is full; free some space or name another folder."


@pytest.mark.parametrize("kind", WRITERS)
def test_impossible_targets(kind: type, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target, words in (
        (tmp_path / "file" / "out", "a file, not a folder"),
        (tmp_path, "it is a folder"),
        (Path("/proc/out"), "Cannot write /proc/out"),
        (tmp_path / ("n" * 254), "too long"),
    ):
        with pytest.raises(OutputError, match=words):
            kind(target)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_rename_fails(scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    records = JsonlWriter(tmp_path / "out")
    records.write(scenes[0])
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="no permission"):
        records.close()


def test_closed(scenes: list[Scene], tmp_path: Path) -> None:
    records = JsonlWriter(tmp_path / "new" / "out")
    records.close()
    records.close()
    with pytest.raises(OutputError, match="closed"):
        records.write(scenes[0])


def test_read_jsonl_wrong_files(scenes: list[Scene], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnreadableMedia, match="no such file"):
        next(read_jsonl(tmp_path / "missing"))
    for text in ("{}\n", "[1]\n", "3\n", "nonsense\n", '{"source": 1}\n'):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(DataError, match="line 1 is not a scene"):
            list(read_jsonl(tmp_path / "bad"))
    with JsonlWriter(tmp_path / "out") as records:
        for scene in scenes:
            records.write(scene)
    whole = (tmp_path / "out").read_bytes()
    (tmp_path / "out").write_bytes(b"\n" + whole[:-20])
    assert len(list(read_jsonl(tmp_path / "out"))) == 2
    assert "is incomplete" in caplog.text


FOLLOWED = Growth(follow=True)
APPENDED = Growth(follow=True, append=True)


class TestFollowed:
    """Files that others read while they grow."""

    @pytest.mark.parametrize("kind", [JsonlWriter, CsvWriter])
    def test_each_record_is_there_at_once_under_its_own_name(
        self, kind: type, scenes: list[Scene], tmp_path: Path
    ) -> None:
        path = tmp_path / "out"
        with kind(path, FOLLOWED) as records:
            for i, each in enumerate(scenes):
                records.write(each)
                assert _count(path, kind) == i + 1
        assert [file.name for file in tmp_path.iterdir()] == ["out"]

    def test_an_earlier_file_stays_until_the_first_record(self, scenes: list[Scene], tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        path.write_text("yesterday's")

        def fail() -> None:
            with CsvWriter(path, FOLLOWED):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail()
        assert path.read_text() == "yesterday's"
        with CsvWriter(path, FOLLOWED) as records:
            assert path.read_text() == "yesterday's"
            records.write(scenes[0])
        assert _count(path, CsvWriter) == 1

    def test_a_run_that_fails_before_its_first_record_leaves_nothing(self, tmp_path: Path) -> None:
        def fail() -> None:
            with JsonlWriter(tmp_path / "out.jsonl", FOLLOWED):
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert not list(tmp_path.iterdir())

    def test_a_table_without_records_has_its_columns(self, tmp_path: Path) -> None:
        with CsvWriter(tmp_path / "out.csv", FOLLOWED) as records:
            pass
        assert (tmp_path / "out.csv").read_text().rstrip("\n").split(",") == list(records.columns)

    def test_a_second_writer_is_refused(self, scenes: list[Scene], tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        with JsonlWriter(path, FOLLOWED) as records:
            records.write(scenes[0])
            for growth in (FOLLOWED, APPENDED, Growth()):
                with pytest.raises(RefusedOutput, match="another run is writing it"):
                    JsonlWriter(path, growth)
            records.write(scenes[1])
        assert _count(path, JsonlWriter) == 2

    def test_a_full_disk_leaves_whole_records(
        self, scenes: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "out.jsonl"
        records = JsonlWriter(path, FOLLOWED)
        records.write(scenes[0])
        monkeypatch.setattr(sinks, "write_all", _half)
        with pytest.raises(OutputError, match="disk is full"):
            records.write(scenes[1])
        monkeypatch.undo()
        records.close()
        assert _count(path, JsonlWriter) == 1


class TestAppended:
    """Files that go on with those of an earlier run."""

    @pytest.mark.parametrize("kind", [JsonlWriter, CsvWriter])
    def test_records_come_after_the_earlier_ones(self, kind: type, scenes: list[Scene], tmp_path: Path) -> None:
        path = tmp_path / "out"
        for each in scenes:
            with kind(path, APPENDED) as records:
                records.write(each)
        assert _count(path, kind) == 3
        assert path.read_text("utf-8").count("source") == (1 if kind is CsvWriter else 3)

    def test_a_run_without_records_changes_nothing(self, scenes: list[Scene], tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        with CsvWriter(path) as records:
            records.write(scenes[0])
        before = path.read_bytes()
        with CsvWriter(path, APPENDED):
            pass
        assert path.read_bytes() == before

    @pytest.mark.parametrize("end", ["", '\n{"source": "x", "fra'])
    def test_a_last_line_is_ended_or_cut_off(
        self, end: str, scenes: list[Scene], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "out.jsonl"
        path.write_text(json.dumps(scenes[0].to_dict()) + end)
        with JsonlWriter(path, APPENDED) as records:
            records.write(scenes[1])
        assert _count(path, JsonlWriter) == 2
        assert ("is incomplete and is left out" in caplog.text) == bool(end)

    @pytest.mark.parametrize("cut", [1, 15])
    def test_a_row_that_breaks_off_in_its_last_cell_is_cut_off(
        self, cut: int, scenes: list[Scene], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        used = UsedModel(name="m", version="1", threshold=0.5, sha256="0123456789ab")
        scene = replace(scenes[0], models={"emotion": used, "gesture": used})
        path = tmp_path / "out.csv"
        with CsvWriter(path) as records:
            records.write(scene)
        rows = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(rows)[:-cut])
        with CsvWriter(path, APPENDED) as records:
            records.write(scene)
        is_torn = cut > 1  # without the end of its line alone a row is whole
        assert path.read_bytes() == b"".join([*(rows[:-1] if is_torn else rows), *rows[1:]])
        assert ("is incomplete and is left out" in caplog.text) == is_torn

    def test_a_head_without_the_end_of_its_line_stays(self, scenes: list[Scene], tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        with CsvWriter(path) as records:
            records.write(scenes[0])
        whole = path.read_bytes()
        path.write_bytes(whole.splitlines()[0])
        with CsvWriter(path, APPENDED) as records:
            records.write(scenes[0])
        assert path.read_bytes() == whole

    def test_a_table_with_other_columns_is_refused_and_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        path.write_text("name,amount\nrent,900\n")
        with pytest.raises(RefusedOutput, match="does not have the columns that this run writes"):
            CsvWriter(path, APPENDED)
        assert path.read_text() == "name,amount\nrent,900\n"

    def test_other_records_are_refused_and_stay(self, tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        path.write_text('{"kind": "start"}\n')
        with pytest.raises(RefusedOutput, match="does not hold the records"):
            JsonlWriter(path, APPENDED)
        assert path.read_text() == '{"kind": "start"}\n'

    def test_a_very_long_last_line_is_found(self, scenes: list[Scene], tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        whole = json.dumps(scenes[0].to_dict())
        path.write_text(f'{whole}\n{whole[:-1]}, "more": "{"x" * 200_000}"}}')
        with JsonlWriter(path, APPENDED) as records:
            records.write(scenes[1])
        assert _count(path, JsonlWriter) == 3


@pytest.mark.parametrize("kind", WRITERS)
def test_interrupted_over_an_earlier_file(
    kind: type, scenes: list[Scene], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "out"
    path.write_text("yesterday's")

    def run() -> None:
        with kind(path) as records:
            records.write(scenes[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert path.read_text() == "yesterday's"
    assert _count(tmp_path / "out.part", kind) == 1
    assert "out stays as it was; what was finished is in" in caplog.text


def test_a_reader_that_leaves_is_told_once_and_nothing_more_is_written(scenes: list[Scene]) -> None:
    prediction, writing = os.pipe()
    left: list[ReaderLeft] = []
    with JsonlWriter(f"/dev/fd/{writing}", Growth(on_reader_left=left.append)) as records:
        os.close(writing)  # the writer has its own
        records.write(scenes[0])
        os.close(prediction)
        for each in scenes:
            records.write(each)
    assert len(left) == 1


def test_a_pipe_gets_each_record_at_once(scenes: list[Scene], tmp_path: Path) -> None:
    prediction, writing = os.pipe()
    with os.fdopen(prediction, "rb") as pipe, CsvWriter(f"/dev/fd/{writing}", FOLLOWED) as records:
        os.close(writing)
        assert pipe.readline().startswith(b"source,")
        records.write(scenes[1])
        assert b",none," in pipe.readline()


def _half(file: io.FileIO, data: bytes) -> None:
    file.write(data[: len(data) // 2])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_byte_order_mark_comes_once_and_is_read_over(scene: MakeScene, tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    for frame in (0, 1):
        with CsvWriter(path, Growth(follow=True, append=True), bom=True) as records:
            records.write(scene(frame, source="高兴.mp4"))
    assert path.read_bytes().count(codecs.BOM_UTF8) == 1
    assert path.read_bytes().startswith(codecs.BOM_UTF8 + b"source,")
    rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    assert [(row["source"], row["frame"]) for row in rows] == [("高兴.mp4", "0"), ("高兴.mp4", "1")]


def test_words_are_in_the_encoding_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="gb2312")
    monkeypatch.setattr(sys, "stdout", stream)
    with WordFile() as words:
        words.write("看起来高兴 ñ")
    assert stream.buffer.getvalue() == "看起来高兴 ".encode("gb2312") + b"\\xf1\n"  # type: ignore[attr-defined]
