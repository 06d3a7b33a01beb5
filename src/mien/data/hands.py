"""Folders of hand pictures: which gesture each shows, whose hand it is, and its landmarks."""

from __future__ import annotations

import hashlib
import logging
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.classes import NAMED_SIGNER
from mien.data.dataset import Dataset
from mien.errors import DataError, UnreadableMedia
from mien.labels import FIST_LETTERS, GESTURES, LETTERS
from mien.models.artifact import zoo_artifact
from mien.pixels.images import read_image
from mien.stages.classify import canonical_landmarks
from mien.stages.hands import LANDMARK_MODEL, PALM_MODEL, REVISION, HandDetector

_SUFFIXES = {".jpg", ".jpeg", ".png"}
_NOT_A_LETTER = ("other", "nothing")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HandPicture:
    """One picture of a hand.

    Args:
        path: the file.
        gesture: its label.
        collection: name of the data set it belongs to.
        group: the signer, or the data set where signers are not named.
    """

    path: Path
    gesture: str
    collection: str
    group: str


def find_hand_pictures(root: str | Path, *, limit: int = 0) -> list[HandPicture]:
    """Pictures in `root/<data set>/<class>/`, sorted.

    A class is a gesture's name, a letter of the manual alphabet that is one (L, A, F, V), or `other` and `nothing`,
    which are `none`. In `other` the first letter of a file name is the letter shown; fists (E, M, N, S, T) are left
    out, since anyone would call them a punch, and so are the four letters themselves.

    Args:
        root: folder of one or more data sets.
        limit: at most so many pictures of each class and data set, evenly spaced over its sorted names; 0 for all.

    Raises:
        UnreadableMedia: there is no such folder.
        DataError: no class was found in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise UnreadableMedia(f"{root} is not a folder; give one with a folder for each data set of hand pictures")
    pictures: list[HandPicture] = []
    for folder in sorted(path for path in root.glob("*/*") if path.is_dir()):
        found = [picture for picture in _class_pictures(folder) if picture is not None]
        if limit and len(found) > limit:
            found = [found[i] for i in np.linspace(0, len(found) - 1, limit).round().astype(int)]
        pictures += found
    if not pictures:
        classes = ", ".join([*GESTURES.labels, *LETTERS, *_NOT_A_LETTER])
        raise DataError(f"{root} has no pictures in folders <data set>/<class>, with a class of {classes}")
    return pictures


def load_hands(
    pictures: Sequence[HandPicture],
    detector: HandDetector,
    *,
    whole_frames: Collection[str] = (),
    cache: Path | None = None,
    on_step: Callable[[int], None] | None = None,
) -> tuple[Dataset, NDArray[np.bool_]]:
    """Landmarks of the pictures in which a hand is found; a damaged picture is logged and counts as one without.

    Args:
        pictures: from `find_hand_pictures`.
        detector: finds the hand in each picture, as at run time.
        whole_frames: data sets whose pictures are frames with a hand somewhere, as `mien look` gets them, not crops of
            a hand; the most certain hand of each is taken.
        cache: an .npz file that keeps the landmarks; used again while pictures and detector stay the same.
        on_step: called with the number of pictures done.

    Returns:
        The data set, (M, 21, 3) float32 canonical landmarks, all in the split train; and the (N,) bool mask over
        `pictures` that says in which a hand was found (M of them).
    """
    key = _cache_key(pictures, whole_frames)
    landmarks = _cached(cache, key)
    if landmarks is None:
        landmarks = np.full((len(pictures), 21, 3), np.nan, np.float32)
        for i, picture in enumerate(pictures):
            try:
                image = read_image(picture.path)
                if picture.collection in whole_frames:
                    hand = max(detector.detect(image), key=lambda found: found.score, default=None)
                else:
                    hand = detector.landmarks_of_crop(image)
            except UnreadableMedia as exc:
                logger.warning("%s", exc)
                hand = None
            if hand is not None:
                landmarks[i] = canonical_landmarks(hand)
            if on_step is not None:
                on_step(i + 1)
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            partial = cache.with_suffix(".part.npz")
            np.savez(partial, landmarks=landmarks, key=np.array(key))
            partial.replace(cache)
    found = np.isfinite(landmarks[:, 0, 0])
    kept = [picture for picture, has_hand in zip(pictures, found, strict=True) if has_hand]
    logger.info("a hand was found in %d of %d pictures", len(kept), len(pictures))
    dataset = Dataset(
        samples=landmarks[found],
        labels=np.array([GESTURES.index(picture.gesture) for picture in kept], np.int64),
        split=np.full(len(kept), "train", "<U10"),
        groups=np.array([picture.group for picture in kept]),
        label_set=GESTURES,
        source=", ".join(sorted({picture.collection for picture in pictures})),
    )
    return dataset, found


def _class_pictures(folder: Path) -> Iterator[HandPicture]:
    collection, name = folder.parent.name, folder.name
    gesture = name if name in GESTURES else LETTERS.get(name.upper(), "none" if name in _NOT_A_LETTER else None)
    if gesture is None:
        logger.warning("%s is no class of hand pictures and is left out", folder)
        return
    for path in sorted(folder.iterdir(), key=_natural):
        if path.suffix.lower() not in _SUFFIXES or not path.is_file():
            continue
        named = NAMED_SIGNER.match(path.name)
        letter = (named.group(2) if named else path.name[:1]).upper()
        if name == "other" and (letter in FIST_LETTERS or letter in LETTERS):
            continue
        yield HandPicture(path, gesture, collection, f"{collection}/{named.group(1)}" if named else collection)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Key that sorts A2 before A10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _cache_key(pictures: Sequence[HandPicture], whole_frames: Collection[str]) -> str:
    hashes = [zoo_artifact(name).manifest.sha256 for name in (PALM_MODEL, LANDMARK_MODEL)]
    digest = hashlib.sha256("".join((*hashes, str(REVISION), *sorted(whole_frames))).encode())
    for picture in pictures:
        digest.update(f"{picture.path}:{picture.path.stat().st_size}:{picture.gesture}\n".encode())
    return digest.hexdigest()


def _cached(cache: Path | None, key: str) -> NDArray[np.float32] | None:
    if cache is None or not cache.is_file():
        return None
    try:
        with cache.open("rb") as file, np.load(file) as stored:
            return np.asarray(stored["landmarks"]) if str(stored["key"]) == key else None
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        logger.warning("%s is damaged and is made anew", cache)
        return None
