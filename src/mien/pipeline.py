"""The flow: a frame in, a scene out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Any

from mien.errors import InputError, UnknownName
from mien.labels import NOTHING, TASKS, Task
from mien.models.artifact import load_artifact
from mien.pixels.pictures import PictureLike, read_picture
from mien.resource import Resource
from mien.scene import Face, Frame, Hand, Prediction, Scene, UsedModel
from mien.sources import Source, captured, open_live, open_source
from mien.stages.classify import EMOTION_MODEL, GESTURE_MODEL, ExpressionClassifier, GestureClassifier, only
from mien.stages.faces import FaceDetector
from mien.stages.hands import HandDetector
from mien.stages.schedule import DetectionScheduler, SearchDepth
from mien.stages.track import Tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to look for and how.

    Args:
        tasks: `emotion` finds and reads faces, `gesture` hands.
        tiles: also search overlapping tiles, for small and distant faces and hands; slower.
        emotion_model: name of a model in the package, or a model folder.
        gesture_model: likewise.
        emotion_threshold: confidence below which an expression counts as uncertain; the model's own by default.
        gesture_threshold: likewise for gestures.
        gestures: the only gestures to answer with; all others count as `none`, to which their probabilities are added.
            All that the model knows by default.
        threads: threads per network; by default the available cores, 4 at most.
        provider: what the networks are computed on, by ONNX Runtime's name or cpu, cuda, coreml, dml.
        follow: in a video, follow hands from frame to frame and search for others only now and then; faster, but a new
            hand may be seen up to a quarter of a second late.
    """

    tasks: tuple[Task, ...] = TASKS
    tiles: bool = False
    emotion_model: str = EMOTION_MODEL
    gesture_model: str = GESTURE_MODEL
    emotion_threshold: float | None = None
    gesture_threshold: float | None = None
    gestures: tuple[str, ...] | None = None
    threads: int | None = None
    provider: str = "cpu"
    follow: bool = False

    def __post_init__(self) -> None:
        check_tasks(self.tasks)
        for name in ("emotion_threshold", "gesture_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {value}")
        if self.gestures is not None:
            if isinstance(self.gestures, str) or not self.gestures:
                raise InputError(f"gestures must be the names of one gesture or more, got {self.gestures!r}")
            object.__setattr__(self, "gestures", tuple(self.gestures))
        if self.threads is not None and self.threads < 1:
            raise InputError(f"threads must be at least 1, got {self.threads}")

    @property
    def computing(self) -> dict[str, Any]:
        """What each network is told of how to compute."""
        return {"threads": self.threads, "provider": self.provider}


@dataclass(slots=True)
class _Tracks:
    """What is remembered about one source from frame to frame."""

    faces: Tracker = field(default_factory=Tracker)
    hands: Tracker = field(default_factory=Tracker)
    follower: DetectionScheduler | None = None
    depth: SearchDepth = field(default_factory=SearchDepth)


class Analyzer(Resource):
    """Looks at pictures and frames; keep one and use it for everything, because its models stay loaded.

    `look` and `stream` take whole photos and sources, from as many threads as you like: each call keeps its own tracks,
    and one frame is computed at a time. `step` takes frames one by one, from one source and one thread at a time.

    Args:
        options: what to look for; everything by default.

    Raises:
        UnknownName, ModelError: a model cannot be used.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._faces: FaceDetector | None = None
        self._hands: HandDetector | None = None
        self._computing, self._stepping = threading.Lock(), threading.Lock()
        self._resources = ExitStack()
        self._tasks = self.options.tasks
        self._models: dict[str, UsedModel] = {}
        try:
            self._load()
        except BaseException:
            self._resources.close()
            raise
        self.restart()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is looked for in the next frame; models that a new task needs are loaded then."""
        return self._tasks

    @tasks.setter
    def tasks(self, tasks: Sequence[str]) -> None:
        self._tasks = check_tasks(tasks)

    def restart(self) -> None:
        """Forget all tracks of `step`, because another source comes next."""
        self._tracks = _Tracks()

    @property
    def thresholds(self) -> dict[Task, float]:
        """The confidence for each task below which an answer counts as uncertain, even before its model is loaded.

        Raises:
            UnknownName, ModelError: a model that is not loaded yet cannot be used.
        """
        o = self.options
        return {
            "emotion": _threshold_of(o.emotion_model, o.emotion_threshold)
            if self._faces is None
            else self._expressions.threshold,
            "gesture": _threshold_of(o.gesture_model, o.gesture_threshold)
            if self._hands is None
            else self._gestures.threshold,
        }

    @property
    def models(self) -> Mapping[str, UsedModel]:
        """The models that answer, by task, for tasks whose models are loaded."""
        return self._models_of(self._tasks)

    @property
    def labels(self) -> dict[Task, tuple[str, ...]]:
        """The labels that each task can answer with, even before its model is loaded.

        Raises:
            UnknownName, ModelError: a model that is not loaded yet cannot be used.
        """
        own = labels_of(self.options)
        return {
            "emotion": own["emotion"] if self._faces is None else self._expressions.labels.labels,
            "gesture": own["gesture"] if self._hands is None else self._gestures.labels.labels,
        }

    def look(self, picture: PictureLike) -> Scene:
        """What is in one photo, as with `mien.look`; nothing is remembered from other photos."""
        return self._see(_photo(picture), _Tracks())

    def stream(self, source: str | os.PathLike[str] | int, *, every: int = 1) -> Iterator[Scene]:
        """The scenes of one source, one at a time as they are asked for, as with `mien.stream`."""
        with _opened(source, every) as frames:
            yield from self.scenes(_thinned(frames, every))

    def step(self, frame: Frame) -> Scene:
        """What is in one frame; faces and hands keep their track numbers from one `restart` to the next.

        Raises:
            InputError: another thread is in the middle of a frame, and the two would get each other's tracks.
        """
        if not self._stepping.acquire(blocking=False):
            raise InputError(
                "This Analyzer is working on a frame from another thread, and their tracks would mix; use one Analyzer "
                "per thread, or look() and stream(), which keep their tracks apart."
            )
        try:
            return self._see(frame, self._tracks)
        finally:
            self._stepping.release()

    def scenes(self, frames: Iterable[Frame]) -> Iterator[Scene]:
        """The scenes of one source, from its first frame on, with tracks of their own."""
        tracks = _Tracks()
        for frame in frames:
            yield self._see(frame, tracks)

    def close(self) -> None:
        """Free the models, once the current frame is done."""
        with self._computing:
            self._resources.close()

    def _see(self, frame: Frame, tracks: _Tracks) -> Scene:
        image = frame.image_rgb
        faces: tuple[Face, ...] = ()
        hands: tuple[Hand, ...] = ()
        with self._computing:
            tasks = self._tasks
            self._load()
            if "emotion" in tasks and self._faces is not None:
                faces = tracks.faces.update(self._faces.detect(image), frame.time_s)
                faces = self._expressions.classify(image, faces)
            if "gesture" in tasks and self._hands is not None:
                if self.options.follow and tracks.follower is None:
                    tracks.follower = DetectionScheduler(self._hands)
                if tracks.follower is not None:
                    found = tracks.follower.update(image, frame.time_s)
                else:
                    thorough = tracks.depth.thorough(frame.time_s)
                    found = self._hands.detect(image, thorough=thorough)
                    tracks.depth.note(frame.time_s, thorough=thorough, seen=bool(found))
                hands = tracks.hands.update(found, frame.time_s)
                hands = self._gestures.classify(hands, image)
            models = self._models_of(tasks)
        return Scene(
            source=frame.source,
            frame=frame.index,
            time_s=frame.time_s,
            size_hw=frame.size_hw,
            faces=faces,
            hands=hands,
            models=models,
            image_rgb=image,
        )

    def _models_of(self, tasks: tuple[Task, ...]) -> Mapping[str, UsedModel]:
        """What the records of these tasks say; rebuilt only when the tasks change."""
        if self._models.keys() != set(tasks):
            used: dict[str, UsedModel] = {}
            if "emotion" in tasks and self._faces is not None:
                used["emotion"] = replace(self._expressions.used, detector=self._faces.name)
            if "gesture" in tasks and self._hands is not None:
                used["gesture"] = replace(self._gestures.used, detector=self._hands.name)
            self._models = used
        return self._models

    def _load(self) -> None:
        o, enter = self.options, self._resources.enter_context
        if "emotion" in self._tasks and self._faces is None:
            self._expressions = enter(
                ExpressionClassifier(
                    o.emotion_model, threshold=o.emotion_threshold, threads=o.threads, provider=o.provider
                )
            )
            self._faces = enter(FaceDetector(tiles=o.tiles, **o.computing))
        if "gesture" in self._tasks and self._hands is None:
            self._gestures = enter(_gesture_classifier(o))
            self._hands = enter(HandDetector(tiles=o.tiles, **o.computing))


def _gesture_classifier(o: Options) -> GestureClassifier:
    return GestureClassifier(
        o.gesture_model, gestures=o.gestures, threshold=o.gesture_threshold, threads=o.threads, provider=o.provider
    )


def labels_of(options: Options) -> dict[Task, tuple[str, ...]]:
    """The labels that each task can answer with.

    Raises:
        UnknownName, ModelError: a model cannot be used, or does not know a gesture that was asked for.
    """
    emotions, gestures = (
        load_artifact(model).manifest.label_set for model in (options.emotion_model, options.gesture_model)
    )
    if gestures is not None and options.gestures is not None:
        gestures = only(gestures, options.gestures)
    return {
        "emotion": () if emotions is None else emotions.labels,
        "gesture": () if gestures is None else gestures.labels,
    }


def _threshold_of(model: str, chosen: float | None) -> float:
    return load_artifact(model).manifest.threshold if chosen is None else chosen


class CropReader(Resource):
    """Reads pictures that already are the face or the hand: no detector decides what to look at.

    Args:
        task: `emotion` or `gesture`.
        options: models and thresholds; its tasks are not used.
    """

    def __init__(self, task: Task, options: Options | None = None) -> None:
        check_tasks((task,))
        o = options or Options()
        self.task = task
        self._computing = threading.Lock()
        with ExitStack() as stack:
            if task == "emotion":
                self._expressions = stack.enter_context(
                    ExpressionClassifier(
                        o.emotion_model, threshold=o.emotion_threshold, threads=o.threads, provider=o.provider
                    )
                )
                self.labels = self._expressions.labels
                self.model = self._expressions.used
            else:
                self._gestures = stack.enter_context(_gesture_classifier(o))
                self.labels = self._gestures.labels
                self.model = self._gestures.used
                if not self._gestures.reads_crops:  # otherwise the crop is all that is needed
                    self._hands = stack.enter_context(HandDetector(**o.computing))
                    self.model = replace(self.model, detector=self._hands.name)
            self._resources = stack.pop_all()

    def read(self, crop: PictureLike) -> Prediction:
        """The prediction for one crop; may be called from several threads.

        Args:
            crop: a picture in any form that `mien.look` takes, of any size. A hand should fill most of it without
                being cut off.

        Returns:
            The prediction. With a model that reads landmarks, a picture in which no hand is found gives `none` with
            confidence 1.

        Raises:
            UnreadableMedia, InputError: as for `mien.look`.
        """
        crop_rgb, _ = read_picture(crop)
        with self._computing:
            if self.task == "emotion":
                return self._expressions.classify_crops([crop_rgb])[0]
            if self._gestures.reads_crops:
                return self._gestures.classify_crops([crop_rgb])[0]
            hand = self._hands.landmarks_of_crop(crop_rgb)
            if hand is not None:
                prediction = self._gestures.classify([hand])[0].prediction
                if prediction is not None:
                    return prediction
        scores = {**dict.fromkeys(self.labels.labels, 0.0), NOTHING: 1.0}
        return Prediction(label=NOTHING, confidence=1.0, uncertain=False, probabilities=scores)

    def close(self) -> None:
        """Free the models."""
        self._resources.close()


def look(picture: PictureLike, **options: object) -> Scene:
    """What is in one photo.

    Args:
        picture: a path; the bytes of a photo file, or a file opened in binary mode; a PIL image; or a uint8 array, 0 to
            255: (H, W, 3) RGB, (H, W) grey or (H, W, 4) RGBA on white. OpenCV's are BGR: `image[..., ::-1]`.
        options: fields of `Options`, e.g. `tasks=("gesture",)`, `tiles=True`.

    Raises:
        UnreadableMedia: the photo is missing, empty or damaged.
        InputError: something else, or an array of another type or shape.
        UnknownName: an unknown option.

    Loading the models takes longer than looking; for many photos keep one `Analyzer`.
    """
    frame = _photo(picture)
    with Analyzer(_options(options)) as analyzer:
        return analyzer.step(frame)


def stream(source: str | os.PathLike[str] | int, *, every: int = 1, **options: object) -> Iterator[Scene]:
    """The scenes of a video, one at a time as they are asked for.

    Args:
        source: path of a video file (or photo); the number of a camera; or an address, such as `rtsp://name:password@
            host/path`. From a camera or address each scene is the newest frame; those in between are left out.
        every: look at every n-th frame only; scenes keep their original frame number and time.
        options: fields of `Options`.

    Raises:
        UnreadableMedia: the source cannot be read, or ends early; the scenes before that have been given.
        InputError: not a valid address.
    """
    chosen = _options(options)
    with _opened(source, every) as frames, Analyzer(chosen) as analyzer:
        yield from analyzer.scenes(_thinned(frames, every))


def _photo(picture: PictureLike) -> Frame:
    image_rgb, name = read_picture(picture)
    return Frame(image_rgb=image_rgb, source=name)


def _opened(source: str | os.PathLike[str] | int, every: int) -> Source:
    if every < 1:
        raise InputError(f"every must be at least 1, got {every}")
    if not isinstance(source, str | os.PathLike | int):
        raise InputError(
            f"A source must be a path, an address or the number of a camera, got {type(source).__qualname__}."
        )
    text = str(source)
    if isinstance(source, int) or "://" in text:
        return open_live(text)
    return captured(open_source(text, every=every))


def _thinned(frames: Source, every: int) -> Iterable[Frame]:
    """Every n-th frame; a file source has already left the others out, before decoding them."""
    return islice(frames, 0, None, every) if frames.is_live and every > 1 else frames


def check_tasks(tasks: Sequence[str]) -> tuple[Task, ...]:
    """The tasks, if there is at least one and all are known; otherwise UnknownName or InputError."""
    for task in tasks:
        if task not in TASKS:
            raise UnknownName("task", task, TASKS)
    if not tasks:
        raise InputError(f"At least one task is needed: {', '.join(TASKS)}.")
    return tuple(task for task in TASKS if task in tasks)


def _options(values: dict[str, object]) -> Options:
    names = [f.name for f in fields(Options)]
    for name in values:
        if name not in names:
            raise UnknownName("option", name, names)
    return Options(**values)  # type: ignore[arg-type]
