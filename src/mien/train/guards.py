"""Guards around a run: errors become sentences, and advice that does not apply is not printed."""

from __future__ import annotations

import errno
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.multiprocessing.spawn import ProcessRaisedException

from mien import errors
from mien.files.targets import output_error


@contextmanager
def interruptions() -> Iterator[None]:
    """Lightning turns Ctrl-C and termination requests into an exit of the whole program; a caller may want to go on."""
    try:
        yield
    except SystemExit as exc:
        raise KeyboardInterrupt from exc


@contextmanager
def of_processes() -> Iterator[None]:
    """An error in one of several training processes arrives as text with a traceback; its sentence is raised."""
    try:
        yield
    except ProcessRaisedException as exc:
        last = str(exc).strip().splitlines()[-1]
        kind, _, sentence = last.partition(": ")
        known = getattr(errors, kind.rpartition(".")[2], None) if kind.startswith("mien.errors.") else None
        if known is None or not sentence:
            raise
        raise known(sentence) from exc


@contextmanager
def disk_errors(out: Path) -> Iterator[None]:
    """A checkpoint that cannot be written ends the run with a sentence; Lightning leaves the previous one untouched."""
    try:
        yield
    except OSError as exc:
        raise output_error(out / "checkpoints", exc) from exc
    except RuntimeError as exc:
        # torch.save maps system errors to its own RuntimeError.
        if "PytorchStreamWriter" in str(exc) or "iostream error" in str(exc):
            raise output_error(out / "checkpoints", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from exc
        raise


@contextmanager
def quiet() -> Iterator[None]:
    """Silence advice that does not apply to tensors in memory, one log line per epoch or a resumed folder."""
    levels = {name: logging.getLogger(name).level for name in ("lightning.pytorch", "lightning.fabric")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for text in (
                ".*does not have many workers.*",
                ".*smaller than the logging interval.*",
                ".*Checkpoint directory .* exists and is not empty.*",
                ".*GPU available but not used.*",
                ".*isinstance.*treespec.*",
                ".*in eval mode at the start of training.*",  # frozen layers, on purpose
            ):
                warnings.filterwarnings("ignore", text)
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
