"""The data a recipe asks for, loaded, cleaned and split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.clean import apply_clean_list
from mien.data.compose import with_composed, with_pinched, with_relaxed, with_turned
from mien.data.dataset import Dataset
from mien.data.duplicates import clean_training
from mien.data.hands import HELD_BACK, HandPicture, Naming, find_hand_pictures, load_copies, load_hands, with_copies
from mien.data.readers.ferplus import load_ferplus
from mien.data.readers.load import load_dataset, takes_votes
from mien.data.split import split_at_random, split_by_group
from mien.errors import DataError
from mien.labels import EMOTIONS, EMOTIONS_8, label_set
from mien.recipes.recipe import Recipe
from mien.stages.hands import HandDetector


@dataclass(frozen=True, kw_only=True)
class CorpusPaths:
    """Where the data is.

    Args:
        data: any data set that `mien.data.readers.load.load_dataset` reads, or the folder with the data sets of hand
            pictures.
        votes: the FER+ table, for recipes that use it.
        clean_list: which samples training may use, as listed by `mien data duplicates --write`; replaces the recipe's
            `data.clean`.
        cache: folder that caches detected landmarks; None keeps nothing.
    """

    data: Path
    votes: Path | None = None
    clean_list: Path | None = None
    cache: Path | None = None


def load_corpus(
    recipe: Recipe, paths: CorpusPaths, *, to_train: bool = True, on_step: Callable[[int], None] | None = None
) -> Dataset:
    """The recipe's data set.

    Args:
        recipe: says which kind, how it is cleaned and split.
        paths: where it is.
        to_train: whether the votes and splits that training needs must be present; a report needs less.
        on_step: called with the number of rows or pictures read, or whose landmarks were detected.

    Raises:
        DataError: the data is not what the recipe needs (the settings that cure it are named), or a name in `leave_out`
            or `validation` fits nothing.
        UnreadableMedia: a file is missing or damaged.
    """
    if recipe.data.kind == "hands":
        return _hands(recipe, paths, on_step)
    has_rows = takes_votes(paths.data)
    dataset = _images(recipe, paths if has_rows else replace(paths, votes=None), on_step)
    if to_train:
        _check_fits(recipe, paths, dataset, has_rows=has_rows)
    if paths.clean_list is not None:
        dataset = apply_clean_list(dataset, paths.clean_list)
    if recipe.data.drop:
        dataset = dataset.without(recipe.data.drop, label_set=label_set(recipe.label_set))
    if recipe.data.split == "merged":
        dataset = replace(dataset, split=np.where(dataset.split == "test", "validation", dataset.split))
    elif recipe.data.split == "random":
        first, second = recipe.data.fractions
        dataset = split_at_random(dataset, fractions=(first, second), seeds=recipe.data.seeds, i_know=True)
    if recipe.data.clean and paths.clean_list is None:
        dataset = clean_training(dataset)
    return _shared(dataset, recipe)


def _images(recipe: Recipe, paths: CorpusPaths, on_step: Callable[[int], None] | None) -> Dataset:
    wanted = label_set(recipe.label_set)
    # FER2013's own labels have no contempt: a recipe with contempt uses those of FER+.
    relabel = wanted is EMOTIONS_8
    votes = None
    if paths.votes is not None:
        votes = load_ferplus(paths.votes, label_set=wanted if relabel else EMOTIONS, relabel=relabel)
    height, width = recipe.input.size_hw
    side = recipe.data.side
    size_hw = (side, side) if side else (height, width)
    return load_dataset(paths.data, size_hw=size_hw, colour=recipe.input.colour, votes=votes, on_step=on_step)


def _check_fits(recipe: Recipe, paths: CorpusPaths, dataset: Dataset, *, has_rows: bool) -> None:
    """Raise if the data lacks anything that the recipe learns from, naming all settings that fix it at once."""
    name, lacks, cures = paths.data.name, [], []
    strangers = paths.votes is not None and not has_rows
    if strangers:
        lacks.append(f"FER+ votes are for the rows of FER2013's CSV, which {name} is not: leave out --votes")
    if recipe.loss.votes_weight and dataset.votes is None:
        lacks.append(f"the recipe {recipe.name} also learns from raters' votes, and {name} has none")
        cures.append("--set loss.votes_weight=0")
    lacks_split, cure = _split_cure(recipe, dataset)
    if cure:
        lacks.append(lacks_split)
        cures.append(cure)
    if not lacks:
        return
    told = "; ".join([lacks[0][0].upper() + lacks[0][1:], *lacks[1:]])
    if cures:
        told += f"; add {' '.join(cures)}"
    if has_rows and dataset.votes is None and recipe.loss.votes_weight:
        told += ", or give the votes of FER2013's own rows: --votes fer2013new.csv"
    raise DataError(told)


def _split_cure(recipe: Recipe, dataset: Dataset) -> tuple[str, str]:
    """What the data set's own split lacks, and the setting that provides it; empty if nothing."""
    there = set(np.unique(dataset.split).tolist())
    if recipe.data.split == "random" or {"train", "validation"} <= there:
        return "", ""
    if {"train", "test"} <= there:
        watched = (
            "there are pictures to train and to test but none for validation (the test pictures can serve as such)"
        )
        return ("", "") if recipe.data.split == "merged" else (watched, "--set data.split=merged")
    only = " and ".join(sorted(there))
    return f"all pictures are for {only} (a share can be drawn for the others)", "--set data.split=random"


def _shared(dataset: Dataset, recipe: Recipe) -> Dataset:
    """With only a part of the training split, as `data.share` says."""
    if recipe.data.share == 1:
        return dataset
    train = np.flatnonzero(dataset.split == "train")
    drawn = np.random.default_rng(recipe.fit.seed).permutation(train)[: max(1, round(recipe.data.share * len(train)))]
    keep = dataset.split != "train"
    keep[drawn] = True
    return dataset.where(keep)


def recipe_pictures(recipe: Recipe, root: Path) -> list[HandPicture]:
    """The hand pictures below a folder that a recipe takes; raises as `mien.data.hands.find_hand_pictures`."""
    data = recipe.data
    classes, letters = (dict(text.split("=", 1) for text in texts) for texts in (data.classes, data.letters))
    naming = Naming(label_set=label_set(recipe.label_set), classes=classes, letters=letters)
    return find_hand_pictures(root, limit=data.limit, crowds=data.crowds, naming=naming)


def _hands(recipe: Recipe, paths: CorpusPaths, on_step: Callable[[int], None] | None) -> Dataset:
    pictures = recipe_pictures(recipe, paths.data)
    with HandDetector() as detector:
        dataset, _ = recipe_hands(recipe, pictures, detector, paths.cache, on_step)
        dataset = _hands_split(recipe, dataset)
        copies = recipe_copies(recipe, pictures, detector, paths.cache, on_step)
    return enlarged(dataset, copies, recipe)


def recipe_hands(
    recipe: Recipe,
    pictures: Sequence[HandPicture],
    detector: HandDetector,
    cache: Path | None,
    on_step: Callable[[int], None] | None = None,
) -> tuple[Dataset, NDArray[np.bool_]]:
    """The landmarks of pictures in the form that a recipe uses; as `mien.data.hands.load_hands`."""
    data = recipe.data
    return load_hands(
        pictures,
        detector,
        whole_frames=data.whole_frames,
        tight=data.crowds,
        label_set=label_set(recipe.label_set),
        with_top=data.top,
        cache=cache,
        on_step=on_step,
    )


def recipe_copies(
    recipe: Recipe,
    pictures: Sequence[HandPicture],
    detector: HandDetector,
    cache: Path | None,
    on_step: Callable[[int], None] | None = None,
) -> Dataset | None:
    """The landmarks of the degraded copies of pictures that a recipe trains on; None if it wants none."""
    data = recipe.data
    found = None
    for number, is_crowd in ((data.copies, False), (data.crowd_copies, True)):
        few = [
            picture
            for picture in pictures
            if (picture.collection in data.crowds) == is_crowd and not picture.group.endswith(f"/{HELD_BACK}")
        ]
        if number and few:
            copies = load_copies(
                few,
                detector,
                number,
                whole_frames=data.whole_frames,
                tight=data.crowds,
                label_set=label_set(recipe.label_set),
                with_top=data.top,
                cache=cache,
                on_step=on_step,
            )
            found = copies if found is None else with_copies(found, copies)
    return found


def _hands_split(recipe: Recipe, hands: Dataset) -> Dataset:
    """Split as the recipe says; what is held back of crowds is test, whatever it says."""
    held_back = np.isin(hands.groups, [f"{crowd}/{HELD_BACK}" for crowd in recipe.data.crowds])
    dataset = _signers_split(recipe, hands)
    return replace(dataset, split=np.where(held_back, "test", dataset.split))


def _signers_split(recipe: Recipe, hands: Dataset) -> Dataset:
    """Whole data sets or signers held back as the recipe says, or a random split."""
    data = recipe.data
    if data.split == "random":
        first, second = data.fractions
        return split_at_random(hands, fractions=(first, second), seeds=data.seeds, i_know=True)
    groups = sorted(set(hands.groups.tolist()))
    sets = sorted({group.partition("/")[0] for group in groups})
    strangers = [name for name in (*data.validation, *data.leave_out) if name not in (*groups, *sets)]
    if not strangers:
        return split_by_group(hands, validation=data.validation, test=data.leave_out)
    cures = [f"""--set 'data.validation=["{groups[-1]}"]'""" if len(groups) > 1 else "--set data.split=random"]
    if any(name in data.leave_out for name in strangers):
        cures.append("--set 'data.leave_out=[]'")
    raise DataError(
        f"The recipe {recipe.name} holds back {', '.join(strangers)}, which does not exist; available: "
        f"{', '.join(groups)}: choose who is held back, e.g. {' '.join(cures)}"
    )


def enlarged(hands: Dataset, copies: Dataset | None, recipe: Recipe) -> Dataset:
    """Landmarks of hands with more to train on, as the recipe says: worse copies, hands made of several, hands
    turned in the picture, and open hands that hang down."""
    data, seed = recipe.data, recipe.fit.seed
    if copies is not None:
        hands = with_copies(hands, copies)
    if data.composed:
        hands = with_composed(hands, data.composed, seed=seed)
    if data.pinched:
        hands = with_pinched(hands, data.pinched, seed=seed)
    if data.turned:
        hands = with_turned(hands, data.turned, seed=seed)
    return with_relaxed(hands, data.relaxed, seed=seed) if data.relaxed else hands
