"""Runs and evaluations as tables: for the terminal, as a page, and as docs/reproduction.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from mien.errors import InputError
from mien.evaluation.run_comparison import UNKNOWN, Entry, Measured
from mien.reports.page import Page
from mien.wording import cells_of_markdown, markdown_table, one_line
from mien.words import FALLBACK, again, instead, language, percent, say, words

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


def comparison_header() -> tuple[str, ...]:
    """What the columns of a comparison are called."""
    return words().all("compare.columns")


def comparison_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Cells under `comparison_header`, one row per entry."""
    return [
        (
            title,
            _source(entry),
            UNKNOWN if entry.parameters is None else f"{entry.parameters:,}",
            _epochs(entry),
            _time(entry),
            _author(entry),
            _ours(entry.author_protocol()),
            _ours(entry.honest_protocol()),
            again(entry.machine),
        )
        for title, entry in zip(_titles(entries), entries, strict=True)
    ]


def reproduction_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Cells under REPRODUCTION, one row per entry that reproduces a published result, in the order of their names."""
    rows: list[tuple[str, ...]] = []
    rebuilt = [(entry.reference, entry) for entry in entries if entry.reference is not None]
    for reference, entry in sorted(rebuilt, key=lambda pair: (pair[0].ref, pair[1].name)):
        rows.append(
            (
                one_line(reference.ref),
                f"`{one_line(entry.train_command)}`",
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
    """docs/reproduction.md, which is in English.

    Args:
        entries: runs and evaluations.
        command: what asked for it.
        earlier: the text as it was; its rows about results that these entries do not rebuild stay.

    Raises:
        InputError: none of the entries reproduces a published result.
    """
    with instead(FALLBACK):
        rows = reproduction_rows(entries)
    if not rows:
        raise InputError("None of these runs reproduces a published result: their recipes have no section [reference]")
    printed = [
        f"- {one_line(entry.reference.ref)}: `{one_line(ours.command)}`"
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

Made by `{one_line(command)}` from the files that the runs left ({files}); do not edit it.{stayed}
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
    return kept, [line for line in lines if any(line.startswith(f"- {row[0]}: `") for row in kept)]


def is_reproduction(text: str) -> bool:
    """Whether the text of a file is what `reproduction_text` writes, or nothing."""
    return text.startswith(_TITLE) or not text.strip()


def comparison_page(entries: Sequence[Entry]) -> Page:
    """The table, and the curves of all runs side by side."""
    from mien.reports.evaluation.plots import compared_curves_figure

    about = say("compare.about", subjects=say("count.subjects", n=len(entries)))
    page = Page(say("compare.title"), about=about, language=language())
    page.heading(say("compare.figures"))
    page.table(comparison_header(), comparison_rows(entries))
    curves = {title: entry.curves for title, entry in zip(_titles(entries), entries, strict=True) if entry.curves}
    page.heading(say("compare.curves"))
    if not curves:
        page.paragraph(say("compare.no_curves"))
        return page
    for metric in ("accuracy", "loss"):
        page.figure(compared_curves_figure(curves, metric), name=metric, caption=say(f"compare.{metric}"))
    return page


def _titles(entries: Sequence[Entry]) -> list[str]:
    """What to call each entry beside the others: its name, and its folder where several have that name."""
    named = [entry.name for entry in entries]
    for folders in ([entry.folder.name for entry in entries], [str(entry.folder) for entry in entries]):
        often = Counter(named)
        named = [
            say("compare.curve_of", name=entry.name, folder=folder) if often[name] > 1 else name
            for entry, folder, name in zip(entries, folders, named, strict=True)
        ]
    return named


def _source(entry: Entry) -> str:
    kinds = [words().label("evaluation.kind", evaluation.subject.kind) for evaluation in entry.evaluations]
    own = "" if entry.recipe is None else again(entry.recipe.source)
    return own or (kinds[0] if kinds else UNKNOWN)


def _author(entry: Entry) -> str:
    reference = entry.reference
    if reference is None or not reference.author_score:
        return UNKNOWN
    share, what = percent(reference.author_score), again(reference.author_metric)
    return say("recipes.figure", share=share, what=what) if what else share


def _ours(measured: Measured | None) -> str:
    return (
        UNKNOWN if measured is None else say("compare.score", share=percent(measured.accuracy), on=again(measured.on))
    )


def _epochs(entry: Entry) -> str:
    planned = None if entry.recipe is None else entry.recipe.fit.epochs
    if entry.epochs is None or planned is None:
        return UNKNOWN
    key = "compare.epochs" if entry.summary is not None else "compare.epochs_unfinished"
    return say(key, done=entry.epochs, planned=planned)


def _time(entry: Entry) -> str:
    seconds = None if entry.summary is None else entry.summary.seconds
    if seconds is None:
        return UNKNOWN
    if seconds < 120:
        return say("span.seconds", n=seconds)
    return say("span.minutes", n=seconds / 60) if seconds < 7200 else say("span.hours", n=seconds / 3600)
