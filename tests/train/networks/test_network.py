from __future__ import annotations

import pytest
import torch
from torch import nn

from mien.train.networks.network import BATCH_NORM, Network, he_normal_, parameter_count, start_as_keras


def test_statistics_of_batch_norms_count_and_do_not_learn() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    learning = (9 * 4 + 4) + 2 * 4 + (16 * 2 + 2)
    assert parameter_count(network) == (learning + 2 * 4, learning)
    network[0].requires_grad_(False)
    assert parameter_count(network) == (learning + 2 * 4, learning - 40)


def test_weights_used_twice_and_other_buffers_count_once_and_never() -> None:
    shared = nn.Linear(3, 3)
    network = nn.Sequential(shared, nn.ReLU(), shared)
    network.register_buffer("places", torch.arange(5))
    assert parameter_count(network) == (12, 12)


def test_he_normal_has_its_spread_and_is_cut() -> None:
    weight = torch.empty(256, 32, 3, 3)
    he_normal_(weight)
    wanted = (2 / (32 * 9)) ** 0.5
    assert float(weight.std()) == pytest.approx(wanted, rel=0.02)
    assert float(weight.mean()) == pytest.approx(0, abs=0.01 * wanted)
    cut = 2 * wanted / 0.8796
    assert 0.98 * cut < float(weight.abs().max()) <= 1.001 * cut


@pytest.mark.parametrize("hidden", ["glorot", "he_normal"])
def test_weights_start_as_in_keras(hidden: str) -> None:
    network = nn.Sequential(nn.Conv2d(16, 64, 3), nn.Flatten(), nn.Linear(64, 512), nn.Linear(512, 256, bias=False))
    start_as_keras(network, hidden=hidden)  # type: ignore[arg-type]
    for layer, fan_in, fan_out in ((network[0], 16 * 9, 64 * 9), (network[2], 64, 512), (network[3], 512, 256)):
        weight = layer.weight.detach()
        is_he = hidden == "he_normal" and layer is not network[3]
        glorot = (6 / (fan_in + fan_out)) ** 0.5
        assert float(weight.std()) == pytest.approx((2 / fan_in) ** 0.5 if is_he else glorot / 3**0.5, rel=0.05)
        assert is_he or 0.99 * glorot < float(weight.abs().max()) <= glorot
        assert layer.bias is None or not layer.bias.any()


def test_batch_norm_forgets_as_slowly_as_keras_does() -> None:
    norm = nn.BatchNorm1d(1, **BATCH_NORM)
    norm(torch.full((8, 1), 100.0))
    assert float(norm.running_mean) == pytest.approx(0.99 * 0 + 0.01 * 100)


def test_a_network_has_one_head_and_nothing_to_penalise_unless_it_says_so() -> None:
    class Halves(Network):
        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            return samples / 2

    logits, votes = Halves().heads(torch.ones(2, 3))
    assert logits.tolist() == [[0.5] * 3] * 2
    assert votes is None
    assert not list(Halves().regularised())
