"""Runs and evaluations side by side, from the JSON files that they left; nothing is entered by hand."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mien.errors import InputError, RecipeError, UnknownName
from mien.evaluation.evaluated_model import Curves, read_curves, read_json
from mien.evaluation.results import SavedEvaluation, rounded, saved_evaluation
from mien.recipes.recipe import changes_of, load_recipe, recipe_from_dict
from mien.recipes.saved import RECIPE_FILE, SUMMARY_FILE, RunSummary, SavedRecipe, saved_recipe, saved_summary
from mien.recipes.tables import ReferenceRecipe
from mien.words import kept

METRICS_FILE = "metrics.json"
UNKNOWN = "-"


_FOLDERS = re.compile(r"""(?<=")(?:/|[A-Za-z]:|\\\\)[^"]*[/\\](?=[^"/\\]+")""")
"""The folders of an absolute path in a setting: tables are shown to others, who have other folders."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One figure of ours.

    Args:
        accuracy: a share from 0 to 1.
        on: which samples, in words.
        command: what measured it.
    """

    accuracy: float
    on: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is known about one run, or about a model or file that was evaluated.

    Args:
        name: of the recipe, model or file.
        folder: where it was found.
        recipe: as the run saved it; None for others.
        summary: as the run saved it when it ended; None otherwise.
        curves: one entry per epoch.
        evaluations: from its metrics.json files.
    """

    name: str
    folder: Path
    recipe: SavedRecipe | None = None
    summary: RunSummary | None = None
    curves: Curves = field(default_factory=list)
    evaluations: tuple[SavedEvaluation, ...] = ()

    @property
    def reference(self) -> ReferenceRecipe | None:
        """The recipe's section on the published result; None if there is none."""
        return None if self.recipe is None or not self.recipe.reference.ref else self.recipe.reference

    @property
    def epochs(self) -> int | None:
        """Epochs done."""
        return int(self.curves[-1]["epoch"]) if self.curves else None

    @property
    def parameters(self) -> int | None:
        """Of the network."""
        own = None if self.summary is None else self.summary.parameters
        known = [own, *(e.subject.parameters for e in self.evaluations)]
        return next((int(count) for count in known if count is not None), None)

    @property
    def machine(self) -> str:
        """Where it was trained or, if it was not trained here, where it was evaluated."""
        if self.summary is not None and self.summary.machine:
            return self.summary.machine
        evaluated = [e.machine for e in self.evaluations]
        return evaluated[0] if evaluated and self.recipe is None else UNKNOWN

    @property
    def train_command(self) -> str:
        """What trained it."""
        if self.recipe is None:
            return UNKNOWN
        words = ["mien", "train", self.recipe.name, "--data", "DATA"]
        try:
            changes = changes_of(recipe_from_dict(self.recipe.settings))
        except (UnknownName, RecipeError):  # your own recipe, or one of another version
            changes = {}
        for name, value in changes.items():
            # What the author got, and what an exported model says of itself, is no part of training.
            if not name.startswith(("reference.", "export.")):
                words += ["--set", f"{name}={_FOLDERS.sub('', value)}"]
        return shlex.join(words)

    def author_protocol(self) -> Measured | None:
        """Our figure by the author's protocol: an evaluation marked as such; otherwise the best validation accuracy of
        the run if the author reports validation, or the test accuracy if the author reports that."""
        marked = [e for e in self.evaluations if e.protocol == "author"]
        if marked:
            return _measured(marked[-1])
        if self.reference is None:
            return None
        if "test" in self.reference.author_metric:
            return next((_measured(e) for e in self.evaluations if e.data.split == "test"), None)
        best = None if self.summary is None else self.summary.best_val_accuracy
        if best is None and self.curves:
            best = max((entry["val_accuracy"] for entry in self.curves if "val_accuracy" in entry), default=None)
        return (
            None if best is None else Measured(accuracy=best, on=kept("kept.on_best_epoch"), command=self.train_command)
        )

    def honest_protocol(self) -> Measured | None:
        """Our figure on samples that are not copies of training samples: from an evaluation marked as such, otherwise
        from one on the test split, otherwise on the validation split."""
        marked = [e for e in self.evaluations if e.protocol == "honest"]
        unmarked = [e for e in self.evaluations if not e.protocol]
        by_split = [e for split in ("test", "validation") for e in unmarked if e.data.split == split]
        usable = [e for e in (*marked, *by_split) if e.figures.without_copies.samples]
        return _measured(usable[0], without_copies=True) if usable else None


def measured_figures(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Our figures by recipe, for `mien recipes`: by the author's protocol, or the honest one if there is no author.

    A run with the recipe's own reference takes precedence over one that reproduces another figure of the same author
    (fewer epochs, say); of several such runs, the last one counts.

    Returns:
        By recipe `accuracy`, `on` and `command`, as `Measured`; for a rebuilt figure also its `ref` and `author_score`;
        for fewer epochs than the recipe's `epochs` and `planned`.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=_has_recipes_reference):
        reference = entry.reference
        ours = entry.honest_protocol() if reference is None else entry.author_protocol()
        if entry.recipe is not None and ours is not None:
            rebuilt = {} if reference is None else {"ref": reference.ref, "author_score": reference.author_score}
            found[entry.name] = asdict(ours) | rebuilt | _cut_short(entry)
    return dict(sorted(found.items()))


def _cut_short(entry: Entry) -> dict[str, int]:
    """Epochs done and epochs planned by the package's recipe, for a run with fewer or an unfinished run."""
    try:
        planned = load_recipe(entry.name).fit.epochs
    except (UnknownName, RecipeError):  # your own recipe
        return {}
    own = planned if entry.recipe is None or entry.recipe.fit.epochs is None else entry.recipe.fit.epochs
    ended = own == planned and entry.summary is not None  # by itself: an early stop is part of the recipe
    if entry.epochs is None or entry.epochs >= planned or ended or not _has_recipes_reference(entry):
        return {}
    return {"epochs": entry.epochs, "planned": planned}


def _has_recipes_reference(entry: Entry) -> bool:
    try:
        own = "" if entry.reference is None else entry.reference.ref
        return own == load_recipe(entry.name).reference.ref
    except (UnknownName, RecipeError):  # your own recipe
        return True


def read_entry(folder: Path) -> Entry:
    """A run folder with the evaluations inside it, or the folder of one evaluation.

    Raises:
        InputError: it holds neither, or a file of it is damaged.
    """
    metrics = read_json(folder / METRICS_FILE)
    if metrics:
        evaluation = saved_evaluation(metrics, folder / METRICS_FILE)
        if any("epoch" not in entry for entry in evaluation.run.curves):
            raise InputError(f"{folder / METRICS_FILE} is damaged: its curves lack an epoch; evaluate again")
        return Entry(
            name=evaluation.subject.name,
            folder=folder,
            recipe=saved_recipe(evaluation.run.recipe, folder / METRICS_FILE),
            summary=saved_summary(evaluation.run.summary, folder / METRICS_FILE),
            curves=list(evaluation.run.curves),
            evaluations=(evaluation,),
        )
    recipe = saved_recipe(read_json(folder / RECIPE_FILE), folder / RECIPE_FILE)
    if recipe is None:
        raise InputError(f"{folder} holds no run ({RECIPE_FILE}) and no evaluation ({METRICS_FILE})")
    return Entry(
        name=recipe.name or folder.name,
        folder=folder,
        recipe=recipe,
        summary=saved_summary(read_json(folder / SUMMARY_FILE), folder / SUMMARY_FILE),
        curves=read_curves(folder),
        evaluations=tuple(saved_evaluation(read_json(path), path) for path in sorted(folder.glob(f"*/{METRICS_FILE}"))),
    )


def merged(entries: Sequence[Entry]) -> list[Entry]:
    """One entry per run: the folder of a run and the folders of its evaluations, given separately, become one.

    A run is known by its recipe and its summary, which its evaluations repeat in their metrics.json.
    """
    kept: dict[str, Entry] = {}
    for entry in entries:
        key = _run_of(entry)
        earlier = kept.get(key)
        kept[key] = (
            entry
            if earlier is None
            else Entry(
                name=entry.name,
                folder=earlier.folder,
                recipe=earlier.recipe,
                summary=earlier.summary,
                curves=earlier.curves,
                evaluations=(*earlier.evaluations, *entry.evaluations),
            )
        )
    return list(kept.values())


def _run_of(entry: Entry) -> str:
    """What tells runs apart, wherever their folders are: every setting and result, to the digits of metrics.json."""
    if entry.summary is None:
        return str(entry.folder)
    settings = None if entry.recipe is None else entry.recipe.settings
    return json.dumps([entry.name, rounded(settings), rounded(asdict(entry.summary))], sort_keys=True)


def _measured(evaluation: SavedEvaluation, *, without_copies: bool = False) -> Measured:
    measures = evaluation.figures
    accuracy, samples = measures.accuracy, measures.samples
    if without_copies and measures.without_copies.accuracy is not None:
        accuracy, samples = measures.without_copies.accuracy, measures.without_copies.samples
    on = kept("kept.on_samples", split=evaluation.data.split, n=samples)
    return Measured(accuracy=accuracy, on=on, command=evaluation.command)
