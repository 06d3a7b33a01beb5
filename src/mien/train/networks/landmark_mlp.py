"""A multi-layer perceptron on 21 hand landmarks and the distances between them."""

from __future__ import annotations

from itertools import combinations, pairwise

import torch
from torch import Tensor, nn

from mien.train.networks.network import Network

_POINTS = 21
_PAIRS = tuple(combinations(range(_POINTS), 2))
_THUMB_JOINT, _THUMB_TIP = 2, 4
_STEEP = 12.0  # scales how far the thumb rises, so that few steps suffice to tell up from down for sure


class LandmarkMLP(Network):
    """Linear, batch norm, ReLU and dropout per width, then a linear head.

    The features are the coordinates and all 210 distances between two points, which no rotation of the hand changes. So
    a hand means the same from every side, but for labels whose meaning is up or down: these share one logit, to which
    is added for each how far the thumb points to the picture's top. The shape of a hand must not tell them apart,
    because most people show them from different sides.

    Args:
        labels: number of classes.
        widths: units of each hidden layer.
        dropout: after each hidden layer.
        upright: positions of the labels whose meaning depends on where the top is; a 22nd row of the input tells it.
        sees_top: whether the direction of the top is a feature for all labels too: hands at rest hang down, signs that
            people make are mostly held up.
    """

    first: Tensor
    second: Tensor
    upright: Tensor
    shared: Tensor

    def __init__(
        self,
        *,
        labels: int = 5,
        widths: tuple[int, ...] = (128, 128),
        dropout: float = 0.2,
        upright: tuple[int, ...] = (),
        sees_top: bool = False,
    ) -> None:
        super().__init__()
        self.sees_top = sees_top
        self.register_buffer("first", torch.tensor([a for a, _ in _PAIRS]), persistent=False)
        self.register_buffer("second", torch.tensor([b for _, b in _PAIRS]), persistent=False)
        rows = torch.eye(labels)[list(upright)]  # (U, labels)
        shared = torch.diag(1 - rows.sum(dim=0)) + rows.sum(dim=0).outer(rows.sum(dim=0)) / max(len(upright), 1)
        self.register_buffer("upright", rows, persistent=False)
        self.register_buffer("shared", shared, persistent=False)  # (labels, labels)
        layers: list[nn.Module] = []
        for narrow, wide in pairwise((3 * _POINTS + len(_PAIRS) + 2 * sees_top, *widths)):
            layers += [
                nn.Linear(narrow, wide),
                nn.BatchNorm1d(wide),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
            ]
        self.layers = nn.Sequential(*layers)
        self.label_head = nn.Linear(widths[-1], labels)
        self.top_head = nn.Linear(2, len(upright), bias=False) if upright else None

    def heads(self, landmarks: Tensor) -> tuple[Tensor, None]:
        """Logits (B, labels) for (B, 21, 3) canonical landmarks, (B, 22, 3) with the top; there is no votes head."""
        landmarks, top = landmarks[:, :_POINTS], landmarks[:, _POINTS:]  # top: (B, 0 or 1, 3)
        apart = landmarks[:, self.first] - landmarks[:, self.second]  # (B, 210, 3)
        distances = (apart.square().sum(dim=2) + 1e-8).sqrt()  # (B, 210)
        features = torch.cat([landmarks.flatten(1), distances, *([top[:, 0, :2]] if self.sees_top else [])], dim=1)
        logits = self.label_head(self.layers(features))
        if self.top_head is None:
            return logits, None
        thumb = landmarks[:, _THUMB_TIP, :2] - landmarks[:, _THUMB_JOINT, :2]  # (B, 2)
        length = (thumb.square().sum(dim=1, keepdim=True) + 1e-8).sqrt()
        rise = (thumb * top[:, 0, :2]).sum(dim=1, keepdim=True) / length  # 1 straight up, -1 straight down
        risen = self.top_head(_STEEP * torch.cat([rise, rise.square()], dim=1))
        return logits @ self.shared + risen @ self.upright, None

    def forward(self, landmarks: Tensor) -> Tensor:
        """Logits (B, labels) for (B, 21 or 22, 3) float landmarks of `mien.stages.classify.canonical_landmarks`."""
        return self.heads(landmarks)[0]
