"""Gestures of one's own: examples are read, small heads are fitted beside the package's network, a model folder grows.

teach_gesture("wave", "wave.mp4", "mine")
mien.look("photo.jpg", gesture_model="mine")
"""

from __future__ import annotations

from mien.teach.examples import ExampleReader
from mien.teach.lesson import Lesson, Progress
from mien.teach.model import Taught, forget_gesture, taught_model, teach_gesture, teach_takes
from mien.teach.takes import Take

__all__ = [
    "ExampleReader",
    "Lesson",
    "Progress",
    "Take",
    "Taught",
    "forget_gesture",
    "taught_model",
    "teach_gesture",
    "teach_takes",
]
