"""Pictures in files, listed with their labels: read together into a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.errors import DataError, InputError, MienError
from mien.labels import LabelSet
from mien.pixels.images import read_image
from mien.pixels.kinds import OTHER_SUFFIXES, PHOTO_SUFFIXES, RAW_SUFFIXES
from mien.pixels.preprocess import InputSpec, fit_crop
from mien.resource import usable_cores
from mien.words import kept

OnProblem = Callable[[MienError], None]
OnStep = Callable[[int], None]
Crop = Callable[[NDArray[np.uint8], Path], NDArray[np.uint8]]
"""From an (H, W, 3) RGB picture, and its file, to the sample; an InputError says why there is none."""

PICTURE_SUFFIXES = PHOTO_SUFFIXES | RAW_SUFFIXES | frozenset(OTHER_SUFFIXES)
"""Suffixes, in lower case, of files that count as pictures; some cannot be read but have to be reported."""

_QUEUED = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture of a data set, not yet read.

    Args:
        path: the file.
        name: its name in the data set: its path below the set's folder, with slashes.
        label: position in the label set.
        split: train, validation or test.
        group: who or what it belongs to; empty if unknown.
    """

    path: Path
    name: str
    label: int
    split: str
    group: str


@dataclass(frozen=True)
class Listing:
    """Pictures of a data set, in its order.

    Args:
        pictures: what to read.
        label_set: the names of the labels.
        source: name of the set in reports and errors.
        caveats: as in `Dataset`.
        folders_left_out: names of other folders whose pictures were not asked for.
    """

    pictures: tuple[Sample, ...]
    label_set: LabelSet
    source: str
    caveats: tuple[str, ...] = ()
    folders_left_out: tuple[str, ...] = ()


def raise_problem(problem: MienError) -> None:
    """The default handling of a problem: raise it."""
    raise problem


def read_listing(
    listing: Listing,
    spec: InputSpec,
    *,
    crop: Crop | None = None,
    on_problem: OnProblem = raise_problem,
    on_step: OnStep | None = None,
) -> Dataset:
    """Read the pictures, several at a time but in order.

    Args:
        listing: what to read.
        spec: size and colour of the samples.
        crop: makes the sample from a picture; by default the whole picture is used, as `mien classify` does.
        on_problem: gets each picture that cannot be read and is left out, and each class of which none could be;
            without it the first one is raised.
        on_step: called with the number of pictures done.

    Returns:
        (N, h, w) uint8 grey or (N, h, w, 3) RGB samples of the pictures that could be read.

    Raises:
        DataError: none could be read.
    """
    pictures = listing.pictures
    shape = spec.size_hw if spec.colour == "grey" else (*spec.size_hw, 3)
    samples = np.empty((len(pictures), *shape), np.uint8)
    good = np.zeros(len(pictures), np.bool_)

    def read(i: int) -> MienError | None:
        try:
            image_rgb = read_image(pictures[i].path)
            samples[i] = fit_crop(image_rgb, spec) if crop is None else crop(image_rgb, pictures[i].path)
        except InputError as problem:
            return problem
        good[i] = True
        return None

    for i, problem in enumerate(_in_turn(read, len(pictures), workers=1 if crop else _workers())):
        if problem is not None:
            on_problem(problem)
        if on_step is not None:
            on_step(i + 1)
    if not good.any():
        raise DataError(f"{listing.source} has no usable picture; give one with pictures of each class")
    return _dataset(listing, samples, good, on_problem)


def _dataset(listing: Listing, samples: NDArray[np.uint8], good: NDArray[np.bool_], on_problem: OnProblem) -> Dataset:
    pictures = listing.pictures
    labels = np.array([picture.label for picture in pictures], np.int64)
    for label in sorted(set(labels.tolist()) - set(labels[good].tolist())):
        name = listing.label_set.labels[label]
        on_problem(DataError(f"{listing.source} has no usable picture of the class {name!r}"))
    kept = [picture for picture, is_good in zip(pictures, good, strict=True) if is_good]
    return Dataset(
        samples=samples if good.all() else samples[good],
        labels=labels[good],
        split=np.array([picture.split for picture in kept], "<U10"),
        groups=np.array([picture.group for picture in kept], np.str_),
        names=np.array([picture.name for picture in kept], np.str_),
        label_set=listing.label_set,
        source=listing.source,
        caveats=tuple(dict.fromkeys(listing.caveats + missing_labels(listing.label_set, labels[good]))),
    )


def missing_labels(label_set: LabelSet, labels: NDArray[np.int64]) -> tuple[str, ...]:
    """A caveat if some labels of the set have no sample, otherwise nothing."""
    absent = [name for i, name in enumerate(label_set.labels) if not (labels == i).any()]
    return (kept("kept.no_pictures_of", labels=", ".join(absent)),) if absent else ()


def _workers() -> int:
    # Pillow decodes without holding the GIL, so threads are enough.
    return min(8, usable_cores())


def _in_turn(work: Callable[[int], MienError | None], count: int, *, workers: int) -> Iterator[MienError | None]:
    """Results of work(0), work(1), ... in this order; few are queued at a time, so that Ctrl-C ends it at once."""
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        waiting: list[Future[MienError | None]] = []
        try:
            for i in range(count):
                waiting.append(pool.submit(work, i))
                if len(waiting) > _QUEUED:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()
