"""Pictures from an address: MJPEG over HTTP is read here, everything else by FFmpeg."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.addresses import Address
from mien.errors import InputError, UnreadableMedia
from mien.pixels.planes import ToRgb
from mien.resource import Resource, usable_threads
from mien.sources.ffmpeg import PixelAspect, errors_of_decoding, errors_of_ffmpeg, open_address
from mien.sources.mjpeg import MjpegFeed

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.request import OpenerDirector

    from av.packet import Packet
    from av.video.frame import VideoFrame

SCHEMES = ("http", "https", "rtsp", "rtmp", "udp")
"""Kinds of address that can be read."""

_CHUNK = 2**16
_PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtmp": 1935}
_MULTIPART = re.compile(r"multipart/|video/x-(motion-)?m?jpeg|video/mjpeg", re.IGNORECASE)
_WHOLE = 0.9
_LONGEST_PLAYLIST = 2**20
_NAMED_IN_PLAYLIST = re.compile(r"""(?:^|URI=")[ \t]*([^#/\s":][^/\s":]*):""", re.MULTILINE)


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

    Nothing of this machine is opened, whatever a playlist or a redirection names.

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
        self._stall_s = stall_s
        self._errors, self._decoding_errors = errors_of_ffmpeg(), errors_of_decoding()
        failures: tuple[type[Exception], ...] = (OSError, ValueError, *self._errors)
        try:
            self._container, self._stream = open_address(address, stall_s=stall_s, first_s=first_s)
        except UnreadableMedia:
            raise
        except failures as error:
            raise _no_stream(address, first_s, error) from None  # FFmpeg's message holds the address
        self._length_s = (self._container.duration or 0) / 1e6
        self.is_endless = self._length_s <= 0
        self._is_paced = not self.is_endless or self._container.format.name in ("hls", "dash")
        context = self._stream.codec_context
        # Threads for slices add no delay; those for frames hold one back each.
        context.thread_type, context.thread_count = "AUTO" if self._is_paced else "SLICE", usable_threads()
        self._zero_s = (self._container.start_time or 0) / 1e6
        self._aspect = PixelAspect(self._stream)
        self._to_rgb = ToRgb()
        self._frames = self._decoded()
        self._time_s: float | None = None
        self._start_s: float | None = None

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, (H, W, 3) uint8 RGB; None at the end of a file, and once `stop` is set.

        Raises:
            UnreadableMedia: the connection is lost, or brings no picture for `stall_s`.
        """
        failures: tuple[type[Exception], ...] = (OSError, cv2.error, MemoryError, *self._errors)
        try:
            frame = next(self._frames, None)
            if frame is not None:
                image_rgb = self._to_rgb.convert(frame, self._aspect.of(frame))
        except TimeoutError:
            raise UnreadableMedia(f"{self._name} sent no picture for {self._stall_s:g} s.") from None
        except failures:
            raise UnreadableMedia(f"{self._name} ended unexpectedly.") from None
        if self._stop.is_set():
            return None
        if frame is None:
            if not self.is_endless and (self._time_s or 0) >= _WHOLE * self._length_s:
                return None
            raise UnreadableMedia(f"{self._name} ended unexpectedly.")
        base = self._stream.time_base
        self._time_s = None if frame.pts is None or not base else float(frame.pts * base) - self._zero_s
        if self._is_paced and self._wait():
            return None
        return image_rgb

    def close(self) -> None:
        self._container.close()

    def _decoded(self) -> Iterator[VideoFrame]:
        last_s = time.monotonic()
        for packet in self._packets():
            frames: list[VideoFrame] = []
            if packet is None or packet.stream_index == self._stream.index:
                with suppress(*self._decoding_errors):  # a network loses packets; the next key frame makes good
                    frames = self._stream.codec_context.decode(packet)
            for frame in frames:
                yield frame
                last_s = time.monotonic()
            if self._stop.is_set():
                return
            if time.monotonic() - last_s >= self._stall_s:
                raise TimeoutError

    def _packets(self) -> Iterator[Packet[Any] | None]:
        """What comes; None when the connection breaks off, so that the decoder gives what it has left."""
        packets = self._container.demux()  # of sound too: a picture that stalls is noticed while it goes on
        while True:
            asked_s = time.monotonic()
            packet: Packet[Any] | None = None
            is_over = True
            with suppress(StopIteration, *self._errors):
                packet = next(packets)
                is_over = False
            if time.monotonic() - asked_s >= self._stall_s:  # some containers take a silence for their end
                raise TimeoutError
            yield packet
            if is_over:
                return

    def _wait(self) -> bool:
        """Until the picture is due by its own time; True when `stop` is set."""
        time_s, now_s = self._time_s, time.monotonic()
        if time_s is None:
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
    if "mpegurl" in kind or address.path.lower().endswith(".m3u8"):
        _check_playlist(answer, name)
        return None
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


def _check_playlist(answer: HTTPResponse, name: str) -> None:
    """Refuse a playlist that names anything but other addresses; FFmpeg refuses it too, but does not say why."""
    from http.client import HTTPException

    try:
        with answer:
            text = answer.read(_LONGEST_PLAYLIST).decode("utf-8", errors="replace")
    except (OSError, HTTPException) as error:
        raise _unreachable(name, error) from None
    if any(found[1].lower() not in ("http", "https", "data") for found in _NAMED_IN_PLAYLIST.finditer(text)):
        raise UnreadableMedia(
            f"{name} is a playlist that names files which are not at an address, and those are not opened; give the "
            "address of another one."
        )


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
    if 300 <= code < 400:
        return UnreadableMedia(
            f"{name} redirects to something that is not an http address, which is not opened; give the address of the "
            "stream itself."
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


def _no_stream(address: Address, first_s: float, error: Exception) -> UnreadableMedia:
    """Why FFmpeg opened nothing, as far as it or a look at the port can say."""
    import socket

    from av.error import HTTPForbiddenError, HTTPNotFoundError, HTTPUnauthorizedError

    name = address.shown
    if isinstance(error, HTTPUnauthorizedError | HTTPForbiddenError | HTTPNotFoundError):
        return _refused(name, 404 if isinstance(error, HTTPNotFoundError) else 401)
    if address.scheme == "udp":
        return UnreadableMedia(f"Nothing readable arrived at {name} within {first_s:g} s; check the sender.")
    try:
        port = address.port or _PORTS[address.scheme]
        socket.create_connection((address.hostname, port), timeout=first_s).close()
    except (OSError, ValueError) as trouble:
        return _unreachable(name, trouble)
    return UnreadableMedia(
        f"{name} answers, but not with a readable stream; check the path, name and password in the address."
    )
