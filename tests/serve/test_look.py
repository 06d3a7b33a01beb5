from __future__ import annotations

import io
import json
import re
import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.artwork.drawings import draw_face, draw_hand
from mien.pipeline import Analyzer, CropReader, Options
from mien.pixels.images import decode_image, encode_image
from mien.serve.settings import Limits


def form(data: bytes, *, field: str = "image", file: bool = True) -> tuple[bytes, dict[str, str]]:
    """A form with one field, and its headers."""
    name = '; filename="../../etc/passwd"' if file else ""
    head = f'--b0\r\nContent-Disposition: form-data; name="{field}"{name}\r\n\r\n'.encode()
    return head + data + b"\r\n--b0--\r\n", {"Content-Type": "multipart/form-data; boundary=b0"}


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def many_passes() -> bytes:
    """A progressive JPEG whose second pass is repeated a thousand times, in a few bytes each; the pixels stay."""
    stored = io.BytesIO()
    Image.new("L", (64, 64), 128).save(stored, "JPEG", progressive=True)
    data = stored.getvalue()
    begins = [found.start() for found in re.finditer(rb"\xff\xda", data)]
    return data[: begins[1]] + data[begins[1] : begins[2]] * 1000 + data[begins[2] :]


def test_the_answer_is_that_of_the_command_line(server: Any, photo: bytes) -> None:
    with Analyzer(Options(follow=True)) as analyzer:
        expected = json.loads(analyzer.look(photo).to_json())
    assert expected["faces"][0]["label"] == "happy"
    assert expected["hands"][0]["label"] == "victory"
    assert server.look("/v1/look", photo) == (200, expected)
    body, headers = form(photo)
    assert server.look("/v1/look", body, headers) == (200, expected), "as a form"
    status, named = server.look("/v1/look?name=../../etc/passwd", photo)
    assert (status, named) == (200, expected | {"source": "../../etc/passwd"}), "a name and nothing more"


@pytest.mark.parametrize("task", ["emotion", "gesture"])
def test_only_what_is_asked_for_is_looked_for(server: Any, photo: bytes, task: str) -> None:
    status, record = server.look(f"/v1/look?task={task}", photo)
    assert status == 200
    assert [bool(record["faces"]), bool(record["hands"])] == [task == "emotion", task == "gesture"]
    assert list(record["models"]) == [task]


@pytest.mark.parametrize(("word", "is_picture"), [("false", False), ("0", False), ("no", False), ("true", True)])
def test_false_is_false(server: Any, photo: bytes, word: str, is_picture: bool) -> None:
    status, headers, body = server.ask("POST", f"/v1/look?annotated={word}", photo)
    assert status == 200
    assert headers["content-type"] == ("image/jpeg" if is_picture else "application/json")
    if is_picture:
        assert decode_image(body, "answer").shape == (480, 640, 3)
        assert np.abs(decode_image(body, "a").astype(int) - decode_image(photo, "b")).max() > 100, "it is marked"


@pytest.mark.parametrize("task", ["emotion", "gesture"])
def test_crops_are_read_as_on_the_command_line(server: Any, task: str) -> None:
    drawn = draw_face("surprise") if task == "emotion" else draw_hand("victory")
    crop = encode_image(np.ascontiguousarray(drawn), ".png")
    with CropReader(task) as reader:  # type: ignore[arg-type]
        expected = {"source": "", **reader.read(crop).to_dict(), "model": reader.model.to_dict()}
    assert server.look(f"/v1/classify/{task}", crop) == (200, json.loads(json.dumps(expected)))


WRONG = [
    ("/v1/look", b"", {}, 400, "The body is empty; send the bytes of a photo"),
    ("/v1/look", b"/etc/passwd", {}, 422, "not a picture of a known kind"),
    ("/v1/look", b"http://127.0.0.1/secret.jpg", {}, 422, "not a picture of a known kind"),
    ("/v1/look", b"/etc/passwd", {"Content-Type": "text/plain"}, 415, "A path or an address is never opened"),
    ("/v1/look", b'{"image": "http://a/b.jpg"}', {"Content-Type": "application/json"}, 415, "got application/json"),
    ("/v1/look", *form(b"/etc/passwd", file=False), 400, "A path or an address is never opened"),
    ("/v1/look", *form(b"", field="photo"), 400, "no file in its field `image`"),
    ("/v1/look", b"--", {"Content-Type": "multipart/form-data"}, 400, "The form cannot be read"),
    ("/v1/look", b"\xff\xd8\xff\xe0" + bytes(50), {}, 422, "Cannot read the picture"),
    ("/v1/look", bomb(10_000, 10_000), {}, 413, "10000 x 10000 pixels; this server takes up to 50 million"),
    ("/v1/classify/emotion", bomb(50_001, 1_000), {}, 413, "takes up to 50 million"),
    ("/v1/look", bomb(20_000, 20_000), {}, 413, "20000 x 20000 pixels; this server takes up to 50 million"),
    ("/v1/look", many_passes(), {}, 422, "this JPEG is damaged (it goes over its pixels more than 200 times"),
    ("/v1/look?task=age", b"x", {}, 422, "There is no task 'age'; available: emotion, gesture."),
    ("/v1/look?annotated=perhaps", b"x", {}, 422, "annotated should be a valid boolean"),
    ("/v1/classify/gender", b"x", {}, 422, "task should be 'emotion' or 'gesture', got 'gender'."),
    ("/v1/nothing", b"x", {}, 404, "There is nothing at /v1/nothing"),
    ("/v1/health", b"x", {}, 405, "/v1/health does not take POST"),
]


@pytest.mark.parametrize(("path", "body", "headers", "expected", "sentence"), WRONG)
def test_what_cannot_be_used_gets_a_sentence(
    server: Any, path: str, body: bytes, headers: dict[str, str], expected: int, sentence: str
) -> None:
    status, answered, answer = server.ask("POST", path, body, headers)
    assert status == expected
    assert answered["content-type"] == "application/problem+json"
    problem = json.loads(answer)
    assert sentence in problem["detail"]
    assert problem["status"] == status
    assert "Traceback" not in problem["detail"]


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_that_is_too_large_is_not_read_to_its_end(server: Any, stated: bool) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        size = f"Content-Length: {21_000_000}" if stated else "Transfer-Encoding: chunked"
        client.sendall(f"POST /v1/look HTTP/1.1\r\nHost: localhost\r\n{size}\r\n\r\n".encode())
        sent = 0
        if not stated:
            piece = b"10000\r\n" + bytes(65_536) + b"\r\n"
            try:
                while sent < 25_000_000:
                    client.sendall(piece)
                    sent += 65_536
            except OSError:  # it has hung up
                pass
        answer = b"".join(iter(lambda: client.recv(4000), b"")).decode()
    assert " 413 " in answer.splitlines()[0]
    assert "larger than 20 MB" in answer
    assert "connection: close" in answer.lower()


def test_a_slow_client_is_told_so(serving: Callable[..., Any], photo: bytes) -> None:
    import socket

    server = serving(limits=Limits(body_s=0.3))
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"POST /v1/look HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + photo[:10])
        answer = b"".join(iter(lambda: client.recv(4000), b"")).decode()
    assert " 408 " in answer.splitlines()[0]
    assert server.look("/v1/look", photo)[0] == 200
    assert server.engine.admitted_now == 0


def test_too_much_at_once_is_told_when_to_come_again(serving: Callable[..., Any], photo: bytes) -> None:
    server = serving(limits=Limits(requests=2))
    go, inside = threading.Event(), threading.Semaphore(0)

    def hold(_: object) -> None:
        inside.release()
        go.wait(30)

    held = [server.engine.submit(hold) for _ in range(3)]  # all threads
    for _ in held:
        assert inside.acquire(timeout=30)
    answers: list[int] = []
    clients = [threading.Thread(target=lambda: answers.append(server.look("/v1/look", photo)[0])) for _ in range(2)]
    for client in clients:
        client.start()
    end_s = time.monotonic() + 30
    while server.engine.admitted_now < 2:
        assert time.monotonic() < end_s
    status, headers, body = server.ask("POST", "/v1/look", photo)
    go.set()
    for client in clients:
        client.join(60)
    assert (status, headers["retry-after"]) == (503, "1")
    assert b"This server is reading 2 pictures already; try again in a moment." in body
    assert answers == [200, 200], "those who were let in are answered"
    assert server.look("/v1/look", photo)[0] == 200


def test_an_error_of_ours_shows_no_traceback(
    serving: Callable[..., Any], photo: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = serving()
    monkeypatch.setattr("mien.serve.look.decode_picture", lambda *_: 1 / 0)
    with caplog.at_level("ERROR"):
        status, _, body = server.ask("POST", "/v1/look", photo)
    assert (status, json.loads(body)["detail"]) == (500, "mien failed here; its log says why.")
    assert "ZeroDivisionError" in caplog.text


def test_the_log_and_the_metrics_hold_no_query(server: Any, photo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        server.look("/v1/look?name=secret-name&token=secret-token", photo)
        end_s = time.monotonic() + 30
        while "POST /v1/look 200" not in caplog.text:  # it is logged after the answer
            assert time.monotonic() < end_s
    _, _, metrics = server.ask("GET", "/metrics")
    assert 'mien_requests_total{method="POST",route="/v1/look",status="200"}' in metrics.decode()
    assert "secret" not in caplog.text + metrics.decode()
