"""The package fer, as its readme calls it. VARIANT: haar, mtcnn, or mtcnn-rgb.

Its readme gives it pictures as OpenCV reads them, BGR, and it gives them to MTCNN as they are, which was trained on
RGB; mtcnn-rgb gives it RGB, which its own network, for grey faces, hardly notices.
"""

from __future__ import annotations

import os
import time
import warnings

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.library import Library  # noqa: E402


def _suppressed(boxes: torch.Tensor, scores: torch.Tensor, least: float) -> torch.Tensor:
    """Non-maximum suppression in numpy, as `torchvision.ops.nms`; its time is counted in `_suppressed.took_s`."""
    began = time.perf_counter()
    at, order, kept = boxes.numpy(), scores.numpy().argsort()[::-1], []
    areas = (at[:, 2] - at[:, 0]) * (at[:, 3] - at[:, 1])
    while order.size:
        first, rest = order[0], order[1:]
        kept.append(first)
        corner = np.minimum(at[first, 2:], at[rest, 2:]) - np.maximum(at[first, :2], at[rest, :2])
        shared = corner.clip(min=0).prod(axis=1)
        order = rest[shared <= least * (areas[first] + areas[rest] - shared)]
    _suppressed.took_s += time.perf_counter() - began
    return torch.from_numpy(np.array(kept, np.int64))


_suppressed.took_s = 0.0
try:
    import torchvision  # noqa: F401
except RuntimeError:  # its compiled half is for CUDA and does not load beside a torch for processors
    _library = Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _library.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision.ops import boxes as _boxes

    _boxes.nms = _suppressed

from fer.fer import FER  # noqa: E402


class Tool:
    def __init__(self, variant: str) -> None:
        torch.set_num_threads(1)
        self._order = 1 if variant == "mtcnn-rgb" else -1
        self._fer = FER(mtcnn=variant != "haar")
        self._reader = FER(offsets=(0, 0))  # of pictures that are the face

    def find(self, image_rgb: np.ndarray, _still: bool) -> list:
        found = self._fer.detect_emotions(np.ascontiguousarray(image_rgb[..., :: self._order]))
        return [(x, y, x + w, y + h) for x, y, w, h in (one["box"] for one in found)]

    def read(self, face_rgb: np.ndarray) -> str:
        height, width = face_rgb.shape[:2]
        (one,) = self._reader.detect_emotions(face_rgb, face_rectangles=[(0, 0, width, height)])
        return max(one["emotions"], key=one["emotions"].get)


def open_tool(variant: str) -> Tool:
    return Tool(variant)
