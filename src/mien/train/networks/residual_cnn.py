"""A small residual network (after He et al. 2016) for faces of 32 to 64 pixels."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mien.train.networks.network import Network


class ResidualCNN(Network):
    """A stem, then basic residual blocks at each width with max-pooling between; global average; one or two heads.

    Blocks after the first of a width start as the identity (the last scale of each is zero; Goyal et al. 2017): a run
    with more blocks can start from one with fewer without losing what that has learned (Chen et al. 2016, Net2Net).

    Args:
        channels: 1 for grey, 3 for RGB.
        labels: number of classes.
        widths: channels of each stage.
        blocks: residual blocks of each stage.
        dropout: before the heads.
        votes: whether a second head predicts the raters' votes; used in training only.
        squeeze: by how much each block narrows the means of its channels to weigh them (squeeze-and-excitation, Hu et
            al. 2018); 0 leaves that out.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        labels: int = 7,
        widths: tuple[int, ...] = (32, 64, 128, 256),
        blocks: int = 1,
        dropout: float = 0.2,
        votes: bool = False,
        squeeze: int = 0,
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = [_conv_bn_relu(channels, widths[0]), _Residual(widths[0], squeeze)]
        for narrow, wide in pairwise(widths):
            stages += [nn.MaxPool2d(2), _conv_bn_relu(narrow, wide), _Residual(wide, squeeze)]
        self.features = nn.Sequential(*stages)
        self.more = nn.ModuleList(
            nn.Sequential(*(_Residual(wide, squeeze) for _ in range(blocks - 1))) for wide in widths
        )
        for block in self.more.modules():
            if isinstance(block, _Residual):
                nn.init.zeros_(block.second[1].weight)  # type: ignore[arg-type]
        self.dropout = nn.Dropout(dropout)
        self.label_head = nn.Linear(widths[-1], labels)
        self.votes_head = nn.Linear(widths[-1], labels) if votes else None

    def heads(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (B, labels) of the label head and, if there is one, of the votes head, for (B, C, H, W) images."""
        more = iter(self.more)
        for part in self.features:
            images = part(images)
            if isinstance(part, _Residual):
                images = next(more)(images)
        pooled = self.dropout(images.mean(dim=(2, 3)))  # (B, widths[-1]), over (H / 2**n, W / 2**n)
        return self.label_head(pooled), None if self.votes_head is None else self.votes_head(pooled)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels) for (B, C, H, W) float images."""
        return self.heads(images)[0]


class _Residual(nn.Module):
    def __init__(self, width: int, squeeze: int = 0) -> None:
        super().__init__()
        self.first = _conv_bn_relu(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.weights: nn.Module | None = _ChannelWeights(width, squeeze) if squeeze else None

    def forward(self, x: Tensor) -> Tensor:
        change = self.second(self.first(x))
        if self.weights is not None:
            change = change * self.weights(change)
        return torch.relu(x + change)


class _ChannelWeights(nn.Sequential):
    def __init__(self, width: int, squeeze: int) -> None:
        narrow = max(width // squeeze, 4)
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, narrow, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(narrow, width, 1),
            nn.Sigmoid(),
        )


def _conv_bn_relu(narrow: int, wide: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(narrow, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(inplace=True))
