"""Faces and hands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mien.scene.checks import PIXEL_DIGITS, SCORE_DIGITS, check_track, check_unit, rounded
from mien.scene.prediction import Grade, Prediction

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Side = Literal["left", "right"]

_INDEX_BASE, _INDEX_TIP = 5, 8  # among a hand's landmarks
_IN_PICTURE = 0.2  # least share of a finger's length that shows where in the picture it points


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What faces and hands have in common.

    Args:
        box_xyxy: left, top, right, bottom in pixels; may extend beyond the frame.
        detection_score: the detector's confidence, 0 to 1.
        track: number that stays with it throughout a video, from 1.
        prediction: the expression or gesture; None before classification.
    """

    box_xyxy: Box
    detection_score: float
    track: int | None = None
    prediction: Prediction | None = None

    def __post_init__(self) -> None:
        _check_box(self.box_xyxy)
        check_unit("score", self.detection_score)
        check_track(self.track)

    @property
    def label(self) -> str | None:
        """The name of the expression or gesture, None before classification."""
        return self.prediction.label if self.prediction else None

    @property
    def confidence(self) -> float | None:
        """Probability of the label, None before classification."""
        return self.prediction.confidence if self.prediction else None

    @property
    def uncertain(self) -> bool:
        """Whether the answer should be taken as "not sure"; True before classification."""
        return self.prediction.uncertain if self.prediction else True

    @property
    def grade(self) -> Grade:
        """How far to trust the answer: `sure`, `perhaps` or `unclear`; `unclear` before classification."""
        return self.prediction.grade if self.prediction else "unclear"

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Probability of every name of the label set; empty before classification."""
        return self.prediction.probabilities if self.prediction else {}

    def to_dict(self) -> dict[str, Any]:
        return {
            "track": None if self.track is None else int(self.track),
            "box": rounded(self.box_xyxy, PIXEL_DIGITS),
            "score": round(float(self.detection_score), SCORE_DIGITS),
            **self._own_dict(),
            **(self.prediction.to_dict() if self.prediction else {}),
        }

    def _own_dict(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Face(Detection):
    """A face in a frame.

    Args:
        keypoints_xy: right eye, left eye, nose tip, right and left corner of the mouth of the person (the person's
            right eye is on the left of an unmirrored picture), in pixels; may be empty. Not written to JSON.
        roll_known: whether the key points tell which way up the face is; where they do not, its expression is read all
            four ways round and is seldom sure. Not written to JSON.
        box_xyxy, detection_score, track, prediction: as in `Detection`.
    """

    keypoints_xy: tuple[Point, ...] = ()
    roll_known: bool = True

    def __post_init__(self) -> None:
        Detection.__post_init__(self)
        if any(len(point) != 2 or not all(map(math.isfinite, point)) for point in self.keypoints_xy):
            raise ValueError(f"keypoints must be pairs of finite numbers, got {self.keypoints_xy}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Face:
        return cls(**_seen(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand(Detection):
    """A hand in a frame.

    Args:
        side: which of the person's hands it is, in an unmirrored picture.
        landmarks_xyz: 21 points in MediaPipe's order (wrist, then thumb to little finger, base to tip); x and y in
            pixels, z in the same unit, relative to the wrist, smaller towards the camera.
        box_xyxy, detection_score, track, prediction: as in `Detection`.
    """

    side: Side
    landmarks_xyz: tuple[tuple[float, float, float], ...]

    def __post_init__(self) -> None:
        Detection.__post_init__(self)
        if self.side not in ("left", "right"):
            raise ValueError(f"a hand must be 'left' or 'right', got {self.side!r}")
        finite = (len(point) == 3 and all(map(math.isfinite, point)) for point in self.landmarks_xyz)
        if len(self.landmarks_xyz) != 21 or not all(finite):
            raise ValueError("a hand must have 21 landmarks of 3 finite numbers each")

    @property
    def pointing_xy(self) -> Point | None:
        """Where a pointing finger points in the frame: a direction of length 1, x to the right and y down, from the
        base of the forefinger to its tip.

        None if the gesture is not `point`, or if the finger points so nearly at the camera or away from it that its
        direction in the picture means little. In a mirrored frame x has the other sign, as everything in it has.
        """
        if self.label != "point":
            return None
        x, y, z = (b - a for a, b in zip(self.landmarks_xyz[_INDEX_BASE], self.landmarks_xyz[_INDEX_TIP], strict=True))
        seen, whole = math.hypot(x, y), math.hypot(x, y, z)
        return None if seen <= _IN_PICTURE * whole else (x / seen, y / seen)

    def _own_dict(self) -> dict[str, Any]:
        pointing = self.pointing_xy
        return {
            "side": self.side,
            "landmarks": [rounded(point, PIXEL_DIGITS) for point in self.landmarks_xyz],
            "pointing": None if pointing is None else rounded(pointing, SCORE_DIGITS),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Hand:
        landmarks = tuple((float(x), float(y), float(z)) for x, y, z in data["landmarks"])
        return cls(side=data["side"], landmarks_xyz=landmarks, **_seen(data))


def _seen(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Detection` from what `to_dict` gave."""
    return {
        "box_xyxy": _box(data["box"]),
        "detection_score": float(data["score"]),
        "track": data.get("track"),
        "prediction": Prediction.from_dict(data) if "label" in data else None,
    }


def _box(values: Any) -> Box:
    x1, y1, x2, y2 = (float(v) for v in values)
    return x1, y1, x2, y2


def _check_box(box_xyxy: Box) -> None:
    x1, y1, x2, y2 = box_xyxy
    if not all(map(math.isfinite, box_xyxy)) or x2 <= x1 or y2 <= y1:
        raise ValueError(f"a box must be finite (left, top, right, bottom) and have an area, got {box_xyxy}")
