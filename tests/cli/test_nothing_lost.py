"""No verb replaces what the user had: every one that writes, one after another."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.pixels.images import read_image
from mien.sources import open_source

Mien = Callable[..., Any]
Process = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file or folder of each kind that a user may have; none of them is what it is called."""
    home = tmp_path / "home"
    home.mkdir()
    for name in (
        "a.jpg",
        "b.jpg",
        "clip.mp4",
        "x.csv",
        "x.npz",
        "x.json",
        "page.html",
        "fer.csv",
        "votes.csv",
        "r.toml",
    ):
        (home / name).write_text(f"the user's {name}")
    for name in ("run", "model", "set", "page_files"):
        (home / name).mkdir()
        (home / name / "notes.txt").write_text(f"the user's notes in {name}")
    (home / "link.csv").symlink_to("a.jpg")
    (home / "set" / "dataset.json").write_text("{}")
    (home / "model" / "manifest.json").write_text("{}")
    monkeypatch.chdir(home)
    return home


def _hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(
    "words",
    [
        # an input
        "look a.jpg --csv a.jpg --overwrite",
        "look a.jpg --jsonl ./a.jpg --overwrite",
        "look a.jpg --json link.csv --overwrite",
        "look a.jpg b.jpg --parquet b.jpg --overwrite",
        "look . --csv a.jpg --overwrite",
        "look *.jpg --csv b.jpg --overwrite",
        "look a.jpg --save . --overwrite",
        "look a.jpg --save a.jpg --overwrite",
        "classify emotion a.jpg --jsonl a.jpg --overwrite",
        "classify emotion a.jpg --chart a.jpg --overwrite",
        "live clip.mp4 --headless --mute --record clip.mp4 --overwrite",
        "live clip.mp4 --headless --mute --jsonl clip.mp4 --append",
        "live clip.mp4 --headless --mute --csv ./clip.mp4 --overwrite",
        "live . --headless --mute --events a.jpg --overwrite",
        "live clip.mp4 --headless --mute --responses r.toml --csv r.toml --overwrite",
        "look a.jpg --emotion-model model --csv model/manifest.json --overwrite",
        "classify gesture a.jpg --model model --jsonl model/manifest.json --overwrite",
        "live a.jpg --gesture-model model --headless --mute --csv model/manifest.json --overwrite",
        "report x.csv --out x.csv --overwrite",
        "report x.csv --events votes.csv --out votes.csv --overwrite",
        "data fer2013 fer.csv fer.csv --layout packed --overwrite",
        "data fer2013 x.npz x.npz --layout packed --overwrite",
        "data fer2013 set/dataset.json set --overwrite",
        "data asl set set --overwrite",
        "data import set set --overwrite",
        "data explore x.csv --out x.csv --overwrite",
        "data duplicates x.csv --write x.csv --overwrite",
        "data duplicates x.csv --json x.csv --overwrite",
        "evaluate model --data x.npz --out model --overwrite",
        "compare run --measured run/notes.txt",
        "compare run --reproduction run/notes.txt --overwrite",
        "models compare x.csv --data x.npz --csv x.csv --overwrite",
        "models compare --data x.npz --json x.npz --overwrite",
        "recipes show r.toml --diagram r.toml",
        "export model model --data x.npz --overwrite",
        "train emotion --data set --out set",
        # two outputs to one file
        "look a.jpg --jsonl out --csv out",
        "look a.jpg --jsonl out --parquet ./out",
        "look a.jpg --jsonl - --csv /dev/stdout",
        "live clip.mp4 --headless --mute --jsonl out --csv out",
        "live clip.mp4 --headless --mute --jsonl out --events OUT",
        "classify emotion a.jpg --jsonl c.png --chart c.png",
        "data duplicates x.csv --write out --json out",
        "models compare --data x.npz --csv out --json out",
        # what is there
        "look a.jpg --csv x.csv",
        "look a.jpg --save b.jpg",
        "look a.jpg --jsonl page.html",
        "live clip.mp4 --headless --mute --csv x.csv",
        "live clip.mp4 --headless --mute --record x.csv",
        "live clip.mp4 --headless --mute --parquet x.csv --append",
        "classify emotion a.jpg --jsonl x.json",
        "classify emotion a.jpg --chart b.jpg",
        "report x.csv --out page.html",
        "report x.csv --out page.html --overwrite",  # its figures' folder holds notes
        "data explore x.csv --out page.html",
        "data fer2013 fer.csv x.npz --layout packed",
        "data fer2013 fer.csv run --overwrite",
        "data fer2013 fer.csv set --overwrite",
        "data duplicates x.csv --write votes.csv",
        "evaluate model --data x.npz --out run",
        "evaluate model --data x.npz --out run --overwrite",
        "compare run --reproduction x.csv",
        "models compare --data x.npz --markdown votes.csv",
        "export run model --data x.npz",
        "export run model --data x.npz --overwrite",
        "export run set --data x.npz --overwrite",
        "train emotion --data x.npz --out run",
        "demo --out .",
        # names with an ending that say something else
        "look a.jpg --save copy.mp4",
        "look a.jpg --save copy.xyz",
        "look a.jpg b.jpg --save copy.jpg",
        "look clip.mp4 --save copy.jpg",
        "classify emotion a.jpg --chart copy.xyz",
        "live clip.mp4 --headless --mute --append --overwrite",
    ],
)
def test_refused_before_anything_is_read(mien: Mien, home: Path, words: str) -> None:
    (home / "README.txt").write_text("the user's")
    before = _hashes(home)
    ended = mien(*words.split())
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    assert ended.err.startswith(("mien: ", "Usage: ")), ended.err
    assert _hashes(home) == before


@pytest.mark.parametrize("name", ["copy.jpg", "copy.jpeg", "copy.png", "copy.webp", "copy.gif", "COPY.JPG"])
def test_a_picture_is_saved_as_its_ending_says(mien: Mien, photo: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / name
    assert mien("look", photo, "--save", copy, "-q").code == 0
    assert copy.is_file()
    assert read_image(copy).shape == read_image(photo).shape


@pytest.mark.parametrize("name", ["copy.mp4", "copy.webm"])
def test_a_video_is_saved_as_its_ending_says(mien: Mien, clip: Path, tmp_path: Path, name: str) -> None:
    assert mien("look", clip, "--save", tmp_path / name, "-q", "--task", "emotion").code == 0
    with open_source(tmp_path / name) as source:
        assert len(list(source)) == 12


@pytest.mark.parametrize("name", ["copy.gif", "copy.webp"])
def test_a_video_becomes_an_animation(mien: Mien, clip: Path, tmp_path: Path, name: str) -> None:
    from PIL import Image

    assert mien("look", clip, "--save", tmp_path / name, "-q", "--task", "emotion").code == 0
    with Image.open(tmp_path / name) as animation:
        assert animation.n_frames == 12
        animation.load()
        assert animation.info["duration"] in range(160, 171)  # 6 frames a second


def test_a_folder_may_have_an_ending(mien: Mien, photo: Path, tmp_path: Path) -> None:
    assert mien("look", photo, "--save", f"{tmp_path}/results.2026/", "-q").code == 0
    assert (tmp_path / "results.2026" / "good.png").is_file()
    (tmp_path / "holiday.v2").mkdir()
    assert mien("look", photo, "--save", tmp_path / "holiday.v2", "-q").code == 0
    assert (tmp_path / "holiday.v2" / "good.png").is_file()


def test_a_second_run_replaces_only_when_told(mien: Mien, photo: Path, tmp_path: Path) -> None:
    words = ("look", photo, "--csv", tmp_path / "out.csv", "--save", tmp_path / "saved", "-q")
    assert mien(*words).code == 0
    before = _hashes(tmp_path)
    assert mien(*words).code == 2
    assert _hashes(tmp_path) == before
    assert mien(*words, "--overwrite").code == 0


@pytest.mark.usefixtures("short_demo")
def test_demo_takes_a_new_folder_each_time(mien: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mien-demo").mkdir()
    assert mien("demo").code == 0
    assert (tmp_path / "mien-demo-2" / "demo.jsonl").is_file()
    assert not list((tmp_path / "mien-demo").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_look_and_leaves_the_earlier_file(
    mien_process: Process, long_clip: Path, tmp_path: Path, number: signal.Signals
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, as by nohup, and mien leaves it so")
    earlier, new, part = tmp_path / "a.csv", tmp_path / "new.jsonl", tmp_path / "a.csv.part"
    earlier.write_text("yesterday's")
    process = mien_process(
        "look",
        long_clip,
        "--task",
        "emotion,gesture",
        "--csv",
        earlier,
        "--jsonl",
        new,
        "--overwrite",
        "--save",
        tmp_path / "s",
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (part.is_file() and part.read_text("utf-8").count("\n") > 20):
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "stays as it was" in err
    assert earlier.read_text() == "yesterday's"
    assert part.read_text("utf-8").count("\n") > 20
    assert [json.loads(line)["frame"] for line in new.read_text("utf-8").splitlines()][:2] == [0, 1]
    with open_source(tmp_path / "s" / "long.mp4") as source:
        assert next(iter(source)).index == 0
    assert sorted(path.name for path in tmp_path.rglob("*part*")) == ["a.csv.part"]


def test_live_records_can_be_followed_and_go_on(mien: Mien, clip: Path, tmp_path: Path) -> None:
    words = ("live", clip, "--headless", "--mute", "-q", "--task", "emotion", "--append")
    files = ("--jsonl", tmp_path / "a.jsonl", "--csv", tmp_path / "a.csv", "--events", tmp_path / "e.jsonl")
    for _ in range(2):
        assert mien(*words, *files).code == 0
    frames = [json.loads(line)["frame"] for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert frames == [*range(12), *range(12)]
    assert (tmp_path / "a.csv").read_text("utf-8").count("source,") == 1


def test_process_substitution_and_named_pipes(mien_process: Process, clip: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    prediction, writing = os.pipe()
    os.set_inheritable(writing, True)
    command = [*_command(), "live", str(clip), "--headless", "--mute", "-q", "--task", "emotion", "--csv", str(pipe)]
    command += ["--jsonl", f"/dev/fd/{writing}", "--events", "/dev/stdout"]
    with subprocess.Popen(command, pass_fds=(writing,), stdout=subprocess.PIPE, text=True) as process:
        os.close(writing)
        got: dict[str, str] = {}

        def read(name: str, source: int | Path) -> None:
            with open(source, encoding="utf-8") as file:  # noqa: PTH123 - a descriptor too
                got[name] = file.read()

        readers = [threading.Thread(target=read, args=each) for each in (("csv", pipe), ("jsonl", prediction))]
        for reader in readers:
            reader.start()
        events, _ = process.communicate(timeout=60)
        for reader in readers:
            reader.join(10)
    assert process.returncode == 0
    assert len(got["jsonl"].splitlines()) == 12
    assert got["csv"].startswith("source,")
    assert all(json.loads(line)["kind"] for line in events.splitlines())
    assert [path.name for path in tmp_path.iterdir() if "fd" in path.name or "part" in path.name] == []


@pytest.mark.parametrize("verb", ["look", "live"])
def test_when_the_reader_of_stdout_leaves_the_others_go_on(clip: Path, tmp_path: Path, verb: str) -> None:
    command = [*_command(), verb, str(clip), "--task", "emotion", "--csv", str(tmp_path / "a.csv"), "--jsonl", "-"]
    command += ["--headless", "--mute"] if verb == "live" else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("{")
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait(60) == 0
    assert "The other outputs continue" in err
    assert len(err.splitlines()) == 1
    assert len((tmp_path / "a.csv").read_text("utf-8").splitlines()) == 13


def test_when_the_only_reader_leaves_the_run_ends(long_clip: Path) -> None:
    command = [*_command(), "live", str(long_clip), "--headless", "--mute", "--task", "emotion", "--events", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(60) == 0


def test_a_second_run_at_the_same_file_is_refused(mien_process: Process, long_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    first = mien_process("look", long_clip, "--task", "emotion", "--jsonl", out)
    part = tmp_path / "out.jsonl.part"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not part.is_file():
        time.sleep(0.02)
    try:
        second = mien_process("look", long_clip, "--task", "emotion", "--jsonl", out)
        _, err = second.communicate(timeout=60)
        assert second.returncode == 2
        assert "another run is writing it" in err
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    assert out.is_file()


def _command() -> list[str]:
    import sys

    return [sys.executable, "-m", "mien"]
