"""Finding faces: boxes and five key points, largest face first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.errors import UnknownName
from mien.models.artifact import zoo_artifact
from mien.models.centerface import POINTS, STEP, CenterFaceDetector, frame_hw
from mien.models.detections import Detections, joined, tile_views
from mien.models.session import Network, Session
from mien.pixels.boxes import areas, group_overlapping, iou, weighted_nms
from mien.resource import Resource
from mien.scene import Face

MODEL = "face_centerface"

Detail = Literal["low", "normal", "high"]
"""How closely pictures are searched, from fast to far-sighted."""

DETAILS: tuple[Detail, ...] = get_args(Detail)

# Longest sides, in pixels, at which a photo is searched. A photo may be enlarged up to `_ENLARGED`; beyond that faces
# are found no better and large ones get lost.
_PHOTO = {"low": (640,), "normal": (640, 1600), "high": (640, 1600, 2560)}
_ENLARGED = 960

# A frame of a video is searched once, at a share of its longest side within these limits.
_VIDEO_SHARE = {"low": 0.0, "normal": 0.5, "high": 1.0}
_VIDEO = 320, 640

# A face is found whole only up to this many pixels of the network's input; of larger ones it finds parts. Where there
# are such finds, and where there are none, the picture is searched at half the size, down to `_COARSEST`.
_LARGEST = 256.0
_COARSEST = 160

# Finds of one face: a higher intersection over union, or a higher share of the smaller box inside the larger.
_OVERLAP = 0.3
_NESTED = 0.75
_ALIKE = 0.6


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
        height, width = image_rgb.shape[:2]
        found = self._pyramid(image_rgb, _sides(max(height, width), self._detail, still=still))
        if self._tiles:
            found += self._tiled(image_rgb)
        one_each = _one_each(joined(found))
        order = np.argsort(-areas(one_each.boxes_xyxy), kind="stable")
        return tuple(_face(one_each, i) for i in order)

    def close(self) -> None:
        """Free the network."""
        self._detector.close()

    def _pyramid(self, image_rgb: NDArray[np.uint8], sides: Sequence[int]) -> list[Detections]:
        """What is found at each side, and at smaller ones as long as something is too large for the last."""
        height, width = image_rgb.shape[:2]
        whole = (0, 0, width, height)
        kept = []
        todo = sorted(sides)
        while todo:
            side = todo.pop()
            (found,) = self._detector.candidates(image_rgb, [whole], frame_hw((height, width), side))
            scale = side / max(height, width)
            fits = (_sides_of(found) * scale <= _LARGEST) | (side == _COARSEST)
            kept.append(found.at(np.flatnonzero(fits)))
            if not todo and side > _COARSEST and (not fits.all() or not any(map(len, kept))):
                todo.append(max(_COARSEST, side // 2 // STEP * STEP))
        return kept

    def _tiled(self, image_rgb: NDArray[np.uint8]) -> list[Detections]:
        views = tile_views((image_rgb.shape[0], image_rgb.shape[1]))
        if not views:
            return []
        size_hw = max(y2 - y1 for _, y1, _, y2 in views), max(x2 - x1 for x1, _, x2, _ in views)
        found = self._detector.candidates(image_rgb, views, frame_hw(size_hw, _ENLARGED))
        scale = _ENLARGED / max(size_hw)
        return [one.at(np.flatnonzero((_sides_of(one) * scale <= _LARGEST))) for one in found]


def _sides(longest: int, detail: Detail, *, still: bool) -> tuple[int, ...]:
    """The longest sides, multiples of `STEP`, at which a picture is searched."""
    if not still:
        least, most = _VIDEO
        return (_stepped(min(max(longest * _VIDEO_SHARE[detail], least), most)),)
    most = max(longest, _ENLARGED)
    return tuple(sorted({_stepped(min(side, most)) for side in _PHOTO[detail]}))


def _stepped(side: float) -> int:
    return round(side / STEP) * STEP


def _sides_of(found: Detections) -> NDArray[np.float64]:
    return np.asarray((found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]).max(axis=1, initial=0.0), np.float64)


def _one_each(found: Detections) -> Detections:
    """One box for each face: the finds of one face averaged, weighted by score."""
    groups = group_overlapping(found.boxes_xyxy, found.scores, overlap=_OVERLAP, nested=_NESTED)
    best = np.array([group[0] for group in groups], np.intp)
    # A part of a face must not pull the box of the whole one.
    alike = iou(found.boxes_xyxy[best], found.boxes_xyxy) > _ALIKE
    alike[np.arange(len(best)), best] = True
    groups = [group[alike[i, group]] for i, group in enumerate(groups)]
    count = len(groups)
    values = np.concatenate([found.boxes_xyxy, found.points_xy.reshape(len(found), 2 * POINTS)], axis=1)
    merged = weighted_nms(values, found.scores, groups)
    return Detections(merged[:, :4], merged[:, 4:].reshape(count, POINTS, 2), found.scores[best])


def _face(found: Detections, index: int) -> Face:
    x1, y1, x2, y2 = found.boxes_xyxy[index].tolist()
    return Face(
        box_xyxy=(x1, y1, x2, y2),
        detection_score=float(found.scores[index]),
        keypoints_xy=tuple((x, y) for x, y in found.points_xy[index].tolist()),
    )
