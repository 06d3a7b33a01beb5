"""From a run to a model folder: ONNX, checked against torch, calibrated on the validation split."""

from __future__ import annotations

import io
import logging
import re
import unicodedata
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.data.dataset import Dataset
from mien.errors import ModelError, UnknownName
from mien.evaluation.calibration import Calibration, fitted_calibration
from mien.evaluation.evaluated_model import onnx_parameters, prepared
from mien.evaluation.manifest_scores import COVERAGE, certain_figures, measured_at
from mien.evaluation.measures import percent
from mien.evaluation.metrics import precise_threshold, risk_coverage, summary_scores
from mien.models.artifact import Artifact, write_artifact
from mien.models.manifest import NAME, Manifest, Score
from mien.models.session import Session
from mien.recipes.recipe import Recipe, changed_recipe
from mien.recipes.tables import ExportRecipe
from mien.train.card import CardFacts, card_text
from mien.train.quantize import bare, quantize, recalibrated
from mien.train.runs import trained_network
from mien.train.start import trained_on
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
    manifest = replace(recipe.manifest(), name=recipe.export.name or _name(folder) or recipe.name)
    logits, difference = _checked(network, model_bytes, manifest, validation.samples)
    checks = [f"ONNX Runtime and torch agree within {difference:.1e} of the logits' size on the validation split."]
    if recipe.export.weights != "float32":
        model_bytes, logits, check = _smaller(recipe, model_bytes, logits, dataset)
        checks.append(check)
    calibration = fitted_calibration(
        logits, validation.labels, recipe.export.calibration, temperature=recipe.export.temperature
    )
    temperature = calibration.temperature
    model_bytes = recalibrated(model_bytes, calibration.scale, calibration.offset)
    if recipe.export.calibration != "temperature":
        checks.append(_calibration_told(validation.label_set.labels, calibration))
    probabilities = calibration.probabilities(logits)
    threshold, chosen = _threshold(recipe.export, probabilities, validation.labels)
    manifest = replace(manifest, temperature=round(temperature, 4), threshold=threshold)
    scores = options.scores or _scores(probabilities, validation, threshold, options.command)
    manifest = replace(manifest, scores=scores)
    if any(score.metric.startswith(COVERAGE) for score in scores) and not measured_at(scores, threshold):
        logger.warning("the given scores were measured at a threshold other than %g; measure again", threshold)
    provenance, train_samples = trained_on(run, dataset)
    facts = CardFacts(
        recipe=recipe,
        provenance=provenance,
        parameters=onnx_parameters(model_bytes),
        bytes=len(model_bytes),
        train_samples=train_samples,
        checks=tuple(checks),
        threshold=chosen,
    )
    card = card_text(manifest, facts)
    logger.info("temperature %.3f, torch and ONNX differ by %.1e of the logits' size", temperature, difference)
    return write_artifact(folder, model_bytes, manifest, card)


def _name(folder: Path) -> str:
    """The name of a folder as a model name: lower case, without accents and other characters; may be empty."""
    letters = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9_.-]+", "_", letters.strip()).strip("_.-")
    return name if NAME.fullmatch(name) else ""


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
    logits = _answers(model_bytes, manifest, samples)
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


def _answers(model_bytes: bytes, manifest: Manifest, samples: NDArray[Any]) -> NDArray[np.float64]:
    """Logits from ONNX Runtime, as at run time."""
    with Session(Artifact(Path(manifest.name), manifest), weights=model_bytes) as session:
        parts = [
            session.run(prepared(samples[start : start + _CHECK_BATCH], manifest.input))[0]
            for start in range(0, len(samples), _CHECK_BATCH)
        ]
    return np.concatenate(parts).astype(np.float64)


def _smaller(
    recipe: Recipe, model_bytes: bytes, logits: NDArray[np.float64], dataset: Dataset
) -> tuple[bytes, NDArray[np.float64], str]:
    """The model with the recipe's smaller weights, its logits for the validation split, and their cost in words."""
    validation, train = dataset.part("validation"), np.flatnonzero(dataset.split == "train")
    chosen = train[np.linspace(0, len(train) - 1, min(_CALIBRATION, len(train))).round().astype(int)]
    weights, manifest = recipe.export.weights, recipe.manifest()
    small = quantize(model_bytes, weights, calibration=prepared(dataset.samples[chosen], manifest.input))
    answers = _answers(small, manifest, validation.samples)
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
    return small, answers, check


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


def _threshold(
    export: ExportRecipe, probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> tuple[float, str]:
    """The threshold, and if the validation split chose it, how, in words."""
    if not export.precision:
        return export.threshold, ""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    threshold = precise_threshold(confidence, right, precision=export.precision, certainty=export.certainty)
    if threshold is None:
        raise ModelError(
            f"No confidence makes answers right in {percent(export.precision)} of cases on the validation split "
            f"({count(len(labels), 'sample')}); lower export.precision, or set it to 0 to use export.threshold"
        )
    coverage, accuracy = risk_coverage(confidence, right).at(threshold)
    return threshold, (
        f"An answer with a confidence below {threshold:g} is uncertain: above it at least "
        f"{percent(export.precision)} of the answers to the {count(len(labels), 'validation sample')} are right with "
        f"{percent(export.certainty)} certainty (exact binomial bound). {percent(coverage)} of their answers are not "
        f"uncertain, and {percent(accuracy or 0.0)} of these are right."
    )


def _scores(
    probabilities: NDArray[np.float64], validation: Dataset, threshold: float, command: str
) -> tuple[Score, ...]:
    """Figures of the validation split, until something else is measured."""
    labels = validation.labels
    coverage, accuracy = risk_coverage(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels).at(threshold)
    figures = asdict(summary_scores(probabilities, labels)) | certain_figures(threshold, coverage, accuracy)
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
