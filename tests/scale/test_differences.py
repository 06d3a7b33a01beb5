from __future__ import annotations

import json
from typing import Any

import pytest

from mien.pipeline import Options
from mien.scale.differences import differences
from mien.scale.job import Settings
from mien.sources import Selection


def _data(options: dict[str, Any], selection: dict[str, Any]) -> dict[str, Any]:
    made = Settings(options=Options(**options), selection=Selection(**selection))
    data: dict[str, Any] = json.loads(json.dumps(made.to_dict()))
    return data


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"gestures": ("palm",)}, "--gestures: all before, now palm"),
        ({"gestures": ("palm", "fist")}, {"gestures": ("palm",)}, "--gestures: palm,fist before, now palm"),
        ({}, {"tasks": ("emotion",)}, "--task: emotion,gesture before, now emotion"),
        ({"tasks": ("emotion",)}, {}, "--task: emotion before, now emotion,gesture"),
        ({}, {"tiles": True, "detail": "high"}, "--detail: normal before, now high; --tiles: off before, now on"),
        ({"max_pixels": 100}, {"max_pixels": 200}, "--max-pixels: 100 before, now 200"),
        (
            {"emotion_model": "emotion_ferplus"},
            {},
            f"--emotion-model: emotion_ferplus before, now {Options().emotion_model}",
        ),
        ({}, {"emotion_threshold": 0.5}, "emotion threshold: the model's own before, now 0.5"),
        ({}, {}, ""),
    ],
)
def test_options_are_called_as_on_the_command_line(before: dict[str, Any], now: dict[str, Any], told: str) -> None:
    assert sorted(differences(_data(before, {}), _data(now, {})).split("; ")) == told.split("; ")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"fps": 5}, "--fps: not given before, now 5"),
        ({"fps": 2.5}, {"every": 3}, "--every: 1 before, now 3; --fps: 2.5 before, now not given"),
        (
            {},
            {"start_s": 3.0, "end_s": 60.5},
            "--from: the beginning before, now 3 s; --to: the end before, now 60.5 s",
        ),
        ({}, {"keyframes": True}, "--keyframes: off before, now on"),
    ],
)
def test_so_is_which_frames_are_wanted(before: dict[str, Any], now: dict[str, Any], told: str) -> None:
    assert differences(_data({}, before), _data({}, now)) == told


def test_versions_weights_and_pictures_are_told_in_words() -> None:
    now = _data({}, {})
    before = {**now, "mien": "0.0", "weights": {**now["weights"], "gesture": "abc"}, "baseline_sha256": "d"}
    assert differences(before, now) == (
        f"version of mien: 0.0 before, now {now['mien']}; "
        f"weights of the gesture model: abc before, now {now['weights']['gesture']}; "
        "--baseline: another picture before, under the same name"
    )
    del now["options"]["detail"]
    assert differences(now, _data({}, {})) == "--detail: unknown before, now normal"
    assert differences({}, _data({}, {})).startswith("version of mien: not given before")
