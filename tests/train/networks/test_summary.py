from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mien.labels import label_set
from mien.recipes.recipe import load_recipe, recipe_names
from mien.train.networks import build_network
from mien.train.networks.network import Network, parameter_count
from mien.train.networks.summary import recipe_counts, recipe_summary, summarise


class Small(Network):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Identity(), nn.MaxPool2d(2)
        )
        self.shared = nn.Linear(16, 16)
        self.last = nn.Linear(16, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.shared(self.shared(self.features(images).flatten(1))))
        return logits


def test_each_layer_in_the_order_it_runs() -> None:
    summary = summarise(Small(), (1, 8, 8))
    assert [(layer.name, layer.kind, layer.output, layer.total, layer.trainable) for layer in summary.layers] == [
        ("features.0", "Conv 3x3 by 2, 4", (4, 4, 4), 40, 40),
        ("features.1", "Batch norm", (4, 4, 4), 16, 8),
        ("features.2", "ReLU", (4, 4, 4), 0, 0),
        ("features.4", "Max-pool 2", (4, 2, 2), 0, 0),
        ("shared", "Dense 16", (16,), 272, 272),
        ("shared", "Dense 16", (16,), 0, 0),  # the same weights again
        ("last", "Dense 3", (3,), 51, 51),
    ]
    assert summary.input == (1, 8, 8)


@pytest.mark.parametrize("training", [True, False])
def test_looking_changes_nothing(training: bool) -> None:
    network = Small().train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    summarise(network, (1, 8, 8))
    assert network.training is training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_that_cannot_run_is_left_clean() -> None:
    network = Small()
    with pytest.raises(RuntimeError):
        summarise(network, (1, 64, 64))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


def test_frozen_layers_say_so() -> None:
    network = Small()
    network.features.requires_grad_(False)
    frozen = {layer.name for layer in summarise(network, (1, 8, 8)).layers if layer.frozen}
    assert frozen == {"features.0", "features.1"}


@pytest.mark.parametrize("name", [name for name in recipe_names() if name not in ("emotion_cnn5", "gesture_vgg16")])
def test_the_layers_of_a_recipe_add_up(name: str) -> None:
    recipe = load_recipe(name)
    summary = recipe_summary(recipe)
    count = parameter_count(build_network(recipe))
    assert (summary.total, summary.trainable) == count == recipe_counts(recipe)
    for rows in (summary.layers, summary.steps):
        assert sum(row.total for row in rows) == summary.total
        assert sum(row.trainable for row in rows) == summary.trainable
        # The thumb's direction is added by a layer of its own, behind the head.
        assert (len(label_set(recipe.label_set)),) in {row.output for row in rows[-2:]}


def test_a_block_of_the_networks_own_is_one_step() -> None:
    summary = recipe_summary(load_recipe("gesture_lite0"))
    assert sum(step.kind.startswith("Inverted bottleneck, ") for step in summary.steps) == 16
    assert not any(layer.kind.startswith("Inverted") for layer in summary.layers)
    assert sum(layer.kind.startswith("Depthwise conv") for layer in summary.layers) == 16


def test_counting_takes_no_room_for_the_weights() -> None:
    assert recipe_counts(load_recipe("emotion_cnn5")) == (55_734_150, 55_734_150)
    assert recipe_counts(load_recipe("gesture_vgg16")) == (14_867_100, 152_412)
