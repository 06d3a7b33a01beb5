"""The sections of the report on a data set that show what there is: counts, gaps, sizes, pictures, light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.data.dataset import Dataset
from mien.reports.dataset import findings
from mien.reports.dataset import plots as figures
from mien.reports.page import Page
from mien.wording import count

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


def counts(look: Look) -> None:
    """The number of pictures of each class and split, as bars, points and a table."""
    page, counts = look.begin("How many of each class"), findings.class_counts(look.dataset)
    classes, splits = findings.balance_of_classes(look.dataset), findings.balance_of_splits(look.dataset)
    look.found.extend((classes, splits))
    bars = figures.count_bars(counts, look.splits, look.labels, title=classes)
    page.figure(bars, name="counts-bars", caption=f"Bar graph of the pictures of each class and split. {classes}.")
    points = figures.count_scatter(counts, look.splits, look.labels, title=splits)
    page.figure(
        points,
        name="counts-scatter",
        caption=f"Scatter plot of the same numbers on a logarithmic scale: equal shares run in parallel. {splits}.",
    )
    header = ["class", *(cell for split in look.splits for cell in (split, "share")), "all", "share"]
    total = np.vstack([counts, counts.sum(axis=0)])
    rows = [
        [label, *(cell for row in total for cell in (f"{row[i]:,}", findings.percent(row[i] / max(row.sum(), 1))))]
        for i, label in enumerate(look.labels)
    ]
    rows.append(["all", *(cell for row in total for cell in (f"{row.sum():,}", "100.0 %"))])
    page.table(header, rows, caption="Pictures of each class and split, and their share of the split")


def missing(look: Look) -> None:
    """What is not there, and what could not be read."""
    page, dataset, problems = look.begin("What is missing"), look.dataset, look.origin.problems
    flat = dataset.samples.reshape(len(dataset), -1)
    blank = int((flat.max(axis=1) == flat.min(axis=1)).sum())
    unseen = [name for name, count in zip(look.labels, np.bincount(dataset.labels), strict=False) if not count]
    unseen += look.labels[int(dataset.labels.max()) + 1 :]
    rows: list[tuple[str, object]] = [
        ("rows or files that could not be read", len(problems)),
        ("classes without a picture", ", ".join(unseen) or 0),
        ("pictures of a single shade", blank),
        ("pictures whose group (signer, clip) is not named", f"{int((dataset.groups == '').sum()):,}"),
    ]
    if dataset.votes is not None:
        rows.append(("pictures without a vote for one of the classes", int((dataset.votes.sum(axis=1) == 0).sum())))
    if dataset.not_a_face is not None:
        rows.append(("pictures that raters marked as no face", int(dataset.not_a_face.sum())))
        look.found.append(f"Raters saw no face in {count(int(dataset.not_a_face.sum()), 'picture')}")
    if blank:
        look.found.append(f"{count(blank, 'picture')} with a single shade, which shows nothing")
    if problems:
        look.found.append(f"{count(len(problems), 'row or file', 'rows or files')} could not be read")
    page.table(("missing", "number"), rows, caption="Missing values")
    page.bullets(problems[:_PROBLEMS_SHOWN])


def sizes(look: Look) -> None:
    """Sizes of the files; nothing if the samples do not come from separate files."""
    sizes_hw = look.origin.sizes_hw
    if not sizes_hw:
        return
    page, sentence = look.begin("Sizes of the files"), findings.spread_of_sizes(sizes_hw)
    look.found.append(sentence)
    page.paragraph(f"{sentence}. For this page they were resized to one size.")
    common = sizes_hw.most_common(_SIZES_SHOWN)
    rows: list[tuple[str, str]] = [(f"{width} x {height}", f"{n:,}") for (height, width), n in common]
    rest = sizes_hw.total() - sum(n for _, n in common)
    page.table(("width x height", "files"), rows + ([("others", f"{rest:,}")] if rest else []))


def samples(look: Look) -> None:
    """Pictures drawn at random, and the mean picture of each class."""
    page, dataset = look.begin("What the pictures look like"), look.dataset
    random = np.random.default_rng(look.origin.seed)
    of_class = [np.flatnonzero(dataset.labels == i) for i in range(len(look.labels))]
    there = [i for i, rows in enumerate(of_class) if len(rows)]
    names = [look.labels[i] for i in there]
    drawn = [np.sort(random.permutation(of_class[i])[:_SAMPLES_A_CLASS]) for i in there]
    page.figure(
        figures.picture_rows([dataset.samples[rows] for rows in drawn], names, title="Pictures drawn at random"),
        name="samples",
        caption=f"Up to {_SAMPLES_A_CLASS} pictures of each class, drawn at random with the seed {look.origin.seed}.",
    )
    means = [dataset.samples[of_class[i]].mean(axis=0, dtype=np.float64).round().astype(np.uint8) for i in there]
    captions = [f"{look.labels[i]}\n{count(len(of_class[i]), 'picture')}" for i in there]
    page.figure(
        figures.picture_captions(
            means,
            captions,
            across=min(max(_MEANS_ACROSS[0], len(there)), _MEANS_ACROSS[1]),
            title="Mean picture of each class",
        ),
        name="means",
        caption="The mean of all pictures of each class. What is sharp here is in the same place in most of them; "
        "a model can learn a recognisable background instead of the class.",
    )


def light(look: Look) -> None:
    """How brightness and contrast spread within each class."""
    page = look.begin("Brightness and contrast")
    brightness, contrast = findings.brightness_and_contrast(look.dataset)
    for name, values, high, low, axis in (
        ("brightness", brightness, "is the brightest class", "the darkest", "mean of the values of a picture"),
        ("contrast", contrast, "has the most contrast", "the least", "standard deviation of the values"),
    ):
        sentence = findings.spread_of(values, look.dataset, high=high, low=low)
        look.found.append(sentence)
        page.figure(
            figures.spread(values, look.dataset.labels, look.labels, title=sentence, axis=axis),
            name=name,
            caption=f"Spread of the {name} of the pictures of each class, as violins with their quartiles (the "
            f"{axis}, 0 to 255). {sentence}.",
        )
