"""`mien evaluate`: every figure of a run, a model or predictions on a split of a data set, as a report."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console.interruption import SAVED, interruption_tells
from mien.cli.console.options import print_note
from mien.cli.console.overview import Problems, one_of
from mien.cli.console.reading import fitted_lines, watched
from mien.cli.train import corpus
from mien.extras import needs
from mien.files.plan import WritePlan
from mien.words import again, kept, say, words

if TYPE_CHECKING:
    from mien.data.dataset import Dataset
    from mien.evaluation.evaluated_model import EvaluatedModel, ModelInfo
    from mien.evaluation.predictions import Predictions

_SPLITS = ("train", "validation", "test", "all")
_PROTOCOLS = ("author", "honest")
_DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What to evaluate, and on what."""

    subject: str
    data: Path
    votes: Path | None
    split: str
    ten_crop: bool
    device: str
    limit: int
    cache: Path | None


@interruption_tells("no report was written")
def evaluate(
    subject: Annotated[
        str,
        typer.Argument(
            help="Run folder, model folder, name of a model in the package, or CSV of predictions.", metavar="SUBJECT"
        ),
    ],
    data: Annotated[Path, typer.Option(help="FER2013 CSV, class folders, packed .npz, or folder of hand sets.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the report. [default: evaluation-NAME-SPLIT, or for a run RUN/evaluation-SPLIT]"),
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation, test or all.")] = "test",
    votes: Annotated[Path | None, typer.Option(help="FER+ table fer2013new.csv.")] = None,
    ten_crop: Annotated[bool, typer.Option("--ten-crop", help="Also average ten views; ten times slower.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed for resampling and for the samples shown.")] = 0,
    protocol: Annotated[str, typer.Option(help="author or honest: how mien compare treats the figures.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda; for runs.")] = "auto",
    limit: Annotated[
        int, typer.Option(min=0, help="Use at most this many hand pictures per class and set; 0 for all.")
    ] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder that caches detected hand landmarks.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing report.")] = False,
) -> None:
    """Write a report: OUT/report.html, its figures as PNG, metrics.json and predictions.csv. Needs mien[data].

    A run of mien train also needs mien[train]. A CSV of predictions has one row per sample: a probability column for
    each label (or only a column "predicted"), and a column "name" unless the rows are in the order of the split.
    """
    one_of("split", split, _SPLITS)
    if protocol:
        one_of("protocol", protocol, _PROTOCOLS)
    one_of("device", device, _DEVICES)
    with needs("data"):
        from mien.evaluation.evaluate import EvaluationContext
        from mien.evaluation.evaluate import evaluate as measure
        from mien.evaluation.evaluated_model import kind_of
        from mien.reports.evaluation.folder import PAGE_FILE, check_folder, write_report
        from mien.reports.evaluation.tables import summary_rows
    asked = Path(subject)
    inside = asked / f"evaluation-{split}" if kind_of(subject) == "run" else None
    folder = out or inside or Path(f"evaluation-{asked.stem}-{split}")
    WritePlan((Path(subject), data, votes), overwrite=overwrite).folder(folder, "--out")
    check_folder(folder, overwrite=overwrite)
    question = _Question(
        subject=subject, data=data, votes=votes, split=split, ten_crop=ten_crop, device=device, limit=limit, cache=cache
    )
    started = time.monotonic()
    with Problems("sample") as problems:
        about, answers, dataset, notes = _asked(question, problems)
        circumstances = EvaluationContext(
            split=split, seed=seed, command=_command(question), protocol=protocol, notes=notes
        )
        evaluation = measure(about, answers, dataset, circumstances)
        facts = replace(evaluation.facts, seconds=round(time.monotonic() - started, 1))
        evaluation = replace(evaluation, facts=facts)
        with interruption_tells(SAVED):
            write_report(evaluation, folder, overwrite=overwrite)
            for note in evaluation.notes:
                print_note(say("models.note", note=again(note)))
            for line in fitted_lines(words().all("evaluation.columns"), summary_rows(evaluation)):
                typer.echo(line)
            typer.echo(say("evaluation.page_at", page=folder / PAGE_FILE))


def _asked(question: _Question, problems: Problems) -> tuple[ModelInfo, Predictions, Dataset, tuple[str, ...]]:
    """The model, its answers, the whole data set, and notes on how it was read."""
    from mien.evaluation.evaluated_model import about_file, kind_of, open_model
    from mien.evaluation.prediction_table import read_predictions
    from mien.evaluation.predictions import answers_of_predictions, answers_of_subject, views_to_ask

    kind = kind_of(question.subject)
    if kind == "predictions":
        dataset = _images(question, problems)
        predictions = read_predictions(question.subject, label_set=dataset.label_set)
        return (
            about_file(Path(question.subject)),
            answers_of_predictions(predictions, dataset, question.split),
            dataset,
            (),
        )
    opened = _run(question) if kind == "run" else open_model(question.subject)
    with opened as asked:
        if kind == "run":
            dataset, notes = _run_data(question)
        elif asked.spec.kind == "landmarks":
            dataset, notes = _hands(question, asked)
        else:
            dataset, notes = _images(question, problems, asked), ()
        samples = len(dataset) if question.split == "all" else dataset.size(question.split)
        views = views_to_ask(asked, dataset, ten_crop=question.ten_crop)
        with watched(say("models.asking", name=asked.about.name), total=views * samples) as on_step:
            answers = answers_of_subject(
                asked, dataset, question.split, ten_crop=question.ten_crop, on_step=_adding(on_step)
            )
    return opened.about, answers, dataset, notes


def _run(question: _Question) -> EvaluatedModel:
    with needs("train"):
        from mien.train.runs import open_run
    return open_run(Path(question.subject), device=question.device)


def _run_data(question: _Question) -> tuple[Dataset, tuple[str, ...]]:
    """The data in the form that the run's recipe uses."""
    from mien.train.corpus import CorpusPaths, recipe_pictures
    from mien.train.runs import run_recipe

    run = Path(question.subject)
    recipe = run_recipe(run)
    paths = CorpusPaths(data=question.data, votes=question.votes, cache=question.cache or run.parent / "cache")
    dataset = corpus(recipe, paths, to_train=False)
    if recipe.data.kind != "hands":
        return dataset, ()
    return dataset, _missed(len(recipe_pictures(recipe, question.data)), len(dataset))


def _images(question: _Question, problems: Problems, asked: EvaluatedModel | None = None) -> Dataset:
    """Pictures, resized to the network's input where they come from files."""
    from mien.data.readers.ferplus import load_ferplus
    from mien.data.readers.load import load_dataset

    votes = None if question.votes is None else load_ferplus(question.votes)
    with watched(say("page_file.reading", name=question.data.name)) as on_step:
        if asked is None:
            return load_dataset(question.data, votes=votes, on_problem=problems, on_step=on_step)
        return load_dataset(
            question.data,
            size_hw=asked.spec.size_hw,
            colour=asked.spec.colour,
            votes=votes,
            on_problem=problems,
            on_step=on_step,
        )


def _hands(question: _Question, asked: EvaluatedModel) -> tuple[Dataset, tuple[str, ...]]:
    """Landmarks of hand pictures, detected as at run time; all of them count as training samples."""
    from mien.data.hands import Naming, find_hand_pictures, load_hands
    from mien.labels import label_set_of
    from mien.stages.classify import POINTS_WITH_TOP
    from mien.stages.hands import HandDetector

    label_set = label_set_of(asked.labels)
    pictures = find_hand_pictures(question.data, limit=question.limit, naming=Naming(label_set=label_set))
    with HandDetector() as detector, watched(say("evaluation.looking_for_hands"), total=len(pictures)) as on_step:
        dataset, found = load_hands(
            pictures,
            detector,
            label_set=label_set,
            with_top=asked.spec.size_hw[0] == POINTS_WITH_TOP,
            cache=question.cache,
            on_step=on_step,
        )
    return dataset, _missed(len(pictures), int(found.sum()))


def _missed(pictures: int, found: int) -> tuple[str, ...]:
    if pictures == found:
        return ()
    return (kept("kept.hands_missed", missed=pictures - found, n=pictures),)


def _adding(on_step: Callable[[int], None]) -> Callable[[int], None]:
    """Turns single steps into the running total that a progress bar wants."""
    done = 0

    def add(more: int) -> None:
        nonlocal done
        done += more
        on_step(done)

    return add


def _command(question: _Question) -> str:
    """What the user typed, without folder names of this machine."""
    words = ["mien", "evaluate", Path(question.subject).name, "--data", question.data.name]
    if question.votes is not None:
        words += ["--votes", question.votes.name]
    words += ["--split", question.split]
    words += ["--ten-crop"] if question.ten_crop else []
    words += ["--limit", str(question.limit)] if question.limit else []
    return shlex.join(words)
