"""From a run to a model folder: ONNX, checked against torch, calibrated on the validation split."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.dataset import Dataset
from mien.data.provenance import Provenance, provenance_of
from mien.errors import ModelError, UnknownName
from mien.evaluation.calibration import Calibration, fitted_calibration
from mien.evaluation.evaluated_model import onnx_parameters
from mien.evaluation.grades import GAINS, STAYS_NEUTRAL, Grades, fitted_gain, fitted_grades
from mien.evaluation.manifest_scores import COVERAGE, certain_figures, grade_figures, measured_at
from mien.evaluation.measures import agreed, grade_scores, percent
from mien.evaluation.metrics import summary_scores
from mien.models.artifact import Artifact, write_artifact
from mien.models.manifest import Score, model_name
from mien.recipes.recipe import Recipe, changed_recipe
from mien.recipes.tables import MirrorKind, View
from mien.stages.baseline import NEUTRAL
from mien.stages.classify import answered, softmax
from mien.train.export.card import CardFacts, card_text
from mien.train.export.ensemble import averaged
from mien.train.export.networks import answers_of, fed_with, network_of, partner_of
from mien.train.export.quantize import recalibrated, uncalibrated
from mien.train.export.views import CORRUPTED, a_moment_apart, batches_of_views
from mien.train.runs import run_recipe
from mien.train.start import trained_on
from mien.wording import count
from mien.words import say

_LATE_SETTINGS = ("input.margin", "input.lift", "input.level")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What may differ from the run's recipe, and what was measured since.

    Args:
        command: what the user typed, for the manifest.
        changes: settings of the recipe's `input.margin`, `input.lift`, `input.level` and `export`, as text.
        scores: figures measured elsewhere, on data the run has not seen; they replace those of the validation split.
    """

    command: str
    changes: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()

    def __post_init__(self) -> None:
        for name in self.changes:
            if name not in _LATE_SETTINGS and not name.startswith("export."):
                raise UnknownName("setting that may change after training", name, (*_LATE_SETTINGS, "export.*"))


def export_run(run: Path, folder: Path, dataset: Dataset, options: ExportOptions) -> Artifact:
    """Write the best weights of a run as a model folder.

    The temperature is the recipe's or the one with the lowest negative log likelihood on the validation split (Guo et
    al. 2017), with a bias or also a scale for each label if the recipe asks for it; the threshold is the recipe's or
    the one with its precision there; the scores in the manifest are from that split too. The temperature is fitted over
    all outputs, grades and scores are of answers as the model gives them, without the labels of `export.left_out`:
    samples with these count as wrong. The test split is not used.
    The model is named by the recipe's `export.name`, otherwise after the folder, reduced to valid characters.

    Args:
        run: the run folder.
        folder: the model folder to write.
        dataset: the data of the run.
        options: what differs from the recipe.

    Raises:
        InputError: the folder holds no run.
        ModelError: ONNX Runtime and torch disagree by more than 1e-4 of the size of the logits, smaller weights cost
            more than 0.3 points of accuracy, or no threshold has the recipe's precision.
        OutputError: the model folder cannot be written.
    """
    recipe = changed_recipe(run_recipe(run), options.changes)
    networks = [network_of(run, recipe, dataset)]
    networks += [partner_of(reference, run, recipe, dataset) for reference in recipe.export.partners]
    provenance, train_samples = trained_on(run, dataset)
    trained = _Trained(
        recipe=recipe,
        networks=tuple(network for network, _ in networks),
        provenance=provenance,
        train_samples=train_samples,
        checks=tuple(check for _, checks in networks for check in checks),
    )
    return _calibrated(trained, folder, dataset, options)


def export_model(
    artifact: Artifact, recipe: Recipe, folder: Path, dataset: Dataset, options: ExportOptions
) -> Artifact:
    """Write a model folder with the weights of another one, calibrated and graded anew as a recipe says.

    For a model whose run is gone. Its weights stay as they are, whatever `export.weights` says.

    Args:
        artifact: the model.
        recipe: that made it.
        folder: the model folder to write.
        dataset: the data it was trained and is calibrated on.
        options: what differs from the recipe.

    Raises:
        ModelError: the model has other labels or another input than the recipe, already averages its mirrored view in
            another way, or no threshold has the recipe's precision.
        OutputError: the model folder cannot be written.
    """
    recipe = changed_recipe(recipe, options.changes)
    own, wanted = artifact.manifest, recipe.manifest()
    for name in ("task", "labels"):
        if getattr(own, name) != getattr(wanted, name):
            raise ModelError(
                f"The model {own.name} has the {name} {getattr(own, name)}, the recipe {recipe.name} has "
                f"{getattr(wanted, name)}; name the recipe that made the model."
            )
    if fed_with(own) != fed_with(wanted):
        raise ModelError(
            f"The model {own.name} is not fed as the recipe {recipe.name} says; name the recipe that made it."
        )
    checks = (f"Its weights are those of {own.title} (SHA-256 {own.sha256[:12]}).",)
    model_bytes = uncalibrated(artifact.model_path.read_bytes())
    train = dataset.part("train")
    trained = _Trained(
        recipe=recipe,
        networks=(model_bytes,),
        provenance=provenance_of(train),
        train_samples=len(train),
        checks=checks,
    )
    return _calibrated(trained, folder, dataset, options)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Trained:
    """A network, or several to be averaged, before the calibration, and what the card says about it."""

    recipe: Recipe
    networks: tuple[bytes, ...]
    provenance: Provenance
    train_samples: int
    checks: tuple[str, ...]


def _calibrated(trained: _Trained, folder: Path, dataset: Dataset, options: ExportOptions) -> Artifact:
    """Average networks and views, calibrate, grade and write a model."""
    recipe, checks = trained.recipe, list(trained.checks)
    export, validation = recipe.export, dataset.part("validation")
    manifest = replace(recipe.manifest(), name=export.name or model_name(folder) or recipe.name)
    model_bytes = averaged(trained.networks, export.mirror)
    checks += _averages_told(len(trained.networks), export.mirror)
    batches, missed = batches_of_views(validation.samples, manifest.input, export.views)
    labels = np.tile(validation.labels, len(batches))
    shift = np.array(recipe.logit_shift())
    logits = answers_of(model_bytes, manifest, batches) + shift
    if shift.any():
        checks.append(f"Added to the logits before calibration (Menon et al. 2021): {', '.join(export.shift)}.")
    calibration = fitted_calibration(logits, labels, export.calibration, temperature=export.temperature)
    model_bytes = recalibrated(model_bytes, calibration.scale, calibration.adjusted(shift))
    if export.calibration != "temperature":
        checks.append(_calibration_told(validation.label_set.labels, calibration))
    if len(batches) > 1:
        checks.append(_views_told(export.views, missed))
    columns = manifest.answer_columns
    probabilities = softmax(answered(calibration.adjusted(logits), columns) / calibration.temperature)
    grades = fitted_grades(export, probabilities, validation)
    own = probabilities[: len(validation)]  # their own frame comes first
    gain = 1.0
    answers = manifest.answers
    if manifest.task == "emotion" and answers is not None and NEUTRAL in answers:
        calm = agreed(validation) & (validation.labels == validation.label_set.index(NEUTRAL))
        if calm.any():
            pair = a_moment_apart(validation.samples[calm], manifest.input, export.views)
            before, after = np.split(answers_of(model_bytes, manifest, pair) / calibration.temperature, 2)
            gain = fitted_gain(before[:, columns], after[:, columns], answers, grades.threshold)
            checks.append(_gain_told(gain, len(before)))
    manifest = replace(
        manifest,
        temperature=round(calibration.temperature, 4),
        threshold=grades.threshold,
        perhaps=grades.perhaps,
        baseline_gain=gain,
        scores=options.scores or _scores(own, validation, grades, options.command, never=manifest.left_out),
    )
    measured = [score for score in manifest.scores if score.metric.startswith(COVERAGE)]
    if measured and not measured_at(measured, grades.threshold):
        logger.warning("the given scores were measured at a threshold other than %g; measure again", grades.threshold)
    facts = CardFacts(
        recipe=recipe,
        provenance=trained.provenance,
        parameters=onnx_parameters(model_bytes),
        bytes=len(model_bytes),
        train_samples=trained.train_samples,
        checks=tuple(checks),
        threshold=grades.told,
    )
    logger.info("%s", say("train.temperature", temperature=calibration.temperature))
    return write_artifact(folder, model_bytes, manifest, card_text(manifest, facts))


def _averages_told(networks: int, mirror: MirrorKind) -> list[str]:
    if mirror == "turns":
        views = "the picture and its mirror image in turn"
        return [f"Each answer is the mean of the logits of {networks} networks, which see {views}."]
    told = [f"Each answer is the mean of the logits of {networks} networks."] * (networks > 1)
    if mirror != "none":
        told.append(f"Each answer is the mean of the {mirror} for the picture and its mirror image.")
    return told


def _calibration_told(labels: tuple[str, ...], calibration: Calibration) -> str:
    scaled = bool((calibration.scale != 1).any())
    told = [
        f"{label} {value:+.2f}" for label, value in zip(labels, calibration.bias - calibration.bias.mean(), strict=True)
    ]
    if scaled:
        told = [f"{words} (times {scale:.2f})" for words, scale in zip(told, calibration.scale, strict=True)]
    what = "a bias and a scale" if scaled else "a bias"
    source = (
        "vector scaling, Guo et al. 2017" if scaled else "bias-corrected temperature scaling, Alexandari et al. 2020"
    )
    return (
        f"The temperature was fitted together with {what} for each label ({source}), part of the model file: "
        f"{', '.join(told)}."
    )


def _gain_told(gain: float, faces: int) -> str:
    least, most = GAINS
    stay = {least: f"at most {percent(STAYS_NEUTRAL)}", most: f"at least {percent(STAYS_NEUTRAL)}"}
    times = {least: "once, the least there is", most: f"{most:g} times, the most there is"}
    told = (
        f"Changes from a person's own neutral face count {times.get(gain, f'{gain:g} times')}: relative to themselves "
        f"a moment before, {stay.get(gain, percent(STAYS_NEUTRAL))} of {count(faces, 'neutral face')} of the "
        "validation split stay neutral."
    )
    if gain == most:
        told += " The model sees hardly any change in them: check that it sees expressions before you use a baseline."
    return told


def _views_told(views: Sequence[View], missed: int) -> str:
    told = {
        "own": "their own frame",
        "detected": "the detector's crop",
        "camera": f"that crop with a camera's faults, each with a probability of {CORRUPTED:g}",
    }
    kept = f" (the detector finds no face in {count(missed, 'image')}, which keep their own frame)" if missed else ""
    return (
        "Calibration and grades were fitted on the validation images in equal parts as seen in "
        f"{', '.join(told[view] for view in views)}{kept}."
    )


def _scores(
    probabilities: NDArray[np.float64], validation: Dataset, grades: Grades, command: str, *, never: Sequence[str]
) -> tuple[Score, ...]:
    """Figures of the validation split, until something else is measured."""
    graded = grade_scores(probabilities, validation, threshold=grades.threshold, perhaps=grades.perhaps)
    sure = certain_figures(graded.sure.threshold, graded.sure.coverage, graded.sure.accuracy)
    figures = asdict(summary_scores(probabilities, validation.labels)) | sure | grade_figures(graded)
    counted = f", {', '.join(never)} never answered" if never else ""
    return tuple(
        Score(
            metric=metric,
            value=round(value, 4),
            data=validation.source,
            split="validation",
            protocol=f"{count(len(validation), 'sample')}, one view{counted}; the checkpoint was watched on them",
            command=command,
        )
        for metric, value in figures.items()
    )
