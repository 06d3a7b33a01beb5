from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from mien.errors import OutputError, UnreadableMedia
from mien.labels import Task
from mien.live import session as live
from mien.live.runner import AnalyzedFrame
from mien.live.session import LiveSession, Outputs
from mien.models.artifact import load_artifact
from mien.outputs.recording import Recording
from mien.pipeline import Analyzer, Options
from mien.scene import Event, Face, Frame, Prediction, Scene
from mien.sources import FakeLiveSource, FakeSource, Fault, Retry, Source
from mien.sources.videos import VideoSource
from mien.stages.classify import EMOTION_MODEL, GESTURE_MODEL
from mien.stages.smooth import SmoothSettings
from mien.voice.responder import Responder
from mien.voice.responses import Responses, Sentence
from mien.voice.voice import RecordingVoice
from mien.window.status import Command, Status

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
Image = NDArray[np.uint8]


def images(count: int, *, size_hw: tuple[int, int] = (48, 64)) -> list[Image]:
    return [np.full((*size_hw, 3), 40 + i % 100, np.uint8) for i in range(count)]


@dataclass
class Seeing:
    """Sees one face in every picture that is not black, which looks as `labels` says by time."""

    labels: Callable[[float], str] = lambda _: "happy"
    tasks: tuple[str, ...] = ("emotion", "gesture")
    thresholds: dict[str, float] = field(default_factory=dict)
    perhaps: dict[str, float | None] = field(default_factory=dict)
    learns_baselines: bool = False
    learned: list[float] = field(default_factory=list)
    options: Options = field(default_factory=Options)
    seconds: float = 0.0
    error_at: int | None = None
    restarts: int = 0

    def restart(self) -> None:
        self.restarts += 1

    def learn_baselines(self, seconds: float) -> None:
        self.learns_baselines = True
        self.learned.append(seconds)

    def step(self, frame: Frame) -> Scene:
        time.sleep(self.seconds)
        if self.error_at is not None and frame.index >= self.error_at:
            raise RuntimeError("the network has a bug")
        faces: tuple[Face, ...] = ()
        if frame.image_rgb.any() and "emotion" in self.tasks:
            label = self.labels(frame.time_s)
            scores = {name: 0.94 if name == label else 0.01 for name in LABELS}
            prediction = Prediction(
                label=label,
                confidence=0.94,
                uncertain=False,
                probabilities=scores,
                baseline=self.learns_baselines and frame.time_s >= 1,
            )
            faces = (Face(box_xyxy=(10, 10, 30, 30), detection_score=0.9, track=1, prediction=prediction),)
        height, width = frame.size_hw
        return Scene(
            source=frame.source,
            frame=frame.index,
            time_s=frame.time_s,
            size_hw=(height, width),
            faces=faces,
            image_rgb=frame.image_rgb,
        )


@dataclass
class Watcher:
    """A display that keeps what it is shown and types keys by plan: after so many calls with a scene, a command."""

    plan: dict[int, Command] = field(default_factory=dict)
    statuses: list[Status] = field(default_factory=list)
    scenes: int = 0

    def show(self, scene: Scene | None, status: Status) -> Sequence[Command]:
        self.statuses.append(status)
        if scene is not None:
            self.scenes += 1
        command = self.plan.pop(self.scenes, None)
        return () if command is None else (command,)


@dataclass
class Kept:
    scenes: list[Scene] = field(default_factory=list)

    def write(self, scene: Scene) -> None:
        self.scenes.append(scene)


def session(source: Source, seeing: Any = None, outputs: Outputs | None = None, **changes: Any) -> LiveSession:
    return LiveSession(source, seeing or Seeing(), outputs or Outputs(), **changes)


def test_a_file_is_looked_at_frame_by_frame_and_told_in_events() -> None:
    kept, events = Kept(), list[Event]()
    source = FakeSource(images(50), fps=25)
    seeing = Seeing(labels=lambda time_s: "happy" if time_s < 1 else "sad")
    ended = session(source, seeing, Outputs(scenes=(kept,), events=(events.append,))).run()
    assert (ended.frames, ended.dropped) == (50, 0)
    assert [scene.frame for scene in kept.scenes] == list(range(50))
    assert [(event.kind, event.label) for event in events] == [("start", "happy"), ("change", "sad"), ("end", "sad")]
    assert seeing.restarts == 1
    assert source.closed
    assert ended.first_s is not None
    assert len(ended.delay_ms) == 50


def test_a_stable_change_is_answered_in_text_and_out_loud() -> None:
    said, voice = [], RecordingVoice()
    outputs = Outputs(responder=Responder(Responses.load()), voice=voice, sentences=(said.append,))
    session(FakeSource(images(60), fps=25), outputs=outputs).run()
    assert [sentence.label for sentence in said] == ["happy"]
    assert voice.said == said
    assert "feel" not in said[0].text


def test_the_caption_and_the_state_are_shown() -> None:
    watcher, voice = Watcher({25: Command.MUTE, 30: Command.GESTURES, 35: Command.BOTH}), RecordingVoice()
    outputs = Outputs(responder=Responder(Responses.load()), voice=voice, display=watcher)
    seeing = Seeing()
    session(FakeLiveSource(images(60), fps=60), seeing, outputs).run()
    assert any(status.caption for status in watcher.statuses)
    assert [watcher.statuses[0].muted, watcher.statuses[-1].muted] == [False, True]
    assert ("gesture",) in {status.tasks for status in watcher.statuses}
    assert seeing.tasks == ("emotion", "gesture")
    assert max(status.fps for status in watcher.statuses) > 10
    assert {"wait", "analysis"} <= set(watcher.statuses[-1].stage_ms)


@pytest.mark.parametrize("leaves", ["label", "face", "task"])
def test_the_caption_leaves_with_its_label(leaves: str) -> None:
    captions: list[tuple[float, str]] = []

    class Notes(Watcher):
        def show(self, scene: Scene | None, status: Status) -> Sequence[Command]:
            if scene is not None:
                captions.append((scene.time_s, status.caption))
                if leaves == "task" and scene.time_s >= 1.0:
                    return (Command.GESTURES,)
            return ()

    gone = np.zeros((48, 64, 3), np.uint8)
    pictures = images(75)
    pictures[15:18] = [gone] * 3  # a face lost for a moment takes nothing with it
    if leaves == "face":
        pictures[25:] = [gone] * 50
    seeing = Seeing(labels=lambda time_s: "happy" if time_s < 1 or leaves != "label" else "neutral")
    outputs = Outputs(responder=Responder(Responses.load()), display=Notes())
    session(FakeSource(pictures, fps=25), seeing, outputs).run()
    shown = [time_s for time_s, caption in captions if caption]
    assert min(shown) < 0.3
    assert all(caption for time_s, caption in captions if min(shown) <= time_s < 1.0)
    assert 1.0 <= max(shown) < 2.0, "six seconds would be the whole clip"


def test_trouble_with_the_voice_is_news_and_a_lost_camera_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(live.time, "monotonic", lambda: now)
    voice = RecordingVoice()
    running = session(FakeSource(images(1)), outputs=Outputs(voice=voice))
    try:
        assert running._status().message == ""
        voice._status = "There is no sound device here; sentences are only shown."
        assert "no sound device" in running._status().message
        now += 5.0
        assert "no sound device" in running._status().message
        now += 2.0
        assert running._status().message == ""
        voice._status = "piper failed"
        assert running._status().message == "piper failed", "other trouble is other news"
        monkeypatch.setattr(type(running._runner._capture._source), "status", "camera lost, trying again in 4 s")
        for _ in range(3):
            assert running._status().message == "camera lost, trying again in 4 s"
            now += 10.0
    finally:
        running.close()


def test_quit_ends_a_source_without_an_end() -> None:
    source = FakeLiveSource(images(4), fps=100, frame_count=10**9)
    started = time.monotonic()
    ended = session(source, outputs=Outputs(display=Watcher({10: Command.QUIT}))).run()
    assert ended.frames >= 5
    assert time.monotonic() - started < 5
    assert session(FakeLiveSource(images(4), fps=100, frame_count=10**9), seconds=0.3).run().frames > 3


@pytest.mark.parametrize("ends", ["seconds", "key"])
def test_nothing_reaches_an_output_after_the_end(ends: str) -> None:
    """The analysis of the frame under way takes longer than the run, as a busy machine's does."""
    kept, events, said, voice = Kept(), list[Event](), list[Sentence](), RecordingVoice()
    looking, go = threading.Event(), threading.Event()

    class Slow(Seeing):
        def step(self, frame: Frame) -> Scene:
            if frame.index == 40:
                looking.set()
                go.wait(5)
            return super().step(frame)

    class Quits(Watcher):
        def show(self, scene: Scene | None, status: Status) -> Sequence[Command]:
            super().show(scene, status)
            return (Command.QUIT,) if ends == "key" and looking.is_set() else ()

    outputs = Outputs(
        scenes=(kept,),
        events=(events.append,),
        sentences=(said.append,),
        voice=voice,
        responder=Responder(Responses.load()),
        display=Quits(),
    )
    seeing = Slow(labels=lambda time_s: "happy" if time_s < 0.8 else "sad")
    running = session(FakeSource(images(80), fps=25), seeing, outputs, seconds=1.0 if ends == "seconds" else None)
    threading.Timer(1.6, go.set).start()
    running.run()
    counts = len(kept.scenes), len(events), len(said), len(voice.said)
    assert go.wait(5)
    time.sleep(0.2)
    assert (len(kept.scenes), len(events), len(said), len(voice.said)) == counts
    assert [scene.frame for scene in kept.scenes] == list(range(40))
    told = [event.kind for event in events]
    assert told == sorted(told, key=["start", "change", "end"].index), "no end without its start"
    assert told.count("end") == 1


def test_a_frame_that_comes_when_the_time_is_over_is_given_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    running = session(FakeSource(images(5), fps=25), outputs=Outputs(scenes=(kept,)), seconds=0.2)
    in_time = running._runner.next

    def late(_: float) -> AnalyzedFrame | None:
        moment = in_time(2.0)
        time.sleep(0.3)
        return moment

    monkeypatch.setattr(running._runner, "next", late)
    assert running.run().frames == 0
    assert kept.scenes == []


def test_a_frame_that_was_looked_at_but_not_given_out_leaves_no_event() -> None:
    """Events follow what outputs were given, whatever the analysis thread has finished meanwhile."""
    events, kept = list[Event](), Kept()

    class Slow:
        def write(self, scene: Scene) -> None:
            kept.write(scene)
            time.sleep(0.02)

    session(
        FakeSource(images(200), fps=5), Seeing(), Outputs(scenes=(Slow(),), events=(events.append,)), seconds=0.3
    ).run()
    (end,) = [event for event in events if event.kind == "end"]
    assert end.time_s == kept.scenes[-1].time_s


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UnreadableMedia("clip.mp4 breaks off")])
def test_what_holds_ends_with_an_interruption_too(error: BaseException) -> None:
    events = list[Event]()

    class Interrupts:
        def write(self, scene: Scene) -> None:
            if scene.frame == 30 and isinstance(error, KeyboardInterrupt):
                raise error

    source = FakeSource(images(40), error=error if isinstance(error, Exception) else None)
    with pytest.raises(type(error)):
        session(source, outputs=Outputs(scenes=(Interrupts(),), events=(events.append,))).run()
    assert [event.kind for event in events] == ["start", "end"]


@pytest.mark.parametrize("first", [("emotion",), ("gesture",), ("emotion", "gesture")])
def test_the_thresholds_are_the_models_whenever_a_task_is_switched_on(first: tuple[Task, ...]) -> None:
    models = {EMOTION_MODEL: load_artifact(EMOTION_MODEL), GESTURE_MODEL: load_artifact(GESTURE_MODEL)}
    watcher = Watcher({1: Command.EMOTIONS, 2: Command.GESTURES, 3: Command.BOTH})
    with Analyzer(Options(tasks=first, threads=1)) as analyzer:
        running = session(FakeSource(images(6), fps=25), analyzer, Outputs(display=watcher))
        settings = running._reactions._smoother.settings
        running.run()
    assert settings.threshold("emotion") == models[EMOTION_MODEL].manifest.threshold
    assert settings.threshold("gesture") == models[GESTURE_MODEL].manifest.threshold
    assert settings.threshold("gesture") != SmoothSettings().gesture_threshold, "else nothing is tested here"
    chosen = Options(tasks=first, gesture_threshold=0.31, emotion_model="emotion_ferplus", threads=1)
    with Analyzer(chosen) as analyzer:
        ferplus = load_artifact("emotion_ferplus").manifest.threshold
        assert analyzer.thresholds == {"emotion": ferplus, "gesture": 0.31}


def test_frames_that_a_live_source_passes_over_are_counted() -> None:
    class Gaps(FakeSource):
        is_live = True

        def __next__(self) -> Frame:
            frame = super().__next__()
            time.sleep(0.02)
            return Frame(frame.image_rgb, 10 * frame.index + 3, frame.time_s, frame.source)

    ended = session(Gaps(images(4))).run()
    assert ended.frames + ended.dropped == 34


def test_a_pause_stands_still_and_goes_on() -> None:
    watcher = Watcher({5: Command.PAUSE, 25: Command.PAUSE})
    ended = session(FakeLiveSource(images(80), fps=100), outputs=Outputs(display=watcher)).run()
    assert any(status.paused for status in watcher.statuses)
    assert not watcher.statuses[-1].paused
    assert ended.frames + ended.dropped == 80


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("break", 20, 1.0), "camera lost"),
        (Fault("stall", 20, 1.5), "camera lost, trying again"),
        (Fault("black", 20, 200), "black"),
    ],
    ids=["unplugged", "stalled", "black"],
)
def test_trouble_with_the_camera_is_shown_and_the_run_goes_on(fault: Fault, said: str) -> None:
    watcher, kept = Watcher(), Kept()
    retry = Retry(pauses_s=(0.1,), stall_s=0.2)
    source = FakeLiveSource(images(8), fps=100, frame_count=260, faults=[fault], retry=retry)
    session(source, outputs=Outputs(display=watcher, scenes=(kept,))).run()
    messages = {status.message for status in watcher.statuses if status.message}
    assert any(said in message for message in messages), messages
    assert kept.scenes[-1].frame > 100
    assert watcher.statuses[-1].message == ""
    times = [scene.time_s for scene in kept.scenes]
    assert times == sorted(times)


def test_pictures_that_change_size_or_come_damaged_are_no_trouble(tmp_path: Path) -> None:
    kept = Kept()
    faults = [Fault("size", 20, size_hw=(96, 128)), Fault("damaged", 30, 3)]
    source = FakeLiveSource(images(60), fps=100, faults=faults)
    recording = Recording(tmp_path / "clip.mp4")
    session(source, outputs=Outputs(scenes=(kept,), recording=recording)).run()
    recording.close()
    assert {scene.size_hw for scene in kept.scenes} == {(48, 64), (96, 128)}
    assert not recording.problem
    assert len(list(VideoSource(recording.path))) >= 5


@pytest.mark.parametrize("where", ["camera", "network", "output"])
def test_a_bug_anywhere_ends_the_run_within_two_seconds_as_it_is(where: str) -> None:
    class Broken:
        def write(self, scene: Scene) -> None:
            if scene.frame > 10:
                raise RuntimeError("the output has a bug")

    faults = [Fault("error", 20)] if where == "camera" else []
    source = FakeLiveSource(images(8), fps=100, frame_count=10**9, faults=faults)
    seeing = Seeing(error_at=20 if where == "network" else None)
    outputs = Outputs(scenes=(Broken(),) if where == "output" else ())
    started = time.monotonic()
    with pytest.raises(RuntimeError, match=f"{where} has a bug"):
        session(source, seeing, outputs).run()
    assert time.monotonic() - started < 2.5
    assert not [thread.name for thread in threading.enumerate() if thread.name == "mien-analysis"]


def test_each_file_of_a_folder_has_its_own_tracks_and_events() -> None:
    class Two(FakeSource):
        def __next__(self) -> Frame:
            frame = super().__next__()
            return Frame(frame.image_rgb, frame.index, frame.time_s, "a" if frame.index < 30 else "b")

    seeing, events = Seeing(), list[Event]()
    session(Two(images(60), fps=25), seeing, Outputs(events=(events.append,))).run()
    assert [event.kind for event in events] == ["start", "end", "start", "end"]
    assert seeing.restarts == 2


def test_an_end_in_the_middle_of_a_file_is_told_after_what_came_before() -> None:
    kept = Kept()
    source = FakeSource(images(5), error=UnreadableMedia("clip.mp4 breaks off"))
    with pytest.raises(UnreadableMedia, match="breaks off"):
        session(source, outputs=Outputs(scenes=(kept,))).run()
    assert len(kept.scenes) == 5


def test_slow_analysis_passes_frames_over_and_the_delay_does_not_grow() -> None:
    ended = session(FakeLiveSource(images(8), fps=60, frame_count=120), Seeing(seconds=0.1)).run()
    assert ended.dropped > ended.frames
    assert np.median(ended.delay_ms[-5:]) < 250


def test_keys_save_a_picture_and_a_video(tmp_path: Path) -> None:
    watcher = Watcher({10: Command.SNAPSHOT, 20: Command.RECORD, 60: Command.RECORD, 70: Command.SNAPSHOT})
    source = FakeLiveSource(images(8), fps=60, frame_count=100)
    session(source, outputs=Outputs(display=watcher), snapshots=tmp_path).run()
    assert len(list(tmp_path.glob("mien-*.png"))) == 2
    (clip,) = tmp_path.glob("mien-*.mp4")
    assert len(list(VideoSource(clip))) >= 3
    assert any(status.recording and status.recording_to == clip.name for status in watcher.statuses)
    assert not watcher.statuses[-1].recording
    assert any(status.message.startswith("Saved ") for status in watcher.statuses)


def test_a_video_plays_at_the_speed_of_the_run(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "clip.mp4", fps=10)
    session(FakeSource(images(75), fps=25), outputs=Outputs(recording=recording)).run()
    recording.close()
    assert len(list(VideoSource(recording.path))) == 30  # 3 seconds


def test_a_full_disk_ends_the_recording_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.outputs import recording as module

    written = module.VideoWriter.write

    def filling(self: Any, image_rgb: Image, time_s: float | None = None) -> None:
        if self.frames >= 6:
            raise OutputError("Cannot write clip.mp4: the disk is full; free some space or name another folder.")
        written(self, image_rgb, time_s)

    monkeypatch.setattr(module.VideoWriter, "write", filling)
    recording, watcher = Recording(tmp_path / "clip.mp4"), Watcher()
    source = FakeLiveSource(images(8), fps=60, frame_count=90)
    ended = session(source, outputs=Outputs(recording=recording, display=watcher)).run()
    recording.close()
    assert ended.frames + ended.dropped == 90
    assert "disk is full" in recording.problem
    assert any("disk is full" in status.message for status in watcher.statuses)
    assert len(list(VideoSource(tmp_path / "clip.mp4"))) == 6


def test_a_hanging_camera_does_not_keep_the_session_open() -> None:
    class Hanging(FakeSource):
        is_live = True

        def __next__(self) -> Frame:
            time.sleep(30)
            raise StopIteration

    started = time.monotonic()
    assert session(Hanging(images(1)), outputs=Outputs(display=Watcher()), seconds=0.2).run().frames == 0
    assert time.monotonic() - started < 3


@pytest.mark.slow
def test_ten_thousand_frames_leave_the_memory_flat() -> None:
    def run(count: int) -> None:
        outputs = Outputs(
            responder=Responder(Responses.load()),
            voice=RecordingVoice(),
            display=Watcher() if count < 0 else None,
        )
        seeing = Seeing(labels=lambda time_s: LABELS[int(time_s) % 7])
        assert session(FakeSource(images(16) * (count // 16), fps=30), seeing, outputs).run().frames == count

    process = psutil.Process()
    run(1_600)
    gc.collect()
    before = process.memory_info().rss
    run(10_000)
    gc.collect()
    assert process.memory_info().rss - before < 30 * 2**20


def test_a_key_learns_neutral_faces_and_the_window_says_so() -> None:
    watcher, kept, seeing = Watcher({5: Command.NEUTRAL}), Kept(), Seeing()
    session(FakeSource(images(60), fps=25), seeing, Outputs(scenes=(kept,), display=watcher)).run()
    assert seeing.learned == [5.0]
    messages = [status.message for status in watcher.statuses]
    asked, learned = "Learning neutral faces: look calm for 5 s", "The neutral face of person 1 is learned"
    assert asked in messages
    assert learned in messages
    assert messages.index(asked) < messages.index(learned)
    assert [scene.faces[0].prediction.baseline for scene in kept.scenes if scene.faces[0].prediction][-1]


def test_a_neutral_face_is_told_once_it_is_known_and_not_for_pictures_of_before() -> None:
    """Key n, twice: pictures that were analysed before it still know what was learned the first time."""
    seeing = Seeing()
    told = session(FakeSource(images(1), fps=25), seeing)

    def messages(*times_s: float) -> list[str]:
        said = []
        for time_s in times_s:
            told._check_learned(seeing.step(Frame(np.full((48, 64, 3), 90, np.uint8), index=0, time_s=time_s)))
            said.append(told._message)
        return said

    asked, learned = "Learning neutral faces: look calm for 5 s", "The neutral face of person 1 is learned"
    for _ in range(2):
        told._learn()
        first = messages(2.0, 2.0, 0.0, 0.5)  # two of before, then two in which it is not known yet
        assert all(message.startswith(asked) for message in first)
        assert messages(1.0)[0].startswith(learned)
        told._say("")
        assert messages(1.1, 1.2) == ["", ""], "said once"
