"""VGG-16's convolutions trained on ImageNet, and the head of the gesture model of the first reference system (A)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn

from mien.train.networks.network import he_normal_, start_as_keras
from mien.train.networks.transfer import Transfer

_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Configuration D of Simonyan and Zisserman 2015; max-pooling after each block."""


class VGG16(Transfer):
    """Thirteen 3x3 convolutions in five blocks; one more of 32 filters, two dense layers of 30, and the labels.

    Args:
        labels: number of classes.
        unfreeze: how many of the last of the five blocks are trained too.
        bgr: whether the weights were trained on images in BGR order, as Keras' are: the network then swaps the channels
            of the RGB images that it gets.
    """

    published = "vgg16-397923af.pth"
    hub = "https://download.pytorch.org/models/vgg16-397923af.pth"

    def __init__(self, *, labels: int, unfreeze: int = 0, bgr: bool = False) -> None:
        super().__init__()
        self.bgr = bgr
        layers: list[nn.Module] = []
        ends = [0]
        narrow = 3
        for block in _BLOCKS:
            for wide in block:
                layers += [nn.Conv2d(narrow, wide, 3, padding=1), nn.ReLU(inplace=True)]
                narrow = wide
            layers.append(nn.MaxPool2d(2))
            ends.append(len(layers))
        self.features = nn.Sequential(*layers)  # (B, 512, 6, 6); the names are torchvision's
        head = nn.Conv2d(narrow, 32, 3)
        self.classifier = nn.Sequential(
            head,
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 2 * 2, 30),
            nn.ReLU(inplace=True),
            nn.Linear(30, 30),
            nn.ReLU(inplace=True),
            nn.Linear(30, labels),
        )
        start_as_keras(self.classifier)
        he_normal_(head.weight)
        self.freeze([self.features[i:j] for i, j in pairwise(ends)], unfreeze)

    def features_of(self, images: Tensor) -> Tensor:
        return super().features_of(images.flip(1) if self.bgr else images)

    def heads_of(self, features: Tensor) -> tuple[Tensor, None]:
        return self.classifier(features), None

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels) for (B, 3, 200, 200) float images; sides from 192 to 223 pixels give the same shapes."""
        return self.heads(images)[0]

    def our_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        prefix = "features."
        return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
