"""Six convolutions and two dense layers: the second reference system (B)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from mien.train.networks.network import BATCH_NORM, Network, start_as_keras

_WIDE = 512


class CNN6(Network):
    """Two convolutions, one of 5x5, three of 512 filters whose weights the loss may penalise; dense 256 and 512.

    Args:
        labels: number of classes.
        dropout: after each pooling and each dense layer.
    """

    def __init__(self, *, labels: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(inplace=True),
            *_pooled(32, 64, 3, dropout),
            *_pooled(64, 128, 5, dropout),
            *_pooled(128, _WIDE, 3, dropout),
            *_pooled(_WIDE, _WIDE, 3, dropout),
            *_pooled(_WIDE, _WIDE, 3, dropout),
        )  # (B, 512, 1, 1)
        self.classifier = nn.Sequential(
            nn.Flatten(), *_dense(_WIDE, 256, dropout), *_dense(256, 512, dropout), nn.Linear(512, labels)
        )
        start_as_keras(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels) for (B, 1, 48, 48) float images."""
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def regularised(self) -> Iterator[Tensor]:
        """Weights of the three convolutions of 512 filters."""
        for layer in self.features:
            if isinstance(layer, nn.Conv2d) and layer.out_channels == _WIDE:
                yield layer.weight


def _pooled(narrow: int, wide: int, kernel: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Conv2d(narrow, wide, kernel, padding=kernel // 2),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(wide, **BATCH_NORM),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
    ]


def _dense(narrow: int, wide: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Linear(narrow, wide),
        nn.ReLU(inplace=True),
        nn.BatchNorm1d(wide, **BATCH_NORM),
        nn.Dropout(dropout),
    ]
