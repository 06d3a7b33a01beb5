from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.likeness import HASH_BITS, check_images, near_pairs, perceptual_hashes
from mien.errors import DataError

Image = NDArray[np.uint8]


def scenes(count: int, *, side: int = 48, seed: int = 0) -> Image:
    """(N, side, side) smooth pictures that have nothing in common."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 7, 7), dtype=np.uint8)
    return np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in coarse])


def compressed(image: Image) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0), np.uint8)


CHANGES: dict[str, Callable[[Image], Image]] = {
    "darker": lambda image: (image * 0.7).astype(np.uint8),
    "less contrast": lambda image: (image * 0.5 + 64).astype(np.uint8),
    "compressed": compressed,
    "smaller and back": lambda image: cv2.resize(cv2.resize(image, (30, 30), interpolation=cv2.INTER_AREA), (48, 48)),
    "cropped": lambda image: cv2.resize(image[1:-1, 1:-1], (48, 48)),
    "noisy": lambda image: np.clip(image + np.random.default_rng(1).normal(0, 6, image.shape), 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_strangers_are_not(change: str) -> None:
    images = scenes(40)
    copy = CHANGES[change](images[7])
    assert near_pairs(np.concatenate([images, copy[None]])).tolist() == [[7, 40]]


def test_strangers_are_not_alike() -> None:
    assert near_pairs(scenes(300)).shape == (0, 2)


def test_hashes_do_not_see_brightness_and_contrast() -> None:
    images = scenes(30)
    first, second = perceptual_hashes(images), perceptual_hashes((images * 0.5 + 60).astype(np.uint8))
    assert first.shape == (30, HASH_BITS)
    assert (first != second).sum(axis=1).max() <= 4


def test_colour_is_compared_as_grey() -> None:
    grey = scenes(20)
    rgb = grey[..., None].repeat(3, axis=3)
    np.testing.assert_array_equal(perceptual_hashes(grey), perceptual_hashes(rgb))


def test_pairs_are_ordered_and_all_of_a_set_are_there() -> None:
    image = scenes(1)[0]
    versions = np.stack([(image * share).astype(np.uint8) for share in (1, 0.9, 0.8, 0.7)])
    assert near_pairs(versions).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    images = scenes(25)
    images = np.concatenate([images, (images * 0.8).astype(np.uint8)])
    whole = near_pairs(images)
    assert len(whole) == 25
    monkeypatch.setattr("mien.data.likeness._BLOCK_ROWS", 4)
    steps: list[int] = []
    np.testing.assert_array_equal(near_pairs(images, on_step=steps.append), whole)
    assert steps[-1] == 50


def test_one_single_shade_is_like_nothing() -> None:
    blank = np.full((3, 48, 48), 7, np.uint8)
    blank[1] = 200
    assert len(near_pairs(np.concatenate([blank, scenes(3)]))) == 0


def test_stricter_is_fewer() -> None:
    images = scenes(30)
    noise = np.random.default_rng(2).normal(0, 40, images.shape)
    images = np.concatenate([images, np.clip(images + noise, 0, 255).astype(np.uint8)])
    found = [
        len(near_pairs(images, distance=d, correlation=c)) for d, c in ((20, 0.5), (10, 0.5), (10, 0.95), (0, 1.0))
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare(count: int) -> None:
    assert near_pairs(scenes(3)[:count]).shape == (0, 2)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((4, 21, 3), np.float32), ((4, 8, 8), np.float32), ((4, 8, 8, 4), np.uint8), ((4, 8), np.uint8)],
    ids=["landmarks", "float pictures", "four channels", "flat"],
)
def test_only_pictures_are_compared(shape: tuple[int, ...], dtype: type) -> None:
    with pytest.raises(DataError, match=r"hands\.npz holds features of the shape .* not pictures"):
        check_images(np.zeros(shape, dtype), source="hands.npz")


@pytest.mark.parametrize("shape", [(0, 48, 48), (2, 5, 7), (2, 5, 7, 3)])
def test_grey_and_colour_are_pictures(shape: tuple[int, ...]) -> None:
    check_images(np.zeros(shape, np.uint8), source="")
