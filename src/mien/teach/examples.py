"""Examples for teaching: the hand of each picture, as landmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.addresses import named
from mien.errors import InputError, UnreadableMedia
from mien.resource import Resource
from mien.scene import Frame, Hand, Scene
from mien.sources import VIDEO_SUFFIXES, Selection, Source, expand_sources, open_source
from mien.stages.classify import GestureClassifier, canonical_landmarks
from mien.stages.hands import HandDetector
from mien.teach.takes import FEWEST, Distinct, Take, new_take
from mien.wording import count, natural_key
from mien.words import say

MOST_PICTURES = 1200
"""How many frames of a video, or photos of a folder, are looked at; a take keeps fewer."""

_FPS = 10.0  # more frames per second of a video are near copies

Problem = Callable[[InputError], object]
Step = Callable[[int], object]
Note = Callable[[str], None]


class ExampleReader(Resource):
    """Finds the hands of a picture, and what the package's model takes them for.

    Args:
        threads: of each network; the available cores by default, 4 at most.
        provider: what computes; see `mien.models.session.Session`.
    """

    def __init__(self, *, threads: int | None = None, provider: str = "cpu") -> None:
        self._hands = HandDetector(threads=threads, provider=provider)
        self._gestures = GestureClassifier(threads=threads, provider=provider)

    def scene(self, frame: Frame) -> Scene:
        """What a frame shows: its hands, largest first, with the predictions of the package's model."""
        hands = self._hands.detect(frame.image_rgb)
        if not hands and frame.still:  # a picture of nothing but a hand
            hand = self._hands.landmarks_of_crop(frame.image_rgb)
            hands = () if hand is None else (hand,)
        return Scene(
            source=frame.source,
            frame=frame.index,
            time_s=frame.time_s,
            size_hw=frame.size_hw,
            hands=self._gestures.classify(hands),
            image_rgb=frame.image_rgb,
        )

    def close(self) -> None:
        """Free the networks."""
        self._hands.close()
        self._gestures.close()


class Examples:
    """The examples of one take, as they come.

    Attributes:
        frames: how many pictures were looked at.
        crowded: how many of them show more than one hand.
        different: how many of the examples differ from one another.
    """

    def __init__(self) -> None:
        self.samples: list[NDArray[np.float32]] = []
        self.frames = 0
        self.crowded = 0
        self.different = Distinct()

    def add(self, hands: tuple[Hand, ...]) -> bool:
        """Take the first of a picture's hands, if there is one; returns whether it differs from those before."""
        self.frames += 1
        self.crowded += len(hands) > 1
        if not hands:
            return False
        sample = canonical_landmarks(hands[0], with_top=True)
        self.samples.append(sample)
        return self.different.add(sample)

    def take(self, label: str, kind: str, source: str) -> Take:
        """The finished take.

        Args:
            label: the gesture's name.
            kind: camera, video or photos.
            source: what to call it in a message.

        Raises:
            InputError: there is no hand, or there are too few that differ.
        """
        looked = count(self.frames, "picture" if kind == "photos" else "frame")
        if not self.samples:
            raise InputError(
                f"No hand was seen in {looked} of {named(source)}; show one hand, close and in good light."
            )
        if len(self.different) < FEWEST:
            raise InputError(
                f"{named(source)} has {count(len(self.different), 'different example')} in {looked}, but at least "
                f"{FEWEST} are needed; show the gesture for longer, and turn and move the hand meanwhile."
            )
        return new_take(label, self.samples, kind)


def takes_of(
    origin: str,
    label: str,
    reader: ExampleReader,
    *,
    on_problem: Problem | None = None,
    on_step: Step | None = None,
    on_note: Note | None = None,
) -> list[Take]:
    """The takes in a video, a photo, or a folder or pattern of them.

    Each video is a take of its own; so are all photos of one folder together. At most `MOST_PICTURES` of each are
    looked at: the first ones of a video, at ten frames per second, and evenly spaced ones of a folder's photos. A video
    that breaks off, or lacks frames, gives what it has.

    Args:
        origin: path or pattern.
        label: the gesture that all of them show.
        reader: finds the hands.
        on_problem: gets each file that cannot be read, or only in part, and each that shows too little to be a take;
            the first is raised without it, and if there is no take at all.
        on_step: called with the number of pictures looked at so far.
        on_note: gets a sentence about files and frames that were not looked at, and about other hands in the pictures.

    Raises:
        UnreadableMedia: there is nothing to read.
        InputError: there is no hand, or there are too few examples.
    """
    paths, problems = expand_sources([origin], on_note=on_note)
    looked = 0

    def step() -> None:
        nonlocal looked
        looked += 1
        if on_step is not None:
            on_step(looked)

    takes: list[Take] = []
    wrong: list[InputError] = []
    photos: dict[Path, Examples] = {}
    for path in _some_of_each(sorted(paths, key=lambda path: natural_key(str(path))), on_note):
        examples, is_photo = Examples(), False
        try:
            with open_source(path, selection=Selection(fps=_FPS)) as source:
                is_photo = source.kind == "photo"
                examples = photos.setdefault(path.parent, examples) if is_photo else examples
                if not _look(source, examples, reader, step) and on_note is not None:
                    on_note(say("teach.most_frames", name=named(str(path)), n=MOST_PICTURES))
        except UnreadableMedia as problem:
            problems.append(problem)
        if not is_photo and examples.frames:
            _finish(takes, wrong, examples, (label, "video", str(path)))
            _tell_crowded(examples, str(path), on_note)
    for folder, examples in photos.items():
        if examples.frames:
            name = origin if len(photos) == 1 else str(folder)
            _finish(takes, wrong, examples, (label, "photos", name))
            _tell_crowded(examples, name, on_note)
    _report(takes, [*problems, *wrong], on_problem)  # a problem of a file before that of its contents
    return takes


def _some_of_each(paths: Sequence[Path], on_note: Note | None) -> list[Path]:
    """The files, of a folder with very many photos only evenly spaced ones."""
    photos: dict[Path, list[Path]] = {}
    for path in paths:
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            photos.setdefault(path.parent, []).append(path)
    left_out: set[Path] = set()
    for folder, there in photos.items():
        if len(there) > MOST_PICTURES:
            kept = {there[i] for i in np.linspace(0, len(there) - 1, MOST_PICTURES).round().astype(int)}
            left_out |= {path for path in there if path not in kept}
            if on_note is not None:
                on_note(say("teach.most_photos", name=named(str(folder)), n=len(there), most=MOST_PICTURES))
    return [path for path in paths if path not in left_out]


def _look(source: Source, examples: Examples, reader: ExampleReader, step: Callable[[], None]) -> bool:
    """Take the examples of a source; False if it goes on after as many as are looked at."""
    before = examples.frames
    for frame in source:
        if examples.frames - before >= MOST_PICTURES:
            return False
        examples.add(reader.scene(frame).hands)
        step()
    return True


def _finish(takes: list[Take], wrong: list[InputError], examples: Examples, what: tuple[str, str, str]) -> None:
    try:
        takes.append(examples.take(*what))
    except InputError as problem:
        wrong.append(problem)


def _tell_crowded(examples: Examples, name: str, on_note: Note | None) -> None:
    if examples.crowded and on_note is not None:
        on_note(say("teach.crowded", name=named(name), n=examples.frames, crowded=examples.crowded))


def _report(takes: list[Take], problems: list[InputError], on_problem: Problem | None) -> None:
    """Raise the first problem if nothing can be taught, or nobody takes problems; tell all otherwise."""
    if problems and (on_problem is None or not takes):
        raise problems[0]
    if on_problem is not None:
        for problem in problems:
            on_problem(problem)
