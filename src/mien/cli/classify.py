"""`mien classify`: pictures that already are the face or the hand."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from mien.cli.console.audience import Audience
from mien.cli.console.options import GesturesOption, MaxPixelsOption, ProviderOption, gesture_names, print_note
from mien.errors import InputError, RefusedOutput
from mien.files.plan import WritePlan
from mien.files.targets import check_name, descriptor_of
from mien.labels import Task
from mien.outputs.chart import MOST_ROWS, draw_chart, stacked
from mien.outputs.draw import Picture
from mien.outputs.saved import PICTURES
from mien.outputs.text import either
from mien.pipeline import Analyzer, CropReader, Options, check_tasks
from mien.pixels.boxes import area
from mien.pixels.images import read_image
from mien.pixels.photos import MAX_PIXELS
from mien.records.writers import LineFile, WordFile
from mien.resource import Resource
from mien.scene import Box, Frame, Prediction, UsedModel
from mien.sources import expand_sources
from mien.wording import json_text
from mien.words import words


def classify(
    task: Annotated[str, typer.Argument(help="emotion or gesture.", metavar="TASK")],
    images: Annotated[
        list[str], typer.Argument(help="Crops of a face (emotion) or a hand (gesture).", metavar="IMAGE")
    ],
    jsonl: Annotated[str | None, typer.Option(help="File for one JSON object per image; - is stdout.")] = None,
    chart: Annotated[
        Path | None,
        typer.Option(
            help="Each image next to its confidence bars: one picture for all, or a folder with one for each."
        ),
    ] = None,
    find: Annotated[
        bool, typer.Option("--find", help="Images are whole photos: find the largest face or hand first.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    gestures: GesturesOption = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Confidence below which an answer is uncertain.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads per network.")] = None,
    provider: ProviderOption = "cpu",
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Name the expression or gesture in ready-made crops, in the order given.

    Each image is taken to be the face or hand itself. For whole photos use --find, or mien look, which names every
    face and hand. A file that cannot be read is reported and skipped; the others are done, and the exit code is 1.
    """
    (chosen,) = check_tasks([task])
    if gestures is not None and chosen != "gesture":
        raise typer.BadParameter("only `mien classify gesture` takes it", param_hint="--gestures")
    choices = {f"{chosen}_model": model, f"{chosen}_threshold": threshold}
    options = Options(
        tasks=(chosen,),
        threads=threads,
        provider=provider,
        gestures=gesture_names(gestures),
        **{key: value for key, value in choices.items() if value is not None},  # type: ignore[arg-type]
    )
    paths, problems = expand_sources(images, on_note=print_note)
    plan = WritePlan([*paths, model], overwrite=overwrite)
    plan.file(jsonl, "--jsonl")
    charts = None if chart is None else _Charts(chart, paths, plan)
    failed = len(problems)
    for problem in problems:
        print_note(problem)
    with ExitStack() as stack:
        audience = Audience()
        if charts is not None:
            audience.add()
            stack.enter_context(charts)
        reader = stack.enter_context(_Reader(chosen, options, find=find))
        lines = None if jsonl is None else stack.enter_context(LineFile(jsonl, audience.growth()))
        is_silent = jsonl is not None and descriptor_of(jsonl) == 1
        printed = None if is_silent else stack.enter_context(WordFile(audience.growth()))
        for path in paths:
            try:
                image = read_image(path, max_pixels=max_pixels)
                prediction, box = reader.read(image, str(path))
            except InputError as problem:
                failed += 1
                print_note(problem)
                continue
            if lines is not None:
                where = {} if box is None else {"box": [round(float(v), 2) for v in box]}
                record = {"source": str(path), **prediction.to_dict(), **where, "model": reader.model.to_dict()}
                lines.write(json_text(record))
            if charts is not None:
                charts.add(path, draw_chart(image, prediction, task=chosen, box_xyxy=box, name=path.name))
            if printed is not None:
                printed.write(_line(path, prediction, chosen))
    if failed:
        raise typer.Exit(1)


def _line(path: Path, prediction: Prediction, task: Task) -> str:
    said = words()
    values = {"path": path, "label": said.label(task, prediction.label, "label"), "share": prediction.confidence}
    key = {"sure": "line", "perhaps": "line_perhaps", "unclear": "line_unclear"}[prediction.grade]
    return said.say(f"classify.{key}", either=either(prediction, task), **values)


class _Reader(Resource):
    """Reads an image as a crop, or the largest face or hand found in it.

    Args:
        task: `emotion` or `gesture`.
        options: models and thresholds.
        find: whether to look for the face or hand first.
    """

    def __init__(self, task: Task, options: Options, *, find: bool) -> None:
        self._what = "face" if task == "emotion" else "hand"
        self._reader = Analyzer(options) if find else CropReader(task, options)
        self.model: UsedModel = self._reader.models[task] if isinstance(self._reader, Analyzer) else self._reader.model

    def read(self, image_rgb: NDArray[np.uint8], name: str) -> tuple[Prediction, Box | None]:
        """The prediction and its box; no box for a crop. InputError when nothing is found."""
        if isinstance(self._reader, CropReader):
            return self._reader.read(image_rgb), None
        self._reader.restart()
        scene = self._reader.step(Frame(image_rgb=image_rgb, source=name, still=True))
        seen = max((*scene.faces, *scene.hands), key=lambda region: area(region.box_xyxy), default=None)
        if seen is None or seen.prediction is None:
            raise InputError(
                f"No {self._what} was found in {name}; leave out --find if the whole picture is the {self._what}"
            )
        return seen.prediction, seen.box_xyxy

    def close(self) -> None:
        """Free the models."""
        self._reader.close()


class _Charts(Resource):
    """Where charts go: all into one picture, written when this is closed, or one picture per image into a folder.

    Args:
        target: a file named .jpg, .jpeg, .png, .webp or .gif, or a folder.
        sources: the images.
        plan: asked about each picture.

    Raises:
        RefusedOutput: a picture would replace something, or would hold too many charts.
    """

    def __init__(self, target: Path, sources: list[Path], plan: WritePlan) -> None:
        self._single: Path | None = None
        self._pictures: list[Picture] = []
        self._waiting: dict[Path, list[Path]] = {}
        check_name(target, "--chart")
        if target.suffix and not target.is_dir():
            if target.suffix.lower() not in PICTURES:
                raise RefusedOutput(f"--chart {target} must end in one of {', '.join(PICTURES)}.")
            if len(sources) > MOST_ROWS:
                raise RefusedOutput(
                    f"One picture holds the charts of at most {MOST_ROWS} images, got {len(sources)}; name a folder."
                )
            self._single = target
            plan.file(target, "--chart")
            return
        used: set[str] = set()
        for path in sources:  # in a folder, a second image of the same name gets `-2`
            name, number = path.stem, 1
            while name.lower() in used:
                number += 1
                name = f"{path.stem}-{number}"
            used.add(name.lower())
            plan.file(target / f"{name}.png", "--chart")
            self._waiting.setdefault(path, []).append(target / f"{name}.png")

    def add(self, path: Path, picture: Picture) -> None:
        """Take the next chart."""
        if self._single is not None:
            self._pictures.append(picture)
        else:
            picture.save(self._waiting[path].pop(0))

    def close(self) -> None:
        """Write the single picture, if one was asked for and there is anything to show, even after an interruption."""
        if self._single is not None and self._pictures:
            stacked(self._pictures).save(self._single)
            self._pictures.clear()
