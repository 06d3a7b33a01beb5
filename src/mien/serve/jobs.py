"""Videos that are looked at in the background: a bounded queue, one at a time, results that expire.

Their files lie in a private temporary folder, under names made here, and go with the server.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mien.errors import MienError, TooManyPixels
from mien.files.locks import hold_folder, is_held
from mien.labels import Task
from mien.pipeline import FrameSequence
from mien.records.writers import JsonlWriter
from mien.resource import Resource
from mien.scene import Frame, Scene
from mien.serve.bodies import too_many_pixels
from mien.serve.contract import JobRecord
from mien.serve.engine import Engine, Models
from mien.serve.problems import Problem, busy
from mien.serve.settings import Limits
from mien.sources import Selection, captured, open_source

if TYPE_CHECKING:
    from mien.records.parquet import ParquetWriter

Format = Literal["jsonl", "parquet"]
State = Literal["waiting", "running", "done", "failed", "cancelled"]

_PREFIX = "mien-serve-"
_NEW_S = 5.0  # a folder that is younger may be about to be locked

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Job:
    """A video and how far it is.

    Args:
        id: cannot be guessed.
        video: the file that was sent.
        result: the file with the records.
        name: what records call the video.
        format: of the result.
        tasks: what to look for.
        every: look at every n-th frame.
    """

    id: str
    video: Path
    result: Path
    name: str
    format: Format
    tasks: tuple[Task, ...]
    every: int
    state: State = "waiting"
    frames: int = 0
    of: int | None = None
    problem: str | None = None
    ended_s: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    def end(self, state: State, now_s: float, problem: str | None = None) -> None:
        """Nothing more will happen; the video is not needed any longer."""
        self.state, self.problem, self.ended_s = state, problem, now_s
        self.video.unlink(missing_ok=True)
        if state == "cancelled":
            self.result.unlink(missing_ok=True)


class Jobs(Resource):
    """All videos.

    Args:
        engine: looks at their frames, in turn with everything else.
        limits: how many may wait, and how long results are kept.
        clock: what expiry goes by, in seconds.
    """

    def __init__(self, engine: Engine, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._limits, self._clock = engine, limits, clock
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
        self._held = hold_folder(self.folder)
        if is_held(self.folder):  # else locks do not work here, and the folders of others seem abandoned
            _remove_abandoned(self.folder.parent)
        self._changing = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._arriving = 0
        self._is_closed = False
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="mien-serve-jobs", daemon=True)
        self._thread.start()

    @property
    def folder(self) -> Path:
        """Where the files are; only this user may look into it."""
        return Path(self._folder.name)

    @property
    def unfinished(self) -> int:
        """How many arrive, wait or run."""
        return self._arriving + sum(job.ended_s is None for job in self._jobs.values())

    def place(self, *, name: str, form: Format, tasks: tuple[Task, ...], every: int) -> Job:
        """A place for a video that is about to arrive; `submit` or `drop` it.

        Raises:
            Problem: 503, too many are waiting.
        """
        if self.unfinished > self._limits.jobs:
            raise busy(f"{self._limits.jobs} videos are waiting already")
        self._arriving += 1
        number = secrets.token_urlsafe(12)
        return Job(
            id=number,
            video=self.folder / f"{number}.video",
            result=self.folder / f"{number}.{form}",
            name=name,
            format=form,
            tasks=tasks,
            every=every,
        )

    def drop(self, job: Job) -> None:
        """The video did not arrive whole."""
        self._arriving -= 1
        job.video.unlink(missing_ok=True)

    def submit(self, job: Job) -> None:
        """The video has arrived."""
        self._arriving -= 1
        self._jobs[job.id] = job
        self._queue.put(job)

    def get(self, number: str) -> Job:
        """The job of that id.

        Raises:
            Problem: 404, there is none, or none any more.
        """
        self.expire()
        if number not in self._jobs:
            raise Problem(404, "There is no such job; results are kept for a limited time, and only while mien runs.")
        return self._jobs[number]

    def record(self, job: Job) -> JobRecord:
        """What clients are told about a job."""
        left_s = None if job.ended_s is None else max(0.0, job.ended_s + self._limits.kept_s - self._clock())
        return JobRecord(
            id=job.id,
            state=job.state,
            name=job.name,
            format=job.format,
            frames=job.frames,
            of=job.of,
            problem=job.problem,
            expires_in_s=None if left_s is None else round(left_s, 1),
        )

    def cancel(self, job: Job) -> None:
        """Stop a job that is not finished; forget one that is, with its result."""
        with self._changing:
            job.cancelled.set()
            if job.ended_s is not None:
                self._forget(job)
            elif job.state == "waiting":
                job.end("cancelled", self._clock())

    def expire(self) -> None:
        """Forget what ended long ago, and the oldest where too many have ended."""
        now_s = self._clock()
        ended = [(job.ended_s, job) for job in [*self._jobs.values()] if job.ended_s is not None]
        ended.sort(key=itemgetter(0))
        too_many = len(ended) - self._limits.results
        for i, (ended_s, job) in enumerate(ended):
            if i < too_many or now_s - ended_s >= self._limits.kept_s:
                self._forget(job)

    def close(self) -> None:
        """Stop, and remove all files."""
        self._is_closed = True
        for job in [*self._jobs.values()]:
            job.cancelled.set()
        self._queue.put(None)
        self._thread.join(10.0)
        self._folder.cleanup()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        job.video.unlink(missing_ok=True)
        job.result.unlink(missing_ok=True)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            with self._changing:
                if job.ended_s is not None:
                    continue
                job.state = "running"
            try:
                self._run(job)
            except TooManyPixels:
                problem = too_many_pixels(f"The frames of {job.name} have too many pixels", self._limits)
                job.end("failed", self._clock(), problem.detail)
            except MienError as error:  # of the part before it, the records are kept
                said = str(error).replace(str(job.video), job.name).replace(str(job.result), "the result")
                job.end("failed", self._clock(), said)
            except Exception:  # a bug must not end the thread
                if self._is_closed:  # the engine is closed, too
                    return
                _log.exception("An error in mien itself:")
                job.end("failed", self._clock(), "mien failed here; its log says why.")
            else:
                job.end("cancelled" if job.cancelled.is_set() else "done", self._clock())
            self.expire()

    def _run(self, job: Job) -> None:
        looks = _Looks(self._engine, job.tasks)
        with ExitStack() as stack:
            most = self._limits.picture_pixels
            chosen = Selection(every=job.every)
            source = stack.enter_context(
                captured(open_source(job.video, selection=chosen, max_pixels=most, max_frame_pixels=most))
            )
            job.of = None if source.frame_count is None else -(-source.frame_count // job.every)
            writer: JsonlWriter | ParquetWriter = _writer(job, looks)
            stack.enter_context(writer)
            for frame in source:
                if job.cancelled.is_set():
                    return
                writer.write(replace(looks.at(frame), source=job.name))
                job.frames += 1


class _Looks:
    """Looks at one video frame by frame, in turn with all other work."""

    def __init__(self, engine: Engine, tasks: tuple[Task, ...]) -> None:
        self._engine, self._tasks = engine, tasks
        self._sequence: FrameSequence | None = None
        self._models: Models | None = None

    def at(self, frame: Frame) -> Scene:
        """What is in the next frame."""
        return self._engine.submit(lambda models: self._step(models, frame)).result()

    def labels(self) -> dict[Task, tuple[str, ...]]:
        """Of the models, for columns."""
        return self._engine.submit(lambda models: models.analyzer.labels).result()

    def _step(self, models: Models, frame: Frame) -> Scene:
        models.note(frame.image_rgb)
        if self._sequence is None or self._models is not models:
            self._sequence, self._models = models.analyzer.sequence(self._tasks), models
        return self._sequence.step(frame)


def _writer(job: Job, looks: _Looks) -> JsonlWriter | ParquetWriter:
    if job.format == "jsonl":
        return JsonlWriter(job.result)
    from mien.records.parquet import ParquetWriter

    labels = looks.labels()
    return ParquetWriter(job.result, emotions=labels["emotion"], gestures=labels["gesture"])


def _remove_abandoned(parent: Path) -> None:
    """Remove the folders of this user's servers that were killed: videos of people may lie in them."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            if is_ours and time.time() - found.st_mtime > _NEW_S and not is_held(folder):
                shutil.rmtree(folder)
                _log.warning("Removed %s, which a server that was killed had left.", folder)
