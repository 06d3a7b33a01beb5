from __future__ import annotations

import pytest
import torch

from mien.train.networks.residual_cnn import ResidualCNN


@pytest.mark.parametrize("side", [32, 40, 48, 64])
@pytest.mark.parametrize(("channels", "labels"), [(1, 7), (3, 8)])
def test_logits_for_any_side_and_colour(side: int, channels: int, labels: int) -> None:
    network = ResidualCNN(channels=channels, labels=labels, widths=(4, 8, 8, 16)).eval()
    assert network(torch.randn(2, channels, side, side)).shape == (2, labels)


def test_the_votes_head_is_there_only_when_asked_for() -> None:
    images = torch.randn(2, 1, 32, 32)
    plain, voting = ResidualCNN(widths=(4, 8)).eval(), ResidualCNN(widths=(4, 8), votes=True).eval()
    assert plain.heads(images)[1] is None
    logits, votes = voting.heads(images)
    assert votes is not None
    assert votes.shape == logits.shape == (2, 7)
    # What is exported is the label head alone.
    torch.testing.assert_close(voting(images), logits)
    assert not torch.allclose(votes, logits)


def test_an_image_does_not_see_the_rest_of_its_batch() -> None:
    network = ResidualCNN(widths=(4, 8, 8)).eval()
    images = torch.randn(4, 1, 24, 24)
    torch.testing.assert_close(network(images)[2:3], network(images[2:3]), atol=1e-5, rtol=1e-5)


def test_more_blocks_start_as_the_identity() -> None:
    shallow, deep = ResidualCNN(widths=(4, 8)).eval(), ResidualCNN(widths=(4, 8), blocks=3).eval()
    images = torch.randn(3, 1, 16, 16)
    deep.load_state_dict(deep.state_dict() | shallow.state_dict())
    torch.testing.assert_close(deep(images), shallow(images))
    assert len(deep.state_dict()) > len(shallow.state_dict())
    deep.train()
    deep(images).sum().backward()
    # A block learns from its last scale on, which alone sees a gradient at first.
    scale = deep.more[0][0].second[1].weight  # type: ignore[index,union-attr]
    assert scale.grad is not None
    assert scale.grad.abs().sum() > 0


def test_dropout_works_in_training_only() -> None:
    torch.manual_seed(0)
    network = ResidualCNN(widths=(4, 8), dropout=0.5)
    images = torch.randn(4, 1, 16, 16)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_every_weight_learns() -> None:
    network = ResidualCNN(widths=(4, 8), votes=True)
    logits, votes = network.heads(torch.randn(4, 1, 16, 16))
    assert votes is not None
    (logits.square().sum() + votes.square().sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_squeeze_weighs_the_channels_of_each_image_by_their_means() -> None:
    network = ResidualCNN(widths=(8, 16), blocks=2, squeeze=4).eval()
    plain = ResidualCNN(widths=(8, 16), blocks=2).eval()
    assert len(network.state_dict()) == len(plain.state_dict()) + 4 * 4  # weights and biases of two layers, four blocks
    plain.load_state_dict({name: network.state_dict()[name] for name in plain.state_dict()})
    images = torch.randn(2, 1, 32, 32)
    assert not torch.allclose(network(images), plain(images))
    for name, parameter in network.named_parameters():
        if ".weights.3." in name:
            torch.nn.init.constant_(parameter, 0.0 if name.endswith("weight") else 100.0)  # sigmoid: 1 for all
    torch.testing.assert_close(network(images), plain(images))
