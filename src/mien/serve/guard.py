"""Who may talk to the server: the Host, Origin and token of every request, before anything else looks at it.

A page of another site can make a browser send requests to this machine. With a name of its own that it lets point here
(DNS rebinding) it could even read the answers; the Host header gives it away. The Origin header gives away a page that
asks directly.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
import time
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.serve.metrics import Metrics
from mien.serve.problems import Problem, busy, problem_response
from mien.serve.settings import ServeSettings, is_loopback

OPEN = ("/v1/health", "/v1/openapi.json")
"""Paths below /v1 that need no token: they say nothing about anybody."""

_READS = ("GET", "HEAD", "OPTIONS")
_SECURED = ("/v1/", "/metrics")
_ENDLESS = "/v1/watch"
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+?)\.?)(?::[0-9]{0,5})?")
_ALLOWED_HEADERS = "Authorization, Content-Type"

_log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware around everything.

    Args:
        app: what is guarded.
        settings: names, origins and token.
        metrics: counts the requests.
    """

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and count."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        begin_s = time.perf_counter()
        status = 0
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = int(message["status"])
                self._secure(scope["path"], origin, MutableHeaders(raw=message["headers"]))
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        method = scope.get("method")
        if method == "HEAD" and not scope["path"].startswith(_ENDLESS):
            scope = {**scope, "method": "GET"}  # the same answer; its body is left out where it is written
        try:
            problem = self._problem(scope, headers)
            if problem is not None:
                await self._refuse(problem, scope, receive, told)
            elif scope["type"] == "http" and scope["method"] == "OPTIONS" and origin:
                await Response(status_code=204)(scope, receive, told)
            else:
                await self._app(scope, receive, told)
        except asyncio.CancelledError:  # the server stops and waits no longer
            if scope["type"] == "http" and not status:
                await problem_response(busy("This server is stopping"))(scope, receive, told)
            raise
        finally:
            self._count(scope, method or "WEBSOCKET", status, time.perf_counter() - begin_s)

    def _problem(self, scope: Scope, headers: Headers) -> Problem | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return Problem(
                421,
                "The Host header does not name this machine; call it as localhost, by its address, or by a name given "
                "with --allow-host.",
            )
        origin = headers.get("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in _READS
        if origin is not None and changes and not self._is_friend(origin, host):
            return Problem(
                403, "This request comes from a page of another origin; name that origin with --allow-origin."
            )
        path = scope["path"]
        if self._settings.token is None or path in OPEN or not path.startswith(_SECURED):
            return None
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            return None
        given = _token(scope, headers)
        if given is None:
            return _unauthorised("This server needs its token: send Authorization: Bearer TOKEN, or ?token=TOKEN.")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._settings.token.encode()):
            return _unauthorised("The token is wrong; check it.")
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a Host header names this machine; a name that is not ours could be anybody's."""
        name = _host_name(host).lower()
        settings = self._settings
        if not name:
            return False
        if is_loopback(name) or name in {one.lower() for one in (*settings.hosts, settings.host)}:
            return True
        if settings.host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            try:
                ipaddress.ip_address(name)
            except ValueError:
                return False
            return True  # an address cannot be made to point here by its owner
        return False

    def _is_friend(self, origin: str, host: str) -> bool:
        return origin in self._settings.origins or origin.lower() in (
            f"http://{host.lower()}",
            f"https://{host.lower()}",
        )

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await problem_response(problem)(scope, receive, send)
        elif "websocket.http.response" in scope.get("extensions", {}):
            await receive()
            response = problem_response(problem)
            start = {"type": "websocket.http.response.start", "status": problem.status, "headers": response.raw_headers}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": response.body})
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": problem.detail[:100]})

    def _secure(self, path: str, origin: str, headers: MutableHeaders) -> None:
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if path.startswith(_SECURED):
            headers.setdefault("Cache-Control", "no-store")
        if origin and origin in self._settings.origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
            headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE"
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            headers.add_vary_header("Origin")

    def _count(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        """Log and count; the query is left out, because it may hold the token."""
        route = getattr(scope.get("route"), "path", "other")
        method = method if method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "WEBSOCKET") else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        if scope["type"] == "http":
            self._metrics.seconds.labels(route).observe(seconds)
        _log.info("%s %s %d %.0f ms", method, route, status, 1000 * seconds)


def _token(scope: Scope, headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and value:
        return value.strip()
    asked: list[str] = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
    return asked[0] if asked else None


def _unauthorised(detail: str) -> Problem:
    return Problem(401, detail, {"WWW-Authenticate": "Bearer"})


def _host_name(host: str) -> str:
    """The name in a Host header, without the port, the brackets of IPv6 and a final dot; empty if it is not valid.

    The whole header is repeated in the page's policy, so nothing else may stand in it.
    """
    found = _HOST.fullmatch(host)
    return "" if found is None else found[1] or found[2]
