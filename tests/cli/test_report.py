from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.records.writers import JsonlWriter
from mien.scene import Event, Face, Prediction, Scene

Run = Callable[..., object]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A session of six seconds in which a face looks happy."""
    prediction = Prediction(label="happy", confidence=0.9, uncertain=False, probabilities={"happy": 0.9, "sad": 0.1})
    face = Face(box_xyxy=(0, 0, 9, 9), detection_score=0.9, track=1, prediction=prediction)
    with JsonlWriter(tmp_path / "session.jsonl") as writer:
        for i in range(60):
            writer.write(Scene(source="0", frame=i, time_s=i / 10, size_hw=(10, 10), faces=(face,)))
    return tmp_path / "session.jsonl"


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv"])
def test_what_look_writes_becomes_a_page(mien: Run, clip: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"session.{suffix}"
    assert mien("look", clip, f"--{suffix}", path, "--quiet").code == 0
    ended = mien("report", path, "--out", tmp_path / "page.html")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"Page: {tmp_path / 'page.html'}; figures: {tmp_path / 'page_files'}\n"
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "Person 1 was in view for" in page
    assert "12 frames of 1 source" in page


def test_events_may_be_given(mien: Run, records: Path, tmp_path: Path) -> None:
    event = Event(kind="end", task="emotion", track=1, label="happy", time_s=5.0, duration_s=4.0)
    start = Event(kind="start", task="emotion", track=1, label="happy", time_s=1.0)
    lines = "".join(json.dumps(e.to_dict()) + "\n" for e in (start, event))
    (tmp_path / "events.jsonl").write_text(lines)
    ended = mien("report", records, "--out", tmp_path / "page.html", "--events", tmp_path / "events.jsonl")
    assert ended.code == 0
    assert "Counted from the events file" in (tmp_path / "page.html").read_text("utf-8")


def test_a_page_that_is_there_is_not_replaced_unasked(mien: Run, records: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    out.write_text("mine")
    ended = mien("report", records, "--out", out)
    assert ended.code == 2
    (sentence,) = ended.sentences
    assert "--overwrite" in sentence
    assert out.read_text() == "mine"
    assert mien("report", records, "--out", out, "--overwrite").code == 0
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.parquet", None),
        ("empty.jsonl", b""),
        ("damaged.parquet", b"PAR1 and no more"),
        ("columns.csv", b"source,frame\na,1\n"),
        ("photo.jpg", b"\xff\xd8\xff"),
        ("classes.jsonl", b'{"source": "a.png", "label": "happy"}\n'),
        ("names.jsonl", b"\x00\xff\n"),
    ],
)
def test_bad_input_is_one_sentence(mien: Run, tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = mien("report", tmp_path / name, "--out", tmp_path / "page.html")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert sentence.startswith("mien: ")
    assert name in sentence
    assert not (tmp_path / "page.html").exists()


def test_bad_events_are_one_sentence(mien: Run, records: Path, tmp_path: Path) -> None:
    ended = mien("report", records, "--out", tmp_path / "page.html", "--events", records)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "is not an event" in sentence


@pytest.mark.parametrize(("module", "extra"), [("pyarrow", "table"), ("matplotlib", "data")])
def test_what_is_not_installed_is_named(
    mien_without: Run, records: Path, tmp_path: Path, module: str, extra: str
) -> None:
    ended = mien_without(module, "report", records, "--out", tmp_path / "page.html")
    assert ended.code == 1
    assert ended.err == f"mien: This needs {module}, which is not installed; run: pip install 'mien[{extra}]'\n"


@pytest.mark.parametrize("words", [(), ("a.csv", "b.csv"), ("a.csv", "--wrong")])
def test_wrong_use_is_two(mien: Run, words: tuple[str, ...]) -> None:
    assert mien("report", *words).code == 2


def test_a_page_that_cannot_be_written(mien: Run, records: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = mien("report", records, "--out", tmp_path / "file" / "page.html")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "a file, not a folder" in sentence
