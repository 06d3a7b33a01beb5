"""`mien look` by several processes: what they find is written in the order of the sources, as if one had looked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import typer

from mien.cli.console.jobs import shown_progress, started, whole_path
from mien.cli.console.options import print_note
from mien.errors import RefusedOutput
from mien.files.targets import is_stream
from mien.pipeline import Options
from mien.records.writers import SceneOutput
from mien.resource import usable_cores
from mien.sources import Selection


def kept_work(targets: Sequence[str | None], *, save: str | None, jobs: int | None, resume: bool) -> Path | None:
    """The folder in which --resume keeps what is finished, next to the first result; None without --resume.

    Raises:
        BadParameter: --save, for which frames would have to leave the processes; or no result to lie next to.
    """
    if save is not None and (jobs is not None or resume):
        raise typer.BadParameter("--save draws what one process sees; leave out --jobs and --resume.")
    if not resume:
        return None
    files = [target for target in targets if target is not None and not is_stream(target)]
    if not files:
        raise typer.BadParameter("--resume keeps its work next to a result; name a file with --jsonl, --csv or others.")
    return Path(f"{files[0]}.work")


class JobsLook:
    """Looks at files by several processes.

    Args:
        options: of the analysis.
        selection: which frames of a video are wanted.
        outputs: what takes the scenes, in order.
        end_of: called after the last scene of each source.
        workers: how many processes.
        quiet: show no progress.
    """

    def __init__(
        self,
        options: Options,
        selection: Selection,
        outputs: Sequence[SceneOutput],
        end_of: Callable[[Path], object],
        *,
        workers: int,
        quiet: bool,
    ) -> None:
        self._options = replace(
            options,
            threads=options.threads or max(usable_cores() // workers, 1),
            emotion_model=whole_path(options.emotion_model),
            gesture_model=whole_path(options.gesture_model),
        )
        self._selection, self._outputs, self._end_of = selection, outputs, end_of
        self._workers, self._quiet = workers, quiet

    def look(self, paths: Sequence[Path], kept: Path | None) -> list[str]:
        """Look at the files and write what is seen; returns what could not be read.

        Args:
            paths: the files, in order.
            kept: folder of an earlier run that was interrupted, and of this one should it be; removed at the end.

        Raises:
            RefusedOutput: the folder is of another run.
        """
        from mien.scale.folder import BatchFolder, HeldFolder, Log, read_json
        from mien.scale.job import Part, Settings, Unit, pieces_of
        from mien.scale.run import Run, prepare
        from mien.scale.sources import item_of
        from mien.scale.tasks import joined

        items = [item_of(path) for path in paths]
        pieces = pieces_of(items, self._workers)
        settings = Settings(options=self._options, selection=self._selection, pieces=pieces)
        failed: list[str] = []
        with ExitStack() as stack:
            if kept is None:
                folder = BatchFolder(stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-look-")))
            else:
                folder = BatchFolder(kept)
                folder.check()
            stack.enter_context(HeldFolder(folder))
            log = stack.enter_context(Log(folder.log))
            parts = prepare(folder, settings, items, photos=1)
            if [item.source for part in parts for item in part.items] != [str(path) for path in paths]:
                raise RefusedOutput(
                    f"{folder.path} belongs to a run with other sources; delete it, or give the same sources."
                )

            def write(part: Part, units: tuple[Unit, ...]) -> None:
                results = [read_json(folder.result(unit)) for unit in units]
                for scene in joined(folder, part, units, results):
                    for output in self._outputs:
                        output.write(scene)
                for result in results:
                    if result["problem"]:
                        failed.append(result["problem"])
                        print_note(result["problem"])
                self._end_of(Path(part.items[0].source))

            show = stack.enter_context(shown_progress(quiet=self._quiet))
            run = Run(folder, settings, parts, log, on_part=write, on_progress=show)
            with started("local", folder, settings, log, address=None, workers=self._workers) as engine:
                run.work(engine)
        if kept is not None:
            shutil.rmtree(kept, ignore_errors=True)
        return failed
