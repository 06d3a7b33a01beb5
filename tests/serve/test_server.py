"""Clients that do not keep up, and the end of the server."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mien.pipeline import FrameSequence
from mien.scene import Frame, Scene
from mien.serve import server as serve_server

HEALTH = b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE = (
    b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def refused(path: str) -> bytes:
    """The head of a request that is answered before its body has come."""
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n".encode()


def frame(kind: int, data: bytes) -> bytes:
    """A masked WebSocket frame whose mask is 0."""
    long = len(data) > 125
    size = bytes((0x80 | 126,)) + len(data).to_bytes(2, "big") if long else bytes((0x80 | len(data),))
    return bytes((0x80 | kind,)) + size + bytes(4) + data


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"", b""),
        (b"GET / HT", b"T"),
        (HEALTH + b"GET /v1/hea", b"l"),
        (HEALTH + HEALTH + b"G", b"E"),
        (refused("/v1/nothing"), b"a body that nobody reads"),
        (refused("/v1/health"), b"a body that nobody reads"),
    ],
)
def test_a_client_that_does_not_come_to_an_end_is_dropped(
    server: Any, monkeypatch: pytest.MonkeyPatch, begin: bytes, more: bytes
) -> None:
    monkeypatch.setattr(serve_server._Patient, "head_s", 0.3)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(begin)
        client.settimeout(0.05)
        end_s = time.monotonic() + 30
        while True:
            assert time.monotonic() < end_s, "it is kept as long as it sends something now and then"
            try:
                if not client.recv(65_536):
                    break
            except TimeoutError:
                client.sendall(more[:1])
            except ConnectionError:
                break


def test_a_client_of_many_requests_is_kept(server: Any, monkeypatch: pytest.MonkeyPatch, photo: bytes) -> None:
    monkeypatch.setattr(serve_server._Patient, "head_s", 0.2)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        begin_s = time.monotonic()
        head = f"POST /v1/look HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(photo)}\r\n\r\n".encode()
        while time.monotonic() - begin_s < 0.6:
            client.sendall(head[:20])
            client.sendall(head[20:] + photo)
            answer = client.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200")
            while not answer.endswith(b"}"):
                answer += client.recv(65_536)


@pytest.mark.parametrize("flood", ["pictures", "pings"])
def test_a_live_client_that_takes_no_answers_is_dropped(
    serving: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, flood: str
) -> None:
    server = serving()
    # What the system keeps of answers that nobody takes: usually some megabytes, which take half a minute to fill.
    server.listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    monkeypatch.setattr(serve_server._PatientSocket, "send_s", 0.3)
    long = json.dumps({"tasks": ["age"]}).encode() * 100  # each is answered with a problem
    sent = frame(1, long[:3000]) * 300 if flood == "pictures" else frame(9, b"x" * 125) * 3000
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", server.port))
        client.sendall(UPGRADE)
        assert client.recv(4096).endswith(b"\r\n\r\n")
        end_s = time.monotonic() + 60
        is_dropped = False
        while not is_dropped:
            assert time.monotonic() < end_s, "it is still served"
            try:
                client.sendall(sent)
            except ConnectionError:
                is_dropped = True
    while b"mien_live_connections 0.0" not in server.ask("GET", "/metrics")[2]:
        assert time.monotonic() < end_s


def test_who_still_waits_when_the_server_stops_is_told_so(
    serving: Callable[..., Any], photo: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve_server, "_STOP_S", 0.1)
    server = serving()
    inside, go = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        inside.set()
        assert go.wait(30)

    held = [server.engine.submit(hold) for _ in range(3)]  # all threads
    assert inside.wait(30)
    answers: list[Any] = []
    client = threading.Thread(target=lambda: answers.append(server.ask("POST", "/v1/look", photo)))
    client.start()
    end_s = time.monotonic() + 30
    while not server.engine.admitted_now:
        assert time.monotonic() < end_s
    server.server.should_exit = True
    client.join(30)
    go.set()
    for one in held:
        one.result()
    (status, headers, body) = answers[0]
    assert (status, headers["retry-after"]) == (503, "1")
    assert json.loads(body)["detail"] == "This server is stopping; try again in a moment."
    assert "Traceback" not in caplog.text


def test_a_video_at_work_when_the_server_stops_is_no_error(
    serving: Callable[..., Any], photo: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = serving()
    inside, go = threading.Event(), threading.Event()

    def slow(self: FrameSequence, frame: Frame) -> Scene:
        inside.set()
        assert go.wait(30)
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(FrameSequence, "step", slow)
    server.ask("POST", "/v1/look/video", photo)
    assert inside.wait(30)
    closing = threading.Thread(target=server.jobs.close)
    closing.start()
    end_s = time.monotonic() + 30
    while not server.jobs._is_closed:
        assert time.monotonic() < end_s
    go.set()
    closing.join(30)
    assert not server.jobs.folder.exists()
    assert caplog.text == ""


def test_what_pictures_of_clients_are_like_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("mien.pixels.photos")
    with serve_server._quiet_pictures():
        log.warning("the picture holds 5 pictures")
        log.error("an error")
    log.warning("later")
    assert [record.getMessage() for record in caplog.records] == ["an error", "later"]
