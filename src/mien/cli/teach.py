"""`mien teach`: a gesture of one's own, from a camera, a video or photos, in about a minute."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn

from mien.addresses import named, shown
from mien.cli.console.interruption import SAVED, interruption_tells
from mien.cli.console.options import print_note
from mien.cli.console.overview import Problems
from mien.cli.console.plain import shows_progress
from mien.cli.console.reading import fitted_lines
from mien.errors import InputError, UnreadableMedia
from mien.outputs.lettering.fonts import drawn_language
from mien.sources import Source, open_live
from mien.words import choose, language, say, words

if TYPE_CHECKING:
    from mien.live.session import Display
    from mien.scene import Scene
    from mien.teach import ExampleReader, Lesson, Progress, Take, Taught

_MODEL = Path("mine")
_SAID_EVERY = 10
_SPARE = (1, 5)  # columns of the list that a narrow terminal has no room for


@interruption_tells("the model is as it was")
def teach(
    name: Annotated[
        str | None, typer.Argument(help="What to call the gesture, in any script.", metavar="NAME", show_default=False)
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="Number, device or name of a camera, or its address; a video; a photo, folder or pattern.",
        ),
    ] = None,
    model: Annotated[Path, typer.Option(help="Folder of your model: a new one, or one taught before.")] = _MODEL,
    replace: Annotated[bool, typer.Option("--replace", help="Forget earlier takes of this gesture.")] = False,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=600.0, help="Watch a camera for at most this many seconds.")
    ] = 20.0,
    headless: Annotated[bool, typer.Option("--headless", help="A camera without a window: text only.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the gestures taught into the model.")] = False,
    forget: Annotated[
        str | None, typer.Option("--forget", metavar="NAME", help="Forget a gesture taught into the model.")
    ] = None,
) -> None:
    """Teach a gesture of your own, from a camera, a video or photos of it. Needs mien[teach]; a window mien[live].

    The model folder keeps the landmarks of the hands shown, no pictures. Teaching the same gesture again adds a take:
    from another person, place or distance it helps most. Use the model with --gesture-model: mien live --gesture-model
    mine.
    """
    given = (("NAME", name is not None), ("--list", listed), ("--forget", forget is not None))
    asked = [option for option, is_given in given if is_given]
    if len(asked) != 1:
        got = " and ".join(asked) or "none of them"
        raise typer.BadParameter(f"give a NAME to teach, --list, or --forget NAME; got {got}")
    if name is None and origin is not None:
        raise typer.BadParameter("--from teaches a gesture; give its NAME too", param_hint="--from")
    if listed:
        _list(model)
    elif forget is not None:
        _forget(forget, model)
    elif name is not None:
        if origin is None:
            raise typer.BadParameter("a camera, video or folder that shows the gesture is needed", param_hint="--from")
        _teach(name, origin, model, replace=replace, seconds=seconds, headless=headless)


def _teach(name: str, origin: str, model: Path, *, replace: bool, seconds: float, headless: bool) -> None:
    from mien.extras import needs
    from mien.teach import ExampleReader, teach_takes
    from mien.teach.model import checked_name

    with needs("teach"):
        import onnx  # noqa: F401  # before anybody stands in front of a camera
    try:
        label = checked_name(name, model)
    except InputError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from error
    if label != name:
        print_note(say("teach.taught_as", label=label))
    with Problems("file") as problems:
        with ExampleReader() as reader:
            if _is_file(origin):
                takes = _read(origin, label, reader, problems)
            else:
                takes = [_watched(origin, label, reader, problems, seconds=seconds, headless=headless)]
        began = time.monotonic()
        taught = teach_takes(takes, model, replace=replace)
        with interruption_tells(SAVED):
            _tell(taught, label, takes, time.monotonic() - began, model)


def _is_file(origin: str) -> bool:
    """Whether examples are read from files; cameras and streams are watched."""
    if "://" in origin or origin == "-" or origin.isdecimal() or origin.startswith("/dev/"):
        return False
    return (
        any(sign in origin for sign in "*?[")
        or os.path.lexists(origin)
        or len(Path(origin).parts) > 1
        or bool(Path(origin).suffix)
    )


def _read(origin: str, label: str, reader: ExampleReader, problems: Problems) -> list[Take]:
    from mien.teach.examples import takes_of

    with _counting() as show:
        return takes_of(origin, label, reader, on_problem=problems, on_step=show, on_note=print_note)


def _watched(
    origin: str, label: str, reader: ExampleReader, problems: Problems, *, seconds: float, headless: bool
) -> Take:
    """A take from a camera or stream; of one that breaks off, what it showed until then."""
    from mien.teach import Lesson

    if not headless and drawn_language() != language():
        choose(drawn_language())  # what is said is written in the window
    lesson = Lesson(label, seconds=seconds)
    with open_live(origin) as source:
        source.ready()
        try:
            if headless:
                _follow(source, reader, lesson, _Teller())
            else:
                from mien.window.window import Window

                with Window(title=say("teach.title", name=shown(origin)), mirror=True) as window:
                    _follow(source, reader, lesson, _Shower(window))
        except UnreadableMedia as problem:
            if not lesson.began:
                raise
            problems(problem)
    return lesson.take()


def _follow(source: Source, reader: ExampleReader, lesson: Lesson, tell: Callable[[Scene, Progress], bool]) -> None:
    """Until the lesson is over, or `tell` says that the user has had enough."""
    for frame in source:
        scene = reader.scene(frame)
        progress = lesson.step(scene)
        if not tell(scene, progress):
            raise InputError("Stopped before the lesson was over; nothing was changed.")
        if progress.done:
            return
    if not lesson.began:
        raise InputError(f"{named(source.name)} ended before the lesson began.")


class _Teller:
    """Tells on stderr what changes: the countdown, every tenth example, and advice."""

    def __init__(self) -> None:
        self._said: tuple[object, ...] = ()

    def __call__(self, scene: Scene, progress: Progress) -> bool:
        del scene
        step = progress.examples // _SAID_EVERY
        key = (progress.advice, step, progress.done) if progress.examples else (progress.caption,)
        if key != self._said:
            self._said = key
            sys.stderr.write(f"{progress.caption}\n")
        return True


class _Shower:
    """Shows the picture, what the package's model takes the hand for, and how far the lesson is."""

    def __init__(self, window: Display) -> None:
        self._window = window

    def __call__(self, scene: Scene, progress: Progress) -> bool:
        from mien.window.status import Command, Status

        status = Status(
            tasks=("gesture",),
            caption=progress.caption,
            progress=progress.share,
            notice=say("teach.notice"),
        )
        return Command.QUIT not in self._window.show(scene, status)


@contextmanager
def _counting() -> Iterator[Callable[[int], None]]:
    """How many pictures were looked at; on stderr, only in a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False),)
    with Bar(*columns, console=console, transient=True, disable=not shows_progress()) as bar:
        task = bar.add_task(say("teach.opening"), total=None)
        yield lambda looked: bar.update(task, description=say("teach.looked_at", n=looked))


def _tell(taught: Taught, label: str, takes: list[Take], seconds: float, model: Path) -> None:
    from mien.teach.model import KNOWN_AFTER, KNOWN_BEFORE, MISTAKEN
    from mien.teach.takes import ENOUGH

    said = words()
    for take in takes:
        found = take.different
        verdict = say("teach.take_enough") if found >= ENOUGH else say("teach.take_few", enough=ENOUGH)
        kind = say(f"teach.kind.{take.kind}")
        typer.echo(say("teach.take", label=label, n=len(take.samples), kind=kind, different=found, verdict=verdict))
    for other, share in taught.close_to.get(label, {}).items():
        typer.echo(say("teach.close", word=said.label("gesture", other), share=_percent(share)))
    labels, took = said.join("items", taught.labels), say("seconds", seconds=seconds)
    typer.echo(say("teach.fitted", seconds=took, model=model, labels=labels))
    for each, estimate in taught.estimates.items():
        several = estimate.takes > 1
        how = say("teach.takes_left_out", n=estimate.takes) if several else say("teach.parts_left_out")
        figures = {"label": each, "right": _percent(estimate.right), "sure": _percent(estimate.sure), "how": how}
        if estimate.mistaken_for:
            word = said.label("gesture", estimate.mistaken_for)
            typer.echo(say("teach.estimate_mistaken", word=word, **figures))
        else:
            typer.echo(say("teach.estimate", **figures))
    before, after, mistaken = map(taught.score, (KNOWN_BEFORE, KNOWN_AFTER, MISTAKEN))
    if before is not None and after is not None:
        typer.echo(say("teach.known", after=_tenths(after), before=_tenths(before)))
    if mistaken is not None:
        typer.echo(say("teach.mistaken", share=_tenths(mistaken)))
    typer.echo(say("teach.next", model=model))


def _percent(share: float) -> str:
    return say("percent", share=100 * share)


def _tenths(share: float) -> str:
    return say("report.percent_tenths", share=100 * share)


def _list(model: Path) -> None:
    from mien.teach.model import RIGHT, SURE, taught_model

    _check_taught(model)
    taught = taught_model(model)
    rows = []
    for label in taught.labels:
        takes = taught.takes_of(label)
        shares = (taught.score(f"{metric}{label}") for metric in (RIGHT, SURE))
        counts = (len(takes), sum(len(take.samples) for take in takes))
        told = ("" if share is None else _percent(share) for share in shares)
        rows.append((label, *counts, *told, max(take.day for take in takes)))
    for line in fitted_lines(words().all("teach.columns"), rows, spare=_SPARE):
        typer.echo(line)


def _forget(name: str, model: Path) -> None:
    from mien.extras import needs
    from mien.teach import forget_gesture

    _check_taught(model)
    with needs("teach"):
        import onnx  # noqa: F401
    taught = forget_gesture(name, model)
    with interruption_tells(SAVED):
        if taught is None:
            typer.echo(say("teach.forgot_last", label=name, model=model))
        else:
            typer.echo(say("teach.forgot", label=name, model=model, labels=words().join("items", taught.labels)))


def _check_taught(model: Path) -> None:
    from mien.teach.takes import TAKES_FILE

    if not (model / TAKES_FILE).is_file():
        what = (
            f"nothing was taught into it, for it has no {TAKES_FILE}" if model.is_dir() else "there is no such folder"
        )
        raise typer.BadParameter(f"{model}: {what}; name a folder made by mien teach", param_hint="--model")
