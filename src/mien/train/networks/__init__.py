"""Networks, one file per architecture. Each maps a normalised batch to one or two heads of logits."""

from __future__ import annotations

from collections.abc import Callable

from mien.errors import RecipeError, UnknownName
from mien.labels import UPRIGHT, label_set
from mien.recipes.recipe import Recipe
from mien.train.networks.cnn3 import CNN3
from mien.train.networks.cnn5 import CNN5
from mien.train.networks.cnn6 import CNN6
from mien.train.networks.efficientnet_lite0 import EfficientNetLite0
from mien.train.networks.landmark_mlp import LandmarkMLP
from mien.train.networks.network import Network
from mien.train.networks.plain_cnn import PlainCNN
from mien.train.networks.residual_cnn import ResidualCNN
from mien.train.networks.step_cnn import StepCNN
from mien.train.networks.transfer import Transfer
from mien.train.networks.vgg16 import VGG16

NETWORKS: dict[str, Callable[[Recipe, int], Network]] = {
    "residual_cnn": lambda recipe, labels: ResidualCNN(
        channels=1 if recipe.input.colour == "grey" else 3,
        labels=labels,
        widths=recipe.network.widths,
        blocks=recipe.network.blocks,
        dropout=recipe.network.dropout,
        votes=recipe.loss.votes_weight > 0,
        squeeze=recipe.network.squeeze,
    ),
    "plain_cnn": lambda recipe, labels: PlainCNN(
        channels=1 if recipe.input.colour == "grey" else 3,
        labels=labels,
        widths=recipe.network.widths,
        blocks=recipe.network.blocks,
        dropout=recipe.network.dropout,
        votes=recipe.loss.votes_weight > 0,
    ),
    "landmark_mlp": lambda recipe, labels: LandmarkMLP(
        labels=labels,
        widths=recipe.network.widths,
        dropout=recipe.network.dropout,
        upright=_upright(recipe) if recipe.data.top else (),
        sees_top=recipe.network.sees_top and recipe.data.top,
    ),
    "cnn3_elu": lambda recipe, labels: CNN3(labels=labels, activation="elu", dropout=recipe.network.dropout),
    "cnn3_relu": lambda recipe, labels: CNN3(labels=labels, activation="relu", dropout=recipe.network.dropout),
    "cnn5": lambda _recipe, labels: CNN5(labels=labels),
    "cnn6": lambda recipe, labels: CNN6(labels=labels, dropout=recipe.network.dropout),
    "step_base": lambda _recipe, labels: StepCNN(labels=labels, tuned=False),
    "step_tuned": lambda _recipe, labels: StepCNN(labels=labels, tuned=True),
    "vgg16": lambda recipe, labels: VGG16(labels=labels, unfreeze=recipe.network.unfreeze, bgr=recipe.network.bgr),
    "efficientnet_lite0": lambda recipe, labels: EfficientNetLite0(
        labels=labels,
        dropout=recipe.network.dropout,
        unfreeze=recipe.network.unfreeze,
        channels=1 if recipe.input.colour == "grey" else 3,
        enlarge=recipe.network.enlarge,
        own_statistics=recipe.network.own_statistics,
        votes=recipe.loss.votes_weight > 0,
    ),
}


def _upright(recipe: Recipe) -> tuple[int, ...]:
    """Positions of the labels whose meaning depends on where the picture's top is."""
    labels = label_set(recipe.label_set)
    return tuple(labels.index(label) for label in UPRIGHT if label in labels)


def build_network(recipe: Recipe) -> Network:
    """The untrained network that a recipe names; raises UnknownName if there is none of that name."""
    if recipe.network.name not in NETWORKS:
        raise UnknownName("network", recipe.network.name, NETWORKS)
    return NETWORKS[recipe.network.name](recipe, len(label_set(recipe.label_set)))


def load_start_weights(network: Network, recipe: Recipe) -> None:
    """Load the ImageNet weights of a pre-trained network before a run starts; other networks start from random ones.

    Not part of `build_network`: a run that is resumed or evaluated has all weights in its checkpoint.

    Raises:
        RecipeError: `network.weights` is missing, or names weights for a network that takes none.
        InputError: the weights are missing, damaged or of another network.
        MissingExtra: the package that carries them is not installed.
    """
    if isinstance(network, Transfer):
        network.load_imagenet(recipe.network.weights)
    elif recipe.network.weights:
        raise RecipeError(
            f"{recipe.network.weights} is not a run folder that the network {recipe.network.name} can start from: "
            "train that run first, name another with --weights, or leave network.weights out"
        )
