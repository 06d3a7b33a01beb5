"""Single-shot detectors of the BlazeFace family: palms.

A network sees the picture once and gives a box, some key points and a score for each of a fixed set of anchors.
Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv:1907.05047; anchors
and decoding as in the graphs of MediaPipe (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.models.detections import Detections, View, joined, placed, tile_views
from mien.models.session import Network
from mien.pixels.boxes import Floats, Letterbox, group_overlapping, weighted_nms
from mien.pixels.preprocess import to_batch

_LOGIT_LIMIT = 100.0
_OVERLAP = 0.3


def anchor_centres(layers: Sequence[tuple[int, int]]) -> Floats:
    """Centres of the anchors.

    Args:
        layers: (cells per side, anchors per cell) for every output layer, in the network's order.

    Returns:
        (A, 2) x and y in 0..1 of the network's input.
    """
    rows = []
    for cells, repeats in layers:
        ticks = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(ticks, ticks, indexing="ij")
        rows.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(rows)


class BlazeDetector:
    """Runs such a network over a picture, whole or in tiles.

    Args:
        network: outputs (N, A, 4 + 2K) boxes and points in input pixels relative to the anchors, and (N, A, 1) logits.
        layers: the anchor layers, see `anchor_centres`.
        threshold: lowest score; the manifest's if None.
    """

    def __init__(self, network: Network, layers: Sequence[tuple[int, int]], *, threshold: float | None = None) -> None:
        manifest = network.artifact.manifest
        self.network = network
        self.threshold = manifest.threshold if threshold is None else threshold
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, got {self.threshold}")
        self._spec = manifest.input
        self._centres = anchor_centres(layers)

    def detect(self, image_rgb: NDArray[np.uint8], *, tiles: bool = False) -> Detections:
        """Find everything in a picture, best score first.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            tiles: search the picture in overlapping tiles too, for what is small or far away.
        """
        size_hw = image_rgb.shape[0], image_rgb.shape[1]
        views = [(0, 0, size_hw[1], size_hw[0]), *(tile_views(size_hw) if tiles else [])]
        return self._merge(joined(self.candidates(image_rgb, views)))

    def candidates(self, image_rgb: NDArray[np.uint8], views_xyxy: Sequence[View]) -> list[Detections]:
        """Everything above the threshold in some parts of a picture, before overlapping detections are merged.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            views_xyxy: the parts, in whole pixels inside the picture.

        Returns:
            The detections of all parts, in pixels of the whole picture, in no particular order.
        """
        frame_hw = self._spec.size_hw
        fits = [Letterbox.fit((y2 - y1, x2 - x1), frame_hw) for x1, y1, x2, y2 in views_xyxy]
        cuts = [image_rgb[y1:y2, x1:x2] for x1, y1, x2, y2 in views_xyxy]
        frames = [placed(cut, fit, frame_hw) for cut, fit in zip(cuts, fits, strict=True)]
        raw, logits = self._run(np.stack(frames))
        found = []
        for view, fit, raw_of, logits_of in zip(views_xyxy, fits, raw, logits, strict=True):
            points, scores = self._decode(raw_of, logits_of)
            points_xy = fit.inverse(points) + view[:2]
            found.append(Detections(points_xy[:, :2].reshape(-1, 4), points_xy[:, 2:], scores))
        return found

    def close(self) -> None:
        """Free the network."""
        self.network.close()

    def _run(self, frames: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        outputs = self.network.run(to_batch(frames, self._spec))
        anchors = len(self._centres)
        if len(outputs) != 2 or outputs[0].shape[1] != anchors or outputs[1].shape[1:] != (anchors, 1):
            shapes = [output.shape for output in outputs]
            raise ModelError(
                f"The model {self.network.artifact.manifest.name} does not answer like a detector: expected boxes "
                f"and scores for {anchors} anchors, got {shapes}; use the model in the package."
            )
        return outputs[0], outputs[1][..., 0]

    def _decode(self, raw: NDArray[np.float32], logits: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """(M, 2 + K, 2) corners and key points in input pixels, and (M,) scores, of the anchors above the threshold."""
        scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -_LOGIT_LIMIT, _LOGIT_LIMIT)))
        keep = np.flatnonzero((scores >= self.threshold) & np.isfinite(raw).all(axis=1))
        height, width = self._spec.size_hw
        pairs = raw[keep].astype(np.float64).reshape(len(keep), raw.shape[1] // 2, 2)
        centres = self._centres[keep][:, None] * (width, height)
        middle, half, points = pairs[:, :1] + centres, pairs[:, 1:2] / 2, pairs[:, 2:] + centres
        solid = (half[:, 0] > 0).all(axis=1)
        return np.concatenate([middle - half, middle + half, points], axis=1)[solid], scores[keep][solid]

    def _merge(self, found: Detections) -> Detections:
        groups = group_overlapping(found.boxes_xyxy, found.scores, overlap=_OVERLAP)
        values = np.concatenate(
            [found.boxes_xyxy, found.points_xy.reshape(len(found), 2 * found.points_xy.shape[1])], axis=1
        )
        merged = weighted_nms(values, found.scores, groups)
        best = np.array([found.scores[group[0]] for group in groups], np.float64)
        return Detections(merged[:, :4], merged[:, 4:].reshape(len(groups), *found.points_xy.shape[1:]), best)
