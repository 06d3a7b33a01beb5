"""Random changes to whole batches, on the device the batch is on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from kornia import augmentation
from torch import Tensor, nn

from mien.errors import RecipeError
from mien.labels import LabelSet
from mien.recipes.tables import AugmentRecipe

_LANDMARKS = 21


def image_augmentation(recipe: AugmentRecipe, labels: LabelSet) -> nn.Module:
    """Geometric and lighting changes by Kornia for (B, C, H, W) float images from 0 to 1.

    Raises:
        RecipeError: the recipe flips images whose label mirroring would change.
    """
    if recipe.flip and not labels.mirror_safe:
        raise RecipeError(f"flip = true would change the labels of {labels.name}; leave it out")
    steps: list[nn.Module] = []
    if recipe.rotation or recipe.zoom or recipe.shift or recipe.shear:
        affine = augmentation.RandomAffine(
            degrees=recipe.rotation,
            translate=(recipe.shift, recipe.shift) if recipe.shift else None,
            scale=(1 - recipe.zoom, 1 + recipe.zoom) * (2 if recipe.stretch else 1) if recipe.zoom else None,
            shear=recipe.shear or None,
            padding_mode="border",
            p=1.0,
        )
        steps.append(affine)
    if recipe.flip:
        steps.append(augmentation.RandomHorizontalFlip(p=0.5))
    if recipe.contrast:
        steps.append(augmentation.RandomContrast((1 - recipe.contrast, 1 + recipe.contrast), p=1.0))
    if recipe.brightness:
        steps.append(augmentation.RandomBrightness((1 - recipe.brightness, 1 + recipe.brightness), p=1.0))
    if recipe.camera:
        steps.append(CameraCorruptions(recipe.camera))
    if recipe.erasing:
        steps.append(augmentation.RandomErasing(scale=(0.02, 0.2), p=recipe.erasing))
    return nn.Sequential(*steps)


class CameraCorruptions(nn.Module):
    """What cameras do to (B, C, H, W) images from 0 to 1: distance, blur, too little or too much light, noise, JPEG.

    Args:
        p: probability of each corruption for each image; they combine, as in a dark room far away.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.lens = nn.Sequential(
            augmentation.RandomGaussianBlur((5, 5), (0.3, 1.3), p=p / 2),
            augmentation.RandomMotionBlur(5, (0.0, 360.0), 1.0, p=p / 2),
            augmentation.RandomGamma((0.5, 2.5), p=p),
        )
        self.jpeg = augmentation.RandomJPEG((15.0, 70.0), p=p)

    def forward(self, images: Tensor) -> Tensor:
        troubled = self._grainy(self.lens(self._distant(images)))
        grey = images.shape[1] == 1
        compressed: Tensor = self.jpeg(troubled.expand(-1, 3, -1, -1) if grey else troubled)  # only handles RGB
        return (compressed.mean(dim=1, keepdim=True) if grey else compressed).clamp(0, 1)

    def _distant(self, images: Tensor) -> Tensor:
        """Some of the images reduced to 30 to 80 % of their side length and enlarged again."""
        chosen = torch.rand(len(images), device=images.device) < self.p
        if not chosen.any():
            return images
        size = images.shape[-2:]
        share = 0.3 + 0.5 * float(torch.rand(()))
        small = F.interpolate(
            images[chosen], size=[max(1, round(side * share)) for side in size], mode="bilinear", antialias=True
        )
        out = images.clone()
        out[chosen] = F.interpolate(small, size=size, mode="bilinear")
        return out

    def _grainy(self, images: Tensor) -> Tensor:
        """Noise on some of the images, each with its own strength, up to a standard deviation of 0.08."""
        B = len(images)
        strength = 0.08 * torch.rand(B, device=images.device) * (torch.rand(B, device=images.device) < self.p)
        return images + strength[:, None, None, None] * torch.randn_like(images)


class LandmarkAugmentation(nn.Module):
    """Rotates, tilts, stretches and jitters (B, 21, 3) landmarks around their centre.

    In a 22nd row the direction of the picture's top is rotated along with the landmarks.

    Args:
        recipe: `rotation` and `tilt` are limits in degrees, `zoom` of the stretch of each axis, `noise` the standard
            deviation of each coordinate as a fraction of the hand's size, up to `noise_most` for some hands.
    """

    def __init__(self, recipe: AugmentRecipe) -> None:
        super().__init__()
        self.recipe = recipe

    def forward(self, landmarks: Tensor) -> Tensor:
        B = landmarks.shape[0]
        landmarks, top = landmarks[:, :_LANDMARKS], landmarks[:, _LANDMARKS:]
        spread = torch.tensor([self.recipe.tilt, self.recipe.tilt, self.recipe.rotation], device=landmarks.device)
        angles = torch.deg2rad(spread * (2 * torch.rand(B, 3, device=landmarks.device) - 1))
        landmarks = self._bent(landmarks)
        middle = landmarks.mean(dim=1, keepdim=True)
        points = (landmarks - middle) @ _rotations(angles).transpose(1, 2)  # (B, 21, 3)
        points = points * (1 + self.recipe.zoom * (2 * torch.rand(B, 1, 3, device=points.device) - 1))
        size = points.square().sum(dim=2).mean(dim=1).sqrt()[:, None, None]
        points = points + middle + self._noise(points) * size * torch.randn_like(points)
        if not top.shape[1]:
            return points
        in_plane = angles * angles.new_tensor([0.0, 0.0, 1.0])
        return torch.cat([points, top @ _rotations(in_plane).transpose(1, 2)], dim=1)

    def _noise(self, points: Tensor) -> Tensor | float:
        """The noise of each hand, (B, 1, 1), or of all: hands far away or blurred are read less exactly than others."""
        least, most = self.recipe.noise, self.recipe.noise_most
        if most <= least:
            return least
        return least + (most - least) * torch.rand(len(points), 1, 1, device=points.device).square()

    def _bent(self, landmarks: Tensor) -> Tensor:
        """Each finger rotated at its base: signers hold fingers that do not matter in their own ways."""
        if not self.recipe.bend:
            return landmarks
        B = landmarks.shape[0]
        fingers = landmarks[:, 1:].reshape(B * 5, 4, 3)  # thumb to little finger, base to tip
        base = fingers[:, :1]
        angles = torch.deg2rad(self.recipe.bend * torch.randn(B * 5, 3, device=landmarks.device))
        bent = (fingers - base) @ _rotations(angles).transpose(1, 2) + base
        return torch.cat([landmarks[:, :1], bent.reshape(B, 20, 3)], dim=1)


def mixup(samples: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Blend each sample and its target distribution with another of the batch (Zhang et al. 2018).

    Args:
        samples: (B, ...) float.
        targets: (B, L) float distributions.
        alpha: parameter of the Beta distribution of the blend; 0 changes nothing.
    """
    if not alpha:
        return samples, targets
    share = torch.distributions.Beta(alpha, alpha).sample().to(samples.device)
    partner = torch.randperm(len(samples), device=samples.device)
    return samples.lerp(samples[partner], 1 - share), targets.lerp(targets[partner], 1 - share)


def _rotations(angles: Tensor) -> Tensor:
    """(B, 3) angles around x, y and z in radians to (B, 3, 3) matrices, x applied first."""
    turn = torch.eye(3, device=angles.device).expand(len(angles), 3, 3)
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        cos, sin = angles[:, axis].cos(), angles[:, axis].sin()
        step = torch.eye(3, device=angles.device).repeat(len(angles), 1, 1)
        step[:, first, first], step[:, first, second] = cos, -sin
        step[:, second, first], step[:, second, second] = sin, cos
        turn = step @ turn
    return turn
