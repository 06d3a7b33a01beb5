"""Work that several processes share: how many, by which engine, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from mien.cli.console.options import print_note
from mien.cli.console.plain import shows_progress

if TYPE_CHECKING:
    from mien.scale.engine import Engine
    from mien.scale.folder import BatchFolder, Log
    from mien.scale.job import Settings
    from mien.scale.run import Progress as RunProgress

ENGINES = ("local", "ray")
_SAY_S = 30.0


def whole_path(model: str) -> str:
    """A model folder by its whole path, because workers may stand elsewhere."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model


@contextmanager
def started(
    name: str, folder: BatchFolder, settings: Settings, log: Log, *, address: str | None, workers: int
) -> Iterator[Engine]:
    """The engine of that name for a batch; its workers end with it.

    Args:
        name: one of `ENGINES`.
        folder: of the batch.
        settings: of the batch.
        log: where to say what happened.
        address: of a Ray cluster.
        workers: how many.
    """
    setup = {"folder": str(folder.path.resolve()), "settings": settings.to_dict(), "how": settings.how}
    if name == "ray":
        from mien.scale.ray_engine import RayEngine

        made: Any = RayEngine(workers, setup, log.say, address=address)
    else:
        from mien.scale.local import LocalEngine

        made = LocalEngine(workers, setup, log.file, log.say)
    with made:
        yield made


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Callable[[RunProgress], None]]:
    """Shows how far a run is: a bar in a terminal, elsewhere a line on stderr every half minute."""
    from mien.scale.status import told

    if quiet:
        yield lambda progress: None  # noqa: ARG005
        return
    if not shows_progress():
        said_s = time.monotonic()

        def say(progress: RunProgress) -> None:
            nonlocal said_s
            if time.monotonic() - said_s >= _SAY_S:
                said_s = time.monotonic()
                print_note(told(progress))

        yield say
        return
    columns = (BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("", total=None)

        def show(progress: RunProgress) -> None:
            total = progress.weight if progress.is_whole else None
            bars.update(bar, description=told(progress), total=total, completed=progress.weight_done)

        yield show
