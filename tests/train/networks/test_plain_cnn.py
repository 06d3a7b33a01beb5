from __future__ import annotations

import pytest
import torch

from mien.train.networks.plain_cnn import PlainCNN


@pytest.mark.parametrize("side", [32, 48, 64])
@pytest.mark.parametrize(("channels", "labels"), [(1, 7), (3, 8)])
def test_logits_for_any_side_and_colour(side: int, channels: int, labels: int) -> None:
    network = PlainCNN(channels=channels, labels=labels, widths=(4, 8, 8, 16)).eval()
    assert network(torch.randn(2, channels, side, side)).shape == (2, labels)


def test_the_votes_head_is_there_only_when_asked_for() -> None:
    images = torch.randn(2, 1, 32, 32)
    plain, voting = PlainCNN(widths=(4, 8)).eval(), PlainCNN(widths=(4, 8), votes=True).eval()
    assert plain.heads(images)[1] is None
    logits, votes = voting.heads(images)
    assert votes is not None
    assert votes.shape == logits.shape == (2, 7)
    torch.testing.assert_close(voting(images), logits)


def test_blocks_are_convolutions_of_each_width() -> None:
    convolutions = [m for m in PlainCNN(widths=(4, 8), blocks=3).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [4, 4, 4, 8, 8, 8]
