"""A page that shows what is in a data set: counts, pictures, copies, votes, groups."""

from __future__ import annotations

from collections.abc import Callable

from mien.data.dataset import Dataset
from mien.data.duplicates import find_duplicates
from mien.data.likeness import check_images
from mien.errors import DataError
from mien.reports.dataset import comparisons, sections
from mien.reports.dataset.sections import Look, Origin
from mien.reports.page import Page, any_script
from mien.words import again, language, listed, say


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
    findings = tuple(say("dataset.finding", finding=sentence) for sentence in look.found)
    page = _first(look, findings)
    page.extend(look.page)
    return page, findings


def _first(look: Look, findings: tuple[str, ...]) -> Page:
    """The page with what must not be missed: what the set is, its caveats, what stands out."""
    dataset = look.dataset
    count, height, width, *channels = dataset.samples.shape
    of_splits = {split: sum(counts.values()) for split, counts in dataset.counts().items()}
    about = say(
        "dataset.about",
        name=again(dataset.source) or say("dataset.unnamed"),
        pictures=say("count.pictures", n=count),
        width=width,
        height=height,
        colour=say("dataset.colour" if channels else "dataset.grey"),
        classes=say("count.classes", n=len(look.labels)),
        splits=listed(say("data.duplicates.split", split=split, n=n) for split, n in of_splits.items()),
    )
    page = Page(look.origin.title, about=about, language=language())
    for caveat in dataset.caveats:
        page.note(again(caveat))
    page.heading(say("dataset.stands_out"))
    page.bullets(findings)
    is_emotion = dataset.label_set.name.startswith("emotions")
    page.paragraph(say("dataset.labels_of_expressions" if is_emotion else "dataset.labels_of_others"))
    return page
