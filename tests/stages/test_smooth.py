from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mien.labels import EMOTIONS, EMOTIONS_6, GESTURES, LabelSet
from mien.scene import Event, Face, Hand, Prediction, Scene, UsedModel
from mien.stages.smooth import Smoother, SmoothSettings

SETTINGS = SmoothSettings(average_s=0.2, hold_s=0.2, lost_s=1.0, slack=0.2)
LANDMARKS = tuple((1.0, 2.0, 3.0) for _ in range(21))


def prediction(label: str, confidence: float = 0.9, labels: LabelSet = EMOTIONS, threshold: float = 0.5) -> Prediction:
    """The rest of the probability goes to the other labels in equal shares."""
    rest = (1 - confidence) / (len(labels) - 1)
    scores = {name: confidence if name == label else rest for name in labels.labels}
    return Prediction(label=label, confidence=confidence, uncertain=confidence < threshold, probabilities=scores)


def pair(first: str, share: float, second: str) -> Prediction:
    """A reading of two labels that share all the probability."""
    scores = {name: {first: share, second: 1 - share}.get(name, 0.0) for name in EMOTIONS.labels}
    best = max(scores, key=lambda name: scores[name])
    return Prediction(label=best, confidence=scores[best], uncertain=scores[best] < 0.5, probabilities=scores)


def scene(
    time_s: float, faces: Mapping[int, Prediction] | None = None, hands: Mapping[int, str] | None = None
) -> Scene:
    box = (0.0, 0.0, 10.0, 10.0)
    return Scene(
        source="clip.mp4",
        frame=0,
        time_s=time_s,
        size_hw=(48, 64),
        faces=tuple(Face(box_xyxy=box, detection_score=0.9, track=t, prediction=r) for t, r in (faces or {}).items()),
        hands=tuple(
            Hand(
                box_xyxy=box,
                detection_score=0.9,
                track=t,
                side="left",
                landmarks_xyz=LANDMARKS,
                prediction=prediction(name, labels=GESTURES),
            )
            for t, name in (hands or {}).items()
        ),
    )


def test_perhaps_is_a_grade_with_a_slack_of_its_own_and_no_event() -> None:
    settings = replace(SETTINGS, average_s=0.0, emotion_threshold=0.8, emotion_perhaps=0.5)
    shares = [0.62, 0.55, 0.47, 0.40, 0.47, 0.55, 0.9]
    grades, events = [], []
    smoother = Smoother(settings)
    for i, share in enumerate(shares):
        seen, told = smoother.update(scene(i / 2, {1: prediction("sad", share, threshold=0.8)}))
        grades.append((seen.faces[0].label, seen.faces[0].grade))
        events += told
    wanted = ["perhaps", "perhaps", "perhaps", "unclear", "unclear", "perhaps", "perhaps"]
    assert grades == [("sad", grade) for grade in wanted]
    assert not events, "only what is sure is told, and it has not held yet"
    seen, told = smoother.update(scene(4.0, {1: prediction("sad", 0.9, threshold=0.8)}))
    assert seen.faces[0].grade == "sure"
    assert [(event.kind, event.label) for event in told] == [("start", "sad")]


def test_without_that_grade_what_is_uncertain_is_unclear() -> None:
    smoother = Smoother(replace(SETTINGS, average_s=0.0, emotion_threshold=0.8))
    seen, _ = smoother.update(scene(0.0, {1: prediction("sad", 0.79, threshold=0.8)}))
    assert seen.faces[0].grade == "unclear"
    with pytest.raises(ValueError, match=r"emotion_perhaps must lie between 0 and the threshold of 0\.5, got 0\.6"):
        SmoothSettings(emotion_perhaps=0.6)


def test_a_baseline_is_still_told_after_smoothing() -> None:
    smoother = Smoother(SETTINGS)
    own = replace(prediction("sad"), baseline=True)
    for i, each in enumerate((prediction("sad"), own)):
        seen, _ = smoother.update(scene(i / 10, {1: each}))
        assert seen.faces[0].prediction is not None
        assert seen.faces[0].prediction.baseline is (i == 1)


def run(
    scenes: Iterable[Scene], settings: SmoothSettings = SETTINGS, *, finish: bool = True
) -> tuple[list[Scene], list[Event]]:
    smoother = Smoother(settings)
    out, events = [], []
    for one in scenes:
        smoothed, told = smoother.update(one)
        out.append(smoothed)
        events.extend(told)
    return out, [*events, *(smoother.finish() if finish else ())]


def shown(scenes: Sequence[Scene]) -> list[str | None]:
    return [None if face.uncertain else face.label for one in scenes for face in one.faces]


def told(events: Iterable[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.label) for event in events]


def steps(times: Iterable[float], label_at: Mapping[float, str], confidence: float = 0.9) -> list[Scene]:
    """Scenes of one face whose label changes at some times."""
    return [
        scene(
            t,
            {1: prediction(next(name for start, name in reversed(label_at.items()) if t >= start - 1e-9), confidence)},
        )
        for t in times
    ]


def clock(fps: float, until_s: float, start_s: float = 0.0) -> list[float]:
    return [start_s + k / fps for k in range(round(until_s * fps))]


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0, 120.0])
@pytest.mark.parametrize("settings", [SETTINGS, SmoothSettings()], ids=["set", "default"])
def test_a_constant_face_starts_once_and_changes_nothing(fps: float, settings: SmoothSettings) -> None:
    scenes = steps(clock(fps, 4), {0.0: "happy"})
    out, events = run(scenes, settings)
    for before, after in zip(scenes, out, strict=True):
        assert (after.faces[0].label, after.faces[0].uncertain) == ("happy", False)
        assert after.faces[0].probabilities == pytest.approx(before.faces[0].probabilities)
    assert told(events) == [("start", "happy"), ("end", "happy")]
    assert settings.hold_s <= events[0].time_s <= settings.hold_s + 1 / fps + 1e-9


@pytest.mark.parametrize("fps", [10.0, 15.0, 25.0, 30.0, 60.0])
@pytest.mark.parametrize("gesture", ["palm", "thumb_up", "point"])
def test_two_quick_looks_of_a_hand_passing_by_say_nothing(fps: float, gesture: str) -> None:
    """A hand that swings past the camera twice is seen for a tenth of a second each time, with or without its track."""
    for second in (1, 2):
        looks = [(0.5, 1), (1.1, second)]
        scenes = [
            scene(t, hands={track: gesture for start, track in looks if start <= t < start + 0.1})
            for t in clock(fps, 3)
        ]
        assert sum(bool(one.hands) for one in scenes) >= 2
        assert told(run(scenes, SmoothSettings())[1]) == []


def test_a_gesture_that_is_held_is_told_with_its_duration() -> None:
    scenes = [scene(t, hands={1: "palm" if 1.0 <= t < 2.5 else "none"}) for t in clock(30, 4)]
    _, events = run(scenes, SmoothSettings())
    assert told(events) == [("start", "palm"), ("end", "palm")]
    assert events[0].time_s == pytest.approx(1.0, abs=0.5)
    assert events[1].duration_s == pytest.approx(events[1].time_s - events[0].time_s)
    assert events[1].duration_s == pytest.approx(1.5, abs=0.3)


def test_the_first_frame_is_taken_as_it_is() -> None:
    first = scene(3.0, {1: prediction("sad", 0.8)}, {1: "victory"})
    (out,), events = run([first], finish=False)
    assert out == first
    assert events == []


def test_only_readings_change() -> None:
    given = [scene(t, {1: prediction(name)}) for t, name in ((0.0, "happy"), (0.05, "sad"))]
    _, after = run(given)[0]
    face = after.faces[0]
    assert face.probabilities != given[1].faces[0].probabilities
    assert replace(face, prediction=None) == replace(given[1].faces[0], prediction=None)
    assert replace(after, faces=()) == replace(given[1], faces=())


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("confidence", [0.7, 0.9, 0.99])
def test_a_true_change_is_shown_and_told_once_and_soon(fps: float, confidence: float) -> None:
    out, events = run(steps(clock(fps, 8), {0.0: "neutral", 4.0: "happy"}, confidence), SmoothSettings())
    assert told(events) == [("start", "neutral"), ("change", "happy"), ("end", "happy")]
    assert 4.0 < events[1].time_s <= 4.6
    at = [one.time_s for one, label in zip(out, shown(out), strict=True) if label == "happy"]
    assert at[0] == events[1].time_s
    assert len(at) == sum(one.time_s >= at[0] for one in out)


def test_the_rate_of_frames_makes_no_difference() -> None:
    label_at = {0.0: "neutral", 2.0: "happy", 2.1: "neutral", 4.0: "surprise", 6.0: "angry"}
    slow, slow_events = run(steps(clock(10, 8), label_at))
    fast, fast_events = run(steps(clock(30, 8), label_at))
    assert told(slow_events) == told(fast_events)
    for a, b in zip(slow_events, fast_events, strict=True):
        assert abs(a.time_s - b.time_s) < 0.15
    at_both = {round(one.time_s, 6): one for one in fast}
    for one in slow:
        other = at_both[round(one.time_s, 6)]
        assert abs(one.faces[0].probabilities["surprise"] - other.faces[0].probabilities["surprise"]) < 0.25


def turns(labels: Sequence[str | None]) -> int:
    return sum(a != b for a, b in pairwise(labels))


@pytest.mark.parametrize("fps", [10.0, 30.0])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.02, 0.1, 0.2])
def test_noise_around_the_threshold_does_not_flicker(fps: float, seed: int, noise: float) -> None:
    random = np.random.default_rng(seed)
    values = np.clip(0.5 + random.normal(0, noise, round(20 * fps)), 0.16, 1)
    scenes = [scene(k / fps, {1: prediction("happy", float(value))}) for k, value in enumerate(values)]
    out, events = run(scenes, SmoothSettings())
    assert turns(shown(scenes)) > 80
    if noise < 0.2:
        assert turns(shown(out)) <= 1
        assert told(events) in ([], [("start", "happy"), ("end", "happy")])
    else:
        assert turns(shown(out)) <= turns(shown(scenes)) / 10


@pytest.mark.parametrize(("noise", "most"), [(0.05, 0), (0.1, 0), (0.15, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_two_labels_in_balance_do_not_take_turns(seed: int, noise: float, most: int) -> None:
    random = np.random.default_rng(seed)
    shares = np.clip(0.5 + random.normal(0, noise, 600), 0, 1).tolist()
    scenes = [scene(k / 30, {1: pair("happy", share, "surprise")}) for k, share in enumerate(shares)]
    _, events = run(scenes, SmoothSettings())
    assert turns(shown(scenes)) > 200
    assert [event.kind for event in events if event.kind != "change"] == ["start", "end"]
    assert len(events) - 2 <= most


@pytest.mark.parametrize("turn_s", [0.05, 0.1, 0.15])
@pytest.mark.parametrize("average_s", [0.0, 0.2])
def test_labels_that_alternate_faster_than_the_hold_are_no_events(turn_s: float, average_s: float) -> None:
    settings = replace(SETTINGS, average_s=average_s)
    scenes = [
        scene(t, {1: pair("happy", float(int(t / turn_s + 1e-6) % 2), "angry")}, {2: "none"}) for t in clock(60, 6)
    ]
    _, events = run(scenes, settings)
    if average_s == 0:
        assert events == []
    else:
        assert [event.kind for event in events] in ([], ["start", "end"])


def test_a_blink_is_not_a_change() -> None:
    label_at = {0.0: "happy", 2.0: "sad", 2.1: "happy"}
    out, events = run(steps(clock(30, 4), label_at))
    assert told(events) == [("start", "happy"), ("end", "happy")]
    assert set(shown(out)) == {"happy"}


@pytest.mark.parametrize("seed", range(4))
def test_probabilities_stay_probabilities(seed: int) -> None:
    random = np.random.default_rng(seed)
    time_s, scenes = 0.0, []
    for _ in range(300):
        time_s += float(random.choice([0.0, 0.001, 0.04, 0.9, -0.3]))
        scores = random.dirichlet(np.full(len(EMOTIONS), 0.1))
        best = int(scores.argmax())
        one = Prediction(
            label=EMOTIONS.labels[best],
            confidence=min(1.0, float(scores[best])),
            uncertain=False,
            probabilities=dict(zip(EMOTIONS.labels, np.clip(scores, 0, 1).tolist(), strict=True)),
        )
        scenes.append(scene(time_s, {1: one}))
    for one in run(scenes)[0]:
        after = one.faces[0].prediction
        assert after is not None
        assert tuple(after.probabilities) == EMOTIONS.labels
        assert sum(after.probabilities.values()) == pytest.approx(1, abs=1e-9)
        assert after.confidence == after.probabilities[after.label]
        if after.uncertain:
            assert after.confidence == max(after.probabilities.values())


def test_the_average_has_the_time_constant_that_was_asked_for() -> None:
    settings = replace(SETTINGS, average_s=0.4)
    scenes = [*steps(clock(50, 4), {0.0: "neutral"}, 1.0), *steps(clock(50, 1, 4.0), {0.0: "happy"}, 1.0)]
    out, _ = run(scenes, settings)
    at = {round(one.time_s, 6): one.faces[0].probabilities["happy"] for one in out}
    assert at[4.38] == pytest.approx(1 - math.exp(-0.4 / 0.4), abs=1e-3)
    assert at[3.98] == 0


@pytest.mark.parametrize("fps", [10.0, 30.0])
def test_a_first_frame_that_errs_is_soon_outvoted(fps: float) -> None:
    out, events = run(steps(clock(fps, 2), {0.0: "angry", 0.9 / fps: "happy"}))
    assert shown(out)[4:] == ["happy"] * (len(out) - 4)
    assert told(events) == [("start", "happy"), ("end", "happy")]


def test_no_average_and_no_hold_give_each_frame_as_it_is() -> None:
    settings = SmoothSettings(average_s=0, hold_s=0, slack=0)
    scenes = [scene(k / 30, {1: prediction(EMOTIONS.labels[k % 7])}) for k in range(30)]
    out, events = run(scenes, settings)
    assert out == scenes
    assert len(events) == 31


def test_a_weak_label_is_uncertain_and_no_event() -> None:
    out, events = run(steps(clock(30, 2), {0.0: "happy"}, 0.4))
    assert set(shown(out)) == {None}
    assert {face.label for one in out for face in one.faces} == {"happy"}
    assert events == []


def test_thresholds_belong_to_their_task() -> None:
    settings = SmoothSettings(emotion_threshold=0.95, gesture_threshold=0.5)
    _, events = run([scene(t, {1: prediction("happy")}, {1: "punch"}) for t in clock(30, 1)], settings)
    assert [(event.task, event.label) for event in events] == [("gesture", "punch")] * 2


def test_records_name_the_model_with_the_threshold_that_decided() -> None:
    model = UsedModel(name="mine", version="2", threshold=0.1, sha256="ab" * 6, detector="finder 1")
    settings = SmoothSettings(emotion_threshold=0.6, gesture_threshold=0.7)
    models = {"emotion": model, "gesture": replace(model, name="hands")}
    scenes = [replace(scene(t, {1: prediction("happy")}, {1: "punch"}), models=models) for t in clock(30, 1)]
    smoothed, events = run(scenes, settings)
    used = {"emotion": replace(model, threshold=0.6), "gesture": replace(model, name="hands", threshold=0.7)}
    assert all(one.models == used for one in smoothed)
    assert {(event.task, event.kind, event.model) for event in events} == {
        (task, kind, used[task]) for task in used for kind in ("start", "end")
    }


def test_a_label_that_sinks_ends_and_is_uncertain() -> None:
    scenes = [*steps(clock(30, 2), {0.0: "happy"}), *steps(clock(30, 2, 2.0), {0.0: "happy"}, 0.2)]
    out, events = run(scenes, finish=False)
    assert told(events) == [("start", "happy"), ("end", "happy")]
    assert 2.0 < events[1].time_s < 2.7
    assert shown(out)[-1] is None


def test_no_gesture_is_shown_but_never_told() -> None:
    names = [(0.0, "none"), (2.0, "victory"), (4.0, "none"), (6.0, "punch"), (8.0, "loser")]
    scenes = [scene(t, hands={1: next(name for start, name in reversed(names) if t >= start)}) for t in clock(30, 10)]
    out, events = run(scenes)
    assert told(events) == [
        ("start", "victory"),
        ("end", "victory"),
        ("start", "punch"),
        ("change", "loser"),
        ("end", "loser"),
    ]
    last = [one.hands[0] for one in out if one.time_s == 5.0]
    assert [(hand.label, hand.uncertain) for hand in last] == [("none", False)]


def test_durations_add_up() -> None:
    label_at = {0.0: "neutral", 2.0: "happy", 3.0: "surprise", 5.0: "neutral", 9.0: "angry"}
    _, events = run(steps(clock(25, 11), label_at))
    assert [event.kind for event in events] == ["start", "change", "change", "change", "change", "end"]
    assert sum(event.duration_s for event in events) == pytest.approx(events[-1].time_s - events[0].time_s)
    for before, after in pairwise(events):
        assert after.duration_s == pytest.approx(after.time_s - before.time_s)
    assert events[0].duration_s == 0


def test_tracks_and_tasks_are_independent() -> None:
    alone, alone_events = run(steps(clock(30, 6), {0.0: "neutral", 2.0: "happy", 4.0: "sad"}))
    both = [
        scene(one.time_s, {1: one.faces[0].prediction, 7: prediction("angry" if k % 50 < 25 else "fear")}, {1: "super"})
        for k, one in enumerate(steps(clock(30, 6), {0.0: "neutral", 2.0: "happy", 4.0: "sad"}))
        if one.faces[0].prediction
    ]
    together, events = run(both)
    assert [one.faces[0] for one in together] == [one.faces[0] for one in alone]
    mine = [event for event in events if event.track == 1 and event.task == "emotion"]
    assert mine == alone_events
    assert told(event for event in events if event.task == "gesture") == [("start", "super"), ("end", "super")]
    assert {event.track for event in events if event.task == "emotion"} == {1, 7}


@pytest.mark.parametrize(("gap_s", "ends"), [(0.3, False), (0.95, False), (1.2, True), (7200.0, True)])
def test_a_gap(gap_s: float, ends: bool) -> None:
    before, after = clock(30, 2), clock(30, 2, 2.0 + gap_s)
    empty = [scene(t) for t in clock(30, min(gap_s, 5), 2.0)]
    _, events = run([*steps(before, {0.0: "happy"}), *empty, *steps(after, {0.0: "happy"})])
    once = [("start", "happy"), ("end", "happy")]
    assert told(events) == (once * 2 if ends else once)
    if ends:
        assert events[1].time_s == before[-1], "it ends when it was last seen"
        assert events[1].duration_s == pytest.approx(before[-1] - events[0].time_s)


def test_a_lost_track_ends_although_nothing_is_seen_any_more() -> None:
    smoother = Smoother(SETTINGS)
    for one in steps(clock(30, 1), {0.0: "happy"}):
        smoother.update(one)
    assert smoother.update(scene(1.9))[1] == ()
    (event,) = smoother.update(scene(2.1))[1]
    assert (event.kind, event.label, event.track) == ("end", "happy", 1)
    assert smoother.update(scene(2.2))[1] == ()
    assert smoother.finish() == ()


def test_time_out_of_sight_does_not_count_as_holding() -> None:
    seen = [0.0, 0.03, 0.06]
    unseen = [0.09 + 0.03 * k for k in range(25)]
    again = [0.84, 0.87]
    _, events = run(
        [*steps(seen, {0.0: "happy"}), *(scene(t) for t in unseen), *steps(again, {0.0: "happy"})], finish=False
    )
    assert events == []


@pytest.mark.parametrize("step_s", [0.0, -0.01, -0.9])
def test_times_that_stand_still_or_step_back_a_little_change_nothing(step_s: float) -> None:
    times = [*clock(30, 2), *clock(30, 2, 2 - 1 / 30 + step_s)]
    out, events = run(steps(times, {-1e9: "happy"}))
    assert told(events) == [("start", "happy"), ("end", "happy")]
    assert set(shown(out)) == {"happy"}
    assert events[1].duration_s == pytest.approx(4 - 1 / 30 - events[0].time_s - 1 / 30, abs=0.04)


@pytest.mark.parametrize("jump_s", [-2.0, -86400.0, 86400.0])
def test_a_clip_that_starts_over_and_a_clock_that_jumps_end_everything(jump_s: float) -> None:
    times = [*clock(30, 2, 100.0), *clock(30, 2, 102.0 + jump_s)]
    _, events = run(steps(times, {-1e9: "happy"}))
    assert told(events) == [("start", "happy"), ("end", "happy")] * 2
    assert events[1].time_s == times[59]
    assert events[1].duration_s == pytest.approx(times[59] - events[0].time_s)
    assert times[60] < events[2].time_s < times[60] + 0.3


def test_finish_tells_the_ends_once_and_forgets() -> None:
    smoother = Smoother(SETTINGS)
    for one in steps(clock(30, 1), {0.0: "happy"}):
        smoother.update(one)
    assert told(smoother.finish()) == [("end", "happy")]
    assert smoother.finish() == ()
    assert smoother.update(scene(0.0, {1: prediction("sad")}))[0].faces[0].label == "sad"


def test_what_has_no_track_or_no_reading_stays_as_it_is() -> None:
    box = (0.0, 0.0, 10.0, 10.0)
    faces = (
        Face(box_xyxy=box, detection_score=0.9, prediction=prediction("happy")),
        Face(box_xyxy=box, detection_score=0.9, track=4),
    )
    given = [replace(scene(k / 30), faces=faces) for k in range(30)]
    out, events = run(given)
    assert out == given
    assert events == []


def test_another_model_begins_anew() -> None:
    old = [scene(t, {1: prediction("disgust")}) for t in clock(30, 1)]
    new = [scene(t, {1: prediction("sad", labels=EMOTIONS_6)}) for t in clock(30, 1, 1.0)]
    out, events = run([*old, *new])
    assert told(events) == [("start", "disgust"), ("end", "disgust"), ("start", "sad"), ("end", "sad")]
    assert shown(out) == ["disgust"] * 30 + ["sad"] * 30


def test_many_tracks_leave_nothing_behind() -> None:
    smoother = Smoother(SETTINGS)
    for k in range(3000):
        smoother.update(scene(k / 30, {k // 3 + 1: prediction("happy")}))
        assert len(smoother._answers) <= 12


@pytest.mark.parametrize(
    "wrong",
    [{"average_s": -0.1}, {"hold_s": math.nan}, {"lost_s": math.inf}, {"slack": 1.1}, {"emotion_threshold": -0.1}],
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SmoothSettings(**wrong)
