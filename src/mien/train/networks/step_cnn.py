"""The base and the tuned model of the fourth reference system (D)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from mien.train.networks.network import BATCH_NORM, Network, start_as_keras


class StepCNN(Network):
    """Three times two convolutions of 3x3 without padding and max-pooling; dense 1024 twice, and the labels.

    The tuned model adds a batch norm after each convolution and a dense layer of 128 before the labels, whose weights
    the loss may penalise. Its author names these parts but not their positions, which are ours.

    Args:
        labels: number of classes.
        tuned: whether to add the tuned model's parts.
    """

    def __init__(self, *, labels: int, tuned: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        narrow = 1
        for wide, dropout in ((64, 0.5), (64, 0.5), (128, 0.0)):
            for channels in (narrow, wide):
                layers += [nn.Conv2d(channels, wide, 3), nn.ReLU(inplace=True)]
                layers += [nn.BatchNorm2d(wide, **BATCH_NORM)] if tuned else []
            layers += [nn.MaxPool2d(2)] + ([nn.Dropout(dropout)] if dropout else [])
            narrow = wide
        self.features = nn.Sequential(*layers)  # (B, 128, 2, 2)
        dense = [*_dense(128 * 2 * 2, 1024), *_dense(1024, 1024)]
        self.narrow = nn.Linear(1024, 128) if tuned else None
        self.classifier = nn.Sequential(nn.Flatten(), *dense)
        self.last = nn.Linear(128 if tuned else 1024, labels)
        start_as_keras(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels) for (B, 1, 48, 48) float images."""
        x = self.classifier(self.features(images))
        if self.narrow is not None:
            x = self.narrow(x).relu()
        logits: Tensor = self.last(x)
        return logits

    def regularised(self) -> Iterator[Tensor]:
        """Weights of the tuned model's dense layer of 128."""
        if self.narrow is not None:
            yield self.narrow.weight


def _dense(narrow: int, wide: int) -> list[nn.Module]:
    return [nn.Linear(narrow, wide), nn.ReLU(inplace=True), nn.Dropout(0.2)]
