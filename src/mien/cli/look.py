"""`mien look`: photos, folders and videos in; words, records and annotated pictures out."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mien.cli.console.audience import Audience
from mien.cli.console.look_jobs import JobsLook, forget_work, kept_work, settle_work
from mien.cli.console.options import (
    BaselineOption,
    CsvBomOption,
    DetailOption,
    EveryOption,
    FpsOption,
    FromOption,
    GesturesOption,
    KeyframesOption,
    LargeTextOption,
    MaxPixelsOption,
    ProviderOption,
    TilesOption,
    ToOption,
    chosen_frames,
    gesture_names,
    print_note,
    text_scale,
)
from mien.cli.console.plain import is_plain, shows_progress
from mien.errors import InputError, OutputError, UnreadableMedia
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of, is_stream
from mien.outputs.saved import SavedMedia
from mien.outputs.text import describe, facts_of, nothing
from mien.pipeline import Analyzer, Options, check_detail, parse_tasks
from mien.pixels.photos import MAX_PIXELS
from mien.records.parquet import ParquetWriter
from mien.records.writers import CsvWriter, JsonlWriter, JsonWriter, SceneOutput, WordFile
from mien.resource import share_heaps
from mien.scene import Face, Hand, Scene
from mien.sources import VIDEO_SUFFIXES, Selection, captured, expand_sources, open_source, source_kind
from mien.words import say, words

_LOOKS = {"sure": "look.looks", "perhaps": "look.looks_perhaps"}
_SHOWS = {"sure": "look.shows", "perhaps": "look.shows_perhaps"}


def look(
    sources: Annotated[list[str], typer.Argument(help="Photos, videos, folders or quoted globs.", metavar="SOURCE")],
    task: Annotated[str, typer.Option(help="emotion, gesture, or emotion,gesture for both.")] = "emotion,gesture",
    jsonl: Annotated[str | None, typer.Option(help="File for one JSON object per frame; - is stdout.")] = None,
    json: Annotated[str | None, typer.Option(help="File for one JSON array; - is stdout.")] = None,
    csv: Annotated[str | None, typer.Option(help="File for one row per face or hand; - is stdout.")] = None,
    csv_bom: CsvBomOption = False,
    parquet: Annotated[
        str | None, typer.Option(help="The rows of --csv as a typed table, with landmarks; needs mien[table].")
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            help="Folder for annotated pictures and videos; for a single source also a file: .jpg .png .webp .gif, for "
            "a video .mp4 .webm .mov .mkv .m4v .gif .webp."
        ),
    ] = None,
    large_text: LargeTextOption = False,
    no_sound: Annotated[bool, typer.Option("--no-sound", help="Leave the sound out of annotated videos.")] = False,
    every: EveryOption = 1,
    fps: FpsOption = None,
    start: FromOption = None,
    end: ToOption = None,
    keyframes: KeyframesOption = False,
    tiles: TilesOption = False,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    detail: DetailOption = "normal",
    baseline: BaselineOption = None,
    emotion_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gesture_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gestures: GesturesOption = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads per network.")] = None,
    provider: ProviderOption = "cpu",
    jobs: Annotated[int | None, typer.Option(min=1, help="Number of worker processes; not with --save.")] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Save finished work next to the result, and continue from it on the next run."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files, never a source.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no descriptions and no progress.")] = False,
) -> None:
    """Find faces and hands; say which expressions and gestures they show.

    A file that cannot be read is reported and skipped; the others are done, and the exit code is 1.
    An existing result is refused before anything is read, with exit code 2, unless --overwrite is given.
    """
    share_heaps()
    models = {"emotion_model": emotion_model, "gesture_model": gesture_model}
    options = Options(
        tasks=parse_tasks(task),
        tiles=tiles,
        detail=check_detail(detail),
        baseline=baseline,
        threads=threads,
        provider=provider,
        max_pixels=max_pixels,
        gestures=gesture_names(gestures),
        **{key: value for key, value in models.items() if value is not None},  # type: ignore[arg-type]
    )
    selection = chosen_frames(every=every, fps=fps, start=start, end=end, keyframes=keyframes)
    if parquet is not None and is_stream(parquet):
        raise _wrong_use("Parquet needs an ordinary file; name a file, or write --jsonl - or --csv -")
    paths, problems = expand_sources(sources, on_note=print_note)
    targets = {"--jsonl": jsonl, "--json": json, "--csv": csv, "--parquet": parquet}
    kept = kept_work(list(targets.values()), save=save, jobs=jobs, resume=resume)
    is_again = kept is not None and kept.exists()  # then the results are those of the run that was interrupted
    plan = WritePlan([*paths, baseline, emotion_model, gesture_model], overwrite=overwrite or is_again)
    for option, target in targets.items():
        plan.file(target, option)
    failed = [_report(str(problem)) for problem in problems]
    if paths:
        with ExitStack() as stack:
            if kept is not None:
                stack.callback(settle_work, kept)  # when the results are closed, in whichever way
            saver = None
            if save is not None:
                saver = SavedMedia(
                    save,
                    [(path, _is_video(path)) for path in paths],
                    plan,
                    with_sound=not no_sound,
                    text_scale=text_scale(large_text),
                )
            audience = Audience()
            if saver is not None:
                audience.add()
            analyzer = stack.enter_context(Analyzer(options))
            outputs: list[SceneOutput] = []
            if jsonl is not None:
                outputs.append(stack.enter_context(JsonlWriter(jsonl, audience.growth())))
            if json is not None:
                outputs.append(stack.enter_context(JsonWriter(json, audience.growth())))
            if csv is not None:
                labels = analyzer.labels
                columns_of = {"emotions": labels["emotion"], "gestures": labels["gesture"]}
                table = CsvWriter(csv, audience.growth(), **columns_of, bom=csv_bom)
                outputs.append(stack.enter_context(table))
            if parquet is not None:
                labels = analyzer.labels
                audience.add()
                columns = ParquetWriter(parquet, emotions=labels["emotion"], gestures=labels["gesture"])
                outputs.append(stack.enter_context(columns))
            to_stdout = any(target is not None and descriptor_of(target) == 1 for target in targets.values())
            words = _Words(stack, audience, silent=quiet or to_stdout)
            if jobs is not None or resume:
                by_jobs = JobsLook(options, selection, [*outputs, words], words.end_of, workers=jobs or 1, quiet=quiet)
                failed += by_jobs.look(paths, kept)
                paths = []
            progress = stack.enter_context(_progress(quiet))
            for path in paths:
                failed += _look_at(path, selection, analyzer, [*outputs, words], saver, progress)
        if kept is not None:  # the results have their names now
            forget_work(kept)
    if failed:
        raise typer.Exit(1)


def _is_video(path: Path) -> bool:
    try:
        return source_kind(path) == "video"
    except UnreadableMedia:  # reported when its turn comes
        return path.suffix.lower() in VIDEO_SUFFIXES


def _look_at(
    path: Path,
    selection: Selection,
    analyzer: Analyzer,
    outputs: list[SceneOutput],
    saver: SavedMedia | None,
    progress: Progress,
) -> list[str]:
    """Do one source; return what could not be read. A result that cannot be written ends the whole run instead."""
    bar: TaskID | None = None
    picture, problems = None, []
    try:
        with (
            captured(open_source(path, selection=selection, max_pixels=analyzer.options.max_pixels)) as source,
            ExitStack() as stack,
        ):
            steps = selection.expected(source.frame_count, source.fps) if source.kind == "video" else 1
            bar = progress.add_task(path.name, total=steps)
            is_video, fps = source.kind == "video", selection.fps or (source.fps and source.fps / selection.every)
            if saver is not None:
                start_s, end_s = (selection.start_s, selection.end_s) if is_video else (0.0, None)
                copy = saver.open(path, is_video=is_video, fps=fps, start_s=start_s, end_s=end_s)
                picture = stack.enter_context(copy)
            for scene in analyzer.scenes(source):
                for output in outputs if picture is None else [*outputs, picture]:
                    output.write(scene)
                progress.advance(bar)
    except OutputError:
        raise
    except InputError as problem:
        problems = [_report(str(problem))]
    finally:
        if bar is not None:
            progress.remove_task(bar)
        for output in outputs:
            if isinstance(output, _Words):
                output.end_of(path)
    if picture is not None and saver is not None:
        if remark := saver.news(picture):
            _report(f"{picture.path}: {remark}")
        if picture.problem:
            problems.append(_report(picture.problem))
    return problems


class _Words:
    """Prints what was seen: a sentence for a photo, and for a video how often each thing was seen.

    Args:
        stack: closes what this opens.
        audience: the audience of the run.
        silent: print nothing, because stdout carries records or the user asked for quiet.
    """

    def __init__(self, stack: ExitStack, audience: Audience, *, silent: bool) -> None:
        self._lines = None if silent else stack.enter_context(WordFile(audience.growth()))
        self._last: Scene | None = None
        self._begin()

    def write(self, scene: Scene) -> None:
        self._frames += 1
        self._last = scene
        seen = {"look.face": bool(scene.faces), "look.hand": bool(scene.hands)}
        self._seen.update(say(what) for what, is_there in seen.items() if is_there)
        looks = {_read(_LOOKS[face.grade], face, "emotion") for face in scene.faces if face.grade in _LOOKS}
        shows = {_read(_SHOWS[hand.grade], hand, "gesture") for hand in scene.hands if hand.grade in _SHOWS}
        self._read.update(looks | shows)

    def end_of(self, path: Path) -> None:
        """Print it, and start afresh for the next source."""
        if self._last is not None and self._lines is not None:
            facts = is_plain()
            if self._frames == 1:
                told = facts_of(self._last) if facts else [describe(self._last)]
            else:
                told = self._summary(self._last, facts=facts)
            for line in told:
                self._lines.write(say("look.line", path=path, words=line))
        self._begin()

    def _begin(self) -> None:
        self._frames = 0
        self._last = None
        self._seen: Counter[str] = Counter()
        self._read: Counter[str] = Counter()

    def _summary(self, last: Scene, *, facts: bool) -> list[str]:
        """What was seen in a video, in one line or a line for each fact."""
        counts = [*self._seen.most_common(), *self._read.most_common()]
        each = [say("look.share", what=what, share=count / self._frames) for what, count in counts]
        told = each or [nothing(last.models)]
        values = {"n": self._frames, "seconds": say("seconds", seconds=last.time_s)}
        if facts:
            return [say("plain.video", **values), *told]
        return [say("look.video", words=words().join("parts", told), **values)]


def _read(key: str, seen: Face | Hand, task: str) -> str:
    return say(key, word=words().label(task, str(seen.label), seen.grade))


def _progress(quiet: bool) -> Progress:
    """A progress bar on stderr, only in a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(say("look.progress", done="{task.completed}", total="{task.total}")),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=quiet or not shows_progress(),
    )


def _report(sentence: str) -> str:
    print_note(sentence)
    return sentence


def _wrong_use(sentence: str) -> typer.BadParameter:
    return typer.BadParameter(sentence)
