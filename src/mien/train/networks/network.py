"""What every network offers, and the initial weights of Keras from which the published recipes were trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypedDict

from torch import Tensor, nn


class _Constants(TypedDict):
    eps: float
    momentum: float


BATCH_NORM: _Constants = {"eps": 1e-3, "momentum": 0.01}
"""Keras' constants; its momentum is defined the other way round."""


class Network(nn.Module):
    """A classifier: `forward` gives logits (B, labels)."""

    def heads(self, samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (B, labels) of the label head and, if there is one, of the votes head."""
        logits: Tensor = self(samples)
        return logits, None

    def regularised(self) -> Iterator[Tensor]:
        """The weights whose sum of squares the loss may add (`loss.l2`)."""
        return iter(())


def parameter_count(network: nn.Module) -> tuple[int, int]:
    """All parameters of a network, including batch norm statistics as Keras counts, and the trainable ones."""
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    statistics = sum(b.numel() for name, b in network.named_buffers() if name.endswith(("running_mean", "running_var")))
    return trainable + frozen + statistics, trainable


def start_as_keras(network: nn.Module, *, hidden: Literal["glorot", "he_normal"] = "glorot") -> None:
    """Draw weights as Keras does: Glorot and Bengio 2010 uniform, or He et al. 2015 normal except for the last layer.

    Biases start at zero.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers:
        if hidden == "he_normal" and layer is not layers[-1]:
            he_normal_(layer.weight)
        else:
            nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def he_normal_(weight: Tensor) -> None:
    """Draw a layer's weights, outputs first, as Keras' he_normal does: truncated at two standard deviations."""
    std = (2 / weight[0].numel()) ** 0.5 / 0.87962566103423978  # truncation makes it narrower by this factor
    nn.init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std)
