"""What can be evaluated: the network of a run, or a model folder; both take prepared samples and return logits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, ModelError, UnknownName
from mien.extras import needs
from mien.files.hashes import file_sha256
from mien.models.artifact import MANIFEST_FILE, MIRRORED, load_artifact, zoo_names
from mien.models.session import Session
from mien.pixels.preprocess import InputSpec, fit_crop, to_batch
from mien.recipes.saved import RECIPE_FILE, RunSummary, SavedRecipe
from mien.resource import Resource

Kind = Literal["run", "model", "predictions"]
Curves = list[dict[str, float]]

_CURVES_FILE = "curves/metrics.csv"
_BATCH = 256
_QUANTISING = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What the reader of a report must know about what answered.

    Args:
        kind: a run of `mien train`, a model folder, or answers made elsewhere.
        name: of the recipe, the model or the file.
        sha256: of the checkpoint, the weights or the file.
        bytes: its size.
        parameters: of the network; None if unknown.
        recipe: of a run, as it saved it.
        summary: of a finished run, as it saved it.
        curves: of a run, one entry per epoch.
    """

    kind: Kind
    name: str
    sha256: str
    bytes: int
    parameters: int | None = None
    recipe: SavedRecipe | None = None
    summary: RunSummary | None = None
    curves: Curves = field(default_factory=list)


class EvaluatedModel(Resource):
    """A network ready to evaluate.

    Args:
        about: what it is.
        labels: names of its outputs, in their order.
        left_out: those of them that it never answers with.
        spec: how samples are prepared.
        threshold: confidence below which its answer is uncertain.
        perhaps: confidence from which an uncertain answer is perhaps right; None if there is no such grade.
        temperature: as fitted by its maker; None leaves that to the caller.
        forward: logits (N, L) for a prepared batch (N, ...) float32.
        close: frees the network.
        averages_mirror: whether the network averages the mirrored view of each picture itself.
    """

    def __init__(
        self,
        about: ModelInfo,
        *,
        labels: tuple[str, ...],
        spec: InputSpec,
        threshold: float,
        temperature: float | None,
        forward: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        close: Callable[[], None] = lambda: None,
        perhaps: float | None = None,
        averages_mirror: bool = False,
        left_out: tuple[str, ...] = (),
    ) -> None:
        self.about, self.labels, self.left_out, self.spec = about, labels, left_out, spec
        self.threshold, self.perhaps, self.temperature = threshold, perhaps, temperature
        self.averages_mirror = averages_mirror
        self._forward, self._close = forward, close

    def logits(self, samples: NDArray[Any], *, on_step: Callable[[int], None] | None = None) -> NDArray[np.float64]:
        """(N, L) logits of all its outputs, those left out of its answers too, computed part by part.

        Args:
            samples: (N, H, W[, 3]) uint8 images of any size, grey or RGB; or (N, 21, 3) float32 landmarks.
            on_step: called with the number of samples done since the last call.

        Raises:
            ModelError: the samples have another form, or the network gives non-finite numbers.
        """
        parts = []
        for start in range(0, len(samples), _BATCH):
            part = samples[start : start + _BATCH]
            try:
                batch = prepared(part, self.spec)
            except ValueError as exc:
                raise ModelError(f"{self.about.name} cannot take these samples: {exc}") from exc
            logits = np.asarray(self._forward(batch), np.float64)
            if logits.shape != (len(part), len(self.labels)) or not np.isfinite(logits).all():
                raise ModelError(
                    f"{self.about.name} gave {logits.shape} instead of {(len(part), len(self.labels))} finite logits"
                )
            parts.append(logits)
            if on_step is not None:
                on_step(len(part))
        return np.concatenate(parts)

    def close(self) -> None:
        """Free the network."""
        self._close()


def kind_of(name_or_path: str) -> Kind:
    """Whether this is a run folder, a model (folder or name) or a CSV; raises UnknownName or InputError if none."""
    path = Path(name_or_path)
    if name_or_path in zoo_names() or (path / MANIFEST_FILE).is_file():
        return "model"
    if (path / RECIPE_FILE).is_file():
        return "run"
    if path.is_file() and path.suffix.lower() == ".csv":
        return "predictions"
    if path.exists() or len(path.parts) > 1 or path.suffix:
        raise InputError(
            f"{path} is neither a run folder of `mien train` ({RECIPE_FILE}), nor a model folder ({MANIFEST_FILE}), "
            "nor a CSV of predictions"
        )
    raise UnknownName("run folder, CSV or model", name_or_path, zoo_names())


def open_model(folder_or_name: str) -> EvaluatedModel:
    """A model folder or a model in the package; raises as `load_artifact`, and ModelError if it is not a classifier."""
    artifact = load_artifact(folder_or_name)
    manifest = artifact.manifest
    if manifest.label_set is None:
        raise ModelError(
            f"The model {manifest.name} is made for {manifest.task}; it does not name expressions or gestures"
        )
    session = Session(artifact)
    model_bytes = artifact.model_path.read_bytes()
    about = ModelInfo(
        kind="model",
        name=manifest.name,
        sha256=manifest.sha256,
        bytes=len(model_bytes),
        parameters=onnx_parameters(model_bytes),
    )
    return EvaluatedModel(
        about,
        labels=manifest.label_set.labels,
        left_out=manifest.left_out,
        spec=manifest.input,
        threshold=manifest.threshold,
        temperature=manifest.temperature,
        forward=lambda batch: session.run(batch)[0],
        close=session.close,
        perhaps=manifest.perhaps,
        averages_mirror=MIRRORED.encode() in model_bytes,
    )


def about_file(path: Path) -> ModelInfo:
    """A CSV of predictions."""
    return ModelInfo(kind="predictions", name=path.name, sha256=file_sha256(path), bytes=path.stat().st_size)


def read_curves(run: Path) -> Curves:
    """What a run logged, one entry per epoch: `epoch` from 1, and the logged figures under their names.

    Returns:
        The entries; an empty list if nothing was logged yet.

    Raises:
        InputError: the log is damaged.
    """
    path = run / _CURVES_FILE
    if not path.is_file():
        return []
    with needs("data"):
        import pandas as pd

    def damaged(fault: object) -> InputError:
        return InputError(f"{path} is damaged: {fault}; train again into another folder")

    try:
        logged = pd.read_csv(path)
    except (OSError, ValueError) as exc:
        raise damaged(exc) from exc
    if "epoch" not in logged:
        raise damaged("it has no column epoch")
    words = [str(name) for name in logged if logged[name].dtype.kind not in "iuf"]
    if words:
        raise damaged(
            f"its columns must hold numbers, but {', '.join(words)} {'does' if len(words) == 1 else 'do'} not"
        )
    if not np.isfinite(logged["epoch"].dropna()).all():
        raise damaged("its epochs must be finite")
    # Lightning writes a row for training and one for validation: the last figure of each kind counts.
    figures = logged.groupby("epoch").last().drop(columns="step", errors="ignore")
    return [
        {"epoch": int(epoch) + 1, **{str(name): float(v) for name, v in row.items() if np.isfinite(v)}}
        for epoch, row in zip(figures.index.tolist(), figures.to_dict("records"), strict=True)
    ]


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file; empty if there is no file, InputError if it is damaged."""
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as exc:
        raise InputError(f"{path} is damaged: {exc}; make it again") from exc
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold an object, got {type(data).__name__}; make it again")
    return data


def prepared(samples: NDArray[Any], spec: InputSpec) -> NDArray[np.float32]:
    """Samples of a data set in the form a network takes, with its size and colour, as at run time.

    Raises:
        ValueError: landmarks for a network that takes images, or the other way round, or another form of them.
    """
    if spec.kind == "landmarks":
        if samples.shape[1:] != spec.size_hw:
            raise ValueError(f"landmarks must be {spec.size_hw}, got samples of {samples.shape[1:]}")
        return samples.astype(np.float32)
    if samples.dtype != np.uint8:
        raise ValueError(f"images must be uint8, got samples of {samples.dtype}")
    if spec.colour == "rgb" and samples.ndim == 3:
        samples = np.repeat(samples[..., None], 3, axis=3)
    if samples.shape[1:3] != spec.size_hw or samples.ndim != (3 if spec.colour == "grey" else 4):
        form = replace(spec, colour="rgb", mean=(0.0,), std=(1.0,)) if samples.ndim == 3 else spec  # already grey
        samples = np.stack([fit_crop(sample, form) for sample in samples])
    return to_batch(samples, spec)


def onnx_parameters(model_bytes: bytes) -> int | None:
    """Number of weights of an ONNX model, whatever their precision, without what quantising adds.

    Batch norms that the export folded into other layers count once. None if onnx, which comes with mien[train], is not
    installed.
    """
    try:
        import onnx
    except ImportError:  # the figure is for readers only
        return None
    graph = onnx.load_from_string(model_bytes).graph
    # Scales and zero points come after the first input; shapes and axes are 64-bit integers.
    added = {name for node in graph.node if node.op_type in _QUANTISING for name in node.input[1:]}
    weights = [w for w in graph.initializer if w.name not in added and w.data_type != onnx.TensorProto.INT64]
    return sum(int(np.prod(w.dims)) for w in weights)
