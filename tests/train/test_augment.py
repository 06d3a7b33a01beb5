from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mien.errors import RecipeError
from mien.labels import EMOTIONS, LabelSet
from mien.recipes.tables import AugmentRecipe
from mien.train.augment import LandmarkAugmentation, image_augmentation, mixup

EVERYTHING: dict[str, Any] = {
    "rotation": 20.0,
    "shear": 5.0,
    "zoom": 0.2,
    "shift": 0.1,
    "flip": True,
    "contrast": 0.3,
    "brightness": 0.2,
    "erasing": 0.5,
    "camera": 0.3,
}


def changed(images: Tensor, **settings: Any) -> Tensor:
    result = image_augmentation(AugmentRecipe(**settings), EMOTIONS)(images)
    assert isinstance(result, Tensor)
    return result


def distances(points: Tensor) -> Tensor:
    return torch.cdist(points, points)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("settings", [EVERYTHING, *({name: value} for name, value in EVERYTHING.items())], ids=str)
def test_shape_and_range_are_kept_and_something_changes(settings: dict[str, Any], channels: int) -> None:
    images = torch.rand(16, channels, 24, 24)
    out = changed(images, **settings)
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert out.min() >= -1e-6
    assert out.max() <= 1 + 1e-6
    assert not torch.equal(out, images)


def test_no_settings_no_change() -> None:
    images = torch.rand(4, 1, 24, 24)
    assert torch.equal(changed(images), images)


def test_a_flip_mirrors_half_of_the_images() -> None:
    images = torch.rand(64, 1, 8, 8)
    out = changed(images, flip=True)
    mirrored = (out == images.flip(3)).flatten(1).all(dim=1)
    same = (out == images).flatten(1).all(dim=1)
    assert (mirrored ^ same).all()
    assert 16 <= mirrored.sum() <= 48


def test_a_flip_is_refused_where_a_mirror_changes_the_label() -> None:
    sides = LabelSet("sides", ("left", "right"), mirror_safe=False)
    with pytest.raises(RecipeError, match="flip = true would change the labels of sides"):
        image_augmentation(AugmentRecipe(flip=True), sides)
    image_augmentation(AugmentRecipe(rotation=10.0), sides)


def test_turned_images_have_no_black_corners() -> None:
    out = changed(torch.ones(32, 1, 24, 24), rotation=40.0, shift=0.2, zoom=0.2)
    assert out.min() > 0.99


def test_each_image_is_changed_in_its_own_way() -> None:
    out = changed(torch.rand(1, 1, 16, 16).repeat(8, 1, 1, 1), rotation=30.0, contrast=0.4)
    assert len({tuple(image.flatten().tolist()) for image in out}) == 8


def test_landmarks_turned_and_tilted_keep_their_distances_and_middle() -> None:
    points = torch.randn(32, 21, 3)
    out = LandmarkAugmentation(AugmentRecipe(rotation=90.0, tilt=40.0))(points)
    assert not torch.allclose(out, points, atol=0.1)
    torch.testing.assert_close(distances(out), distances(points), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(out.mean(dim=1), points.mean(dim=1), atol=1e-5, rtol=1e-5)
    # No mirror image: a left hand would become a right one.
    spans = [torch.linalg.det(p[:, 1:4] - p[:, :1]).sign() for p in (points, out)]
    assert torch.equal(*spans)


def test_a_tilt_turns_out_of_the_picture_plane_around_both_of_its_axes() -> None:
    points = torch.randn(32, 21, 3)
    out = LandmarkAugmentation(AugmentRecipe(tilt=40.0))(points)
    torch.testing.assert_close(distances(out), distances(points), atol=1e-4, rtol=1e-4)
    assert ((out - points).abs().mean(dim=(0, 1)) > 0.05).all()


def test_a_rotation_alone_stays_in_the_picture_plane_and_within_its_limit() -> None:
    points = torch.randn(200, 21, 3)
    out = LandmarkAugmentation(AugmentRecipe(rotation=30.0))(points)
    torch.testing.assert_close(out[..., 2], points[..., 2], atol=1e-5, rtol=1e-5)
    before, after = (p[:, 1, :2] - p[:, 0, :2] for p in (points, out))
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    angle = torch.rad2deg(torch.atan2(cross, (before * after).sum(dim=1)))
    assert angle.abs().max() <= 30.01
    assert angle.max() > 20
    assert angle.min() < -20


def test_noise_is_a_fraction_of_the_size_of_the_hand() -> None:
    points = torch.randn(300, 21, 3)
    for scale in (1.0, 50.0):
        out = LandmarkAugmentation(AugmentRecipe(noise=0.05))(scale * points)
        size = (scale * (points - points.mean(dim=1, keepdim=True))).square().sum(dim=2).mean(dim=1).sqrt()
        share = (out - scale * points).flatten(1).std(dim=1) / size
        assert share.mean().item() == pytest.approx(0.05, rel=0.05)


def test_each_hand_has_its_own_noise_between_two_limits() -> None:
    points = torch.randn(3000, 21, 3)
    out = LandmarkAugmentation(AugmentRecipe(noise=0.02, noise_most=0.12))(points)
    size = (points - points.mean(dim=1, keepdim=True)).square().sum(dim=2).mean(dim=1).sqrt()
    share = (out - points).flatten(1).std(dim=1) / size
    assert 0.012 < share.min() < 0.025
    assert 0.1 < share.max() < 0.16
    assert share.median() < 0.06, "most hands are read rather exactly"


def test_zoom_stretches_each_axis_within_its_limit() -> None:
    points = torch.randn(100, 21, 3)
    points = points - points.mean(dim=1, keepdim=True)
    ratio = LandmarkAugmentation(AugmentRecipe(zoom=0.2))(points) / points
    assert ratio.min() >= 0.79
    assert ratio.max() <= 1.21
    assert ratio.std(dim=1).max() < 0.01
    assert ratio[:, 0].std() > 0.05


def test_no_landmark_settings_no_change() -> None:
    points = torch.randn(4, 21, 3)
    torch.testing.assert_close(LandmarkAugmentation(AugmentRecipe())(points), points, atol=1e-5, rtol=1e-5)


def test_mixup_blends_samples_and_targets_by_the_same_share() -> None:
    labels = torch.arange(6)
    targets = torch.eye(6)[labels]
    # A sample is its own one-hot target, so blending both alike keeps them equal.
    samples, mixed = mixup(targets.clone(), targets, 1.0)
    torch.testing.assert_close(mixed.sum(dim=1), torch.ones(6))
    torch.testing.assert_close(samples, mixed)
    assert ((mixed > 0).sum(dim=1) <= 2).all()
    assert not torch.equal(mixed, targets)


def test_mixup_of_nothing_changes_nothing() -> None:
    samples, targets = torch.rand(4, 1, 8, 8), torch.eye(4)
    assert mixup(samples, targets, 0.0) == (samples, targets)


def test_the_direction_of_the_top_turns_with_the_landmarks() -> None:
    torch.manual_seed(0)
    landmarks = torch.randn(32, 21, 3)
    top = torch.tensor([[0.6, -0.8, 0.0]]).expand(32, 1, 3)
    plain = LandmarkAugmentation(AugmentRecipe(rotation=0.0))(torch.cat([landmarks, top], dim=1))
    torch.testing.assert_close(plain, torch.cat([landmarks, top], dim=1))
    turned = LandmarkAugmentation(AugmentRecipe(rotation=40.0))(torch.cat([landmarks, top], dim=1))
    torch.testing.assert_close(turned[:, 21].norm(dim=1), torch.ones(32))

    def angle(points: torch.Tensor) -> torch.Tensor:
        return torch.atan2(points[..., 1], points[..., 0])

    moved = turned[:, :21] - turned[:, :21].mean(dim=1, keepdim=True)
    before = landmarks - landmarks.mean(dim=1, keepdim=True)
    by_landmarks = angle(moved[:, 4]) - angle(before[:, 4])
    by_top = angle(turned[:, 21]) - angle(top[:, 0])
    torch.testing.assert_close((by_landmarks - by_top).cos(), torch.ones(32), atol=1e-4, rtol=0)
    assert by_top.abs().max() > 0.3
