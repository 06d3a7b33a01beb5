"""Standard output that is full, closed, or left by its reader is told as any other output, whichever verb prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

VERBS = ["--version", "--help", "recipes", "models"]


def _mien(verb: str, redirection: str) -> subprocess.CompletedProcess[str]:
    script = f'exec "$0" -m mien {verb} {redirection}'
    return subprocess.run(["/bin/sh", "-c", script, sys.executable], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_a_sentence(verb: str) -> None:
    ended = _mien(verb, ">/dev/full")
    assert ended.returncode == 1
    assert ended.stderr.startswith("mien: Cannot write to stdout: the disk is full")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_a_reader_that_left_is_no_error(verb: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        words = [sys.executable, "-m", "mien", verb]
        ended = subprocess.run(words, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_stdout_that_is_closed_is_a_sentence() -> None:
    ended = _mien("recipes", ">&-")
    assert ended.returncode == 1
    assert ended.stderr == "mien: Cannot write to stdout: nothing is open there; name a file.\n"


def test_a_sentence_for_a_closed_stderr_is_lost_and_nothing_else() -> None:
    ended = _mien("report missing.csv", "2>&-")
    assert (ended.returncode, ended.stdout) == (1, "")


def test_a_file_gets_no_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from mien.cli.console.standard_streams import open_closed_streams\n"
        "for number in (0, 1, 2): os.close(number)\n"
        "open_closed_streams()\n"
        "number = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)\n"
        "os.write(number, str(number).encode())\n"
    )
    target = tmp_path / "records"
    subprocess.run([sys.executable, "-c", code, str(target)], check=True, timeout=60)
    assert int(target.read_text()) > 2
