"""`mien bench`: how long one frame takes here, stage by stage."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from mien.artwork.drawings import demo_frame
from mien.cli.console.options import ProviderOption, size_hw
from mien.pipeline import Analyzer, Options, check_tasks
from mien.pixels.images import read_image
from mien.scene import Frame
from mien.stages.classify import ExpressionClassifier, GestureClassifier
from mien.stages.faces import FaceDetector
from mien.stages.hands import HandDetector
from mien.wording import count

_WARM_UP = 10
_FPS = 30.0


def bench(
    picture: Annotated[Path | None, typer.Argument(help="Photo to look at; by default a drawn one.")] = None,
    task: Annotated[str, typer.Option(help="emotion, gesture, or emotion,gesture for both.")] = "emotion,gesture",
    rounds: Annotated[int, typer.Option(min=10, help="Frames to time.")] = 200,
    size: Annotated[str, typer.Option(help="Frame size, WIDTHxHEIGHT.")] = "640x480",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads per network.")] = None,
    provider: ProviderOption = "cpu",
) -> None:
    """Time one frame through all stages: median and 95th percentile in milliseconds."""
    tasks = check_tasks([name.strip() for name in task.split(",") if name.strip()])
    image = _fitted(demo_frame(30) if picture is None else read_image(picture), size)
    table = Table(box=None, pad_edge=False)
    for heading in ("stage", "median ms", "p95 ms"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    with Analyzer(Options(tasks=tasks, threads=threads, provider=provider)) as analyzer:
        # A video, in which faces are followed.
        frames = (Frame(image_rgb=image, index=index, time_s=index / _FPS) for index in itertools.count())
        scene = analyzer.step(next(frames))
        for name, run in _stages(image, tasks, threads=threads, provider=provider).items():
            table.add_row(name, *_timed(run, rounds))
        table.add_row("whole frame", *_timed(lambda: analyzer.step(next(frames)), rounds))
    Console(soft_wrap=True).print(table)
    found = {"emotion": count(len(scene.faces), "face"), "gesture": count(len(scene.hands), "hand")}
    seen = ", ".join(found[name] for name in tasks)
    typer.echo(f"{size}, {seen}, {count(rounds, 'frame')}")


def _stages(image: np.ndarray, tasks: tuple[str, ...], **how: Any) -> dict[str, Callable[[], object]]:
    stages: dict[str, Callable[[], object]] = {}
    if "emotion" in tasks:
        faces, expressions = FaceDetector(**how), ExpressionClassifier(**how)
        found = faces.detect(image, still=False)
        stages["find faces"] = lambda: faces.detect(image, still=False)
        stages["follow faces"] = lambda: faces.follow(image, found)
        stages["read expressions"] = lambda: expressions.classify(image, found)
    if "gesture" in tasks:
        hands, gestures = HandDetector(**how), GestureClassifier(**how)
        held = hands.detect(image)
        stages["find hands"] = lambda: hands.detect(image)
        stages["read gestures"] = lambda: gestures.classify(held, image)
    return stages


def _timed(run: Callable[[], object], rounds: int) -> tuple[str, str]:
    for _ in range(_WARM_UP):
        run()
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        took.append((time.perf_counter() - started) * 1000)
    return f"{np.median(took):.1f}", f"{np.quantile(took, 0.95):.1f}"


def _fitted(image: np.ndarray, size: str) -> np.ndarray:
    import cv2

    return np.asarray(cv2.resize(image, size_hw(size)[::-1], interpolation=cv2.INTER_AREA), np.uint8)
