"""Runs and evaluations as tables: for the terminal, as a page, and as docs/reproduction.md."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mien.errors import InputError
from mien.evaluation.evaluated_model import Curves
from mien.evaluation.measures import percent
from mien.evaluation.run_comparison import UNKNOWN, Entry, Measured
from mien.reports.page import Page
from mien.wording import cells_of_markdown, count, markdown_table

COMPARISON = (
    "name",
    "source",
    "parameters",
    "epochs",
    "time",
    "author's figure",
    "ours, author's protocol",
    "ours, without copies",
    "machine",
)
REPRODUCTION = (
    "ref",
    "command",
    "protocol",
    "author's figure",
    "ours by it",
    "ours on clean samples",
    "epochs",
    "time and machine",
)


def comparison_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Cells under COMPARISON, one row per entry."""
    return [
        (
            entry.name,
            _source(entry),
            UNKNOWN if entry.parameters is None else f"{entry.parameters:,}",
            _epochs(entry),
            _time(entry),
            _author(entry),
            _ours(entry.author_protocol()),
            _ours(entry.honest_protocol()),
            entry.machine,
        )
        for entry in entries
    ]


def reproduction_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Cells under REPRODUCTION, one row per entry that reproduces a published result, in the order of their names."""
    rows: list[tuple[str, ...]] = []
    rebuilt = [(entry.reference, entry) for entry in entries if entry.reference is not None]
    for reference, entry in sorted(rebuilt, key=lambda pair: (pair[0].ref, pair[1].name)):
        rows.append(
            (
                reference.ref,
                f"`{entry.train_command}`",
                reference.protocol or UNKNOWN,
                _author(entry),
                _ours(entry.author_protocol()),
                _ours(entry.honest_protocol()),
                _epochs(entry),
                "; ".join(part for part in (_time(entry), entry.machine) if part != UNKNOWN) or UNKNOWN,
            )
        )
    return rows


_TITLE = "# The reference systems, rebuilt"


def reproduction_text(entries: Sequence[Entry], *, command: str, earlier: str = "") -> str:
    """docs/reproduction.md.

    Args:
        entries: runs and evaluations.
        command: what asked for it.
        earlier: the text as it was; its rows about results that these entries do not rebuild stay.

    Raises:
        InputError: none of the entries reproduces a published result.
    """
    rows = reproduction_rows(entries)
    if not rows:
        raise InputError("None of these runs reproduces a published result: their recipes have no section [reference]")
    printed = [
        f"- {entry.reference.ref}: `{ours.command}`"
        for entry in entries
        for ours in (entry.author_protocol(), entry.honest_protocol())
        if entry.reference is not None and ours is not None
    ]
    kept_rows, kept_commands = _kept(earlier, {row[0] for row in rows})
    rows = sorted([*rows, *kept_rows], key=lambda row: row[0])
    commands = "\n".join(sorted(dict.fromkeys([*printed, *kept_commands]), key=lambda line: line.partition(":")[0]))
    names = "; ".join(dict.fromkeys(row[0] for row in kept_rows))
    stayed = f" The rows of {names} stayed as an earlier call of it left them." if names else ""
    files = "`recipe.json`, `summary.json`, `metrics.json`"
    return f"""{_TITLE}

Made by `{command}` from the files that the runs left ({files}); do not edit it.{stayed}
"By it" is the author's own protocol: the same split, chosen and reported on the same images. "On clean samples" leaves
out every test image that equals a training image or another test image.

{markdown_table(REPRODUCTION, rows)}
Our figures were printed by:

{commands}
"""


def _kept(earlier: str, refs: Collection[str]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Rows and printed commands of an earlier text whose references are not among these."""
    if not earlier.startswith(_TITLE):
        return [], []
    lines = earlier.splitlines()
    rows = [tuple(cells_of_markdown(line)) for line in lines if line.startswith("| ")]
    kept = [row for row in rows if len(row) == len(REPRODUCTION) and row[0] not in (*refs, REPRODUCTION[0], "---")]
    return kept, [line for line in lines if any(line.startswith(f"- {row[0]}: ") for row in kept)]


def comparison_page(entries: Sequence[Entry]) -> Page:
    """The table, and the curves of all runs side by side."""
    from mien.reports.evaluation.plots import compared_curves_figure

    page = Page("Comparison", about=f"{count(len(entries), 'run or evaluation', 'runs and evaluations')}.")
    page.heading("Figures")
    page.table(COMPARISON, comparison_rows(entries))
    curves = _distinct(entries)
    page.heading("Curves")
    if not curves:
        page.paragraph("None of these logged any curves.")
        return page
    for metric, words in (("accuracy", "Accuracy"), ("loss", "Loss")):
        page.figure(
            compared_curves_figure(curves, metric),
            name=metric,
            caption=f"{words} over the epochs: on validation (left) and during training, with augmentation (right).",
        )
    return page


def _distinct(entries: Sequence[Entry]) -> dict[str, Curves]:
    """Curves by name; a second run of the same name gets its folder in the name."""
    named: dict[str, Curves] = {}
    for entry in entries:
        if entry.curves:
            named[f"{entry.name} ({entry.folder.name})" if entry.name in named else entry.name] = entry.curves
    return named


def _source(entry: Entry) -> str:
    kinds = [evaluation.subject.kind for evaluation in entry.evaluations]
    own = "" if entry.recipe is None else entry.recipe.source
    return own or (kinds[0] if kinds else UNKNOWN)


def _author(entry: Entry) -> str:
    reference = entry.reference
    if reference is None or not reference.author_score:
        return UNKNOWN
    return f"{percent(reference.author_score)} {reference.author_metric}".rstrip()


def _ours(measured: Measured | None) -> str:
    return UNKNOWN if measured is None else f"{percent(measured.accuracy)} ({measured.on})"


def _epochs(entry: Entry) -> str:
    planned = None if entry.recipe is None else entry.recipe.fit.epochs
    if entry.epochs is None or planned is None:
        return UNKNOWN
    ended = "" if entry.summary is not None else ", not finished"
    return f"{entry.epochs} of {planned}{ended}"


def _time(entry: Entry) -> str:
    seconds = None if entry.summary is None else entry.summary.seconds
    if seconds is None:
        return UNKNOWN
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
