from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from mien.models.onnx_runtime import onnx_runtime
from mien.recipes.tables import WEIGHTS, MirrorKind, Weights
from mien.train.export.ensemble import mirrored
from mien.train.export.quantize import quantize, recalibrated, uncalibrated


def logits(model_bytes: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnx_runtime().InferenceSession(model_bytes)
    return np.asarray(session.run(None, {"input": inputs})[0])


def test_what_is_to_be_kept_stays_float32(model_and_inputs: tuple[bytes, NDArray[np.float32]]) -> None:
    model_bytes, inputs = model_and_inputs
    graph = onnx.load_from_string(model_bytes).graph
    kept = next(node.name for node in graph.node if node.op_type == "Conv")

    def floats(model: bytes) -> set[str]:
        """Convolutions whose weights are not rounded."""
        small = onnx.load_from_string(model).graph
        rounded = {name for node in small.node if node.op_type == "DequantizeLinear" for name in node.output}
        return {node.name for node in small.node if node.op_type == "Conv" and node.input[1] not in rounded}

    assert floats(quantize(model_bytes, "int8", calibration=inputs)) == set()
    assert floats(quantize(model_bytes, "int8", calibration=inputs, keep=(kept,), batch=5)) == {kept}


@pytest.mark.parametrize(("weights", "share", "error"), [("float16", 0.6, 0.01), ("int8", 0.45, 0.25)])
def test_smaller_and_nearly_the_same(
    model_and_inputs: tuple[bytes, NDArray[np.float32]], weights: Weights, share: float, error: float
) -> None:
    model_bytes, inputs = model_and_inputs
    small = quantize(model_bytes, weights, calibration=inputs)
    before, after = logits(model_bytes, inputs), logits(small, inputs)
    assert len(small) < share * len(model_bytes)
    assert after.dtype == np.float32
    assert np.sqrt(((after - before) ** 2).mean()) < error * before.std()
    assert not np.array_equal(before, after)


def test_float32_stays_as_it_is(model_and_inputs: tuple[bytes, NDArray[np.float32]]) -> None:
    model_bytes, inputs = model_and_inputs
    assert quantize(model_bytes, "float32", calibration=inputs) is model_bytes


@pytest.mark.parametrize("weights", WEIGHTS)
def test_any_number_of_items_still_fits(model_and_inputs: tuple[bytes, NDArray[np.float32]], weights: Weights) -> None:
    model_bytes, inputs = model_and_inputs
    small = quantize(model_bytes, weights, calibration=inputs)
    assert onnx.load(io.BytesIO(small)).graph.input[0].name == "input"
    assert logits(small, inputs[:1]).shape == (1, 7)
    assert np.allclose(logits(small, inputs[:5])[:1], logits(small, inputs[:1]), atol=1e-4)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("scale", [np.ones(7), np.linspace(0.5, 2, 7)])
@pytest.mark.parametrize("bias", [np.zeros(7), np.linspace(-1, 2, 7)])
def test_logits_are_scaled_then_biased(
    model_and_inputs: tuple[bytes, NDArray[np.float32]],
    weights: Weights,
    scale: NDArray[np.float64],
    bias: NDArray[np.float64],
) -> None:
    model_bytes, inputs = model_and_inputs
    plain = quantize(model_bytes, weights, calibration=inputs)
    moved = recalibrated(plain, scale, bias)
    np.testing.assert_allclose(logits(moved, inputs), logits(plain, inputs) * scale + bias, atol=1e-5, rtol=1e-5)
    assert onnx.load(io.BytesIO(moved)).graph.output[0].name == "logits"
    assert logits(moved, inputs[:1]).shape == (1, 7)
    if (scale == 1).all() and not bias.any():
        assert moved == plain


def test_nothing_in_the_file_names_this_machine(model_and_inputs: tuple[bytes, NDArray[np.float32]]) -> None:
    model_bytes, _ = model_and_inputs
    assert b"site-packages" not in model_bytes
    assert str(Path(__file__).parents[2]).encode() not in model_bytes


@pytest.mark.parametrize("average", ["none", "logits"])
def test_a_calibration_can_be_taken_out_again(
    model_and_inputs: tuple[bytes, NDArray[np.float32]], average: MirrorKind
) -> None:
    model_bytes, inputs = model_and_inputs
    plain = mirrored(quantize(model_bytes, "int8", calibration=inputs), average)
    for scale, bias in ((np.linspace(0.5, 2, 7), np.linspace(-1, 2, 7)), (np.ones(7), np.linspace(-1, 2, 7))):
        calibrated = recalibrated(plain, scale, bias)
        assert not np.allclose(logits(calibrated, inputs), logits(plain, inputs), atol=1e-2)
        bare_again = uncalibrated(calibrated)
        np.testing.assert_array_equal(logits(bare_again, inputs), logits(plain, inputs))
        assert len(bare_again) <= len(plain)
    assert uncalibrated(plain) == plain
