"""The WebSocket: pictures in, one JSON per picture out, with tracking and smoothing of its own for each connection.

Of pictures that come while another is looked at, the newest waits and the others are passed over, so that answers are
never late.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, WebSocket
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from mien.errors import InputError, ModelError
from mien.labels import Task
from mien.live.reactions import Reaction, Reactions, smooth_settings
from mien.pipeline import FrameSequence, parse_tasks
from mien.scene import Frame, Scene
from mien.serve.bodies import decode_picture
from mien.serve.engine import Engine, Models
from mien.serve.look import LanguageQuery, TaskQuery
from mien.serve.metrics import Metrics
from mien.serve.problems import Problem, busy, problem_dict, problem_of
from mien.serve.settings import ServeSettings
from mien.stages.smooth import Smoother
from mien.voice.responder import Responder
from mien.voice.responses import Responses
from mien.wording import json_text

MOST_TEXT = 4096
"""Longest text message, in characters."""

_MOST_TIME_S = 1e8
_MOST_BASELINE_S = 60.0
_MOST_NEWS = 8
_BUSY = 503
_TRUTH = TypeAdapter(bool)


class Ask(BaseModel):
    """A text message: what holds from the next picture on, and the time of that picture.

    Args:
        tasks: what to look for.
        name: what records call the source; another name starts afresh.
        time_s: of the next picture, in seconds of its source; by default of its arrival.
        restart: forget all tracks, because another source comes next.
        baseline_s: learn the neutral face of each person from so many calm seconds, and read expressions as changes
            from it; those learned before are forgotten.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    tasks: list[Task] | None = Field(default=None, min_length=1)
    name: str | None = Field(default=None, max_length=200)
    time_s: float | None = Field(default=None, ge=0, le=_MOST_TIME_S)
    restart: bool = False
    baseline_s: float | None = Field(default=None, gt=0, le=_MOST_BASELINE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Incoming:
    """A picture that has arrived, and what was asked for it."""

    data: bytes
    number: int
    time_s: float
    arrived_s: float
    tasks: tuple[Task, ...]
    name: str
    restart: bool
    baseline_s: float | None


class Connection:
    """One client.

    Args:
        websocket: not accepted yet.
        engine: looks at the pictures.
        settings: limits.
        metrics: counts the pictures.
        responses: the sentences.
        tasks: what to look for at first.
        steady: whether answers also have steadied boxes and landmarks, for drawing.
    """

    def __init__(
        self,
        websocket: WebSocket,
        engine: Engine,
        settings: ServeSettings,
        metrics: Metrics,
        *,
        responses: Responses,
        tasks: tuple[Task, ...],
        steady: bool,
    ) -> None:
        self._socket, self._engine, self._settings, self._metrics = websocket, engine, settings, metrics
        self._responses, self._tasks, self._steady = responses, tasks, steady
        self._name, self._restart = "", False
        self._baseline_s: float | None = None  # asked for since the last picture
        self._learning_s: float | None = None
        self._time_s: float | None = None
        self._number = self._skipped = 0
        self._begin_s: float | None = None
        self._waiting: _Incoming | None = None
        self._news: deque[Problem] = deque(maxlen=_MOST_NEWS)
        self._arrived = asyncio.Event()
        self._sequence: FrameSequence | None = None
        self._models: Models | None = None
        self._reactions: Reactions | None = None

    async def run(self) -> None:
        """Answer until the client leaves."""
        await self._socket.accept()
        tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._answer())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect | RuntimeError):
                raise error

    async def _receive(self) -> None:
        """Keep the newest picture; take in what is asked."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                self._take(data)
            else:
                self._ask(text or "")
            self._arrived.set()

    def _take(self, data: bytes) -> None:
        now_s = time.monotonic()
        if self._begin_s is None:
            self._begin_s = now_s
        if self._waiting is not None:
            self._skipped += 1
            self._metrics.skipped.inc()
        restart = self._restart or (self._waiting is not None and self._waiting.restart)
        baseline_s = self._baseline_s
        if baseline_s is None and self._waiting is not None:
            baseline_s = self._waiting.baseline_s
        self._waiting = _Incoming(
            data=data,
            number=self._number,
            time_s=now_s - self._begin_s if self._time_s is None else self._time_s,
            arrived_s=now_s,
            tasks=self._tasks,
            name=self._name,
            restart=restart,
            baseline_s=baseline_s,
        )
        self._number += 1
        self._time_s, self._restart, self._baseline_s = None, False, None

    def _ask(self, text: str) -> None:
        if len(text) > MOST_TEXT:
            said = f"A text message has at most {MOST_TEXT} characters; pictures are sent as bytes."
            self._news.append(Problem(413, said))
            return
        try:
            ask = Ask.model_validate_json(text)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, wrong["loc"])) or "The message"
            self._news.append(
                Problem(
                    422,
                    f"{where[:100]}: {wrong['msg'][:200]}. A text message is a JSON object with tasks, name, time_s, "
                    "restart or baseline_s; pictures are sent as bytes.",
                )
            )
            return
        if ask.tasks is not None:
            self._tasks = parse_tasks(",".join(ask.tasks))
        if ask.name is not None:
            self._name = ask.name
        if ask.time_s is not None:
            self._time_s = ask.time_s
        if ask.baseline_s is not None:
            self._baseline_s = ask.baseline_s
        self._restart = self._restart or ask.restart

    async def _answer(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._news:
                await self._send({"problem": problem_dict(self._news.popleft())})
            incoming, self._waiting = self._waiting, None
            if incoming is None:
                continue
            skipped, self._skipped = self._skipped, 0
            try:
                answer = await self._engine.run(partial(self._look, incoming, skipped))
            except Exception as error:
                problem = problem_dict(problem_of(error))
                await self._send({"frame": incoming.number, "skipped": skipped, "problem": problem})
            else:
                await self._send(answer)

    async def _send(self, answer: dict[str, Any]) -> None:
        text = json_text(answer)
        try:
            await asyncio.wait_for(self._socket.send_text(text), self._settings.limits.send_s)
        except asyncio.TimeoutError as error:
            raise WebSocketDisconnect(1008) from error

    def _look(self, incoming: _Incoming, skipped: int, models: Models) -> dict[str, Any]:
        """On a thread of the engine; one picture of this connection at a time."""
        begin_s = time.monotonic()
        if self._sequence is None or self._models is not models:  # the models were released meanwhile
            self._sequence, self._models = models.analyzer.sequence(incoming.tasks), models
            if self._learning_s is not None:
                self._sequence.learn_baselines(self._learning_s)
        if incoming.restart:
            self._sequence.restart()
            self._reactions = None
        if incoming.baseline_s is not None:
            try:
                self._sequence.learn_baselines(incoming.baseline_s)
            except ModelError as error:  # this model does not answer neutral
                raise Problem(422, str(error)) from error
            self._learning_s = incoming.baseline_s
        if self._reactions is None:
            smoother = Smoother(smooth_settings(self._sequence))
            self._reactions = Reactions(smoother, Responder(self._responses))
        image_rgb = decode_picture(incoming.data, self._settings.limits)
        models.note(image_rgb)
        self._sequence.tasks = incoming.tasks
        frame = Frame(image_rgb=image_rgb, index=incoming.number, time_s=incoming.time_s, source=incoming.name)
        reaction = self._reactions.take(self._sequence.step(frame))
        end_s = time.monotonic()
        self._metrics.frames.labels("live").inc()
        self._metrics.look_seconds.labels("live").observe(end_s - begin_s)
        answer = reaction_dict(reaction, self._reactions.caption, steady=self._steady)
        answer["skipped"] = skipped
        answer["latency_ms"] = {
            "wait": round(1000 * (begin_s - incoming.arrived_s), 1),
            "look": round(1000 * (end_s - begin_s), 1),
            "total": round(1000 * (time.monotonic() - incoming.arrived_s), 1),
        }
        return answer


def reaction_dict(reaction: Reaction, caption: str, *, steady: bool) -> dict[str, Any]:
    """A record with what follows from it.

    Returns:
        The keys of `Scene.to_dict`, and `events`, `sentence` (null for none), `caption` and, if asked for, `steady`:
        boxes and landmarks for drawing.
    """
    said = reaction.sentence
    answer = json.loads(reaction.scene.to_json())
    answer["events"] = [event.to_dict() for event in reaction.events]
    answer["sentence"] = None if said is None else {"text": said.text, "label": said.label, "task": said.task}
    answer["caption"] = caption
    if steady:
        answer["steady"] = steady_dict(reaction.steady)
    return dict(answer)


def steady_dict(scene: Scene) -> dict[str, Any]:
    """Boxes and landmarks in the order of the record, whole pixels."""
    hands = [
        {"box": [round(v, 1) for v in hand.box_xyxy], "landmarks": [[round(x, 1), round(y, 1)] for x, y, _ in points]}
        for hand in scene.hands
        for points in (hand.landmarks_xyz,)
    ]
    return {"faces": [{"box": [round(v, 1) for v in face.box_xyxy]} for face in scene.faces], "hands": hands}


class LiveRoom:
    """All connections.

    Args:
        engine: looks at the pictures.
        settings: limits.
        metrics: counts connections and pictures.
    """

    def __init__(self, engine: Engine, settings: ServeSettings, metrics: Metrics) -> None:
        self._engine, self._settings, self._metrics = engine, settings, metrics
        self.connections = 0

    def routes(self) -> APIRouter:
        """`/v1/live`."""
        router = APIRouter(prefix="/v1", tags=["live"])

        @router.websocket("/live")
        async def live(
            websocket: WebSocket,
            task: TaskQuery = "emotion,gesture",
            steady: Annotated[str, Query()] = "false",
            language: LanguageQuery = "",
        ) -> None:
            await self._serve(websocket, task, self._settings.responses.in_language(language), steady=steady)

        return router

    async def _serve(self, websocket: WebSocket, task: str, responses: Responses, *, steady: str) -> None:
        most = self._settings.limits.live
        problem: Problem | None = None
        tasks: tuple[Task, ...] = ()
        try:
            tasks = parse_tasks(task)
        except InputError as error:
            problem = problem_of(error)
        is_steady = False
        try:
            is_steady = _TRUTH.validate_python(steady)  # here, for FastAPI refuses a wrong one without a word
        except ValidationError:
            problem = Problem(422, f"steady must be true or false, got {steady[:50]!r}.")
        if self.connections >= most:
            problem = busy(f"This server has {most} live connections already")
        if problem is not None:
            await websocket.accept()
            await websocket.send_text(json_text({"problem": problem_dict(problem)}))
            await websocket.close(1013 if problem.status == _BUSY else 1008)
            return
        self.connections += 1
        self._metrics.live.set(self.connections)
        try:
            parts = self._engine, self._settings, self._metrics
            await Connection(websocket, *parts, responses=responses, tasks=tasks, steady=is_steady).run()
        finally:
            self.connections -= 1
            self._metrics.live.set(self.connections)
