"""Faces and hands cut out of pictures by the run-time detectors, so that training crops equal live crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import UnknownName
from mien.labels import TASKS, Task
from mien.models.artifact import zoo_artifact
from mien.pixels.preprocess import ColourMode, InputSpec, crop_face, crop_hand
from mien.resource import Resource
from mien.scene import Box, Detection, Face, Point
from mien.stages.classify import EMOTION_MODEL
from mien.stages.faces import FaceDetector
from mien.stages.hands import HandDetector

HAND_SPEC = InputSpec(size_hw=(100, 100), colour="rgb", margin=0.25)
"""Upright and with some surroundings, like the pictures of the sign-language sets; the margin is added to that of a
hand's box. Measured on 23 hands of a clip and two photos: found again in all crops, in 21 without this margin."""


class Detector(Protocol):
    """Finds faces or hands, largest first: a FaceDetector, a HandDetector, or a fake in a test."""

    def detect(self, image_rgb: NDArray[np.uint8]) -> Sequence[Detection]: ...

    def close(self) -> None: ...


def check_task(name: str) -> Task:
    """The task of that name; raises UnknownName when there is none."""
    for task in TASKS:
        if name == task:
            return task
    raise UnknownName("task", name, TASKS)


def crop_spec(task: Task, *, size_hw: tuple[int, int] | None = None, colour: ColourMode | None = None) -> InputSpec:
    """How crops of a task are framed: for faces by the manifest of the emotion model, for hands by `HAND_SPEC`.

    Args:
        task: emotion (faces) or gesture (hands).
        size_hw: height and width in pixels; the task's when None.
        colour: rgb or grey; the task's when None.
    """
    spec = zoo_artifact(EMOTION_MODEL).manifest.input if task == "emotion" else HAND_SPEC
    spec = replace(spec, mean=(0.0,), std=(1.0,))  # crops are not normalised, and one number fits both colours
    return replace(spec, size_hw=size_hw or spec.size_hw, colour=colour or spec.colour)


class Cropper(Resource):
    """Finds faces or hands and cuts them out.

    Args:
        task: emotion (faces) or gesture (hands).
        spec: frame, size and colour of the crops; see `crop_spec`.
        detector: used and closed instead of the task's own.
    """

    def __init__(self, task: Task, spec: InputSpec, *, detector: Detector | None = None) -> None:
        self.task = task
        self.spec = spec
        self.what = "face" if task == "emotion" else "hand"
        if detector is None:
            detector = FaceDetector() if task == "emotion" else HandDetector()
        self._detector = detector

    def find(self, image_rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """The faces or hands of an (H, W, 3) uint8 RGB picture, largest first."""
        return tuple(self._detector.detect(image_rgb))

    def cut(self, image_rgb: NDArray[np.uint8], seen: Detection, *, spec: InputSpec | None = None) -> NDArray[np.uint8]:
        """One of them as a crop: (h, w) uint8 for grey, (h, w, 3) RGB for colour.

        Args:
            image_rgb: (H, W, 3) uint8 RGB, the picture it was found in.
            seen: what was found.
            spec: another size or colour than the cropper's.
        """
        points = seen.keypoints_xy if isinstance(seen, Face) else ()
        return self.cut_box(image_rgb, seen.box_xyxy, keypoints_xy=points, spec=spec)

    def cut_box(
        self,
        image_rgb: NDArray[np.uint8],
        box_xyxy: Box,
        *,
        keypoints_xy: Sequence[Point] = (),
        spec: InputSpec | None = None,
    ) -> NDArray[np.uint8]:
        """The crop for a box that came with the data.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            box_xyxy: left, top, right, bottom in pixels.
            keypoints_xy: the person's right eye and left eye, in pixels, to level a face; may be empty.
            spec: another size or colour than the cropper's.
        """
        spec = spec or self.spec
        if self.task == "emotion":
            return crop_face(image_rgb, box_xyxy, spec, keypoints_xy=keypoints_xy)
        return crop_hand(image_rgb, box_xyxy, spec)

    def close(self) -> None:
        """Free the detector."""
        self._detector.close()
