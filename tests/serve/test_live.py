from __future__ import annotations

import asyncio
import gc
import json
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from mien.artwork.drawings import draw_face
from mien.errors import ModelError
from mien.live.reactions import Reactions, smooth_settings
from mien.pipeline import Analyzer, FrameSequence, Options
from mien.pixels.images import decode_image, encode_image
from mien.scene import Frame, Scene
from mien.serve.live import Connection
from mien.serve.metrics import Metrics
from mien.serve.settings import Limits, ServeSettings
from mien.stages.smooth import Smoother

EXTRAS = ("events", "sentence", "caption", "steady", "skipped", "latency_ms")


@pytest.fixture(scope="module")
def clip(smile: list[Any]) -> list[bytes]:
    """A face begins to smile, a hand turns into a V."""
    return [encode_image(image_rgb, ".jpg") for image_rgb in smile[:22]]


def send(socket: Any, picture: bytes, time_s: float | None = None) -> dict[str, Any]:
    """The answer to one picture."""
    if time_s is not None:
        socket.send(json.dumps({"time_s": time_s}))
    socket.send(picture)
    answer: dict[str, Any] = json.loads(socket.recv(timeout=60))
    return answer


def test_answers_are_those_of_a_live_session(server: Any, clip: list[bytes]) -> None:
    with Analyzer(Options(follow=True)) as analyzer:
        sequence = analyzer.sequence()
        reactions = Reactions(Smoother(smooth_settings(sequence)))
        expected, events = [], []
        for i, picture in enumerate(clip):
            frame = Frame(decode_image(picture, "x"), index=i, time_s=i / 10)
            reaction = reactions.take(sequence.step(frame))
            expected.append(json.loads(reaction.scene.to_json()))
            events += [event.to_dict() for event in reaction.events]
    with server.live("?steady=true") as socket:
        answers = [send(socket, picture, i / 10) for i, picture in enumerate(clip)]
    assert [{k: v for k, v in answer.items() if k not in EXTRAS} for answer in answers] == expected
    assert [event for answer in answers for event in answer["events"]] == json.loads(json.dumps(events))
    assert {event["label"] for event in events} >= {"happy", "victory"}
    assert [answer["frame"] for answer in answers] == list(range(len(clip)))
    said = [answer["sentence"] for answer in answers if answer["sentence"]]
    assert said
    assert said[0]["text"] in {answer["caption"] for answer in answers}
    last = answers[-1]
    assert len(last["steady"]["hands"][0]["landmarks"]) == 21
    assert abs(last["steady"]["faces"][0]["box"][0] - last["faces"][0]["box"][0]) < 20
    assert 0 < last["latency_ms"]["look"] <= last["latency_ms"]["total"]
    with pytest.raises(AssertionError):
        assert expected == [e | {"frame": 0} for e in expected], "the comparison can fail"


def test_each_connection_has_its_own_tracks(server: Any, clip: list[bytes], photo: bytes) -> None:
    with server.live() as one, server.live() as two:
        for i in range(4):
            assert send(one, photo, i / 10)["faces"][0]["track"] == 1
        first = send(two, clip[0], 0.0)
        assert [face["track"] for face in first["faces"]] == [1]
        assert first["frame"] == 0
        assert first["faces"][0]["label"] != "happy", "what the other connection shows is not averaged in"
        send(one, photo, 0.5)
        one.send(json.dumps({"restart": True}))
        assert send(one, clip[0], 0.6)["faces"][0]["label"] != "happy", "what was seen before is forgotten"


def test_the_newest_picture_wins(serving: Callable[..., Any], photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serving()
    step, go, looking = FrameSequence.step, threading.Event(), threading.Event()

    def slow(self: FrameSequence, frame: Frame) -> Scene:
        looking.set()
        assert go.wait(30)
        return step(self, frame)

    monkeypatch.setattr(FrameSequence, "step", slow)
    with server.live() as socket:
        socket.send(photo)
        assert looking.wait(30)
        for i in range(9):
            socket.send(json.dumps({"time_s": float(i + 1)}))
            socket.send(photo)
        end_s = time.monotonic() + 30
        while server.metrics.skipped._value.get() < 8:
            assert time.monotonic() < end_s
        go.set()
        first, second = (json.loads(socket.recv(timeout=60)) for _ in range(2))
        assert (first["frame"], first["skipped"]) == (0, 0)
        assert (second["frame"], second["skipped"], second["time_s"]) == (9, 8, 9.0)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.2)


@pytest.fixture(scope="module")
def calm() -> bytes:
    """A face that looks neither happy nor surprised."""
    return encode_image(draw_face("sad", size=480), ".jpg")


def test_neutral_faces_are_learned_when_asked_for(server: Any, calm: bytes) -> None:
    with server.live("?task=emotion") as one, server.live("?task=emotion") as two:
        before = send(one, calm, 0.0)["faces"][0]
        assert "baseline" not in before
        assert before["label"] != "neutral"
        one.send(json.dumps({"baseline_s": 1}))
        answers = [send(one, calm, 0.1 + 0.2 * i)["faces"][0] for i in range(20)]
        assert ["baseline" in face for face in answers] == [False] * 5 + [True] * 15
        assert (answers[-1]["label"], answers[-1]["uncertain"]) == ("neutral", False), "a change from itself"
        assert all("baseline" not in send(two, calm, 0.2 * i)["faces"][0] for i in range(8)), "of the other connection"
        one.send(json.dumps({"baseline_s": 1}))
        assert "baseline" not in send(one, calm, 4.1)["faces"][0], "it starts afresh"
        one.send(json.dumps({"restart": True}))
        again = [send(one, calm, 4.2 + 0.2 * i)["faces"][0] for i in range(7)]
        assert "baseline" not in again[0]
        assert again[-1]["baseline"] is True, "still learned after a restart"


def test_neutral_faces_are_learned_again_after_the_models_were_released(
    serving: Callable[..., Any], calm: bytes
) -> None:
    server = serving(idle_s=0.0)
    with server.live("?task=emotion") as socket:
        socket.send(json.dumps({"baseline_s": 1}))
        assert [send(socket, calm, 0.2 * i)["faces"][0].get("baseline") for i in range(7)] == [None] * 5 + [True] * 2
        end_s = time.monotonic() + 30
        while not server.engine.rest():  # the last answer may still be on its way
            assert time.monotonic() < end_s
        again = [send(socket, calm, 2 + 0.2 * i)["faces"][0].get("baseline") for i in range(7)]
        assert again == [None] * 5 + [True] * 2


def test_a_picture_that_was_passed_over_does_not_take_the_ask_along() -> None:
    settings = ServeSettings()
    socket: Any = None
    connection = Connection(
        socket, socket, settings, Metrics(), tasks=("emotion",), steady=False, responses=settings.responses
    )
    connection._ask('{"baseline_s": 2}')
    connection._take(b"passed over")
    connection._take(b"newest")
    assert connection._waiting is not None
    assert (connection._waiting.data, connection._waiting.baseline_s) == (b"newest", 2.0)
    connection._waiting = None
    connection._take(b"later")
    assert connection._waiting is not None
    assert connection._waiting.baseline_s is None


def test_a_model_that_never_answers_neutral_says_so(server: Any, calm: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: FrameSequence, seconds: float) -> None:
        raise ModelError("A baseline needs a model that can answer neutral; this one answers happy, sad.")

    monkeypatch.setattr(FrameSequence, "learn_baselines", refuse)
    with server.live() as socket:
        socket.send(json.dumps({"baseline_s": 1}))
        problem = send(socket, calm)["problem"]
        assert (problem["status"], "can answer neutral" in problem["detail"]) == (422, True)
        assert send(socket, calm)["faces"], "the connection stays"


def test_tasks_can_be_switched_and_tracks_stay(server: Any, photo: bytes) -> None:
    with server.live("?task=emotion") as socket:
        answer = send(socket, photo)
        assert (len(answer["faces"]), len(answer["hands"])) == (1, 0)
        socket.send(json.dumps({"tasks": ["gesture"], "name": "clip.mp4"}))
        answer = send(socket, photo)
        assert (len(answer["faces"]), len(answer["hands"]), answer["source"]) == (0, 1, "clip.mp4")
        socket.send(json.dumps({"tasks": ["emotion", "gesture"]}))
        assert send(socket, photo)["faces"][0]["track"] == 1


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (b"", "The body is empty"),
        (b"/etc/passwd", "not a picture of a known kind"),
        (b"\xff\xd8\xff\xe0" + bytes(99), "Cannot read the picture"),
        ("http://example.org/a.jpg", "Invalid JSON"),
        ("[]", "pictures are sent as bytes"),
        ('{"tasks": []}', "tasks: "),
        ('{"tasks": ["age"]}', "'emotion' or 'gesture'"),
        ('{"time_s": "1"}', "time_s: "),
        ('{"time_s": -1}', "time_s: "),
        ('{"time_s": NaN}', "pictures are sent as bytes"),
        ('{"restart": "false"}', "restart: "),
        ('{"baseline_s": 0}', "baseline_s: "),
        ('{"baseline_s": 61}', "baseline_s: "),
        ('{"baseline_s": true}', "baseline_s: "),
        ('{"path": "/etc/passwd"}', "path: "),
        ("x" * 5000, "at most 4096 characters"),
    ],
)
def test_a_wrong_message_is_explained_and_the_connection_stays(
    server: Any, photo: bytes, message: Any, sentence: str
) -> None:
    with server.live() as socket:
        socket.send(message)
        problem = json.loads(socket.recv(timeout=60))["problem"]
        assert sentence in problem["detail"]
        assert "Traceback" not in problem["detail"]
        assert send(socket, photo)["faces"]


def test_a_wrong_task_ends_it(server: Any) -> None:
    with server.live("?task=age") as socket:
        assert "There is no task 'age'" in json.loads(socket.recv(timeout=60))["problem"]["detail"]
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)


def test_a_wrong_steady_ends_it(server: Any) -> None:
    with server.live("?steady=maybe") as socket:
        problem = json.loads(socket.recv(timeout=60))["problem"]
        assert (problem["status"], problem["detail"]) == (422, "steady must be true or false, got 'maybe'.")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=60)


def test_too_many_connections_are_refused(serving: Callable[..., Any], photo: bytes) -> None:
    server = serving(limits=Limits(live=1))
    with server.live() as one:
        send(one, photo)
        with server.live() as two:
            problem = json.loads(two.recv(timeout=60))["problem"]
            assert (problem["status"], "1 live connections already" in problem["detail"]) == (503, True)
            with pytest.raises(ConnectionClosed) as caught:
                two.recv(timeout=60)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1013
        assert send(one, photo)["faces"]
    end_s = time.monotonic() + 30
    while server.ask("GET", "/metrics")[2].decode().count("mien_live_connections 0.0") == 0:
        assert time.monotonic() < end_s
    with server.live() as one:
        assert send(one, photo)["faces"]


def test_a_client_who_takes_no_answers_is_dropped(server: Any, photo: bytes) -> None:
    class Stuck:
        """Sends one picture and reads nothing."""

        sent = False

        async def accept(self) -> None: ...

        async def receive(self) -> dict[str, Any]:
            if self.sent:
                await asyncio.Event().wait()
            self.sent = True
            return {"type": "websocket.receive", "bytes": photo}

        async def send_text(self, _: str) -> None:
            await asyncio.Event().wait()

    settings = ServeSettings(limits=Limits(send_s=0.05))
    stuck: Any = Stuck()
    connection = Connection(
        stuck, server.engine, settings, server.metrics, responses=settings.responses, tasks=("emotion",), steady=False
    )
    asyncio.run(asyncio.wait_for(connection.run(), 60))
    assert stuck.sent


def test_two_hundred_connections_opened_and_dropped(server: Any, photo: bytes) -> None:
    before = len(psutil.Process().open_files()), threading.active_count()
    for i in range(200):
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        if i % 4 == 1:
            plain.sendall(b"POST /v1/look HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        elif i % 4 == 2:
            key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            upgrade = b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            plain.sendall(upgrade + key + b"\r\n")
            plain.recv(2000)
        elif i % 4 == 3:
            plain.sendall(b"\x16\x03\x01garbage\r\n\r\n")
        plain.close()
    assert server.look("/v1/look", photo)[0] == 200
    end_s = time.monotonic() + 30
    while server.engine.admitted_now or b"mien_live_connections 0.0" not in server.ask("GET", "/metrics")[2]:
        assert time.monotonic() < end_s, "places are given back"
    assert len(psutil.Process().open_files()) <= before[0] + 1
    assert threading.active_count() <= before[1] + 3


@pytest.mark.slow
def test_ten_thousand_random_messages(server: Any, photo: bytes, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(20)  # noqa: S311
    asks = ['{"tasks": ["emotion"]}', '{"baseline_s": 0.01}', '{"restart": true}', '{"time_s": 1e3}']
    asks += ["{", "null", '{"name": "\\u0000"}', "🙂"]

    def message() -> str | bytes:
        kind = rng.random()
        if kind < 0.4:
            return rng.randbytes(rng.randrange(300))
        if kind < 0.6:  # a picture with a few bytes changed, or cut off
            broken = bytearray(photo[: rng.randrange(1, len(photo))])
            for _ in range(rng.randrange(4)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            return bytes(broken)
        if kind < 0.62:
            return photo
        return rng.choice(asks) if kind < 0.9 else "".join(chr(rng.randrange(32, 0xD000)) for _ in range(99))

    process = psutil.Process()
    answers: list[str] = []
    growth: list[int] = []
    with caplog.at_level("ERROR"), server.live() as live:
        for round_ in range(10):
            for _ in range(1000):
                live.send(message())
                while True:
                    try:
                        answers.append(str(live.recv(timeout=0)))
                    except TimeoutError:
                        break
            send_until_answered(live, photo, answers)
            gc.collect()
            growth.append(process.memory_info().rss)
            assert live.state.name == "OPEN", round_
    assert answers
    statuses = {json.loads(text).get("problem", {}).get("status") for text in answers}
    assert not {500, 501} & statuses, statuses
    assert {422, None} <= statuses
    assert not [text for text in answers if "Traceback" in text]
    assert caplog.text == ""
    assert growth[-1] - growth[1] < 30e6, growth


def send_until_answered(live: Any, photo: bytes, answers: list[str]) -> None:
    """Until a record of a whole picture comes: all before it has been dealt with."""
    live.send(json.dumps({"name": "whole", "tasks": ["emotion"]}))
    live.send(photo)
    end_s = time.monotonic() + 60
    while '"source": "whole"' not in (answers[-1] if answers else ""):
        assert time.monotonic() < end_s
        answers.append(str(live.recv(timeout=60)))
