from __future__ import annotations

import pytest
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


def turned_top(degrees: float, hands: int) -> torch.Tensor:
    """The same direction of the top, clockwise from straight up, for some hands: (hands, 1, 3)."""
    angle = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angle.sin(), -angle.cos(), torch.zeros(())]).expand(hands, 1, 3)


def test_the_top_changes_the_logits_of_upright_labels_alone() -> None:
    network = LandmarkMLP(labels=4, widths=(8,), upright=(1, 2)).eval()
    landmarks = torch.randn(6, 21, 3)
    up, aside = (network(torch.cat([landmarks, turned_top(angle, 6)], dim=1)) for angle in (0.0, 70.0))
    torch.testing.assert_close(up[:, [0, 3]], aside[:, [0, 3]])
    assert (up[:, 1:3] - aside[:, 1:3]).abs().min() > 0


def test_a_network_that_sees_the_top_tells_all_labels_by_it() -> None:
    network = LandmarkMLP(labels=4, widths=(8,), upright=(1, 2), sees_top=True).eval()
    assert network.layers[0].in_features == 63 + 210 + 2
    landmarks = torch.randn(6, 21, 3)
    up, aside = (network(torch.cat([landmarks, turned_top(angle, 6)], dim=1)) for angle in (0.0, 70.0))
    assert (up[:, [0, 3]] - aside[:, [0, 3]]).abs().max() > 1e-4
    # The two that mean up and down still share what the shape says.
    hidden = network.label_head(network.layers(torch.randn(6, 275))) @ network.shared
    torch.testing.assert_close(hidden[:, 1], hidden[:, 2])


def test_only_the_angle_between_thumb_and_top_counts() -> None:
    network = LandmarkMLP(labels=3, widths=(8,), upright=(0,)).eval()
    landmarks = torch.zeros(1, 21, 3)
    landmarks[0, 4] = torch.tensor([0.0, -1.5, 0.4])  # a thumb that points up in the frame of the hand
    rise = {
        angle: network(torch.cat([landmarks, turned_top(angle, 1)], dim=1))[0, 0].item() for angle in (0.0, 40.0, -40.0)
    }
    assert rise[40.0] == pytest.approx(rise[-40.0], abs=1e-5)
    straight, square = network.top_head.weight[0].tolist()  # type: ignore[union-attr, operator]
    cosine = float(torch.deg2rad(torch.tensor(40.0)).cos())
    expected = 12 * (straight * (1 - cosine) + square * (1 - cosine**2))
    assert rise[0.0] - rise[40.0] == pytest.approx(expected, abs=1e-4)


def test_the_shape_of_a_hand_does_not_tell_up_from_down() -> None:
    network = LandmarkMLP(labels=4, widths=(8,), upright=(1, 3)).eval()
    landmarks = torch.randn(5, 21, 3)
    landmarks[:, 4, :2] = landmarks[:, 2, :2] + torch.tensor([0.0, -1.0])
    aside = network(torch.cat([landmarks, turned_top(90.0, 5)], dim=1))
    torch.testing.assert_close(aside[:, 1], aside[:, 3], atol=1e-5, rtol=0)
    up, down = (network(torch.cat([landmarks, turned_top(angle, 5)], dim=1)) for angle in (0.0, 180.0))
    straight = network.top_head.weight[:, 0].detach()  # type: ignore[union-attr]
    expected = 24 * (straight[0] - straight[1]).expand(5)
    torch.testing.assert_close((up[:, 1] - up[:, 3]) - (down[:, 1] - down[:, 3]), expected, atol=1e-4, rtol=0)
