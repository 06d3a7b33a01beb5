"""The environments of the tools: what is installed where, how large it is; and tools that cannot run, and why."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_TENSORFLOW = (
    "tensorflow-cpu>=2.17,<2.20; platform_machine == 'x86_64' or platform_machine == 'AMD64'",
    "tensorflow>=2.17,<2.20; platform_machine != 'x86_64' and platform_machine != 'AMD64'",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """How one is made.

    Args:
        name: of its folder.
        steps: the words of each call of `pip install`.
        note: where they depart from what the tool's own metadata asks for.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]
    note: str = ""


ENVIRONMENTS = {
    one.name: one
    for one in (
        Environment(name="mien", steps=(("-c", str(CHECKOUT / "constraints.txt"), str(CHECKOUT)),)),
        Environment(
            name="fer",
            steps=(
                ("--no-deps", "fer==25.10.3", "facenet-pytorch==2.6.0", "torchvision==0.28.0"),
                ("torch==2.13.0", *_TENSORFLOW, "opencv-python-headless<5", "pillow", "requests", "setuptools<81"),
                ("pandas", "tqdm", "matplotlib", "moviepy<2", "ffmpeg-python"),
            ),
            note="TensorFlow for processors and OpenCV 4 in place of newer ones, without which it does not start; "
            "facenet-pytorch without its limits (torch below 2.3, numpy below 2). Where torchvision does not load "
            "beside a torch for processors, its non-maximum suppression is one in numpy.",
        ),
        Environment(
            name="deepface",
            steps=(
                ("deepface==0.0.103", "mtcnn==1.0.0", "flask", "opencv-contrib-python-headless<5"),
                ("tensorflow-cpu==2.21.0; platform_machine == 'x86_64' or platform_machine == 'AMD64'",),
                ("tensorflow==2.21.0; platform_machine != 'x86_64' and platform_machine != 'AMD64'",),
                ("--no-deps", "tf-keras==2.21.0"),
            ),
            note="TensorFlow for processors with tf-keras, Flask, which it imports without asking for it, and OpenCV "
            "4, for 5 has no Haar cascades.",
        ),
        Environment(name="mediapipe", steps=(("mediapipe==0.10.21", "opencv-python-headless<4.12"),)),
    )
}

NOT_RUN = {
    "deepface 0.0.103, expressions": "downloads its weights at the first call",
    "deepface 0.0.103, detectors retinaface, yunet, centerface, ssd": "download their weights at the first call",
    "deepface 0.0.103, detectors dlib, yolo, fastmtcnn, mediapipe": "need a package that deepface does not install",
}
"""Tools that were tried and cannot be compared offline, and why."""

_SIZE = """
import json
from importlib import metadata
names = sorted({one.metadata["Name"].lower() for one in metadata.distributions()} - {"pip", "setuptools", "wheel"})
print(json.dumps(names))
"""


def python_of(name: str, folder: Path, base: str) -> str:
    """The Python of an environment, which is made when it is not there.

    Args:
        name: of the environment.
        folder: where environments are.
        base: the Python to make it with.
    """
    return str(made_python(folder / name, base, ENVIRONMENTS[name].steps))


def made_python(at: Path, base: str, steps: Sequence[Sequence[str]], *, mark: str = "installed") -> Path:
    """The Python of an environment in a folder, which is made when it is not there.

    Args:
        at: the folder.
        base: the Python to make it with.
        steps: the words of each call of `pip install`.
        mark: the file that says that all is installed.
    """
    python = at / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = at / mark
    if not ready.is_file():
        if base == sys.executable:
            venv.create(at, with_pip=True)
        else:
            subprocess.run([base, "-m", "venv", at], check=True)
        for words in steps:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *words], check=True)
        ready.touch()
    return python


def size_of(python: str) -> dict[str, object]:
    """How many packages an environment has beside pip and setuptools, and its megabytes."""
    told = subprocess.run([python, "-c", _SIZE], check=True, capture_output=True, text=True)
    files = (path for path in Path(python).parents[1].rglob("*") if path.is_file() and not path.is_symlink())
    return {
        "packages": len(json.loads(told.stdout)),
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6),
    }
