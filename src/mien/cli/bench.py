"""`mien bench`: how long one frame takes here, stage by stage, in a live session, and in a batch."""

from __future__ import annotations

import itertools
import json as json_module
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from mien import __version__
from mien.artwork.drawings import demo_frame
from mien.cli.console.options import ProviderOption, size_hw
from mien.cli.console.plain import print_table
from mien.errors import DataError
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of
from mien.files.whole import write_whole
from mien.live.reactions import Reactions, smooth_settings
from mien.outputs.video import VideoWriter
from mien.pipeline import Analyzer, Options, parse_tasks
from mien.pixels.images import read_error, read_image
from mien.resource import usable_cores
from mien.scale.folder import BatchFolder
from mien.scale.job import Part, Settings, Unit, WorkItem
from mien.scale.tasks import Worker
from mien.scene import Frame
from mien.sources import Selection
from mien.stages.classify import ExpressionClassifier, GestureClassifier
from mien.stages.faces import FaceDetector
from mien.stages.hands import HandDetector
from mien.stages.smooth import Smoother
from mien.voice.responder import Responder
from mien.voice.responses import Responses
from mien.wording import count, json_text
from mien.words import say, words

_WARM_UP = 10
_FPS = 30.0
_CLIP_FRAMES = 30
_FEWEST_CLIPS = 5


def bench(
    picture: Annotated[Path | None, typer.Argument(help="Photo to look at; by default a drawn one.")] = None,
    task: Annotated[str, typer.Option(help="emotion, gesture, or emotion,gesture for both.")] = "emotion,gesture",
    rounds: Annotated[int, typer.Option(min=10, help="Frames to time.")] = 200,
    size: Annotated[str, typer.Option(help="Frame size, WIDTHxHEIGHT.")] = "640x480",
    emotion_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gesture_model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads per network.")] = None,
    provider: ProviderOption = "cpu",
    json: Annotated[str | None, typer.Option(help="File for the figures and what they depend on; - is stdout.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="Figures of an earlier --json: adds how many times slower or faster this is.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Time one frame through all stages: median and 95th percentile in milliseconds.

    A live frame is followed, smoothed and answered as in `mien live`; a batch frame is decoded, looked at and written
    as by a worker of `mien batch`, the mean of each second of video.
    """
    WritePlan([picture, against, emotion_model, gesture_model], overwrite=overwrite).file(json, "--json")
    earlier = {} if against is None else _medians(against)
    tasks = parse_tasks(task)
    image = _fitted(demo_frame(30) if picture is None else read_image(picture), size)
    figures: dict[str, dict[str, float]] = {}
    models = {"emotion_model": emotion_model, "gesture_model": gesture_model}
    options = Options(
        tasks=tasks,
        threads=threads,
        provider=provider,
        **{key: value for key, value in models.items() if value is not None},  # type: ignore[arg-type]
    )
    with Analyzer(options) as analyzer:
        # A video, in which faces are followed.
        frames = (Frame(image_rgb=image, index=index, time_s=index / _FPS) for index in itertools.count())
        scene = analyzer.step(next(frames))
        for name, run in _stages(image, options).items():
            figures[name] = _timed(run, rounds)
        figures["whole frame"] = _timed(lambda: analyzer.step(next(frames)), rounds)
        used = {name: str(model) for name, model in analyzer.models.items()}
    figures["live frame"] = _live(image, options, rounds)
    figures["batch frame"] = _batch(image, options, rounds)
    if json is not None:
        about = {"size": size, "rounds": rounds, "warm_up": _WARM_UP, "threads": threads, "provider": provider}
        write_whole(json, _text({**about, **_machine(), "models": used, "stages_ms": figures}))
    if json is not None and descriptor_of(json) == 1:
        return
    print_table(_table(figures, earlier, against), Console(soft_wrap=True))
    found = {"emotion": say("seen.faces", n=len(scene.faces)), "gesture": say("seen.hands", n=len(scene.hands))}
    seen = [found[name] for name in tasks]
    typer.echo(words().join("clauses", [size, *seen, say("count.frames", n=rounds)]))


def _stages(image: np.ndarray, options: Options) -> dict[str, Callable[[], object]]:
    stages: dict[str, Callable[[], object]] = {}
    how = options.computing
    if "emotion" in options.tasks:
        faces, expressions = FaceDetector(**how), ExpressionClassifier(options.emotion_model, **how)
        found = faces.detect(image, still=False)
        stages["find faces"] = lambda: faces.detect(image, still=False)
        stages["follow faces"] = lambda: faces.follow(image, found)
        stages["read expressions"] = lambda: expressions.classify(image, found)
    if "gesture" in options.tasks:
        hands, gestures = HandDetector(**how), GestureClassifier(options.gesture_model, **how)
        held = hands.detect(image)
        stages["find hands"] = lambda: hands.detect(image)
        stages["read gestures"] = lambda: gestures.classify(held, image)
    return stages


def _live(image: np.ndarray, options: Options, rounds: int) -> dict[str, float]:
    """A frame of `mien live`, from the picture to events and sentence."""
    frames = (Frame(image_rgb=image, index=index, time_s=index / _FPS) for index in itertools.count())
    with Analyzer(replace(options, follow=True)) as analyzer:
        sequence = analyzer.sequence()
        reactions = Reactions(Smoother(smooth_settings(sequence)), Responder(Responses.load()))
        return _timed(lambda: reactions.take(sequence.step(next(frames))), rounds)


def _batch(image: np.ndarray, options: Options, rounds: int) -> dict[str, float]:
    """A frame of a video in `mien batch`, from the file to the rows: the mean of each of several clips."""
    with tempfile.TemporaryDirectory(prefix="mien-bench-") as scratch:
        clip = Path(scratch) / "clip.mp4"
        with VideoWriter(clip, _FPS, image.shape[:2]) as video:
            for _ in range(_CLIP_FRAMES):
                video.write(image)
        folder = BatchFolder(Path(scratch) / "out")
        folder.work.mkdir(parents=True)
        folder.parts.mkdir()
        unit = Unit(part=0, number=0, source=clip.name, path=str(clip), selection=Selection())
        item = WorkItem(kind="look", part=Part(number=0, items=()), unit=unit)
        with Worker(folder, Settings(options=options, selection=unit.selection)) as worker:
            clips = max(rounds // _CLIP_FRAMES, _FEWEST_CLIPS)
            return _timed(lambda: worker.perform(item), clips, warm_up=1, frames=_CLIP_FRAMES)


def _timed(run: Callable[[], object], rounds: int, *, warm_up: int = _WARM_UP, frames: int = 1) -> dict[str, float]:
    """Milliseconds per frame of calls that each do so many frames."""
    for _ in range(warm_up):
        run()
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        took.append((time.perf_counter() - started) * 1000 / frames)
    return {"median": round(float(np.median(took)), 3), "p95": round(float(np.quantile(took, 0.95)), 3)}


def _table(figures: dict[str, dict[str, float]], earlier: dict[str, float], against: Path | None) -> Table:
    table = Table(box=None, pad_edge=False)
    against_it = [] if against is None else [say("bench.against", name=against.name)]
    for place, heading in enumerate([*words().all("bench.columns"), *against_it]):
        table.add_column(heading, justify="right" if place else "left")
    for name, figure in figures.items():
        before = earlier.get(name)
        ratio = [f"{figure['median'] / before:.2f}" if before else "-"] if against else []
        stage = say(f"bench.stage.{name.replace(' ', '_')}")
        table.add_row(stage, f"{figure['median']:.1f}", f"{figure['p95']:.1f}", *ratio)
    return table


def _medians(path: Path) -> dict[str, float]:
    """Of an earlier run, by stage."""
    try:
        stages = json_module.loads(path.read_bytes())["stages_ms"]
        return {str(name): float(figure["median"]) for name, figure in stages.items()}
    except OSError as error:
        raise read_error(str(path), error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not what `mien bench --json` wrote; name such a file.") from error


def _text(figures: dict[str, Any]) -> bytes:
    return (json_text(figures, indent=1) + "\n").encode()


def _machine() -> dict[str, Any]:
    versions = {name: metadata.version(name) for name in ("numpy", "onnxruntime", "opencv-python-headless")}
    system = f"{platform.system()} {platform.machine()}, {count(usable_cores(), 'core')}"
    return {"machine": system, "python": platform.python_version(), "mien": __version__, "versions": versions}


def _fitted(image: np.ndarray, size: str) -> np.ndarray:
    import cv2

    return np.asarray(cv2.resize(image, size_hw(size)[::-1], interpolation=cv2.INTER_AREA), np.uint8)
