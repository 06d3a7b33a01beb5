"""What mien sees: the value types that flow from a source to the outputs.

All are frozen and checked on creation. `to_dict` gives plain data, ready for JSON, in the form that the README
documents; `from_dict` reads it back. Boxes and landmarks are pixels of the source frame, x to the right, y down,
the origin at the top left corner of the top left pixel.
"""

from __future__ import annotations

from mien.scene.detections import Box, Detection, Face, Hand, Point, Side
from mien.scene.event import Event
from mien.scene.frame import Frame
from mien.scene.prediction import Grade, Prediction
from mien.scene.scene import Scene
from mien.scene.used_model import UsedModel

__all__ = [
    "Box",
    "Detection",
    "Event",
    "Face",
    "Frame",
    "Grade",
    "Hand",
    "Point",
    "Prediction",
    "Scene",
    "Side",
    "UsedModel",
]
