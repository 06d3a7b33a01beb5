"""CenterFace: a network that marks the centre of every face on a map, with its size and five key points.

Xu et al. 2019, "CenterFace: Joint Face Detection and Alignment Using Face as Point", arXiv:1911.03599. It takes
pictures of any size; what it answers lies on a grid of a quarter of that size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.models.detections import Detections, View, placed
from mien.models.session import Network
from mien.pixels.boxes import Letterbox
from mien.pixels.preprocess import to_batch

STEP = 32
"""Sides of the network's input are multiples of this many pixels."""

POINTS = 5
"""Key points of a face: the person's right eye, left eye, nose tip, right and left corner of the mouth."""

_CELL = 4
_CHANNELS = 5 + 2 * POINTS
_NINE = np.ones((3, 3), np.uint8)
_LARGEST_LOG = 8.0  # of a side in cells: wider than any picture, and small enough for exp


def frame_hw(size_hw: tuple[int, int], longest: int) -> tuple[int, int]:
    """The smallest input that holds a picture of some shape, scaled until its longer side has so many pixels.

    Args:
        size_hw: of the picture.
        longest: a multiple of `STEP`.
    """
    if longest < STEP or longest % STEP:
        raise ValueError(f"the longest side must be a multiple of {STEP}, got {longest}")
    scale = longest / max(size_hw)
    height, width = (STEP * max(1, math.ceil(round(side * scale) / STEP)) for side in size_hw)
    return height, width


class CenterFaceDetector:
    """Runs CenterFace over parts of a picture.

    Args:
        network: output (N, 15, h, w): the logit of a face's centre, the logarithms of its height and width in cells,
            the centre's offset down and to the right in cells, and the key points, down and right, in sides of the box.
        threshold: lowest score; the manifest's if None.
    """

    def __init__(self, network: Network, *, threshold: float | None = None) -> None:
        self.network = network
        self.threshold = network.artifact.manifest.threshold if threshold is None else threshold
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold must be above 0 and below 1, got {self.threshold}")

    def candidates(
        self,
        image_rgb: NDArray[np.uint8],
        views_xyxy: Sequence[View],
        frame_hw: tuple[int, int],
        *,
        threshold: float | None = None,
    ) -> list[Detections]:
        """Everything above the threshold in some parts of a picture; one face may be found several times.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            views_xyxy: the parts.
            frame_hw: the size of the network's input, into which each part is scaled.
            threshold: lowest score, if it is another one this time.

        Returns:
            The detections of each part, in pixels of the whole picture, in no particular order.
        """
        fits = [Letterbox.fit((y2 - y1, x2 - x1), frame_hw) for x1, y1, x2, y2 in views_xyxy]
        cuts = [image_rgb[y1:y2, x1:x2] for x1, y1, x2, y2 in views_xyxy]
        maps = self._run(np.stack([placed(cut, fit, frame_hw) for cut, fit in zip(cuts, fits, strict=True)]))
        found = []
        for view, fit, maps_of in zip(views_xyxy, fits, maps, strict=True):
            boxes, points, scores = _decode(maps_of, self.threshold if threshold is None else threshold)
            corners = fit.inverse(boxes.reshape(-1, 2, 2)) + view[:2]
            found.append(Detections(corners.reshape(-1, 4), fit.inverse(points) + view[:2], scores))
        return found

    def in_frames(self, frames: NDArray[np.uint8]) -> list[Detections]:
        """As `candidates`, of whole pictures that already have the size of the network's input.

        Args:
            frames: (N, h, w, 3) uint8 RGB; both sides multiples of `STEP`.

        Returns:
            The detections of each, in its own pixels.
        """
        return [Detections(*_decode(maps, self.threshold)) for maps in self._run(frames)]

    def close(self) -> None:
        """Free the network."""
        self.network.close()

    def _run(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        spec = replace(self.network.artifact.manifest.input, size_hw=(frames.shape[1], frames.shape[2]))
        maps, *more = self.network.run(to_batch(frames, spec))
        grid = frames.shape[1] // _CELL, frames.shape[2] // _CELL
        if more or maps.shape != (len(frames), _CHANNELS, *grid):
            raise ModelError(
                f"The model {self.network.artifact.manifest.name} does not answer like CenterFace: expected maps of "
                f"{_CHANNELS} x {grid[0]} x {grid[1]}, got {[maps.shape[1:]]}; use the model in the package."
            )
        return maps


def _decode(
    maps: NDArray[np.float32], threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(M, 4) boxes and (M, 5, 2) key points in input pixels, and (M,) scores, of the peaks above the threshold."""
    heat = maps[0]
    # A peak is the highest of its nine cells; its neighbours would give the same face again.
    peaks = (heat >= math.log(threshold / (1 - threshold))) & (heat >= cv2.dilate(heat, _NINE))
    rows, columns = np.nonzero(peaks)
    values = maps[:, rows, columns].astype(np.float64)
    good = np.isfinite(values).all(axis=0)
    values, cells_yx = values[:, good], np.stack([rows[good], columns[good]], axis=1)
    scores = 1 / (1 + np.exp(-values[0]))
    sides_hw = np.exp(np.minimum(values[1:3], _LARGEST_LOG)).T * _CELL
    centres_yx = (cells_yx + values[3:5].T + 0.5) * _CELL
    tops_yx = centres_yx - sides_hw / 2
    points_yx = values[5:].T.reshape(-1, POINTS, 2) * sides_hw[:, None] + tops_yx[:, None]
    boxes = np.concatenate([tops_yx[:, ::-1], (tops_yx + sides_hw)[:, ::-1]], axis=1)
    return boxes, points_yx[..., ::-1], scores
