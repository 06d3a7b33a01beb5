"""`mien data collect`: turns your own photos, videos or camera into a data set that grows."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from mien.cli.console.overview import Problems, one_of, reasons
from mien.cli.console.plain import shows_progress
from mien.errors import InputError, OutputError, UnreadableMedia
from mien.words import say, words

if TYPE_CHECKING:
    from mien.data.collect import Collection, Collector
    from mien.sources import Source

_CAMERA_COUNT = 100


def collect(
    out: Annotated[Path, typer.Argument(help="Folder of the data set; a later run adds to it.", metavar="OUT")],
    task: Annotated[str, typer.Option(help="emotion (faces) or gesture (hands).")],
    label: Annotated[str, typer.Option(help="What the pictures show, e.g. happy or victory.")],
    origin: Annotated[
        str, typer.Option("--from", help="Camera number (0 is the first), video, photo, folder or glob.")
    ],
    person: Annotated[
        str | None,
        typer.Option(help="Id of the person, kept as the group; no real name is needed. Asked for if missing."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help=f"Stop after keeping this many shots; {_CAMERA_COUNT} for a camera.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Look at every N-th frame of a video or camera.")] = 1,
    largest: Annotated[
        bool, typer.Option("--largest", help="Take the largest of several faces or hands instead of none.")
    ] = False,
    any_label: Annotated[bool, typer.Option("--any-label", help="Allow labels that the task does not have.")] = False,
    size: Annotated[
        int | None,
        typer.Option(min=8, max=1024, help="Height and width in pixels; by default 48 for emotion, 100 for gesture."),
    ] = None,
    colour: Annotated[
        str | None, typer.Option(help="grey or rgb; by default grey for emotion, rgb for gesture.")
    ] = None,
) -> None:
    """Take photos of faces or hands into a data set of your own.

    Pictures with no face (or hand) or several, blurred pictures, and pictures almost the same as a kept one are refused
    and counted. What is kept is saved at once: interrupt with Ctrl-C and run again to continue.
    """
    from mien.data.collect import Collection, Collector
    from mien.data.crops import Cropper, check_task, crop_spec

    checked = check_task(task)
    if colour is not None:
        one_of("colour", colour, ("grey", "rgb"))
    collection = Collection(out, checked)
    label = collection.add_label(label, any_label=any_label)
    who = _person(person)
    consent = say("data.collect.consent")
    sys.stderr.write(f"{consent}\n")
    collection.record_consent(label, who, shown=consent)
    spec = crop_spec(checked, size_hw=(size, size) if size else None, colour=colour)  # type: ignore[arg-type]
    with Problems("source") as problems, Cropper(checked, spec) as cropper:
        collector = Collector(collection, cropper, label=label, person=who, largest=largest)
        try:
            _collect(collector, _sources(origin, every, out, problems), _limit(origin, count), problems)
        finally:
            if collector.seen:
                _say(collector, collection, label, who)
    if not collection.shots_of(label, who):
        one = "face" if checked == "emotion" else "hand"
        raise OutputError(f"Nothing was kept; give pictures that show one {one}, close and sharp.")


def _collect(collector: Collector, sources: Iterator[Source], limit: int | None, problems: Problems) -> None:
    from mien.data.collect import KEPT

    with _progress(limit) as show:
        for source in sources:
            try:
                with source:
                    for frame in source:
                        answer = collector.offer(frame.image_rgb)
                        kept = collector.seen[KEPT]
                        told = words().label("reason", answer)
                        show(kept, say("data.collect.answer", name=Path(source.name).name, answer=told))
                        if limit is not None and kept >= limit:
                            return
            except InputError as problem:
                problems(problem)


def _sources(origin: str, every: int, out: Path, problems: Problems) -> Iterator[Source]:
    """The camera, or each file; files of the data set itself are skipped."""
    from mien.sources import Selection, expand_sources, open_source
    from mien.sources.cameras import CameraFrames

    if origin.isdecimal():
        yield CameraFrames(int(origin), every=every)
        return
    paths, unreadable = expand_sources([origin])
    for problem in unreadable:
        problems(problem)
    for path in paths:
        if path.resolve().is_relative_to(out.resolve()):
            continue
        try:
            source = open_source(path, selection=Selection(every=every))
        except UnreadableMedia as problem:
            problems(problem)
            continue
        yield source


def _limit(origin: str, count: int | None) -> int | None:
    return _CAMERA_COUNT if count is None and origin.isdecimal() else count


def _person(name: str | None) -> str:
    session = time.strftime("session-%Y%m%d-%H%M%S")
    if name is None and sys.stdin.isatty():
        name = str(typer.prompt(say("data.collect.who"), default=session, err=True))
    name = session if name is None else name.strip()
    if not name:
        raise typer.BadParameter("an id must have at least one letter or digit", param_hint="--person")
    return name


@contextmanager
def _progress(limit: int | None) -> Iterator[Callable[[int, str], None]]:
    """A bar that shows what became of the last picture; on stderr, only in a terminal."""
    description = TextColumn("{task.description}", markup=False)
    columns = (TextColumn(say("data.collect.kept")), BarColumn(), MofNCompleteColumn(), description)
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not shows_progress()) as progress:
        bar = progress.add_task(say("data.collect.starting"), total=limit)

        def show(kept: int, answer: str) -> None:
            progress.update(bar, completed=kept, description=answer)

        yield show


def _say(collector: Collector, collection: Collection, label: str, who: str) -> None:
    from mien.data.collect import KEPT

    looked_at, kept = sum(collector.seen.values()), collector.seen[KEPT]
    there = len(collection.shots_of(label, who))
    folder, pictures = collection.root / label, say("count.pictures", n=looked_at)
    facts = {"label": label, "person": who, "there": there, "folder": folder}
    typer.echo(say("data.collect.summary", kept=kept, pictures=pictures, **facts))
    left_out = Counter({reason: count for reason, count in collector.seen.items() if reason != KEPT})
    if left_out:
        typer.echo(say("data.collect.left_out", reasons=reasons(left_out)))
