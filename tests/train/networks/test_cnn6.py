from __future__ import annotations

import torch
from torch import nn

from mien.train.networks.cnn6 import CNN6
from mien.train.networks.network import parameter_count


def test_as_many_parameters_as_published() -> None:
    assert parameter_count(CNN6(labels=7, dropout=0.25)) == (5_810_183, 5_805_191)


def test_one_kernel_is_five_wide_and_none_changes_the_size() -> None:
    network = CNN6(labels=7, dropout=0.25).eval()
    convs = [m for m in network.features if isinstance(m, nn.Conv2d)]
    assert [(conv.out_channels, conv.kernel_size[0]) for conv in convs] == [
        (32, 3),
        (64, 3),
        (128, 5),
        (512, 3),
        (512, 3),
        (512, 3),
    ]
    assert all(conv.padding[0] == conv.kernel_size[0] // 2 for conv in convs)
    assert network.features(torch.zeros(2, 1, 48, 48)).shape == (2, 512, 1, 1)


def test_the_loss_may_penalise_the_three_wide_convolutions() -> None:
    network = CNN6(labels=7, dropout=0.25)
    shapes = [tuple(weight.shape) for weight in network.regularised()]
    assert shapes == [(512, 128, 3, 3), (512, 512, 3, 3), (512, 512, 3, 3)]
    sum(weight.square().sum() for weight in network.regularised()).backward()  # type: ignore[union-attr]
    assert sum(p.grad is not None for p in network.parameters()) == 3
