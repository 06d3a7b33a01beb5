"""Ctrl-C while the command still loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

_INTERRUPTED_WHILE_LOADING = """
import sys
class Interrupts:
    def find_spec(self, name, *others):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
sys.argv = ["mien", "--version"]
"""


@pytest.mark.parametrize("door", ["from mien.cli.start import run; run()", "import mien.__main__"])
def test_an_interruption_while_loading_is_a_sentence(door: str) -> None:
    code = _INTERRUPTED_WHILE_LOADING + door
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (130, "mien: interrupted before anything was done.\n")
