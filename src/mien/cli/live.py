"""`mien live`: a camera, video or stream in; text, voice, picture and records out, in real time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mien.addresses import named, shown
from mien.cli.console.audience import Audience
from mien.cli.console.options import (
    CsvBomOption,
    DetailOption,
    GesturesOption,
    LargeTextOption,
    ProviderOption,
    gesture_names,
    print_note,
    size_hw,
    text_scale,
)
from mien.errors import InputError, UnknownName, UnreadableMedia
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of
from mien.labels import EMOTIONS_8, GESTURES, TASKS, Task
from mien.live.session import Display, LiveSession, Outputs, SessionSummary
from mien.outputs.hooks import EventCommand
from mien.outputs.lettering.fonts import drawn_language
from mien.outputs.recording import RATE_FPS, Recording
from mien.pipeline import Analyzer, Options, check_detail, labels_of, parse_tasks
from mien.records.events import EventWriter
from mien.records.writers import CsvWriter, Growth, JsonlWriter, SceneOutput, WordFile
from mien.scene import Event
from mien.sources import FolderSource, PacedSource, Retry, Source, expand_sources, open_live
from mien.voice.engines import voice_engines
from mien.voice.responder import Responder
from mien.voice.responses import Responses, Sentence
from mien.voice.speech_folder import LIST
from mien.voice.voice import Voice, open_voice
from mien.words import choose, language, say

_MENU: dict[str, tuple[Task, ...]] = {"1": ("emotion",), "2": ("gesture",), "3": TASKS}


@dataclass(frozen=True, kw_only=True)
class _Targets:
    """Files to write."""

    record: Path | None
    record_fps: float
    jsonl: str | None
    csv: str | None
    csv_bom: bool
    parquet: Path | None
    events: str | None
    speech_dir: Path | None
    on_event: str | None
    append: bool
    overwrite: bool

    def to_stdout(self) -> bool:
        """Whether records go where words would."""
        targets = (self.jsonl, self.csv, self.events)
        return any(target is not None and descriptor_of(target) == 1 for target in targets)

    def growth(self, audience: Audience) -> Growth:
        """How a file of records grows: under its own name, so that others can follow it."""
        return audience.growth(follow=True, append=self.append)

    def check(self, spec: str, *others: str | Path | None) -> None:
        """Refuse what would replace the source, another input or an existing file, before anything is opened."""
        paths, _ = ([], []) if spec == "-" else expand_sources([spec])
        plan = WritePlan([*paths, *others], overwrite=self.overwrite)
        for option, target in (("--jsonl", self.jsonl), ("--csv", self.csv), ("--events", self.events)):
            plan.file(target, option, grows=self.append)
        plan.file(self.parquet, "--parquet")
        plan.file(self.record, "--record")
        if self.speech_dir is not None:
            plan.file(self.speech_dir / LIST, "--speech-dir")


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
        typer.Option(help="emotion, gesture, or emotion,gesture for both; in a terminal you are asked."),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No window: words and records only.")] = False,
    mute: Annotated[bool, typer.Option("--mute", help="Speak nothing; sentences are still printed.")] = False,
    voice: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The voice that speaks: one that `mien doctor` lists, or a Piper file."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a camera or stream that is not there yet.")] = False,
    give_up: Annotated[
        float | None,
        typer.Option(min=0.1, help="Stop with an error after this many seconds without a picture. [default: never]"),
    ] = None,
    every_frame: Annotated[
        bool,
        typer.Option("--every-frame", help="Look at every picture on stdin instead of only the newest."),
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="Picture size to ask a camera for. [default: the camera's own]"),
    ] = None,
    camera_fps: Annotated[
        float | None,
        typer.Option(min=0.1, help="Frames per second to ask a camera for. [default: the camera's own]"),
    ] = None,
    stdin_fps: Annotated[
        float | None,
        typer.Option(min=0.1, help="With --every-frame: the frame rate of the pictures on stdin. [default: 25]"),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Annotated video: .mp4, .webm, .mov, .mkv or .m4v; without sound.")
    ] = None,
    record_fps: Annotated[
        float, typer.Option(min=1.0, max=120.0, help="Frames per second of recorded videos, at most.")
    ] = RATE_FPS,
    jsonl: Annotated[str | None, typer.Option(help="One JSON object per frame; - is stdout.")] = None,
    csv: Annotated[str | None, typer.Option(help="One row per face or hand in each frame; - is stdout.")] = None,
    csv_bom: CsvBomOption = False,
    parquet: Annotated[Path | None, typer.Option(help="The same rows as Parquet. Needs mien[table].")] = None,
    events: Annotated[str | None, typer.Option(help="One JSON object per change; - is stdout.")] = None,
    speech_dir: Annotated[
        Path | None, typer.Option(help="Folder for what was said, as WAV files with their times.")
    ] = None,
    on_event: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND", help="Command to run at each change; {kind} {task} {label} {track} are filled in."
        ),
    ] = None,
    responses: Annotated[Path | None, typer.Option(help="TOML file with your own sentences.")] = None,
    snapshots: Annotated[Path, typer.Option(help="Folder for pictures and videos taken with a key.")] = Path(),
    append: Annotated[
        bool, typer.Option("--append", help="Add to existing --jsonl, --csv and --events files.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files; never the source.")] = False,
    full_screen: Annotated[bool, typer.Option("--full-screen", help="Start in full screen.")] = False,
    large_text: LargeTextOption = False,
    mirror: Annotated[bool, typer.Option("--mirror/--no-mirror", help="Show the camera picture mirrored.")] = True,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after this many seconds.")] = None,
    detail: DetailOption = "normal",
    emotion_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gesture_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    baseline: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Learn each person's neutral face from this many calm seconds at the start; read changes from it.",
        ),
    ] = None,
    gestures: GesturesOption = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads per network.")] = None,
    provider: ProviderOption = "cpu",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no words on stdout.")] = False,
) -> None:
    """Watch a camera, video or stream; answer in text and out loud. The window needs mien[live].

    Nothing is stored or sent unless an option asks for it. An existing file is refused, with exit code 2, unless
    --append or --overwrite is given. While mien runs, other programs can follow --jsonl, --csv and --events files.

    Keys in the window: q quit, m mute, p pause, s snapshot,
    r record, e expressions, g gestures, b both, n neutral faces, l landmarks, f mirror, h help.
    """
    targets = _Targets(
        record=record,
        record_fps=record_fps,
        jsonl=jsonl,
        csv=csv,
        csv_bom=csv_bom,
        parquet=parquet,
        events=events,
        speech_dir=speech_dir,
        on_event=on_event,
        append=append,
        overwrite=overwrite,
    )
    if append and overwrite:
        raise typer.BadParameter("--append keeps what --overwrite replaces; give only one of them")
    spec = "0" if source is None else source
    targets.check(spec, responses, emotion_model, gesture_model)
    quiet = quiet or targets.to_stdout()
    models = {"emotion_model": emotion_model, "gesture_model": gesture_model}
    options = Options(
        tasks=_tasks(task, asked=source is None),
        detail=check_detail(detail),
        threads=threads,
        provider=provider,
        follow=True,
        baseline_s=baseline,
        gestures=gesture_names(gestures),
        **{key: value for key, value in models.items() if value is not None},  # type: ignore[arg-type]
    )
    if not headless and drawn_language() != language():
        choose(drawn_language())  # what is said is also written in the window
    labels = labels_of(options)
    wording = Responses.load(
        responses,
        emotions=dict.fromkeys((*EMOTIONS_8.labels, *labels["emotion"])),
        gestures=dict.fromkeys((*GESTURES.labels, *labels["gesture"])),
    )
    if voice is not None:
        wording = replace(wording, voice=voice)
        if not mute:
            voice_engines(voice)  # an unknown one is refused before anything is opened
    audience = Audience()
    with ExitStack() as stack:
        retry = Retry(at_start=wait, give_up_s=give_up)
        asked = {"camera_fps": camera_fps, "stdin_fps": stdin_fps, "every_frame": every_frame}
        frames = stack.enter_context(_opened(spec, retry, size, paced=not headless, **asked))
        analyzer = stack.enter_context(Analyzer(options))  # while a camera wakes up
        if not wait and spec != "-":  # a pipe may be silent for long, and --seconds and a quit count meanwhile
            frames.ready()
        tell = _nothing if quiet else stack.enter_context(WordFile(audience.growth())).write
        if not (mute and headless):
            audience.add()
        recording = _recording(targets, stack, waits=not frames.is_live, scale=text_scale(large_text))
        outputs = _outputs(targets, wording, stack, analyzer, audience, recording, mute=mute, tell=tell)
        display = None if headless else _window(spec, frames, stack, large=large_text, full=full_screen, mirror=mirror)
        session = LiveSession(
            frames,
            analyzer,
            outputs(display),
            snapshots=snapshots,
            record_fps=record_fps,
            text_scale=text_scale(large_text),
            notice=_notice(spec, frames, targets, wording),
            no_face=wording.notices["no_face"],
            seconds=seconds,
        )
        try:
            ended = session.run()
        except (
            KeyboardInterrupt
        ):  # how a run without a window usually ends: all outputs are finished, and nothing failed
            interrupted = True
        else:
            interrupted = False
            _summary(ended, tell)
            for advice in session.advice:
                tell(advice)
    if interrupted:
        raise KeyboardInterrupt
    if spec == "-" and not every_frame and ended.dropped > ended.frames:
        print_note(say("live.skipped", skipped=ended.dropped, n=ended.dropped + ended.frames))
    unread = frames.problems if isinstance(frames, FolderSource) else ()
    for problem in unread:
        print_note(problem)
    if session.recording_failed or unread:
        raise typer.Exit(1)
    if not ended.frames and not seconds:
        raise InputError(f"{named(spec)} gave no frame")


def _notice(spec: str, source: Source, targets: _Targets, wording: Responses) -> str:
    """What happens to the picture, for the window; in the user's own words where they are true."""
    name = Path(spec).name
    files = (targets.jsonl, targets.csv, targets.parquet, targets.events, targets.speech_dir)
    if any(files):
        return say("window.notice_written") if source.is_live else say("window.notice_file_written", name=name)
    if not source.is_live:
        return say("window.notice_file", name=name)
    own = wording.notices["camera"]
    is_usual = own == Responses.load().notices["camera"] or targets.record is not None
    return say("window.notice") if is_usual else own


def _tasks(text: str | None, *, asked: bool) -> tuple[Task, ...]:
    """What to look for; somebody who typed only `mien live` is asked, as in the tutorial."""
    if text is not None:
        return parse_tasks(text)
    if not (asked and sys.stdin.isatty() and sys.stderr.isatty()):
        return TASKS
    sys.stderr.write(f"{say('live.menu').rstrip()}\n")
    answer = typer.prompt(say("live.choice"), default="3", err=True).strip()
    while answer not in _MENU:
        answer = typer.prompt(say("live.choice_again"), default="3", err=True).strip()
    return _MENU[answer]


def _opened(spec: str, retry: Retry, size: str | None, *, paced: bool, **asked: Any) -> Source:
    given = {"--size": size, **{f"--{name.replace('_', '-')}": value for name, value in asked.items()}}
    try:
        source = open_live(spec, retry=retry, size_hw=None if size is None else size_hw(size), **asked)
    except UnreadableMedia:
        raise
    except InputError as error:
        options = [option for option, value in given.items() if value]
        if not options:
            raise
        raise typer.BadParameter(str(error), param_hint=" ".join(options)) from error
    if source.is_live or not paced or source.kind != "video":
        return source
    # In a window a video plays no faster than real time, and still every frame is analysed.
    played = PacedSource(source)
    played.is_live = False
    return played


def _outputs(
    targets: _Targets,
    wording: Responses,
    stack: ExitStack,
    analyzer: Analyzer,
    audience: Audience,
    recording: Recording | None,
    *,
    mute: bool,
    tell: Callable[[str], object],
) -> Callable[[Display | None], Outputs]:
    """Open everything that is written and spoken; the display is added last, when nothing can fail any more."""
    voice, sentences = _voices(targets, wording, stack, mute=mute)
    sentences.append(lambda sentence: tell(sentence.text))
    for target in (targets.record, targets.parquet, targets.speech_dir, targets.on_event):
        if target is not None:
            audience.add()
    parts: dict[str, Any] = {
        "scenes": _scene_outputs(targets, stack, analyzer, audience),
        "events": _event_outputs(targets, stack, audience),
        "sentences": tuple(sentences),
        "voice": voice,
        "responder": Responder(wording),
        "recording": recording,
    }
    return lambda display: Outputs(display=display, **parts)


def _recording(targets: _Targets, stack: ExitStack, *, waits: bool, scale: float) -> Recording | None:
    if targets.record is None:
        return None
    recording = Recording(targets.record, fps=targets.record_fps, waits=waits, text_scale=scale)
    stack.callback(recording.close)
    return recording


def _scene_outputs(
    targets: _Targets, stack: ExitStack, analyzer: Analyzer, audience: Audience
) -> tuple[SceneOutput, ...]:
    outputs: list[SceneOutput] = []
    if targets.jsonl is not None:
        outputs.append(stack.enter_context(JsonlWriter(targets.jsonl, targets.growth(audience))))
    if targets.csv is not None:
        labels = analyzer.labels
        growth = targets.growth(audience)
        columns = {"emotions": labels["emotion"], "gestures": labels["gesture"]}
        table = CsvWriter(targets.csv, growth, **columns, bom=targets.csv_bom)
        outputs.append(stack.enter_context(table))
    if targets.parquet is not None:
        from mien.records.parquet import ParquetWriter

        labels = analyzer.labels
        parquet = ParquetWriter(targets.parquet, emotions=labels["emotion"], gestures=labels["gesture"])
        outputs.append(stack.enter_context(parquet))
    return tuple(outputs)


def _event_outputs(targets: _Targets, stack: ExitStack, audience: Audience) -> tuple[Callable[[Event], object], ...]:
    outputs: list[Callable[[Event], object]] = []
    if targets.events is not None:
        outputs.append(stack.enter_context(EventWriter(targets.events, targets.growth(audience))).write)
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
    """What speaks, and what keeps the sentences."""
    kept: list[Callable[[Sentence], object]] = []
    if targets.speech_dir is not None:
        from mien.voice.engines import find_engines
        from mien.voice.speech_folder import SpeechFolder

        engines = find_engines(wording.language, wording.piper_voice, wording.voice)
        kept.append(stack.enter_context(SpeechFolder(targets.speech_dir, engines, overwrite=targets.overwrite)).say)
    return (None if mute else stack.enter_context(open_voice(wording))), kept


def _window(spec: str, source: Source, stack: ExitStack, *, large: bool, full: bool, mirror: bool) -> Display:
    from mien.window.window import Window

    # A video is not a mirror.
    mirror = mirror and (source.is_live or spec == "-")
    title = f"mien: {shown(spec)}"
    return stack.enter_context(Window(title=title, fullscreen=full, mirror=mirror, large_text=large))


def _nothing(text: str) -> None:
    """Discards text that nobody wants."""


def _summary(ended: SessionSummary, tell: Callable[[str], object]) -> None:
    rate = ended.frames / ended.seconds if ended.seconds else 0.0
    seconds = say("seconds", seconds=ended.seconds)
    line = say("live.summary", n=ended.frames, seconds=seconds, rate=rate)
    tell(say("live.summary_skipped", summary=line, skipped=ended.dropped) if ended.dropped else line)
