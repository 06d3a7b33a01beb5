"""A page that shows what is in a data set: counts, pictures, copies, votes, groups."""

from __future__ import annotations

from collections.abc import Callable

from mien import wording
from mien.data.dataset import Dataset
from mien.data.duplicates import find_duplicates
from mien.data.likeness import check_images
from mien.errors import DataError
from mien.reports.dataset import comparisons, sections
from mien.reports.dataset.sections import Look, Origin
from mien.reports.page import Page, any_script


def explore(
    dataset: Dataset, origin: Origin, *, on_step: Callable[[int], None] | None = None
) -> tuple[Page, tuple[str, ...]]:
    """Look at a data set from all angles.

    Args:
        dataset: of (N, H, W[, 3]) uint8 pictures.
        origin: what else is known about it.
        on_step: called with the number of pictures compared with all others.

    Returns:
        The page, and its findings, one sentence each.

    Raises:
        DataError: the samples are not pictures, or there are none.
        MissingExtra: a library of the extra `data` is not installed.
    """
    if not len(dataset):
        raise DataError(f"{dataset.source or 'The data set'} has no samples to look at")
    check_images(dataset.samples, source=dataset.source)
    look = Look(dataset, origin)
    with any_script():
        sections.counts(look)
        sections.missing(look)
        sections.sizes(look)
        sections.samples(look)
        sections.light(look)
        copies = find_duplicates(dataset, on_step=on_step)
        comparisons.copies(look, copies)
        comparisons.votes(look)
        comparisons.groups(look, copies)
    findings = tuple(f"{sentence}." for sentence in look.found)
    page = _first(look, findings)
    page.extend(look.page)
    return page, findings


def _first(look: Look, findings: tuple[str, ...]) -> Page:
    """The page with what must not be missed: what the set is, its caveats, what stands out."""
    dataset = look.dataset
    count, height, width, *channels = dataset.samples.shape
    sizes = ", ".join(f"{split} {sum(counts.values()):,}" for split, counts in dataset.counts().items())
    about = (
        f"{dataset.source or 'Data set'}: {wording.count(count, 'picture')} of {width} x {height} pixels, "
        f"{'RGB' if channels else 'grey'}, {wording.count(len(look.labels), 'class')}; {sizes}."
    )
    page = Page(look.origin.title, about=about)
    for caveat in dataset.caveats:
        page.note(caveat)
    page.heading("What stands out")
    page.bullets(findings)
    page.paragraph(
        "A label says what a picture looks like to the people who labelled it, not what the person in it felt."
        if dataset.label_set.name.startswith("emotions")
        else "A label says what the people who made the data set meant a picture to show."
    )
    return page
