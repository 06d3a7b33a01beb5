"""From a run to a model folder: ONNX, checked against torch, calibrated on the validation split."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.data.dataset import Dataset
from mien.data.provenance import Provenance, provenance_of
from mien.errors import ModelError, UnknownName
from mien.evaluation.calibration import Calibration, fitted_calibration
from mien.evaluation.evaluated_model import onnx_parameters, prepared
from mien.evaluation.grades import Grades, fitted_gain, fitted_grades
from mien.evaluation.manifest_scores import COVERAGE, certain_figures, grade_figures, measured_at
from mien.evaluation.measures import grade_scores
from mien.evaluation.metrics import summary_scores
from mien.models.artifact import Artifact, write_artifact
from mien.models.manifest import Manifest, Score, model_name
from mien.models.session import Session
from mien.recipes.recipe import Recipe, changed_recipe
from mien.recipes.tables import View
from mien.stages.baseline import NEUTRAL
from mien.train.card import CardFacts, card_text
from mien.train.quantize import bare, mirrored, quantize, recalibrated, uncalibrated
from mien.train.runs import trained_network
from mien.train.start import trained_on
from mien.train.views import CORRUPTED, a_moment_later, batches_of_views
from mien.wording import count

OPSET = 18
TOLERANCE = 1e-4
"""Largest allowed difference between ONNX Runtime and torch, as a share of the root mean square of the logits: computed
in another order, rounding errors grow with the size of the numbers.
"""
MOST_LOST = 0.003
"""Largest loss of accuracy that smaller weights may cause, as a share of the validation split."""

_CALIBRATION = 512  # training samples that set the scales of int8
_CHECK_BATCH = 128
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
    the one with its precision there; the scores in the manifest are from that split too. The test split is not used.
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
    recipe, network = trained_network(run)
    recipe = changed_recipe(recipe, options.changes)
    spec = recipe.input_spec()
    validation = dataset.part("validation")
    model_bytes = to_onnx(network, prepared(validation.samples[:2], spec))
    logits, difference = _checked(network, model_bytes, recipe.manifest(), validation.samples)
    logger.info("torch and ONNX differ by %.1e of the logits' size", difference)
    checks = [f"ONNX Runtime and torch agree within {difference:.1e} of the logits' size on the validation split."]
    if recipe.export.weights != "float32":
        model_bytes, check = _smaller(recipe, model_bytes, logits, dataset)
        checks.append(check)
    provenance, train_samples = trained_on(run, dataset)
    trained = _Trained(recipe, model_bytes, provenance, train_samples, tuple(checks))
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
    fed, meant = (replace(each.input, margin=0.0, lift=0.0, level=False) for each in (own, wanted))
    if fed != meant:
        raise ModelError(
            f"The model {own.name} is not fed as the recipe {recipe.name} says; name the recipe that made it."
        )
    checks = (f"Its weights are those of {own.title} (SHA-256 {own.sha256[:12]}).",)
    model_bytes = uncalibrated(artifact.model_path.read_bytes())
    train = dataset.part("train")
    trained = _Trained(recipe, model_bytes, provenance_of(train), len(train), checks)
    return _calibrated(trained, folder, dataset, options)


@dataclass(frozen=True, eq=False)
class _Trained:
    """A network before its calibration, and what its card says about it."""

    recipe: Recipe
    model_bytes: bytes
    provenance: Provenance
    train_samples: int
    checks: tuple[str, ...]


def _calibrated(trained: _Trained, folder: Path, dataset: Dataset, options: ExportOptions) -> Artifact:
    """Average the mirrored view, calibrate, grade and write a model."""
    recipe, checks = trained.recipe, list(trained.checks)
    export, validation = recipe.export, dataset.part("validation")
    manifest = replace(recipe.manifest(), name=export.name or model_name(folder) or recipe.name)
    model_bytes = mirrored(trained.model_bytes, export.mirror)
    if export.mirror != "none":
        checks.append(f"Each answer is the mean of the {export.mirror} for the picture and its mirror image.")
    batches, missed = batches_of_views(validation.samples, manifest.input, export.views)
    labels = np.tile(validation.labels, len(batches))
    shift = np.array(recipe.logit_shift())
    logits = _answers(model_bytes, manifest, batches) + shift
    if shift.any():
        checks.append(f"Added to the logits before calibration (Menon et al. 2021): {', '.join(export.shift)}.")
    calibration = fitted_calibration(logits, labels, export.calibration, temperature=export.temperature)
    model_bytes = recalibrated(model_bytes, calibration.scale, calibration.adjusted(shift))
    if export.calibration != "temperature":
        checks.append(_calibration_told(validation.label_set.labels, calibration))
    if len(batches) > 1:
        checks.append(_views_told(export.views, missed))
    probabilities = calibration.probabilities(logits)
    grades = fitted_grades(export, probabilities, validation)
    own = probabilities[: len(validation)]  # their own frame comes first
    gain = 1.0
    if manifest.task == "emotion" and NEUTRAL in validation.label_set:
        calm = validation.where(validation.labels == validation.label_set.index(NEUTRAL))
        pair = [prepared(samples, manifest.input) for samples in (calm.samples, a_moment_later(calm.samples))]
        before, after = np.split(_answers(model_bytes, manifest, pair) / calibration.temperature, 2)
        gain = fitted_gain(before, after, calm.label_set, grades.threshold)
    manifest = replace(
        manifest,
        temperature=round(calibration.temperature, 4),
        threshold=grades.threshold,
        perhaps=grades.perhaps,
        baseline_gain=gain,
        scores=options.scores or _scores(own, validation, grades, options.command),
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
    logger.info("temperature %.3f", calibration.temperature)
    return write_artifact(folder, model_bytes, manifest, card_text(manifest, facts))


def to_onnx(network: nn.Module, example: NDArray[np.float32]) -> bytes:
    """The network as ONNX with any batch size.

    Args:
        network: in evaluation mode.
        example: (2, ...) float32 batch.
    """
    file = io.BytesIO()
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    with warnings.catch_warnings():
        # The exporter's deprecation notes, and that torchvision is absent, are no use to the user.
        warnings.simplefilter("ignore")
        chatter.setLevel(logging.ERROR)
        torch.onnx.export(
            network,
            (torch.from_numpy(example),),
            file,  # type: ignore[arg-type]
            input_names=["input"],
            output_names=["logits"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
            external_data=False,
            verbose=False,
        )
    chatter.setLevel(level)
    return bare(file.getvalue())


def _checked(
    network: nn.Module, model_bytes: bytes, manifest: Manifest, samples: NDArray[Any]
) -> tuple[NDArray[np.float64], float]:
    """Logits of all samples from ONNX Runtime, and the largest difference from torch's, as a share of their size."""
    logits = _answers(model_bytes, manifest, [prepared(samples, manifest.input)])
    with torch.inference_mode():
        by_torch = np.concatenate(
            [
                network(torch.from_numpy(prepared(samples[start : start + _CHECK_BATCH], manifest.input))).double()
                for start in range(0, len(samples), _CHECK_BATCH)
            ]
        )
    difference = relative_difference(logits, by_torch)
    if not difference <= TOLERANCE:
        raise ModelError(
            f"ONNX Runtime and torch differ by {difference:.1e} of the size of the logits, more than {TOLERANCE}; "
            "nothing was written."
        )
    return logits, difference


def relative_difference(logits: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """The largest difference of logits from those of a reference, as a share of the reference's root mean square.

    Zero if both are zero; NaN if either contains NaN.
    """
    largest = float(np.abs(logits - reference).max())
    return largest and largest / float(np.sqrt(np.square(reference).mean()) or np.finfo(np.float64).tiny)


def _answers(model_bytes: bytes, manifest: Manifest, batches: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Logits from ONNX Runtime, as at run time, of one batch after the other."""
    with Session(Artifact(Path(manifest.name), manifest), weights=model_bytes) as session:
        return np.concatenate([session.run(batch)[0] for batch in batches]).astype(np.float64)


def _smaller(recipe: Recipe, model_bytes: bytes, logits: NDArray[np.float64], dataset: Dataset) -> tuple[bytes, str]:
    """The model with the recipe's smaller weights, and what they cost, in words."""
    validation, train = dataset.part("validation"), np.flatnonzero(dataset.split == "train")
    chosen = train[np.linspace(0, len(train) - 1, min(_CALIBRATION, len(train))).round().astype(int)]
    weights, manifest = recipe.export.weights, recipe.manifest()
    small = quantize(model_bytes, weights, calibration=prepared(dataset.samples[chosen], manifest.input))
    answers = _answers(small, manifest, [prepared(validation.samples, manifest.input)])
    before, after = (float((each.argmax(axis=1) == validation.labels).mean()) for each in (logits, answers))
    if before - after > MOST_LOST:
        raise ModelError(
            f"{weights} weights cost {100 * (before - after):.1f} points of accuracy on the validation split, more "
            f"than {100 * MOST_LOST:g}; set export.weights to " + ("float16" if weights == "int8" else "float32")
        )
    check = (
        f"Weights are {weights}: {len(small) / 1e6:.1f} MB instead of {len(model_bytes) / 1e6:.1f} MB, accuracy on the "
        f"validation split {after:.2%} instead of {before:.2%}."
    )
    logger.info("%s", check)
    return small, check


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


def _scores(probabilities: NDArray[np.float64], validation: Dataset, grades: Grades, command: str) -> tuple[Score, ...]:
    """Figures of the validation split, until something else is measured."""
    graded = grade_scores(probabilities, validation, threshold=grades.threshold, perhaps=grades.perhaps)
    sure = certain_figures(graded.sure.threshold, graded.sure.coverage, graded.sure.accuracy)
    figures = asdict(summary_scores(probabilities, validation.labels)) | sure | grade_figures(graded)
    return tuple(
        Score(
            metric=metric,
            value=round(value, 4),
            data=validation.source,
            split="validation",
            protocol=f"{count(len(validation), 'sample')}, one view; the checkpoint was watched on them",
            command=command,
        )
        for metric, value in figures.items()
    )
