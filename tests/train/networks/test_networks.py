from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mien.errors import UnknownName
from mien.labels import label_set
from mien.train.networks import build_network
from mien.train.networks.residual_cnn import ResidualCNN
from mien.train.recipe import LossRecipe, NetworkRecipe, Recipe, load_recipe, recipe_names


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_shipped_networks_stay_small() -> None:
    emotion = parameters(build_network(load_recipe("emotion")))
    assert 1_000_000 < emotion <= 3_000_000
    # The figure that the recipe states in its comment.
    assert emotion == pytest.approx(1.96e6, rel=0.01)
    assert parameters(build_network(load_recipe("gesture"))) <= 100_000


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_builds_a_network_with_its_labels(name: str) -> None:
    recipe = load_recipe(name)
    height, width = recipe.input.size_hw
    channels = 1 if recipe.input.colour == "grey" else 3
    shape = (2, 21, 3) if recipe.data.kind == "hands" else (2, channels, height, width)
    with torch.inference_mode():
        assert build_network(recipe).eval()(torch.randn(shape)).shape == (2, len(label_set(recipe.label_set)))


def test_votes_add_a_head() -> None:
    recipe = Recipe(name="r", task="emotion", label_set="emotions", network=NetworkRecipe(widths=(4, 8)))
    without, voting = build_network(recipe), build_network(replace(recipe, loss=LossRecipe(votes_weight=0.5)))
    assert isinstance(without, ResidualCNN)
    assert isinstance(voting, ResidualCNN)
    assert without.votes_head is None
    assert voting.votes_head is not None


def test_an_unknown_network_is_named() -> None:
    recipe = Recipe(name="r", task="emotion", label_set="emotions", network=NetworkRecipe(name="residual_cn"))
    with pytest.raises(UnknownName, match="Did you mean 'residual_cnn'"):
        build_network(recipe)
