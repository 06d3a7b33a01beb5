from __future__ import annotations

import torch

from mien.train.networks.cnn5 import CNN5
from mien.train.networks.network import parameter_count


def test_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        assert parameter_count(CNN5(labels=6)) == (55_734_150, 55_734_150)


def test_features_have_the_stated_shape() -> None:
    with torch.device("meta"):
        assert CNN5(labels=6).features(torch.zeros(2, 1, 32, 32)).shape == (2, 256, 7, 7)
