"""Facial expression and hand gesture recognition on your own machine.

    import mien
    scene = mien.look("photo.jpg")
    scene.faces[0].label

Everything runs locally with the models inside the package. Names are loaded when they are first used, so that
`import mien` stays quick and silent.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.errors import (
        DataError,
        InputError,
        MienError,
        MissingExtra,
        ModelError,
        OutputError,
        RecipeError,
        UnknownName,
        UnreadableMedia,
    )
    from mien.labels import EMOTIONS, GESTURES, LabelSet
    from mien.pipeline import Analyzer, CropReader, Options, look, stream
    from mien.scene import Event, Face, Frame, Hand, Prediction, Scene, UsedModel

__version__ = "0.1.0"

_HOMES = {
    "Analyzer": "mien.pipeline",
    "CropReader": "mien.pipeline",
    "DataError": "mien.errors",
    "EMOTIONS": "mien.labels",
    "Event": "mien.scene",
    "Face": "mien.scene",
    "Frame": "mien.scene",
    "GESTURES": "mien.labels",
    "Hand": "mien.scene",
    "InputError": "mien.errors",
    "LabelSet": "mien.labels",
    "MienError": "mien.errors",
    "MissingExtra": "mien.errors",
    "ModelError": "mien.errors",
    "Options": "mien.pipeline",
    "OutputError": "mien.errors",
    "Prediction": "mien.scene",
    "RecipeError": "mien.errors",
    "Scene": "mien.scene",
    "UnknownName": "mien.errors",
    "UnreadableMedia": "mien.errors",
    "UsedModel": "mien.scene",
    "look": "mien.pipeline",
    "stream": "mien.pipeline",
}

__all__ = [
    "EMOTIONS",
    "GESTURES",
    "Analyzer",
    "CropReader",
    "DataError",
    "Event",
    "Face",
    "Frame",
    "Hand",
    "InputError",
    "LabelSet",
    "MienError",
    "MissingExtra",
    "ModelError",
    "Options",
    "OutputError",
    "Prediction",
    "RecipeError",
    "Scene",
    "UnknownName",
    "UnreadableMedia",
    "UsedModel",
    "look",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
