"""Cameras of this machine: which ones there are, and pictures from one of them through OpenCV."""

from __future__ import annotations

import os
import re
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.addresses import named
from mien.errors import InputError, UnreadableMedia
from mien.pixels.quiet import quiet_opencv
from mien.resource import Resource
from mien.scene import Frame
from mien.sources.base import Kind, Source

PROBED = 5
"""Camera numbers to try if the system gives no list."""

_DEV = Path("/dev")
_SYS = Path("/sys/class/video4linux")
_DEVICE = re.compile(r"video(\d+)")
_FAILURES = 10
_AGAIN_S = 0.05

# From linux/videodev2.h: the request, its answer (driver, card, bus, version, capabilities, device_caps), its flags.
_QUERYCAP, _CAPABILITY = 0x80685600, struct.Struct("=16s32s32sIII12x")
_CAPTURES, _HAS_DEVICE_CAPS = 0x00000001 | 0x00001000, 0x80000000


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera that the system lists.

    Args:
        index: its number.
        name: its name, as given by its maker.
        path: its device.
        problem: why it cannot be used, as a clause; None if no problem is known.
    """

    index: int
    name: str
    path: str
    problem: str | None = None


def has_camera_list() -> bool:
    """Whether this system lists its cameras without switching one on; Linux does."""
    return sys.platform.startswith("linux")


def list_cameras() -> list[CameraInfo]:
    """Cameras that this system lists, without switching them on; empty if it has no list.

    Devices that deliver no pictures, like the second device of most webcams, are left out.
    """
    if not has_camera_list():
        return []
    numbers = sorted(int(found[1]) for path in _DEV.glob("video*") if (found := _DEVICE.fullmatch(path.name)))
    cameras = []
    for index in numbers:
        path = _DEV / f"video{index}"
        captures, problem = _captures(path)
        if captures is not False:
            cameras.append(CameraInfo(index, _name(path), str(path), problem))
    return cameras


def find_camera(spec: str) -> int:
    """Number of the camera that is meant.

    Args:
        spec: its number, its device, a link to its device, or part of its name in any case.

    Raises:
        UnreadableMedia: no camera matches; a number may still work if the system has no list.
        InputError: several match.
    """
    if spec.isdecimal():
        return int(spec)
    if spec.startswith("/dev/"):
        found = _DEVICE.fullmatch(Path(spec).resolve().name)
        if found:
            return int(found[1])
        raise UnreadableMedia(f"There is no camera {named(spec)}; `mien doctor` lists the cameras here.")
    fitting = [camera for camera in list_cameras() if spec.casefold() in camera.name.casefold()]
    exact = [camera for camera in fitting if spec.casefold() == camera.name.casefold()]
    if len(exact or fitting) > 1:
        several = ", ".join(f"{camera.index} ({camera.name})" for camera in exact or fitting)
        raise InputError(f"{named(spec)!r} matches the cameras {several}; give a number.")
    if not fitting:
        more = "" if has_camera_list() else " On this system give a camera by its number, 0 for the first."
        raise UnreadableMedia(
            f"There is no file, folder, address or camera {named(spec)!r}; `mien doctor` lists the cameras here.{more}"
        )
    return (exact or fitting)[0].index


class Camera(Resource):
    """Pictures of a camera, each as soon as it is there.

    Args:
        index: its number, from 0.
        size_hw: height and width to ask for; it may give others. None leaves its own.
        fps: pictures a second to ask for.
        first_s: how long to wait for the first picture.
        stall_s: how long to wait for one after that.
        stop: set it, from any thread, to end a wait.

    Attributes:
        is_endless: always.

    Raises:
        UnreadableMedia: it is missing, or cannot be opened.
    """

    is_endless = True

    def __init__(
        self,
        index: int,
        *,
        size_hw: tuple[int, int] | None = None,
        fps: float | None = None,
        first_s: float = 10.0,
        stall_s: float = 5.0,
        stop: threading.Event | None = None,
    ) -> None:
        self._index = index
        self._first_s = first_s
        self._stall_s = stall_s
        self._stop = stop or threading.Event()
        self._is_new = True
        # V4L2 waits 10 s for a picture of a camera that has stalled; OpenCV reads this once, at the first wait.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
        with quiet_opencv():
            self._capture = _open(index)
            if not self._capture.isOpened():
                raise _unopened(index)
            _ask(self._capture, size_hw, fps)

    def read(self) -> NDArray[np.uint8] | None:
        """The next picture, (H, W, 3) uint8 RGB; None once `stop` is set.

        Raises:
            UnreadableMedia: there is none for too long.
        """
        begin_s, failures = time.monotonic(), 0
        while not self._stop.is_set():
            try:
                with quiet_opencv():
                    there, image = self._capture.read()
            except cv2.error as error:
                raise self._lost() from error
            if there and image is not None:
                self._is_new = False
                return to_rgb(image)
            failures += 1
            waited_s = time.monotonic() - begin_s
            if self._is_new and waited_s >= self._first_s:
                raise UnreadableMedia(
                    f"Camera {self._index} opens but delivers no picture; close other programs that may be using it."
                )
            if not self._is_new and (failures >= _FAILURES or waited_s >= self._stall_s):
                raise self._lost()
            if self._is_new:
                self._stop.wait(_AGAIN_S)
        return None

    def skip(self) -> None:
        """Pass over a picture without converting it."""
        self._capture.grab()

    def close(self) -> None:
        self._capture.release()

    def _lost(self) -> UnreadableMedia:
        return UnreadableMedia(f"Camera {self._index} delivers no more pictures; check its cable.")


def to_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    """What OpenCV's capture gives, (H, W, 3) BGR or one channel, as (H, W, 3) uint8 RGB."""
    is_grey = image.ndim == 2 or image.shape[2] == 1
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB if is_grey else cv2.COLOR_BGR2RGB), np.uint8)


def _open(index: int) -> cv2.VideoCapture:
    try:
        if sys.platform == "win32":
            # The default there, Media Foundation, takes many seconds to open some cameras (opencv/opencv#17687).
            capture = cv2.VideoCapture(index, cv2.CAP_DSHOW)
            if capture.isOpened():
                return capture
        return cv2.VideoCapture(index)
    except cv2.error as error:
        raise _unopened(index) from error


def _ask(capture: cv2.VideoCapture, size_hw: tuple[int, int] | None, fps: float | None) -> None:
    """The buffer stays as it is: it is emptied without pause, and a driver with one slot only halves its rate."""
    with suppress(cv2.error):  # some back ends refuse what they do not know
        if size_hw is not None:
            if size_hw[0] > 480:  # over USB 2, larger pictures come at full rate only when compressed
                capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, size_hw[1])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size_hw[0])
        if fps is not None:
            capture.set(cv2.CAP_PROP_FPS, fps)


def _unopened(index: int) -> UnreadableMedia:
    if not has_camera_list():
        return UnreadableMedia(
            f"There is no camera {index}, or another program uses it, or this program may not use cameras; "
            "`mien doctor --cameras` tries the cameras here."
        )
    path = _DEV / f"video{index}"
    if not path.exists():
        return UnreadableMedia(f"There is no camera {index}; `mien doctor` lists the cameras here.")
    captures, problem = _captures(path)
    if problem:
        return UnreadableMedia(f"Camera {index} cannot be opened: {problem}.")
    if captures is False:
        return UnreadableMedia(f"{path} delivers no pictures; `mien doctor` lists the cameras that do.")
    return UnreadableMedia(f"Camera {index} is in use by another program; close it, or name another camera.")


def _captures(path: Path) -> tuple[bool | None, str | None]:
    """Whether a device of Linux gives pictures, None when unknown, and what hinders it; this switches nothing on."""
    import fcntl

    try:
        number = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        return None, "you have no permission; add yourself to the group video, then log in again"
    except OSError as error:
        return None, (error.strerror or str(error)).lower()
    answer = bytearray(_CAPABILITY.size)
    try:
        fcntl.ioctl(number, _QUERYCAP, answer)
    except OSError:
        return None, None
    finally:
        os.close(number)
    *_, capabilities, device = _CAPABILITY.unpack(answer)
    return bool((device if capabilities & _HAS_DEVICE_CAPS else capabilities) & _CAPTURES), None


def _name(path: Path) -> str:
    try:
        return (_SYS / path.name / "name").read_text(encoding="utf-8", errors="replace").strip() or path.name
    except OSError:
        return path.name


class CameraFrames(Source):
    """Frames of a camera of this machine, until it is closed.

    Args:
        index: of the camera, from 0.
        every: give every N-th frame.

    Raises:
        UnreadableMedia: it cannot be opened.
    """

    kind: Kind = "video"

    def __init__(self, index: int, *, every: int = 1) -> None:
        self.name = f"camera {index}"
        self._every = every
        self._index = 0
        self._is_closed = False
        try:
            self._camera = Camera(index)
        except UnreadableMedia as problem:
            raise UnreadableMedia(f"Cannot open {self.name}. {problem}") from problem

    def __next__(self) -> Frame:
        if self._is_closed:
            raise StopIteration
        try:
            for _ in range((self._every if self._index else 1) - 1):
                self._camera.skip()
            image_rgb = self._camera.read()
        except UnreadableMedia as problem:
            raise UnreadableMedia(f"{self.name} gives no more pictures; what came before is kept.") from problem
        if image_rgb is None:
            raise StopIteration
        frame = Frame(image_rgb, self._index, source=self.name)
        self._index += self._every
        return frame

    def close(self) -> None:
        self._is_closed = True
        self._camera.close()
