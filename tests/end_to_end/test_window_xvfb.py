"""The window on a real display: Xvfb is the screen, xdotool the keyboard."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool (apt install both)"
    ),
]

SCREEN_WH = (1280, 800)
PROGRAM = """
import sys, time
from mien.window.window import Command, Status, Window
from mien.artwork.drawings import demo_frame
from mien.scene import Face, Prediction, Scene

def prediction(label):
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    scores = {name: 0.82 if name == label else 0.03 for name in names}
    return Prediction(label=label, confidence=0.82, uncertain=False, probabilities=scores)

def scene(i):
    face = Face(box_xyxy=(180.0, 130.0, 340.0, 310.0), detection_score=0.9, track=1, prediction=prediction("happy"))
    return Scene(source="x", frame=i, time_s=i / 12, size_hw=(480, 640), faces=(face,), image_rgb=demo_frame(30))

def state(window):
    return window.landmarks, window.mirror, window.keys, window.picture().image_rgb.shape[1::-1]

scenes = [scene(i) for i in range(4)]
with Window(title="mien under test") as window:
    last = None
    for i in range(3000):  # a minute
        commands = window.show(scenes[i // 30 % 4], Status(fps=25, latency_ms=40, caption="You look happy."))
        for command in commands:
            print(command.name, flush=True)
        if state(window) != last:
            last = state(window)
            print("landmarks={} mirror={} keys={} size={}x{}".format(*last[:3], *last[3]), flush=True)
        if Command.QUIT in commands:
            break
        time.sleep(0.02)
print("closed", flush=True)
"""


@pytest.fixture
def display(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a screen of its own; what it shows is in the file Xvfb_screen0 of `tmp_path`."""
    screen = f"{SCREEN_WH[0]}x{SCREEN_WH[1]}x24"
    command = [
        "Xvfb",
        "-displayfd",
        "1",
        "-screen",
        "0",
        screen,
        "-nolisten",
        "tcp",
        "-noreset",
        "-fbdir",
        str(tmp_path),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        number = server.stdout.readline().strip()
        try:
            assert number, "Xvfb did not start"
            others = ("SDL_", "WAYLAND_", "XDG_", "DESKTOP_")
            env = {name: value for name, value in os.environ.items() if not name.startswith(others)}
            yield {**env, "DISPLAY": f":{number}", "XDG_RUNTIME_DIR": str(tmp_path)}
        finally:
            server.terminate()


class Session:
    """The program under test, and hands on its keyboard."""

    def __init__(self, program: subprocess.Popen[str], env: dict[str, str]) -> None:
        self.program = program
        self._env = env

    def line(self) -> str:
        assert self.program.stdout is not None
        return self.program.stdout.readline().strip()

    def until(self, wanted: str) -> str:
        """The next line that has the words; the program ends by itself when it never comes."""
        while line := self.line():
            if wanted in line:
                return line
        raise AssertionError(f"the window ended without saying {wanted!r}")

    def xdotool(self, *words: str) -> str:
        command = [str(shutil.which("xdotool")), *words]
        return subprocess.run(command, env=self._env, capture_output=True, text=True, check=False, timeout=20).stdout


@pytest.fixture
def session(display: dict[str, str]) -> Iterator[Session]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=display, stdout=subprocess.PIPE, text=True) as program:
        try:
            found = Session(program, display)
            found.until("size=")
            wait_for(lambda: "mien under test" in found.xdotool("getwindowfocus", "getwindowname"))
            yield found
        finally:
            program.kill()


def test_every_key(session: Session) -> None:
    commands = {"m": "MUTE", "p": "PAUSE", "space": "PAUSE", "s": "SNAPSHOT", "r": "RECORD"}
    commands |= {"e": "EMOTIONS", "g": "GESTURES", "b": "BOTH"}
    for key, name in commands.items():
        session.xdotool("key", key)
        assert session.until(name)
    for key, wanted in (("l", "landmarks=False"), ("f", "mirror=False"), ("h", "keys=True"), ("h", "keys=False")):
        session.xdotool("key", key)
        assert session.until(wanted)
    session.xdotool("key", "F11")
    assert session.until("size={}x{}".format(*SCREEN_WH))
    session.xdotool("key", "F11")
    assert session.until("size=960x540")
    session.xdotool("key", "q")
    assert session.line() == "QUIT"
    assert session.until("closed")
    assert session.program.wait(20) == 0


def test_escape_quits(session: Session) -> None:
    session.xdotool("key", "Escape")
    assert session.line() == "QUIT"
    assert session.line() == "closed"
    assert session.program.wait(20) == 0


def test_a_polite_end_quits(session: Session) -> None:
    session.program.terminate()
    assert session.until("QUIT")
    assert session.line() == "closed"
    assert session.program.wait(20) == 0


def test_what_is_on_the_screen(session: Session, tmp_path: Path) -> None:
    session.xdotool("key", "F11")
    session.until("size={}x{}".format(*SCREEN_WH))

    def is_shown() -> bool:
        screen_rgb = read_screen(tmp_path / "Xvfb_screen0")
        happy = (np.abs(screen_rgb.astype(int) - (240, 228, 66)) <= 3).all(2)
        panel = (screen_rgb[-20:, -100:] == (20, 22, 26)).all(2)
        return screen_rgb.shape == (SCREEN_WH[1], SCREEN_WH[0], 3) and happy.sum() > 3000 and bool(panel.all())

    wait_for(is_shown)


def wait_for(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the window did not come to the screen"
        time.sleep(0.1)


def read_screen(path: Path) -> NDArray[np.uint8]:
    """What Xvfb shows, from its file in the X window dump format (XWDFile.h): (H, W, 3) uint8 RGB."""
    data = path.read_bytes()
    header = struct.unpack(">25I", data[:100])
    header_size, width, height, row_bytes, colours = header[0], header[4], header[5], header[12], header[19]
    start = header_size + 12 * colours
    rows = np.frombuffer(data, np.uint8, height * row_bytes, start).reshape(height, row_bytes)
    return rows[:, : 4 * width].reshape(height, width, 4)[:, :, 2::-1]
