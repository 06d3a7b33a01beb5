"""Where the `mien` command starts: an interruption while it still loads ends it without a traceback."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130
"""What a command ends with that was interrupted, as shells have it."""


def run() -> None:
    """Entry point of the `mien` command."""
    _begin_in_utf8()
    try:
        from mien.cli.main import run as run_verbs  # takes a second on a busy machine

        run_verbs()
    except KeyboardInterrupt:
        sys.stderr.write("mien: interrupted before anything was done.\n")
        raise SystemExit(INTERRUPTED) from None


def _begin_in_utf8() -> None:
    """Start anew in Python's UTF-8 mode if names of files would be ASCII: LANG=C with PYTHONUTF8=0, which otherwise
    breaks on the first Chinese name, here or in a library. Python does this itself where nobody forbids it."""
    if sys.getfilesystemencoding() != "ascii" or not sys.executable or getattr(sys, "frozen", False):
        return
    os.environ["PYTHONUTF8"] = "1"  # for the processes that mien starts
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
