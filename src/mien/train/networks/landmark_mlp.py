"""A multi-layer perceptron on 21 hand landmarks and the distances between them."""

from __future__ import annotations

from itertools import combinations, pairwise

import torch
from torch import Tensor, nn

from mien.train.networks.network import Network

_POINTS = 21
_PAIRS = tuple(combinations(range(_POINTS), 2))


class LandmarkMLP(Network):
    """Linear, batch norm, ReLU and dropout per width, then a linear head.

    The features are the coordinates and all 210 distances between two points, which no rotation of the hand changes.

    Args:
        labels: number of classes.
        widths: units of each hidden layer.
        dropout: after each hidden layer.
    """

    first: Tensor
    second: Tensor

    def __init__(self, *, labels: int = 5, widths: tuple[int, ...] = (128, 128), dropout: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("first", torch.tensor([a for a, _ in _PAIRS]), persistent=False)
        self.register_buffer("second", torch.tensor([b for _, b in _PAIRS]), persistent=False)
        layers: list[nn.Module] = []
        for narrow, wide in pairwise((3 * _POINTS + len(_PAIRS), *widths)):
            layers += [
                nn.Linear(narrow, wide),
                nn.BatchNorm1d(wide),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
            ]
        self.layers = nn.Sequential(*layers)
        self.label_head = nn.Linear(widths[-1], labels)

    def heads(self, landmarks: Tensor) -> tuple[Tensor, None]:
        """Logits (B, labels) for (B, 21, 3) canonical landmarks; there is no votes head."""
        apart = landmarks[:, self.first] - landmarks[:, self.second]  # (B, 210, 3)
        distances = (apart.square().sum(dim=2) + 1e-8).sqrt()  # (B, 210)
        features = torch.cat([landmarks.flatten(1), distances], dim=1)
        return self.label_head(self.layers(features)), None

    def forward(self, landmarks: Tensor) -> Tensor:
        """Logits (B, labels) for (B, 21, 3) float landmarks as `mien.stages.classify.canonical_landmarks` gives."""
        return self.heads(landmarks)[0]
