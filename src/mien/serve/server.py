"""The server: models loaded, socket bound, requests answered until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import HANDLED_SIGNALS

from mien.addresses import named
from mien.errors import InputError
from mien.serve.app import create_app
from mien.serve.engine import Engine
from mien.serve.jobs import Jobs
from mien.serve.metrics import Metrics
from mien.serve.settings import Limits, ServeSettings
from mien.serve.watch import Watch

MOST_CONNECTIONS = 500
"""More are answered 503 before their requests are looked at."""

FRAME_BYTES = 8_000_000
"""Largest message on the WebSocket."""

_STOP_S = 5
_KEPT_S = 30  # an idle connection


def run_server(settings: ServeSettings, ready: Callable[[ServeSettings], None]) -> None:
    """Serve until interrupted.

    Args:
        settings: how; with port 0, a free one is taken.
        ready: called once requests are answered, with the port that was taken.

    Raises:
        InputError: the address cannot be used.
        UnknownName, ModelError: a model cannot be used.
        KeyboardInterrupt: it was told to stop, and has.
    """
    with ExitStack() as stack:
        stack.enter_context(_quiet_pictures())
        listening = stack.enter_context(_bind(settings))
        settings = replace(settings, port=listening.getsockname()[1])
        metrics = Metrics()
        idle_s = settings.idle_s if settings.watch is None else None
        engine = stack.enter_context(Engine(settings.options, most=settings.limits.requests, idle_s=idle_s))
        engine.load()
        jobs = stack.enter_context(Jobs(engine, settings.limits))
        watch = None if settings.watch is None else stack.enter_context(_watch(settings, engine))
        app = create_app(settings, engine, jobs, metrics, watch)
        server = _Server(_config(app), watch, lambda: ready(settings))
        server.run([listening])
        if server.was_told:  # by a signal whose handler, restored by now, did not raise anything
            raise KeyboardInterrupt


@contextmanager
def _quiet_pictures() -> Iterator[None]:
    """Do not log what pictures of clients are like, such as that one holds several."""
    log = logging.getLogger("mien.pixels.photos")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


class _Server(uvicorn.Server):
    """Says when it is ready, and lets endless answers end before it waits for them.

    Signals that are ignored when it is made stay so: those of a shell's background job, or under nohup.
    """

    def __init__(self, config: uvicorn.Config, watch: Watch | None, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._watch, self._ready = watch, ready
        self._ignored = {number for number in HANDLED_SIGNALS if signal.getsignal(number) is signal.SIG_IGN}
        self.was_told = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._watch is not None:
            await asyncio.to_thread(self._watch.close)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A second signal, of either kind, waits for nobody."""
        if sig in self._ignored:
            return
        self.was_told = True
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)


class _Patient(H11Protocol):
    """HTTP for clients of any pace, but not without end.

    The head of every request has to come in time, and so has what a client still sends of a body that was refused;
    answers have to be taken.
    """

    head_s = 20.0
    send_s = Limits().send_s
    _late: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(self.head_s, self._give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_between_requests:
            _cancel(self._late)
            self._late = None
        elif self._late is None:  # the time of keep-alive, which runs from the last answer on, has been stopped
            self._late = self.loop.call_later(self.head_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._late)
        _cancel(self._stuck)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(self.send_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._stuck)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.send_s, self.transport.abort)  # if there is an answer that is not taken

    @property
    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self) -> None:
        self._late = None
        if self._is_between_requests and self.transport.get_protocol() is self:
            self.transport.abort()


class _PatientSocket(WebSocketsSansIOProtocol):
    """The WebSocket for clients of any pace, but answers have to be taken; nothing more is read until they are."""

    send_s = Limits().send_s
    _stuck: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._stuck)
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(self.close_timeout + self.send_s, self.transport.abort)  # if it does not close by itself

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()
        self._stuck = self.loop.call_later(self.send_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._stuck)
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _config(app: Any) -> uvicorn.Config:
    # A client's mistakes are no news, mien logs its own, and a query may hold the token.
    for name in ("uvicorn.error", "uvicorn.access", "websockets", "python_multipart"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return uvicorn.Config(
        app,
        http=_Patient,
        ws=_PatientSocket,
        ws_max_size=FRAME_BYTES,
        ws_per_message_deflate=False,  # pictures are compressed already
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=_KEPT_S,
        timeout_graceful_shutdown=_STOP_S,
    )


def _watch(settings: ServeSettings, engine: Engine) -> Watch:
    sequence = engine.submit(lambda models: models.analyzer.sequence(settings.options.tasks)).result()
    return Watch(settings, sequence)


def _bind(settings: ServeSettings) -> socket.socket:
    host, port = settings.host, settings.port
    reasons = {
        errno.EADDRINUSE: "it is in use already; choose another with --port",
        errno.EACCES: "you may not use it; choose one above 1023 with --port",
        errno.EADDRNOTAVAIL: "this machine does not have that address; check --host",
    }
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{named(host)!r} is not an address of this machine; check --host.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
    except OSError as error:
        listening.close()
        reason = reasons.get(error.errno or 0, (error.strerror or str(error)).lower())
        raise InputError(f"Port {port} at {named(host)} cannot be used: {reason}.") from error
    return listening
