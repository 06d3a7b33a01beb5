"""The face detectors of deepface that come with their weights. VARIANT: opencv or mtcnn."""

from __future__ import annotations

import os
import tempfile

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "DEEPFACE_HOME": tempfile.mkdtemp()}

import numpy as np
from deepface import DeepFace


class Tool:
    def __init__(self, detector: str) -> None:
        self._detector = detector

    def find(self, image_rgb: np.ndarray, _still: bool) -> list:
        try:
            found = DeepFace.extract_faces(
                np.ascontiguousarray(image_rgb[..., ::-1]), detector_backend=self._detector, align=False
            )
        except ValueError as error:
            if "could not be detected" in str(error) or "Face could not" in str(error):
                return []
            raise
        at = [one["facial_area"] for one in found]
        return [(one["x"], one["y"], one["x"] + one["w"], one["y"] + one["h"]) for one in at]


def open_tool(detector: str) -> Tool:
    return Tool(detector)
