"""The page of an evaluation, section by section; it says what the answers do not allow."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from mien.evaluation.evaluate import Evaluation
from mien.evaluation.measures import percent, risk_curve
from mien.evaluation.metrics import Reliability, reliability
from mien.evaluation.results import WANTED_ACCURACY
from mien.reports.evaluation.grids import random_positions, samples_figure, worst_positions
from mien.reports.evaluation.plots import (
    best_epoch,
    calibration_figure,
    confusion_figure,
    curves_figure,
    precision_recall_figure,
    risk_figure,
    roc_figure,
    series,
)
from mien.reports.evaluation.tables import count_rows, summary_rows
from mien.reports.page import Page
from mien.wording import count

_SHOWN = 24


def report_page(evaluation: Evaluation) -> Page:
    """The whole report."""
    data, about = evaluation.facts.data, evaluation.about
    page = Page(
        f"{about.name} on {data.split} of {data.source or 'the data'}",
        about=f"Evaluation of a {about.kind} on {count(data.samples, 'sample')}, of {evaluation.facts.time}.",
    )
    for note in evaluation.notes:
        page.note(note)
    _add_summary(page, evaluation)
    add_curves(page, evaluation)
    _add_labels(page, evaluation)
    if evaluation.answers.probabilities is None:
        page.heading("What is missing")
        page.paragraph(
            "Only labels were given, no probabilities: there is no top-2 accuracy, no ROC and precision-recall curve, "
            "no calibration, no risk-coverage curve and no list of the most confident errors."
        )
    else:
        _add_rankings(page, evaluation)
        _add_calibration(page, evaluation)
        _add_risk(page, evaluation)
    _add_other_counts(page, evaluation)
    _add_samples(page, evaluation)
    _add_facts(page, evaluation)
    return page


def _add_summary(page: Page, evaluation: Evaluation) -> None:
    measures = evaluation.measures
    page.heading("Summary")
    page.table(("figure", "value", "95 % interval (bootstrap)"), summary_rows(evaluation))
    never = measures.never_predicted
    answered = measures.confusion.matrix.sum(axis=0)
    labels = measures.confusion.labels
    if (answered[:-1] > 0).sum() == 1:
        page.note(f"The answer is always {labels[int(answered[:-1].argmax())]}: the samples are not told apart at all.")
    elif never:
        page.note(f"Never answered, although there are such samples: {', '.join(never)}.")
    else:
        page.paragraph("Every label is answered at least once.")


def add_curves(page: Page, evaluation: Evaluation) -> None:
    """The section on how a run was trained; none for what was not trained here."""
    curves = evaluation.about.curves
    if evaluation.about.kind != "run":
        return
    page.heading("Training")
    if not curves:
        page.paragraph("The run logged no curves.")
        return
    page.figure(
        curves_figure(curves),
        name="curves",
        caption="Loss and accuracy over the epochs, training against validation. Training figures are measured during "
        "training, with augmentation and dropout, so they may look worse than those of validation.",
    )
    best = best_epoch(curves)
    x, accuracy = series(curves, "val_accuracy")
    if best is not None:
        words = f"Validation accuracy was best in epoch {best} of {int(x[-1])}: {percent(accuracy.max(), 2)}"
        page.paragraph(f"{words}." if best == x[-1] else f"{words}; in the last it was {percent(accuracy[-1], 2)}.")
    _, train = series(curves, "train_accuracy")
    if len(train) and len(accuracy):
        gap = 100 * (train[-1] - accuracy[-1])
        page.paragraph(
            f"In the last epoch training accuracy was {percent(train[-1], 2)}, {gap:+.1f} points from validation. "
            "Early stopping is for a gap that grows while validation does not improve."
        )
    elif not len(train):
        page.paragraph("Accuracy on the training split was not logged: blended images (mix-up) have no single label.")


def _add_labels(page: Page, evaluation: Evaluation) -> None:
    measures = evaluation.measures
    page.heading("By label")
    header = ("", "precision", "recall", "F1", "samples")
    rows = [
        (name, *(f"{value:.3f}" for value in (row.precision, row.recall, row.f1)), f"{row.support:.0f}")
        for name, row in measures.report.items()
    ]
    page.table(header, rows, caption="Classification report")
    labels, matrix = measures.confusion.labels, measures.confusion.matrix
    page.heading("Confusion")
    caption = "Confusion matrix: rows are true labels, columns answers; counts, and percent of the true label."
    page.figure(confusion_figure(matrix, labels), name="confusion", caption=caption)
    supports = dict(zip(labels, matrix.sum(axis=1), strict=True))
    page.paragraph(
        "Most confused:" if measures.most_confused else "No label is mistaken for another three times or more."
    )
    page.bullets(
        [
            f"{pair.true} is mistaken for {pair.predicted} in {pair.count} of {supports[pair.true]} cases "
            f"({percent(pair.share)})"
            for pair in measures.most_confused
        ]
    )


def _add_rankings(page: Page, evaluation: Evaluation) -> None:
    answers, ranking = evaluation.answers, evaluation.measures.ranking
    p, labels = answers.probabilities, answers.part.label_set.labels
    if p is None or ranking is None or ranking.roc_auc is None or ranking.average_precision is None:
        return
    page.heading("ROC and precision-recall")
    absent = [label for label in labels if label not in ranking.roc_auc]
    if absent:
        page.paragraph(f"No curves, because there are no samples: {', '.join(absent)}.")
    page.figure(
        roc_figure(p, answers.part.labels, labels),
        name="roc",
        caption=f"ROC curve of each label against the rest. Mean area {ranking.roc_auc['macro']:.3f}.",
    )
    page.figure(
        precision_recall_figure(p, answers.part.labels, labels),
        name="precision_recall",
        caption="Precision against recall of each label. "
        f"Mean average precision {ranking.average_precision['macro']:.3f}.",
    )


def _add_calibration(page: Page, evaluation: Evaluation) -> None:
    answers, found = evaluation.answers, evaluation.measures.calibration
    if answers.probabilities is None or found is None:
        return
    page.heading("Calibration")
    columns = {"before": found.before, "after": found.after, "as given": found.as_given}
    there = {name: asdict(scores) for name, scores in columns.items() if scores is not None}
    names = {
        "ece": "expected calibration error (15 bins)",
        "brier": "Brier score (0 to 2)",
        "nll": "negative log likelihood",
    }
    rows = [(names[key], *(f"{column[key]:.4f}" for column in there.values())) for key in names]
    page.table(("figure", *there), rows)
    curves: dict[str, Reliability] = {}
    if answers.before is not None:
        page.paragraph(f"Temperature {answers.temperature:.4g}: {answers.temperature_from}.")
        curves["before"] = reliability(answers.before, answers.part.labels)
        curves["after temperature scaling"] = reliability(answers.probabilities, answers.part.labels)
    else:
        page.paragraph("The probabilities are used as given: a temperature fitted here would flatter them.")
        curves["as given"] = reliability(answers.probabilities, answers.part.labels)
    caption = (
        "How often answers with a given confidence are right (left), and how often that confidence occurs (right)."
    )
    page.figure(calibration_figure(curves), name="calibration", caption=caption)


def _add_risk(page: Page, evaluation: Evaluation) -> None:
    answers, risk = evaluation.answers, evaluation.measures.risk_coverage
    if risk is None:
        return
    page.heading("Answering only when sure")
    page.figure(
        risk_figure(risk_curve(answers), threshold=answers.threshold),
        name="risk_coverage",
        caption="Share of right answers among those given against the share given, if only confident answers are given "
        "(Geifman and El-Yaniv 2017).",
    )
    reached, wanted = risk.coverage_at_accuracy, f"{100 * WANTED_ACCURACY:g} %"
    if reached is None:
        page.paragraph(f"No threshold makes {wanted} of the answers right.")
    elif reached == 1:
        page.paragraph(f"Even when every sample is answered, at least {wanted} of the answers are right.")
    else:
        page.paragraph(f"To be right in {wanted} of its answers, it may answer {percent(reached)} of the samples.")
    if answers.threshold is not None and risk.coverage is not None and risk.accuracy is not None:
        page.paragraph(
            f"At its own threshold {answers.threshold:g} it answers {percent(risk.coverage)}, "
            f"and {percent(risk.accuracy)} of these are right."
        )


def _add_other_counts(page: Page, evaluation: Evaluation) -> None:
    measures = evaluation.measures
    copies = measures.without_copies
    page.heading("Counted in other ways")
    page.table(("", "samples", "accuracy", "macro F1", "balanced accuracy"), count_rows(evaluation))
    page.paragraph(
        f"Copies: {count(copies.equal_to_training, 'sample')} equal to a training sample of this data in every "
        f"pixel, and {copies.repeated:,} more equal to an earlier sample of the split."
    )
    if measures.ferplus is not None:
        agreement = measures.ferplus.labels_agree_with_votes
        page.paragraph(
            f"The data set's own labels agree with the FER+ plurality on {percent(agreement)} of the samples."
        )
    if measures.groups is not None:
        groups = [(name, f"{g.samples:,}", percent(g.accuracy, 2)) for name, g in measures.groups.items()]
        page.table(("group", "samples", "accuracy"), groups, caption="By group (person, clip or set)")


def _add_samples(page: Page, evaluation: Evaluation) -> None:
    answers, seed = evaluation.answers, evaluation.circumstances.seed
    chosen, worst = random_positions(answers, _SHOWN, seed=seed), worst_positions(answers, _SHOWN)
    is_hand = answers.part.samples.dtype != np.uint8
    hands = " Hands are shown as the network sees them: rotated upright, left hands mirrored." if is_hand else ""
    page.heading("Samples")
    page.figure(
        samples_figure(answers, chosen, confidence=False),
        name="samples",
        caption=f"{count(len(chosen), 'sample')} drawn at random (seed {seed}), titled predicted (true): "
        f"✓ and a thin frame where right, ✗ and a thick dashed frame where wrong.{hands}",
    )
    if len(worst):
        page.heading("Worst errors")
        caption = f"The wrong answers with the highest confidence ({len(worst)}): predicted, confidence, (true).{hands}"
        page.figure(samples_figure(answers, worst, confidence=True), name="worst_errors", caption=caption)


def _add_facts(page: Page, evaluation: Evaluation) -> None:
    about, facts = evaluation.about, evaluation.facts
    data = facts.data
    parameters = "unknown" if about.parameters is None else f"{about.parameters:,}"
    page.heading("How this was made")
    page.bullets(
        [
            f"Subject: {about.kind} {about.name}, SHA-256 {about.sha256}, parameters: {parameters}",
            f"Data: {data.source}, split {data.split}, fingerprint of the whole set {data.fingerprint}",
            f"Samples: {', '.join(f'{label} {count:,}' for label, count in data.counts.items())}",
            f"Command: {facts.command}",
            f"Versions: {', '.join(f'{name} {version}' for name, version in facts.versions.items())}",
            f"Machine and time: {facts.machine}; {facts.time}",
        ]
    )
    page.paragraph(
        "An expression is not a feeling, and these figures say nothing about people who are not in the data. "
        "The page shows samples of the data set: share it only if you may share these."
    )
