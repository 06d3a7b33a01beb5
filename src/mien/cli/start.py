"""Where the `mien` command starts: an interruption while it still loads ends it without a traceback."""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""What a command ends with that was interrupted, as shells have it."""


def run() -> None:
    """Entry point of the `mien` command."""
    try:
        from mien.cli.main import run as run_verbs  # takes a second on a busy machine

        run_verbs()
    except KeyboardInterrupt:
        sys.stderr.write("mien: interrupted before anything was done.\n")
        raise SystemExit(INTERRUPTED) from None
