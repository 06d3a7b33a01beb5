"""The service unit of docs/live.md: what systemd says to it, and its command run as it is written."""

from __future__ import annotations

import configparser
import http.server
import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.artwork.drawings import demo_frame
from mien.pixels.images import encode_image

DOCUMENT = Path(__file__).parents[2] / "docs" / "live.md"


@pytest.fixture(scope="module")
def text() -> str:
    (found,) = re.findall(r"```ini\n(\[Unit\]\n.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def test_it_starts_at_boot_and_again_whenever_it_ends(unit: configparser.ConfigParser) -> None:
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert unit["Service"]["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0", "a camera may be away for longer than five starts take"


def test_systemd_finds_nothing_wrong(text: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze (apt install systemd)")
    path = tmp_path / "mien.service"
    path.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", text), "utf-8")
    done = subprocess.run([program, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "mien" in line]
    assert (done.returncode, told) == (0, [])
    path.write_text(text.replace("Restart=always", "Restart=allways"), "utf-8")
    wrong = subprocess.run([program, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    assert "allways" in wrong.stderr, "it would be said"


class _Camera(http.server.BaseHTTPRequestHandler):
    picture = encode_image(demo_frame(30), ".jpg")

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"--f\r\nContent-Type: image/jpeg\r\n\r\n" + self.picture + b"\r\n")
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


def _until(what: Callable[[], object], limit_s: float = 90.0) -> None:
    end_s = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < end_s, "it does not happen"
        time.sleep(0.05)


@pytest.mark.slow
def test_its_command_waits_for_the_camera_and_ends_as_the_unit_expects(
    unit: configparser.ConfigParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    folder = tmp_path / "run"
    folder.mkdir()
    places = {"/dev/video0": f"http://127.0.0.1:{port}/", "/run/mien/": f"{folder}/"}
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/bin/mien")
    assert all(any(place in word for word in words) for place in places)
    for place, here in places.items():
        words = [word.replace(place, here) for word in words]
    command = [sys.executable, "-m", "mien", *words]
    success = {0, *map(int, unit["Service"]["SuccessExitStatus"].split())}
    final = set(map(int, unit["Service"]["RestartPreventExitStatus"].split()))
    events = folder / "events.jsonl"
    served: list[http.server.ThreadingHTTPServer] = []
    try:
        for start in (1, 2):  # the second start finds the first one's file
            log = tmp_path / f"{start}.log"
            with log.open("w") as stderr:
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
            if not served:
                _until(lambda log=log: "Trying again" in log.read_text())
                assert process.poll() is None, "it waits"
                server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Camera)
                server.daemon_threads = True
                threading.Thread(target=server.serve_forever, daemon=True).start()
                served.append(server)
            _until(lambda: events.is_file() and '"start"' in events.read_text().rpartition('"end"')[2])
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=60)
            assert process.returncode in success
            assert process.returncode not in final
            assert out == b"", "quiet"
            kinds = [json.loads(line)["kind"] for line in events.read_text("utf-8").splitlines()]
            assert kinds.count("start") == kinds.count("end") >= start
            assert "Traceback" not in log.read_text()
        assert "is there" in (tmp_path / "1.log").read_text()
    finally:
        for server in served:
            server.shutdown()
            server.server_close()
    wrong = subprocess.run([*command, "--evnts", "x"], capture_output=True, check=False)
    assert wrong.returncode in final
