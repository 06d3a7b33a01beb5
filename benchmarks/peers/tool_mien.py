"""mien itself. VARIANT: emotion or gesture."""

from __future__ import annotations

import numpy as np

from mien.pipeline import Analyzer, CropReader, Options
from mien.scene import Frame

FPS = 30.0


class Tool:
    def __init__(self, task: str) -> None:
        options = Options(tasks=(task,), threads=1)
        self._task, self._frames = task, 0
        self._analyzer, self._crops = Analyzer(options), CropReader("emotion", options)
        self._sequence = self._analyzer.sequence()

    def find(self, image_rgb: np.ndarray, still: bool) -> list:
        if still:
            scene = self._analyzer.look(image_rgb)
        else:
            scene = self._sequence.step(Frame(image_rgb=image_rgb, index=self._frames, time_s=self._frames / FPS))
            self._frames += 1
        return [one.box_xyxy for one in (scene.faces if self._task == "emotion" else scene.hands)]

    def read(self, face_rgb: np.ndarray) -> str:
        return self._crops.read(face_rgb).label


def open_tool(task: str) -> Tool:
    return Tool(task)
