"""Folders of hand pictures: which gesture each shows, whose hand it is, and its landmarks."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.data import degrade
from mien.data.classes import label_of, nearest_label, plain, shown_letter, signer_of, some, without_misleading
from mien.data.dataset import Dataset
from mien.data.readers.clutter import is_clutter
from mien.data.row_cache import RowCache
from mien.errors import DataError, UnreadableMedia
from mien.labels import GESTURES, LETTERS, LabelSet
from mien.models.artifact import zoo_artifact
from mien.pixels.boxes import RotatedRoi
from mien.pixels.hand_rois import roi_of_landmarks, whole_roi
from mien.pixels.images import read_image
from mien.stages.classify import POINTS_WITH_TOP, canonical_landmarks
from mien.stages.hands import LANDMARK_MODEL, PALM_MODEL, REVISION, HandDetector
from mien.wording import natural_key
from mien.words import say

_SUFFIXES = {".jpg", ".jpeg", ".png"}
_NOT_A_LETTER = ("other", "nothing")
_POINTS = 3 * POINTS_WITH_TOP
_LANDMARKS = _POINTS - 3  # numbers of a row before the direction of the picture's top
_ROW = _POINTS + 4  # and the square around the hand: its middle, side and angle
_PAD = 0.25  # border on each side of a picture that is cut tight, as a fraction of its longer side

HELD_BACK = "held_back"
"""Group, below the name of a crowd, of the fifth of its pictures that is never trained on."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HandPicture:
    """One picture of a hand.

    Args:
        path: the file.
        gesture: its label.
        collection: name of the data set it belongs to.
        group: the signer, or the data set where signers are not named; of a crowd, its part.
    """

    path: Path
    gesture: str
    collection: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the names of folders and files mean.

    Args:
        label_set: the gestures.
        classes: names of folders beside the labels themselves, and the gesture each shows; empty where it is left out.
        letters: letters that files in a folder `other` are named after, likewise. Fists (E, M, N, S, T), which anyone
            would call a punch, and the letters of the four gestures are left out anyway.
    """

    label_set: LabelSet = GESTURES
    classes: Mapping[str, str] = field(default_factory=dict)
    letters: Mapping[str, str] = field(default_factory=dict)


def find_hand_pictures(
    root: str | Path, *, limit: int = 0, crowds: Collection[str] = (), naming: Naming | None = None
) -> list[HandPicture]:
    """Pictures in `root/<data set>/<class>/`, sorted.

    A class is a gesture's name in any case, a letter of the manual alphabet that is one (L, A, F, V), or `other` and
    `nothing`, which are `none`. A file of `other` that is named after a letter (`E12.jpg`) shows it. A log line says
    what is left out.

    Args:
        root: folder of one or more data sets.
        limit: at most this many pictures per class and data set, evenly spaced over its sorted names; 0 for all.
        crowds: data sets in which nearly every picture shows somebody else: taken whole, in groups by `crowd_part`, as
            `<data set>/held_back`.
        naming: what the names mean.

    Raises:
        UnreadableMedia: there is no such folder.
        DataError: no class was found in it.
    """
    naming = naming or Naming()
    root = Path(root)
    if not root.is_dir():
        raise UnreadableMedia(f"{root} is not a folder; give one with a folder for each data set of hand pictures")
    pictures: list[HandPicture] = []
    for folder in sorted(path for path in root.glob("*/*") if path.is_dir() and not is_clutter(path)):
        gesture = _gesture(folder, naming)
        is_crowd = folder.parent.name in crowds
        found = list(_class_pictures(folder, gesture, naming, is_crowd=is_crowd)) if gesture else []
        if limit and len(found) > limit and folder.parent.name not in crowds:
            found = [found[i] for i in np.linspace(0, len(found) - 1, limit).round().astype(int)]
        pictures += found
    if not pictures:
        valid = ", ".join([*naming.label_set.labels, *LETTERS, *_NOT_A_LETTER])
        above = any(label_of(path.name, naming.label_set) for path in root.glob("*/") if path.is_dir())
        cure = f"; {root} is a data set itself: give the folder that it lies in" if above else ""
        raise DataError(f"{root} has no pictures in folders <data set>/<class>, with a class of {valid}{cure}")
    return pictures


def crowd_part(file_name: str) -> str:
    """The fifth of a crowd that a picture is in: `part0` to `part3`, or `held_back`, which is never trained on.

    It is the remainder of the CRC-32 of the name without its ending when divided by 5, 4 for what is held back, so that
    a picture in two classes, for its two hands, is in one part.
    """
    remainder = zlib.crc32(Path(file_name).stem.encode()) % 5
    return HELD_BACK if remainder == 4 else f"part{remainder}"


def bordered(image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture that ends where the hand does, with a border of a quarter of its longer side, of the colours at its
    edge: (H, W, 3) uint8 RGB."""
    pad = round(_PAD * max(image_rgb.shape[:2]))
    return np.asarray(cv2.copyMakeBorder(image_rgb, pad, pad, pad, pad, cv2.BORDER_REPLICATE), np.uint8)


def load_hands(
    pictures: Sequence[HandPicture],
    detector: HandDetector,
    *,
    whole_frames: Collection[str] = (),
    tight: Collection[str] = (),
    label_set: LabelSet = GESTURES,
    with_top: bool = False,
    cache: Path | None = None,
    on_step: Callable[[int], None] | None = None,
) -> tuple[Dataset, NDArray[np.bool_]]:
    """Landmarks of the pictures in which a hand is found; a damaged picture is logged and counts as one without.

    Args:
        pictures: from `find_hand_pictures`.
        detector: finds the hand in each picture, as at run time.
        whole_frames: data sets whose pictures are frames with a hand somewhere, as `mien look` gets them, not crops of
            a hand; the most certain hand of each is taken.
        tight: data sets whose pictures end where the hand does: a border of a quarter of the longer side is put around
            each, of the colours at its edge.
        label_set: of the pictures' gestures.
        with_top: whether to add the direction of the picture's top; see `mien.stages.classify.canonical_landmarks`.
        cache: a folder for a file that keeps the landmarks of each picture, whatever other pictures are asked for,
            until the picture or the detector changes.
        on_step: called with the number of pictures done; never when the cache has them all.

    Returns:
        The data set, (M, 21, 3) float32 canonical landmarks, (M, 22, 3) with the top, all in the split train; and the
        (N,) bool mask over `pictures` that says in which a hand was found (M of them).
    """
    rows = _found(pictures, detector, _Looks(whole_frames, tight), cache, on_step)
    found = np.isfinite(rows[:, 0])
    kept = [picture for picture, has_hand in zip(pictures, found, strict=True) if has_hand]
    logger.info("%s", say("train.hands_found", found=len(kept), n=len(pictures)))
    return _dataset(rows[found, :_POINTS], kept, pictures, label_set, with_top=with_top), found


def load_copies(
    pictures: Sequence[HandPicture],
    detector: HandDetector,
    copies: int,
    *,
    whole_frames: Collection[str] = (),
    tight: Collection[str] = (),
    label_set: LabelSet = GESTURES,
    with_top: bool = False,
    cache: Path | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Dataset:
    """Landmarks read from degraded copies of the pictures, with the errors of small, dark, blurred hands.

    Args:
        pictures: from `find_hand_pictures`.
        detector: finds the hand in each picture, then reads each copy of its surroundings.
        copies: how many of each picture (`mien.data.degrade`); those in which no hand is found any more are left out.
        whole_frames, tight, label_set, with_top, cache: as for `load_hands`; the copies' readings have their own file.
        on_step: called with the number of pictures done; never when the cache has them all.

    Returns:
        (M, 21 or 22, 3) float32 as from `load_hands`, all in the split train.
    """
    looks = _Looks(whole_frames, tight)
    rows = _found(pictures, detector, looks, cache, None)
    kept = RowCache(None if cache is None else cache / f"hands-with-top-copies-{copies}.npz", copies * _POINTS)
    keys = [f"{key}-{degrade.REVISION}" for key in _keys(pictures, looks)]
    todo = any(key not in kept for key in keys)
    for i, (picture, key) in enumerate(zip(pictures, keys, strict=True)):
        if key not in kept:
            read = _read_copies(picture, _square(rows[i]), detector, copies, looks) if np.isfinite(rows[i, 0]) else None
            kept.put(key, np.full(copies * _POINTS, np.nan, np.float32) if read is None else read)
        if todo and on_step is not None:
            on_step(i + 1)
    kept.save()
    samples = np.stack([kept[key] for key in keys]).reshape(-1, _POINTS)
    # A copy is cut out upright: its own top says nothing about the picture's.
    samples[:, _LANDMARKS:] = np.repeat(rows[:, _LANDMARKS:_POINTS], copies, axis=0)
    each = [picture for picture in pictures for _ in range(copies)]
    seen = np.isfinite(samples[:, 0])
    return _dataset(samples[seen], [each[i] for i in np.flatnonzero(seen)], pictures, label_set, with_top=with_top)


def with_copies(dataset: Dataset, copies: Dataset) -> Dataset:
    """The data set with the copies of those who are in its training split only, so that nobody is in two splits."""
    held_back = np.unique(dataset.groups[dataset.split != "train"])
    copies = copies.where(~np.isin(copies.groups, held_back))
    return replace(
        dataset,
        samples=np.concatenate([dataset.samples, copies.samples]),
        labels=np.concatenate([dataset.labels, copies.labels]),
        split=np.concatenate([dataset.split, copies.split]),
        groups=np.concatenate([dataset.groups, copies.groups]),
    )


def _dataset(
    rows: NDArray[np.float32],
    shown: Sequence[HandPicture],
    pictures: Sequence[HandPicture],
    label_set: LabelSet,
    *,
    with_top: bool,
) -> Dataset:
    samples = rows.reshape(-1, POINTS_WITH_TOP, 3)
    return Dataset(
        samples=samples if with_top else samples[:, : POINTS_WITH_TOP - 1],
        labels=np.array([label_set.index(picture.gesture) for picture in shown], np.int64),
        split=np.full(len(shown), "train", "<U10"),
        groups=np.array([picture.group for picture in shown], np.str_),
        label_set=label_set,
        source=", ".join(sorted({picture.collection for picture in pictures})),
    )


@dataclass(frozen=True, slots=True)
class _Looks:
    """How pictures are looked at; names of data sets as for `load_hands`."""

    whole_frames: Collection[str]
    tight: Collection[str]

    def bordered(self, picture: HandPicture, image_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture, with a border if it is cut tight."""
        return bordered(image_rgb) if picture.collection in self.tight else image_rgb

    def told(self, picture: HandPicture) -> str:
        return f"{picture.collection in self.whole_frames}" + " tight" * (picture.collection in self.tight)


def _found(
    pictures: Sequence[HandPicture],
    detector: HandDetector,
    looks: _Looks,
    cache: Path | None,
    on_step: Callable[[int], None] | None,
) -> NDArray[np.float32]:
    """(N, 70): canonical landmarks, the direction of the picture's top, and the square around the hand in pixels; not a
    number where no hand was found."""
    kept = RowCache(None if cache is None else cache / "hands-with-top.npz", _ROW)
    keys = _keys(pictures, looks)
    todo = any(key not in kept for key in keys)
    for i, (picture, key) in enumerate(zip(pictures, keys, strict=True)):
        if key not in kept:
            kept.put(key, _look_at(picture, detector, looks))
        if todo and on_step is not None:
            on_step(i + 1)
    kept.save()
    return np.stack([kept[key] for key in keys]) if keys else np.zeros((0, _ROW), np.float32)


def _look_at(picture: HandPicture, detector: HandDetector, looks: _Looks) -> NDArray[np.float32]:
    try:
        image = read_image(picture.path)
    except UnreadableMedia as exc:
        logger.warning("%s", exc)
        return np.full(_ROW, np.nan, np.float32)
    image = looks.bordered(picture, image)
    if picture.collection in looks.whole_frames:
        hand = max(detector.detect(image), key=lambda found: found.detection_score, default=None)
    else:
        hand = detector.landmarks_of_crop(image)
    if hand is None:
        return np.full(_ROW, np.nan, np.float32)
    square = roi_of_landmarks(np.array(hand.landmarks_xyz, np.float64)[:, :2], roomy=True)
    read = canonical_landmarks(hand, with_top=True)
    return np.array([*read.flat, *square.centre_xy, square.side, square.angle], np.float32)


def _read_copies(
    picture: HandPicture, square: RotatedRoi, detector: HandDetector, copies: int, looks: _Looks
) -> NDArray[np.float32] | None:
    try:
        image = looks.bordered(picture, read_image(picture.path))
    except UnreadableMedia:  # reported when its hand was looked for
        return None
    rng = np.random.default_rng(zlib.crc32(f"{picture.collection}/{picture.path.name}".encode()))
    rows = np.full((copies, _POINTS), np.nan, np.float32)
    for row in rows:
        copy = degrade.degraded_hand(image, square, rng)
        hand = detector.landmarks_in_roi(copy, whole_roi((copy.shape[0], copy.shape[1])))
        if hand is not None:
            row[:] = canonical_landmarks(hand, with_top=True).ravel()
    return rows.ravel()


def _square(row: NDArray[np.float32]) -> RotatedRoi:
    x, y, side, angle = row[_POINTS:].tolist()
    return RotatedRoi((x, y), side, angle)


def _gesture(folder: Path, naming: Naming) -> str | None:
    """What the pictures of a folder show; empty if they are left out; None, with a log line, if the name means no
    gesture."""
    names = {plain(name): gesture for name, gesture in naming.classes.items()}
    gesture = names.get(plain(folder.name), label_of(folder.name, naming.label_set))
    if gesture is None:
        near = nearest_label(folder.name, naming.label_set)
        hint = f". Did you mean {near!r}?" if near else ""
        logger.warning("%s is not a class of hand pictures and is left out%s", folder, hint)
    return gesture


def _class_pictures(folder: Path, gesture: str, naming: Naming, *, is_crowd: bool) -> Iterator[HandPicture]:
    collection = folder.parent.name
    files = [
        path
        for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
        if path.is_file() and not is_clutter(path)
    ]
    pictures = [path for path in files if path.suffix.lower() in _SUFFIXES]
    if len(pictures) < len(files):
        others = [path.name for path in files if path.suffix.lower() not in _SUFFIXES]
        logger.warning("%s: %d files that are not readable pictures, left out: %s", folder, len(others), some(others))
    if is_crowd:
        for path in pictures:
            yield HandPicture(path, gesture, collection, f"{collection}/{crowd_part(path.name)}")
        return
    letters = naming.letters if folder.name.casefold() == "other" else {}
    meant = {path: shown for path in pictures if (shown := letters.get(shown_letter(path.name)))}
    away = [letter for letter, shown in naming.letters.items() if not shown]
    rest = set(without_misleading(folder, [path for path in pictures if path not in meant], letters=away))
    for path in pictures:
        if path in meant or path in rest:
            signer = signer_of(path.name)
            group = f"{collection}/{signer}" if signer else collection
            yield HandPicture(path, meant.get(path) or gesture, collection, group)


def _keys(pictures: Sequence[HandPicture], looks: _Looks) -> list[str]:
    """Keys that change when a picture, the way it is read, or the model that reads it changes."""
    models = f"{[zoo_artifact(name).manifest.sha256 for name in (PALM_MODEL, LANDMARK_MODEL)]} {REVISION}"
    texts = (f"{models} {looks.told(p)} {p.path} {p.path.stat().st_size}" for p in pictures)
    return [hashlib.sha256(text.encode()).hexdigest()[:24] for text in texts]
