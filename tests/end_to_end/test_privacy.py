"""What mien promises: no network but for an address that the user gives, and no file that nobody asked for.

A child process runs under strace with an empty home folder. Sockets of the machine itself (AF_UNIX) cannot leave it and
are allowed only towards the user database (nscd), which `getpwuid` asks, and the sound server (PulseAudio's socket),
which says the sentences; every other family counts as network.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from mien.artwork.drawings import demo_frame
from mien.pixels.images import encode_image, write_image

_SOCKET = re.compile(r"socket(?:pair)?\((AF_\w+|\d+)")
_CALL = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\(.*")
_LOCAL = re.compile(r"/nscd/socket|/pulse/native")
_LONG_S = 12
"""Longer than the nine seconds after which ONNX Runtime looks its maker's host up."""


@dataclass(frozen=True)
class Traced:
    """What a child process did.

    Args:
        code: its exit status.
        told: its stdout and stderr.
        network: its system calls that reach, or could reach, beyond the machine.
        files: what it left in its home folder.
    """

    code: int
    told: str
    network: list[str]
    files: list[str]


Trace = Callable[..., Traced]


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """Runs Python with the words under strace; a skip that says why where that is not possible."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed here")
    # With --seccomp-bpf a process is stopped at the calls that are watched, not at all of them.
    watching = [strace, "-f", "--seccomp-bpf", "-qq", "-e", "trace=%network"]
    trial = subprocess.run([*watching, "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    if trial.returncode:
        pytest.skip(f"strace may not watch processes here: {trial.stderr.strip()}")
    numbers = itertools.count()

    def run(*words: object, feed: Callable[[IO[bytes]], None] | None = None) -> Traced:
        number = next(numbers)
        home, log = tmp_path / f"home{number}", tmp_path / f"calls{number}"
        home.mkdir()
        # Nothing of this process: neither the variables that mien sets in it nor a cache folder of its user.
        variables = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        command = [*watching, "-o", log, sys.executable, *map(str, words)]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=tmp_path,
        ) as process:
            assert process.stdin is not None
            if feed is not None:
                threading.Thread(target=feed, args=(process.stdin,), daemon=True).start()
            else:
                process.stdin.close()
            assert process.stdout is not None
            told = process.stdout.read().decode("utf-8", "replace")
            code = process.wait(timeout=300)
            with suppress(OSError):
                process.stdin.close()
        return Traced(
            code,
            told,
            _network(log.read_text("utf-8", "replace")),
            sorted(str(path.relative_to(home)) for path in home.rglob("*")),
        )

    return run


def _network(calls: str) -> list[str]:
    found = []
    for line in calls.splitlines():
        family = _SOCKET.search(line)
        call = _CALL.search(line)
        is_local = "AF_UNIX" in line and _LOCAL.search(line)
        if (family and family[1] != "AF_UNIX") or (call and "sa_family" in line and not is_local):
            found.append(line)
    return found


def _clean(done: Traced) -> None:
    assert done.code == 0, done.told
    assert done.network == []
    assert done.files == []


def test_the_watch_sees_sockets_and_files(trace: Trace) -> None:
    code = """if True:
        import pathlib, socket
        pathlib.Path.home().joinpath(".cache").mkdir()
        socket.socket(socket.AF_INET6).close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one: one.connect(("192.0.2.1", 53))
        with socket.socket(socket.AF_UNIX) as two: two.connect_ex("/run/nowhere")
        a, b = socket.socketpair()
    """
    done = trace("-c", code)
    assert done.code == 0, done.told
    assert done.files == [".cache"]
    assert len(done.network) == 4, done.network
    for word, line in zip(("AF_INET6", "SOCK_DGRAM", "192.0.2.1", "/run/nowhere"), done.network, strict=True):
        assert word in line


def test_a_photo(trace: Trace, tmp_path: Path) -> None:
    write_image(tmp_path / "photo.png", np.asarray(demo_frame(30), np.uint8))
    code = "import mien, sys; print(len(mien.look(sys.argv[1]).faces), len(mien.look(sys.argv[1]).hands))"
    done = trace("-c", code, tmp_path / "photo.png")
    _clean(done)
    assert done.told == "1 1\n"


_SERVING = """if True:
    import http.client, os, re, signal, sys, threading, time
    from mien.cli.main import main

    class Told:
        def write(self, text):
            found = re.search(r"127.0.0.1:([0-9]+)/", text)
            if found:
                threading.Thread(target=ask, args=(int(found[1]),)).start()
            return sys.__stderr__.write(text)
        def flush(self): pass

    def ask(port):
        with open(sys.argv[1], "rb") as file:
            photo = file.read()
        for _ in range(int(sys.argv[2])):
            one = http.client.HTTPConnection("127.0.0.1", port)
            one.request("POST", "/v1/look", photo)
            print(one.getresponse().status)
            one.close()
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    sys.stderr = Told()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    raise SystemExit(main(["serve", "--port", "0"]) != 130)
"""
"""Asks itself for longer than the nine seconds of ONNX Runtime, then stops itself."""


@pytest.mark.slow
def test_live_and_a_server_for_longer_than_a_look_up(trace: Trace, tmp_path: Path) -> None:
    """Both at once, because they have to wait."""
    pictures = [encode_image(np.asarray(demo_frame(index), np.uint8), ".jpg") for index in range(0, 60, 3)]
    write_image(tmp_path / "photo.png", np.asarray(demo_frame(30), np.uint8))

    def feed(pipe: IO[bytes]) -> None:
        with suppress(OSError, ValueError):  # it has ended
            for index in range(40 * _LONG_S):
                pipe.write(pictures[index % len(pictures)])
                pipe.flush()
                time.sleep(0.1)

    words = ("live", "-", "--headless", "--seconds", _LONG_S, "--jsonl", "records.jsonl", "--speech-dir", "speech")
    with ThreadPoolExecutor() as both:
        served = both.submit(trace, "-c", _SERVING, tmp_path / "photo.png", _LONG_S)
        lived = trace("-m", "mien", *words, feed=feed)
        server = served.result()
    _clean(lived)
    assert len((tmp_path / "records.jsonl").read_text("utf-8").splitlines()) > _LONG_S
    seconds = re.search(r"frames in ([0-9]+)\.", lived.told)
    assert seconds, lived.told
    assert _LONG_S - 1 <= int(seconds[1]) < 2 * _LONG_S, lived.told

    assert server.code == 0, server.told
    assert server.told.count("200\n") == _LONG_S, server.told
    assert server.files == []
    assert any("connect(" in line for line in server.network), "its own requests are seen"
    addresses = {found for line in server.network for found in re.findall(r'inet_addr\("([^"]+)"\)|inet_pton', line)}
    assert addresses == {"127.0.0.1"}
    assert not any("AF_INET6" in line and "connect(" in line for line in server.network)


_ONE_AFTER_THE_OTHER = """if True:
    import shlex, sys
    from mien.cli.main import main
    for line in sys.argv[1:]:
        code = main(shlex.split(line))
        print("exit status", code, "of", line, flush=True)
        if code:
            raise SystemExit(code)
"""
"""Commands in one process: to import torch and Lightning is most of their time."""


@pytest.mark.slow
def test_two_steps_of_training_and_the_pages(trace: Trace, tmp_path: Path) -> None:
    _write_faces(tmp_path / "faces.csv")
    (tmp_path / "tiny.toml").write_text(_TINY, "utf-8")
    lines = (
        "train tiny.toml --data faces.csv --out run --device cpu",
        "evaluate run --data faces.csv --split all --out report",
        "export run model --data faces.csv",
        "data explore faces.csv --out explore.html",
    )
    done = trace("-c", _ONE_AFTER_THE_OTHER, *lines)
    _clean(done)
    for line in lines:
        assert f"exit status 0 of {line}\n" in done.told, done.told
    for made in ("run/checkpoints/last.ckpt", "report/report.html", "model/model.onnx", "explore.html"):
        assert (tmp_path / made).is_file()


_TINY = """name = "tiny"
task = "emotion"
label_set = "emotions"
[network]
name = "cnn3_relu"
[data]
clean = false
[fit]
epochs = 1
batch = 14
rate = 1e-3
optimizer = "adam"
[loss]
votes_weight = 0
"""
"""Two steps: 28 faces in batches of 14."""


def _write_faces(path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["emotion,pixels,Usage"]
    for usage, count in (("Training", 4), ("PublicTest", 2), ("PrivateTest", 2)):
        for label in range(7):
            for _ in range(count):
                pixels = rng.integers(20 * label, 20 * label + 60, 48 * 48)
                rows.append(f"{label},{' '.join(map(str, pixels))},{usage}")
    path.write_text("\n".join(rows) + "\n", "utf-8")
