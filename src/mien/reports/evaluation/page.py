"""The page of an evaluation, section by section; it says what the answers do not allow."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from mien.evaluation.evaluate import Evaluation
from mien.evaluation.evaluated_model import ModelInfo
from mien.evaluation.measures import risk_curve
from mien.evaluation.metrics import Reliability, reliability
from mien.evaluation.results import WANTED_ACCURACY, ConfusedPair
from mien.reports.evaluation.grids import RIGHT, WRONG, random_positions, samples_figure, worst_positions
from mien.reports.evaluation.plots import (
    Curve,
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
from mien.words import again, language, listed, percent, say, words

_SHOWN = 24


def report_page(evaluation: Evaluation) -> Page:
    """The whole report."""
    data, about = evaluation.facts.data, evaluation.about
    source = again(data.source) or say("evaluation.the_data")
    page = Page(
        say("evaluation.title", name=about.name, split=data.split, data=source),
        about=say("evaluation.about", kind=_kind(about), n=data.samples, time=evaluation.facts.time),
        language=language(),
    )
    for note in evaluation.notes:
        page.note(again(note))
    _add_summary(page, evaluation)
    add_curves(page, evaluation)
    _add_labels(page, evaluation)
    if evaluation.answers.probabilities is None:
        page.heading(say("evaluation.missing_heading"))
        page.paragraph(say("evaluation.missing"))
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
    page.heading(say("evaluation.summary"))
    page.table(words().all("evaluation.summary_columns"), summary_rows(evaluation))
    never = measures.never_predicted
    answered = measures.confusion.matrix.sum(axis=0)
    labels = measures.confusion.labels
    if (answered[:-1] > 0).sum() == 1:
        page.note(say("evaluation.always", label=labels[int(answered[:-1].argmax())]))
    elif never:
        page.note(say("evaluation.never", labels=listed(never)))
    else:
        page.paragraph(say("evaluation.every_label"))


def add_curves(page: Page, evaluation: Evaluation) -> None:
    """The section on how a run was trained; none for what was not trained here."""
    curves = evaluation.about.curves
    if evaluation.about.kind != "run":
        return
    page.heading(say("evaluation.training"))
    if not curves:
        page.paragraph(say("evaluation.no_curves"))
        return
    page.figure(
        curves_figure(curves),
        name="curves",
        caption=say("evaluation.curves"),
    )
    best = best_epoch(curves)
    x, accuracy = series(curves, "val_accuracy")
    if best is not None:
        found = {"epoch": best, "epochs": int(x[-1]), "best": percent(accuracy.max(), 2)}
        if best == x[-1]:
            page.paragraph(say("evaluation.best_last", **found))
        else:
            page.paragraph(say("evaluation.best", **found, last=percent(accuracy[-1], 2)))
    _, train = series(curves, "train_accuracy")
    if len(train) and len(accuracy):
        gap = 100 * (train[-1] - accuracy[-1])
        page.paragraph(say("evaluation.gap", train=percent(train[-1], 2), gap=gap))
    elif not len(train):
        page.paragraph(say("evaluation.no_train_accuracy"))


def _add_labels(page: Page, evaluation: Evaluation) -> None:
    measures = evaluation.measures
    page.heading(say("evaluation.by_label"))
    header = words().all("evaluation.label_columns")
    rows = [
        (
            words().label("evaluation.average", name),
            *(f"{value:.3f}" for value in (row.precision, row.recall, row.f1)),
            f"{row.support:.0f}",
        )
        for name, row in measures.report.items()
    ]
    page.table(header, rows, caption=say("evaluation.label_caption"))
    labels, matrix = measures.confusion.labels, measures.confusion.matrix
    page.heading(say("evaluation.confusion"))
    caption = say("evaluation.confusion_caption")
    page.figure(confusion_figure(matrix, labels), name="confusion", caption=caption)
    supports = dict(zip(labels, matrix.sum(axis=1), strict=True))
    page.paragraph(say("evaluation.most_confused" if measures.most_confused else "evaluation.none_confused"))
    page.bullets([_mistaken(pair, supports[pair.true]) for pair in measures.most_confused])


def _mistaken(pair: ConfusedPair, samples: int) -> str:
    names = {"true": pair.true, "predicted": pair.predicted}
    return say("evaluation.mistaken", **names, count=pair.count, n=samples, share=percent(pair.share))


def _add_rankings(page: Page, evaluation: Evaluation) -> None:
    answers, ranking = evaluation.answers, evaluation.measures.ranking
    p, labels = answers.probabilities, answers.part.label_set.labels
    if p is None or ranking is None or ranking.roc_auc is None or ranking.average_precision is None:
        return
    page.heading(say("evaluation.rankings"))
    absent = [label for label in labels if label not in ranking.roc_auc]
    if absent:
        page.paragraph(say("evaluation.no_samples_of", labels=listed(absent)))
    page.figure(
        roc_figure(p, answers.part.labels, labels),
        name="roc",
        caption=say("evaluation.roc", area=ranking.roc_auc["macro"]),
    )
    page.figure(
        precision_recall_figure(p, answers.part.labels, labels),
        name="precision_recall",
        caption=say("evaluation.precision_recall", precision=ranking.average_precision["macro"]),
    )


def _add_calibration(page: Page, evaluation: Evaluation) -> None:
    answers, found = evaluation.answers, evaluation.measures.calibration
    if answers.probabilities is None or found is None:
        return
    page.heading(say("evaluation.calibration"))
    columns = zip(
        words().all("evaluation.calibration_columns"), (found.before, found.after, found.as_given), strict=True
    )
    there = {name: asdict(scores) for name, scores in columns if scores is not None}
    names = ("ece", "brier", "nll")
    rows = [(say(f"evaluation.{key}"), *(f"{column[key]:.4f}" for column in there.values())) for key in names]
    page.table((say("evaluation.calibration_figure"), *there), rows)
    curves: dict[Curve, Reliability] = {}
    if answers.before is not None:
        where = again(answers.temperature_from)
        page.paragraph(say("evaluation.temperature", temperature=answers.temperature, where=where))
        curves["before"] = reliability(answers.before, answers.part.labels)
        curves["after"] = reliability(answers.probabilities, answers.part.labels)
    else:
        page.paragraph(say("evaluation.as_given"))
        curves["given"] = reliability(answers.probabilities, answers.part.labels)
    page.figure(calibration_figure(curves), name="calibration", caption=say("evaluation.calibration_caption"))


def _add_risk(page: Page, evaluation: Evaluation) -> None:
    answers, risk = evaluation.answers, evaluation.measures.risk_coverage
    if risk is None:
        return
    page.heading(say("evaluation.risk"))
    page.figure(
        risk_figure(risk_curve(answers), threshold=answers.threshold),
        name="risk_coverage",
        caption=say("evaluation.risk_caption"),
    )
    reached, wanted = risk.coverage_at_accuracy, say("share", number=f"{100 * WANTED_ACCURACY:g}")
    if reached is None:
        page.paragraph(say("evaluation.risk_never", wanted=wanted))
    elif reached == 1:
        page.paragraph(say("evaluation.risk_all", wanted=wanted))
    else:
        page.paragraph(say("evaluation.risk_reached", wanted=wanted, share=percent(reached)))
    if answers.threshold is not None and risk.coverage is not None and risk.accuracy is not None:
        shares = {"coverage": percent(risk.coverage), "accuracy": percent(risk.accuracy)}
        page.paragraph(say("evaluation.risk_own", threshold=answers.threshold, **shares))


def _add_other_counts(page: Page, evaluation: Evaluation) -> None:
    measures = evaluation.measures
    copies = measures.without_copies
    page.heading(say("evaluation.other_counts"))
    page.table(words().all("evaluation.count_columns"), count_rows(evaluation))
    page.paragraph(say("evaluation.copies", n=copies.equal_to_training, repeated=copies.repeated))
    if measures.ferplus is not None:
        agreement = measures.ferplus.labels_agree_with_votes
        page.paragraph(say("evaluation.plurality_agrees", share=percent(agreement)))
    if measures.groups is not None:
        groups = [(name, f"{g.samples:,}", percent(g.accuracy, 2)) for name, g in measures.groups.items()]
        page.table(words().all("evaluation.group_columns"), groups, caption=say("evaluation.group_caption"))


def _add_samples(page: Page, evaluation: Evaluation) -> None:
    answers, seed = evaluation.answers, evaluation.circumstances.seed
    chosen, worst = random_positions(answers, _SHOWN, seed=seed), worst_positions(answers, _SHOWN)
    is_hand = answers.part.samples.dtype != np.uint8
    hands = [say("evaluation.hands_shown")] if is_hand else []
    page.heading(say("evaluation.samples"))
    about_samples = [say("evaluation.samples_caption", n=len(chosen), seed=seed, right=RIGHT, wrong=WRONG), *hands]
    page.figure(
        samples_figure(answers, chosen, confidence=False),
        name="samples",
        caption=words().join("sentences", about_samples),
    )
    if len(worst):
        page.heading(say("evaluation.worst"))
        caption = words().join("sentences", [say("evaluation.worst_caption", n=len(worst)), *hands])
        page.figure(samples_figure(answers, worst, confidence=True), name="worst_errors", caption=caption)


def _add_facts(page: Page, evaluation: Evaluation) -> None:
    about, facts = evaluation.about, evaluation.facts
    data = facts.data
    parameters = say("evaluation.unknown") if about.parameters is None else f"{about.parameters:,}"
    subject = {"kind": _kind(about), "name": about.name, "sha256": about.sha256, "parameters": parameters}
    counts = listed(say("evaluation.label_count", label=label, n=n) for label, n in data.counts.items())
    versions = listed(f"{name} {version}" for name, version in facts.versions.items())
    page.heading(say("evaluation.made"))
    page.bullets(
        [
            say("evaluation.made_subject", **subject),
            say("evaluation.made_data", data=again(data.source), split=data.split, fingerprint=data.fingerprint),
            say("evaluation.made_samples", counts=counts),
            say("evaluation.made_command", command=facts.command),
            say("evaluation.made_versions", versions=versions),
            say("evaluation.made_machine", machine=again(facts.machine), time=facts.time),
        ]
    )
    page.paragraph(say("evaluation.caveat"))


def _kind(about: ModelInfo) -> str:
    """A run, a model or predictions."""
    return say(f"evaluation.kind.{about.kind}")
