from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
