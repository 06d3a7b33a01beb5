"""Three blocks of two convolutions: both emotion models of the first reference system (A)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from mien.train.networks.network import BATCH_NORM, Network, start_as_keras


class CNN3(Network):
    """Three times convolution, activation, batch norm twice, max-pooling and dropout; one dense layer.

    Args:
        labels: number of classes.
        activation: of all layers but the last; ELU with weights of He et al. 2015, or ReLU.
        dropout: after each block.
    """

    def __init__(self, *, labels: int, activation: Literal["elu", "relu"], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        narrow = 1
        for wide in (32, 64, 128):
            for channels in (narrow, wide):
                layers += [
                    nn.Conv2d(channels, wide, 3, padding=1),
                    _activation(activation),
                    nn.BatchNorm2d(wide, **BATCH_NORM),
                ]
            layers += [nn.MaxPool2d(2), nn.Dropout(dropout)]
            narrow = wide
        self.features = nn.Sequential(*layers)  # (B, 128, 6, 6)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(128 * 6 * 6, 64),
            _activation(activation),
            nn.BatchNorm1d(64, **BATCH_NORM),
            nn.Dropout(0.5),
            nn.Linear(64, labels),
        )
        start_as_keras(self, hidden="he_normal")

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels) for (B, 1, 48, 48) float images."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _activation(name: Literal["elu", "relu"]) -> nn.Module:
    return nn.ELU(inplace=True) if name == "elu" else nn.ReLU(inplace=True)
