"""The sections of the report on a data set that compare: pictures with one another, labels with votes, groups."""

from __future__ import annotations

from functools import partial

import numpy as np

from mien.data.duplicates import Duplicates
from mien.outputs.lettering.fonts import drawn_words
from mien.reports.dataset import findings
from mien.reports.dataset import plots as figures
from mien.reports.dataset.findings import Agreement
from mien.reports.dataset.sections import Look
from mien.words import percent, say, words

_COPIES_SHOWN = 12
_PAIRS_ACROSS = 6
_GROUPS_SHOWN = 30


def copies(look: Look, duplicates: Duplicates) -> None:
    """How many pictures are copies, across which splits, and some of them."""
    page = look.begin(say("dataset.copies_heading"))
    equal, near = duplicates.counts(near=False), duplicates.counts(near=True)
    look.found.append(findings.redundancy(equal.redundant, near.redundant))
    page.paragraph(say("dataset.copies"))
    rows = [
        (say("data.duplicates.sets"), equal.groups, near.groups),
        (say("dataset.redundant_copies"), equal.redundant, near.redundant),
        (say("data.duplicates.mixed_sets"), equal.mixed_groups, near.mixed_groups),
        (say("data.duplicates.mixed_pictures"), equal.mixed_samples, near.mixed_samples),
    ]
    cells = [(name, f"{a:,}", f"{b:,}") for name, a, b in rows]
    page.table(words().all("dataset.copies_columns"), cells, caption=say("dataset.copies_caption"))
    for kind in (False, True):
        across = duplicates.across_splits(near=kind)
        page.table(
            (say("dataset.across_column"), *(say("dataset.across_in", split=split) for split in look.splits)),
            [(of, *(f"{n:,}" for n in counts.values())) for of, counts in across.items()],
            caption=say("dataset.across_near" if kind else "dataset.across_equal"),
        )
    if "train" in look.splits and "test" in look.splits:
        leaked = duplicates.across_splits(near=False)["test"]["train"]
        look.found.append(say("dataset.leaked", n=leaked))
    _show_copies(look, duplicates, near=False)
    _show_copies(look, duplicates, near=True)


def _show_copies(look: Look, duplicates: Duplicates, *, near: bool) -> None:
    """Pairs side by side, those with different labels first."""
    dataset = look.dataset
    _, first = np.unique(duplicates.equal, return_index=True)
    if near:
        pairs = [(int(first[a]), int(first[b])) for a, b in duplicates.near]
    else:
        sets = list(duplicates.sets(near=False))
        pairs = [(int(s[0]), int(s[int(np.argmax(dataset.labels[s] != dataset.labels[s[0]])) or 1])) for s in sets]
    random = np.random.default_rng(look.origin.seed)
    pairs = [pairs[i] for i in random.permutation(len(pairs))]
    pairs.sort(key=lambda pair: dataset.labels[pair[0]] == dataset.labels[pair[1]])
    if not pairs:
        return
    shown = pairs[:_COPIES_SHOWN]
    with drawn_words():
        title = say("dataset.near_title" if near else "dataset.equal_title")
        named = [[(dataset.split[i], look.labels[dataset.labels[i]]) for i in pair] for pair in shown]
        captions = [
            "\n".join(say("dataset.pair_label", split=split, label=label) for split, label in pair) for pair in named
        ]
    look.page.figure(
        figures.picture_captions(
            [np.concatenate([dataset.samples[a], dataset.samples[b]], axis=1) for a, b in shown],
            captions,
            across=_PAIRS_ACROSS,
            title=title,
        ),
        name="near-copies" if near else "equal-copies",
        caption=say("dataset.near_caption" if near else "dataset.equal_caption", shown=len(shown), n=len(pairs)),
    )


def votes(look: Look) -> None:
    """How the labels agree with the votes of several raters; nothing without votes."""
    cast = look.dataset.votes
    if cast is None:
        return
    page = look.begin(say("dataset.votes_heading"))
    agreement = findings.label_agreement(look.dataset, cast)
    sentence, drawn = look.find(lambda: findings.agreement_of_labels(agreement, look.splits, look.labels))
    page.paragraph(say("dataset.votes", n=agreement.tied, unvoted=agreement.unvoted))
    shares = agreement.matrix / np.maximum(agreement.matrix.sum(axis=1, keepdims=True), 1)
    with drawn_words():
        rows, columns = words().all("dataset.votes_axes")
        texts = np.array([[percent(share, 0) for share in row] for row in shares])
    page.figure(
        figures.heat_map(
            shares,
            rows=look.labels,
            columns=look.labels,
            texts=texts,
            title=drawn,
            axes_names=(rows, columns),
        ),
        name="agreement",
        caption=say("dataset.votes_caption", finding=sentence),
    )
    _agreement_table(look, agreement)


def _agreement_table(look: Look, agreement: Agreement) -> None:
    """Agreement by label and split, with the number of pictures it is a share of."""
    columns = []
    for matrix in (*agreement.matrices, agreement.matrix):
        totals = np.append(matrix.sum(axis=1), matrix.sum())
        shares = findings.recalls_of(matrix)
        none = say("dataset.agree_none")
        cells = [
            say("dataset.agree", share=percent(s), n=n) if n else none for s, n in zip(shares, totals, strict=True)
        ]
        columns.append(cells)
    whole = say("data.all")
    look.page.table(
        (say("dataset.agree_column"), *look.splits, whole),
        list(zip((*look.labels, whole), *columns, strict=True)),
        caption=say("dataset.agree_caption"),
    )


def groups(look: Look, duplicates: Duplicates) -> None:
    """What each signer or clip has, and whether its pictures are found elsewhere."""
    names, counts = findings.group_counts(look.dataset)
    if not names:
        return
    page = look.begin(say("dataset.groups_heading"))
    sentence, drawn = look.find(partial(findings.balance_of_groups, names, counts, look.labels))
    names, counts = names[:_GROUPS_SHOWN], counts[:_GROUPS_SHOWN]
    with drawn_words():
        rows, columns = words().all("dataset.groups_axes")
    page.figure(
        figures.heat_map(
            np.log10(counts + 1),
            rows=names,
            columns=look.labels,
            texts=np.array([[f"{n:,}" for n in row] for row in counts]),
            title=drawn,
            axes_names=(rows, columns),
        ),
        name="groups",
        caption=say("dataset.groups_caption", n=_GROUPS_SHOWN, finding=sentence),
    )
    copied = duplicates.by_group()
    page.table(
        words().all("dataset.group_columns"),
        [
            (name, *(f"{n:,}" for n in (c.samples, c.equal_inside, c.equal_outside, c.near_inside, c.near_outside)))
            for name, c in ((name, copied[name]) for name in names)
        ],
        caption=say("dataset.group_table_caption"),
    )
