from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mien.errors import InputError, RecipeError
from mien.train.networks.network import parameter_count
from mien.train.networks.vgg16 import VGG16


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """All weights by torchvision's names, each full of a number of its own; the classifier's shapes do not matter."""
    wides = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    state, narrow = {}, 3
    for place, wide in zip(places, wides, strict=True):
        state[f"features.{place}.weight"] = torch.full((wide, narrow, 3, 3), place + 0.25)
        state[f"features.{place}.bias"] = torch.full((wide,), place + 0.5)
        narrow = wide
    return state | {f"classifier.{place}.{kind}": torch.zeros(8) for place in (0, 3, 6) for kind in ("weight", "bias")}


def test_as_many_parameters_as_published() -> None:
    assert parameter_count(VGG16(labels=4)) == (14_867_100, 152_412)


@pytest.mark.parametrize(("unfreeze", "learning"), [(0, 0), (1, 7_079_424), (2, 12_979_200), (5, 14_714_688)])
def test_the_last_blocks_can_learn_too(unfreeze: int, learning: int) -> None:
    with torch.device("meta"):
        network = VGG16(labels=4, unfreeze=unfreeze)
    assert parameter_count(network)[1] == learning + 152_412
    # What learns is at the end: nothing frozen comes behind something that is not.
    frozen = [not parameter.requires_grad for parameter in network.features.parameters()]
    assert frozen == sorted(frozen, reverse=True)


@pytest.mark.parametrize("unfreeze", [-1, 6])
def test_only_as_many_blocks_as_there_are(unfreeze: int) -> None:
    with torch.device("meta"), pytest.raises(RecipeError, match="between 0 and 5"):
        VGG16(labels=4, unfreeze=unfreeze)


def test_features_have_the_stated_shape() -> None:
    with torch.device("meta"):
        network = VGG16(labels=4)
        for side in (192, 200, 223):
            images = torch.zeros(1, 3, side, side)
            assert network.features(images).shape == (1, 512, 6, 6)
            assert network(images).shape == (1, 4)


def test_a_file_in_torchvisions_form_fills_the_convolutions_and_nothing_else(
    published: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(published, tmp_path / "vgg16.pth")
    network = VGG16(labels=4)
    head = [parameter.clone() for parameter in network.classifier.parameters()]
    network.load_imagenet(tmp_path / "vgg16.pth")
    for name, parameter in network.features.named_parameters():
        torch.testing.assert_close(parameter.data, published[f"features.{name}"])
        assert not parameter.requires_grad
    assert len(list(network.features.parameters())) == 26
    for before, after in zip(head, network.classifier.parameters(), strict=True):
        torch.testing.assert_close(before, after)


def test_a_deeper_networks_file_is_refused(published: dict[str, Tensor], tmp_path: Path) -> None:
    # VGG-19 has its layers at other places from the third block on.
    deeper = {name.replace("features.17", "features.16"): tensor for name, tensor in published.items()}
    torch.save(deeper, tmp_path / "vgg19.pth")
    with pytest.raises(InputError, match=r"2 of 26 weights are missing, 17\.weight first"):
        VGG16(labels=4).load_imagenet(tmp_path / "vgg19.pth")


def test_the_head_starts_as_published() -> None:
    head = VGG16(labels=4).classifier
    assert float(head[0].weight.detach().std()) == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02)
    assert 0.95 < float(head[4].weight.detach().abs().max()) / (6 / (128 + 30)) ** 0.5 <= 1
    assert not any(head[i].bias.any() for i in (0, 4, 6, 8))


@pytest.mark.slow
def test_the_head_learns_on_frozen_features() -> None:
    network = VGG16(labels=4).train()
    for layer in network.features:
        if hasattr(layer, "weight"):
            torch.nn.init.kaiming_normal_(layer.weight)  # as alive as trained ones
    images, labels = torch.randn(4, 3, 1, 1) + 0.1 * torch.randn(4, 3, 200, 200), torch.arange(4)
    features = network.features(images)
    assert not features.requires_grad
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 1e-2)
    losses = []
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(network.classifier(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_weights_made_for_bgr_images_get_them() -> None:
    network = VGG16(labels=4).eval()
    swapped = VGG16(labels=4, bgr=True).eval()
    swapped.load_state_dict(network.state_dict())
    images = torch.rand(1, 3, 200, 200, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(swapped(images), network(images.flip(1)))
        assert not torch.equal(swapped(images), network(images))
