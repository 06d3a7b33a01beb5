"""The sections of the report on a data set that show what there is: counts, gaps, sizes, pictures, light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.outputs.lettering.fonts import drawn_words
from mien.reports.dataset import findings
from mien.reports.dataset import plots as figures
from mien.reports.page import Page
from mien.words import listed, percent, say, words

_SAMPLES_A_CLASS = 12
_MEANS_ACROSS = (7, 9)
_SIZES_SHOWN = 8
_PROBLEMS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What is known about a data set besides its samples.

    Args:
        title: heading of the page.
        sizes_hw: how many files have which height and width; empty if the samples do not come from separate files.
        problems: one sentence for everything that could not be read.
        seed: seed for choosing the samples shown.
    """

    title: str
    sizes_hw: Counter[tuple[int, int]] = field(default_factory=Counter)
    problems: Sequence[str] = ()
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Look:
    """A data set while it is being examined: each section writes to the page and adds its findings.

    Args:
        dataset: of pictures.
        origin: what else is known about it.
        page: receives the sections.
        found: sentences without a full stop.
    """

    dataset: Dataset
    origin: Origin
    page: Page = field(default_factory=lambda: Page(""))
    found: list[str] = field(default_factory=list)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.dataset.label_set.labels

    @property
    def splits(self) -> list[str]:
        """The splits that have samples."""
        return findings.present_splits(self.dataset)

    def begin(self, heading: str) -> Page:
        """Start a section."""
        self.page.heading(heading)
        return self.page

    def find(self, sentence: Callable[[], str]) -> tuple[str, str]:
        """Add a finding; returns it as it is written, and as it is drawn, where no font may have its letters."""
        told = sentence()
        self.found.append(told)
        with drawn_words():
            return told, sentence()


def counts(look: Look) -> None:
    """The number of pictures of each class and split, as bars, points and a table."""
    page, counts = look.begin(say("dataset.counts_heading")), findings.class_counts(look.dataset)
    classes, drawn_classes = look.find(lambda: findings.balance_of_classes(look.dataset))
    splits, drawn_splits = look.find(lambda: findings.balance_of_splits(look.dataset))
    bars = figures.count_bars(counts, look.splits, look.labels, title=drawn_classes)
    page.figure(bars, name="counts-bars", caption=say("dataset.counts_bars", finding=classes))
    points = figures.count_scatter(counts, look.splits, look.labels, title=drawn_splits)
    page.figure(points, name="counts-scatter", caption=say("dataset.counts_scatter", finding=splits))
    share, whole = say("dataset.share"), say("data.all")
    of_splits = [cell for split in (*look.splits, whole) for cell in (split, share)]
    header = [say("data.heading_class"), *of_splits]
    total = np.vstack([counts, counts.sum(axis=0)])
    rows = [
        [label, *(cell for row in total for cell in (f"{row[i]:,}", percent(row[i] / max(row.sum(), 1))))]
        for i, label in enumerate(look.labels)
    ]
    rows.append([whole, *(cell for row in total for cell in (f"{row.sum():,}", percent(1.0)))])
    page.table(header, rows, caption=say("dataset.counts_caption"))


def missing(look: Look) -> None:
    """What is not there, and what could not be read."""
    page, dataset, problems = look.begin(say("dataset.missing_heading")), look.dataset, look.origin.problems
    flat = dataset.samples.reshape(len(dataset), -1)
    blank = int((flat.max(axis=1) == flat.min(axis=1)).sum())
    unseen = [name for name, count in zip(look.labels, np.bincount(dataset.labels), strict=False) if not count]
    unseen += look.labels[int(dataset.labels.max()) + 1 :]
    rows: list[tuple[str, object]] = [
        (say("dataset.missing_unread"), len(problems)),
        (say("dataset.missing_classes"), listed(unseen) or 0),
        (say("dataset.missing_shades"), blank),
        (say("dataset.missing_groups"), f"{int((dataset.groups == '').sum()):,}"),
    ]
    if dataset.votes is not None:
        rows.append((say("dataset.missing_votes"), int((dataset.votes.sum(axis=1) == 0).sum())))
    if dataset.not_a_face is not None:
        strange = int(dataset.not_a_face.sum())
        rows.append((say("dataset.missing_faces"), strange))
        look.found.append(say("dataset.not_a_face", n=strange))
    if blank:
        look.found.append(say("dataset.blank", n=blank))
    if problems:
        look.found.append(say("dataset.unreadable", n=len(problems)))
    page.table(words().all("dataset.missing_columns"), rows, caption=say("dataset.missing_caption"))
    page.bullets(problems[:_PROBLEMS_SHOWN])


def sizes(look: Look) -> None:
    """Sizes of the files; nothing if the samples do not come from separate files."""
    sizes_hw = look.origin.sizes_hw
    if not sizes_hw:
        return
    page, sentence = look.begin(say("dataset.sizes_heading")), findings.spread_of_sizes(sizes_hw)
    look.found.append(sentence)
    page.paragraph(say("dataset.sizes", finding=sentence))
    common = sizes_hw.most_common(_SIZES_SHOWN)
    rows: list[tuple[str, str]] = [(f"{width} x {height}", f"{n:,}") for (height, width), n in common]
    rest = sizes_hw.total() - sum(n for _, n in common)
    others = [(say("dataset.other_sizes"), f"{rest:,}")] if rest else []
    page.table(words().all("dataset.size_columns"), rows + others)


def samples(look: Look) -> None:
    """Pictures drawn at random, and the mean picture of each class."""
    page, dataset = look.begin(say("dataset.samples_heading")), look.dataset
    random = np.random.default_rng(look.origin.seed)
    of_class = [np.flatnonzero(dataset.labels == i) for i in range(len(look.labels))]
    there = [i for i, rows in enumerate(of_class) if len(rows)]
    names = [look.labels[i] for i in there]
    drawn = [np.sort(random.permutation(of_class[i])[:_SAMPLES_A_CLASS]) for i in there]
    with drawn_words():
        title, means_title = say("dataset.samples_title"), say("dataset.means_title")
        captions = [f"{look.labels[i]}\n{say('count.pictures', n=len(of_class[i]))}" for i in there]
    page.figure(
        figures.picture_rows([dataset.samples[rows] for rows in drawn], names, title=title),
        name="samples",
        caption=say("dataset.samples_caption", n=_SAMPLES_A_CLASS, seed=look.origin.seed),
    )
    means = [dataset.samples[of_class[i]].mean(axis=0, dtype=np.float64).round().astype(np.uint8) for i in there]
    page.figure(
        figures.picture_captions(
            means,
            captions,
            across=min(max(_MEANS_ACROSS[0], len(there)), _MEANS_ACROSS[1]),
            title=means_title,
        ),
        name="means",
        caption=say("dataset.means_caption"),
    )


def light(look: Look) -> None:
    """How brightness and contrast spread within each class."""
    page = look.begin(say("dataset.light_heading"))
    brightness, contrast = findings.brightness_and_contrast(look.dataset)
    kinds: tuple[tuple[Literal["brightness", "contrast"], NDArray[np.float64]], ...]
    kinds = (("brightness", brightness), ("contrast", contrast))
    for name, values in kinds:
        sentence, drawn = look.find(partial(findings.spread_of, values, look.dataset, name))
        with drawn_words():
            axis = say(f"dataset.{name}_axis")
        page.figure(
            figures.spread(values, look.dataset.labels, look.labels, title=drawn, axis=axis),
            name=name,
            caption=say(f"dataset.{name}_caption", finding=sentence),
        )
