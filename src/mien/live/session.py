"""A live session: a source is analysed, smoothed, shown, answered and recorded until it ends or the user quits."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mien.errors import ModelError, OutputError, UnreadableMedia
from mien.labels import TASKS, Task
from mien.live.reactions import Reactions, smooth_settings
from mien.live.runner import AnalyzedFrame, Runner
from mien.outputs.draw import draw_scene
from mien.outputs.recording import RATE_FPS, Recording
from mien.pipeline import Analyzer, FrameSequence
from mien.records.writers import SceneOutput
from mien.resource import Resource
from mien.scene import Event, Frame, Scene
from mien.sources import Source
from mien.stages.baseline import BASELINE_S
from mien.stages.smooth import Smoother
from mien.voice.responder import Responder
from mien.voice.responses import Sentence
from mien.voice.voice import Voice
from mien.window.status import Command, Status, no_face_words
from mien.words import say

POLL_S = 1 / 60
"""How often a window is drawn and its keys are read while no frame arrives."""

_MESSAGE_S = 6.0
_RATE_S = 2.0

_log = logging.getLogger(__name__)


class Display(Protocol):
    """Shows scenes and reports what the user wants, e.g. `mien.window.window.Window`."""

    def show(self, scene: Scene | None, status: Status) -> Sequence[Command]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Where the results of a session go; everything may be empty.

    Args:
        scenes: take every scene.
        events: are called with every event.
        sentences: are called with every sentence that is said.
        display: shows the scenes.
        voice: speaks the sentences.
        responder: chooses the sentences; without it nothing is said.
        recording: of the annotated picture, from the start.
    """

    scenes: tuple[SceneOutput, ...] = ()
    events: tuple[Callable[[Event], object], ...] = ()
    sentences: tuple[Callable[[Sentence], object], ...] = ()
    display: Display | None = None
    voice: Voice | None = None
    responder: Responder | None = None
    recording: Recording | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """How a session went.

    Args:
        frames: number of frames analysed.
        dropped: number of frames skipped, from a live source.
        seconds: how long it ran.
        delay_ms: from capture to output, for up to the last 100,000 frames.
        first_s: from the start to the first result; None if there was none.
    """

    frames: int
    dropped: int
    seconds: float
    delay_ms: tuple[float, ...]
    first_s: float | None


class LiveSession(Resource):
    """Runs until the source ends, the display asks to quit, or `seconds` have passed.

    Args:
        source: closed with the session.
        analyzer: looks at the frames; not closed.
        outputs: where everything goes; not closed, except for a recording started with a key.
        smoother: steadies labels and turns them into events; a default one if missing.
        snapshots: folder for pictures and videos taken with a key.
        record_fps: frames per second, at most, of videos taken with a key.
        notice: what the display says about what happens to the picture; that nothing is stored by default.
        text_scale: of the size of labels on pictures and videos taken with a key.
        no_face: what it says if there is no face; the package's words by default.
        seconds: how long to run at most.
    """

    def __init__(
        self,
        source: Source,
        analyzer: Analyzer | FrameSequence,
        outputs: Outputs,
        *,
        smoother: Smoother | None = None,
        snapshots: Path | None = None,
        record_fps: float = RATE_FPS,
        text_scale: float = 1.0,
        notice: str = "",
        no_face: str = "",
        seconds: float | None = None,
    ) -> None:
        self.outputs = outputs
        self._analyzer = analyzer
        self._reactions = Reactions(smoother or Smoother(smooth_settings(analyzer)), outputs.responder)
        self._snapshots = snapshots or Path()
        self._record_fps, self._text_scale = record_fps, text_scale
        self._notice, self._no_face = notice or say("window.notice"), no_face or no_face_words()
        self._until = None if seconds is None else time.monotonic() + seconds
        self._recording = outputs.recording
        self._own_recording: Recording | None = None
        self._recordings = [] if outputs.recording is None else [outputs.recording]
        self._source_name: str | None = None
        self._scene: Scene | None = None
        self._told_troubles: set[str] = set()
        self._baseline_s = analyzer.options.baseline_s or BASELINE_S
        self._unlearned: set[int] = set()
        self._message, self._message_s = "", 0.0
        self._quit = False
        self._frames = self._dropped = 0
        self._is_live, self._last_frame = source.is_live, -1
        self._arrivals: deque[float] = deque(maxlen=600)
        self._delays: deque[float] = deque(maxlen=100_000)
        self._stage_ms: Mapping[str, float] = {}
        self._first_s: float | None = None
        self._started = time.monotonic()
        analyzer.restart()
        self._runner = Runner(source, self._look)

    @property
    def recording_failed(self) -> bool:
        """Whether a recording ended early because it could not be written; the log says why."""
        return any(recording.problem for recording in self._recordings)

    @property
    def advice(self) -> tuple[str, ...]:
        """What to know about the recordings: a sentence for each that needs one."""
        return tuple(say("recording.line", path=one.path, advice=one.advice) for one in self._recordings if one.advice)

    def run(self) -> SessionSummary:
        """Run until the end; raises what a stage or an output raised, after closing them in order."""
        with self:
            try:
                self._watch()
            except (KeyboardInterrupt, UnreadableMedia):  # labels that still held get their `end` events all the same
                self._finish()
                raise
            self._finish()
        return SessionSummary(
            frames=self._frames,
            dropped=self._dropped,
            seconds=time.monotonic() - self._started,
            delay_ms=tuple(self._delays),
            first_s=self._first_s,
        )

    def _watch(self) -> None:
        """Until the end; what comes when the time is over, or was looked at too late, is given to nobody."""
        poll_s = 0.5 if self.outputs.display is None else POLL_S
        while not self._over():
            left_s = poll_s if self._until is None else min(poll_s, self._until - time.monotonic())
            try:
                moment = self._runner.next(max(left_s, 0.0))
            except StopIteration:
                break
            if moment is not None and not self._over():
                self._take(moment)
            self._show()

    def _finish(self) -> None:
        self._runner.close()
        for event in self._reactions.finish():
            self._tell(event)

    def close(self) -> None:
        """End the threads, the source and a recording started with a key."""
        self._runner.close()
        if self._own_recording is not None:
            self._own_recording.close()

    def _look(self, frame: Frame) -> Scene:
        """On the analysis thread. In a folder each file stands alone: its faces are not those of the previous file."""
        if frame.source != self._source_name:
            if self._source_name is not None:
                self._analyzer.restart()
            self._source_name = frame.source
        return self._analyzer.step(frame)

    def _over(self) -> bool:
        return self._quit or (self._until is not None and time.monotonic() >= self._until)

    def _take(self, moment: AnalyzedFrame) -> None:
        # Smoothed here and not on the analysis thread, so that a frame that was never given out changes nothing.
        if self._scene is None or self._scene.source != moment.scene.source:
            self._unlearned.clear()
        reaction = self._reactions.take(moment.scene)
        scene, self._scene = reaction.scene, reaction.steady
        for output in self.outputs.scenes:
            output.write(scene)
        if self._recording is not None:
            self._recording.write(self._scene)
        for event in reaction.events:
            self._tell(event)
        self._check_learned(scene)
        if reaction.sentence is not None:
            self._answer(reaction.sentence)
        now = time.monotonic()
        self._frames += 1
        # By the numbers of the frames: a live source passes frames over before the runner does.
        if self._is_live:
            self._dropped += max(0, scene.frame - self._last_frame - 1)
            self._last_frame = scene.frame
        self._arrivals.append(now)
        self._delays.append(1000 * (now - moment.captured_s))
        self._stage_ms = moment.stage_ms
        if self._first_s is None:
            self._first_s = time.monotonic() - self._started

    def _tell(self, event: Event) -> None:
        for output in self.outputs.events:
            output(event)

    def _answer(self, sentence: Sentence) -> None:
        if self.outputs.voice is not None:
            self.outputs.voice.say(sentence)
        for output in self.outputs.sentences:
            output(sentence)

    def _show(self) -> None:
        if self.outputs.display is None:
            return
        for command in self.outputs.display.show(self._scene, self._status()):
            self._obey(command)

    def _status(self) -> Status:
        now = time.monotonic()
        recent = [at for at in self._arrivals if now - at <= _RATE_S]
        rate = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0
        voice, recording = self.outputs.voice, self._recording
        for trouble in filter(None, (voice.status if voice else "", recording.problem if recording else "")):
            if trouble not in self._told_troubles:
                self._told_troubles.add(trouble)
                self._say(trouble)
        told = self._message if time.monotonic() - self._message_s < _MESSAGE_S else ""
        return Status(
            fps=rate,
            latency_ms=self._delays[-1] if self._delays else 0.0,
            stage_ms=self._stage_ms,
            caption=self._reactions.caption,
            muted=voice is None or voice.muted,
            paused=self._runner.paused,
            recording=recording is not None and recording.running,
            tasks=self._analyzer.tasks,
            # A problem of the source is shown for as long as it lasts; everything else is news.
            message=self._runner.status or told,
            recording_to=recording.path.name if recording is not None and recording.running else "",
            notice=self._notice,
            no_face=self._no_face,
        )

    def _obey(self, command: Command) -> None:
        if command is Command.QUIT:
            self._quit = True
        elif command is Command.MUTE and self.outputs.voice is not None:
            self.outputs.voice.muted = not self.outputs.voice.muted
        elif command is Command.PAUSE:
            self._runner.paused = not self._runner.paused
        elif command is Command.SNAPSHOT:
            self._snapshot()
        elif command is Command.RECORD:
            self._switch_recording()
        elif command is Command.NEUTRAL:
            self._learn()
        else:
            tasks: dict[Command, tuple[Task, ...]] = {
                Command.EMOTIONS: ("emotion",),
                Command.GESTURES: ("gesture",),
                Command.BOTH: TASKS,
            }
            self._analyzer.tasks = tasks.get(command, self._analyzer.tasks)

    def _learn(self) -> None:
        """Learn the neutral faces of everybody again; what has been learned so far no longer counts."""
        try:
            self._analyzer.learn_baselines(self._baseline_s)
        except ModelError as error:
            self._say(str(error))
            return
        self._unlearned.clear()
        self._say(say("window.learning", seconds=self._baseline_s))

    def _check_learned(self, scene: Scene) -> None:
        """Say whose neutral face is known from now on."""
        if not self._analyzer.learns_baselines:
            return
        for face in scene.faces:
            if face.track is None or face.prediction is None:
                continue
            if not face.prediction.baseline:
                self._unlearned.add(face.track)
            elif face.track in self._unlearned:  # not in a frame of before that was still on its way
                self._unlearned.discard(face.track)
                self._say(say("window.learned", person=face.track))

    def _snapshot(self) -> None:
        if self._scene is None:
            return
        path = _free_name(self._snapshots / f"mien-{time.strftime('%Y%m%d-%H%M%S')}.png")
        try:
            draw_scene(self._scene, text_scale=self._text_scale).save(path)
        except OutputError as error:
            self._say(str(error))
            _log.warning("%s", error)
        else:
            self._say(say("window.saved", path=path))

    def _say(self, message: str) -> None:
        self._message, self._message_s = message, time.monotonic()

    def _switch_recording(self) -> None:
        if self._recording is not None and self._recording.running:
            self._recording.close()
            saved, advice = say("window.saved", path=self._recording.path), self._recording.advice
            told = say("window.saved_with", saved=saved, advice=advice) if advice else saved
            self._say(self._recording.problem or told)
            self._recording = None
            return
        path = _free_name(self._snapshots / f"mien-{time.strftime('%Y%m%d-%H%M%S')}.mp4")
        waits, scale = not self._is_live, self._text_scale
        self._recording = self._own_recording = Recording(path, fps=self._record_fps, waits=waits, text_scale=scale)
        self._recordings.append(self._recording)


def _free_name(path: Path) -> Path:
    """The path, with a number appended if such a file already exists."""
    names = (path if i == 1 else path.with_stem(f"{path.stem}-{i}") for i in range(1, 1000))
    return next((name for name in names if not name.exists()), path)
