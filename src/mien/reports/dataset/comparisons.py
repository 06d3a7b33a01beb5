"""The sections of the report on a data set that compare: pictures with one another, labels with votes, groups."""

from __future__ import annotations

import numpy as np

from mien.data.duplicates import Duplicates
from mien.reports.dataset import findings
from mien.reports.dataset import plots as figures
from mien.reports.dataset.findings import Agreement
from mien.reports.dataset.sections import Look
from mien.wording import count

_COPIES_SHOWN = 12
_PAIRS_ACROSS = 6
_GROUPS_SHOWN = 30
_NEAR_MEANS = (
    " Similarity is judged by rough shape: there may be different people in the same pose and light, and similar "
    "hand shapes on the same background, among them."
)


def copies(look: Look, duplicates: Duplicates) -> None:
    """How many pictures are copies, across which splits, and some of them."""
    page = look.begin("Copies")
    equal, near = duplicates.counts(near=False), duplicates.counts(near=True)
    look.found.append(findings.redundancy(equal.redundant, near.redundant))
    page.paragraph(
        "Equal means every pixel. Near copies are the same photograph in another size, crop or compression, found by a "
        "perceptual hash and the correlation of their pixels; near copies of near copies are counted as one set. "
        "The command mien data duplicates lists them and writes which to leave out of training."
    )
    rows = [
        ("sets of copies", equal.groups, near.groups),
        ("redundant copies", equal.redundant, near.redundant),
        ("sets with different labels", equal.mixed_groups, near.mixed_groups),
        ("pictures in these", equal.mixed_samples, near.mixed_samples),
    ]
    page.table(
        ("", "equal", "equal or near"), [(name, f"{a:,}", f"{b:,}") for name, a, b in rows], caption="Sets of copies"
    )
    for kind in (False, True):
        across = duplicates.across_splits(near=kind)
        word = "an equal or near one" if kind else "an equal one"
        page.table(
            ("pictures of", *(f"in {split}" for split in look.splits)),
            [(of, *(f"{n:,}" for n in counts.values())) for of, counts in across.items()],
            caption=f"Pictures of each split with {word} in each split",
        )
    if "train" in look.splits and "test" in look.splits:
        leaked = duplicates.across_splits(near=False)["test"]["train"]
        look.found.append(f"{count(leaked, 'test picture')} equal{'s' * (leaked == 1)} a training picture")
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
    captions = ["\n".join(f"{dataset.split[i]}: {look.labels[dataset.labels[i]]}" for i in pair) for pair in shown]
    kind = "Near copies" if near else "Equal pictures"
    look.page.figure(
        figures.picture_captions(
            [np.concatenate([dataset.samples[a], dataset.samples[b]], axis=1) for a, b in shown],
            captions,
            across=_PAIRS_ACROSS,
            title=f"{kind}, left and right, with the split and label of each",
        ),
        name="near-copies" if near else "equal-copies",
        caption=f"{kind}: {len(shown)} of {count(len(pairs), 'pair')}, drawn at random, those with two labels first. "
        "The first line is the left picture, the second the right one."
        f"{_NEAR_MEANS if near else ''}",
    )


def votes(look: Look) -> None:
    """How the labels agree with the votes of several raters; nothing without votes."""
    cast = look.dataset.votes
    if cast is None:
        return
    page = look.begin("Labels and the votes of several raters")
    agreement = findings.label_agreement(look.dataset, cast)
    sentence = findings.agreement_of_labels(agreement, look.splits, look.labels)
    look.found.append(sentence)
    page.paragraph(
        "Each label is compared with the class that has the most votes, without ties. Left out: "
        f"{count(agreement.tied, 'picture')} with a tie and {agreement.unvoted:,} without a vote for one of the "
        "classes; votes for anything else do not count."
    )
    total = np.maximum(agreement.matrix.sum(axis=1, keepdims=True), 1)
    shares = agreement.matrix / total
    page.figure(
        figures.heat_map(
            shares,
            rows=look.labels,
            columns=look.labels,
            texts=np.array([[f"{100 * share:.0f} %" for share in row] for row in shares]),
            title=sentence,
            axes_names=("label", "most votes"),
        ),
        name="agreement",
        caption="Of the pictures with each label (rows), the share for which raters' votes name each class "
        f"(columns); rows add up to 100 %. {sentence}.",
    )
    _agreement_table(look, agreement)


def _agreement_table(look: Look, agreement: Agreement) -> None:
    """Agreement by label and split, with the number of pictures it is a share of."""
    columns = []
    for matrix in (*agreement.matrices, agreement.matrix):
        totals = np.append(matrix.sum(axis=1), matrix.sum())
        shares = findings.recalls_of(matrix)
        columns.append(
            [f"{findings.percent(s)} of {n:,}" if n else "none" for s, n in zip(shares, totals, strict=True)]
        )
    look.page.table(
        ("label", *look.splits, "all"),
        list(zip((*look.labels, "all"), *columns, strict=True)),
        caption="Share of the pictures on which label and votes agree",
    )


def groups(look: Look, duplicates: Duplicates) -> None:
    """What each signer or clip has, and whether its pictures are found elsewhere."""
    names, counts = findings.group_counts(look.dataset)
    if not names:
        return
    page, sentence = (
        look.begin("Signers, clips and other groups"),
        findings.balance_of_groups(names, counts, look.labels),
    )
    look.found.append(sentence)
    names, counts = names[:_GROUPS_SHOWN], counts[:_GROUPS_SHOWN]
    page.figure(
        figures.heat_map(
            np.log10(counts + 1),
            rows=names,
            columns=look.labels,
            texts=np.array([[f"{n:,}" for n in row] for row in counts]),
            title=sentence,
            axes_names=("group", "class"),
        ),
        name="groups",
        caption=f"Pictures of each group and class, up to {_GROUPS_SHOWN} groups, the largest first. {sentence}.",
    )
    copied = duplicates.by_group()
    page.table(
        ("group", "pictures", "equal one inside", "equal one elsewhere", "near one inside", "near one elsewhere"),
        [
            (name, *(f"{n:,}" for n in (c.samples, c.equal_inside, c.equal_outside, c.near_inside, c.near_outside)))
            for name, c in ((name, copied[name]) for name in names)
        ],
        caption="Pictures of each group with copies inside it and elsewhere; a burst of one signer is near copies",
    )
