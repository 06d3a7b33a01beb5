from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mien.train.export.networks import to_onnx
from mien.train.networks import EfficientNetLite0, ResidualCNN

NETWORKS = {
    "residual": lambda: ResidualCNN(widths=(16, 32, 64)),
    "squeezed": lambda: ResidualCNN(widths=(8, 16, 32), squeeze=4),
    "lite0": lambda: EfficientNetLite0(labels=7, dropout=0.0, channels=1, enlarge=2, own_statistics=True),
}

ModelAndInputs = tuple[bytes, NDArray[np.float32]]


@pytest.fixture(scope="session")
def network_and_inputs() -> Callable[[str], ModelAndInputs]:
    """Gives a network of random weights as ONNX, each converted once, and (64, 1, 24, 24) inputs that suit it."""

    @cache
    def make(name: str) -> ModelAndInputs:
        torch.manual_seed(3)
        inputs = torch.randn(64, 1, 24, 24)
        network = NETWORKS[name]()
        network.train()
        with torch.no_grad():
            network(inputs)  # batch norms of random weights need statistics: else activations grow out of every scale
        return to_onnx(network.eval(), inputs[:2].numpy()), inputs.numpy()

    return make


@pytest.fixture(params=["residual", pytest.param("lite0", marks=pytest.mark.slow)])
def model_and_inputs(
    request: pytest.FixtureRequest, network_and_inputs: Callable[[str], ModelAndInputs]
) -> ModelAndInputs:
    return network_and_inputs(request.param)
