"""The faces of a data set as a camera and the detector give them: for a calibration that holds away from the data."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mien.evaluation.evaluated_model import prepared
from mien.pixels.preprocess import InputSpec, crop_face, fit_crop, to_batch
from mien.recipes.tables import View
from mien.stages.faces import FaceDetector
from mien.train.augment import CameraCorruptions

CORRUPTED = 0.25
"""Probability of each of the camera's corruptions, so that three images in four have one or more."""

_ENLARGED = 192  # pixels of an image's longer side in the picture that the detector sees
_BATCH = 256
_SEED = 1


def batches_of_views(
    samples: NDArray[np.uint8], spec: InputSpec, views: Sequence[View]
) -> tuple[list[NDArray[np.float32]], int]:
    """The samples once for each view, prepared for a network.

    `own` is the data's own frame. `detected` is the crop of the face that the detector finds in the image, enlarged and
    with its border repeated, as in a frame of a video; an image in which it finds none keeps its own frame. `camera` is
    the same crop with what cameras do to it.

    Args:
        samples: (N, H, W[, 3]) uint8 images of faces, grey or RGB; others only in their own frame.
        spec: the network's input, with the frame of the crop.
        views: at least one.

    Returns:
        (N, ...) float32 for each view, and how many images the detector found no face in (0 if it was not asked).
    """
    own = prepared(samples, spec)
    if set(views) == {"own"}:
        return [own] * len(views), 0
    crops, missed = _detected(samples, spec)
    made = {"own": own, "detected": to_batch(crops, spec)}
    if "camera" in views:
        made["camera"] = _through_a_camera(crops, spec)
    return [made[view] for view in views], missed


def a_moment_apart(
    samples: NDArray[np.uint8], spec: InputSpec, views: Sequence[View]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Faces, and the same ones as a camera sees them a moment later, prepared for a network.

    Pictures are turned by up to 3 degrees, moved and scaled by up to 3 % of their side, made up to 10 % darker or
    brighter, and get noise with a standard deviation of 3 of 255; the same changes every time. The detector finds each
    face twice, in the enlarged image and in that a moment later. Faces that it does not find twice are left out; if
    that is all of them, or only the data's own frame is wanted, they stay in that.

    Args:
        samples: (N, H, W[, 3]) uint8 images of faces.
        spec: the network's input, with the frame of the crop.
        views: the export's; `own` alone asks no detector.

    Returns:
        (M, ...) float32 before and after, of the same M faces.
    """
    draw = np.random.default_rng(_SEED)
    pairs = []
    if set(views) != {"own"}:
        with FaceDetector() as detector:
            for sample in samples:
                now = _in_a_larger_picture(sample)
                crops = [_crop(detector, picture, spec) for picture in (now, _moved(now, draw))]
                pairs.append([crop for crop in crops if crop is not None])
    found = [pair for pair in pairs if len(pair) == 2]
    if not found:
        return prepared(samples, spec), prepared(np.stack([_moved(sample, draw) for sample in samples]), spec)
    before, after = (to_batch(np.stack(crops), spec) for crops in zip(*found, strict=True))
    return before, after


def _moved(sample: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
    height, width = sample.shape[:2]
    middle = (width - 1) / 2, (height - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, draw.uniform(-3, 3), draw.uniform(0.97, 1.03)), np.float64)
    matrix[:, 2] += draw.uniform(-0.03, 0.03, 2) * (width, height)
    moved = cv2.warpAffine(sample, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    lit = moved * draw.uniform(0.9, 1.1) + draw.normal(0, 3, sample.shape)
    return np.clip(np.round(lit), 0, 255).astype(np.uint8)


def _detected(samples: NDArray[np.uint8], spec: InputSpec) -> tuple[NDArray[np.uint8], int]:
    crops, missed = [], 0
    with FaceDetector() as detector:
        for sample in samples:
            crop = _crop(detector, _in_a_larger_picture(sample), spec)
            if crop is None:
                missed += 1
                crop = fit_crop(sample if sample.ndim == 3 else np.repeat(sample[..., None], 3, axis=2), spec)
            crops.append(crop)
    return np.stack(crops), missed


def _crop(detector: FaceDetector, picture_rgb: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8] | None:
    """The crop of the largest face, as in a frame of a video; None if there is none."""
    faces = detector.detect(picture_rgb, still=False)
    return crop_face(picture_rgb, faces[0].box_xyxy, spec, keypoints_xy=faces[0].keypoints_xy) if faces else None


def _in_a_larger_picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: the image with half its side of repeated border around it, enlarged."""
    border = max(image.shape[:2]) // 2
    bordered = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    scale = _ENLARGED / max(image.shape[:2])
    large = np.asarray(cv2.resize(bordered, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    return large if large.ndim == 3 else np.repeat(large[..., None], 3, axis=2)


def _through_a_camera(crops: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """The same corruptions every time."""
    corrupt = CameraCorruptions(CORRUPTED)
    parts = []
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(_SEED)
        for start in range(0, len(crops), _BATCH):
            part = torch.from_numpy(crops[start : start + _BATCH]).float() / 255
            part = part[:, None] if part.ndim == 3 else part.permute(0, 3, 1, 2)
            worse = (corrupt(part) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
            parts.append(worse[..., 0] if worse.shape[3] == 1 else worse)
    return to_batch(np.concatenate(parts), spec)
