"""From a picture and a face or hand to a network's input: the only implementation, for both training and run time.

Two steps, in this order: a crop (uint8, stored in data sets as is) and a batch (float, normalised). A data set of
ready-made crops enters at the second step, so both paths give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.scene import Box, Point

ColourMode = Literal["rgb", "grey"]
Layout = Literal["nchw", "nhwc"]
Kind = Literal["image", "landmarks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """The input that a model expects; it travels in the manifest.

    Args:
        size_hw: height and width of the input in pixels; for landmarks their number and coordinates, (21, 3).
        kind: `image`, or `landmarks` (canonical hand landmarks; colour, layout, mean and std are then unused).
        colour: `rgb` (three channels in that order) or `grey` (one).
        layout: `nchw` or `nhwc`.
        mean: subtracted per channel after scaling pixels to 0..1.
        std: divisor per channel.
        margin: how far a crop extends beyond the detected box on each side, as a fraction of the box's longer side.
        lift: how far the centre of a crop lies above that of the box, as a fraction of the box's longer side.
        level: whether faces are rotated until eyes and mouth are level.
    """

    size_hw: tuple[int, int]
    kind: Kind = "image"
    colour: ColourMode = "rgb"
    layout: Layout = "nchw"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    margin: float = 0.0
    lift: float = 0.0
    level: bool = False

    def __post_init__(self) -> None:
        if len(self.size_hw) != 2 or min(self.size_hw) < 1:
            raise ValueError(f"size_hw must be a height and a width of at least 1, got {self.size_hw}")
        if self.colour not in ("rgb", "grey") or self.layout not in ("nchw", "nhwc"):
            raise ValueError(f"colour must be rgb or grey and layout nchw or nhwc, got {self.colour}, {self.layout}")
        if self.kind not in ("image", "landmarks"):
            raise ValueError(f"kind must be image or landmarks, got {self.kind}")
        if len(self.mean) not in (1, self.channels) or len(self.std) != len(self.mean):
            raise ValueError(f"mean and std must have one number, or one per channel, got {self.mean}, {self.std}")
        if not all(map(math.isfinite, (*self.mean, *self.std))):
            raise ValueError(f"mean and std must be finite numbers, got {self.mean}, {self.std}")
        if min(self.std) <= 0 or not -0.5 < self.margin < 2 or not -1 <= self.lift <= 1:
            raise ValueError(
                "std must be above 0, margin between -0.5 and 2, and lift between -1 and 1, "
                f"got {self.std}, {self.margin}, {self.lift}"
            )

    @property
    def channels(self) -> int:
        """1 for grey, 3 for rgb."""
        return 1 if self.colour == "grey" else 3

    def to_dict(self) -> dict[str, Any]:
        return {
            "size_hw": list(self.size_hw),
            "kind": self.kind,
            "colour": self.colour,
            "layout": self.layout,
            "mean": list(self.mean),
            "std": list(self.std),
            "margin": self.margin,
            "lift": self.lift,
            "level": self.level,
        }


def to_batch(images: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Normalise crops into a network's input.

    Args:
        images: (N, H, W) or (N, H, W, 3) uint8, RGB, 0 to 255, already of the spec's size and colour.
        spec: the model's input.

    Returns:
        (N, C, H, W) or (N, H, W, C) float32: (pixel / 255 - mean) / std.
    """
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[1:] != (*spec.size_hw, spec.channels) or images.dtype != np.uint8:
        raise ValueError(
            f"expected crops of {spec.size_hw} with {spec.channels} channels, uint8, got {images.shape}, {images.dtype}"
        )
    scale = (1.0 / (255.0 * np.asarray(spec.std))).astype(np.float32)
    shift = (np.asarray(spec.mean) / np.asarray(spec.std)).astype(np.float32)
    if spec.layout == "nchw":  # rearranged before the arithmetic: four times faster than after it
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        scale, shift = scale[:, None, None], shift[:, None, None]
    batch = np.multiply(images, scale, dtype=np.float32)
    if shift.any():
        batch -= shift
    return batch


def fit_crop(crop_rgb: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Bring a ready-made crop to a model's size and colour, for pictures that already are the face or hand.

    Args:
        crop_rgb: (H, W, 3) uint8 RGB.
        spec: the model's input.

    Returns:
        (h, w) uint8 for grey, (h, w, 3) for rgb.
    """
    return _resize(_coloured(crop_rgb, spec.colour), spec.size_hw)


def crop_face(
    image_rgb: NDArray[np.uint8], box_xyxy: Box, spec: InputSpec, *, keypoints_xy: Sequence[Point] = ()
) -> NDArray[np.uint8]:
    """Cut a square around a face; what lies outside the picture repeats its border.

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
        box_xyxy: the detector's box in pixels.
        spec: the model's input; its margin and level decide the frame of the crop.
        keypoints_xy: as for `face_angle`; needed only when the spec levels faces.

    Returns:
        (h, w) uint8 for grey, (h, w, 3) for rgb.
    """
    x1, y1, x2, y2 = box_xyxy
    side = max(x2 - x1, y2 - y1)
    angle = face_angle(keypoints_xy) if spec.level else 0.0
    up = spec.lift * side
    centre = ((x1 + x2) / 2 + up * math.sin(angle), (y1 + y2) / 2 - up * math.cos(angle))
    return crop_square(image_rgb, centre, side * (1 + 2 * spec.margin), angle, spec)


def crop_hand(image_rgb: NDArray[np.uint8], box_xyxy: Box, spec: InputSpec) -> NDArray[np.uint8]:
    """Cut an upright square around a hand; what lies outside the picture repeats its border.

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
        box_xyxy: the detector's box in pixels.
        spec: the model's input; its margin decides how much around the hand is visible.

    Returns:
        (h, w) uint8 for grey, (h, w, 3) for rgb.
    """
    x1, y1, x2, y2 = box_xyxy
    side = max(x2 - x1, y2 - y1) * (1 + 2 * spec.margin)
    return crop_square(image_rgb, ((x1 + x2) / 2, (y1 + y2) / 2), side, 0.0, spec)


def crop_square(
    image_rgb: NDArray[np.uint8], centre_xy: Point, side: float, angle: float, spec: InputSpec
) -> NDArray[np.uint8]:
    """Cut a rotated square out of a picture and bring it to the spec's size and colour.

    Args:
        image_rgb: (H, W, 3) uint8 RGB.
        centre_xy: centre of the square in pixels.
        side: its side length in pixels.
        angle: radians; the square's right-hand direction in the picture (clockwise on screen when positive).
        spec: the model's input.

    Returns:
        (h, w) uint8 for grey, (h, w, 3) for rgb.
    """
    height, width = spec.size_hw
    # Where the source is larger it is sampled about once a pixel, then averaged down: one warp to the size would alias.
    oversample = int(np.clip(round(side / max(height, width)), 1, 8))
    scale_x, scale_y = side / (width * oversample), side / (height * oversample)
    cos, sin = math.cos(angle), math.sin(angle)
    cx, cy = centre_xy
    half_w, half_h = (width * oversample - 1) / 2, (height * oversample - 1) / 2
    to_source = np.array(
        [
            [cos * scale_x, -sin * scale_y, cx - 0.5 - cos * scale_x * half_w + sin * scale_y * half_h],
            [sin * scale_x, cos * scale_y, cy - 0.5 - sin * scale_x * half_w - cos * scale_y * half_h],
        ]
    )
    if spec.colour != "rgb":  # of a large picture, changing the colour of what is not needed would take longest
        reach = (abs(cos) + abs(sin)) * side / 2 + 2  # interpolation looks at one pixel further
        (left, right), (top, bottom) = (
            (int(np.clip(c - reach, 0, size - 1)), int(np.clip(c + reach + 1, 1, size)))
            for c, size in zip(centre_xy, image_rgb.shape[1::-1], strict=True)
        )
        image_rgb = image_rgb[top:bottom, left:right]
        to_source[:, 2] -= left, top
    patch = cv2.warpAffine(
        _coloured(image_rgb, spec.colour),
        to_source,
        (width * oversample, height * oversample),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return _resize(np.asarray(patch, np.uint8), spec.size_hw)


def face_angle(keypoints_xy: Sequence[Point]) -> float:
    """How far a face is rolled: radians, clockwise on screen, -pi to pi; 0 without key points.

    Args:
        keypoints_xy: the person's right eye and left eye, and possibly nose tip, right and left corner of the mouth:
            the mouth tells up from down, and steadies the angle where the eyes look close together, as in a half
            profile.
    """
    if len(keypoints_xy) < 2:
        return 0.0
    (ax, ay), (bx, by) = keypoints_xy[0], keypoints_xy[1]
    right, down = bx - ax, by - ay
    if len(keypoints_xy) == 5:
        (cx, cy), (dx, dy) = keypoints_xy[3], keypoints_xy[4]
        right += dx - cx + (cy + dy - ay - by) / 2
        down += dy - cy - (cx + dx - ax - bx) / 2
    return math.atan2(down, right)


def _coloured(image_rgb: NDArray[np.uint8], colour: ColourMode) -> NDArray[np.uint8]:
    if colour == "rgb":
        return image_rgb
    return np.asarray(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _resize(image: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    # Averaged along a side that shrinks, interpolated along one that grows; OpenCV cannot do both in one call.
    height, width = min(image.shape[0], size_hw[0]), min(image.shape[1], size_hw[1])
    if image.shape[:2] != (height, width):
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if size_hw != (height, width):
        image = np.asarray(cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    return image
