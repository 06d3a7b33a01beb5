"""The hands of MediaPipe 0.10.21 (`solutions.hands`). VARIANT: full or lite, its two models."""

from __future__ import annotations

import os

os.environ |= {"GLOG_minloglevel": "2"}

import mediapipe
import numpy as np


class Tool:
    def __init__(self, variant: str) -> None:
        of = {"model_complexity": int(variant == "full"), "max_num_hands": 4}
        self._still = mediapipe.solutions.hands.Hands(static_image_mode=True, **of)
        self._video = mediapipe.solutions.hands.Hands(static_image_mode=False, **of)

    def find(self, image_rgb: np.ndarray, still: bool) -> list:
        found = (self._still if still else self._video).process(np.ascontiguousarray(image_rgb)).multi_hand_landmarks
        height, width = image_rgb.shape[:2]
        boxes = []
        for hand in found or ():
            xs, ys = [point.x * width for point in hand.landmark], [point.y * height for point in hand.landmark]
            boxes.append((min(xs), min(ys), max(xs), max(ys)))
        return boxes


def open_tool(variant: str) -> Tool:
    return Tool(variant)
