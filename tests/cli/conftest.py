from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.cli.main import main
from mien.models.artifact import write_artifact, zoo_artifact
from mien.outputs.video import VideoWriter
from mien.pixels.images import write_image


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def sentences(self) -> list[str]:
        """Lines of stderr, each of which has to be one of ours."""
        return self.err.splitlines()


@pytest.fixture
def mien(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs the command in this process; everything the file descriptors get is caught, C libraries' chatter too."""

    def run(*words: object) -> Ended:
        capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        finally:
            # The command logs to the stderr of this test, which is closed after it.
            logging.basicConfig(handlers=[logging.NullHandler()], force=True)
            logging.getLogger("mien").setLevel(logging.NOTSET)  # `mien train` says more for the rest of its process
        caught = capfd.readouterr()
        return Ended(code, caught.out, caught.err)

    return run


@pytest.fixture
def eight_emotions(tmp_path: Path) -> Path:
    """A model folder that answers with contempt too: the package's, with all its outputs."""
    own = zoo_artifact("emotion_ferplus")
    every = replace(own.manifest, left_out=())
    return write_artifact(tmp_path / "eight", own.model_path.read_bytes(), every, own.card).folder


@pytest.fixture
def mien_process() -> Callable[..., subprocess.Popen[str]]:
    """Starts the command as a process of its own."""

    def start(*words: object, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mien", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            # Shells let their background jobs ignore Ctrl-C, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start


@pytest.fixture
def mien_without() -> Callable[..., Ended]:
    """Runs the command in a process of its own in which a module cannot be imported."""

    def run(module: str, *words: object) -> Ended:
        program = (
            "import sys; sys.modules[sys.argv[1]] = None; from mien.cli.main import main; sys.exit(main(sys.argv[2:]))"
        )
        command = [sys.executable, "-c", program, module, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def drawn() -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: a drawn picture with a face and a hand that the detectors find."""
    from mien.artwork.drawings import demo_frame

    return np.asarray(demo_frame(30), np.uint8)


@pytest.fixture
def photo(tmp_path: Path, drawn: NDArray[np.uint8]) -> Path:
    """A good photo."""
    path = tmp_path / "good.png"
    write_image(path, drawn)
    return path


@pytest.fixture
def short_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """`mien demo` draws a clip of few frames."""
    monkeypatch.setattr("mien.artwork.drawings.CLIP_FRAMES", 3)


@pytest.fixture
def clip(tmp_path: Path, drawn: NDArray[np.uint8]) -> Path:
    """A good video of 12 frames at 6 frames a second."""
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 6.0, drawn.shape[:2]) as video:
        for shift in range(12):
            video.write(np.roll(drawn, 4 * shift, axis=1))
    return path


@pytest.fixture
def long_clip(tmp_path: Path, drawn: NDArray[np.uint8]) -> Path:
    """A good video of 400 frames: longer than a test wants to wait for."""
    path = tmp_path / "long.mp4"
    with VideoWriter(path, 10.0, drawn.shape[:2]) as video:
        for i in range(400):
            video.write(np.roll(drawn, i % 50, axis=1))
    return path


@pytest.fixture
def broken_clip(tmp_path: Path, drawn: NDArray[np.uint8]) -> Path:
    """A video of 60 frames cut off in the middle; AVI, whose index is at the end, can be read so far."""
    import cv2

    path = tmp_path / "broken.avi"
    height, width = drawn.shape[0] // 2, drawn.shape[1] // 2
    small = cv2.cvtColor(cv2.resize(drawn, (width, height)), cv2.COLOR_RGB2BGR)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (width, height))
    for i in range(60):
        writer.write(np.roll(small, i, axis=1))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path
