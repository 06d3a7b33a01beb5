"""`mien recipes`: what can be trained, with the author's figures and ours; `mien recipes show`: one of them in full."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mien.cli.console.plain import narrowed, print_table, wide_console
from mien.cli.console.speaking import speaking
from mien.errors import MissingExtra
from mien.extras import needs
from mien.files.plan import WritePlan
from mien.files.whole import write_whole
from mien.labels import label_set
from mien.words import again, listed, percent, say, words

if TYPE_CHECKING:
    from mien.recipes.recipe import Recipe
    from mien.train.networks.summary import Layer, Summary

app = typer.Typer(
    name="recipes",
    help="List what `mien train` can train, or show one recipe.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_MEASURED, _PARAMETERS = "measured.json", "parameters.json"
_PICTURES = (".svg", ".png", ".pdf")
_WIDTH = 120
_LABELS, _LEARN, _SOURCE, _NUMBERS = 2, 4, 7, 2  # columns, and how many there are before those of numbers
_SPARE = (_LEARN, _LABELS, _SOURCE)
_LAYER_SPARE, _LAYER_KIND = (4, 3), 1  # columns of the table of layers


@app.callback()
@speaking
def recipes(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List the recipes with their parameters, their source, the author's figure and ours."""
    if context.invoked_subcommand is not None:
        return
    from mien.recipes.recipe import load_recipe, recipe_names

    measured, counted = _table_of(_MEASURED), _table_of(_PARAMETERS)
    facts = [_facts(load_recipe(name), counted[name], measured) for name in recipe_names()]
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    rows = [_row(each) for each in facts]
    console = wide_console(_WIDTH)
    header, rest = narrowed(words().all("recipes.columns"), rows, console, spare=_SPARE, folded=(_SOURCE,))
    print_table(_table(header, rest, last=words().all("recipes.columns")[_SOURCE]), console)
    typer.echo(say("recipes.figures"))
    typer.echo(say("recipes.next"))
    for each in filter(_is_other, facts):
        typer.echo(say("recipes.footnote", name=each["name"], other=_other(each["measured"])))


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    """Cells of the table of recipes."""
    counts = (str(len(facts["labels"])), f"{facts['parameters']:,}", f"{facts['trainable']:,}")
    author = percent(facts["reference"]["author_score"]) if facts["reference"] else ""
    ours = facts["measured"] and percent(facts["measured"]["accuracy"]) + "*" * _is_other(facts)
    shares = (author, ours or say("recipes.not_yet"))
    return (facts["name"], facts["task"], *counts, *shares, again(facts["source"]))


@app.command("show")
@speaking
def show(
    name: Annotated[str, typer.Argument(help="Name of a recipe or a TOML file.")],
    diagram: Annotated[
        Path | None, typer.Option(help="Draw the network to this .svg, .png or .pdf file. Needs mien[data].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files; never an input.")] = False,
) -> None:
    """Show a recipe's settings with their reasons, what it goes on from, and its network layer by layer.

    The layers need mien[train]; without it all else is shown.
    """
    if diagram is not None and diagram.suffix.lower() not in _PICTURES:
        raise typer.BadParameter(f"{diagram} must end in one of {', '.join(_PICTURES)}", param_hint="--diagram")
    WritePlan((name,), overwrite=overwrite).file(diagram, "--diagram")
    from mien.recipes.chain import training_order
    from mien.recipes.recipe import load_recipe, recipe_names, recipe_texts

    recipe = load_recipe(name)
    chain = [each.name for each in training_order(name)]
    summary = _summary(recipe, is_needed=diagram is not None or name not in recipe_names())
    if diagram is not None and summary is not None:
        from mien.train.networks.diagram import draw_network, encode_figure

        picture = draw_network(summary, title=recipe.name, labels=label_set(recipe.label_set).labels)
        write_whole(diagram, encode_figure(picture, diagram.suffix.lower()))
        typer.echo(say("recipes.diagram", path=diagram), err=True)
    total, trainable = _table_of(_PARAMETERS)[name] if summary is None else (summary.total, summary.trainable)
    facts = {**_facts(recipe, (total, trainable), _table_of(_MEASURED)), "chain": chain}
    if as_json:
        layers = summary and [{**asdict(layer), "frozen": layer.frozen} for layer in summary.layers]
        settings = {"settings": _changed(recipe), "input": summary and summary.input, "layers": layers}
        typer.echo(json.dumps({**facts, **settings}, indent=2))
        return
    for text in recipe_texts(name):
        typer.echo(text.rstrip() + "\n")
    if len(chain) > 1:
        command = f"mien train --chain {name} --data DATA"
        typer.echo(say("recipes.order", names=listed(chain), command=command) + "\n")
    if summary is not None:
        console = wide_console(_WIDTH)
        print_table(_layers(summary, console), console)
    typer.echo(_parameters(total, trainable, summary))
    author, ours = _figures(facts)
    typer.echo(say("recipes.author", figure=author or say("recipes.no_figure")))
    typer.echo(say("recipes.mien", figure=ours))


def _summary(recipe: Recipe, *, is_needed: bool) -> Summary | None:
    """The network of a recipe layer by layer; without mien[train] a line on stderr and None, or an error if needed."""
    try:
        with needs("train"):
            from mien.train.networks.summary import recipe_summary
    except MissingExtra as missing:
        if is_needed:
            raise
        typer.echo(f"mien: {say('recipes.no_layers', why=missing)}", err=True)
        return None
    return recipe_summary(recipe)


def _facts(recipe: Recipe, counts: Sequence[int], measured: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "task": recipe.task,
        "labels": label_set(recipe.label_set).labels,
        "parameters": counts[0],
        "trainable": counts[1],
        "source": recipe.source,
        "reference": asdict(recipe.reference) if recipe.reference.ref else None,
        "measured": measured.get(recipe.name),
    }


def _figures(facts: dict[str, Any]) -> tuple[str, str]:
    """The author's figure and ours, in words."""
    reference, measured = facts["reference"], facts["measured"]
    author = _figure(reference["author_score"], reference["author_metric"]) if reference else ""
    ours = _figure(measured["accuracy"], measured["on"]) if measured else say("recipes.not_measured")
    return author, say("recipes.and_other", figure=ours, other=_other(measured)) if _is_other(facts) else ours


def _figure(share: float, what: str) -> str:
    return say("recipes.figure", share=percent(share), what=again(what))


def _is_other(facts: dict[str, Any]) -> bool:
    """Whether our figure reproduces a figure of the author's other than the recipe's own, or is from fewer epochs."""
    reference, measured = facts["reference"], facts["measured"]
    if not reference or not measured:
        return False
    return measured.get("ref", reference["ref"]) != reference["ref"] or "planned" in measured


def _other(measured: dict[str, Any]) -> str:
    ref, score = again(measured["ref"]), measured.get("author_score")
    if "planned" in measured:
        ours = say("recipes.ours_after", ref=ref, epochs=measured["epochs"], n=measured["planned"])
    else:
        ours = say("recipes.ours_for", ref=ref)
    return say("recipes.author_has", ours=ours, share=percent(score)) if score else ours


def _table_of(name: str) -> dict[str, Any]:
    """What the package keeps by recipe: our figures, as `mien compare` wrote them, or the numbers of parameters, all
    and trainable, as `tools/count_parameters.py` did; empty if there is none."""
    file = resources.files("mien.recipes") / name
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found


def _changed(recipe: Recipe) -> dict[str, Any]:
    """The settings that differ from the defaults, by section."""
    changed = {}
    for section in fields(recipe):
        value = getattr(recipe, section.name)
        if is_dataclass(value) and not isinstance(value, type):
            defaults = asdict(type(value)())
            changed[section.name] = {key: v for key, v in asdict(value).items() if v != defaults[key]}
    return {name: section for name, section in changed.items() if section}


def _layers(summary: Summary, console: Console) -> Table:
    rows: list[tuple[str, ...]] = [("", say("recipes.input"), _shape(summary.input), "", "")]
    rows += ((layer.name, again(layer.kind), _shape(layer.output), *_counts(layer)) for layer in summary.layers)
    header = words().all("recipes.layers")
    return _table(*narrowed(header, rows, console, spare=_LAYER_SPARE, folded=(_LAYER_KIND,)))


def _counts(layer: Layer) -> tuple[str, str]:
    return (
        (f"{layer.total:,}", say("recipes.frozen") if layer.frozen else f"{layer.trainable:,}")
        if layer.total
        else ("", "")
    )


def _parameters(total: int, trainable: int, summary: Summary | None) -> str:
    """How many parameters there are, how many of them learn, and why others do not."""
    frozen = sum(layer.total for layer in summary.layers if layer.frozen) if summary else 0
    statistics = total - trainable - frozen if summary else 0
    counts = {"total": total, "trainable": trainable}
    if frozen and statistics:
        return say("recipes.parameters_both", **counts, frozen=frozen, statistics=statistics)
    if frozen:
        return say("recipes.parameters_frozen", **counts, frozen=frozen)
    if statistics:
        return say("recipes.parameters_statistics", **counts, statistics=statistics)
    return say("recipes.parameters", **counts)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], last: str = "") -> Table:
    """Two columns of text, then numbers; the one called `last` is text, too."""
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(header):
        if place < _NUMBERS or heading == last:
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
