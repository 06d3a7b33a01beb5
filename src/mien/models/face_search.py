"""Searching a picture for faces with CenterFace: at which sizes, in which parts, and one box for each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.models.centerface import POINTS, STEP, CenterFaceDetector, frame_hw
from mien.models.detections import Detections, joined, tile_views
from mien.pixels.boxes import Floats, group_overlapping, iou, nesting, weighted_nms

Detail = Literal["low", "normal", "high"]
"""How closely pictures are searched, from fast to far-sighted."""

DETAILS: tuple[Detail, ...] = get_args(Detail)

# Longest sides, in pixels, at which a photo is searched. A photo may be enlarged up to `_ENLARGED`; beyond that faces
# are found no better; and only where some face is small or none is found: what is near needs no enlarging.
_PHOTO = {"low": (640,), "normal": (640, 1600), "high": (640, 1600, 2560)}
_ENLARGED = 960

# A frame of a video is searched once, at a share of its longest side within these limits.
_VIDEO_SHARE = {"low": 0.0, "normal": 0.5, "high": 1.0}
_VIDEO = 320, 640

# A face is found whole only up to this many pixels of the network's input; of larger ones it finds parts. Where there
# are such finds, and where there are none, the picture is searched at half the size, down to `_COARSEST`, for large
# faces only: small ones would have been found before, and what looks like one at that size is none.
_LARGEST = 320.0
_LEAST_OF_LARGE = 64.0
_COARSEST = 160

# Finds of one face: a higher intersection over union, or a higher share of the smaller box inside the larger. Only
# those that are alike are averaged: a part of a face must not pull the box of the whole one.
_OVERLAP = 0.3
_NESTED = 0.75
_ALIKE = 0.6


def search(
    detector: CenterFaceDetector,
    image_rgb: NDArray[np.uint8],
    *,
    detail: Detail,
    still: bool,
    tiles: bool = False,
    faintest: float | None = None,
) -> Detections:
    """The faces of a picture, best score first.

    Args:
        detector: the network.
        image_rgb: (H, W, 3) uint8 RGB.
        detail: how closely to search.
        still: a photo, which is searched more closely than a frame of a video.
        tiles: search overlapping parts of the picture too.
        faintest: if given, what scores less than the detector's threshold and at least this follows the faces, unless
            it is the same as one of them; at the first size only.
    """
    size_hw = image_rgb.shape[0], image_rgb.shape[1]
    found, faint = _pyramid(detector, image_rgb, sides(max(size_hw), detail, still=still), faintest)
    views = tile_views(size_hw) if tiles else []
    if views:
        frame = frame_hw((views[0][3] - views[0][1], views[0][2] - views[0][0]), _ENLARGED)
        scale = _ENLARGED / max(views[0][3] - views[0][1], views[0][2] - views[0][0])
        found += [part.at(np.flatnonzero(_extents(part) * scale <= _LARGEST)) for part in
                  detector.candidates(image_rgb, views, frame)]  # fmt: skip
    faces = one_each(joined(found))
    if not len(faint):
        return faces
    faint = one_each(faint)
    return joined([faces, faint.at(np.flatnonzero(~same_face(faint.boxes_xyxy, faces.boxes_xyxy).any(axis=1)))])


def sides(longest: int, detail: Detail, *, still: bool) -> tuple[int, ...]:
    """The longest sides, multiples of `STEP`, at which a picture of some longest side is searched, smallest first."""
    if not still:
        least, most = _VIDEO
        return (_stepped(min(max(longest * _VIDEO_SHARE[detail], least), most)),)
    most = max(longest, _ENLARGED)
    return tuple(sorted({_stepped(min(side, most)) for side in _PHOTO[detail]}))


def one_each(found: Detections) -> Detections:
    """One box for each face, best score first: the finds of one face averaged, weighted by score."""
    if len(found) < 2:
        return found
    groups = group_overlapping(found.boxes_xyxy, found.scores, overlap=_OVERLAP, nested=_NESTED)
    best = np.array([group[0] for group in groups], np.intp)
    alike = iou(found.boxes_xyxy[best], found.boxes_xyxy) > _ALIKE
    alike[np.arange(len(best)), best] = True
    groups = [group[alike[i, group]] for i, group in enumerate(groups)]
    values = np.concatenate([found.boxes_xyxy, found.points_xy.reshape(len(found), 2 * POINTS)], axis=1)
    merged = weighted_nms(values, found.scores, groups)
    return Detections(merged[:, :4], merged[:, 4:].reshape(len(groups), POINTS, 2), found.scores[best])


def same_face(a_xyxy: Floats, b_xyxy: Floats) -> NDArray[np.bool_]:
    """(N, M) which of (N, 4) and (M, 4) boxes are too close to be of two faces."""
    return np.asarray((iou(a_xyxy, b_xyxy) > _OVERLAP) | (nesting(a_xyxy, b_xyxy) > _NESTED))


def _pyramid(
    detector: CenterFaceDetector, image_rgb: NDArray[np.uint8], wanted: Sequence[int], faintest: float | None
) -> tuple[list[Detections], Detections]:
    """What is found at each side, and at smaller ones as long as something is too large for the last; and what is
    fainter at the first."""
    height, width = image_rgb.shape[:2]
    first, *closer = sorted(wanted)

    def seen(side: int, threshold: float | None = None) -> tuple[Detections, Floats]:
        whole = [(0, 0, width, height)]
        (found,) = detector.candidates(image_rgb, whole, frame_hw((height, width), side), threshold=threshold)
        return found, _extents(found) * side / max(height, width)

    found, extents = seen(first, faintest)
    is_faint = found.scores < detector.threshold
    faint = found.at(np.flatnonzero(is_faint & (extents <= _LARGEST)))
    found, extents = found.at(np.flatnonzero(~is_faint)), extents[~is_faint]
    too_large = (extents > _LARGEST) & (first > _COARSEST)
    kept = [found.at(np.flatnonzero(~too_large))]
    all_near = len(found) > 0 and bool((extents >= _LEAST_OF_LARGE).all())
    for side in closer:
        if side <= max(height, width) or not all_near:
            found, extents = seen(side)
            kept.append(found.at(np.flatnonzero(extents <= _LARGEST)))
    side = first
    while side > _COARSEST and (too_large.any() or not any(map(len, kept))):
        side = max(_COARSEST, side // 2 // STEP * STEP)
        found, extents = seen(side)
        too_large = (extents > _LARGEST) & (side > _COARSEST)
        kept.append(found.at(np.flatnonzero(~too_large & (extents >= _LEAST_OF_LARGE))))
    return kept, faint


def _stepped(side: float) -> int:
    return round(side / STEP) * STEP


def _extents(found: Detections) -> Floats:
    """(N,) the longer side of each box."""
    return np.asarray((found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]).max(axis=1), np.float64)
