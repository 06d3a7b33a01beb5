from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien.environment import TELEMETRY
from mien.models.artifact import zoo_artifact
from mien.models.onnx_runtime import onnx_runtime
from mien.models.session import Session

SET_BY_MIEN = (TELEMETRY, "MPLCONFIGDIR", "PULSE_COOKIE", "PULSE_RUNTIME_PATH")

FAKE = """
import os
told = os.environ.get("ORT_DISABLE_TELEMETRY")
def disable_telemetry_events(): pass
"""
"""Stands in for onnxruntime: it remembers what the variable was when it was imported."""


def run(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "onnxruntime.py").write_text(FAKE, "utf-8")
    plain = {name: value for name, value in os.environ.items() if name not in SET_BY_MIEN}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**plain, "PYTHONPATH": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


BY_MIEN = """
import logging, os, subprocess, sys
logging.basicConfig(format="%(message)s")
from mien.models.onnx_runtime import onnx_runtime
print(onnx_runtime().told, flush=True)
subprocess.run([sys.executable, "-c", "import os; print(os.environ['ORT_DISABLE_TELEMETRY'])"], check=True)
onnx_runtime()
"""


def test_the_variable_is_set_before_the_import_and_for_children(tmp_path: Path) -> None:
    done = run(BY_MIEN, tmp_path)
    assert (done.stdout, done.stderr) == ("1\n1\n", "")


def test_the_users_own_value_gives_way_and_that_is_said_once(tmp_path: Path) -> None:
    done = run(BY_MIEN, tmp_path, ORT_DISABLE_TELEMETRY="0")
    assert done.stdout == "1\n1\n"
    assert done.stderr.count("\n") == 1
    assert "ORT_DISABLE_TELEMETRY was '0'; mien sets it to 1, so that nothing is reported" in done.stderr


def test_an_import_by_somebody_else_before_is_said_once(tmp_path: Path) -> None:
    done = run("import onnxruntime\n" + BY_MIEN, tmp_path)
    assert done.stdout == "None\n1\n"
    assert done.stderr.count("\n") == 1
    assert "onnxruntime was imported before mien and without ORT_DISABLE_TELEMETRY=1" in done.stderr


def test_an_import_before_with_the_variable_is_well(tmp_path: Path) -> None:
    done = run("import onnxruntime\n" + BY_MIEN, tmp_path, ORT_DISABLE_TELEMETRY="1")
    assert (done.stdout, done.stderr) == ("1\n1\n", "")


def test_import_of_mien_sets_no_variable(tmp_path: Path) -> None:
    code = f"import os, mien, mien.pipeline, mien.cli.main; print([n for n in {SET_BY_MIEN} if n in os.environ])"
    assert run(code, tmp_path).stdout == "[]\n"


def test_windows_is_told_by_its_own_door(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    monkeypatch.setattr(onnx_runtime(), "disable_telemetry_events", lambda: told.append(True))
    Session(zoo_artifact("face_centerface")).close()
    assert told
