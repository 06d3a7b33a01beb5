"""docs/serve.md and the examples: what is written works."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mien.artwork.drawings import demo_frame
from mien.cli.main import app
from mien.outputs.video import VideoWriter
from mien.pixels.images import encode_image
from mien.serve.settings import Limits

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "serve.md").read_text("utf-8")
EXAMPLES = ROOT / "examples"


def test_every_option_is_documented_and_none_else() -> None:
    told = set(re.findall(r"--[a-z-]+", CliRunner().invoke(app, ["serve", "--help"], terminal_width=200).output))
    written = set(re.findall(r"`(--[a-z-]+)", TEXT)) | set(re.findall(r"mien serve.*?(--[a-z-]+)", TEXT))
    assert told - {"--help"} <= written
    assert set(re.findall(r"mien serve[^`\n]*", TEXT))
    for line in re.findall(r"(?m)^(?:ExecStart=/opt\S+|)mien serve [^`\n#]*|ExecStart=\S+ serve [^\n]*", TEXT):
        assert set(re.findall(r"--[a-z-]+", line)) <= told, line


def test_the_limits_are_those_of_the_code() -> None:
    limits = Limits()
    stated = {
        "picture_bytes": "20 MB",
        "picture_pixels": "50 million pixels",
        "video_bytes": "2 GB",
        "requests": "| pictures at the same time | 64 |",
        "live": "32 each",
        "jobs": "| videos that wait; results | 8; the last 100, for one hour |",
        "results": "the last 100",
        "body_s": "30 s to arrive",
        "send_s": "| a client that does not take its answers | 10 s |",
        "kept_s": "one hour",
    }
    assert stated.keys() == {field.name for field in fields(limits)}
    assert all(words in TEXT for words in stated.values())
    assert limits == Limits(
        picture_bytes=20 * 10**6,
        picture_pixels=50 * 10**6,
        video_bytes=2 * 10**9,
        requests=64,
        live=32,
        jobs=8,
        results=100,
        body_s=30.0,
        send_s=10.0,
        kept_s=3600.0,
    )


def test_the_unit_is_valid(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze (apt install systemd)")
    (unit,) = re.findall(r"```ini\n(\[Unit\]\n.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "mien-serve.service"
    path.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", unit), "utf-8")
    done = subprocess.run([program, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "mien" in line]) == (0, [])
    words = shlex.split(re.findall(r"(?m)^ExecStart=(.*)$", unit)[0])
    assert words[:2] == ["/opt/mien/.venv/bin/mien", "serve"]


def test_examples_are_short() -> None:
    for path in EXAMPLES.iterdir():
        assert len(path.read_text("utf-8").splitlines()) < 60


def test_the_python_example(server: Any, tmp_path: Path, smile: list[Any]) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10.0, (480, 640)) as writer:
        for image_rgb in smile[:24]:
            writer.write(image_rgb)
    command = [sys.executable, EXAMPLES / "live_client.py", "--server", f"ws://127.0.0.1:{server.port}"]
    done = subprocess.run([*command, tmp_path / "clip.mp4"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"start  victory", done.stdout), done.stdout
    assert not done.stderr


def test_the_javascript_example(server: Any, tmp_path: Path, photo: bytes) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    major = int(version[1:].partition(".")[0])
    if major < 20:
        pytest.skip("needs Node 20")
    (tmp_path / "photo.jpg").write_bytes(photo)
    words = [EXAMPLES / "look_client.mjs", "--server", f"http://127.0.0.1:{server.port}", "photo.jpg"]

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        command = [node, *flags, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)

    if major < 22:
        without = run()
        assert without.returncode == 1
        assert re.fullmatch(r"photo\.jpg: happy \d+ %, victory \d+ %\n", without.stdout)
        assert without.stderr.endswith("or run Node 20 with --experimental-websocket.\n")
    done = run(*(["--experimental-websocket", "--no-warnings"] if major < 22 else []))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"photo\.jpg: happy \d+ %, victory \d+ %\nphoto\.jpg: happy \d+ %, victory .* ms", done.stdout)


def test_the_calls_of_curl(server: Any, tmp_path: Path, photo: bytes, smile: list[Any]) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("needs curl")
    (tmp_path / "photo.jpg").write_bytes(photo)
    (tmp_path / "hand.png").write_bytes(encode_image(demo_frame(30), ".png"))
    with VideoWriter(tmp_path / "clip.mp4", 10.0, (480, 640)) as writer:
        for image_rgb in smile[:10]:
            writer.write(image_rgb)
    calls = re.findall(r"(?m)^curl (.*)$", TEXT)
    assert len(calls) == 5
    for call in calls:
        words = shlex.split(call.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{server.port}"))
        command = [curl, "--silent", "--show-error", "--fail-with-body", *words]
        command = [word for word in command if word != "--fail"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
        assert (done.returncode, done.stderr) == (0, ""), (call, done.stdout)
    assert (tmp_path / "marked.jpg").read_bytes().startswith(b"\xff\xd8\xff")
