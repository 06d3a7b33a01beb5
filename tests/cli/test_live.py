from __future__ import annotations

import csv
import dataclasses
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.cli import live as verb
from mien.errors import UnreadableMedia
from mien.models.artifact import zoo_artifact
from mien.resource import Resource
from mien.scene import Scene
from mien.sources.videos import VideoSource
from mien.window.status import Command, Status

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
    assert len(list(VideoSource(out / "clip.mp4"))) == 12
    assert (out / "speech" / "speech.jsonl").is_file()
    assert not list(out.rglob("*.part*"))


def test_a_model_with_contempt_has_a_column_for_it(
    mien: Mien, clip: Path, eight_emotions: Path, tmp_path: Path
) -> None:
    tables = ("--csv", tmp_path / "a.csv", "--parquet", tmp_path / "a.parquet")
    ended = mien("live", clip, "--headless", "--mute", "--emotion-model", eight_emotions, *tables)
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
        (("CLIP", "--headless", "--record", "out.gif"), 1, "written as .mp4, .webm"),
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
    assert len(list(VideoSource(clip))) > 5
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


def _fed(data: bytes, *words: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "mien", "live", "-", "--headless", "--mute", *map(str, words)]
    return subprocess.run(command, input=data, capture_output=True, timeout=90, check=False)


def _jpeg(photo: Path) -> bytes:
    from mien.pixels.images import encode_image, read_image

    return encode_image(read_image(photo), ".jpg")


def test_every_frame_of_a_pipe_that_nobody_paces(photo: Path) -> None:
    done = _fed(_jpeg(photo) * 72, "--every-frame", "--stdin-fps", "12", "--task", "gesture", "--jsonl", "-")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(72))
    assert [line["time_s"] for line in lines] == pytest.approx([index / 12 for index in range(72)], abs=1e-4)


def test_pictures_that_a_pipe_passes_over_are_told(photo: Path) -> None:
    done = _fed(_jpeg(photo) * 72, "--quiet")
    assert done.returncode == 0
    said = done.stderr.decode()
    assert "of 72 pictures on stdin were skipped; --every-frame looks at every one." in said
    assert int(said.split()[1]) > 36


@pytest.mark.parametrize(
    ("source", "option", "words"),
    [
        ("http://127.0.0.1:9/x", ("--size", "640x480"), "Only a camera has a size to set"),
        ("http://127.0.0.1:9/x", ("--camera-fps", "30"), "Only a camera has a rate to set"),
        ("photo", ("--size", "640x480"), "Only a camera has a size to set"),
        ("photo", ("--stdin-fps", "30"), "does not apply to"),
        ("0", ("--stdin-fps", "30"), "does not apply to 0"),
        ("0", ("--size", "640"), "A size must be WIDTHxHEIGHT, each from 16 to 8192, e.g. 640x480, not '640'."),
        ("0", ("--size", "640x9000"), "A size must be WIDTHxHEIGHT"),
    ],
)
def test_what_is_asked_of_the_wrong_source_is_wrong_use(
    mien: Mien, photo: Path, source: str, option: tuple[str, str], words: str
) -> None:
    ended = mien("live", photo if source == "photo" else source, "--headless", "--mute", *option)
    assert ended.code == 2
    assert words in " ".join(ended.err.split())
    assert option[0] in ended.err


def test_size_and_rate_are_asked_of_the_camera(mien: Mien, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, tuple[int, int] | None, float | None]] = []

    def camera(index: int, *, size_hw: tuple[int, int] | None, fps: float | None, **_: object) -> None:
        asked.append((index, size_hw, fps))
        raise UnreadableMedia("There is no camera 0.")

    monkeypatch.setattr("mien.sources.live.Camera", camera)
    ended = mien("live", "0", "--headless", "--mute", "--size", "1280x720", "--camera-fps", "15")
    assert "There is no camera 0." in ended.err
    assert asked == [(0, (720, 1280), 15.0)]


@pytest.mark.parametrize("source", ["0", "http://127.0.0.1:9/x"])
def test_every_frame_of_a_camera_is_wrong_use(mien: Mien, source: str) -> None:
    ended = mien("live", source, "--headless", "--mute", "--every-frame")
    assert ended.code == 2
    assert "newest frame" in ended.err


def test_waiting_for_a_camera_has_an_end_when_one_is_named(mien: Mien, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    at_once = mien("live", "http://127.0.0.1:9/x", "--headless", "--mute")
    assert at_once.code == 1
    assert "Trying again" not in at_once.err
    begin_s = time.monotonic()
    ended = mien("live", "http://127.0.0.1:9/x", "--headless", "--mute", "--quiet", "--wait", "--give-up", "1.5")
    assert ended.code == 1
    assert 1.4 < time.monotonic() - begin_s < 30
    first, last = ended.sentences
    assert first.endswith("nothing listens there; check the address and the network. Trying again in 0.5 s.")
    assert last.startswith("mien: Gave up on http://127.0.0.1:9/x after 1.5 s without a picture.")


def test_a_lost_stream_and_its_return_are_told_without_a_window(
    mien_process: Process, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    jpeg = _jpeg(photo)

    class Camera(http.server.BaseHTTPRequestHandler):
        calls = 0

        def do_GET(self) -> None:
            Camera.calls += 1
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
            self.end_headers()
            with suppress(OSError):
                for _ in range(10 if Camera.calls == 1 else 10**6):
                    self.wfile.write(b"--f\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")
                    time.sleep(0.02)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    process = mien_process("live", address, "--headless", "--mute", "--quiet", "--task", "gesture")
    told: list[str] = []
    try:
        assert process.stderr is not None
        while len(told) < 2:
            told.append(process.stderr.readline().strip())
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        server.shutdown()
        server.server_close()
    assert told[0] == f"mien: {address} ended unexpectedly. Trying again in 0.5 s."
    assert told[1].startswith("mien: The stream is back after ")
    assert out == ""


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
def test_a_recording_has_the_times_of_the_run(mien: Mien, clip: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out" / name
    ended = mien("live", clip, "--headless", "--mute", "--record", out, "--record-fps", "6")
    assert (ended.code, ended.err) == (0, "")
    assert "Browsers" not in ended.out
    assert [frame.time_s for frame in VideoSource(out)] == pytest.approx([i / 6 for i in range(12)], abs=0.001)


def test_a_recording_says_where_it_does_not_play(
    mien: Mien, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mien.outputs import encoders

    monkeypatch.setitem(encoders.ENCODERS, ".mp4", encoders.ENCODERS[".mp4"][-1:])
    ended = mien("live", clip, "--headless", "--mute", "--record", tmp_path / "out.mp4")
    assert (ended.code, ended.err) == (0, "")
    assert "out.mp4: Browsers may not play it: this PyAV has no encoder for H.264" in ended.out


def test_own_notices_are_shown_where_they_are_true(tmp_path: Path) -> None:
    from mien.sources import FakeLiveSource, FakeSource
    from mien.voice.responses import Responses
    from mien.words import say

    (tmp_path / "own.toml").write_text('[notices]\ncamera = "Kamera an, nichts wird gespeichert."\n', "utf-8")
    own, usual = Responses.load(tmp_path / "own.toml"), Responses.load()
    image = np.zeros((8, 8, 3), np.uint8)

    def notice(source: Any, wording: Responses, **targets: Any) -> str:
        names = [field.name for field in dataclasses.fields(verb._Targets)]
        return verb._notice("clip.mp4", source, verb._Targets(**{name: targets.get(name) for name in names}), wording)

    live, file = FakeLiveSource([image]), FakeSource([image])
    assert notice(live, own) == "Kamera an, nichts wird gespeichert."
    assert notice(live, usual) == say("window.notice")
    assert "Results are written" in notice(live, own, jsonl="a.jsonl")
    assert notice(live, own, record=tmp_path / "a.mp4") == say("window.notice")
    assert notice(file, own).startswith("Playing clip.mp4.")


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
    monkeypatch.setattr("mien.sources.live.open_stream", Pictures)
    monkeypatch.setattr("mien.window.window.Window", Window)
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


def test_the_time_counts_while_stdin_is_silent() -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "mien", "live", "-", "--headless", "--mute", "--seconds", "0.5"]
    try:
        ended = subprocess.run(command, stdin=reading, capture_output=True, text=True, timeout=60)
    finally:
        os.close(reading)
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("0 frames in 0.")


@pytest.mark.parametrize("verb", ["look", "live", "classify"])
def test_an_empty_name_is_nothing_to_look_at(mien: Any, verb: str) -> None:
    words = {"look": [""], "live": ["", "--headless", "--mute"], "classify": ["emotion", ""]}[verb]
    ended = mien(verb, *words)
    assert (ended.code, ended.out) == (1, "")
    assert "The name of a source is empty" in ended.err


@pytest.mark.parametrize(
    "words", [["live", "--headless", "{}"], ["models", "{}"], ["look", "--emotion-model", "{}", __file__]]
)
def test_a_name_longer_than_the_system_takes(mien: Any, words: list[str]) -> None:
    ended = mien(*(word.format("x" * 300) for word in words))
    assert ended.code in (1, 2)
    assert "too long" in ended.err
    assert len(ended.err.splitlines()) == 1
