"""A camera of the server's own machine, for everybody who may look: MJPEG and server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from mien.errors import MienError
from mien.live.session import LiveSession, Outputs
from mien.pipeline import FrameSequence
from mien.pixels.images import encode_image
from mien.resource import Resource
from mien.scene import Event, Scene
from mien.serve.contract import errors
from mien.serve.problems import busy
from mien.serve.settings import ServeSettings
from mien.sources import PacedSource, Retry, Source, open_live
from mien.voice.responder import Responder
from mien.voice.responses import Sentence
from mien.window.status import Command, Status
from mien.wording import json_text

_BOUNDARY = "mien-frame"
_MOST_LINES = 256
_BEAT_S = 15.0

_log = logging.getLogger(__name__)


class Viewer:
    """What waits for one client: the newest picture, and the last events."""

    def __init__(self, *, pictures: bool, frames: bool) -> None:
        self.pictures, self.frames = pictures, frames
        self.picture: bytes | None = None
        self.lines: deque[str] = deque(maxlen=_MOST_LINES)
        self.came = asyncio.Event()


class Watch(Resource):
    """Runs a live session on a thread and hands what it sees to the viewers.

    Args:
        settings: the source, the sentences, the limits.
        sequence: looks at the frames.
    """

    def __init__(self, settings: ServeSettings, sequence: FrameSequence) -> None:
        self._settings, self._sequence = settings, sequence
        self._viewers: list[Viewer] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shown: Scene | None = None
        self._caption = self._status = ""
        self._closed = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="mien-serve-watch", daemon=True)
        self._source = _open(settings.watch or "0")

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; viewers are told on this loop."""
        self._loop = loop
        self._thread.start()

    def close(self) -> None:
        """End the session and let the viewers go."""
        self._closed.set()
        self._wake(None, None)
        if self._thread.is_alive():
            self._thread.join(5.0)

    def routes(self) -> APIRouter:
        """`/v1/watch.mjpg` and `/v1/watch/events`."""
        router = APIRouter(prefix="/v1", tags=["watch"])

        @router.get(
            "/watch.mjpg",
            response_model=None,
            responses={200: {"content": {"multipart/x-mixed-replace": {}}, "description": "MJPEG"}, **errors(503)},
        )
        async def pictures() -> StreamingResponse:
            """The picture with everything marked in it, as MJPEG."""
            viewer = self._admit(Viewer(pictures=True, frames=False))
            return StreamingResponse(
                self._pictures(viewer), media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
            )

        @router.get(
            "/watch/events",
            response_model=None,
            responses={200: {"content": {"text/event-stream": {}}, "description": "Events"}, **errors(503)},
        )
        async def events(
            frames: Annotated[bool, Query(description="Also send the record of every frame.")] = False,
        ) -> StreamingResponse:
            """What changes, as server-sent events: change, sentence, status and, if asked for, frame."""
            viewer = self._admit(Viewer(pictures=False, frames=frames))
            return StreamingResponse(self._lines(viewer), media_type="text/event-stream")

        return router

    # What follows is called by the session, on its thread.

    def write(self, scene: Scene) -> None:
        """Takes every scene."""
        if any(viewer.frames for viewer in self._viewers):
            record = json.loads(scene.to_json()) | {"caption": self._caption}
            self._wake(None, _line("frame", record), frames=True)

    def show(self, scene: Scene | None, status: Status) -> Sequence[Command]:
        """Takes what a window would show."""
        self._caption = status.caption
        if status.message != self._status:
            self._status = status.message
            self._wake(None, _line("status", {"message": status.message}))
        if scene is not None and scene is not self._shown:
            self._shown = scene
            if any(viewer.pictures for viewer in self._viewers):
                self._wake(encode_image(scene.draw().image_rgb, ".jpg"), None)
        return (Command.QUIT,) if self._closed.is_set() else ()

    def _event(self, event: Event) -> None:
        self._wake(None, _line("change", event.to_dict()))

    def _sentence(self, said: Sentence) -> None:
        self._wake(None, _line("sentence", {"text": said.text, "label": said.label, "task": said.task}))

    def _run(self) -> None:
        outputs = Outputs(
            scenes=(self,),
            events=(self._event,),
            sentences=(self._sentence,),
            display=self,
            responder=Responder(self._settings.responses),
        )
        message = "The source has ended."
        try:
            LiveSession(self._source, self._sequence, outputs).run()
        except MienError as error:
            message = str(error)
        except Exception:
            message = "mien failed here; its log says why."
            _log.exception("An error in mien itself:")
        if not self._closed.is_set():
            _log.warning("%s", message)
        self._over = True
        self._status = message
        self._wake(None, _line("status", {"message": message}))

    def _wake(self, picture: bytes | None, line: str | None, *, frames: bool = False) -> None:
        def tell() -> None:
            for viewer in self._viewers:
                if picture is not None and viewer.pictures:
                    viewer.picture = picture
                if line is not None and not viewer.pictures and (viewer.frames or not frames):
                    viewer.lines.append(line)
                viewer.came.set()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell)

    def _admit(self, viewer: Viewer) -> Viewer:
        most = self._settings.limits.live
        if len(self._viewers) >= most:
            raise busy(f"{most} viewers are watching already")
        if self._status:
            viewer.lines.append(_line("status", {"message": self._status}))
        viewer.came.set()
        self._viewers.append(viewer)
        return viewer

    async def _pictures(self, viewer: Viewer) -> AsyncIterator[bytes]:
        try:
            while not self._closed.is_set():
                await viewer.came.wait()
                viewer.came.clear()
                picture, viewer.picture = viewer.picture, None
                if picture is not None:
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    yield head.encode() + picture + b"\r\n"
                elif self._over:
                    return
        finally:
            self._viewers.remove(viewer)

    async def _lines(self, viewer: Viewer) -> AsyncIterator[str]:
        try:
            yield ": mien\n\n"
            while not self._closed.is_set():
                try:
                    await asyncio.wait_for(viewer.came.wait(), _BEAT_S)
                except asyncio.TimeoutError:
                    yield ": still here\n\n"
                viewer.came.clear()
                while viewer.lines:
                    yield viewer.lines.popleft()
        finally:
            self._viewers.remove(viewer)


def _open(spec: str) -> Source:
    """The source; a video plays at its own pace, as a camera would."""
    source = open_live(spec, retry=Retry(at_start=True))
    return source if source.is_live or source.kind != "video" else PacedSource(source)


def _line(kind: str, data: Any) -> str:
    return f"event: {kind}\ndata: {json_text(data)}\n\n"
