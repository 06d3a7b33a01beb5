"""`mien live`: a camera, video or stream in; text, voice, picture and records out, in real time."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from mien.errors import InputError, UnknownName
from mien.live import Display, Ended, LiveSession, Outputs, SceneOutput
from mien.outputs.events import EventWriter
from mien.outputs.hooks import EventCommand
from mien.outputs.recording import Recording
from mien.outputs.records import CsvWriter, JsonlWriter
from mien.outputs.responder import Responder
from mien.outputs.responses import Responses, Sentence
from mien.outputs.voice import Voice, open_voice
from mien.outputs.window_status import NOTICE
from mien.pipeline import TASKS, Analyzer, Options, Task, check_tasks
from mien.scene import Event
from mien.stages.sources import FolderSource, PacedSource, Source, open_live

_MENU: dict[str, tuple[Task, ...]] = {"1": ("emotion",), "2": ("gesture",), "3": TASKS}


@dataclass(frozen=True, kw_only=True)
class _Targets:
    """Files to write."""

    record: Path | None
    jsonl: str | None
    csv: str | None
    parquet: Path | None
    events: str | None
    speech_dir: Path | None
    on_event: str | None

    def to_stdout(self) -> bool:
        """Whether records go where words would."""
        targets = [target for target in (self.jsonl, self.csv, self.events) if target is not None]
        if targets.count("-") > 1:
            raise typer.BadParameter("only one kind of record can go to stdout; name a file for the others")
        return "-" in targets


def live(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Number, device or name of a camera; a video, photo or folder; an http or rtsp address; - for MJPEG "
            "on stdin. [default: 0, the first camera]",
            metavar="SOURCE",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="emotion, gesture, or both with a comma; in a terminal it is asked for."),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No window: words and records only.")] = False,
    mute: Annotated[bool, typer.Option("--mute", help="Say nothing out loud; sentences are still written.")] = False,
    record: Annotated[Path | None, typer.Option(help="Annotated video, .mp4 or .webm.")] = None,
    jsonl: Annotated[str | None, typer.Option(help="One JSON object a frame; - is stdout.")] = None,
    csv: Annotated[str | None, typer.Option(help="A row a face or hand a frame; - is stdout.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="The same rows as Parquet. Needs mien[table].")] = None,
    events: Annotated[str | None, typer.Option(help="One JSON object a change; - is stdout.")] = None,
    speech_dir: Annotated[Path | None, typer.Option(help="Folder for what was said, as WAV with times.")] = None,
    on_event: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Run it at each change; {kind} {task} {label} {track} are filled in."),
    ] = None,
    responses: Annotated[Path | None, typer.Option(help="TOML file with sentences of your own.")] = None,
    snapshots: Annotated[Path, typer.Option(help="Folder for pictures and videos taken by a key.")] = Path(),
    full_screen: Annotated[bool, typer.Option("--full-screen", help="Start over the whole screen.")] = False,
    mirror: Annotated[bool, typer.Option("--mirror/--no-mirror", help="Show a camera as a mirror does.")] = True,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so long.")] = None,
    emotion_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gesture_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each network.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words on stdout.")] = False,
) -> None:
    """Watch a camera, video or stream; answer in text and out loud. The window needs mien[live].

    Nothing is stored or sent unless an option asks for it. Keys in the window: q quit, m mute, p pause, s snapshot,
    r record, e expressions, g gestures, b both, l landmarks, f mirror, h help.
    """
    targets = _Targets(
        record=record,
        jsonl=jsonl,
        csv=csv,
        parquet=parquet,
        events=events,
        speech_dir=speech_dir,
        on_event=on_event,
    )
    quiet = quiet or targets.to_stdout()
    models = {"emotion_model": emotion_model, "gesture_model": gesture_model}
    options = Options(
        tasks=_tasks(task, asked=source is None),
        threads=threads,
        follow=True,
        **{key: value for key, value in models.items() if value is not None},  # type: ignore[arg-type]
    )
    wording = Responses.load(responses)
    spec = source or "0"
    with _ended_by_signals(), ExitStack() as stack:
        frames = stack.enter_context(_opened(spec, paced=not headless))
        analyzer = stack.enter_context(Analyzer(options))  # while a camera wakes up
        frames.ready()
        outputs = _outputs(targets, wording, stack, analyzer, mute=mute, quiet=quiet)
        display = None if headless else _window(spec, frames, stack, full_screen=full_screen, mirror=mirror)
        session = LiveSession(
            frames,
            analyzer,
            outputs(display),
            snapshots=snapshots,
            notice=_notice(spec, frames, targets),
            seconds=seconds,
        )
        ended = session.run()
    if not quiet:
        _summary(ended)
    unread = frames.problems if isinstance(frames, FolderSource) else ()
    for problem in unread:
        sys.stderr.write(f"mien: {problem}\n")
    if session.recording_failed or unread:
        raise typer.Exit(1)
    if not ended.frames and not seconds:
        raise InputError(f"{spec} gave no frame")


def _notice(spec: str, source: Source, targets: _Targets) -> str:
    """What is done with the picture, for the window."""
    state = "Camera on." if source.is_live else f"Playing {Path(spec).name}."
    files = (targets.jsonl, targets.csv, targets.parquet, targets.events, targets.speech_dir)
    if any(files):
        return f"{state} Results are written, pictures are not; nothing is sent."
    return NOTICE if source.is_live else f"{state} Nothing is stored or sent."


def _tasks(text: str | None, *, asked: bool) -> tuple[Task, ...]:
    """What to look for; a person who typed nothing but `mien live` is asked, as in the tutorial."""
    if text is not None:
        return check_tasks([name.strip() for name in text.split(",") if name.strip()])
    if not (asked and sys.stdin.isatty() and sys.stderr.isatty()):
        return TASKS
    sys.stderr.write("What shall mien look for?\n  1  expressions of faces\n  2  gestures of hands\n  3  both\n")
    answer = typer.prompt("1, 2 or 3", default="3", err=True).strip()
    while answer not in _MENU:
        answer = typer.prompt("Please type 1, 2 or 3", default="3", err=True).strip()
    return _MENU[answer]


def _opened(spec: str, *, paced: bool) -> Source:
    source = open_live(spec)
    if source.is_live or not paced or source.kind != "video":
        return source
    # In a window a video plays no faster than it is, and still every frame is looked at.
    played = PacedSource(source)
    played.is_live = False
    return played


def _outputs(
    targets: _Targets, wording: Responses, stack: ExitStack, analyzer: Analyzer, *, mute: bool, quiet: bool
) -> Callable[[Display | None], Outputs]:
    """Open all that is written and said; the display is added last, when nothing can fail any more."""
    recording = None if targets.record is None else Recording(targets.record)
    if recording is not None:
        stack.callback(recording.close)
    voice, sentences = _voices(targets, wording, stack, mute=mute)
    if not quiet:
        sentences.append(lambda sentence: typer.echo(sentence.text))
    parts: dict[str, Any] = {
        "scenes": _scene_outputs(targets, stack, analyzer),
        "events": _event_outputs(targets, stack),
        "sentences": tuple(sentences),
        "voice": voice,
        "responder": Responder(wording),
        "recording": recording,
    }
    return lambda display: Outputs(display=display, **parts)


def _scene_outputs(targets: _Targets, stack: ExitStack, analyzer: Analyzer) -> tuple[SceneOutput, ...]:
    outputs: list[SceneOutput] = []
    if targets.jsonl is not None:
        outputs.append(stack.enter_context(JsonlWriter(targets.jsonl)))
    if targets.csv is not None:
        labels = analyzer.labels
        table = CsvWriter(targets.csv, emotions=labels["emotion"], gestures=labels["gesture"])
        outputs.append(stack.enter_context(table))
    if targets.parquet is not None:
        from mien.outputs.parquet import ParquetWriter

        labels = analyzer.labels
        parquet = ParquetWriter(targets.parquet, emotions=labels["emotion"], gestures=labels["gesture"])
        outputs.append(stack.enter_context(parquet))
    return tuple(outputs)


def _event_outputs(targets: _Targets, stack: ExitStack) -> tuple[Callable[[Event], object], ...]:
    outputs: list[Callable[[Event], object]] = []
    if targets.events is not None:
        outputs.append(stack.enter_context(EventWriter(targets.events)).write)
    if targets.on_event is not None:
        try:
            outputs.append(stack.enter_context(EventCommand(targets.on_event)))
        except UnknownName:
            raise
        except InputError as error:
            raise typer.BadParameter(str(error), param_hint="--on-event") from error
    return tuple(outputs)


def _voices(
    targets: _Targets, wording: Responses, stack: ExitStack, *, mute: bool
) -> tuple[Voice | None, list[Callable[[Sentence], object]]]:
    """Who speaks, and who keeps what is said."""
    kept: list[Callable[[Sentence], object]] = []
    if targets.speech_dir is not None:
        from mien.outputs.speech_folder import SpeechFolder
        from mien.outputs.voice_engines import find_engines

        engines = find_engines(wording.language, wording.piper_voice)
        kept.append(stack.enter_context(SpeechFolder(targets.speech_dir, engines)).say)
    return (None if mute else stack.enter_context(open_voice(wording))), kept


def _window(spec: str, source: Source, stack: ExitStack, *, full_screen: bool, mirror: bool) -> Display:
    from mien.outputs.window import Window

    # A video is not a mirror.
    mirror = mirror and (source.is_live or spec == "-")
    return stack.enter_context(Window(title=f"mien: {spec}", fullscreen=full_screen, mirror=mirror))


def _summary(ended: Ended) -> None:
    rate = ended.frames / ended.seconds if ended.seconds else 0.0
    line = f"{ended.frames} frames in {ended.seconds:.1f} s, {rate:.1f} a second"
    if ended.dropped:
        line += f", {ended.dropped} passed over"
    typer.echo(line)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A request to end (SIGTERM) closes everything as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
