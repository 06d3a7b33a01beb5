"""Finding faces: boxes and six key points, largest face first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.models.artifact import zoo_artifact
from mien.models.blaze import BlazeDetector, Detections
from mien.models.session import Network, Session
from mien.pixels.boxes import areas, iou
from mien.resource import Resource
from mien.scene import Face

MODEL = "face_blazeface_back"

_LAYERS = ((16, 2), (8, 6))

# Second look: an uncertain detection must be found again, with a higher score, in a cut-out of its own.
# Measured: 85 false detections on lettering scored up to 0.81 at first and at most 0.59 then, 117 faces at least 0.76.
_CERTAIN = 0.85
_SECOND_EXTRA = 0.18
_SECOND_MARGIN = 0.25
_SECOND_IOU = 0.4


class FaceDetector(Resource):
    """BlazeFace on the whole picture, and on tiles for small and distant faces.

    Args:
        threshold: lowest score of a face, 0 to 1; the manifest's if None.
        tiles: also search overlapping tiles; several times slower, for crowds and wide rooms.
        session: a network to use instead of the package's own.
        threads: how many threads compute; see `Session`.
        provider: what computes; see `Session`.
    """

    def __init__(
        self,
        *,
        threshold: float | None = None,
        tiles: bool = False,
        session: Network | None = None,
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        network = session or Session(zoo_artifact(MODEL), threads=threads, provider=provider)
        self._detector = BlazeDetector(network, _LAYERS, threshold=threshold)
        self._tiles = tiles
        self.name = network.artifact.manifest.title
        """Name and version of the model, for records."""

    def detect(self, image_rgb: NDArray[np.uint8]) -> tuple[Face, ...]:
        """The faces of a picture, largest first.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.

        Returns:
            Faces with boxes and key points in pixels of the picture; boxes may extend beyond it.
        """
        found = self._detector.detect(image_rgb, tiles=self._tiles)
        kept = self._confirmed(image_rgb, found)
        order = kept[np.argsort(-areas(found.boxes_xyxy[kept]), kind="stable")]
        return tuple(
            Face(
                box_xyxy=tuple(found.boxes_xyxy[i].tolist()),
                detection_score=float(found.scores[i]),
                keypoints_xy=tuple((x, y) for x, y in found.points_xy[i].tolist()),
            )
            for i in order
        )

    def _confirmed(self, image_rgb: NDArray[np.uint8], found: Detections) -> NDArray[np.intp]:
        """Indices of the detections that are certain, or that a second look at a cut-out confirms."""
        doubtful = np.flatnonzero(found.scores < _CERTAIN)
        views = {int(i): _view(found.boxes_xyxy[i], image_rgb.shape) for i in doubtful}
        views = {i: view for i, view in views.items() if view[2] > view[0] and view[3] > view[1]}
        seen = self._detector.candidates(image_rgb, list(views.values())) if views else []
        confirmed = found.scores >= _CERTAIN
        for i, again in zip(views, seen, strict=True):
            same = iou(found.boxes_xyxy[i : i + 1], again.boxes_xyxy)[0] >= _SECOND_IOU
            least = min(_CERTAIN, self._detector.threshold + _SECOND_EXTRA)
            confirmed[i] = bool((again.scores[same] >= least).any())
        return np.flatnonzero(confirmed)

    def close(self) -> None:
        """Free the network."""
        self._detector.close()


def _view(box_xyxy: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The part of the picture, whole pixels, that shows a box and its margin."""
    x1, y1, x2, y2 = box_xyxy.tolist()
    reach = max(x2 - x1, y2 - y1) * (0.5 + _SECOND_MARGIN)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    return left, top, min(shape[1], int(x + reach)), min(shape[0], int(y + reach))
