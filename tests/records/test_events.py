from __future__ import annotations

import json
from pathlib import Path

import pytest

from mien.errors import DataError, OutputError, UnreadableMedia
from mien.records.events import EventWriter, read_events
from mien.scene import Event

EVENTS = [
    Event(kind="start", task="emotion", track=1, label="happy", time_s=0.5),
    Event(kind="change", task="emotion", track=1, label="sad", time_s=2.25, duration_s=1.75),
    Event(kind="end", task="gesture", track=7, label="victory", time_s=3.0, duration_s=0.1234),
]


def test_events_read_back(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "new" / "events.jsonl") as records:
        for event in EVENTS:
            records.write(event)
    path = tmp_path / "new" / "events.jsonl"
    assert list(read_events(path)) == EVENTS
    assert [json.loads(line) for line in path.read_text().splitlines()] == [event.to_dict() for event in EVENTS]


def test_each_event_is_there_at_once(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "events.jsonl") as records:
        for number, event in enumerate(EVENTS, 1):
            records.write(event)
            assert len(list(read_events(tmp_path / "events.jsonl.part"))) == number


def test_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with EventWriter("-") as records:
        records.write(EVENTS[0])
    assert json.loads(capsys.readouterr().out) == EVENTS[0].to_dict()


def test_an_interrupted_run_keeps_what_is_finished(tmp_path: Path) -> None:
    def run() -> None:
        with EventWriter(tmp_path / "events.jsonl") as records:
            records.write(EVENTS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert list(read_events(tmp_path / "events.jsonl")) == EVENTS[:1]


def test_a_full_disk() -> None:
    with pytest.raises(OutputError, match="disk is full"), EventWriter("/dev/full") as records:
        records.write(EVENTS[0])


def test_wrong_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnreadableMedia, match="no such file"):
        next(read_events(tmp_path / "missing"))
    for text in ("{}\n", "[1]\n", "3\n", "nonsense\n", '{"kind": "begin", "task": "emotion"}\n'):
        (tmp_path / "bad").write_text(text)
        with pytest.raises(DataError, match="line 1 is not an event"):
            list(read_events(tmp_path / "bad"))
    whole = b"".join(json.dumps(event.to_dict()).encode() + b"\n" for event in EVENTS)
    (tmp_path / "cut").write_bytes(whole[:-10])
    assert list(read_events(tmp_path / "cut")) == EVENTS[:2]
    assert "is incomplete" in caplog.text
