"""Networks as ONNX: those of runs, checked against torch and made smaller, and those of model folders."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.data.dataset import Dataset
from mien.errors import ModelError
from mien.evaluation.evaluated_model import prepared
from mien.models.artifact import Artifact, load_artifact
from mien.models.manifest import Manifest
from mien.models.session import Session
from mien.pixels.preprocess import InputSpec
from mien.recipes.chain import run_of
from mien.recipes.recipe import Recipe, changed_recipe
from mien.recipes.saved import RECIPE_FILE
from mien.train.export.ensemble import unmirrored
from mien.train.export.quantize import bare, quantize, uncalibrated
from mien.train.runs import run_recipe, trained_network
from mien.words import again, kept, say

OPSET = 18
TOLERANCE = 1e-4
"""Largest allowed difference between ONNX Runtime and torch, as a share of the root mean square of the logits: computed
in another order, rounding errors grow with the size of the numbers.
"""
MOST_LOST = 0.003
"""Largest loss of accuracy that smaller weights may cause, as a share of the validation split."""

_CALIBRATION = 512  # training samples that set the scales of int8
_CHECK_BATCH = 128

logger = logging.getLogger(__name__)


def network_of(run: Path, recipe: Recipe, dataset: Dataset) -> tuple[bytes, list[str]]:
    """The network of a run as ONNX with the weights that a recipe wants, and what was checked, in words."""
    _, network = trained_network(run)
    validation = dataset.part("validation")
    model_bytes = to_onnx(network, prepared(validation.samples[:2], recipe.input_spec()))
    logits, difference = _checked(network, model_bytes, recipe.manifest(), validation.samples)
    logger.info("%s", say("train.agreement", difference=difference))
    checks = [kept("kept.agreement", difference=difference)]
    if recipe.export.weights != "float32":
        model_bytes, check = _smaller(recipe, model_bytes, logits, dataset)
        checks.append(check)
    return model_bytes, checks


def partner_of(reference: str, run: Path, recipe: Recipe, dataset: Dataset) -> tuple[bytes, list[str]]:
    """A network to be averaged with that of a run: another run's, or a model's; and what was checked, in words."""
    place = run_of(reference, recipe, run.parent)
    if (Path(place) / RECIPE_FILE).is_file():
        other = changed_recipe(run_recipe(Path(place)), {"export.weights": json.dumps(recipe.export.weights)})
        _check_partner(place, other.manifest(), recipe)
        model_bytes, checks = network_of(Path(place), other, dataset)
        told = f"Averaged with the network of the recipe {other.name}."
    else:
        artifact = load_artifact(place)
        _check_partner(place, artifact.manifest, recipe)
        model_bytes, checks = unmirrored(uncalibrated(artifact.model_path.read_bytes())), []
        told = f"Averaged with the network of {artifact.manifest.title} (SHA-256 {artifact.manifest.sha256[:12]})."
    return model_bytes, [told, *checks]


def _check_partner(place: str, other: Manifest, recipe: Recipe) -> None:
    own = recipe.manifest()
    if (other.task, other.labels) != (own.task, own.labels):
        raise ModelError(
            f"{place} answers with the labels {other.labels}, the recipe {recipe.name} with {own.labels}; only "
            "networks with the same labels can be averaged."
        )
    if fed_with(other) != fed_with(own):
        raise ModelError(
            f"{place} is not fed as the recipe {recipe.name} says; only networks that are can be averaged."
        )


def fed_with(manifest: Manifest) -> InputSpec:
    """What a network is fed, without how faces are framed."""
    return replace(manifest.input, margin=0.0, lift=0.0, level=False)


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
    logits = answers_of(model_bytes, manifest, [prepared(samples, manifest.input)])
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


def answers_of(model_bytes: bytes, manifest: Manifest, batches: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Logits from ONNX Runtime, as at run time, of one batch after the other."""
    with Session(Artifact(Path(manifest.name), manifest), weights=model_bytes) as session:
        return np.concatenate([session.run(batch)[0] for batch in batches]).astype(np.float64)


def _smaller(recipe: Recipe, model_bytes: bytes, logits: NDArray[np.float64], dataset: Dataset) -> tuple[bytes, str]:
    """The model with the recipe's smaller weights, and what they cost, in words."""
    validation, train = dataset.part("validation"), np.flatnonzero(dataset.split == "train")
    chosen = train[np.linspace(0, len(train) - 1, min(_CALIBRATION, len(train))).round().astype(int)]
    weights, manifest = recipe.export.weights, recipe.manifest()
    small = quantize(model_bytes, weights, calibration=prepared(dataset.samples[chosen], manifest.input))
    answers = answers_of(small, manifest, [prepared(validation.samples, manifest.input)])
    before, after = (float((each.argmax(axis=1) == validation.labels).mean()) for each in (logits, answers))
    if before - after > MOST_LOST:
        raise ModelError(
            f"{weights} weights cost {100 * (before - after):.1f} points of accuracy on the validation split, more "
            f"than {100 * MOST_LOST:g}; set export.weights to " + ("float16" if weights == "int8" else "float32")
        )
    sizes = {"small": len(small) / 1e6, "whole": len(model_bytes) / 1e6}
    check = kept("kept.weights", weights=weights, **sizes, after=after, before=before)
    logger.info("%s", again(check))
    return small, check
