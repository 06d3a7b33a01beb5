"""The outputs of a run: when the reader of one pipe closes it, the other outputs continue."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mien.cli.console.options import print_note
from mien.errors import OutputError, ReaderLeft
from mien.records.writers import Growth
from mien.words import say


class Audience:
    """Counts the outputs of a run. When a reader closes its pipe this is printed; for the last output it is raised."""

    def __init__(self) -> None:
        self._count = 0

    def add(self) -> None:
        """Count an output that no reader can close: a file, a window, a voice."""
        self._count += 1

    def growth(self, *, follow: bool = False, append: bool = False) -> Growth:
        """Count a record file, and return how it grows; see `Growth`."""
        self.add()
        return Growth(follow=follow, append=append, on_reader_left=self._left)

    def _left(self, error: ReaderLeft) -> None:
        hush_stdout()
        self._count -= 1
        if not self._count:
            raise error
        print_note(say("output.others_continue", problem=error))


def hush_stdout() -> None:
    """Discard what is still printed if nobody reads stdout any more; Python would complain about it at exit."""
    try:
        sys.stdout.flush()
    except (OSError, OutputError):
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
