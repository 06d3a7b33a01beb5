from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import InputError
from mien.scene import Hand, Scene
from mien.teach import Lesson, Progress, Take
from mien.teach.lesson import COUNTDOWN_S
from mien.teach.takes import ENOUGH

FPS = 10


def scene_of(sample: NDArray[np.float32] | None, index: int, *, shown: int = 1) -> Scene:
    hands = ()
    if sample is not None:
        points = 100 * sample[:21].astype(float) + 200
        box = (*points[:, :2].min(axis=0).tolist(), *points[:, :2].max(axis=0).tolist())
        hands = (
            Hand(box_xyxy=box, detection_score=0.9, side="right", landmarks_xyz=tuple(map(tuple, points.tolist()))),
        ) * shown
    return Scene(source="camera 0", frame=index, time_s=index / FPS, size_hw=(480, 640), hands=hands)


def run(lesson: Lesson, samples: Iterator[NDArray[np.float32] | None]) -> list[Progress]:
    steps = []
    for index, sample in enumerate(samples):
        steps.append(lesson.step(scene_of(sample, index)))
        if steps[-1].done:
            break
    return steps


@pytest.fixture
def hands(bank_take: Callable[..., Take]) -> list[NDArray[np.float32]]:
    return list(bank_take("x", "none", 200).samples)


def test_a_countdown_then_examples_until_there_are_enough(hands: list[NDArray[np.float32]]) -> None:
    lesson = Lesson("比心")
    steps = run(lesson, iter(hands))
    before = round(COUNTDOWN_S * FPS)
    assert [step.caption for step in steps[:before:FPS]] == [f"Get ready to show 比心: {n}" for n in (3, 2, 1)]
    assert all(step.examples == 0 for step in steps[:before])
    assert steps[-1].examples == ENOUGH
    assert steps[-1].share == 1
    take = lesson.take()
    assert (take.label, take.kind) == ("比心", "camera")
    assert len(take.samples) == len(steps) - before  # none of the countdown


def test_of_two_hands_the_largest_is_learned_and_the_user_is_told(hands: list[NDArray[np.float32]]) -> None:
    lesson = Lesson("wave")
    start = round(COUNTDOWN_S * FPS)
    told = [lesson.step(scene_of(hands[i], i, shown=2 if i >= start + 5 else 1)).advice for i in range(start + 10)]
    assert told[start:] == [""] * 5 + ["Show one hand only: of several, the largest is learned."] * 5
    assert len(lesson._examples.samples) == 10  # one of each picture


def test_somebody_who_is_not_seen_or_holds_still_is_told(hands: list[NDArray[np.float32]]) -> None:
    lesson = Lesson("wave", seconds=9)
    away = run(lesson, iter([None] * 45))
    assert "No hand is seen: show wave" in away[-1].advice
    assert away[-1].advice in away[-1].caption
    lesson = Lesson("wave", seconds=9)
    still = run(lesson, iter([hands[0]] * 200))
    assert any("Turn, tilt and move" in step.caption for step in still)
    assert still[-1].done
    with pytest.raises(InputError, match="1 different example"):
        lesson.take()


def test_nobody_there_or_no_picture_at_all(hands: list[NDArray[np.float32]]) -> None:
    lesson = Lesson("wave", seconds=2)
    assert run(lesson, iter([None] * 200))[-1].done
    with pytest.raises(InputError, match="No hand was seen"):
        lesson.take()
    with pytest.raises(InputError, match="no picture"):
        Lesson("wave").take()
