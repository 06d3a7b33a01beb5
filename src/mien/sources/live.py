"""Cameras, streams and standard input: the newest frame, read in a thread of its own."""

from __future__ import annotations

import math
import os
import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from mien.addresses import Address, named
from mien.errors import InputError, InvalidOption, UnreadableMedia
from mien.sources.base import Clock, Source
from mien.sources.cameras import Camera, find_camera
from mien.sources.capture import Capture
from mien.sources.files import FolderSource, open_source
from mien.sources.folders import expand_sources
from mien.sources.link import Feed, Link, LinkSource, Retry
from mien.sources.mjpeg import MjpegFeed, pipe_reader
from mien.sources.streams import SCHEMES, open_stream

_MOST_STUCK = 4  # threads that hang in a driver; one more would only hang beside them
_PIPE_FPS = 25.0


class LiveSource(Capture):
    """The newest frame of a camera or stream.

    A thread reads without pause, so that nothing grows old in a buffer; who asks late gets the newest frame, and the
    indices of those between are missing. A lost connection is made again, and `status` says so meanwhile; so is one
    whose driver hangs, on another thread. Opening is part of the thread: the first `next`, or `ready`, raises what went
    wrong.

    Args:
        connect: makes a connection, or raises InputError; is given an event that ends any waiting.
        name: what the frames say they come from.
        what: what to call it in the status: camera, stream.
        retry: what to do when the connection is lost.
        clock: what times and pauses go by.
    """

    def __init__(
        self,
        connect: Callable[[threading.Event], Feed],
        *,
        name: str,
        what: str = "stream",
        retry: Retry | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._link = Link(connect, name=name, what=what, retry=retry, clock=clock)
        super().__init__(LinkSource(self._link, name=name, is_live=True), self._link.frames())

    def watch(self) -> None:
        """Leave a thread that hangs behind, as no call can be ended from outside; give up when it is time to."""
        if self._link.hangs:
            self._threads[:] = [thread for thread in self._threads if thread.is_alive()]
            if len(self._threads) < _MOST_STUCK:
                silent = "no longer answers" if self._link.has_answered else "does not answer"
                self._link.abandon()
                self._start(self._link.frames(UnreadableMedia(f"{self.name} {silent}.")))
        try:
            self._link.check()
        except UnreadableMedia:
            self.close()
            raise


class CameraSource(LiveSource):
    """A camera of this machine.

    Args:
        camera: its number, from 0, its device, or a part of its name; looked up anew whenever it was lost.
        size_hw: height and width to ask it for; it may give others. None leaves its own.
        fps: frames a second to ask it for.
        retry: what to do when it is lost.
    """

    def __init__(
        self,
        camera: int | str = 0,
        *,
        size_hw: tuple[int, int] | None = None,
        fps: float | None = None,
        retry: Retry | None = None,
    ) -> None:
        spec = str(camera)
        connect = partial(_open_camera, spec, size_hw, fps, retry or Retry())
        name = f"camera {spec}" if spec.isdecimal() else spec
        super().__init__(connect, name=name, what="camera", retry=retry)


class StreamSource(LiveSource):
    """A stream at an address: MJPEG over HTTP, RTSP, RTMP, UDP, HLS, or a video file, which is played at its own pace.

    Args:
        url: with a name and password where needed, `http://name:password@host/path`.
        retry: what to do when it is lost.

    Raises:
        InputError: no such kind of address, or it cannot be told where its password ends.
    """

    def __init__(self, url: str, *, retry: Retry | None = None) -> None:
        address = Address(url)
        if address.scheme not in SCHEMES:
            raise InputError(
                f"An address must start with {', '.join(f'{known}://' for known in SCHEMES)}, got {address.scheme}://; "
                "give one of these, a file, a folder, a camera or - for standard input."
            )
        rule = retry or Retry()
        connect = partial(open_stream, address, stall_s=rule.stall_s, first_s=rule.first_s)
        super().__init__(connect, name=address.shown, what="stream", retry=rule)


class PipeSource(LiveSource):
    """JPEG pictures one after another (MJPEG) from standard input, or another file descriptor that is a pipe.

    Args:
        descriptor: what to read from; standard input when None.
        retry: only its `give_up_s` and `frozen_s` count, for the end of the input is the end.

    Raises:
        InputError: it is a terminal.
    """

    def __init__(self, descriptor: int | None = None, *, retry: Retry | None = None) -> None:
        number = _input() if descriptor is None else descriptor
        rule = replace(retry or Retry(), at_start=False, hang_s=math.inf)  # a writer to a pipe may be slow
        super().__init__(partial(_open_pipe, number), name="standard input", what="input", retry=rule)


def open_live(
    spec: str | Path,
    *,
    size_hw: tuple[int, int] | None = None,
    camera_fps: float | None = None,
    stdin_fps: float | None = None,
    retry: Retry | None = None,
    every_frame: bool = False,
) -> Source:
    """Open whatever can be watched.

    Args:
        spec: number of a camera (`0`), its device (`/dev/video0`) or a part of its name; an address
            (`http://`, `https://`, `rtsp://`, `rtmp://`, `udp://`); `-` for MJPEG on standard input; a folder, glob,
            photo or video.
        size_hw: height and width to ask a camera for; it may give others.
        camera_fps: frames per second to ask a camera for; it may give others.
        stdin_fps: what the times of pictures on standard input go by when they are not of now, frames per second; 25
            when None.
        retry: what to do when a camera or stream is lost.
        every_frame: of pictures on standard input, give each, however long it takes: they are of a file and not of now.
            Files are always given so.

    Returns:
        A source; `is_live` says whether its frames are of now. Of a camera or stream, the first frame or `ready`
        raises what hinders it.

    Raises:
        UnreadableMedia: a file, folder or camera that is not there or cannot be read.
        InputError: an unknown kind of address, a name that fits several cameras, `every_frame` of one that has only
            frames of now, or something asked of the source that does not apply to its kind.
    """
    text = str(spec)
    asked = "size" if size_hw is not None else "rate" if camera_fps is not None else None
    if stdin_fps is not None and text != "-":
        raise InvalidOption(f"The rate of pictures on standard input does not apply to {named(text)}; leave it out.")
    if text == "-":
        _only_cameras(asked, "standard input")
        return _pipe(stdin_fps, retry, every_frame=every_frame)
    if every_frame and ("://" in text or text.isdecimal() or text.startswith("/dev/")):
        raise InvalidOption(
            "A camera or an address delivers its newest frame and cannot wait; every frame is available from "
            f"files and from standard input (-), not from {named(text)}."
        )
    if "://" in text:
        _only_cameras(asked, text)
        return StreamSource(text, retry=retry)
    if not text.isdecimal() and not text.startswith("/dev/"):
        is_several = Path(text).is_dir() or any(sign in text for sign in "*?[")
        if is_several or os.path.lexists(text) or Path(text).suffix or len(Path(text).parts) > 1:
            _only_cameras(asked, text)
            return _folder(text) if is_several else open_source(text)
    if retry is None or not retry.at_start:
        find_camera(text)  # a wrong name is said at once
    return CameraSource(text, size_hw=size_hw, fps=camera_fps, retry=retry)


def _only_cameras(asked: str | None, spec: str) -> None:
    if asked is not None:
        raise InvalidOption(f"Only a camera has a {asked} to set, and {named(spec)} is not one; leave it out.")


def _folder(spec: str) -> Source:
    paths, problems = expand_sources([spec])
    if not paths:
        raise problems[0]
    source = FolderSource(paths, name=spec)
    source.problems.extend(problems)
    return source


def _input() -> int:
    try:
        number = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError) as error:
        raise InputError("There is no standard input to read from; name a camera, address or file.") from error
    if os.isatty(number):
        raise InputError(
            "- reads pictures from standard input, which is the keyboard here; pipe MJPEG into mien, or name a camera, "
            "address or file."
        )
    return number


def _pipe(fps: float | None, retry: Retry | None, *, every_frame: bool) -> Source:
    number = _input()
    if not every_frame and not stat.S_ISREG(os.fstat(number).st_mode):
        return PipeSource(number, retry=retry)
    link = Link(partial(_open_pipe, number), name="standard input", what="input", fps=fps or _PIPE_FPS)
    return LinkSource(link, name="standard input")


def _open_pipe(number: int, stop: threading.Event) -> Feed:
    return MjpegFeed(pipe_reader(number, stop), name="standard input")


def _open_camera(
    spec: str, size_hw: tuple[int, int] | None, fps: float | None, retry: Retry, stop: threading.Event
) -> Feed:
    index = find_camera(spec)
    return Camera(index, size_hw=size_hw, fps=fps, first_s=retry.first_s, stall_s=retry.stall_s, stop=stop)
