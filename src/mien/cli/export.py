"""`mien export`: turns a run folder into a model folder, or calibrates a model anew."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console.interruption import SAVED, interruption_tells
from mien.cli.train import corpus, setting
from mien.extras import needs
from mien.files.plan import WritePlan
from mien.models.artifact import check_place
from mien.words import again, say

if TYPE_CHECKING:
    from mien.models.manifest import Manifest


@interruption_tells("no model was written")
def export(
    run: Annotated[str, typer.Argument(help="Run folder of `mien train`; with --recipe a model folder or name.")],
    folder: Annotated[Path, typer.Argument(help="Model folder to write.")],
    data: Annotated[Path, typer.Option(help="The data of the run; the temperature is fitted on its validation split.")],
    recipe: Annotated[
        str | None,
        typer.Option(help="For a model whose run no longer exists: keep its weights, redo its calibration and grades."),
    ] = None,
    votes: Annotated[Path | None, typer.Option(help="FER+ table fer2013new.csv.")] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(help="JSON file of a benchmark or of mien evaluate; may be repeated."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="input.margin, input.lift, input.level or export.*"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing model folder.")] = False,
) -> None:
    """Write a trained run as a model folder: ONNX checked against torch, manifest, card. Needs mien[train]."""
    with needs("train"):
        from mien.evaluation.manifest_scores import read_scores
        from mien.models.artifact import load_artifact
        from mien.recipes.recipe import load_recipe
        from mien.train.corpus import CorpusPaths
        from mien.train.export.model import ExportOptions, export_model, export_run
        from mien.train.runs import run_recipe
    WritePlan((run, data, votes, *(scores or ())), overwrite=overwrite).folder(folder, "The model folder")
    check_place(folder, overwrite=overwrite)
    changes = dict(setting(text) for text in settings or ())
    place = Path(run)
    made_by = [] if recipe is None else ["--recipe", Path(recipe).name]
    command = shlex.join(["mien", "export", place.name, folder.name, "--data", data.name, *made_by])
    measured = tuple(score for path in scores or () for score in read_scores(path))
    options = ExportOptions(command=command, changes=changes, scores=measured)
    paths = CorpusPaths(data=data, votes=votes, cache=(place if recipe is None else folder).parent / "cache")
    if recipe is None:
        artifact = export_run(place, folder, corpus(run_recipe(place), paths), options)
    else:
        known = load_recipe(recipe)
        artifact = export_model(load_artifact(run), known, folder, corpus(known, paths), options)
    with interruption_tells(SAVED):
        _tell(artifact.manifest, folder)


def _tell(made: Manifest, folder: Path) -> None:
    found = {"folder": folder, "name": made.name, "temperature": made.temperature, "threshold": made.threshold}
    if made.perhaps is None:
        typer.echo(say("export.written", **found))
    else:
        typer.echo(say("export.written_perhaps", **found, perhaps=made.perhaps))
    for score in made.scores:
        typer.echo(say("export.score", split=score.split, metric=again(score.metric), value=score.value))
