"""`mien models`: the models in the package, the card of one, and models side by side."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from mien.cli.console.plain import print_table
from mien.cli.console.speaking import speaking
from mien.cli.console.verbs import DefaultVerb
from mien.cli.models import compare as models_compare
from mien.models.artifact import load_artifact, zoo_names
from mien.words import again, say, words

_WIDTH = 120


class _NamesToo(DefaultVerb):
    """`mien models NAME` is `mien models show NAME`."""

    default = "show"


app = typer.Typer(
    name="models",
    cls=_NamesToo,
    help="List the models in the package, show the card of one (mien models NAME), or compare models on a data set.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
@speaking
def listed(context: typer.Context) -> None:
    """List the models in the package, show the card of one (mien models NAME), or compare models on a data set."""
    if context.invoked_subcommand is None:
        models()


@app.command("show")
@speaking
def models(
    name: Annotated[str | None, typer.Argument(help="Name or folder of a model; shows its card.")] = None,
) -> None:
    """List the models with their task, size, licence and scores, or show the card of one."""
    if name is not None:
        typer.echo(load_artifact(name).card)
        return
    table = Table(box=None, pad_edge=False)
    for heading in words().all("models.columns"):
        table.add_column(heading, overflow="fold")
    for each in zoo_names():
        artifact = load_artifact(each)
        manifest = artifact.manifest
        height, width = manifest.input.size_hw
        colour = manifest.input.colour if manifest.input.kind == "image" else say("models.landmarks")
        first = manifest.scores[0] if manifest.scores else None
        table.add_row(
            manifest.name,
            manifest.task,
            f"{height}x{width} {colour}",
            f"{artifact.model_path.stat().st_size / 1e6:.1f} MB",
            manifest.licence,
            ""
            if first is None
            else say("models.score", metric=again(first.metric), value=first.value, data=first.data),
        )
    print_table(table, Console(width=max(Console().width, _WIDTH)))
    typer.echo(say("models.next"))
    typer.echo(say("models.next_compare"))


app.command("compare")(speaking(models_compare.compare))
