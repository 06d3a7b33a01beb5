from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.models.onnx_runtime import onnx_runtime
from mien.recipes.tables import WEIGHTS, MirrorKind, Weights
from mien.stages.classify import softmax
from mien.train.export.ensemble import averaged, joined, kind_of_mirror, mirrored, unmirrored
from mien.train.export.networks import to_onnx
from mien.train.export.quantize import quantize, recalibrated, uncalibrated
from mien.train.networks import ResidualCNN


@pytest.fixture(scope="module")
def pair(network_and_inputs: Callable[[str], tuple[bytes, NDArray[np.float32]]]) -> tuple[bytes, bytes]:
    """Two networks of different forms, one with int8 weights."""
    (first, inputs), (second, _) = (network_and_inputs(name) for name in ("residual", "squeezed"))
    return quantize(first, "int8", calibration=inputs), second


def logits(model_bytes: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnx_runtime().InferenceSession(model_bytes)
    return np.asarray(session.run(None, {"input": inputs})[0])


def turned(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(inputs[..., ::-1])


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_the_mirrored_model_gives_the_mean_of_both_views(
    model_and_inputs: tuple[bytes, NDArray[np.float32]], weights: Weights, average: MirrorKind
) -> None:
    model_bytes, inputs = model_and_inputs
    plain = quantize(model_bytes, weights, calibration=inputs)
    both = mirrored(plain, average)
    seen, other = logits(plain, inputs), logits(plain, turned(inputs))
    if np.ptp(seen, axis=0).max() > 0.01:  # random weights may make a network that answers everything alike
        assert not np.allclose(seen, other, atol=1e-3), "the views differ"
    found = logits(both, inputs)
    if average == "logits":
        np.testing.assert_allclose(found, (seen + other) / 2, atol=2e-5)
    else:
        mean = (softmax(seen) + softmax(other)) / 2
        np.testing.assert_allclose(np.exp(found), mean, atol=2e-6)
    np.testing.assert_allclose(logits(both, turned(inputs)), found, atol=2e-5)
    np.testing.assert_allclose(logits(both, inputs[3:4]), found[3:4], atol=1e-4)
    assert len(both) < len(plain) + 4000, "the weights are in the file once"


def test_mirroring_twice_or_not_at_all_changes_nothing(model_and_inputs: tuple[bytes, NDArray[np.float32]]) -> None:
    model_bytes, _ = model_and_inputs
    assert mirrored(model_bytes, "none") == model_bytes
    for average, other in (("logits", "probabilities"), ("probabilities", "none")):
        both = mirrored(model_bytes, average)  # type: ignore[arg-type]
        assert mirrored(both, average) == both  # type: ignore[arg-type]
        with pytest.raises(ModelError, match=f"averages the {average} of the mirrored view already"):
            mirrored(both, other)  # type: ignore[arg-type]


def test_landmarks_have_no_mirrored_view() -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(63, 5))
    model_bytes = to_onnx(network.eval(), np.zeros((2, 21, 3), np.float32))
    with pytest.raises(ModelError, match="needs a network that takes any number of pictures"):
        mirrored(model_bytes, "logits")


@pytest.mark.parametrize("average", ["none", "logits", "probabilities"])
def test_the_mirrored_view_can_be_taken_out_again(
    model_and_inputs: tuple[bytes, NDArray[np.float32]], average: MirrorKind
) -> None:
    model_bytes, inputs = model_and_inputs
    plain = quantize(model_bytes, "int8", calibration=inputs)
    both = mirrored(plain, average)
    assert kind_of_mirror(both) == average
    again = unmirrored(both)
    assert kind_of_mirror(again) == "none"
    np.testing.assert_array_equal(logits(again, inputs), logits(plain, inputs))
    assert len(again) <= len(plain)
    other: MirrorKind = "logits" if average == "probabilities" else "probabilities"
    np.testing.assert_allclose(logits(mirrored(again, other), inputs), logits(mirrored(plain, other), inputs))


def test_networks_are_averaged_in_one_file(pair: tuple[bytes, bytes]) -> None:
    inputs = np.random.default_rng(1).normal(size=(9, 1, 24, 24)).astype(np.float32)
    seen = [logits(each, inputs) for each in pair]
    assert not np.allclose(*seen, atol=0.01)
    np.testing.assert_allclose(logits(joined(pair), inputs), np.mean(seen, axis=0), atol=2e-5)
    three = joined((*pair, pair[0]))
    np.testing.assert_allclose(logits(three, inputs), (2 * seen[0] + seen[1]) / 3, atol=2e-5)
    both = averaged(pair, "logits")
    np.testing.assert_allclose(
        logits(both, inputs), np.mean([*seen, *(logits(each, turned(inputs)) for each in pair)], axis=0), atol=2e-5
    )
    assert len(both) < sum(len(each) for each in pair) + 40_000


def test_networks_see_the_two_views_in_turn(pair: tuple[bytes, bytes]) -> None:
    inputs = np.random.default_rng(1).normal(size=(5, 1, 24, 24)).astype(np.float32)
    crossed = averaged((*pair, pair[1]), "turns")
    expected = (logits(pair[0], inputs) + logits(pair[1], turned(inputs)) + logits(pair[1], inputs)) / 3
    np.testing.assert_allclose(logits(crossed, inputs), expected, atol=2e-5)
    assert not np.allclose(logits(joined((*pair, pair[1])), inputs), expected, atol=1e-3)
    np.testing.assert_allclose(logits(crossed, inputs[2:3]), expected[2:3], atol=1e-4)
    assert kind_of_mirror(crossed) == "turns"
    assert averaged([crossed], "turns") == crossed
    scaled = recalibrated(crossed, np.linspace(0.5, 2, 7), np.linspace(-1, 2, 7))
    np.testing.assert_array_equal(logits(uncalibrated(scaled), inputs), logits(crossed, inputs))


def test_networks_that_averaged_their_own_views_are_taken_without_them(pair: tuple[bytes, bytes]) -> None:
    inputs = np.random.default_rng(1).normal(size=(5, 1, 24, 24)).astype(np.float32)
    before = [mirrored(pair[0], "probabilities"), pair[1]]
    np.testing.assert_array_equal(logits(averaged(before, "turns"), inputs), logits(averaged(pair, "turns"), inputs))


def test_what_cannot_be_averaged_is_refused(pair: tuple[bytes, bytes]) -> None:
    crossed = averaged(pair, "turns")
    with pytest.raises(ModelError, match=r"name others in export\.partners"):
        averaged(pair[:1], "turns")
    with pytest.raises(ModelError, match="in turn already"):
        mirrored(crossed, "logits")
    with pytest.raises(ModelError, match="cannot be separated again"):
        averaged((crossed, pair[0]), "logits")
    torch.manual_seed(0)
    others = {
        "another size": ResidualCNN(widths=(16, 32, 64)),
        "other labels": ResidualCNN(widths=(16, 32, 64), labels=8),
    }
    for name, side in (("another size", 32), ("other labels", 24)):
        other = to_onnx(others[name].eval(), np.zeros((2, 1, side, side), np.float32))
        with pytest.raises(ModelError, match="where inputs, labels"):
            joined((pair[0], other))
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(63, 5))
    landmarks = to_onnx(flat.eval(), np.zeros((2, 21, 3), np.float32))
    with pytest.raises(ModelError, match="needs a network that takes any number of pictures"):
        joined((landmarks, landmarks), turns=True)
    assert joined((landmarks, landmarks))
