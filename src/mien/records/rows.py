"""Scenes as rows of a table, the same for CSV and Parquet: one for each face and hand of a frame.

A frame without any also has a row, of kind `none`, so that no moment is missing. Every row says which models looked, so
that tables can be cut, joined and appended to; an empty cell means that this task was not asked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from mien.scene import Scene

FRAME_COLUMNS = ("source", "frame", "time_s", "height", "width")
REGION_COLUMNS = (
    *("kind", "track", "x1", "y1", "x2", "y2", "score"),
    *("side", "label", "confidence", "uncertain", "grade", "baseline"),
)
MODEL_COLUMNS = {"emotion": "model_emotion", "gesture": "model_gesture"}
"""By task. They do not start with the task, because columns of scores, which do, are often selected by that."""
POINTING_COLUMNS = ("pointing_x", "pointing_y")


def table_columns(emotions: Sequence[str], gestures: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns, in order: frame, face or hand, a score for every label, where a finger points, the
    landmarks, and the models, which must stand last."""
    scores = (*(f"emotion_{label}" for label in emotions), *(f"gesture_{label}" for label in gestures))
    return (*FRAME_COLUMNS, *REGION_COLUMNS, *scores, *POINTING_COLUMNS, "landmarks", *MODEL_COLUMNS.values())


def csv_line(cells: Sequence[object]) -> str:
    """A row of CSV without its line end.

    A cell with a line feed or a carriage return in it, as a file name may have, is quoted; Python's writer does so only
    for those that are in its own line end.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")


def scene_rows(scene: Scene) -> list[dict[str, Any]]:
    """The rows of one scene, at least one; what does not apply is left out.

    Args:
        scene: numbers are rounded as in `Scene.to_dict`. The `landmarks` of a hand are 63 numbers: x, y, z of the 21
            points in order.
    """
    data = scene.to_dict()
    height, width = data["size"]
    frame = {key: data[key] for key in ("source", "frame", "time_s")} | {"height": height, "width": width}
    frame |= {MODEL_COLUMNS[task]: str(model) for task, model in scene.models.items() if task in MODEL_COLUMNS}
    rows = [frame | _cells("face", "emotion", face) for face in data["faces"]]
    for hand in data["hands"]:
        row = frame | _cells("hand", "gesture", hand)
        row["landmarks"] = [value for point in hand["landmarks"] for value in point]
        if hand["pointing"] is not None:
            row |= zip(POINTING_COLUMNS, hand["pointing"], strict=True)
        rows.append(row)
    return rows or [frame | {"kind": "none"}]


def _cells(kind: str, task: str, region: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of one face or hand, from its plain form."""
    scores = {f"{task}_{label}": value for label, value in region.get("scores", {}).items()}
    there = ("track", "score", "side", "label", "confidence", "uncertain", "grade")
    return {
        "kind": kind,
        **{key: region[key] for key in there if key in region},
        **({"baseline": region.get("baseline", False)} if kind == "face" and "label" in region else {}),
        **dict(zip(("x1", "y1", "x2", "y2"), region["box"], strict=True)),
        **scores,
    }
