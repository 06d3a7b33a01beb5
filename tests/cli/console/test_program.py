"""What `mien` suggests can be typed as it stands, however it was called."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.cli.console.program import program

Called = Callable[..., str]


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Called:
    """What `program` answers in an environment `my env/bin` when it was started by a path, with folders on the PATH."""
    for folder in ("my env/bin", "other", "empty"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("my env/bin/mien", "my env/bin/python", "other/mien", "other/python"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)

    def answer(argv0: str, *on_path: str, cwd: str = "empty") -> str:
        monkeypatch.chdir(tmp_path / cwd)
        monkeypatch.setattr(sys, "argv", [argv0.format(tmp_path)])
        monkeypatch.setattr(sys, "executable", str(tmp_path / "my env/bin/python"))
        monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / folder) for folder in on_path))
        return program().replace(str(tmp_path), "{}")

    return answer


def test_the_name_where_a_shell_finds_this_very_one(called: Called) -> None:
    for argv0 in ("{}/my env/bin/mien", "{}/my env/lib/mien/__main__.py"):
        assert called(argv0, "empty", "my env/bin", "other") == "mien"


@pytest.mark.parametrize("on_path", [(), ("empty",), ("other", "my env/bin")])
def test_its_path_where_a_shell_finds_none_or_another(called: Called, on_path: tuple[str, ...]) -> None:
    assert called("{}/my env/bin/mien", *on_path) == "'{}/my env/bin/mien'"
    assert called("my env/bin/mien", *on_path, cwd=".") == "'my env/bin/mien'"
    assert called("{}/my env/bin/mien", *on_path, cwd="my env") == "bin/mien"


def test_python_where_that_started_it(called: Called) -> None:
    main = "{}/my env/lib/mien/__main__.py"
    assert called(main, "empty") == "'{}/my env/bin/python' -m mien"
    assert called(main, "other", "my env/bin", cwd="my env") == "bin/python -m mien"
    Path("bin/mien").unlink()
    assert called(main, "my env/bin") == "python -m mien"


@pytest.mark.slow
def test_what_the_demo_suggests_works_without_mien_on_the_path(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("mien")
    nowhere = {**os.environ, "PATH": "/usr/bin:/bin"}
    for start in ([str(script)], [sys.executable, "-m", "mien"]):
        cwd = tmp_path / str(len(start))
        cwd.mkdir()
        done = subprocess.run([*start, "demo"], cwd=cwd, env=nowhere, capture_output=True, text=True, check=True)
        _, _, suggested = done.stdout.partition("Next, try:\n")
        commands = [shlex.split(line) for line in suggested.splitlines()]
        assert [command[: len(start)] for command in commands] == [start] * 3
        looked = subprocess.run(commands[1], cwd=cwd, env=nowhere, capture_output=True, text=True, check=True)
        assert looked.stdout.startswith('{"source": "mien-demo/people.png"')
