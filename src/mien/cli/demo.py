"""`mien demo`: a run that needs nothing, on faces and hands that mien draws itself."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from mien.cli.console.plain import is_plain
from mien.cli.console.program import program
from mien.errors import OutputError
from mien.files.plan import WritePlan
from mien.files.targets import output_error
from mien.files.whole import write_whole
from mien.words import say

if TYPE_CHECKING:
    from mien.pipeline import Analyzer
    from mien.records.writers import JsonlWriter
    from mien.scene import Scene

_CLIP, _NOTE, _RECORDS, _ANNOTATED = "clip.mp4", "README.txt", "demo.jsonl", "-annotated.jpg"


def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the pictures, the clip and the records. [default: mien-demo, mien-demo-2, ...]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Look at drawn faces and hands: nothing is downloaded, and no camera or photo is needed.

    The folder gets the drawings, annotated copies of them, an annotated clip, and demo.jsonl with everything seen.
    """
    from mien.artwork import drawings as artwork
    from mien.pipeline import Analyzer
    from mien.pixels.images import write_image
    from mien.records.writers import JsonlWriter

    drawings = {"people": artwork.draw_people, "faces": artwork.draw_faces, "hands": artwork.draw_hands}
    drawings["more_hands"] = artwork.draw_more_hands
    if out is None:
        out = next(folder for folder in _names() if not folder.exists())
    plan = WritePlan(overwrite=overwrite)
    for name in (_NOTE, _RECORDS, _CLIP, *(f"{name}{end}" for name in drawings for end in (".png", _ANNOTATED))):
        plan.file(out / name, "--out")
    _make_folder(out)
    with Analyzer() as analyzer, JsonlWriter(out / _RECORDS) as records:
        for name, draw in drawings.items():
            path = out / f"{name}.png"
            image_rgb = draw()
            write_image(path, image_rgb)
            _look(analyzer, records, path, image_rgb)
        _watch(analyzer, records, out / _CLIP)
    typer.echo(f"{say('demo.written', folder=out, clip=_CLIP, records=_RECORDS)}\n")
    mien = program()
    typer.echo(say("demo.next"))
    typer.echo(f"  {mien} look {say('demo.your_photo')} --save annotated.jpg")
    typer.echo(f"  {mien} look {shlex.quote(str(out / 'people.png'))} --jsonl -")
    typer.echo(f"  {mien} doctor")


def _names() -> Iterator[Path]:
    yield Path("mien-demo")
    yield from (Path(f"mien-demo-{number}") for number in count(2))


def _look(analyzer: Analyzer, records: JsonlWriter, path: Path, image_rgb: NDArray[np.uint8]) -> None:
    """Print and record what is in one picture."""
    from mien.scene import Frame

    (scene,) = analyzer.scenes([Frame(image_rgb=image_rgb, source=str(path), still=True)])
    records.write(scene)
    scene.draw().save(path.with_name(f"{path.stem}{_ANNOTATED}"))
    for line in _told(scene):
        typer.echo(say("demo.line", path=path, words=line))


def _watch(analyzer: Analyzer, records: JsonlWriter, path: Path) -> None:
    """Print and record what happens in the clip: a line whenever something changes."""
    from mien.artwork.drawings import CLIP_FPS, CLIP_SIZE_HW, demo_frames
    from mien.outputs.video import VideoWriter
    from mien.scene import Frame

    def frames() -> Iterator[Frame]:
        for i, image_rgb in enumerate(demo_frames()):
            yield Frame(image_rgb=image_rgb, index=i, time_s=i / CLIP_FPS, source=str(path))

    def labels(scene: Scene) -> tuple[tuple[str | None, ...], tuple[str | None, ...]]:
        return tuple(f.label for f in scene.faces if not f.uncertain), tuple(h.label for h in scene.hands)

    last: object = None
    with VideoWriter(path, CLIP_FPS, CLIP_SIZE_HW) as video:
        for scene in analyzer.scenes(frames()):
            records.write(scene)
            video.write(scene.draw().image_rgb)
            if labels(scene) != last:
                seconds = say("seconds", seconds=scene.time_s)
                for line in _told(scene):
                    typer.echo(say("demo.change", path=path, seconds=seconds, words=line))
                last = labels(scene)


def _told(scene: Scene) -> list[str]:
    """What is seen: a sentence or, plainly, a line for each fact."""
    from mien.outputs.text import describe, facts_of

    return facts_of(scene) if is_plain() else [describe(scene)]


def _make_folder(out: Path) -> None:
    """Make the folder; fail before any work is done if nothing can be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if out.is_file():
            raise OutputError(f"Cannot write to {out}: it is a file; name a folder with --out.") from error
        raise output_error(out, error) from error
    write_whole(out / _NOTE, say("demo.note").encode())
