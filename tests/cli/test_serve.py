from __future__ import annotations

import builtins
import http.client
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--host", "0.0.0.0"), "needs a token"),  # noqa: S104
        (("--host", "192.168.0.7", "--token", "short"), "at least 16 characters"),
        (("--token", "x" * 20, "--token-file", "f"), "only one of --token and --token-file"),
        (("--token-file", "/nowhere/token"), "The token file /nowhere/token cannot be read"),
        (("--allow-origin", "example.org"), "An origin must be like https://example.org"),
        (("--allow-host", "a/b"), "without port or path"),
        (("--port", "70000"), "'--port'"),
        (("--task", "age"), "There is no task 'age'"),
        (("--idle", "0"), "'--idle'"),
    ],
)
def test_wrong_use(mien: Run, words: tuple[str, ...], sentence: str) -> None:
    done = mien("serve", *words)
    assert done.code == 2
    assert sentence in re.sub(r"[\s│]+", " ", done.err)


def test_what_cannot_be_started_is_said(mien: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = mien("serve", "--port", port)
        assert done.code == 1
        assert done.sentences == [
            f"mien: Port {port} at 127.0.0.1 cannot be used: it is in use already; choose another with --port."
        ]
    done = mien("serve", "--port", 0, "--watch", tmp_path / "none.mp4")
    assert done.code == 1
    assert "there is no such file" in done.err
    done = mien("serve", "--port", 0, "--emotion-model", "emotion_residul")
    assert done.code == 2
    assert "Did you mean 'emotion_residual'?" in done.err
    done = mien("serve", "--host", "no.such.host.invalid", "--token", "x" * 20)
    assert done.code == 1
    assert "is not an address of this machine; check --host." in done.err


def test_without_the_extra_it_is_named(mien: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    real = builtins.__import__

    def importing(name: str, *rest: Any, **more: Any) -> Any:
        if name == "mien.serve.server":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", importing)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = mien("serve")
    assert done.code == 1
    assert "pip install 'mien[serve]'" in done.err


def test_doctor_names_the_extra(mien: Run) -> None:
    assert re.search(r"ok +extra serve +installed", mien("doctor").out)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_stops_when_told(
    mien_process: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-enough-characters\n")
    with mien_process("serve", "--host", "0.0.0.0", "--port", 0, "--token-file", token) as process:  # noqa: S104
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r"mien serves http://127\.0\.0\.1:(\d+)/; Ctrl-C stops it\.\n", line)
        assert found, line
        assert "Tell people before" in process.stderr.readline()
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
        connection.request("GET", "/v1/models", headers={"Authorization": "Bearer a-token-of-enough-characters"})
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "mien: interrupted; what was finished is saved.\n"
