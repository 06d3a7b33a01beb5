from __future__ import annotations

import builtins
import http.client
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ignored", "other"),
    [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT), (signal.SIGHUP, signal.SIGINT)],
)
def test_a_signal_that_is_ignored_does_not_stop_it(ignored: signal.Signals, other: signal.Signals) -> None:
    """Shells start background jobs, and nohup its command, with signals that are ignored."""

    def inherit() -> None:
        signal.signal(other, signal.SIG_DFL)
        signal.signal(ignored, signal.SIG_IGN)

    command = [sys.executable, "-m", "mien", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=inherit) as process:
        assert process.stderr is not None
        found = re.search(r":(\d+)/", process.stderr.readline())
        assert found
        process.send_signal(ignored)
        for _ in range(3):  # each is answered by a thread that would have been told by now
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
            connection.request("GET", "/v1/health")
            assert connection.getresponse().status == 200
            connection.close()
        assert process.poll() is None
        process.send_signal(other)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "mien: interrupted; what was finished is saved.\n")


@pytest.fixture
def signals() -> Iterator[None]:
    """As in a terminal: this process may be a background job, whose SIGINT is ignored."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["load", "startup", "ready", "shutdown"])
def test_whenever_it_is_stopped_the_exit_code_is_the_same(
    mien: Run, monkeypatch: pytest.MonkeyPatch, signals: None, moment: str, number: signal.Signals
) -> None:
    from mien.serve import server

    def stop(*_: object) -> None:
        signal.raise_signal(number)

    async def stop_and_start(self: server._Server, sockets: Any = None) -> None:
        stop()
        await startup(self, sockets)

    async def stop_twice(self: server._Server, sockets: Any = None) -> None:
        stop()
        await shutdown(self, sockets)

    load, startup, shutdown = server.Engine.load, server._Server.startup, server._Server.shutdown
    if moment == "load":
        monkeypatch.setattr(server.Engine, "load", lambda self: (load(self), stop()))
    elif moment == "startup":
        monkeypatch.setattr(server._Server, "startup", stop_and_start)
    else:
        monkeypatch.setattr("mien.cli.serve._ready", stop)
    if moment == "shutdown":
        monkeypatch.setattr(server._Server, "shutdown", stop_twice)
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    done = mien("serve", "--port", 0)
    assert (done.code, done.err) == (130, "mien: interrupted; what was finished is saved.\n")
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_handler_that_only_takes_note_does_not_make_it_a_success(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    from mien.pipeline import Options
    from mien.serve.server import run_server
    from mien.serve.settings import ServeSettings

    noted: list[int] = []
    earlier = signal.signal(number, lambda sig, _: noted.append(sig))
    try:
        settings = ServeSettings(port=0, options=Options(tasks=("emotion",), follow=True))
        with pytest.raises(KeyboardInterrupt):
            run_server(settings, lambda _: signal.raise_signal(number))
    finally:
        signal.signal(number, earlier)
    assert noted == [number]
