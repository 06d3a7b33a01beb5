from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from mien.train.networks.cnn3 import CNN3
from mien.train.networks.network import parameter_count

Activation = Literal["elu", "relu"]


@pytest.mark.parametrize(
    ("activation", "labels", "count"), [("elu", 6, (583_846, 582_822)), ("relu", 7, (583_911, 582_887))]
)
def test_as_many_parameters_as_published(activation: Activation, labels: int, count: tuple[int, int]) -> None:
    assert parameter_count(CNN3(labels=labels, activation=activation, dropout=0.2)) == count


@pytest.mark.parametrize(("activation", "layer"), [("elu", nn.ELU), ("relu", nn.ReLU)])
def test_every_hidden_layer_has_the_activation_before_its_batch_norm(
    activation: Activation, layer: type[nn.Module]
) -> None:
    modules = [
        m for m in CNN3(labels=7, activation=activation, dropout=0.5).modules() if not isinstance(m, nn.Sequential)
    ]
    weighty = [i for i, m in enumerate(modules) if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(weighty) == 8
    for i in weighty[:-1]:
        assert isinstance(modules[i + 1], layer)
        assert isinstance(modules[i + 2], nn.BatchNorm2d | nn.BatchNorm1d)


def test_three_blocks_end_in_dropout_and_the_dense_layer_in_one_half() -> None:
    drops = [m.p for m in CNN3(labels=6, activation="elu", dropout=0.2).modules() if isinstance(m, nn.Dropout)]
    assert drops == [0.2, 0.2, 0.2, 0.5]


def test_features_have_the_stated_shape() -> None:
    network = CNN3(labels=6, activation="relu", dropout=0.2).eval()
    assert network.features(torch.zeros(2, 1, 48, 48)).shape == (2, 128, 6, 6)
