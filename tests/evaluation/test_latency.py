from __future__ import annotations

import numpy as np
import pytest

from mien.evaluation.latency import TimedModel, median_times


def test_all_are_asked_in_turn_and_the_median_counts() -> None:
    asked: list[tuple[str, int]] = []
    times = {"a": iter([9, 9, 9, 9, 9, 9, 1, 10, 3, 30, 2, 20]), "b": iter([0.0] * 12)}

    def model(name: str):
        def ask(faces: int) -> float:
            asked.append((name, faces))
            return float(next(times[name]))

        return ask

    steps: list[int] = []
    found = median_times({"a": model("a"), "b": model("b")}, rounds=3, on_step=steps.append)
    assert found == {"a": (2.0, 20.0), "b": (0.0, 0.0)}, "three rounds of warming up do not count"
    assert asked[:4] == [("a", 1), ("a", 32), ("b", 1), ("b", 32)]
    assert asked == asked[:4] * 6
    assert steps == [1, 2, 3]


@pytest.mark.parametrize("count", [1, 40])
def test_a_model_of_the_package_takes_some_time(count: int) -> None:
    faces = np.zeros((count, 30, 40, 3), np.uint8)
    with TimedModel("emotion_residual", faces) as model:
        one, many = model(1), model(32)
    assert 0 < many < 1000
    assert 0 < one < 1000
