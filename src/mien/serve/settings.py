"""What a server is told: where it listens, who may talk to it, what it looks for, and its limits."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from mien.addresses import named
from mien.errors import InputError
from mien.pipeline import Options
from mien.voice.responses import Responses

LEAST_TOKEN = 16
"""Fewest characters of a token."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may ask for, and all of them together.

    Args:
        picture_bytes: largest picture, as it arrives.
        picture_pixels: largest picture, in pixels; a larger one is refused before it is decoded.
        video_bytes: largest video.
        requests: most pictures read and waiting to be read at the same time; more get 503.
        live: most live connections, and most viewers of `--watch`; more get 503.
        jobs: most videos that wait for their turn; more get 503.
        results: most jobs that have ended and are kept; the oldest makes room for the next.
        body_s: seconds in which a picture must have arrived, and the longest pause within a video.
        send_s: seconds after which a client that does not take its answer is dropped.
        kept_s: seconds for which the result of a video is kept.
    """

    picture_bytes: int = 20_000_000
    picture_pixels: int = 50_000_000
    video_bytes: int = 2_000_000_000
    requests: int = 64
    live: int = 32
    jobs: int = 8
    results: int = 100
    body_s: float = 30.0
    send_s: float = 10.0
    kept_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """How a server runs.

    Args:
        host: the address to listen at.
        port: the port; 0 takes a free one.
        token: what every client must know; required unless `host` is a loopback address.
        hosts: further names by which clients may call this machine, e.g. that of a reverse proxy.
        origins: pages of other origins, `https://example.org`, that may call this server and show its page in a frame.
        options: what to look for, with which models.
        responses: the sentences.
        idle_s: seconds without work after which the models are released; None keeps them.
        watch: a camera, video or stream of this machine that is shown to all clients.
        limits: what may be asked for.

    Raises:
        InputError: a token, host or origin is not valid, or a token is missing.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    responses: Responses = field(default_factory=Responses.load)
    idle_s: float | None = None
    watch: str | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.token is None and not self.is_loopback:
            raise InputError(
                f"At {named(self.host)} other machines can reach this server, so it needs a token: give --token or "
                "--token-file, or listen at 127.0.0.1."
            )
        if self.token is not None and (len(self.token) < LEAST_TOKEN or not _TOKEN.fullmatch(self.token)):
            raise InputError(
                f"A token must have at least {LEAST_TOKEN} characters, each a letter, a digit or one of . _ ~ + / = -; "
                'make one with: python -c "import secrets; print(secrets.token_urlsafe())"'
            )
        for host in self.hosts:
            if not (_NAME.fullmatch(host) or _is_address(host)):
                raise InputError(f"A host must be a name or address without port or path, got {named(host)!r}.")
        origins = tuple(map(_as_browsers_send_it, self.origins))
        for origin, given in zip(origins, self.origins, strict=True):
            if not _ORIGIN.fullmatch(origin):
                raise InputError(f"An origin must be like https://example.org, without a path, got {named(given)!r}.")
        object.__setattr__(self, "origins", origins)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def address(self) -> str:
        """Of the page, for a browser on this machine."""
        anywhere = self.host in ("", "0.0.0.0", "::")  # noqa: S104
        host = "127.0.0.1" if anywhere else self.host
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"


def is_loopback(host: str) -> bool:
    """Whether a name or address always means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _as_browsers_send_it(origin: str) -> str:
    """Lower case, and without the port that its scheme has anyway."""
    lower = origin.lower()
    usual = {"http": ":80", "https": ":443"}.get(lower.partition("://")[0], "")
    return lower.removesuffix(usual)


def read_token(path: Path) -> str:
    """The token in a file, without the line end.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return path.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is not text").lower()
        raise InputError(f"The token file {named(path)} cannot be read: {reason}; write the token into it.") from error
