"""`mien models`: the models in the package, the card of one, and models side by side."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from mien.cli.console.plain import narrowed, print_table, wide_console
from mien.cli.console.speaking import speaking
from mien.cli.console.verbs import DefaultVerb
from mien.cli.models import compare as models_compare
from mien.models.artifact import load_artifact, zoo_names
from mien.words import again, say, words

_WIDTH = 120
_INPUT, _LICENCE, _SCORE = 2, 4, 5  # columns
_SPARE, _FOLDED = (_INPUT, _LICENCE, _SCORE), (_LICENCE, _SCORE)


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
    rows = []
    for each in zoo_names():
        artifact = load_artifact(each)
        manifest = artifact.manifest
        height, width = manifest.input.size_hw
        colour = manifest.input.colour if manifest.input.kind == "image" else say("models.landmarks")
        size = f"{artifact.model_path.stat().st_size / 1e6:.1f} MB"
        first = manifest.scores[0] if manifest.scores else None
        score = first and say("models.score", metric=again(first.metric), value=first.value, data=first.data)
        cells = (f"{height}x{width} {colour}", size, manifest.licence, score or "")
        rows.append((manifest.name, manifest.task, *cells))
    console = wide_console(_WIDTH)
    header, rest = narrowed(words().all("models.columns"), rows, console, spare=_SPARE, folded=_FOLDED)
    table = Table(box=None, pad_edge=False)
    for heading in header:
        table.add_column(heading, overflow="fold")
    for row in rest:
        table.add_row(*row)
    print_table(table, console)
    typer.echo(say("models.next"))
    typer.echo(say("models.next_compare"))


app.command("compare")(speaking(models_compare.compare))
