from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mien.outputs.video import VideoWriter
from mien.pixels.images import decode_image
from mien.serve.settings import Limits


@pytest.fixture
def watching(serving: Callable[..., Any], tmp_path: Path, smile: list[Any]) -> Any:
    """A server that shows a video at its own pace."""
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 10.0, (480, 640)) as writer:
        for image_rgb in smile * 5:
            writer.write(image_rgb)
    return serving(watch=str(path), limits=Limits(live=2))


def stream(server: Any, path: str) -> Iterator[bytes]:
    """The lines of an answer without end."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    try:
        assert response.status == 200
        yield response.headers["Content-Type"].encode()
        while line := response.readline():
            yield line
    finally:
        response.close()
        connection.close()


def test_pictures_and_events_for_everybody(watching: Any) -> None:
    assert json.loads(watching.ask("GET", "/v1/models")[2])["watch"] is True
    lines = stream(watching, "/v1/watch/events?frames=true")
    assert next(lines).startswith(b"text/event-stream")
    seen: dict[str, list[Any]] = {}
    while not ({"frame", "change", "sentence"} <= seen.keys()):
        line = next(lines)
        if line.startswith(b"event: "):
            seen.setdefault(line[7:-1].decode(), []).append(json.loads(next(lines)[6:]))
    assert {"faces", "hands", "models", "caption"} <= seen["frame"][0].keys()
    assert seen["change"][0]["kind"] == "start"
    pictures = stream(watching, "/v1/watch.mjpg")
    assert next(pictures).startswith(b"multipart/x-mixed-replace; boundary=mien-frame")
    assert next(pictures) == b"--mien-frame\r\n"
    status, headers, _ = watching.ask("GET", "/v1/watch.mjpg")
    assert (status, headers["retry-after"]) == (503, "1"), "two are watching"
    pictures.close()
    lines.close()
    end_s = time.monotonic() + 60
    while watching.watch._viewers:
        assert time.monotonic() < end_s, "who has left is not served any longer"
        time.sleep(0.05)


def test_an_mjpeg_part_is_a_picture_of_its_stated_length(watching: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", watching.port, timeout=60)
    connection.request("GET", "/v1/watch.mjpg")
    response = connection.getresponse()
    for _ in range(3):
        assert response.readline() == b"--mien-frame\r\n"
        assert response.readline() == b"Content-Type: image/jpeg\r\n"
        length = int(response.readline().split(b":")[1])
        assert response.readline() == b"\r\n"
        assert decode_image(response.read(length), "part").shape == (480, 640, 3)
        assert response.readline() == b"\r\n"
    response.close()
    connection.close()


def test_a_viewer_who_takes_nothing_is_dropped(watching: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.serve.server._Patient.send_s", 0.3)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", watching.port))
        client.sendall(b"GET /v1/watch.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        end_s = time.monotonic() + 60
        while not watching.watch._viewers:
            assert time.monotonic() < end_s
        while watching.watch._viewers:
            assert time.monotonic() < end_s, "it is still served"
            time.sleep(0.05)
    assert watching.ask("GET", "/v1/health")[0] == 200


def test_a_source_that_is_missing_is_said_and_the_rest_works(
    serving: Callable[..., Any], photo: bytes, tmp_path: Path
) -> None:
    from mien.errors import MienError

    with pytest.raises(MienError, match="no such file"):
        serving(watch=str(tmp_path / "none.mp4"))


def test_the_end_of_the_source_is_said(serving: Callable[..., Any], tmp_path: Path, photo: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(photo)
    server = serving(watch=str(tmp_path / "photo.jpg"))
    lines = stream(server, "/v1/watch/events")
    line = b""
    while not line.startswith(b"event: status"):
        line = next(lines)
    assert json.loads(next(lines)[6:])["message"] == "The source has ended."
    lines.close()
    assert server.look("/v1/look", photo)[0] == 200


def test_without_watch_there_is_nothing_to_see(server: Any) -> None:
    assert server.ask("GET", "/v1/watch.mjpg")[0] == 404
    assert json.loads(server.ask("GET", "/v1/models")[2])["watch"] is False
