from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest

from mien.artwork.drawings import demo_frame
from mien.errors import UnknownName
from mien.pipeline import Options
from mien.pixels.images import encode_image
from mien.serve.engine import Engine, Models


def look(models: Models) -> str | None:
    return models.analyzer.look(encode_image(demo_frame(60), ".jpg")).faces[0].label


def test_idle_models_are_released_and_come_back() -> None:
    now = [0.0]
    with Engine(Options(follow=True), idle_s=60.0, clock=lambda: now[0]) as engine:
        assert engine.submit(look).result() == "happy"
        loaded = psutil.Process().memory_info().rss
        now[0] = 59.0
        assert not engine.rest()
        assert engine.is_loaded
        assert engine.submit(look).result() == "happy", "work puts it off"
        now[0] = 118.0
        assert not engine.rest()
        now[0] = 119.0
        assert engine.rest()
        assert not engine.is_loaded
        assert not engine.rest(), "once"
        assert psutil.Process().memory_info().rss < loaded - 10e6, "memory is given back"
        assert engine.submit(look).result() == "happy"
        assert engine.is_loaded


def test_models_at_work_are_not_released() -> None:
    now = [0.0]
    with Engine(Options(), idle_s=1.0, clock=lambda: now[0]) as engine:

        def work(_: Models) -> bool:
            now[0] += 100.0
            return engine.rest()

        assert engine.submit(work).result() is False
        assert engine.is_loaded


def test_without_idle_they_stay() -> None:
    now = [0.0]
    with Engine(Options(), clock=lambda: now[0]) as engine:
        engine.load()
        now[0] = 1e9
        assert not engine.rest()


def test_a_wrong_model_is_said_at_the_start() -> None:
    with Engine(Options(emotion_model="emotion_residul")) as engine, pytest.raises(UnknownName, match="Did you mean"):
        engine.load()


def test_a_connection_outlives_the_models(serving: Callable[..., Any], photo: bytes) -> None:
    server = serving(idle_s=0.0)
    with server.live() as live:
        live.send(photo)
        live.recv(timeout=60)
        assert server.engine.rest()
        assert b'"models_loaded":false' in server.ask("GET", "/v1/health")[2]
        live.send(photo)
        assert '"label": "happy"' in live.recv(timeout=60)


def test_the_memory_of_large_pictures_is_given_back(
    serving: Callable[..., Any], photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[None] = []
    monkeypatch.setattr("mien.serve.engine._return_memory", lambda: given.append(None))
    server = serving()
    server.look("/v1/look", photo)
    server.engine.tidy()
    assert given == [], "small ones are stored where earlier ones were"
    large = encode_image(np.full((2400, 2400, 3), 90, np.uint8), ".png")
    for ask in ("/v1/look", "/v1/classify/emotion"):
        server.look(ask, large)
        server.engine.tidy()
        server.engine.tidy()
        assert given == [None], "once"
        given.clear()
    with server.live() as live:
        live.send(large)
        live.recv(timeout=60)
    server.engine.tidy()
    assert given == [None]
