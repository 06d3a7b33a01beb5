"""A plain stack of convolutions (after VGG, Simonyan and Zisserman 2015) for faces of 32 to 64 pixels."""

from __future__ import annotations

from torch import Tensor, nn

from mien.train.networks.network import Network


class PlainCNN(Network):
    """At each width some 3x3 convolutions with batch norm, then max-pooling; global average, a dense layer, the heads.

    It has no shortcuts, so it errs elsewhere than `ResidualCNN`: the two make better teachers together than two alike.

    Args:
        channels: 1 for grey, 3 for RGB.
        labels: number of classes.
        widths: channels of each stage.
        blocks: convolutions of each stage.
        dropout: after each stage, half of it, and before the heads.
        votes: whether a second head predicts the raters' votes; used in training only.
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        labels: int = 7,
        widths: tuple[int, ...] = (64, 128, 256, 512),
        blocks: int = 2,
        dropout: float = 0.2,
        votes: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        narrow = channels
        for wide in widths:
            for _ in range(blocks):
                layers += [
                    nn.Conv2d(narrow, wide, 3, padding=1, bias=False),
                    nn.BatchNorm2d(wide),
                    nn.ReLU(inplace=True),
                ]
                narrow = wide
            layers += [nn.MaxPool2d(2), nn.Dropout2d(dropout / 2)]
        self.features = nn.Sequential(*layers)
        self.dense = nn.Sequential(nn.Linear(narrow, narrow), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.label_head = nn.Linear(narrow, labels)
        self.votes_head = nn.Linear(narrow, labels) if votes else None

    def heads(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (B, labels) of the label head and, if there is one, of the votes head, for (B, C, H, W) images."""
        dense = self.dense(self.features(images).mean(dim=(2, 3)))  # (B, widths[-1])
        return self.label_head(dense), None if self.votes_head is None else self.votes_head(dense)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, labels) for (B, C, H, W) float images."""
        return self.heads(images)[0]
