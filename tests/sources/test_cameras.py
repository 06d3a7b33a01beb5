from __future__ import annotations

import os
import struct
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import InputError, UnreadableMedia
from mien.sources import cameras
from mien.sources.cameras import Camera, CameraFrames, CameraInfo, find_camera, list_cameras, to_rgb

CAPTURE, METADATA, HAS_DEVICE_CAPS = 0x1, 0x00800000, 0x80000000


class FakeCapture:
    """Stands in for OpenCV's: what `script` says, then failures. True is a picture, False a failed read."""

    script: ClassVar[list[bool]] = []
    opened = True
    picture: NDArray[np.uint8] = np.full((4, 6, 3), (200, 0, 10), np.uint8)
    asked: ClassVar[dict[int, float]] = {}
    backends: ClassVar[list[int]] = []
    in_use = 0

    def __init__(self, _index: int, backend: int = cv2.CAP_ANY) -> None:
        self.backends.append(backend)
        type(self).in_use += 1
        self._has_it = self.opened and self.in_use == 1
        self._left = list(self.script)

    def isOpened(self) -> bool:  # noqa: N802
        return self._has_it

    def set(self, what: int, value: float) -> bool:
        self.asked[what] = value
        return True

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        there = self._left.pop(0) if self._left else False
        return there, self.picture if there else None

    def release(self) -> None:
        type(self).in_use = 0


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> type[FakeCapture]:
    fresh = type("Fresh", (FakeCapture,), {"script": [], "asked": {}, "backends": [], "in_use": 0, "opened": True})
    monkeypatch.setattr(cv2, "VideoCapture", fresh)
    return fresh


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Linux with a webcam of two devices, another camera, and one without permission."""
    if not sys.platform.startswith("linux"):
        pytest.skip("devices of Linux")
    dev, names = tmp_path / "dev", tmp_path / "sys"
    kinds = {0: CAPTURE, 1: METADATA, 2: CAPTURE, 10: CAPTURE, 3: CAPTURE}
    for index, name in {0: "Webcam HD", 1: "Webcam HD", 2: "webcam hd pro", 10: "Grabber"}.items():
        (names / f"video{index}").mkdir(parents=True)
        (names / f"video{index}" / "name").write_text(f"{name}\n")
    dev.mkdir()
    for index in kinds:
        (dev / f"video{index}").touch()
    (dev / "video-codec").touch()
    monkeypatch.setattr(cameras, "_DEV", dev)
    monkeypatch.setattr(cameras, "_SYS", names)
    real = os.open

    def opened(path: Path, flags: int) -> int:
        if Path(path).name == "video3":
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    def ioctl(number: int, request: int, answer: bytearray) -> int:
        assert request == 0x80685600
        index = int(Path(f"/proc/self/fd/{number}").readlink().name[5:])
        struct.pack_into("=II", answer, 84, CAPTURE | METADATA | HAS_DEVICE_CAPS, kinds[index])
        return 0

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr("fcntl.ioctl", ioctl)
    return dev


def test_cameras_are_listed_without_the_devices_that_give_no_pictures(linux: Path) -> None:
    listed = list_cameras()
    assert listed[:2] == [
        CameraInfo(0, "Webcam HD", str(linux / "video0")),
        CameraInfo(2, "webcam hd pro", str(linux / "video2")),
    ]
    assert [(camera.index, camera.name) for camera in listed[2:]] == [(3, "video3"), (10, "Grabber")]
    assert "group video" in str(listed[2].problem)


def test_a_device_that_answers_nothing_is_listed_all_the_same(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ioctl(*_: object) -> int:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    assert [camera.index for camera in list_cameras()] == [0, 1, 2, 3, 10]


@pytest.mark.parametrize(
    ("spec", "index"), [("0", 0), ("7", 7), ("/dev/video12", 12), ("grab", 10), ("WEBCAM HD PRO", 2), ("Webcam hd", 0)]
)
def test_a_camera_is_found_by_number_device_or_name(linux: Path, spec: str, index: int) -> None:
    assert find_camera(spec) == index


def test_a_name_that_fits_none_or_several(linux: Path) -> None:
    with pytest.raises(UnreadableMedia, match="There is no file, folder, address or camera 'kitchen'; `mien doctor`"):
        find_camera("kitchen")
    with pytest.raises(InputError, match=r"0 \(Webcam HD\), 2 \(webcam hd pro\); give a number"):
        find_camera("cam")
    with pytest.raises(UnreadableMedia, match="There is no camera /dev/null"):
        find_camera("/dev/null")


def test_no_list_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert list_cameras() == []
    with pytest.raises(UnreadableMedia, match="by its number"):
        find_camera("FaceTime")


def test_pictures_are_rgb_until_the_cable_is_pulled(capture: type[FakeCapture]) -> None:
    capture.script = [True] * 3
    with Camera(0) as camera:
        for _ in range(3):
            image_rgb = camera.read()
            assert image_rgb is not None
            assert (image_rgb == (10, 0, 200)).all()
        with pytest.raises(UnreadableMedia, match="Camera 0 delivers no more pictures; check its cable"):
            camera.read()
    assert capture.in_use == 0


def test_damaged_pictures_are_passed_over(capture: type[FakeCapture]) -> None:
    capture.script = [False, True, False, False, True, False, True]
    with Camera(0) as camera:
        assert all(camera.read() is not None for _ in range(3))


def test_a_grey_camera_gives_grey_rgb() -> None:
    for shape in ((4, 6), (4, 6, 1)):
        assert (to_rgb(np.full(shape, 77, np.uint8)) == np.full((4, 6, 3), 77)).all()


def test_size_and_rate_are_asked_for_only_when_given(capture: type[FakeCapture]) -> None:
    Camera(0).close()
    assert capture.asked == {}
    Camera(0, size_hw=(480, 640), fps=15).close()
    assert capture.asked == {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480, cv2.CAP_PROP_FPS: 15}
    Camera(0, size_hw=(720, 1280)).close()
    assert capture.asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")


def test_a_camera_that_gives_nothing_is_perhaps_in_use(capture: type[FakeCapture]) -> None:
    with Camera(0, first_s=0.1) as camera, pytest.raises(UnreadableMedia, match="opens but delivers no picture"):
        camera.read()


def test_waiting_for_the_first_picture_ends_at_once(capture: type[FakeCapture]) -> None:
    stop = threading.Event()
    with Camera(0, stop=stop) as camera:
        threading.Timer(0.1, stop.set).start()
        begin_s = time.monotonic()
        assert camera.read() is None
        assert time.monotonic() - begin_s < 2


def test_why_a_camera_does_not_open(linux: Path, capture: type[FakeCapture]) -> None:
    capture.opened = False
    for index, why in {
        0: "Camera 0 is in use by another program",
        1: "video1 delivers no pictures",
        3: "Camera 3 cannot be opened: you have no permission",
        9: "There is no camera 9; `mien doctor` lists the cameras here",
    }.items():
        with pytest.raises(UnreadableMedia, match=why):
            Camera(index)


def test_the_second_of_two_says_in_use(linux: Path, capture: type[FakeCapture]) -> None:
    with Camera(0), pytest.raises(UnreadableMedia, match="in use"):
        Camera(0)
    Camera(0).close()


def test_elsewhere_the_reason_is_not_known(monkeypatch: pytest.MonkeyPatch, capture: type[FakeCapture]) -> None:
    capture.opened = False
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UnreadableMedia, match="There is no camera 0, or another program uses it, or"):
        Camera(0)


def test_windows_tries_the_back_end_that_opens_fast(
    monkeypatch: pytest.MonkeyPatch, capture: type[FakeCapture]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    Camera(0).close()
    assert capture.backends == [cv2.CAP_DSHOW]
    capture.opened = False
    with pytest.raises(UnreadableMedia):
        Camera(0)
    assert capture.backends[1:] == [cv2.CAP_DSHOW, cv2.CAP_ANY]


def test_errors_of_opencv_are_ours(monkeypatch: pytest.MonkeyPatch, capture: type[FakeCapture]) -> None:
    def fail(*_: object) -> None:
        raise cv2.error("inside")

    capture.script = [True]
    with Camera(0) as camera:
        monkeypatch.setattr(capture, "read", fail)
        with pytest.raises(UnreadableMedia, match="no more pictures"):
            camera.read()
    monkeypatch.setattr(cv2, "VideoCapture", fail)
    with pytest.raises(UnreadableMedia):
        Camera(0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="devices of Linux")
def test_a_number_without_a_camera() -> None:
    with pytest.raises(UnreadableMedia, match="There is no camera 63; `mien doctor` lists the cameras here"):
        Camera(63)


class ThreeFrames:
    """Stands in for OpenCV's: three blue frames, then none."""

    def __init__(self, index: int) -> None:
        self.taken = 0
        self.released = False
        self.index = index

    def isOpened(self) -> bool:  # noqa: N802
        return self.index == 0 and not self.released

    def grab(self) -> bool:
        self.taken += 1
        return True

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        self.taken += 1
        if self.taken > 3:
            return False, None
        return True, np.full((4, 4, 3), (200, 0, self.taken), np.uint8)

    def release(self) -> None:
        self.released = True


def test_a_camera_gives_rgb_frames_until_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", ThreeFrames)
    with CameraFrames(0) as camera:
        frames = [next(camera) for _ in range(3)]
        assert [frame.image_rgb[0, 0].tolist() for frame in frames] == [[i, 0, 200] for i in (1, 2, 3)]
        assert [frame.index for frame in frames] == [0, 1, 2]
        with pytest.raises(UnreadableMedia, match="camera 0 gives no more pictures"):
            next(camera)
    with pytest.raises(StopIteration):
        next(camera)


def test_a_camera_may_give_every_second_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", ThreeFrames)
    with CameraFrames(0, every=2) as camera:
        assert [next(camera).index for _ in range(2)] == [0, 2]


def test_a_camera_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", ThreeFrames)
    with pytest.raises(UnreadableMedia, match="Cannot open camera 1"):
        CameraFrames(1)
