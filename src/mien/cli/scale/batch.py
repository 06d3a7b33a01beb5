"""`mien batch`: many files on many processors or machines, into Parquet parts; restarted, it goes on."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console.jobs import ENGINES, shown_progress, started, whole_path
from mien.cli.console.options import (
    BaselineOption,
    DetailOption,
    EveryOption,
    FpsOption,
    FromOption,
    GesturesOption,
    KeyframesOption,
    MaxPixelsOption,
    ProviderOption,
    TilesOption,
    ToOption,
    chosen_frames,
    gesture_names,
    print_note,
)
from mien.cli.console.speaking import speaking
from mien.cli.console.verbs import DefaultVerb
from mien.errors import UnknownName
from mien.files.targets import check_name
from mien.pipeline import Analyzer, Options, check_detail, parse_tasks
from mien.pixels.photos import MAX_PIXELS
from mien.resource import usable_cores
from mien.wording import count
from mien.words import FALLBACK, instead, say

if TYPE_CHECKING:
    from mien.scale.job import Item, Settings


class _SourcesToo(DefaultVerb):
    """`mien batch SOURCE` is `mien batch run SOURCE`."""

    default = "run"
    takes_options = True


app = typer.Typer(
    name="batch",
    cls=_SourcesToo,
    help="Look at many files on all processors or on many machines: mien batch SOURCE... --out DIR. Needs mien[scale].",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("run")
@speaking
def run(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Photos, videos, folders, quoted globs, or addresses for fsspec.", metavar="SOURCE"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results; an existing batch is continued.")] = ...,  # type: ignore[assignment]
    list_: Annotated[
        Path | None, typer.Option("--list", help="File that names more sources, one per line.", metavar="FILE")
    ] = None,
    engine: Annotated[str, typer.Option(help="local: processes of this machine; ray: a Ray cluster.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Address of the Ray cluster to join; by default one is started here.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Workers; by default one per processor core.")] = None,
    task: Annotated[str, typer.Option(help="emotion, gesture, or emotion,gesture for both.")] = "emotion,gesture",
    every: EveryOption = 1,
    fps: FpsOption = None,
    start: FromOption = None,
    end: ToOption = None,
    keyframes: KeyframesOption = False,
    tiles: TilesOption = False,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    detail: DetailOption = "normal",
    baseline: BaselineOption = None,
    range_s: Annotated[
        float | None,
        typer.Option(
            "--range",
            min=1,
            help="Minimum length in seconds of the range given to a worker; by default 60, or less for a few videos.",
        ),
    ] = None,
    emotion_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gesture_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gestures: GesturesOption = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads per network; by default the cores are shared among the workers.")
    ] = None,
    provider: ProviderOption = "cpu",
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check a finished folder: counts, hashes, each frame once.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no summary.")] = False,
) -> None:
    """Look at many files, each frame exactly once, whatever is killed in between.

    DIR/parts has the rows of `mien look --parquet`. Run the same command again to continue where it stopped.
    A source that cannot be read is tried twice, then listed in DIR/failures.jsonl, and the exit code is 1.
    """
    check_name(out, "--out")
    if verify:
        _verify(out, sources=sources, quiet=quiet)
        return
    from mien.scale.job import Settings, pieces_of
    from mien.scale.sources import items_of, listed

    if engine not in ENGINES:
        raise UnknownName("engine", engine, ENGINES)
    if address is not None and engine != "ray":
        raise typer.BadParameter("--address is that of a Ray cluster; use it with --engine ray.")
    specs = [*(sources or ()), *(listed(list_) if list_ is not None else ())]
    if not specs:
        raise typer.BadParameter("Nothing to look at; name photos, videos or folders, or a file with --list.")
    workers = jobs or usable_cores()
    models = {"emotion_model": emotion_model, "gesture_model": gesture_model}
    options = Options(
        tasks=parse_tasks(task),
        tiles=tiles,
        detail=check_detail(detail),
        baseline=baseline,
        max_pixels=max_pixels,
        gestures=gesture_names(gestures),
        threads=threads or max(usable_cores() // workers, 1),
        provider=provider,
        **{key: whole_path(value) for key, value in models.items() if value is not None},  # type: ignore[arg-type]
    )
    selection = chosen_frames(every=every, fps=fps, start=start, end=end, keyframes=keyframes)
    if gestures is not None or baseline is not None:
        Analyzer(options).close()  # names and a face that every worker would refuse are refused before a folder is made
    items, problems = items_of(specs, on_note=print_note)
    ranges = {"pieces": pieces_of(items, workers)} if range_s is None else {"range_s": range_s}
    settings = Settings(options=options, selection=selection, **ranges)
    for problem in problems:
        print_note(problem)
    failed = len(problems)
    if items:
        failed += _work(out, settings, items, engine=engine, address=address, workers=workers, quiet=quiet)
    if failed:
        raise typer.Exit(1)


@app.command("status")
@speaking
def status(
    folder: Annotated[Path, typer.Argument(help="Folder of a batch, running or not.", metavar="DIR")],
) -> None:
    """Say how far a batch is, how fast it goes and how long it will take."""
    from mien.scale.status import status_lines

    for line in status_lines(folder):
        typer.echo(line)


def _verify(out: Path, *, sources: list[str] | None, quiet: bool) -> None:
    from mien.scale.verify import verify

    if sources:
        raise typer.BadParameter("--verify checks --out and reads no sources; leave them out.")
    faults = verify(out)
    for fault in faults:
        print_note(fault)
    if faults:
        if faults != [say("batch.unfinished", folder=out)]:  # which says itself what to do
            print_note(say("batch.mend"))
        raise typer.Exit(1)
    if not quiet:
        typer.echo(say("batch.complete", folder=out))


def _work(
    out: Path,
    settings: Settings,
    items: list[Item],
    *,
    engine: str,
    address: str | None,
    workers: int,
    quiet: bool,
) -> int:
    """The batch; returns how many problems there were."""
    from mien.extras import needs
    from mien.scale.folder import BatchFolder, HeldFolder, Log
    from mien.scale.prepare import prepare
    from mien.scale.run import Run, conclude, summary

    with needs("table"):
        import pyarrow.parquet  # noqa: F401
    folder = BatchFolder(out)
    folder.check()
    with ExitStack() as stack:
        stack.enter_context(HeldFolder(folder))
        log = stack.enter_context(Log(folder.log))

        def tell(key: str, **values: Any) -> None:
            print_note(say(key, **values))
            with instead(FALLBACK):
                log.say(say(key, **values))

        parts = prepare(folder, settings, items, on_redo=tell)
        show = stack.enter_context(shown_progress(quiet=quiet))
        job = Run(folder, settings, parts, log, on_progress=show)
        log.say(f"begun by {os.getpid()}: {count(len(items), 'source')}, {count(workers, 'worker')}, engine {engine}")
        with started(engine, folder, settings, log, address=address, workers=workers) as made:
            job.work(made)
        manifest = conclude(folder, parts, settings)
        with instead(FALLBACK):
            log.say(summary(manifest, folder))
    for problem in job.problems:
        print_note(problem)
    if not quiet:
        typer.echo(summary(manifest, folder))
    return int(manifest["failures"]) + (not manifest["is_complete"])
