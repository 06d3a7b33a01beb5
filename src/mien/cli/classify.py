"""`mien classify`: pictures that are the face, or the hand, themselves."""

from __future__ import annotations

import json as json_format
import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from mien.errors import InputError
from mien.outputs.records import LineFile
from mien.pipeline import CropReader, Options, check_tasks
from mien.pixels.images import read_image
from mien.stages.sources import expand_sources


def classify(
    task: Annotated[str, typer.Argument(help="emotion or gesture.", metavar="TASK")],
    images: Annotated[
        list[str], typer.Argument(help="Crops of a face (emotion) or a hand (gesture).", metavar="IMAGE")
    ],
    jsonl: Annotated[str | None, typer.Option(help="One JSON object an image, to this file; - is stdout.")] = None,
    model: Annotated[str | None, typer.Option(help="Model name or folder.")] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Confidence under which an answer is uncertain.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each network.")] = None,
) -> None:
    """Name the expression or gesture of ready crops, in the order given.

    A file that cannot be read is reported and skipped, the others are done, and the exit code is 1.
    """
    (chosen,) = check_tasks([task])
    choices = {f"{chosen}_model": model, f"{chosen}_threshold": threshold}
    options = Options(threads=threads, **{key: value for key, value in choices.items() if value is not None})  # type: ignore[arg-type]
    paths, problems = expand_sources(images)
    failed = len(problems)
    for problem in problems:
        sys.stderr.write(f"mien: {problem}\n")
    with ExitStack() as stack:
        reader = stack.enter_context(CropReader(chosen, options))
        lines = None if jsonl is None else stack.enter_context(LineFile(jsonl))
        for path in paths:
            try:
                reading = reader.read(read_image(path))
            except InputError as problem:
                failed += 1
                sys.stderr.write(f"mien: {problem}\n")
                continue
            if lines is not None:
                lines.write(json_format.dumps({"source": str(path), **reading.to_dict()}, ensure_ascii=False))
            if jsonl != "-":
                doubt = " (not sure)" if reading.uncertain else ""
                typer.echo(f"{path}: {reading.label} {reading.confidence:.0%}{doubt}")
    if failed:
        raise typer.Exit(1)
