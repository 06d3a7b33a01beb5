"""Everything seen in one frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.scene.checks import TIME_DIGITS, naming
from mien.scene.detections import Face, Hand
from mien.scene.used_model import UsedModel
from mien.wording import as_text, json_text

if TYPE_CHECKING:
    from mien.outputs.draw import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything seen in one frame; the tuples are empty if there is no face or no hand.

    Args:
        source: the path or address of the frame.
        frame: its position in the source, from 0.
        time_s: seconds since the start of the source.
        size_hw: height and width of the frame in pixels.
        faces: the faces, in order of track or, without tracks, of size.
        hands: the hands, likewise.
        models: the tasks looked for, `emotion` or `gesture`, each with the model that answered; empty if unknown, as in
            records of older versions.
        image_rgb: (H, W, 3) uint8 RGB picture for `draw`; not compared, not written to JSON.
    """

    source: str
    frame: int
    time_s: float
    size_hw: tuple[int, int]
    faces: tuple[Face, ...] = ()
    hands: tuple[Hand, ...] = ()
    models: Mapping[str, UsedModel] = field(default_factory=dict, hash=False)
    image_rgb: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.frame < 0 or not math.isfinite(self.time_s):
            raise ValueError(
                f"a scene must have a frame number of 0 or more and a finite time, got {self.frame}, {self.time_s}"
            )
        if len(self.size_hw) != 2 or min(self.size_hw) < 1:
            raise ValueError(f"a scene must have a height and a width of at least 1, got {self.size_hw}")

    def draw(self, *, text_scale: float = 1.0) -> Picture:
        """The frame with boxes, landmarks and labels drawn on it; `.save("out.jpg")` writes it.

        Args:
            text_scale: of the size of labels.

        Raises:
            ValueError: the scene was read back from a record and has no picture.
        """
        from mien.outputs.draw import draw_scene

        return draw_scene(self, text_scale=text_scale)

    def to_dict(self) -> dict[str, Any]:
        """As JSON data and rows of tables have it; `source` as `mien.wording.as_text` gives it."""
        data = {
            "source": as_text(self.source),
            "frame": int(self.frame),
            "time_s": round(float(self.time_s), TIME_DIGITS),
            "size": [int(length) for length in self.size_hw],
            "faces": [face.to_dict() for face in self.faces],
            "hands": [hand.to_dict() for hand in self.hands],
        }
        if self.models:
            data["models"] = {task: model.to_dict() for task, model in self.models.items()}
        return data

    def to_json(self) -> str:
        """`to_dict` as one line of JSON, as `mien look --jsonl` writes it."""
        return json_text(self.to_dict(), allow_nan=False, default=_plain)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scene:
        """The scene that `to_dict` described, without its picture.

        Raises:
            ValueError: this is not a scene; what is missing or of another kind is named.
        """
        with naming("a scene"):
            height, width = data["size"]
            return cls(
                source=data["source"],
                frame=int(data["frame"]),
                time_s=float(data["time_s"]),
                size_hw=(int(height), int(width)),
                faces=tuple(Face.from_dict(face) for face in data["faces"]),
                hands=tuple(Hand.from_dict(hand) for hand in data["hands"]),
                models={str(task): UsedModel.from_dict(model) for task, model in data.get("models", {}).items()},
            )


def _plain(value: object) -> object:
    """NumPy numbers as Python numbers."""
    if isinstance(value, np.floating):
        return round(float(value), 4)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored in a record")
