from __future__ import annotations

import pytest
import torch
from torch import nn

from mien.train.networks.network import parameter_count
from mien.train.networks.step_cnn import StepCNN


@pytest.mark.parametrize(("tuned", "count"), [(False, (1_914_951, 1_914_951)), (True, (2_041_927, 2_040_903))])
def test_as_many_parameters_as_the_recipe_states(tuned: bool, count: tuple[int, int]) -> None:
    assert parameter_count(StepCNN(labels=7, tuned=tuned)) == count


@pytest.mark.parametrize("tuned", [False, True])
def test_nothing_is_padded(tuned: bool) -> None:
    network = StepCNN(labels=7, tuned=tuned).eval()
    assert network.features(torch.zeros(2, 1, 48, 48)).shape == (2, 128, 2, 2)
    assert all(conv.padding == (0, 0) for conv in network.features if isinstance(conv, nn.Conv2d))


def test_the_tuned_model_adds_norms_and_a_penalised_layer() -> None:
    base, tuned = StepCNN(labels=7, tuned=False), StepCNN(labels=7, tuned=True)
    assert [sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) for network in (base, tuned)] == [0, 6]
    assert not list(base.regularised())
    assert [tuple(weight.shape) for weight in tuned.regularised()] == [(128, 1024)]
