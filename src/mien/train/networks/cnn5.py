"""Two convolutions and three dense layers: the third reference system (C)."""

from __future__ import annotations

from torch import Tensor, nn

from mien.train.networks.network import Network


class CNN5(Network):
    """Convolutions of 64 and 256 filters, each with ReLU and max-pooling; dense 4096, 1024 and the labels.

    Nearly all of its 55.7 M parameters are in the first dense layer. Weights are initialised as in torch.

    Args:
        labels: number of classes.
    """

    def __init__(self, *, labels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 64, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 256, 3),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )  # (B, 256, 7, 7)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(256 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 1024),
            nn.ReLU(inplace=True),
            nn.Linear(1024, labels),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels) for (B, 1, 32, 32) float images."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
