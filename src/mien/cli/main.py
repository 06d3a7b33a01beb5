"""The `mien` command: verbs, exit codes, and the one place where errors become sentences."""

from __future__ import annotations

import errno
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from mien import __version__
from mien.addresses import named
from mien.cli import (
    bench,
    classify,
    compare,
    demo,
    doctor,
    evaluate,
    export,
    live,
    look,
    recipes,
    report,
    serve,
    teach,
    train,
)
from mien.cli.console.audience import hush_stdout
from mien.cli.console.interruption import told_of
from mien.cli.console.options import print_note
from mien.cli.console.plain import PlainOption, set_plain
from mien.cli.console.secrets import hide_secrets, secrets_hidden
from mien.cli.console.speaking import LANGUAGE, speaking
from mien.cli.console.standard_streams import make_streams_legible, open_closed_streams, stdout_told
from mien.cli.data import asl, collect, duplicates, explore, fer2013, import_
from mien.cli.models import show
from mien.cli.scale import batch, summarize
from mien.cli.start import INTERRUPTED
from mien.errors import MienError, OutputError, ReaderLeft
from mien.words import choose

app = typer.Typer(
    name="mien",
    help="Reads facial expressions and hand gestures, entirely on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("look")(speaking(look.look))
app.add_typer(batch.app, name="batch")
app.command("classify")(speaking(classify.classify))
app.command("live")(speaking(live.live))
app.command("report")(speaking(report.report))
app.command("serve")(speaking(serve.serve))
app.command("teach")(speaking(teach.teach))
app.command("summarize")(speaking(summarize.summarize))
app.add_typer(show.app, name="models")
app.command("doctor")(speaking(doctor.doctor))
app.command("bench")(speaking(bench.bench))
app.command("demo")(speaking(demo.demo))
app.add_typer(recipes.app, name="recipes")
app.command("train")(speaking(train.train))
app.command("evaluate")(speaking(evaluate.evaluate))
app.command("compare")(speaking(compare.compare))
app.command("export")(speaking(export.export))

data_app = typer.Typer(
    name="data",
    help="Import data sets, look at them, and find what would distort a measurement. Needs mien[data].",
    no_args_is_help=True,
    rich_markup_mode=None,
)
data_app.command("fer2013")(speaking(fer2013.fer2013))
data_app.command("asl")(speaking(asl.asl))
data_app.command("import")(speaking(import_.import_))
data_app.command("collect")(speaking(collect.collect))
data_app.command("duplicates")(speaking(duplicates.duplicates))
data_app.command("explore")(speaking(explore.explore))
app.add_typer(data_app)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"mien {__version__}")
        raise typer.Exit


@app.callback()
def common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print more on stderr.")] = False,
    plain: PlainOption = False,
    language: LANGUAGE = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Reads facial expressions and hand gestures, entirely on this machine. Nothing is sent anywhere."""
    del version
    set_plain(plain)
    choose(language)
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="mien: %(message)s", stream=sys.stderr, force=True)


def run() -> None:
    """The `mien` command, from the words it was given to the end of the process; `mien.cli.start` calls it."""
    open_closed_streams()
    make_streams_legible()
    hide_secrets(sys.argv[1:])  # until the process ends: a traceback is printed last of all
    raise SystemExit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code: 0 done, 1 something failed, 2 wrong use, 130 interrupted.

    Args:
        arguments: the words after `mien`.
    """
    with secrets_hidden(arguments):
        return _ended(arguments)


def _ended(arguments: list[str]) -> int:
    try:
        with _ended_by_signals(), stdout_told():
            app(args=arguments, prog_name="mien")
    except ReaderLeft:  # whatever read our stdout (head, say) has had enough: no error
        hush_stdout()
        return 0
    except MienError as error:
        if isinstance(error, OutputError):
            hush_stdout()  # what could not be printed must not fail once more at the end
        return _say(str(error), error.exit_code)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _say(f"{named(error.filename)}: the name is too long; check it.", 1)
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "mien":
            raise  # a bug in mien, which its traceback explains
        reason = str(error).strip().partition("\n")[0]
        return _say(f"A package that mien needs cannot be imported ({reason}); install it again.", 1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            return _say(f"interrupted; {told_of(end)}.", INTERRUPTED)
        return int(end.code or 0)
    return 0


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A request to end (SIGTERM), or a terminal that closes (SIGHUP), ends a verb as Ctrl-C does.

    A signal that is ignored, as under nohup, or that another program handles is left alone.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    ours = [number for name in names if (number := getattr(signal, name, None)) is not None]
    ours = [number for number in ours if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, interrupt)
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _say(sentence: str, code: int) -> int:
    print_note(sentence)
    return code
