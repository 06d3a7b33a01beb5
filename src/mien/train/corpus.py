"""The data a recipe asks for, loaded, cleaned and split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.data.dataset import Dataset
from mien.data.fer2013 import clean_training, load_fer2013
from mien.data.ferplus import load_ferplus
from mien.data.hands import find_hand_pictures, load_hands
from mien.errors import DataError
from mien.stages.hands import HandDetector
from mien.train.recipe import DataRecipe, Recipe


@dataclass(frozen=True, kw_only=True)
class CorpusPaths:
    """Where the data lies.

    Args:
        data: the FER2013 CSV, or the folder with the data sets of hand pictures.
        votes: the FER+ table, for recipes that use it.
        cache: folder for landmarks that were found once; none keeps nothing.
    """

    data: Path
    votes: Path | None = None
    cache: Path | None = None


def load_corpus(recipe: Recipe, paths: CorpusPaths, *, on_step: Callable[[int], None] | None = None) -> Dataset:
    """The recipe's data set.

    Args:
        recipe: says which kind, how it is cleaned and split.
        paths: where it lies.
        on_step: called with the number of pictures whose landmarks were looked for.

    Raises:
        DataError: the data is not what the recipe needs, or a name in `leave_out` or `validation` fits nothing.
        UnreadableMedia: a file is missing or damaged.
    """
    if recipe.data.kind == "hands":
        return _hands(recipe.data, paths, on_step)
    if recipe.loss.votes_weight and paths.votes is None:
        raise DataError(f"The recipe {recipe.name} learns from FER+ votes too; name fer2013new.csv with --votes")
    votes = None if paths.votes is None else load_ferplus(paths.votes)
    dataset = load_fer2013(paths.data, votes=votes)
    if not recipe.data.clean:
        return dataset
    return clean_training(dataset, not_a_face=None if votes is None else votes.not_a_face)


def _hands(data: DataRecipe, paths: CorpusPaths, on_step: Callable[[int], None] | None) -> Dataset:
    pictures = find_hand_pictures(paths.data, limit=data.limit)
    cache = None if paths.cache is None else paths.cache / f"hands-{data.limit or 'all'}.npz"
    with HandDetector() as detector:
        dataset, _ = load_hands(pictures, detector, whole_frames=data.whole_frames, cache=cache, on_step=on_step)
    split = dataset.split.copy()
    for names, part in ((data.validation, "validation"), (data.leave_out, "test")):
        for name in names:
            # A name is a whole data set, or one signer of it.
            members = np.array([group == name or group.startswith(f"{name}/") for group in dataset.groups])
            if not members.any():
                there = ", ".join(sorted(set(dataset.groups.tolist())))
                raise DataError(f"No data set or signer is called {name!r}; there is {there}")
            split[members] = part
    return replace(dataset, split=split)
