"""What mien sees: the value types that flow from a source to the outputs.

All are frozen and checked on creation. `to_dict` gives plain data, ready for JSON, in the form that the README
documents; `from_dict` reads it back. Boxes and landmarks are pixels of the source frame, x to the right, y down,
the origin at the top left corner of the top left pixel.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mien.outputs.draw import Picture

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Side = Literal["left", "right"]
Grade = Literal["sure", "perhaps", "unclear"]

_INDEX_BASE, _INDEX_TIP = 5, 8  # among a hand's landmarks
_IN_PICTURE = 0.2  # least share of a finger's length that shows where in the picture it points

_SCORE_DIGITS = 4
_PIXEL_DIGITS = 2
_TIME_DIGITS = 4
_HASH_DIGITS = 12
_USED_MODEL = re.compile(r"(\S+) (.+) \(sha256 ([0-9a-f]*)\) threshold ([0-9.e+-]+)(?: on (.+))?")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source.

    Args:
        image_rgb: (H, W, 3) uint8, RGB, 0 to 255.
        index: position in the source, from 0, counting every frame of a video.
        time_s: seconds since the start of the source, as the file says; 0 for a photo.
        source: the path or address it came from.
        still: a photo: nothing like it comes next, so it may be searched more closely than a frame of a video.
    """

    image_rgb: NDArray[np.uint8]
    index: int = 0
    time_s: float = 0.0
    source: str = ""
    still: bool = False

    def __post_init__(self) -> None:
        image = self.image_rgb
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError(f"a frame must be (H, W, 3) uint8 RGB, got shape {image.shape}, {image.dtype}")
        if self.index < 0 or not math.isfinite(self.time_s):
            raise ValueError(
                f"a frame must have an index of 0 or more and a finite time, got {self.index}, {self.time_s}"
            )

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image_rgb.shape[0], self.image_rgb.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedModel:
    """Which model answered: tells a record from one made by another model or with another threshold.

    `str()` gives one line for tables, "emotion_residual 4 (sha256 2f15f6f9578e) threshold 0.7835"; `parse` reads it.

    Args:
        name: as in its manifest; your own model folders may have any name, so compare `sha256`.
        version: version of the weights, as in its manifest.
        threshold: the confidence that was used, 0 to 1, below which its answers count as uncertain.
        sha256: the first 12 digits of the hash of its weights.
        detector: name and version of the detector, several joined by " + "; empty for a crop or if unknown.
    """

    name: str
    version: str
    threshold: float
    sha256: str = ""
    detector: str = ""

    def __post_init__(self) -> None:
        _check_unit("threshold", self.threshold)
        object.__setattr__(self, "sha256", self.sha256[:_HASH_DIGITS])

    def __str__(self) -> str:
        return f"{self.name} {self.version} (sha256 {self.sha256}) threshold {float(self.threshold)!r}"

    @classmethod
    def parse(cls, text: str) -> UsedModel:
        """Read what `str()` gave, optionally followed by " on DETECTOR". Raises ValueError for any other text."""
        parts = _USED_MODEL.fullmatch(text)
        if parts is None:
            raise ValueError(
                f"a model must be written as NAME VERSION (sha256 DIGITS) threshold NUMBER, got {text[:200]!r}"
            )
        name, version, digits, threshold, detector = parts.groups()
        return cls(name=name, version=version, sha256=digits, threshold=float(threshold), detector=detector or "")

    def to_dict(self) -> dict[str, Any]:
        data = {"name": self.name, "version": self.version, "threshold": self.threshold, "sha256": self.sha256}
        return data | {"detector": self.detector} if self.detector else data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> UsedModel:
        return cls(
            name=str(data["name"]),
            version=str(data["version"]),
            threshold=float(data["threshold"]),
            sha256=str(data.get("sha256", "")),
            detector=str(data.get("detector", "")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A classifier's answer for one face or hand.

    Args:
        label: the most probable name.
        confidence: its calibrated probability, 0 to 1.
        uncertain: whether the confidence is below the model's threshold.
        perhaps: whether an uncertain answer is still one that people might give.
        baseline: whether it is relative to the person's own neutral face.
        probabilities: of every name in the label set, in its order; they sum to 1.
    """

    label: str
    confidence: float
    uncertain: bool
    probabilities: Mapping[str, float] = field(hash=False)
    perhaps: bool = False
    baseline: bool = False

    def __post_init__(self) -> None:
        if self.perhaps and not self.uncertain:
            raise ValueError("an answer that is not uncertain is sure, and cannot be perhaps right")
        if self.label not in self.probabilities:
            raise ValueError(f"the label {self.label!r} is not among the probabilities {list(self.probabilities)}")
        _check_unit("confidence", self.confidence)
        for name, detection_score in self.probabilities.items():
            _check_unit(f"score of {name}", detection_score)

    @property
    def grade(self) -> Grade:
        """`sure`, or of an uncertain answer `perhaps` or `unclear`."""
        return "sure" if not self.uncertain else "perhaps" if self.perhaps else "unclear"

    @property
    def likeliest(self) -> tuple[str, ...]:
        """The two most probable names, the label first; one if there is no other."""
        others = sorted((p, name) for name, p in self.probabilities.items() if name != self.label)
        return (self.label, *(name for _, name in others[-1:]))

    def to_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "confidence": round(float(self.confidence), _SCORE_DIGITS),
            "uncertain": bool(self.uncertain),
            "grade": self.grade,
            **({"baseline": True} if self.baseline else {}),
            "scores": {
                name: round(float(detection_score), _SCORE_DIGITS)
                for name, detection_score in self.probabilities.items()
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Prediction:
        return cls(
            label=data["label"],
            confidence=float(data["confidence"]),
            uncertain=bool(data["uncertain"]),
            perhaps=data.get("grade") == "perhaps",
            baseline=bool(data.get("baseline", False)),
            probabilities={str(name): float(detection_score) for name, detection_score in data["scores"].items()},
        )


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
        _check_unit("score", self.detection_score)
        _check_track(self.track)

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
            "box": _rounded(self.box_xyxy, _PIXEL_DIGITS),
            "score": round(float(self.detection_score), _SCORE_DIGITS),
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
            "landmarks": [_rounded(point, _PIXEL_DIGITS) for point in self.landmarks_xyz],
            "pointing": None if pointing is None else _rounded(pointing, _SCORE_DIGITS),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Hand:
        landmarks = tuple((float(x), float(y), float(z)) for x, y, z in data["landmarks"])
        return cls(side=data["side"], landmarks_xyz=landmarks, **_seen(data))


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
        data = {
            "source": self.source,
            "frame": int(self.frame),
            "time_s": round(float(self.time_s), _TIME_DIGITS),
            "size": [int(length) for length in self.size_hw],
            "faces": [face.to_dict() for face in self.faces],
            "hands": [hand.to_dict() for hand in self.hands],
        }
        if self.models:
            data["models"] = {task: model.to_dict() for task, model in self.models.items()}
        return data

    def to_json(self) -> str:
        """`to_dict` as one line of JSON, as `mien look --jsonl` writes it."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, default=_plain)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scene:
        """The scene that `to_dict` described, without its picture.

        Raises:
            ValueError: this is not a scene; what is missing or of another kind is named.
        """
        with _naming("a scene"):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change in what a track shows, rather than a label per frame.

    Args:
        kind: `start` when a label first holds, `change` when another takes its place, `end` when it is gone.
        task: `emotion` or `gesture`.
        track: the face or hand it concerns.
        label: the label that started, took over or ended.
        time_s: when it happened, in seconds since the start of the source.
        duration_s: how long the label that ended or was replaced had held; 0 for a start.
        model: which model answered; None if unknown.
    """

    kind: Literal["start", "change", "end"]
    task: Literal["emotion", "gesture"]
    track: int
    label: str
    time_s: float
    duration_s: float = 0.0
    model: UsedModel | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("start", "change", "end"):
            raise ValueError(f"an event must be 'start', 'change' or 'end', got {self.kind!r}")
        if self.task not in ("emotion", "gesture"):
            raise ValueError(f"the task of an event must be 'emotion' or 'gesture', got {self.task!r}")
        _check_track(self.track)
        if not (math.isfinite(self.time_s) and 0 <= self.duration_s < math.inf):
            raise ValueError(f"times must be finite and durations not negative, got {self.time_s}, {self.duration_s}")

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "task": self.task,
            "track": int(self.track),
            "label": self.label,
            "time_s": round(float(self.time_s), _TIME_DIGITS),
            "duration_s": round(float(self.duration_s), _TIME_DIGITS),
            **({"model": self.model.to_dict()} if self.model else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Event:
        """The event that `to_dict` described.

        Raises:
            ValueError: this is not an event; what is missing or of another kind is named.
        """
        with _naming("an event"):
            model = data.get("model")
            return cls(
                kind=data["kind"],
                task=data["task"],
                track=data["track"],
                label=data["label"],
                time_s=data["time_s"],
                duration_s=data.get("duration_s", 0.0),
                model=None if model is None else UsedModel.from_dict(model),
            )


@contextmanager
def _naming(kind: str) -> Iterator[None]:
    """Tell in a sentence what a record lacks to be of this kind."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"this is not {kind}: it has no {error}") from error
    except (TypeError, AttributeError) as error:
        raise ValueError(f"this is not {kind}: {error}") from error


def _seen(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Detection` from what `to_dict` gave."""
    return {
        "box_xyxy": _box(data["box"]),
        "detection_score": float(data["score"]),
        "track": data.get("track"),
        "prediction": Prediction.from_dict(data) if "label" in data else None,
    }


def _plain(value: object) -> object:
    """NumPy numbers as Python numbers."""
    if isinstance(value, np.floating):
        return round(float(value), 4)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored in a record")


def _box(values: Any) -> Box:
    x1, y1, x2, y2 = (float(v) for v in values)
    return x1, y1, x2, y2


def _rounded(values: tuple[float, ...], digits: int) -> list[float]:
    return [round(float(v), digits) for v in values]


def _check_unit(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")


def _check_track(track: int | None) -> None:
    if track is not None and track < 1:
        raise ValueError(f"a track must be 1 or more, got {track}")


def _check_box(box_xyxy: Box) -> None:
    x1, y1, x2, y2 = box_xyxy
    if not all(map(math.isfinite, box_xyxy)) or x2 <= x1 or y2 <= y1:
        raise ValueError(f"a box must be finite (left, top, right, bottom) and have an area, got {box_xyxy}")
