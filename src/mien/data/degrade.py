"""Pictures of a hand degraded as by cameras, light and distance, for training on what is then read from them."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.pixels.boxes import RotatedRoi
from mien.pixels.preprocess import InputSpec, crop_square

REVISION = 1
"""Increased whenever the same picture and seed give a different one, so that cached readings are renewed."""

_SIDE = 160  # pixels of the largest crops; the hand takes about half
_SMALLEST = 24
_BLACK = 12  # of 255; pixels up to this around a hand that was cut out

Floats = NDArray[np.float32]


def degraded_hand(image_rgb: NDArray[np.uint8], hand: RotatedRoi, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The part of a picture around a hand, of 24 to 160 pixels a side, in worse conditions.

    The square is moved, scaled and rotated slightly, as a detector's is; half of the crops are mirrored, some narrowed
    as a hand seen from the side; hands cut out on black get a background; then size, light, colour, blur, noise, JPEG.

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
        hand: upright square around the hand, in pixels.
        rng: source of all randomness.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    square = RotatedRoi(hand.centre_xy, hand.side, hand.angle + math.radians(rng.normal(0, 12)))
    square = square.moved(rng.normal(0, 0.05), rng.uniform(-0.06, 0.12)).scaled(rng.uniform(0.82, 1.3))
    crop = crop_square(image_rgb, square.centre_xy, square.side, square.angle, InputSpec(size_hw=(_SIDE, _SIDE)))
    if (crop.max(axis=2) <= _BLACK).mean() > 0.3 and rng.random() < 0.75:
        crop = _with_background(crop, rng)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    if rng.random() < 0.3:
        crop = _from_the_side(crop, rng)
    side = round(math.exp(rng.uniform(math.log(_SMALLEST), math.log(_SIDE)))) if rng.random() < 0.75 else _SIDE
    small = np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.float32)
    worse = _grainy(_blurred(_lit(small, rng) if rng.random() < 0.7 else small, rng), rng)
    return _compressed(np.clip(worse, 0, 255).astype(np.uint8), rng)


def _with_background(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blocks, slopes or grain of any colours where a cut-out hand has black around it."""
    tiles = rng.integers(0, 256, (*rng.integers(2, 12, 2), 3)).astype(np.uint8)
    how = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(3)]
    texture = np.asarray(cv2.resize(tiles, (crop.shape[1], crop.shape[0]), interpolation=how), np.float32)
    mean = texture.mean(axis=(0, 1))
    texture = mean + (texture - mean) * rng.uniform(0.1, 0.8) + rng.normal(0, rng.uniform(0, 10), texture.shape)
    hand = np.asarray(cv2.GaussianBlur((crop.max(axis=2) > _BLACK).astype(np.float32), (0, 0), 0.9))[..., None]
    return np.asarray(np.clip(crop * hand + texture * (1 - hand), 0, 255), np.uint8)


def _from_the_side(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    side = crop.shape[1]
    narrow = rng.uniform(0.7, 1.1)
    matrix = np.array([[narrow, rng.normal(0, 0.08), side / 2 * (1 - narrow)], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(crop, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _lit(image: Floats, rng: np.random.Generator) -> Floats:
    """Another gamma; some darker, some overexposed, some in coloured light or nearly grey."""
    image = np.asarray(255 * (image / 255) ** math.exp(rng.normal(0, 0.35)), np.float32)
    if rng.random() < 0.35:
        image = image * np.float32(rng.uniform(0.15, 0.8))
    if rng.random() < 0.5:
        image = np.asarray(image * np.exp(rng.normal(0, 0.18, 3)), np.float32)
    if rng.random() < 0.2:
        grey = image.mean(axis=2, keepdims=True)
        image = grey + (image - grey) * np.float32(rng.random())
    if rng.random() < 0.15:
        image = image * np.float32(rng.uniform(1.1, 1.8))
    return np.clip(image, 0, 255)


def _blurred(image: Floats, rng: np.random.Generator) -> Floats:
    """Out of focus, or moved while the shutter was open."""
    if rng.random() < 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2)), np.float32)
    if rng.random() < 0.15:
        reach, angle = int(rng.integers(2, max(3, len(image) // 14))), rng.uniform(0, math.pi)
        x, y = round(reach * math.cos(angle)), round(reach * math.sin(angle))
        path = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        cv2.line(path, (reach - x, reach - y), (reach + x, reach + y), 1, 1)
        image = np.asarray(cv2.filter2D(image, -1, path / path.sum()), np.float32)
    return image


def _grainy(image: Floats, rng: np.random.Generator) -> Floats:
    if rng.random() < 0.4:
        image = image + np.float32(rng.uniform(1, 14)) * rng.standard_normal(image.shape, np.float32)
    return image


def _compressed(image_rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    if rng.random() >= 0.6:
        return image_rgb
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 92))]
    # The order of the channels is OpenCV's on the way in and out.
    _, encoded = cv2.imencode(".jpg", image_rgb[..., ::-1], quality)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)[..., ::-1].copy()
