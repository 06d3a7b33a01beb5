"""Pictures from an address: MJPEG over HTTP is read here, everything else by OpenCV's FFmpeg."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.addresses import Address
from mien.errors import InputError, UnreadableMedia
from mien.pixels.images import quiet_opencv
from mien.resource import Resource
from mien.sources.cameras import to_rgb
from mien.sources.mjpeg import MjpegFeed

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.request import OpenerDirector

SCHEMES = ("http", "https", "rtsp", "rtmp", "udp")
"""Kinds of address that can be read."""

_CHUNK = 2**16
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtmp": 1935}
_MULTIPART = re.compile(r"multipart/|video/x-(motion-)?m?jpeg|video/mjpeg", re.IGNORECASE)
_WHOLE = 0.9


def open_stream(
    url: str | Address, stop: threading.Event, *, stall_s: float = 5.0, first_s: float = 10.0
) -> MjpegFeed | VideoStream:
    """Connect to an address.

    Args:
        url: its scheme is one of `SCHEMES`; may hold a name and a password.
        stop: set it, from any thread, to end a wait between pictures.
        stall_s: seconds without a picture after which the connection counts as lost.
        first_s: seconds to wait for an answer.

    Raises:
        InputError: no possible address.
        UnreadableMedia: nothing answers there, or no stream that can be read.
    """
    address = Address.of(url)
    if not address.host:
        raise InputError(f"{address} is not a valid address; give one like http://192.168.0.5:8080/video.")
    if address.scheme in ("http", "https"):
        feed = _open_http(address, stall_s=stall_s, first_s=first_s)
        if feed is not None:
            return feed
    return VideoStream(address, stop, stall_s=stall_s, first_s=first_s)


class VideoStream(Resource):
    """A stream that FFmpeg opens. One that is a file, or comes in bursts like HLS, is played at its own pace.

    Args:
        url: the address.
        stop: set it, from any thread, to end a wait between pictures.
        stall_s: seconds without a picture after which the connection counts as lost.
        first_s: seconds to wait for an answer.

    Attributes:
        is_endless: whether it is no file, so that a new connection shows what is there now.

    Raises:
        UnreadableMedia: nothing answers there, or no stream that can be read.
    """

    def __init__(
        self, url: str | Address, stop: threading.Event, *, stall_s: float = 5.0, first_s: float = 10.0
    ) -> None:
        address = Address.of(url)
        self._name = address.shown
        self._stop = stop
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, first_s * 1000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, stall_s * 1000]
        try:
            with quiet_opencv():
                self._capture = cv2.VideoCapture(address.whole(), cv2.CAP_FFMPEG, [round(limit) for limit in limits])
        except cv2.error:
            raise _no_stream(address, first_s) from None  # OpenCV's message may hold the address
        if not self._capture.isOpened():
            raise _no_stream(address, first_s)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._announced = int(count) if math.isfinite(count) and 0 < count < 2**40 else None
        self.is_endless = self._announced is None
        self._is_paced = self._announced is not None or address.path.lower().endswith((".m3u8", ".mpd"))
        self._count = 0
        self._start_s: float | None = None

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, (H, W, 3) uint8 RGB; None at the end of a file, and once `stop` is set.

        Raises:
            UnreadableMedia: the connection is lost.
        """
        try:
            with quiet_opencv():
                there, image = self._capture.read()
        except cv2.error:
            raise UnreadableMedia(f"{self._name} cannot be decoded any further.") from None
        if not there or image is None:
            if self._announced is not None and self._count >= _WHOLE * self._announced:
                return None
            raise UnreadableMedia(f"{self._name} ended unexpectedly.")
        self._count += 1
        if self._is_paced and self._wait():
            return None
        return to_rgb(image)

    def close(self) -> None:
        self._capture.release()

    def _wait(self) -> bool:
        """Until the picture is due by its own time; True when `stop` is set."""
        time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        now_s = time.monotonic()
        if not math.isfinite(time_s):
            return False
        # Late pictures are not caught up on: what the network lost stays lost, as in any player.
        if self._start_s is None or now_s > self._start_s + time_s + 1 or now_s < self._start_s + time_s - 10:
            self._start_s = now_s - time_s
        return self._stop.wait(max(self._start_s + time_s - now_s, 0))


def _open_http(address: Address, *, stall_s: float, first_s: float) -> MjpegFeed | None:
    """A connection if the address gives MJPEG; None if it gives something that FFmpeg may know."""
    from http.client import HTTPException
    from urllib.error import HTTPError

    name = address.shown
    try:
        answer: HTTPResponse = _opener(address).open(address.plain(), timeout=first_s)
    # None of these is passed on: they know the address asked for, with what is secret in its query.
    except HTTPError as error:
        error.close()
        raise _refused(name, error.code) from None
    except (OSError, HTTPException, ValueError) as error:
        raise _unreachable(name, error) from None
    kind = answer.headers.get_content_type()
    if _MULTIPART.match(kind):
        _limit_waits(answer, stall_s)
        return MjpegFeed(
            _reader(answer, name, stall_s), name=name, close=answer.close, stall_s=stall_s, is_endless=True
        )
    answer.close()
    if kind.startswith("text/") and "mpegurl" not in kind:
        raise UnreadableMedia(f"{name} is a page or text, not a stream; give the address of the stream itself.")
    if kind.startswith("image/"):
        raise UnreadableMedia(f"{name} is a single picture, not a stream; give the address of the stream itself.")
    return None


def _reader(answer: HTTPResponse, name: str, stall_s: float) -> Callable[[], bytes | None]:
    from http.client import HTTPException

    def read_bytes() -> bytes | None:
        try:
            return answer.read1(_CHUNK)
        except TimeoutError as error:
            raise UnreadableMedia(f"{name} sent nothing for {stall_s:g} s.") from error
        except (OSError, HTTPException, ValueError) as error:
            raise UnreadableMedia(f"{name} ended unexpectedly.") from error

    return read_bytes


def _limit_waits(answer: HTTPResponse, stall_s: float) -> None:
    """From the answer on, a silence of `stall_s` is a loss; urllib has one limit for both and no door to change it."""
    import socket

    connection = getattr(getattr(answer.fp, "raw", None), "_sock", None)
    if isinstance(connection, socket.socket):
        connection.settimeout(stall_s)


def _opener(address: Address) -> OpenerDirector:
    from urllib import request

    class Close(request.BaseHandler):
        """Closes the answer that asks for a password, which urllib leaves open when it asks again."""

        handler_order = 400

        def http_error_401(self, _request: object, answer: IO[bytes], *_: object) -> None:
            answer.close()

    passwords = request.HTTPPasswordMgrWithDefaultRealm()
    if address.credentials is not None:
        passwords.add_password(None, address.plain().partition("?")[0], *address.credentials)
    basic, digest = request.HTTPBasicAuthHandler(passwords), request.HTTPDigestAuthHandler(passwords)
    opener = request.build_opener(basic, digest, Close)
    opener.addheaders = [("User-Agent", "mien")]
    return opener


def _refused(name: str, code: int) -> UnreadableMedia:
    if code in (401, 403):
        return UnreadableMedia(
            f"{name} asks for a name and password (HTTP {code}); put them into the address: http://name:password@..."
        )
    if code == 404:
        return UnreadableMedia(f"{name} does not exist on its server (HTTP 404); check the address.")
    return UnreadableMedia(f"{name} cannot be read: its server answers HTTP {code}.")


def _unreachable(name: str, error: Exception) -> UnreadableMedia:
    import socket

    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        why = "it does not answer"
    elif isinstance(reason, ConnectionRefusedError):
        why = "nothing listens there"
    elif isinstance(reason, socket.gaierror):
        why = "there is no machine of this name"
    else:
        why = str(getattr(reason, "strerror", None) or "it answers in no way that HTTP knows").lower()
    return UnreadableMedia(f"Cannot reach {name}: {why}; check the address and the network.")


def _no_stream(address: Address, first_s: float) -> UnreadableMedia:
    """Why FFmpeg, which does not say, opened nothing."""
    import socket

    name = address.shown
    if address.scheme == "udp":
        return UnreadableMedia(f"Nothing readable arrived at {name} within {first_s:g} s; check the sender.")
    try:
        port = address.port or _PORTS[address.scheme]
        socket.create_connection((address.hostname, port), timeout=first_s).close()
    except (OSError, ValueError) as error:
        return _unreachable(name, error)
    return UnreadableMedia(
        f"{name} answers, but not with a readable stream; check the path, name and password in the address."
    )
