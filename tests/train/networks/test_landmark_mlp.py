from __future__ import annotations

import torch

from mien.train.networks.landmark_mlp import LandmarkMLP


def test_logits_for_a_batch_of_hands() -> None:
    network = LandmarkMLP(labels=5, widths=(16, 8)).eval()
    logits, votes = network.heads(torch.randn(3, 21, 3))
    assert logits.shape == (3, 5)
    assert votes is None


def test_the_features_are_coordinates_and_all_distances() -> None:
    network = LandmarkMLP(widths=(4,))
    assert network.layers[0].in_features == 63 + 210
    seen: list[torch.Tensor] = []
    network.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    landmarks = torch.randn(2, 21, 3)
    network.eval()(landmarks)
    torch.testing.assert_close(seen[0][:, :63], landmarks.flatten(1))
    expected = torch.stack([torch.pdist(hand) for hand in landmarks])
    torch.testing.assert_close(seen[0][:, 63:], expected, atol=1e-4, rtol=1e-4)


def test_points_that_coincide_have_a_gradient() -> None:
    landmarks = torch.zeros(2, 21, 3, requires_grad=True)
    LandmarkMLP(widths=(8,)).eval()(landmarks).sum().backward()
    assert landmarks.grad is not None
    assert landmarks.grad.isfinite().all()
