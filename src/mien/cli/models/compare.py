"""`mien models compare`: emotion models side by side on one split of one data set, ours and other people's."""

from __future__ import annotations

import json as json_format
import os
import platform
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.console.options import print_note
from mien.cli.console.overview import Problems, one_of
from mien.cli.console.plain import narrowed, wide_console
from mien.cli.console.reading import table_lines, watched
from mien.errors import InputError, MienError, MissingExtra, ModelError
from mien.extras import needs
from mien.files.plan import WritePlan
from mien.files.targets import descriptor_of
from mien.files.whole import write_whole
from mien.models.artifact import load_artifact, zoo_names
from mien.words import again, kept, say

if TYPE_CHECKING:
    from mien.data.dataset import Dataset
    from mien.evaluation.evaluated_model import EvaluatedModel
    from mien.evaluation.model_table import ModelFacts, ModelRow
    from mien.evaluation.predictions import Predictions

_SPLITS = ("validation", "test", "all")
_LABELS = ("fer2013", "ferplus")
_SPARE = (9, 8, 4, 6, 5, 2, 3, 7)
"""Columns that a narrow terminal has no room for, in the order in which they go."""


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What every model is measured on."""

    data: Path
    votes: Path | None
    split: str
    labels: str
    rounds: int
    seed: int


def compare(
    data: Annotated[Path, typer.Option(help="FER2013 CSV, class folders, or packed .npz.")],
    subjects: Annotated[
        list[str] | None,
        typer.Argument(
            help="Further models: model folders, run folders of mien train, CSVs of predictions.", metavar="MODEL"
        ),
    ] = None,
    votes: Annotated[Path | None, typer.Option(help="FER+ table fer2013new.csv.")] = None,
    split: Annotated[
        str, typer.Option(help="validation, test or all. Choose on validation; test is for the chosen model.")
    ] = "validation",
    labels: Annotated[str, typer.Option(help="fer2013, or ferplus: what most of ten raters chose.")] = "fer2013",
    only: Annotated[bool, typer.Option("--only", help="Leave out the models in the package.")] = False,
    rounds: Annotated[int, typer.Option(min=0, help="Rounds of timing; 0 turns timing off.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Seed for resampling.")] = 0,
    json: Annotated[Path | None, typer.Option(help="File for everything as JSON; - is stdout.")] = None,
    csv: Annotated[Path | None, typer.Option(help="File for one row per model; - is stdout.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="File for the table in Markdown; - is stdout.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files; never an input.")] = False,
) -> None:
    """Compare emotion models, those in the package and others, on one data set. Needs mien[data]; runs, mien[train].

    Shows accuracy with its 95 % bootstrap interval, macro F1, calibration error, parameters, size, milliseconds per
    face on one thread, and licence. A CSV of predictions has the form that mien evaluate takes; a JSON file of the
    same name next to it may state name, version, licence, parameters, bytes, ms_1, ms_32, threads and notes of its
    model. What cannot be read is reported and skipped; the others are done, and the exit code is 1.
    """
    one_of("split", split, _SPLITS)
    one_of("kind of labels", labels, _LABELS)
    with needs("data"):
        import sklearn.metrics  # noqa: F401

        from mien.evaluation.model_table import csv_text, markdown_text, ranked, table_header, table_rows
    plan = WritePlan((data, votes, *map(Path, subjects or ())), overwrite=overwrite)
    for option, wanted in (("--json", json), ("--csv", csv), ("--markdown", markdown)):
        plan.file(wanted, option)
    question = _Question(data=data, votes=votes, split=split, labels=labels, rounds=rounds, seed=seed)
    with Problems("model") as problems:
        rows, facts = _measured([*(() if only else _inside()), *(subjects or ())], question, problems)
        if not rows:
            return
        rows = ranked(rows)
        written = {
            json: json_format.dumps({**facts, "models": [row.to_dict() for row in rows]}, indent=2) + "\n",
            csv: csv_text(rows),
            markdown: markdown_text(rows),
        }
        written.pop(None, None)
        for target, text in written.items():
            if str(target) == "-":
                typer.echo(text, nl=False)
            elif target is not None:
                write_whole(target, text.encode("utf-8"))
        if not any(target is not None and descriptor_of(target) == 1 for target in written):
            header, cells = narrowed(table_header(), table_rows(rows), wide_console(0), spare=_SPARE)
            for line in table_lines(header, cells):
                typer.echo(line)
        _say_notes(rows, facts)


def _inside() -> list[str]:
    """Names of the emotion models in the package."""
    return [name for name in zoo_names() if load_artifact(name).manifest.task == "emotion"]


def _measured(subjects: list[str], question: _Question, problems: Problems) -> tuple[list[ModelRow], dict[str, Any]]:
    """A row for each subject that can be scored, and what the figures were measured on."""
    from mien.evaluation.evaluated_model import kind_of
    from mien.evaluation.latency import CLOCK
    from mien.evaluation.model_table import by_plurality, model_row

    kinds = {
        subject: kind_of(subject) for subject in dict.fromkeys(subjects)
    }  # a wrong name ends this before any work is done
    reader = _Reader(question, problems)
    rows, dataset = {}, None
    for subject, kind in kinds.items():
        try:
            facts, answers, dataset = _asked(subject, kind, question, reader)
            scored = by_plurality(answers) if question.labels == "ferplus" else answers
            rows[subject] = model_row(facts, scored, seed=question.seed)
        except (InputError, ModelError, MissingExtra) as problem:
            if reader.failed:
                raise
            problems(problem)
    if dataset is None:
        return [], {}
    models = [subject for subject in rows if kinds[subject] == "model"]
    rows |= _timed({subject: rows[subject] for subject in models}, dataset, question)
    return list(rows.values()), {
        "data": {
            "source": dataset.source,
            "fingerprint": dataset.fingerprint(),
            "split": question.split,
            "labels": question.labels,
            "caveats": list(dataset.caveats),
        },
        "times": {
            "rounds": question.rounds,
            "threads": 1,
            "clock": CLOCK,
            "machine": kept("kept.machine", system=f"{platform.system()} {platform.machine()}", n=os.cpu_count() or 1),
        },
    }


def _run(folder: Path) -> EvaluatedModel:
    with needs("train"):
        from mien.train.runs import open_run
    return open_run(folder, device="cpu")


def _asked(subject: str, kind: str, question: _Question, reader: _Reader) -> tuple[ModelFacts, Predictions, Dataset]:
    """What is known about a subject, its answers on the split, and the whole data set."""
    from mien.evaluation.evaluated_model import open_model
    from mien.evaluation.prediction_table import read_predictions
    from mien.evaluation.predictions import answers_of_predictions, answers_of_subject

    path = Path(subject)
    if kind == "predictions":
        facts = _peer(path)
        dataset = reader.read()
        predictions = read_predictions(path, label_set=dataset.label_set)
        return facts, answers_of_predictions(predictions, dataset, question.split), dataset
    with _run(path) if kind == "run" else open_model(subject) as asked:
        if asked.spec.kind == "landmarks" or not {"happy", "sad"} <= set(asked.labels):
            raise ModelError(
                f"{asked.about.name} reads gestures; mien models compare compares emotion models, and mien evaluate "
                "measures gestures"
            )
        dataset = reader.read(asked)
        with watched(say("models.asking", name=asked.about.name)) as on_step:
            answers = answers_of_subject(asked, dataset, question.split, on_step=on_step)
        return _facts(subject, asked), answers, dataset


def _facts(subject: str, asked: EvaluatedModel) -> ModelFacts:
    """What a run or a model says about itself; a run's checkpoint holds more than the model, so it has no size."""
    from mien.evaluation.model_table import ModelFacts

    about, name = asked.about, Path(subject).name
    shown = about.name if name == about.name else f"{about.name} ({name})"
    if about.kind == "run":
        licence = "" if about.recipe is None else about.recipe.export.licence
        note = kept("kept.run_note")
        return ModelFacts(name=shown, kind="run", licence=licence, parameters=about.parameters, notes=(note,))
    notes = () if about.parameters is not None else (kept("kept.parameters_note"),)
    return ModelFacts(
        name=shown,
        kind="model",
        licence=load_artifact(subject).manifest.licence,
        parameters=about.parameters,
        bytes=about.bytes,
        notes=notes,
    )


def _peer(path: Path) -> ModelFacts:
    """What the file next to a CSV of predictions says."""
    from mien.evaluation.model_table import ModelFacts
    from mien.evaluation.peers import peer_facts

    known = peer_facts(path)
    notes = known.notes
    if known.ms_1 is not None or known.ms_32 is not None:
        file = path.with_suffix(".json").name
        if known.threads is None:
            notes += (kept("kept.times_note", file=file),)
        else:
            notes += (kept("kept.times_threads_note", file=file, n=known.threads),)
    return ModelFacts(
        name=" ".join(filter(None, (known.name or path.name, known.version))),
        kind="predictions",
        licence=known.licence,
        parameters=known.parameters,
        bytes=known.bytes,
        ms_1=known.ms_1,
        ms_32=known.ms_32,
        notes=notes,
    )


def _timed(rows: dict[str, ModelRow], dataset: Dataset, question: _Question) -> dict[str, ModelRow]:
    """The rows of model folders with their times, measured in alternation."""
    from mien.evaluation.latency import TimedModel, median_times
    from mien.evaluation.predictions import samples_of

    if not question.rounds or not rows:
        return rows
    samples = samples_of(dataset, question.split).samples
    with ExitStack() as stack, watched(say("models.timing"), total=question.rounds) as on_step:
        models = {subject: stack.enter_context(TimedModel(subject, samples)) for subject in rows}
        times = median_times(models, rounds=question.rounds, on_step=on_step)
    return {
        subject: replace(row, facts=replace(row.facts, ms_1=times[subject][0], ms_32=times[subject][1]))
        for subject, row in rows.items()
    }


class _Reader:
    """Reads the data set once for each picture form that the models take.

    Args:
        question: which data to read.
        problems: takes samples that cannot be read.
    """

    def __init__(self, question: _Question, problems: Problems) -> None:
        self._question, self._problems = question, problems
        self._read: dict[tuple[Any, ...], Dataset] = {}
        self.failed = False

    def read(self, asked: EvaluatedModel | None = None) -> Dataset:
        """The data set in the form that a model takes; packed files and FER2013 have a fixed form."""
        from mien.data.dataset import PACKED_SUFFIX
        from mien.data.readers.load import is_fer2013

        path = self._question.data
        try:
            has_form = path.is_file() and (path.suffix.lower() == PACKED_SUFFIX or is_fer2013(path))
            form = {} if asked is None or has_form else {"size_hw": asked.spec.size_hw, "colour": asked.spec.colour}
            key = tuple(form.values())
            if key not in self._read:
                self._read[key] = self._load(form)
        except MienError:
            self.failed = True
            raise
        return self._read[key]

    def _load(self, form: dict[str, Any]) -> Dataset:
        from mien.data.readers.ferplus import load_ferplus
        from mien.data.readers.load import load_dataset
        from mien.evaluation.model_table import votes_of

        votes = None if self._question.votes is None else load_ferplus(self._question.votes)
        with watched(say("page_file.reading", name=self._question.data.name)) as on_step:
            dataset = load_dataset(self._question.data, votes=votes, on_problem=self._problems, on_step=on_step, **form)
        if self._question.split != "all":
            dataset.size(self._question.split)  # a missing split ends this for every model, as do missing votes
        if self._question.labels == "ferplus":
            votes_of(dataset)
        return dataset


def _say_notes(rows: list[ModelRow], facts: dict[str, Any]) -> None:
    data = facts["data"]
    whose = say("models.plurality" if data["labels"] == "ferplus" else "models.its_labels")
    fewest, most = min(row.samples for row in rows), max(row.samples for row in rows)
    told = say("models.samples_to", fewest=fewest, n=most) if fewest < most else say("count.samples", n=most)
    print_note(say("models.measured", source=again(data["source"]), split=data["split"], whose=whose, samples=told))
    if any(row.facts.kind == "model" and row.facts.ms_1 is not None for row in rows):
        times = facts["times"]
        clock, machine = again(times["clock"]), again(times["machine"])
        print_note(say("models.times", clock=clock, n=times["rounds"], machine=machine))
    for caveat in data["caveats"]:
        print_note(say("models.note", note=again(caveat)))
    for row in rows:
        for note in row.facts.notes:
            print_note(say("models.note_on", name=row.facts.name, note=again(note)))
