"""Finding faces: boxes and five key points, largest face first, upright, lying or upside down."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import UnknownName
from mien.models.artifact import zoo_artifact
from mien.models.centerface import CenterFaceDetector
from mien.models.detections import Detections, scaled
from mien.models.face_search import DETAILS, Detail, same_face, search
from mien.models.session import Network, Session
from mien.pixels.boxes import RotatedRoi, area
from mien.pixels.preprocess import InputSpec, crop_square, face_angle
from mien.resource import Resource
from mien.scene import Box, Face, Point

__all__ = ["DETAILS", "MODEL", "Detail", "FaceDetector"]

MODEL = "face_centerface"

# A closer look at one face: a square around it, so many longer sides of its box wide, in so many pixels.
_LOOK = 1.8
_LOOK_PIXELS = 128
_STEPS = 4
_LOOK_SPEC = InputSpec(size_hw=(_LOOK_PIXELS, _LOOK_PIXELS))

# The network learnt from faces that are nearly upright. Of one that is rolled further it gives the angle only roughly,
# and sometimes the wrong way round, so it is looked at again, turned upright. One that seems upright but is not sure is
# looked at upside down, unless it is too small to be read anyway.
_ROLLED = math.radians(30)
_UPRIGHT = math.radians(25)
_SURE = 0.8
_SMALL = 32.0  # pixels

# A face may score low at the size that a frame of a video is searched at, and high at another: what is faint is looked
# at in a square that makes it some 55 pixels large. There hands score up to 0.5, faces 0.7 and more.
_FAINTEST = 0.2
_FAINT_LOOK = 2.2
_CLEAR = 0.6

# Beyond so many faces, looking at each costs more than searching the whole frame.
_MOST_FOLLOWED = 4

_NEAR = 0.25  # of the square's side: how far from its middle the face lies at most


class FaceDetector(Resource):
    """CenterFace at the resolutions that a picture deserves, and on tiles for what is farther still.

    Args:
        threshold: lowest score of a face, 0 to 1; the manifest's if None.
        detail: how closely pictures are searched.
        tiles: also search overlapping tiles; several times slower, for crowds and wide rooms.
        session: a network to use instead of the package's own.
        threads: how many threads compute; see `Session`.
        provider: what computes; see `Session`.

    Raises:
        UnknownName: there is no such detail.
    """

    def __init__(
        self,
        *,
        threshold: float | None = None,
        detail: Detail = "normal",
        tiles: bool = False,
        session: Network | None = None,
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        if detail not in DETAILS:
            raise UnknownName("detail", detail, DETAILS)
        network = session or Session(zoo_artifact(MODEL), threads=threads, provider=provider)
        self._detector = CenterFaceDetector(network, threshold=threshold)
        self._detail = detail
        self._tiles = tiles
        self.name = network.artifact.manifest.title
        """Name and version of the model, for records."""

    def detect(self, image_rgb: NDArray[np.uint8], *, still: bool = True) -> tuple[Face, ...]:
        """The faces of a picture, largest first.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            still: a photo, which is searched more closely than a frame of a video.

        Returns:
            Faces with boxes and key points in pixels of the picture; both may extend beyond it.
        """
        return _largest_first(self._searched(image_rgb, still=still))

    def follow(
        self, image_rgb: NDArray[np.uint8], previous: Sequence[Face], *, search: bool = False, thorough: bool = True
    ) -> tuple[Face, ...]:
        """The faces of the previous frame, found again near where they were, largest first.

        Following a face costs a quarter of searching the frame. The frame is searched anyway if one of the faces is
        gone or there are many.

        Args:
            image_rgb: (H, W, 3) uint8 RGB, a frame of a video.
            previous: faces of a picture a moment ago, in pixels of this one.
            search: also look for other faces.
            thorough: changes nothing; there is one search only.

        Returns:
            Faces as from `detect`; each is detected anew, without the track and prediction of `previous`.
        """
        del thorough
        if len(previous) > _MOST_FOLLOWED:
            return self.detect(image_rgb, still=False)
        known = self._seen_again(image_rgb, previous)
        if search or len(known) < len(previous):
            known += self._searched(image_rgb, still=False, known=known)
        return _largest_first(known)

    def close(self) -> None:
        """Free the network."""
        self._detector.close()

    def _searched(self, image_rgb: NDArray[np.uint8], *, still: bool, known: Sequence[Face] = ()) -> list[Face]:
        """The faces of a picture that are not among those that are known."""
        faintest = None if still else min(_FAINTEST, self._detector.threshold)
        found = search(
            self._detector, image_rgb, detail=self._detail, still=still, tiles=self._tiles, faintest=faintest
        )
        faces = _others([_face(found, i) for i in range(len(found))], known)
        faint = [face for face in faces if face.detection_score < self._detector.threshold]
        if faint:
            faces = faces[: -len(faint)]
            faces += _others(self._clear(image_rgb, faint), [*faces, *known])
        rolled = {i for i, face in enumerate(faces) if abs(face_angle(face.keypoints_xy)) > _ROLLED}
        unsure = [
            i for i, face in enumerate(faces)
            if i not in rolled and face.detection_score < _SURE and _longer_side(face.box_xyxy) >= _SMALL
        ]  # fmt: skip
        rois = [_roi(faces[i].box_xyxy, face_angle(faces[i].keypoints_xy) + math.pi) for i in unsure]
        for i, roi, look in zip(unsure, rois, self._looks(image_rgb, rois), strict=True):
            if look and look.detection_score > faces[i].detection_score and abs(_rolled(look, roi.angle)) < math.pi / 2:
                rolled.add(i)
        return _others([self._turned(image_rgb, face) if i in rolled else face for i, face in enumerate(faces)], known)

    def _clear(self, image_rgb: NDArray[np.uint8], faint: Sequence[Face]) -> list[Face]:
        """Those of the largest faint finds that are faces when they are looked at closely."""
        wanted = [face for face in _largest_first(faint) if _longer_side(face.box_xyxy) >= _SMALL][:_MOST_FOLLOWED]
        looks = self._seen_again(image_rgb, wanted, look=_FAINT_LOOK)
        return [face for face in looks if face.detection_score >= _CLEAR]

    def _turned(self, image_rgb: NDArray[np.uint8], face: Face) -> Face:
        """A rolled face as it is seen upright: looked at all four ways round, and again until it is upright."""
        angle = face_angle(face.keypoints_xy)
        for turns in ((0.0, 0.5, 1.0, 1.5), (0.0,)):
            rois = [_roi(face.box_xyxy, angle + turn * math.pi) for turn in turns]
            looks = self._looks(image_rgb, rois)
            upright = [
                face.detection_score * math.cos(_rolled(face, roi.angle) / 2) if face else -1.0
                for roi, face in zip(rois, looks, strict=True)
            ]
            best = looks[int(np.argmax(upright))]
            if best is None:
                break
            roll = _rolled(best, rois[int(np.argmax(upright))].angle)
            face, angle = best, face_angle(best.keypoints_xy)
            if abs(roll) <= _UPRIGHT:
                return face
        return Face(
            box_xyxy=face.box_xyxy,
            detection_score=face.detection_score,
            keypoints_xy=face.keypoints_xy,
            roll_known=False,
        )

    def _seen_again(self, image_rgb: NDArray[np.uint8], previous: Sequence[Face], *, look: float = _LOOK) -> list[Face]:
        """Those of the faces that are still near where they were, one each."""
        angles = [face_angle(face.keypoints_xy) for face in previous]
        angles = [angle if abs(angle) > _ROLLED else 0.0 for angle in angles]
        seen: list[Face] = []
        rois = [_roi(face.box_xyxy, angle, look) for face, angle in zip(previous, angles, strict=True)]
        for face in self._looks(image_rgb, rois):
            if face is not None and not any(same_face(*_boxes(face, other))[0, 0] for other in seen):
                seen.append(face)
        return seen

    def _looks(self, image_rgb: NDArray[np.uint8], rois: Sequence[RotatedRoi]) -> list[Face | None]:
        """The face in the middle of each square, seen with the square upright; None where there is none."""
        if not rois:
            return []
        found = self._detector.in_frames(np.stack([_upright_square(image_rgb, roi) for roi in rois]))
        faces = []
        for roi, one in zip(rois, found, strict=True):
            boxes, points = one.boxes_xyxy / _LOOK_PIXELS, one.points_xy / _LOOK_PIXELS
            off = np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - 0.5).max(axis=1, initial=0.0)
            near = np.flatnonzero(off <= _NEAR)
            best = near[np.argmax(one.scores[near] - off[near])] if near.size else None
            faces.append(None if best is None else _placed(roi, boxes[best], points[best], float(one.scores[best])))
        return faces


def _roi(box_xyxy: Box, angle: float, look: float = _LOOK) -> RotatedRoi:
    """The square around a face, in steps of place and size: one that moved with every box would let boxes tremble."""
    x1, y1, x2, y2 = box_xyxy
    side = 2.0 ** (math.ceil(_STEPS * math.log2(look * _longer_side(box_xyxy))) / _STEPS)
    step = side / _STEPS / 4
    return RotatedRoi((round((x1 + x2) / 2 / step) * step, round((y1 + y2) / 2 / step) * step), side, angle)


def _upright_square(image_rgb: NDArray[np.uint8], roi: RotatedRoi) -> NDArray[np.uint8]:
    """(128, 128, 3) uint8: a square of the picture turned upright, black or repeated where the picture ends."""
    if roi.angle:
        return crop_square(image_rgb, roi.centre_xy, roi.side, roi.angle, _LOOK_SPEC)
    height, width = image_rgb.shape[:2]
    half = max(1, round(roi.side / 2))
    x, y = round(roi.centre_xy[0]), round(roi.centre_xy[1])
    left, top, right, bottom = max(0, x - half), max(0, y - half), min(width, x + half), min(height, y + half)
    if (right - left, bottom - top) == (2 * half, 2 * half):
        return scaled(image_rgb[top:bottom, left:right], (_LOOK_PIXELS, _LOOK_PIXELS))
    scale = _LOOK_PIXELS / (2 * half)
    square = np.zeros((_LOOK_PIXELS, _LOOK_PIXELS, 3), np.uint8)
    inner = [round(scale * side) for side in (left - x + half, top - y + half, right - x + half, bottom - y + half)]
    if inner[2] > inner[0] and inner[3] > inner[1]:
        part = scaled(image_rgb[top:bottom, left:right], (inner[3] - inner[1], inner[2] - inner[0]))
        square[inner[1] : inner[3], inner[0] : inner[2]] = part
    return square


def _rolled(face: Face, angle: float) -> float:
    """How far a face is rolled from an angle, -pi to pi."""
    return (face_angle(face.keypoints_xy) - angle + math.pi) % (2 * math.pi) - math.pi


def _placed(roi: RotatedRoi, box: NDArray[np.float64], points: NDArray[np.float64], score: float) -> Face:
    """A face found in a square, 0 to 1, in pixels of the picture; its box lies across if the square does."""
    x, y = roi.to_pixels((box[:2] + box[2:]) / 2).tolist()
    half_w, half_h = ((box[2:] - box[:2]) / 2 * roi.side).tolist()
    if abs(math.sin(roi.angle)) > abs(math.cos(roi.angle)):
        half_w, half_h = half_h, half_w
    return Face(
        box_xyxy=(x - half_w, y - half_h, x + half_w, y + half_h),
        detection_score=score,
        keypoints_xy=_pairs(roi.to_pixels(points)),
    )


def _face(found: Detections, index: int) -> Face:
    x1, y1, x2, y2 = found.boxes_xyxy[index].tolist()
    return Face(
        box_xyxy=(x1, y1, x2, y2),
        detection_score=float(found.scores[index]),
        keypoints_xy=_pairs(found.points_xy[index]),
    )


def _pairs(points_xy: NDArray[np.float64]) -> tuple[Point, ...]:
    return tuple((x, y) for x, y in points_xy.tolist())


def _others(faces: list[Face], known: Sequence[Face]) -> list[Face]:
    """The faces that are not the same as a known one."""
    if not faces or not known:
        return faces
    boxes, known_boxes = (np.array([face.box_xyxy for face in some]) for some in (faces, known))
    is_new = ~same_face(boxes, known_boxes).any(axis=1)
    return [faces[i] for i in np.flatnonzero(is_new)]


def _boxes(*faces: Face) -> list[NDArray[np.float64]]:
    return [np.array([face.box_xyxy]) for face in faces]


def _largest_first(faces: Sequence[Face]) -> tuple[Face, ...]:
    return tuple(sorted(faces, key=lambda face: -area(face.box_xyxy)))


def _longer_side(box_xyxy: Box) -> float:
    x1, y1, x2, y2 = box_xyxy
    return max(x2 - x1, y2 - y1)
