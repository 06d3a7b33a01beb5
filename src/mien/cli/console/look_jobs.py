"""`mien look` by several processes: what they find is written in the order of the sources, as if one had looked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mien.cli.console.jobs import shown_progress, started, whole_path
from mien.cli.console.options import print_note
from mien.errors import DataError, OutputError, RefusedOutput
from mien.files.locks import is_held
from mien.files.targets import is_stream
from mien.pipeline import Options
from mien.records.writers import RecordFile, SceneOutput
from mien.resource import usable_cores
from mien.sources import Selection
from mien.words import say

if TYPE_CHECKING:
    from mien.scale.folder import BatchFolder


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
            kept: folder of an earlier run that was interrupted, and of this one; `forget_work` removes it.

        Raises:
            RefusedOutput: the folder is of another run.
        """
        from mien.scale.folder import BatchFolder, HeldFolder, Log, read_json
        from mien.scale.job import Part, Settings, Unit, pieces_of
        from mien.scale.prepare import prepare
        from mien.scale.run import Run
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
                folder = BatchFolder(kept, resumes=True)
                folder.check()
            stack.enter_context(HeldFolder(folder))
            log = stack.enter_context(Log(folder.log))
            if kept is not None:
                _note_outputs(folder, self._outputs)
            with _told_for_resume(kept):
                parts = prepare(
                    folder, settings, items, photos=1, on_redo=lambda key, **values: print_note(say(key, **values))
                )
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
        return failed


def forget_work(kept: Path) -> None:
    """Remove the work of a run whose results have their names now, and what the runs that were killed before it left of
    the same results: only files that they made, which each of them has noted."""
    from mien.scale.folder import BatchFolder

    for left in _noted(BatchFolder(kept)):
        with suppress(OSError):
            if not is_held(left):
                left.unlink()
    shutil.rmtree(kept, ignore_errors=True)


def settle_work(kept: Path) -> None:
    """Forget, of the files that runs have noted, those that are gone or have their names now.

    So a run leaves no note of a file whose name and place on the disk another one may get, unless it is killed.
    """
    from mien.scale.folder import BatchFolder

    folder = BatchFolder(kept)
    if not folder.outputs.exists():
        return
    try:
        _write_noted(folder, _noted(folder))
    except OutputError:
        with suppress(OSError):
            folder.outputs.unlink()


def _note_outputs(folder: BatchFolder, outputs: Sequence[SceneOutput]) -> None:
    """Note which files this run makes for its results, in case it is killed."""
    made = [output.part_path for output in outputs if isinstance(output, RecordFile) and output.part_path is not None]
    _write_noted(folder, [*_noted(folder), *made])


def _write_noted(folder: BatchFolder, paths: Sequence[Path]) -> None:
    from mien.scale.folder import write_json

    write_json(folder.outputs, {"files": [[str(path), *_identity(path)] for path in paths]}, keep_names=True)


def _noted(folder: BatchFolder) -> list[Path]:
    """Of the files that earlier runs have noted, those that are still the ones they made."""
    from mien.scale.folder import read_json

    found = []
    with suppress(DataError, KeyError, TypeError, ValueError):
        for name, *identity in read_json(folder.outputs)["files"]:
            with suppress(OSError):
                if _identity(Path(name)) == identity:
                    found.append(Path(name))
    return found


def _identity(path: Path) -> list[int]:
    facts = path.lstat()
    return [facts.st_dev, facts.st_ino]


@contextmanager
def _told_for_resume(kept: Path | None) -> Iterator[None]:
    """Says of a damaged folder, which the user has not named, what can be done about it."""
    try:
        yield
    except DataError as error:
        if kept is None:
            raise
        reason = str(error).partition(";")[0]
        raise RefusedOutput(f"--resume: {reason}; delete {kept} to begin again.") from error
