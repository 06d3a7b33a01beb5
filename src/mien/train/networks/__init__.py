"""Networks, one file an architecture. Each maps a normalised batch to one or two heads of logits."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from mien.errors import UnknownName
from mien.labels import label_set
from mien.train.networks.landmark_mlp import LandmarkMLP
from mien.train.networks.residual_cnn import ResidualCNN
from mien.train.recipe import Recipe

NETWORKS: dict[str, Callable[[Recipe, int], nn.Module]] = {
    "residual_cnn": lambda recipe, labels: ResidualCNN(
        channels=1 if recipe.input.colour == "grey" else 3,
        labels=labels,
        widths=recipe.network.widths,
        dropout=recipe.network.dropout,
        votes=recipe.loss.votes_weight > 0,
    ),
    "landmark_mlp": lambda recipe, labels: LandmarkMLP(
        labels=labels, widths=recipe.network.widths, dropout=recipe.network.dropout
    ),
}


def build_network(recipe: Recipe) -> nn.Module:
    """The untrained network that a recipe names; raises UnknownName when there is none of that name."""
    if recipe.network.name not in NETWORKS:
        raise UnknownName("network", recipe.network.name, NETWORKS)
    return NETWORKS[recipe.network.name](recipe, len(label_set(recipe.label_set)))
