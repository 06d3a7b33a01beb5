from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.cli import live as verb
from mien.models.artifact import zoo_artifact
from mien.outputs.window_status import Command, Status
from mien.pixels.videos import VideoReader
from mien.resource import Resource
from mien.scene import Scene

Mien = Callable[..., Any]
Process = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")


def test_a_video_without_a_window_gives_all_records_at_once(mien: Mien, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = mien(
        *("live", clip, "--headless", "--mute", "--record", out / "clip.mp4", "--jsonl", out / "a.jsonl"),
        *("--csv", out / "a.csv", "--parquet", out / "a.parquet", "--events", out / "events.jsonl"),
        *("--speech-dir", out / "speech"),
    )
    assert (ended.code, ended.err) == (0, "")
    assert "12 frames in" in ended.out
    lines = [json.loads(line) for line in (out / "a.jsonl").read_text("utf-8").splitlines()]
    assert [line["frame"] for line in lines] == list(range(12))
    assert all(line["faces"] for line in lines)
    with (out / "a.csv").open(newline="", encoding="utf-8") as file:
        assert {int(row["frame"]) for row in csv.DictReader(file)} == set(range(12))
    events = [json.loads(line) for line in (out / "events.jsonl").read_text("utf-8").splitlines()]
    assert {"start", "end"} <= {event["kind"] for event in events}
    models = lines[0]["models"]
    assert all(event["model"] == models[event["task"]] for event in events)
    assert all(line["models"] == models for line in lines)
    for task, used in models.items():
        assert used["threshold"] == zoo_artifact(used["name"]).manifest.threshold, task
    assert len(list(VideoReader(out / "clip.mp4"))) == 28  # 12 frames at 6 a second as 15 a second
    assert (out / "speech" / "speech.jsonl").is_file()
    assert not list(out.rglob("*.part*"))


def test_a_model_with_contempt_has_a_column_for_it(mien: Mien, clip: Path, tmp_path: Path) -> None:
    tables = ("--csv", tmp_path / "a.csv", "--parquet", tmp_path / "a.parquet")
    ended = mien("live", clip, "--headless", "--mute", "--emotion-model", "emotion_ferplus", *tables)
    assert (ended.code, ended.err) == (0, "")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert all(float(row["emotion_contempt"]) >= 0 for row in csv.DictReader(file) if row["kind"] == "face")


def test_records_on_stdout_are_alone_there(mien: Mien, clip: Path) -> None:
    ended = mien("live", clip, "--headless", "--mute", "--jsonl", "-")
    assert ended.code == 0
    assert [json.loads(line)["frame"] for line in ended.out.splitlines()] == list(range(12))
    both = mien("live", clip, "--headless", "--mute", "--jsonl", "-", "--events", "-")
    assert both.code == 2
    assert "--jsonl and --events both write stdout" in both.err


def test_one_task_only(mien: Mien, clip: Path) -> None:
    ended = mien("live", clip, "--headless", "--mute", "--task", "gesture", "--jsonl", "-")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert not any(line["faces"] for line in lines)
    assert any(line["hands"] for line in lines)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("no-such-camera-here", "--headless"), 1, "camera"),
        (("missing/clip.mp4", "--headless"), 1, "clip.mp4"),
        (("gopher://somewhere", "--headless"), 1, "gopher"),
        (("CLIP", "--headless", "--task", "mood"), 2, "no task 'mood'"),
        (("CLIP", "--headless", "--on-event", "echo {mood}"), 2, "mood"),
        (("CLIP", "--headless", "--record", "out.gif"), 1, "written as .mp4 or .webm"),
        (("CLIP", "--headless", "--responses", "TOML"), 2, "hapy"),
    ],
)
def test_wrong_use_gets_a_sentence(
    mien: Mien, clip: Path, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[emotion]\nhapy = ["You look happy."]\n', "utf-8")
    names = {"CLIP": str(clip), "TOML": str(own)}
    ended = mien("live", *(names.get(word, word) for word in words), "--mute")
    assert ended.code == code
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_without_a_display_headless_is_named(mien_process: Process, clip: Path) -> None:
    process = mien_process("live", clip, "--mute")
    out, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("there is a display here")
    assert process.returncode == 1
    assert "--headless" in err
    assert "Traceback" not in err + out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_close_every_file(
    mien_process: Process, long_clip: Path, tmp_path: Path, number: signal.Signals
) -> None:
    records, clip = tmp_path / "a.jsonl", tmp_path / "a.mp4"
    process = mien_process("live", long_clip, "--headless", "--mute", "--jsonl", records, "--record", clip)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (records.is_file() and records.read_text("utf-8").count("\n") > 20):
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert len([json.loads(line) for line in records.read_text("utf-8").splitlines()]) > 20
    assert len(list(VideoReader(clip))) > 5
    assert not list(tmp_path.glob("*.part*"))


def test_a_command_runs_at_each_event(mien: Mien, clip: Path, tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    noted.mkdir()
    ended = mien("live", clip, "--headless", "--mute", "--on-event", f"touch {noted}/{{kind}}-{{task}}-{{label}}")
    assert ended.code == 0
    assert any(path.name.startswith("start-") for path in noted.iterdir())


@pytest.mark.parametrize(
    ("typed", "tasks"), [("1\n", ("emotion",)), ("2\n", ("gesture",)), ("9\n3\n", ("emotion", "gesture"))]
)
def test_whoever_types_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, typed: str, tasks: tuple[str, ...]) -> None:
    answers = iter(typed.splitlines())
    monkeypatch.setattr(verb.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(verb.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(verb.typer, "prompt", lambda *_, **__: next(answers))
    assert verb._tasks(None, asked=True) == tasks
    assert verb._tasks("gesture", asked=True) == ("gesture",)
    assert verb._tasks(None, asked=False) == ("emotion", "gesture")


def test_pictures_on_stdin(photo: Path) -> None:
    from mien.pixels.images import encode_image, read_image

    jpeg = encode_image(read_image(photo), ".jpg")
    process = subprocess.Popen(
        [sys.executable, "-m", "mien", "live", "-", "--headless", "--mute", "--jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate(jpeg * 5, timeout=60)
    assert process.returncode == 0, err
    assert 1 <= len(out.splitlines()) <= 5
    assert json.loads(out.splitlines()[0])["faces"]


def test_neither_the_title_nor_a_record_nor_a_name_has_the_password(
    mien: Mien, drawn: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pictures:
        damaged = 0

        def __init__(self, address: object, *_: object, **__: object) -> None:
            self.left = 3
            opened.append(str(address))

        def read(self) -> NDArray[np.uint8] | None:
            self.left -= 1
            return drawn if self.left >= 0 else None

        def close(self) -> None:
            pass

    class Window(Resource):
        def __init__(self, *, title: str, **_: object) -> None:
            titles.append(title)

        def show(self, scene: Scene | None, status: Status) -> tuple[Command, ...]:
            told.append(f"{status.message}{status.notice}{status.recording_to}")
            return (Command.SNAPSHOT,) if scene is not None and not list(tmp_path.glob("*.png")) else ()

        def close(self) -> None:
            pass

    opened: list[str] = []
    titles: list[str] = []
    told: list[str] = []
    monkeypatch.setattr("mien.stages.sources.live.open_stream", Pictures)
    monkeypatch.setattr("mien.outputs.window.Window", Window)
    url = "http://admin:geheim@127.0.0.1:18977/v?token=geheim&channel=1"
    ended = mien("live", url, "--mute", "--jsonl", tmp_path / "a.jsonl", "--snapshots", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert titles == ["mien: http://127.0.0.1:18977/v?token=***&channel=1"]
    assert opened == ["http://127.0.0.1:18977/v?token=***&channel=1"]
    sources = {json.loads(line)["source"] for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()}
    assert sources == {"http://127.0.0.1:18977/v?token=***&channel=1"}
    everything = "".join([ended.out, ended.err, *told, *(path.name for path in tmp_path.iterdir())])
    assert "geheim" not in everything
    assert "admin" not in everything
