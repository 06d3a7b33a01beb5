"""`mien models`: what is inside the package."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mien.models.artifact import load_artifact, zoo_names

_WIDTH = 120


def models(
    name: Annotated[str | None, typer.Argument(help="Show this model's card; a name or a folder.")] = None,
) -> None:
    """List the models with their task, size, licence and scores, or show one model's card."""
    if name is not None:
        typer.echo(load_artifact(name).card)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "task", "input", "size", "licence", "first score"):
        table.add_column(heading, overflow="fold")
    for each in zoo_names():
        artifact = load_artifact(each)
        manifest = artifact.manifest
        height, width = manifest.input.size_hw
        colour = manifest.input.colour if manifest.input.kind == "image" else "landmarks"
        table.add_row(
            manifest.name,
            manifest.task,
            f"{height}x{width} {colour}",
            f"{artifact.model_path.stat().st_size / 1e6:.1f} MB",
            manifest.licence,
            f"{manifest.scores[0].metric} {manifest.scores[0].value:g}, {manifest.scores[0].data}"
            if manifest.scores
            else "",
        )
    Console(width=max(Console().width, _WIDTH)).print(table)
    typer.echo("mien models NAME shows a model's card with all its scores.")
