from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mien
from mien.models.artifact import zoo_names
from mien.pixels.images import write_image
from mien.stages.classify import EMOTION_MODEL, GESTURE_MODEL

HEAVY = ("torch", "cv2", "onnxruntime", "numpy", "pandas", "rich", "typer")

NO_SOCKETS = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit(f"{event} {arguments}")

sys.addaudithook(refuse)
"""


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def _public_names() -> set[str]:
    """What the type checker sees: the imports under TYPE_CHECKING."""
    tree = ast.parse(Path(mien.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_all_is_sorted_and_complete() -> None:
    # Constants, classes, functions: the order that ruff keeps.
    assert mien.__all__ == sorted(mien.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert set(mien.__all__) == _public_names()
    assert set(mien.__all__) <= set(dir(mien))


@pytest.mark.parametrize("name", mien.__all__)
def test_every_public_name_resolves_to_its_home(name: str) -> None:
    value = getattr(mien, name)
    assert getattr(value, "__name__", name) == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="lok"):
        mien.lok  # noqa: B018


def test_import_is_light() -> None:
    done = run_python(f"import sys, mien; print([name for name in {HEAVY} if name in sys.modules])")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_import_is_quick() -> None:
    def seconds() -> float:
        code = "import time; start = time.perf_counter(); import mien; print(time.perf_counter() - start)"
        return float(run_python(code).stdout)

    assert min(seconds() for _ in range(3)) < 0.3


def test_the_refusal_of_sockets_works() -> None:
    done = run_python(NO_SOCKETS + "import socket; socket.create_connection(('127.0.0.1', 9))")
    assert done.returncode == 1
    assert "socket." in done.stderr


def test_no_socket_is_opened_by_import() -> None:
    done = run_python(NO_SOCKETS + "import mien, mien.pipeline, mien.cli.main; print('done')")
    assert done.stdout == "done\n", done.stderr


@pytest.mark.skipif(
    not {EMOTION_MODEL, GESTURE_MODEL} <= set(zoo_names()), reason="the package's own models are not trained yet"
)
def test_looking_at_a_picture_needs_neither_a_network_nor_torch(tmp_path: Path) -> None:
    photo = tmp_path / "noise.png"
    write_image(photo, np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8))
    code = NO_SOCKETS + (
        "import mien; scene = mien.look(sys.argv[1]);"
        "print(scene.size_hw, [n for n in ('torch', 'lightning', 'kornia', 'sklearn', 'pandas') if n in sys.modules])"
    )
    start = time.monotonic()
    done = run_python(code, str(photo))
    assert done.stdout == "(120, 160) []\n", done.stderr
    assert time.monotonic() - start < 60
