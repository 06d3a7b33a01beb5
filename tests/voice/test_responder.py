from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import pytest

from mien.scene import Event, Face, Hand, Scene
from mien.voice.responder import Responder
from mien.voice.responses import Responses, Sentence

Show = Callable[..., Sentence | None]
USUAL = Responses.load()
PLAIN = replace(
    USUAL,
    sentences={
        "emotion": {
            label: tuple(f"{label.title()} {number}" for number in (1, 2, 3)) for label in ("happy", "sad", "angry")
        },
        "gesture": {"victory": ("Victory 1", "Victory 2"), "punch": ("Punch 1",)},
    },
)


def event(label: str, time_s: float, *, kind: Literal["start", "change", "end"] = "start", track: int = 1) -> Event:
    task: Any = "gesture" if label in ("victory", "punch", "none") else "emotion"
    return Event(kind=kind, task=task, track=track, label=label, time_s=time_s)


@pytest.fixture
def at(scene: Callable[..., Scene]) -> Callable[..., Scene]:
    """A scene at a time, with faces and hands."""

    def make(time_s: float, *seen: Face | Hand) -> Scene:
        return replace(scene(0, *seen), time_s=time_s)

    return make


def offered(responder: Responder, at: Callable[..., Scene], *labels_at: tuple[str, float]) -> list[tuple[float, str]]:
    """What is said when labels start at these times and scenes come four times a second, up to a minute."""
    said = []
    for quarter in range(240):
        time_s = quarter / 4
        events = [event(label, when) for label, when in labels_at if when == time_s]
        sentence = responder.offer(events, at(time_s))
        if sentence is not None:
            said.append((time_s, sentence.text))
    return said


def test_nothing_is_said_without_a_change(at: Callable[..., Scene], face: Callable[..., Face]) -> None:
    responder = Responder(PLAIN)
    assert all(responder.offer([], at(time_s, face("happy"))) is None for time_s in range(100))
    assert responder.offer([event("happy", 100, kind="end")], at(100)) is None


def test_a_change_is_answered_at_once(at: Callable[..., Scene]) -> None:
    sentence = Responder(PLAIN).offer([event("sad", 3, kind="change")], at(3))
    assert sentence == Sentence("Sad 1", "sad", "emotion", 3.0, None)


def test_sentences_take_turns(at: Callable[..., Scene]) -> None:
    starts = [("happy", 20.0 * number) for number in range(3)]
    said = offered(Responder(replace(PLAIN, label_cooldown_s=0)), at, *starts)
    assert [text for _, text in said] == ["Happy 1", "Happy 2", "Happy 3"]


def test_the_same_sentence_never_comes_twice_in_a_row(at: Callable[..., Scene], face: Callable[..., Face]) -> None:
    responder = Responder(replace(USUAL, cooldown_s=0, label_cooldown_s=0))
    texts = []
    for number in range(60):
        crowd = [face("happy", track=track + 1) for track in range(number // 10 % 3)]
        sentence = responder.offer([event("happy", number)], at(number, *crowd))
        assert sentence is not None
        texts.append(sentence.text)
    assert all(one != two for one, two in pairwise(texts))
    assert len(set(texts)) == 4


def test_cooldown_between_sentences(at: Callable[..., Scene]) -> None:
    said = offered(Responder(PLAIN), at, ("happy", 0.0), ("sad", 4.0), ("victory", 19.0))
    assert said == [(0.0, "Happy 1"), (10.0, "Sad 1"), (20.0, "Victory 1")]


def test_cooldown_of_a_label(at: Callable[..., Scene]) -> None:
    said = offered(Responder(PLAIN), at, ("happy", 0.0), ("happy", 12.0), ("sad", 13.0))
    assert said == [(0.0, "Happy 1"), (13.0, "Sad 1")], "sad is newer and takes the place of happy"
    said = offered(Responder(PLAIN), at, ("happy", 0.0), ("happy", 12.0))
    assert said == [(0.0, "Happy 1"), (20.0, "Happy 2")]


def test_newest_replaces_the_one_that_waits(at: Callable[..., Scene]) -> None:
    said = offered(Responder(PLAIN), at, ("happy", 0.0), ("sad", 2.0), ("angry", 5.0))
    assert said == [(0.0, "Happy 1"), (10.0, "Angry 1")]


@pytest.mark.parametrize(
    ("priority", "expected"),
    [(("gesture", "emotion"), ["Victory 1", "Happy 1"]), (("emotion", "gesture"), ["Happy 1", "Victory 1"])],
)
def test_priority(at: Callable[..., Scene], priority: Any, expected: list[str]) -> None:
    said = offered(Responder(replace(PLAIN, priority=priority)), at, ("happy", 1.0), ("victory", 1.0))
    assert [text for _, text in said] == expected


def test_what_is_over_is_not_said(at: Callable[..., Scene]) -> None:
    responder = Responder(PLAIN)
    responder.offer([event("happy", 0)], at(0))
    responder.offer([event("sad", 2)], at(2))
    responder.offer([event("sad", 5, kind="end")], at(5))
    assert responder.offer([], at(12)) is None
    responder.offer([event("victory", 12)], at(12))
    responder.offer([event("punch", 13), event("none", 14, kind="change")], at(14))
    assert responder.offer([], at(30)) is None, "a hand that shows something else no longer waits"


def test_the_end_of_another_track_changes_nothing(at: Callable[..., Scene]) -> None:
    responder = Responder(PLAIN)
    responder.offer([event("happy", 0)], at(0))
    responder.offer([event("sad", 2, track=1), event("sad", 2, track=2, kind="end")], at(2))
    sentence = responder.offer([], at(10))
    assert sentence is not None
    assert sentence.label == "sad"


def test_labels_without_sentences_are_passed_over(at: Callable[..., Scene]) -> None:
    responder = Responder(PLAIN)
    assert responder.offer([event("none", 0), event("disgust", 0)], at(0)) is None
    assert responder.offer([event("happy", 1)], at(1)) is not None


def test_several_people_are_counted(at: Callable[..., Scene], face: Callable[..., Face]) -> None:
    rules = replace(PLAIN, sentences={"emotion": {"happy": ("one alone", "{count} together")}, "gesture": {}})
    faces = [face("happy", track=1), face("happy", track=2), face("sad", track=3)]
    sentence = Responder(rules).offer([event("happy", 0)], at(0, *faces))
    assert sentence is not None
    assert sentence.text == "Two together"
    alone = Responder(rules).offer([event("happy", 0)], at(0, faces[0], face("happy", track=2, uncertain=True)))
    assert alone is not None
    assert alone.text == "One alone"


def test_confidence_is_that_of_the_track(at: Callable[..., Scene], face: Callable[..., Face]) -> None:
    rules = replace(PLAIN, sentences={"emotion": {"happy": ("{confidence} sure",)}, "gesture": {}})
    faces = (face("happy", 0.99, track=1), face("happy", 0.71, track=2))
    sentence = Responder(rules).offer([event("happy", 0, track=2)], at(0, *faces))
    assert sentence is not None
    assert sentence.text == "71 % sure"
    assert Responder(rules).offer([event("happy", 0)], at(0)) is None, "no number is made up"


def test_unchanged_sentences_come_with_their_prompt(at: Callable[..., Scene], face: Callable[..., Face]) -> None:
    for faces in ([face("happy")], [face("happy", track=track) for track in (1, 2, 3)]):
        sentence = Responder(USUAL).offer([event("happy", 0)], at(0, *faces))
        assert sentence is not None
        assert sentence.prompt is not None
        assert sentence.prompt.is_file()


def test_time_that_goes_back_keeps_the_cooldown(at: Callable[..., Scene]) -> None:
    responder = Responder(PLAIN)
    assert responder.offer([event("happy", 1000)], at(1000)) is not None
    assert responder.offer([event("sad", 4)], at(4)) is None, "no time has passed that anybody knows of"
    assert responder.offer([], at(13.9)) is None
    assert responder.offer([], at(14)) is not None
    assert responder.offer([event("angry", 9000)], at(9000)) is not None


def test_ten_thousand_offers_leave_no_trace(at: Callable[..., Scene], face: Callable[..., Face]) -> None:
    responder = Responder(USUAL)
    labels = ("happy", "sad", "angry", "neutral", "surprise", "victory", "punch", "none")
    scenes = at(0, face("happy"))

    def offer(start: int, stop: int) -> int:
        said = 0
        for number in range(start, stop):
            label = labels[number % len(labels)]
            news = [event(label, number, kind="change", track=number + 1)] if number % 7 == 0 else []
            said += responder.offer(news, replace(scenes, time_s=number / 2)) is not None
        return said

    offer(0, 2_000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    assert offer(2_000, 12_000) > 100
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 10_000, f"{grown} bytes"


def test_a_voice_by_name_speaks_the_package_sentences_too(at: Callable[..., Scene], face: Callable[..., Face]) -> None:
    for voice, has_prompt in (("", True), ("cmn", False)):
        responder = Responder(replace(Responses.load(), voice=voice))
        sentence = responder.offer([event("happy", 0)], at(0, face("happy")))
        assert sentence is not None
        assert (sentence.prompt is not None) == has_prompt
