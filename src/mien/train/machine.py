"""The machine that trains: its description, and how its memory is used."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mien.words import kept

if TYPE_CHECKING:
    import lightning as L

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # of glibc's malloc.h
_KEPT_BELOW = 2**30
_KEPT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, up to 2 GB, instead of giving it back at once.

    A training step frees its activations and the next one needs just as much again. glibc returns large blocks to the
    system, which then clears every page again: up to a third of a step on a CPU. Nothing is changed except on Linux
    with glibc.

    Returns:
        Whether it was changed.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    return all([mallopt(_MMAP_THRESHOLD, _KEPT_BELOW), mallopt(_TRIM_THRESHOLD, _KEPT)])


def what_trained(trainer: L.Trainer) -> str:
    """What trained, in words: the accelerator, or the number of processor cores torch used."""
    if trainer.strategy.root_device.type == "cuda":
        return f"{trainer.num_devices} x {torch.cuda.get_device_name(trainer.strategy.root_device)}"
    cores = kept("kept.machine_cores", n=torch.get_num_threads(), machine=platform.machine())
    processes = trainer.num_devices * trainer.num_nodes
    return cores if processes == 1 else kept("kept.machine_processes", processes=processes, cores=cores)


def commit() -> str:
    """The commit of the source this runs from, with a plus if files differ from it; empty for an installed copy."""
    here = Path(__file__).parent
    git = shutil.which("git")
    if git is None:
        return ""
    asked = [
        subprocess.run([git, "-C", here, *words], capture_output=True, text=True, check=False)
        for words in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain", "--untracked-files=no", here))
    ]
    if any(answer.returncode for answer in asked):
        return ""
    return asked[0].stdout.strip() + ("+" if asked[1].stdout.strip() else "")
