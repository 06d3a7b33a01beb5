"""Labelled frames of videos, in the layout of Aff-Wild and Aff-Wild2 (Kollias et al. 2019, IJCV 127).

root/videos/NAME.mp4        or a folder videos/NAME/ of numbered pictures; `frames` and `cropped_aligned` serve as well
root/annotations/NAME.txt   one label per frame; folders between, such as Train_Set, name the split
root/bboxes/NAME.txt        optional: one box per frame, x1,y1,x2,y2 in pixels, zeros for none; or NAME/<frame>.pts
root/landmarks/NAME.txt     optional: 68 points per frame, used to level the eyes; or NAME/<frame>.pts
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.classes import SPLIT_NAMES, label_of
from mien.data.crops import Cropper
from mien.data.dataset import Dataset
from mien.data.readers.annotations import FrameNumbers, box_of, eyes_of, read_labels
from mien.data.readers.pictures import PICTURE_SUFFIXES, OnProblem, OnStep, missing_labels, raise_problem
from mien.errors import DataError, InputError
from mien.labels import EMOTIONS, EMOTIONS_8, GESTURES, LabelSet
from mien.pixels.boxes import iou
from mien.pixels.images import read_image
from mien.pixels.preprocess import fit_crop
from mien.scene import Box, Detection, Frame
from mien.sources import VIDEO_SUFFIXES, Selection, captured, open_source
from mien.wording import natural_key

NOT_ANNOTATED = "not annotated"
NO_BOX = "no box"

_VIDEO_FOLDERS = ("videos", "frames", "cropped_aligned")
_ANNOTATIONS = "annotations"
_SAME = 0.3  # lowest IoU of a detected face and the box given for the frame
_SIDES = ("_left", "_right")


@dataclass(frozen=True)
class Clip:
    """A video and what is known about its frames.

    Args:
        name: of its annotations.
        video: the file, or the folder of its frames.
        labels: of each frame: a class name, or an empty text where there is none.
        split: train, validation or test.
        group: name of the video; annotations of two people in it share this.
        side: left or right in the picture, when one of two people is annotated (Aff-Wild2's NAME_left); else empty.
        boxes: of each frame; None if there are none for this video.
        points: landmarks of each frame, likewise.
    """

    name: str
    video: Path
    labels: tuple[str, ...]
    split: str
    group: str
    side: str = ""
    boxes: FrameNumbers | None = None
    points: FrameNumbers | None = None


@dataclass(frozen=True)
class Frames:
    """What `load_frames` gives.

    Args:
        dataset: the crops.
        left_out: how many frames were left out, by the reason: not annotated, a class that is not a label, no face, no
            box.
        several: how many frames had several faces or hands to choose from, so that the largest was taken.
    """

    dataset: Dataset
    left_out: Counter[str] = field(default_factory=Counter)
    several: int = 0


def has_frames_layout(root: Path) -> bool:
    """Whether a folder holds videos and annotations."""
    return (root / _ANNOTATIONS).is_dir() and _video_folder(root) is not None


def find_clips(root: str | Path, *, on_problem: OnProblem = raise_problem) -> list[Clip]:
    """The annotated videos of a folder in Aff-Wild's layout, in natural order.

    Args:
        root: holds videos and annotations.
        on_problem: gets each annotation that cannot be used: damaged, without a video, or not of expressions.

    Raises:
        DataError: the layout is another one, or no annotation can be used.
    """
    root = Path(root)
    folder = _video_folder(root)
    if folder is None or not (root / _ANNOTATIONS).is_dir():
        raise DataError(f"{root} has no folders videos and {_ANNOTATIONS}; give a folder in the layout of Aff-Wild")
    files = _annotation_files(root / _ANNOTATIONS)
    videos = _videos(folder, {_without_side(file.stem) for file in files} | {file.stem for file in files})
    clips: dict[str, Clip] = {}
    for file in files:
        try:
            if file.stem in clips:
                raise DataError(f"{file} is left out: there are other annotations of that name")
            clips[file.stem] = _clip(root, file, videos)
        except InputError as problem:
            on_problem(problem)
    if not clips:
        raise DataError(
            f"{root / _ANNOTATIONS} has no usable labels of expressions; "
            "valence, arousal and action units are not expressions"
        )
    return list(clips.values())


def steps_of(clips: Sequence[Clip], *, every: int) -> int:
    """How many frames `load_frames` reads, if the videos are as long as their annotations."""
    return sum(-(-len(clip.labels) // every) for clip in clips)


def load_frames(
    clips: Sequence[Clip],
    cropper: Cropper,
    *,
    every: int = 1,
    detect: bool | None = None,
    on_problem: OnProblem = raise_problem,
    on_step: OnStep | None = None,
) -> Frames:
    """Crops of the labelled frames.

    A frame is cropped where its box says, when its video has boxes; else where the detector finds a face or hand, the
    largest of several. Frames without one are left out and counted.

    Args:
        clips: from `find_clips`.
        cropper: crops and, if there are no boxes, detects.
        every: take frames 0, N, 2N, ... of each video.
        detect: true: always detect, and take what overlaps the box if there is one; false: never detect, and take
            frames of videos without boxes whole.
        on_problem: gets each video that cannot be read to its end; what came before is kept.
        on_step: called with the number of frames looked at.

    Returns:
        The crops as a data set, its group the video; and what was left out.

    Raises:
        DataError: nothing is left.
    """
    label_set = _label_set(clips, cropper)
    choice = _Choice(cropper, detect)
    samples: list[NDArray[np.uint8]] = []
    rows: list[tuple[int, str, str, str]] = []
    left_out: Counter[str] = Counter()
    done = 0
    for clip in clips:
        try:
            for frame in _frames(clip.video, every):
                name = clip.labels[frame.index] if frame.index < len(clip.labels) else ""
                label = label_of(name, label_set)
                crop = choice.crop(frame, clip) if label else (name or NOT_ANNOTATED)
                if isinstance(crop, str) or label is None:
                    left_out[str(crop)] += 1
                else:
                    samples.append(crop)
                    rows.append((label_set.index(label), clip.split, clip.group, f"{clip.name}-{frame.index:06d}.png"))
                done += 1
                if on_step is not None:
                    on_step(done)
        except InputError as problem:
            on_problem(problem)
    if not rows:
        reasons = ", ".join(f"{reason} {count}" for reason, count in left_out.most_common())
        raise DataError(f"No frame can be used ({reasons or 'no frames'}); give labelled videos of a {cropper.what}")
    labels, split, groups, names = (np.array(column) for column in zip(*rows, strict=True))
    dataset = Dataset(
        samples=np.stack(samples),
        labels=labels,
        split=split.astype("<U10"),
        groups=groups,
        names=names,
        label_set=label_set,
        caveats=missing_labels(label_set, labels),
    )
    return Frames(dataset, left_out, choice.several)


class _Choice:
    """Where in a frame to cut; counts the frames in which there were several to choose from."""

    def __init__(self, cropper: Cropper, detect: bool | None) -> None:
        self._cropper = cropper
        self._detect = detect
        self.several = 0

    def crop(self, frame: Frame, clip: Clip) -> NDArray[np.uint8] | str:
        """The crop, or why there is none."""
        image = frame.image_rgb
        box = box_of(clip.boxes.of_frame(frame.index)) if clip.boxes else None
        if self._detect is False and clip.boxes is None:
            return fit_crop(image, self._cropper.spec)
        if clip.boxes and not box:
            return NO_BOX
        if box and not self._detect:
            points = eyes_of(clip.points.of_frame(frame.index)) if clip.points else ()
            return self._cropper.cut_box(image, box, keypoints_xy=points)
        seen = self._cropper.find(image)
        if box:
            seen = _at(box, seen)
        elif len(seen) > 1:
            self.several += not clip.side
            if clip.side:
                seen = tuple(sorted(seen, key=lambda one: one.box_xyxy[0], reverse=clip.side == "right"))
        return self._cropper.cut(image, seen[0]) if seen else f"no {self._cropper.what}"


def _at(box_xyxy: Box, seen: Sequence[Detection]) -> tuple[Detection, ...]:
    """The one that overlaps the box most, if any does enough."""
    if not seen:
        return ()
    overlaps = iou(np.array([box_xyxy]), np.array([one.box_xyxy for one in seen]))[0]
    best = int(overlaps.argmax())
    return (seen[best],) if overlaps[best] >= _SAME else ()


def _label_set(clips: Sequence[Clip], cropper: Cropper) -> LabelSet:
    names = {name for clip in clips for name in clip.labels}
    if cropper.task == "gesture":
        return GESTURES
    return EMOTIONS_8 if "contempt" in {name.casefold() for name in names} else EMOTIONS


def _frames(video: Path, every: int) -> Iterator[Frame]:
    if not video.is_dir():
        with captured(open_source(video, selection=Selection(every=every))) as source:
            yield from source
        return
    for index, path in sorted(FrameNumbers.numbered(video, PICTURE_SUFFIXES).items()):
        if index % every == 0:
            yield Frame(read_image(path), index, source=str(path))


def _clip(root: Path, file: Path, videos: dict[str, Path]) -> Clip:
    base = file.stem if file.stem in videos else _without_side(file.stem)
    if base not in videos:
        raise DataError(f"{file} is left out: there is no video called {file.stem}")
    parents = [part.casefold() for part in file.relative_to(root).parts[:-1]]
    return Clip(
        name=file.stem,
        video=videos[base],
        labels=read_labels(file),
        split=next((SPLIT_NAMES[part] for part in parents if part in SPLIT_NAMES), "train"),
        group=base,
        side="" if base == file.stem else file.stem.rsplit("_", 1)[1],
        boxes=_numbers(root, ("bboxes", "boxes"), file.stem),
        points=_numbers(root, ("landmarks",), file.stem),
    )


def _numbers(root: Path, folders: Sequence[str], name: str) -> FrameNumbers | None:
    """The first of `<folder>/.../<name>.txt` and `<folder>/.../<name>/` below the root, with a split's folder between
    at most."""
    for folder in (root / folder for folder in folders):
        if folder.is_dir():
            between = [folder, *(path for path in sorted(folder.iterdir()) if path.name.casefold() in SPLIT_NAMES)]
            for place in between:
                for path in (place / f"{name}.txt", place / name):
                    if path.exists():
                        return FrameNumbers(path)
    return None


def _annotation_files(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*.txt") if not path.name.startswith(".")]
    return sorted(files, key=lambda path: [natural_key(part) for part in path.parts])


def _video_folder(root: Path) -> Path | None:
    return next((root / name for name in _VIDEO_FOLDERS if (root / name).is_dir()), None)


def _videos(folder: Path, names: set[str]) -> dict[str, Path]:
    """Videos by name: files, and folders called like one of the names, which are not looked into."""
    found: dict[str, Path] = {}
    for place, folders, files in os.walk(folder):
        found.update({name: Path(place, name) for name in folders if name in names})
        folders[:] = [name for name in folders if name not in names]
        videos = (Path(place, name) for name in sorted(files) if Path(name).suffix.lower() in VIDEO_SUFFIXES)
        found.update({video.stem: video for video in videos})
    return found


def _without_side(name: str) -> str:
    return next((name[: -len(side)] for side in _SIDES if name.endswith(side)), name)
