"""From a run to a model folder: ONNX, checked against torch, calibrated on the validation split."""

from __future__ import annotations

import io
import json
import logging
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.data.dataset import Dataset
from mien.errors import InputError, ModelError, UnknownName
from mien.models.artifact import Artifact, write_artifact
from mien.models.manifest import Manifest, Score
from mien.models.session import Session
from mien.train.fit import trained_network
from mien.train.recipe import Recipe, changed_recipe
from mien.train.scores import fitted_temperature, softmax, summary_scores
from mien.train.subjects import prepared

OPSET = 18
TOLERANCE = 1e-4
_DATA = {
    "fer2013": """FER2013 (Goodfellow et al. 2013), collected from the web for a research challenge: the rights in its
images are unresolved. Votes of FER+ (Barsoum et al. 2016): MIT. The labels are noisy: those of FER2013 agree with the
FER+ plurality on 64.5 % of PrivateTest.""",
    "images": """A data set of its user's own; its rights are theirs to state.""",
    "hands": """Landmarks found by the package's hand detector in sign-language pictures that were published for
research and study under various terms; few signers, whose pictures are near copies of one another.""",
}
_LIMITATIONS = {
    "fer2013": """Disgust and fear are read worst, and a sad face is often taken for a neutral one. Posed web pictures
are not everyday faces; small, turned, covered or dark faces are read less well.""",
    "images": """It knows what its data set showed: other people, places and light may be read less well.""",
    "hands": """A V whose other fingers are hard to see (small or blurred hands) is read worst. The gesture is read from
landmarks: where these are wrong, for example on hands seen edge-on or holding things, so is the answer. Gestures that
are none of the four may be taken for one of them: a thumb held up is often read as a punch.""",
}
_CHECK_BATCH = 128
_LATE_SETTINGS = ("input.margin", "input.lift", "input.level")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What may differ from the run's recipe, and what was found out since.

    Args:
        command: what the user typed, for the manifest.
        changes: settings of the recipe's `input.margin`, `input.lift`, `input.level` and `export`, as text.
        scores: figures measured elsewhere, on data the run has not seen; they take the place of the validation split's.
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
    al. 2017); the scores in the manifest are of that split too. The test split is not touched.

    Args:
        run: the run folder.
        folder: the model folder to write.
        dataset: the data of the run.
        options: what differs from the recipe.

    Raises:
        InputError: the folder holds no run.
        ModelError: ONNX Runtime and torch disagree by more than 1e-4.
        OutputError: the model folder cannot be written.
    """
    recipe, network = trained_network(run)
    recipe = changed_recipe(recipe, options.changes)
    spec = recipe.input_spec()
    validation = dataset.part("validation")
    model_bytes = to_onnx(network, prepared(validation.samples[:2], spec))
    manifest = recipe.manifest()
    logits, difference = _checked(network, model_bytes, manifest, validation.samples)
    temperature = recipe.export.temperature or fitted_temperature(logits, validation.labels)
    scores = summary_scores(softmax(logits / temperature), validation.labels)
    manifest = _with_scores(manifest, temperature, scores, validation, options.command)
    if options.scores:
        manifest = replace(manifest, scores=options.scores)
    card = _card(recipe, manifest, len(dataset.part("train")), difference)
    logger.info("temperature %.3f, torch and ONNX differ by %.1e", temperature, difference)
    return write_artifact(folder, model_bytes, manifest, card)


def read_scores(path: Path) -> tuple[Score, ...]:
    """Figures from a JSON list, as the project's benchmarks write it; raises InputError when it is none."""
    try:
        return tuple(Score(**entry) for entry in json.loads(path.read_text("utf-8")))
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, TypeError) as exc:
        raise InputError(f"{path} is no list of scores as the benchmarks write it: {exc}") from exc


def to_onnx(network: nn.Module, example: NDArray[np.float32]) -> bytes:
    """The network as ONNX with any number of items a batch.

    Args:
        network: in evaluation mode.
        example: (2, ...) float32 batch.
    """
    file = io.BytesIO()
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    with warnings.catch_warnings():
        # The exporter's own deprecation notes, and that torchvision is absent, are of no use to whoever trains.
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
    return file.getvalue()


def _checked(
    network: nn.Module, model_bytes: bytes, manifest: Manifest, samples: NDArray[Any]
) -> tuple[NDArray[np.float64], float]:
    """Logits of all samples by ONNX Runtime and the largest difference to torch's."""
    parts, difference = [], 0.0
    with tempfile.TemporaryDirectory() as scratch, torch.inference_mode():
        artifact = write_artifact(Path(scratch) / "model", model_bytes, manifest, "# not the card\n")
        with Session(artifact) as session:
            for start in range(0, len(samples), _CHECK_BATCH):
                batch = prepared(samples[start : start + _CHECK_BATCH], manifest.input)
                by_onnx = session.run(batch)[0].astype(np.float64)
                by_torch = network(torch.from_numpy(batch)).double().numpy()
                parts.append(by_onnx)
                difference = max(difference, float(np.abs(by_onnx - by_torch).max()))
    if not difference <= TOLERANCE:
        raise ModelError(
            f"ONNX Runtime and torch differ by {difference:.1e}, more than {TOLERANCE}; nothing was written."
        )
    return np.concatenate(parts), difference


def _with_scores(
    manifest: Manifest, temperature: float, scores: dict[str, float], validation: Dataset, command: str
) -> Manifest:
    return replace(
        manifest,
        temperature=round(temperature, 4),
        scores=tuple(
            Score(
                metric=metric,
                value=round(value, 4),
                data=validation.source,
                split="validation",
                protocol=f"{len(validation)} samples, one view; the checkpoint was watched on them",
                command=command,
            )
            for metric, value in scores.items()
        ),
    )


def _card(recipe: Recipe, manifest: Manifest, train_samples: int, difference: float) -> str:
    scores = "\n".join(f"| {s.metric} | {s.value:g} | {s.data}, {s.split}: {s.protocol} |" for s in manifest.scores)
    what = "facial expression" if recipe.task == "emotion" else "hand gesture"
    return f"""# {manifest.name}

## Model details
Reads the {what} of one crop as one of: {", ".join(manifest.label_set.labels if manifest.label_set else ())}.
Recipe `{recipe.name}` of mien ({recipe.source}); {manifest.origin}. Licence of the weights: {manifest.licence}.

## Intended use
Describing what an expression or gesture looks like, on the user's own machine, with the person's knowledge.

## Out of scope
Judging what somebody feels, thinks or intends; identity, age, gender, race, health; decisions about people; use at
work or in education where the law forbids it (in the EU: AI Act, Article 5(1)(f)).

## Data
{train_samples} training samples. {_DATA[recipe.data.kind]}

## Metrics
| metric | value | on |
|---|---|---|
{scores}

Torch and ONNX Runtime agree within {difference:.1e} on the validation split. Temperature {manifest.temperature:g}.

## Limitations
{_LIMITATIONS[recipe.data.kind]} No figures by age, gender or skin tone exist for this data.
"""
