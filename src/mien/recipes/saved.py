"""What a run folder says of its run, typed: recipe.json as the run read it, summary.json as it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from mien.errors import InputError, UnknownName
from mien.recipes.tables import ReferenceRecipe
from mien.schema import checked

RECIPE_FILE, SUMMARY_FILE = "recipe.json", "summary.json"
"""What a run folder keeps: the recipe it was started with, and its results."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """How a run ended: the contents of summary.json.

    Args:
        recipe: its name.
        epochs: done, over all starts.
        best_val_accuracy: a share from 0 to 1; None if no epoch ended.
        last: the figures of the last epoch, by name.
        parameters: of the network; None if an earlier version did not record it.
        train_samples: how many it learned from.
        validation_samples: how many it was monitored on.
        data: where they come from, in words.
        data_sha256: fingerprint of the whole data set.
        caveats: what whoever uses the data should know.
        seconds: of training, over all starts.
        machine: in words; empty if unknown.
        commit: of the code; empty outside a checkout.
        mien, torch, python: versions.
    """

    recipe: str = ""
    epochs: int = 0
    best_val_accuracy: float | None = None
    last: dict[str, float | None] = field(default_factory=dict)
    parameters: int | None = None
    train_samples: int = 0
    validation_samples: int = 0
    data: str = ""
    data_sha256: str | None = None
    caveats: tuple[str, ...] = ()
    seconds: float | None = None
    machine: str = ""
    commit: str | None = None
    mien: str = ""
    torch: str = ""
    python: str = ""


@dataclass(frozen=True, kw_only=True)
class SavedFit:
    """How a run was trained; None for what an earlier version did not record."""

    epochs: int | None = None


@dataclass(frozen=True, kw_only=True)
class SavedExport:
    """What a model exported from the run says of itself."""

    licence: str = ""


@dataclass(frozen=True, kw_only=True)
class SavedRecipe:
    """A recipe as a run saved it, of this version or an earlier one.

    Args:
        name: of the recipe; empty if it has none.
        source: what it follows, in words.
        fit: how it was trained.
        export: how it is exported.
        reference: the published result that it rebuilds; one without `ref` stands for none.
        settings: everything that the file holds.
    """

    name: str = ""
    source: str = ""
    fit: SavedFit = field(default_factory=SavedFit)
    export: SavedExport = field(default_factory=SavedExport)
    reference: ReferenceRecipe = field(default_factory=ReferenceRecipe)
    settings: dict[str, Any] = field(default_factory=dict)


def saved_recipe(data: Mapping[str, Any], path: object) -> SavedRecipe | None:
    """The contents of a recipe.json; None if there are none, InputError if they are damaged."""
    found = _read(SavedRecipe, {name: value for name, value in data.items() if name != "settings"}, path)
    return None if found is None else replace(found, settings=dict(data))


def saved_summary(data: Mapping[str, Any], path: object) -> RunSummary | None:
    """The contents of a summary.json; None if there are none, InputError if they are damaged."""
    return _read(RunSummary, data, path)


def _read(cls: type[T], data: Mapping[str, Any], path: object) -> T | None:
    def wrong(sentence: object) -> InputError:
        return InputError(f"{path} is damaged: {sentence}; train again into another folder")

    try:
        return checked(cls, data, whole=Path(str(path)).stem, noun="key", wrong=wrong, others=True) if data else None
    except UnknownName as exc:
        raise wrong(exc) from exc
