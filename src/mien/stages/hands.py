"""Finding hands: 21 landmarks, a box and the side, largest hand first.

First palms, then landmarks in a square that is rotated until the hand points up: Zhang et al. 2020, "MediaPipe Hands:
On-device Real-time Hand Tracking", arXiv:2006.10214, with the weights of MediaPipe and the geometry of its graphs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError
from mien.models.artifact import zoo_artifact
from mien.models.blaze import BlazeDetector
from mien.models.session import Network, Session
from mien.pixels.boxes import RotatedRoi, bounding_box
from mien.pixels.found_hands import FoundHand, distinct, same
from mien.pixels.hand_rois import roi_of_landmarks, roi_of_palm, whole_roi
from mien.pixels.painted import painted_over
from mien.pixels.preprocess import crop_square, to_batch
from mien.resource import Resource
from mien.scene import Hand

REVISION = 6
"""Increased whenever the same picture gives different landmarks, so that landmarks cached by training are renewed."""

PALM_MODEL = "palm_mediapipe_full"
LANDMARK_MODEL = "hand_landmark_full"

_LAYERS = ((24, 2), (12, 6))

# A reading that is neither certain nor hopeless is repeated in the square that its own landmarks suggest.
_SURE = 0.9
_HOPELESS = 0.05

# Fingertips this close to the upper side of the square that the landmarks themselves suggest, as a fraction of it, may
# lie beyond it: the landmarks were squeezed into too small a square. They are read once more in a larger, lower one.
_AT_THE_EDGE = 0.24
_LARGER = 1.2
_LOWER = 0.05

_SMALL_FRAME = 256  # pixels; a frame up to this size may be the hand itself
_WHOLE = 0.8  # lowest presence to treat it as one

_MIDDLE = 0.8  # part of a crop that is tried when nothing else shows a hand

_PAD_SIDE = 512  # pixels; larger pictures are shrunk before they get a border, the palm network sees 192 anyway
_PAD = 0.5  # border of a crop on each side, as a fraction of its longer side

BOX_MARGIN = 0.1
"""How far a hand's box extends beyond its landmarks on each side, as a fraction of the longer side."""


class HandDetector(Resource):
    """Palm detector and landmark network, one after the other.

    Args:
        threshold: lowest presence score of a hand, 0 to 1; the landmark manifest's if None.
        tiles: also search overlapping tiles; several times slower, for distant hands.
        palms: a palm network to use instead of the package's own.
        landmarks: a landmark network to use instead of the package's own.
        threads: how many threads compute; see `Session`.
        provider: what computes; see `Session`.
    """

    def __init__(
        self,
        *,
        threshold: float | None = None,
        tiles: bool = False,
        palms: Network | None = None,
        landmarks: Network | None = None,
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
        palms = palms or Session(zoo_artifact(PALM_MODEL), threads=threads, provider=provider)
        self._palms = BlazeDetector(palms, _LAYERS)
        self._network = landmarks or Session(zoo_artifact(LANDMARK_MODEL), threads=threads, provider=provider)
        manifest = self._network.artifact.manifest
        self._spec = manifest.input
        self._threshold = manifest.threshold if threshold is None else threshold
        self._tiles = tiles
        self.name = f"{palms.artifact.manifest.title} + {manifest.title}"
        """Names and versions of the models, for records."""

    def detect(self, image_rgb: NDArray[np.uint8], *, thorough: bool = True, hidden: bool = False) -> tuple[Hand, ...]:
        """The hands of a picture, largest first.

        A hand's side is correct for an unmirrored picture; a mirrored one (a selfie view) shows the other side.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            thorough: whether a picture without a hand is searched once more for hands that fill it, which takes nearly
                as long again.
            hidden: whether to search once more behind the hands found, for hands that they partly cover; takes nearly
                as long again too.

        Returns:
            Hands with boxes and landmarks in pixels of the picture; both may extend beyond it.
        """
        found_hands = self._searched(image_rgb, [], thorough=thorough)
        if hidden and found_hands:
            found_hands = distinct([*found_hands, *self._hidden(image_rgb, found_hands)])
        return tuple(_hand(found) for found in found_hands)

    def follow(
        self, image_rgb: NDArray[np.uint8], previous: Sequence[Hand], *, search: bool = False, thorough: bool = True
    ) -> tuple[Hand, ...]:
        """The hands of the previous frame, found again from where their landmarks were, largest first.

        Following a hand costs no palm search, which is most of `detect`. Palms are searched anyway if one of the hands
        is gone, and then all hands of the picture are returned.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            previous: hands of a picture a moment ago, in pixels of this one.
            search: also look for other hands.
            thorough: as for `detect`.

        Returns:
            Hands as from `detect`; each is detected anew, without the track and prediction of `previous`.
        """
        rois = [roi_of_landmarks(np.array(hand.landmarks_xyz, np.float64)[:, :2]) for hand in previous]
        hands = self._hands(image_rgb, rois, roomy=False)
        if search or len(hands) < len(previous):
            hands = self._searched(image_rgb, hands, thorough=thorough)
        return tuple(_hand(found) for found in hands)

    def landmarks_of_crop(self, image_rgb: NDArray[np.uint8]) -> Hand | None:
        """The hand of a picture that is a crop of one hand, however tight.

        Tries, until one is certain: palms in the picture; palms in the picture with a wide border, for hands that
        fill it; the whole picture as the hand's square. If none reaches the threshold, the middle of the picture is
        tried, turned four ways, for hands that point aside, as a thumb held up does.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.

        Returns:
            The most certain hand in pixels of the picture; None if none reaches the threshold.
        """
        best: FoundHand | None = None
        for rois in (self._palm_rois, self._padded_rois, _whole_rois):
            found_hands = self._read(image_rgb, rois(image_rgb))
            best = max([*found_hands, *([best] if best else [])], key=lambda found: found.presence, default=None)
            if best and best.presence >= _SURE:
                break
        if best is None or best.presence < self._threshold:
            # Half of the 183 gestures that were missed among 13,900 hands of many people are found so.
            best = max(self._read(image_rgb, _turned_rois(image_rgb)), key=lambda found: found.presence)
        return _hand(best) if best and best.presence >= self._threshold else None

    def landmarks_in_roi(self, image_rgb: NDArray[np.uint8], roi: RotatedRoi) -> Hand | None:
        """The hand in a square of a picture, read once and without any search; None if there is none.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            roi: upright around the hand, in pixels of the picture.
        """
        (found,) = self._read_once(image_rgb, [roi])
        return _hand(found) if found.presence >= self._threshold else None

    def close(self) -> None:
        """Free both networks."""
        self._palms.close()
        self._network.close()

    def _searched(self, image_rgb: NDArray[np.uint8], known: list[FoundHand], *, thorough: bool) -> list[FoundHand]:
        """The known hands, and those found by their palms."""
        taken = [roi_of_landmarks(found.points_xyz[:, :2]) for found in known]
        rois = self._palm_rois(image_rgb, tiles=self._tiles)
        hands = self._hands(image_rgb, [roi for roi in rois if not any(_covers(t, roi) for t in taken)])
        if thorough and not hands and not known:
            # A hand held close to the camera fills the frame; the palm detector wants to see around it. Measured on
            # webcam pictures: found in 95 % instead of 90 %; frames without a hand cost a palm search more.
            hands = self._hands(image_rgb, self._padded_rois(image_rgb))
        if (
            thorough
            and not known
            and max(image_rgb.shape[:2]) <= _SMALL_FRAME
            and all(r.presence < _WHOLE for r in hands)
        ):
            # Fists that fill a small frame: of 50 that both searches missed, 40 are found (none in photos of faces).
            whole = [r for r in self._read(image_rgb, _whole_rois(image_rgb)) if r.presence >= _WHOLE]
            hands = distinct([*whole, *hands])
        return distinct([*known, *hands]) if known else hands

    def _hidden(self, image_rgb: NDArray[np.uint8], found_hands: Sequence[FoundHand]) -> list[FoundHand]:
        """Other hands, in the picture without those found: the palm network merges two hands that overlap.

        Only certain ones: of 190 pictures of one hand, two showed a second one of a presence of 0.8 in what was left
        of the first.
        """
        painted = painted_over(image_rgb, [found.points_xyz[:, :2] for found in found_hands])
        others = self._read(painted, self._palm_rois(painted))
        return [
            other
            for other in others
            if other.presence >= max(_SURE, self._threshold) and not any(same(other, found) for found in found_hands)
        ]

    def _hands(
        self, image_rgb: NDArray[np.uint8], rois: Sequence[RotatedRoi], *, roomy: bool = True
    ) -> list[FoundHand]:
        found_hands = self._read(image_rgb, rois, roomy=roomy)
        if roomy:
            found_hands = self._whole_fingers(image_rgb, found_hands)
        return distinct([found for found in found_hands if found.presence >= self._threshold])

    def _palm_rois(self, image_rgb: NDArray[np.uint8], *, tiles: bool = False) -> list[RotatedRoi]:
        palms = self._palms.detect(image_rgb, tiles=tiles)
        return [
            roi_of_palm(box_xyxy, points_xy)
            for box_xyxy, points_xy in zip(palms.boxes_xyxy, palms.points_xy, strict=True)
        ]

    def _padded_rois(self, image_rgb: NDArray[np.uint8]) -> list[RotatedRoi]:
        height, width = image_rgb.shape[:2]
        scale = min(1.0, _PAD_SIDE / max(height, width))
        if scale < 1:
            small_wh = max(1, round(width * scale)), max(1, round(height * scale))
            image_rgb = np.asarray(cv2.resize(image_rgb, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
        pad = round(_PAD * max(image_rgb.shape[:2]))
        padded = np.asarray(cv2.copyMakeBorder(image_rgb, pad, pad, pad, pad, cv2.BORDER_REPLICATE), np.uint8)
        return [
            RotatedRoi(((s.centre_xy[0] - pad) / scale, (s.centre_xy[1] - pad) / scale), s.side / scale, s.angle)
            for s in self._palm_rois(padded)
        ]

    def _read(self, image_rgb: NDArray[np.uint8], rois: Sequence[RotatedRoi], *, roomy: bool = True) -> list[FoundHand]:
        """Landmarks in each square; read again where they lie, unless that is where they were read.

        The palm's square is only a guess at the hand's. Measured on webcam pictures: the second reading takes the
        gestures read rightly from 79 to 82 %. Where both squares agree it moves the landmarks by 0.7 % of the hand's
        size (2.5 % elsewhere) and is left out: in three of four frames of a hand clip. The second square is roomy
        unless the hand is followed: its landmarks are good then, and its side is right more often (60, not
        54 of 60).
        """
        found_hands = self._read_once(image_rgb, rois)
        better = [roi_of_landmarks(found.points_xyz[:, :2], roomy=roomy) for found in found_hands]
        again = [
            i
            for i, found in enumerate(found_hands)
            if found.presence >= _HOPELESS and (found.presence < _SURE or not _agree(rois[i], better[i]))
        ]
        for i, found in zip(again, self._read_once(image_rgb, [better[i] for i in again]), strict=True):
            if found.presence >= min(self._threshold, found_hands[i].presence):
                found_hands[i] = found
        return found_hands

    def _whole_fingers(self, image_rgb: NDArray[np.uint8], found_hands: Sequence[FoundHand]) -> list[FoundHand]:
        """The hands, those read anew whose fingertips the square may have cut off.

        Measured on webcam pictures, whose fingers are often seen from below: victory signs read rightly 93 instead of
        79 %, OK signs 91 instead of 80 %. Crops of hands gain nothing.
        """
        read = list(found_hands)
        own = [roi_of_landmarks(found.points_xyz[:, :2], roomy=True) for found in read]
        again = [
            i
            for i, found in enumerate(read)
            if found.presence >= self._threshold and _reach(found, own[i]) < _AT_THE_EDGE
        ]
        larger = [own[i].moved(0, _LOWER).scaled(_LARGER) for i in again]
        for i, found in zip(again, self._read_once(image_rgb, larger), strict=True):
            if found.presence >= self._threshold:
                read[i] = found
        return read

    def _read_once(self, image_rgb: NDArray[np.uint8], rois: Sequence[RotatedRoi]) -> list[FoundHand]:
        if not rois:
            return []
        crops = [crop_square(image_rgb, s.centre_xy, s.side, s.angle, self._spec) for s in rois]
        outputs = self._network.run(to_batch(np.stack(crops), self._spec))
        if [output.shape[1:] for output in outputs[:3]] != [(63,), (1,), (1,)]:
            raise ModelError(
                f"The model {self._network.artifact.manifest.name} does not answer like a hand landmark network: got "
                f"{[output.shape for output in outputs]}; use the model in the package."
            )
        size = np.array([*self._spec.size_hw[::-1], self._spec.size_hw[1]])
        points = outputs[0].astype(np.float64).reshape(len(rois), 21, 3) / size
        found_hands = []
        for roi, unit_xyz, presence, right in zip(rois, points, outputs[1][:, 0], outputs[2][:, 0], strict=True):
            points_xyz = np.column_stack([roi.to_pixels(unit_xyz[:, :2]), unit_xyz[:, 2] * roi.side])
            found_hands.append(FoundHand(points_xyz, float(presence), float(right)))
        return found_hands


def _agree(first: RotatedRoi, second: RotatedRoi) -> bool:
    """Whether two squares show the landmark network practically the same picture."""
    (ax, ay), (bx, by) = first.centre_xy, second.centre_xy
    turn = (second.angle - first.angle + math.pi) % (2 * math.pi) - math.pi
    return (
        math.hypot(bx - ax, by - ay) < 0.1 * first.side
        and abs(math.log(second.side / max(first.side, 1e-6))) < 0.15
        and abs(turn) < math.radians(10)
    )


def _reach(found: FoundHand, roi: RotatedRoi) -> float:
    """Where the highest landmark lies in a square, from 0 at its upper side to 1 at its lower one."""
    return float(roi.from_pixels(found.points_xyz[:, :2])[:, 1].min())


def _whole_rois(image_rgb: NDArray[np.uint8]) -> list[RotatedRoi]:
    height, width = image_rgb.shape[:2]
    return [whole_roi((height, width))]


def _turned_rois(image_rgb: NDArray[np.uint8]) -> list[RotatedRoi]:
    (whole,) = _whole_rois(image_rgb)
    return [RotatedRoi(whole.centre_xy, _MIDDLE * whole.side, turns * math.pi / 2) for turns in range(4)]


def _covers(hand: RotatedRoi, palm: RotatedRoi) -> bool:
    """Whether the square of a palm shows the hand of the other square, so that it need not be read."""
    (ax, ay), (bx, by) = hand.centre_xy, palm.centre_xy
    near = math.hypot(bx - ax, by - ay) < 0.25 * hand.side
    return near and abs(math.log(palm.side / max(hand.side, 1e-6))) < 0.5


def _hand(found: FoundHand) -> Hand:
    x1, y1, x2, y2 = bounding_box(found.points_xyz[:, :2], margin=BOX_MARGIN).tolist()
    return Hand(
        box_xyxy=(x1, y1, x2, y2),
        detection_score=min(1.0, max(0.0, found.presence)),
        side="right" if found.right >= 0.5 else "left",
        landmarks_xyz=tuple((x, y, z) for x, y, z in found.points_xyz.tolist()),
    )
