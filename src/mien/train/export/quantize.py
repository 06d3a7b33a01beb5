"""Changes to model files: weights as float16, or weights and activations as int8; a scale and a bias on the logits."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.extras import needs
from mien.models.onnx_runtime import quantization
from mien.recipes.tables import Weights

_CALIBRATION = "_calibration_"
"""In the names of the numbers that calibrate the logits."""

_SMALLEST = 256
"""Smallest tensor for which float16 is worth an extra node; biases and scales keep float32."""


def quantize(
    model_bytes: bytes,
    weights: Weights,
    *,
    calibration: NDArray[np.float32],
    keep: Sequence[str] = (),
    batch: int = 32,
) -> bytes:
    """The same network with smaller weights.

    `float16` is only for storage: ONNX Runtime turns the weights back into float32 once, when it loads the model, and
    computes as before. `int8` also computes in eight bits (static quantisation, one scale per channel of the weights;
    Jacob et al. 2018) and takes a quarter of the space. Its weights use seven of the bits: with eight, sums overflow
    on x86-64 processors without VNNI, and answers would differ between machines.

    Args:
        model_bytes: an ONNX model with float32 weights.
        weights: what to store.
        calibration: (N, ...) float32 prepared inputs whose activations set the scales of `int8`; a few hundred.
        keep: names of nodes that `int8` leaves in float32.
        batch: how many inputs are computed at a time.

    Raises:
        MissingExtra: the package onnx is not installed.
    """
    if weights == "float32":
        return model_bytes
    return _half(model_bytes) if weights == "float16" else _quantised(model_bytes, calibration, keep, batch)


def bare(model_bytes: bytes) -> bytes:
    """The same ONNX model without its exporter's notes, which name source files of the machine it was made on."""
    onnx = onnx_package()
    model = onnx.load_from_string(model_bytes)
    graph = model.graph
    for noted in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        del noted.metadata_props[:]
        noted.doc_string = ""
    return bytes(model.SerializeToString())


def uncalibrated(model_bytes: bytes) -> bytes:
    """The same model without what `recalibrated` added; unchanged if it added nothing.

    Raises:
        MissingExtra: the package onnx is not installed.
    """
    onnx = onnx_package()
    model = onnx.load_from_string(model_bytes)
    graph = model.graph
    name = graph.output[0].name
    added = [node for node in graph.node if node.input[1:] and node.input[1].startswith(f"{name}{_CALIBRATION}")]
    if not added:
        return model_bytes
    plain, numbers = added[0].input[0], {node.input[1] for node in added}
    nodes = [node for node in graph.node if node not in added]
    for node in nodes:
        node.input[:] = [name if each == plain else each for each in node.input]
        node.output[:] = [name if each == plain else each for each in node.output]
    kept = [tensor for tensor in graph.initializer if tensor.name not in numbers]
    for field, values in ((graph.node, nodes), (graph.initializer, kept)):
        copies = [type(each).FromString(each.SerializeToString()) for each in values]
        del field[:]
        field.extend(copies)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def recalibrated(model_bytes: bytes, scale: NDArray[np.float64], bias: NDArray[np.float64]) -> bytes:
    """The same model with its logits times a scale, plus a bias.

    Args:
        model_bytes: an ONNX model with one output (B, L).
        scale: (L,) factor of each label's logit; nothing is multiplied if all are 1.
        bias: (L,) added after that; nothing is added if all are 0.

    Raises:
        MissingExtra: the package onnx is not installed.
    """
    steps = [
        (operator, told, values)
        for operator, told, values, neutral in (("Mul", "scale", scale, 1), ("Add", "bias", bias, 0))
        if (values != neutral).any()
    ]
    if not steps:
        return model_bytes
    onnx = onnx_package()
    model = onnx.load_from_string(model_bytes)
    graph = model.graph
    name = graph.output[0].name
    plain = f"{name}_plain"
    for node in graph.node:
        node.output[:] = [plain if each == name else each for each in node.output]
        node.input[:] = [plain if each == name else each for each in node.input]
    tensors = [plain, *[f"{name}_scaled"] * (len(steps) - 1), name]
    for (operator, told, values), (before, after) in zip(steps, pairwise(tensors), strict=True):
        number = f"{name}{_CALIBRATION}{told}"  # int8 files have tensors of their own named after the logits' scale
        graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float32), number))
        graph.node.append(onnx.helper.make_node(operator, [before, number], [after], name=f"{number}_node"))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _half(model_bytes: bytes) -> bytes:
    onnx = onnx_package()
    model = onnx.load_from_string(model_bytes)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        if values.size < _SMALLEST:
            continue
        name, half = tensor.name, f"{tensor.name}_float16"
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT, name=f"{name}_float32"))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _quantised(model_bytes: bytes, calibration: NDArray[np.float32], keep: Sequence[str], batch: int) -> bytes:
    onnx = onnx_package()
    tools = quantization()
    base: Any = tools.CalibrationDataReader
    name = onnx.load_from_string(model_bytes).graph.input[0].name

    class Batches(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[dict[str, Any]] = (
                {name: calibration[i : i + batch]} for i in range(0, len(calibration), batch)
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self.batches, None)

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # advice for other hardware
    try:
        with tempfile.TemporaryDirectory() as folder:
            plain, ready, small = (str(Path(folder) / file) for file in ("plain.onnx", "ready.onnx", "small.onnx"))
            Path(plain).write_bytes(model_bytes)
            tools.shape_inference.quant_pre_process(plain, ready, skip_symbolic_shape=True)
            tools.quantize_static(
                ready,
                small,
                Batches(),
                quant_format=tools.QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                nodes_to_exclude=list(keep),
            )
            return Path(small).read_bytes()
    finally:
        root.setLevel(level)


def onnx_package() -> Any:
    """The package onnx; raises MissingExtra where it is not installed."""
    with needs("train"):
        import onnx
        import onnx.compose
        import onnx.numpy_helper
    return onnx
