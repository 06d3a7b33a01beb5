from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mien.evaluation.evaluated_model import onnx_parameters
from mien.models.artifact import zoo_artifact
from mien.recipes.recipe import load_recipe
from mien.train.networks.summary import recipe_counts

onnx = pytest.importorskip("onnx")


def model(nodes: list[Any], weights: dict[str, np.ndarray]) -> bytes:
    """A graph from a float input to `out`."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "made",
        [value("in", onnx.TensorProto.FLOAT, [1, 4])],
        [value("out", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return bytes(onnx.helper.make_model(graph).SerializeToString())


node: Callable[..., Any] = onnx.helper.make_node


def test_weights_count_whatever_their_precision_and_nothing_else() -> None:
    plain = model(
        [node("Gemm", ["in", "w", "b"], ["y"]), node("Reshape", ["y", "shape"], ["out"])],
        {"w": np.ones((4, 3), np.float32), "b": np.ones(3, np.float32), "shape": np.array([3])},
    )
    assert onnx_parameters(plain) == 15
    half = model(
        [node("Cast", ["w"], ["f"], to=onnx.TensorProto.FLOAT), node("MatMul", ["in", "f"], ["out"])],
        {"w": np.ones((4, 3), np.float16)},
    )
    assert onnx_parameters(half) == 12
    scale, zero = np.ones(3, np.float32), np.zeros(3, np.int8)
    eight = model(
        [node("DequantizeLinear", ["w", "scale", "zero"], ["f"], axis=1), node("MatMul", ["in", "f"], ["out"])],
        {"w": np.ones((4, 3), np.int8), "scale": scale, "zero": zero},
    )
    assert onnx_parameters(eight) == 12


def test_the_package_model_has_what_its_network_has() -> None:
    # Less the second head (256 x 10 + 10 at most) and three of the four numbers that each channel's batch norm has.
    total, _ = recipe_counts(load_recipe("emotion_soup"))
    count = onnx_parameters(zoo_artifact("emotion_residual").model_path.read_bytes())
    assert count is not None
    assert 0.99 * total < count < total


def test_without_onnx_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert onnx_parameters(b"") is None
