"""A server whose gestures somebody taught: they are named in answers, and on the page by their own names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.artwork.drawings import demo_frame
from mien.pipeline import Options
from mien.pixels.images import encode_image
from mien.teach import Take, teach_takes
from mien.teach.bank import load_bank


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bank = load_bank()
    calls, fists = (bank.samples[bank.labels == shown][:40].copy() for shown in ("call", "punch"))
    calls[:, 1:5] = fists[:, 1:5]
    folder = tmp_path_factory.mktemp("models") / "mine"
    teach_takes([Take("小指", calls, "video", "2026-11-26")], folder)
    return folder


def test_answers_and_the_page_know_it(serving: Callable[..., Any], photo: bytes, mine: Path) -> None:
    running = serving(options=Options(follow=True, gesture_model=str(mine)))
    status, record = running.look("/v1/look?task=gesture", photo)
    assert status == 200
    (hand,) = record["hands"]
    assert hand["label"] == "victory"
    assert "小指" in hand["scores"]
    assert record["models"]["gesture"]["name"] == "mine"
    status, _, body = running.ask("GET", "/v1/models?language=zh")
    assert status == 200
    gesture = json.loads(body)["tasks"]["gesture"]
    (own,) = (label for label in gesture["labels"] if label["name"] == "小指")
    assert own["word"] == "小指"
    status, _, body = running.ask("GET", "/v1/models/mine")
    assert status == 200
    assert "小指" in json.loads(body)["card"]
    with running.live("?task=gesture") as socket:
        socket.send(encode_image(demo_frame(60), ".jpg"))
        answers = [json.loads(socket.recv(timeout=60))]
        while "hands" not in answers[-1]:
            answers.append(json.loads(socket.recv(timeout=60)))
    assert answers[-1]["hands"][0]["label"] == "victory"
