"""The flow: a frame in, a scene out."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.addresses import named
from mien.errors import InputError, ModelError, UnknownName
from mien.labels import NOTHING, TASKS, LabelSet, Task
from mien.models.artifact import load_artifact
from mien.pixels.photos import MAX_PIXELS
from mien.pixels.pictures import PictureLike, read_picture
from mien.resource import Resource, Turns, usable_threads
from mien.scene import Face, Frame, Hand, Prediction, Scene, UsedModel
from mien.sources import Selection, Source, captured, open_live, open_source
from mien.stages.baseline import Baselines, neutral_reference
from mien.stages.classify import EMOTION_MODEL, GESTURE_MODEL, ExpressionClassifier, GestureClassifier, only, softmax
from mien.stages.faces import DETAILS, Detail, FaceDetector
from mien.stages.hands import HandDetector
from mien.stages.schedule import DetectionScheduler, SearchDepth
from mien.stages.track import Tracker
from mien.wording import count

# Longest time until a new face of a video is found, in seconds; as of a hand that is followed.
_NEW_FACE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to look for and how.

    Args:
        tasks: `emotion` finds and reads faces, `gesture` hands.
        detail: how closely pictures are searched for faces: low, normal or high. Photos at 640 pixels on the longer
            side, from normal on also at up to 1600, with high also at up to 2560; frames of videos and cameras at 320
            pixels, at half of their own size, or at their own size, within 320 to 640.
        tiles: also search overlapping tiles, for small and distant faces and hands; slower.
        emotion_model: name of a model in the package, or a model folder.
        gesture_model: likewise.
        emotion_threshold: confidence below which an expression counts as uncertain; the model's own by default.
        gesture_threshold: likewise for gestures.
        gestures: the only gestures to answer with; all others count as `none`, to which their probabilities are added.
            All that the model knows by default.
        threads: threads per network; by default the available cores, 4 at most.
        provider: what the networks are computed on, by ONNX Runtime's name or cpu, cuda, coreml, dml.
        baseline: a picture of the one person who is looked at, with a neutral face: expressions are read as changes
            from it, in all pictures (`mien.stages.baseline`). Anything that `look` takes.
        baseline_s: in a video, learn the neutral face of each track from its first so many calm seconds.
        follow: in a video, follow hands from frame to frame and search for others only now and then; faster, but a new
            one may be seen up to a quarter of a second late. Faces always are, in videos of eight or more frames per
            second.
        max_pixels: a larger photo is refused before it is decoded; one of 200 million takes about 1.2 GB for a moment.
    """

    tasks: tuple[Task, ...] = TASKS
    detail: Detail = "normal"
    tiles: bool = False
    emotion_model: str = EMOTION_MODEL
    gesture_model: str = GESTURE_MODEL
    emotion_threshold: float | None = None
    gesture_threshold: float | None = None
    gestures: tuple[str, ...] | None = None
    threads: int | None = None
    provider: str = "cpu"
    baseline: PictureLike | None = None
    baseline_s: float | None = None
    follow: bool = False
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        check_tasks(self.tasks)
        check_detail(self.detail)
        for name in ("emotion_threshold", "gesture_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"{name} must lie between 0 and 1, got {value}")
        if self.baseline_s is not None and not 0 < self.baseline_s < math.inf:
            raise InputError(f"baseline_s must be a number of seconds above 0, got {self.baseline_s}")
        if self.baseline is not None and self.baseline_s is not None:
            raise InputError("baseline gives a neutral face that baseline_s would learn; give only one of them")
        if (self.baseline is not None or self.baseline_s is not None) and "emotion" not in self.tasks:
            raise InputError("a baseline is a neutral face, and faces are not looked for; add the task emotion")
        if self.gestures is not None:
            if isinstance(self.gestures, str) or not self.gestures:
                raise InputError(f"gestures must be the names of one gesture or more, got {self.gestures!r}")
            object.__setattr__(self, "gestures", tuple(self.gestures))
        if self.threads is not None and self.threads < 1:
            raise InputError(f"threads must be at least 1, got {self.threads}")
        if self.max_pixels < 1:
            raise InputError(f"max_pixels must be at least 1, got {self.max_pixels}")

    @property
    def computing(self) -> dict[str, Any]:
        """What each network is told of how to compute."""
        return {"threads": self.threads, "provider": self.provider}


@dataclass(slots=True)
class _Tracks:
    """What is remembered about one source from frame to frame."""

    faces: Tracker = field(default_factory=Tracker)
    hands: Tracker = field(default_factory=Tracker)
    baselines: Baselines | None = None
    baseline_s: float | None = None  # in place of the Analyzer's
    taught: int = 0
    follower: DetectionScheduler[Hand] | None = None
    face_follower: DetectionScheduler[Face] | None = None
    face_time_s: float = -math.inf
    depth: SearchDepth = field(default_factory=SearchDepth)

    def memory(self, at_s: float) -> dict[str, Any]:
        """See `FrameSequence.memory`."""
        followers = {"faces": self.face_follower, "hands": self.follower}
        followed = {name: one.memory(at_s) for name, one in followers.items() if one is not None}
        kept: dict[str, Any] = {**followed, "depth": self.depth.memory(at_s)}
        kept = {name: memory for name, memory in kept.items() if memory}
        if at_s - self.face_time_s <= _NEW_FACE_S / 2:
            kept["face_time_s"] = self.face_time_s
        return kept


class Analyzer(Resource):
    """Looks at pictures and frames; keep one and use it for everything, because its models stay loaded.

    `look` and `stream` take whole photos and sources, from as many threads as you like: each call keeps its own tracks,
    and as many frames are computed at a time as there are cores, 4 at most. `step` takes frames one by one, from one
    source and one thread at a time.

    Args:
        options: what to look for; everything by default.

    Raises:
        UnknownName, ModelError: a model cannot be used.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._faces: FaceDetector | None = None
        self._hands: HandDetector | None = None
        self._computing, self._stepping = Turns(usable_threads()), threading.Lock()
        self._resources = ExitStack()
        self._tasks = self.options.tasks
        self._models: dict[tuple[Task, ...], Mapping[str, UsedModel]] = {}
        self._baseline: NDArray[np.float64] | None = None
        self._baseline_s, self._taught = self.options.baseline_s, 0
        try:
            self._load(self._tasks)
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
    def perhaps(self) -> dict[Task, float | None]:
        """The confidence for each task from which an uncertain answer is "perhaps"; None where there is no such grade.

        Raises:
            UnknownName, ModelError: a model that is not loaded yet cannot be used.
        """
        models = {"emotion": self.options.emotion_model, "gesture": self.options.gesture_model}
        found = {task: load_artifact(models[task]).manifest.perhaps for task in TASKS}
        limits = self.thresholds
        return {task: None if least is None else min(least, limits[task]) for task, least in found.items()}

    @property
    def learns_baselines(self) -> bool:
        """Whether neutral faces are learned, from `Options.baseline_s` or since `learn_baselines`."""
        return self._baseline_s is not None

    def use_baseline(self, picture: PictureLike | None) -> None:
        """Read faces as changes from the neutral one in another picture, as `Options.baseline`; None ends that.

        Raises:
            InputError: the picture does not show just one face, or faces are not looked for.
            ModelError: the model cannot answer neutral.
        """
        if "emotion" not in self._tasks:
            raise InputError("a baseline is a neutral face, and faces are not looked for; add the task emotion")
        with self._computing.alone():
            self._baseline = None if picture is None else self._neutral_face(picture)
            self._baseline_s = None
            self._taught += 1

    def learn_baselines(self, seconds: float) -> None:
        """Forget all neutral faces, and learn that of each track from its next so many calm seconds.

        Raises:
            InputError: the number of seconds is not above 0.
            ModelError: the model cannot answer neutral.
        """
        self._check_learning(seconds)
        with self._computing.alone():
            self._baseline, self._baseline_s = None, seconds
            self._taught += 1

    def _check_learning(self, seconds: float) -> None:
        """As `learn_baselines` raises."""
        if not 0 < seconds < math.inf:
            raise InputError(f"a neutral face is learned in a number of seconds above 0, got {seconds}")
        neutral_reference(_label_set_of(self.options.emotion_model), 0.5)  # that the model can answer neutral

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

    def look(self, picture: PictureLike, *, tasks: Sequence[str] | None = None) -> Scene:
        """What is in one photo, as with `mien.look`; nothing is remembered from other photos.

        Args:
            picture: as for `mien.look`.
            tasks: what to look for in this one; by default what the Analyzer looks for.
        """
        return self._see(
            _photo(picture, self.options.max_pixels), _Tracks(), None if tasks is None else check_tasks(tasks)
        )

    def sequence(self, tasks: Sequence[str] | None = None) -> FrameSequence:
        """What looks at the frames of one more source, one by one, with tracks and tasks of its own."""
        return FrameSequence(self, self.tasks if tasks is None else tasks)

    def stream(
        self,
        source: str | os.PathLike[str] | int,
        *,
        every: int = 1,
        fps: float | None = None,
        start_s: float = 0.0,
        end_s: float | None = None,
        keyframes: bool = False,
    ) -> Iterator[Scene]:
        """The scenes of one source, one at a time as they are asked for, as with `mien.stream`."""
        selection = Selection(every=every, fps=fps, start_s=start_s, end_s=end_s, keyframes=keyframes)
        with _opened(source, selection, self.options.max_pixels) as frames:
            yield from self.scenes(_thinned(frames, selection))

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
        """Free the models, once the current frames are done."""
        with self._computing.alone():
            self._resources.close()

    def _see(self, frame: Frame, tracks: _Tracks, asked: tuple[Task, ...] | None = None) -> Scene:
        image = frame.image_rgb
        faces: tuple[Face, ...] = ()
        hands: tuple[Hand, ...] = ()
        tasks = self._tasks if asked is None else asked
        if self._lacks(tasks):
            with self._computing.alone():
                self._load(tasks)
        with self._computing.shared():
            if "emotion" in tasks and self._faces is not None:
                faces = tracks.faces.update(self._faces_of(frame, self._faces, tracks), frame.time_s)
                faces = self._read(frame, faces, tracks)
            if "gesture" in tasks and self._hands is not None:
                if self.options.follow and tracks.follower is None:
                    tracks.follower = DetectionScheduler(self._hands)
                if tracks.follower is not None:
                    found = tracks.follower.update(image, frame.time_s)
                else:
                    thorough = tracks.depth.thorough(frame.time_s)
                    found = self._hands.detect(image, thorough=thorough, hidden=frame.still)
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

    def _faces_of(self, frame: Frame, detector: FaceDetector, tracks: _Tracks) -> tuple[Face, ...]:
        if frame.still:
            return detector.detect(frame.image_rgb)
        pace_s, tracks.face_time_s = frame.time_s - tracks.face_time_s, frame.time_s
        if pace_s > _NEW_FACE_S / 2:  # every frame would be searched, so following would only cost time
            return detector.detect(frame.image_rgb, still=False)
        if tracks.face_follower is None:
            tracks.face_follower = DetectionScheduler(detector, within_s=_NEW_FACE_S)
        return tracks.face_follower.update(frame.image_rgb, frame.time_s)

    def _read(self, frame: Frame, faces: tuple[Face, ...], tracks: _Tracks) -> tuple[Face, ...]:
        """The faces with their predictions, relative to neutral faces where these are known."""
        seconds = self._baseline_s if tracks.baseline_s is None else tracks.baseline_s
        given = self._baseline if tracks.baseline_s is None else None
        if given is None and seconds is None:
            return self._expressions.classify(frame.image_rgb, faces)
        if not faces:
            return ()
        reader = self._expressions
        if tracks.baselines is None or tracks.taught != self._taught:
            tracks.taught = self._taught
            tracks.baselines = Baselines(
                reader.labels,
                threshold=reader.threshold,
                gain=reader.baseline_gain,
                seconds=seconds,
                given=given,
            )
        logits = reader.face_logits(frame.image_rgb, faces)
        numbers = [face.track for face in faces]
        rows, own = tracks.baselines.relative(numbers, logits, softmax(logits), frame.time_s)
        predictions = reader.read_logits(rows, own)
        return tuple(replace(face, prediction=prediction) for face, prediction in zip(faces, predictions, strict=True))

    def _neutral_face(self, picture: PictureLike) -> NDArray[np.float64]:
        """(L,) calibrated logits of the only face of a picture; InputError if there is not just one."""
        frame = _photo(picture, self.options.max_pixels)
        assert self._faces is not None  # noqa: S101
        faces = self._faces.detect(frame.image_rgb, still=True)
        if len(faces) != 1:
            raise InputError(
                f"The baseline {frame.source or 'picture'} must show one face, with a neutral expression; found "
                f"{count(len(faces), 'face')}."
            )
        neutral_reference(self._expressions.labels, self._expressions.threshold)  # that the model can answer neutral
        return np.asarray(self._expressions.face_logits(frame.image_rgb, faces)[0])

    def _recall(self, memory: Mapping[str, Any], tracks: _Tracks) -> None:
        """Faces and hands that a source is followed by."""
        with self._computing.shared():
            if "faces" in memory and self._faces is not None:
                tracks.face_follower = DetectionScheduler(self._faces, within_s=_NEW_FACE_S)
                tracks.face_follower.recall(memory["faces"], Face)
            if "hands" in memory and self._hands is not None:
                tracks.follower = DetectionScheduler(self._hands)
                tracks.follower.recall(memory["hands"], Hand)

    def _models_of(self, tasks: tuple[Task, ...]) -> Mapping[str, UsedModel]:
        """What the records of these tasks say; one and the same each time."""
        known = self._models.get(tasks)
        if known is not None:
            return known
        used: dict[str, UsedModel] = {}
        if "emotion" in tasks and self._faces is not None:
            used["emotion"] = replace(self._expressions.used, detector=self._faces.name)
        if "gesture" in tasks and self._hands is not None:
            used["gesture"] = replace(self._gestures.used, detector=self._hands.name)
        return used if self._lacks(tasks) else self._models.setdefault(tasks, used)

    def _lacks(self, tasks: tuple[Task, ...]) -> bool:
        """Whether a model that these tasks need is not loaded yet."""
        return ("emotion" in tasks and self._faces is None) or ("gesture" in tasks and self._hands is None)

    def _load(self, tasks: tuple[Task, ...]) -> None:
        o, enter = self.options, self._resources.enter_context
        if "emotion" in tasks and self._faces is None:
            self._expressions = enter(
                ExpressionClassifier(
                    o.emotion_model, threshold=o.emotion_threshold, threads=o.threads, provider=o.provider
                )
            )
            self._faces = enter(FaceDetector(detail=o.detail, tiles=o.tiles, **o.computing))
            if o.baseline is not None:
                self._baseline = self._neutral_face(o.baseline)
            if o.baseline_s is not None:
                neutral_reference(self._expressions.labels, self._expressions.threshold)
        if "gesture" in tasks and self._hands is None:
            self._gestures = enter(_gesture_classifier(o))
            self._hands = enter(HandDetector(tiles=o.tiles, **o.computing))


class FrameSequence:
    """Looks at the frames of one source, one by one, with the models of an `Analyzer` and tracks and tasks of its own.

    Any number of sequences share one Analyzer, each used by one thread at a time.

    Args:
        analyzer: has the models; not closed.
        tasks: what to look for.
    """

    def __init__(self, analyzer: Analyzer, tasks: Sequence[str]) -> None:
        self._analyzer = analyzer
        self.tasks = tasks
        self._tracks = _Tracks()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is looked for in the next frame."""
        return self._tasks

    @tasks.setter
    def tasks(self, tasks: Sequence[str]) -> None:
        self._tasks = check_tasks(tasks)

    @property
    def thresholds(self) -> dict[Task, float]:
        """As of the Analyzer."""
        return self._analyzer.thresholds

    @property
    def perhaps(self) -> dict[Task, float | None]:
        """As of the Analyzer."""
        return self._analyzer.perhaps

    @property
    def options(self) -> Options:
        """As of the Analyzer."""
        return self._analyzer.options

    @property
    def learns_baselines(self) -> bool:
        """Whether neutral faces are learned here, or by the Analyzer."""
        return self._tracks.baseline_s is not None or self._analyzer.learns_baselines

    def learn_baselines(self, seconds: float) -> None:
        """As of the Analyzer, for the faces of this sequence alone."""
        self._analyzer._check_learning(seconds)
        self._tracks.baseline_s, self._tracks.baselines = seconds, None

    def restart(self) -> None:
        """Forget all tracks, because another source comes next."""
        self._tracks = _Tracks(baseline_s=self._tracks.baseline_s)

    def step(self, frame: Frame) -> Scene:
        """What is in one frame; faces and hands keep their track numbers from one `restart` to the next."""
        return self._analyzer._see(frame, self._tracks, self._tasks)

    def memory(self, at_s: float) -> dict[str, Any]:
        """What of the frames so far decides what is found in those from a time on, as JSON; track numbers aside.

        Two sequences whose memories are equal find the same from then on, however early each began.
        """
        return self._tracks.memory(at_s)

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Begin where the sequence that gave this memory is."""
        self._tracks = _Tracks(baseline_s=self._tracks.baseline_s)
        self._tracks.face_time_s = memory.get("face_time_s", -math.inf)
        self._tracks.depth.recall(memory.get("depth", {}))
        self._analyzer._recall(memory, self._tracks)


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


def _label_set_of(model: str) -> LabelSet:
    manifest = load_artifact(model).manifest
    if manifest.label_set is None:
        raise ModelError(f"The model {manifest.name} is made for {manifest.task}; it names no expressions or gestures.")
    return manifest.label_set


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
        self._max_pixels = o.max_pixels
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
        crop_rgb, _ = read_picture(crop, max_pixels=self._max_pixels)
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
        picture: a path; the bytes of a photo file, or a file opened in binary mode; a PIL image; a VideoFrame of PyAV;
            or a uint8 array or tensor, 0 to 255: (H, W, 3) RGB, (H, W) grey or (H, W, 4) RGBA on white. OpenCV's are
            BGR: `image[..., ::-1]`.
        options: fields of `Options`, e.g. `tasks=("gesture",)`, `tiles=True`.

    Raises:
        UnreadableMedia: the photo is missing, empty or damaged.
        InputError: something else, or an array of another type or shape.
        UnknownName: an unknown option.

    Loading the models takes longer than looking; for many photos keep one `Analyzer`.
    """
    chosen = _options(options)
    frame = _photo(picture, chosen.max_pixels)
    with Analyzer(chosen) as analyzer:
        return analyzer.step(frame)


def stream(
    source: str | os.PathLike[str] | int,
    *,
    every: int = 1,
    fps: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    keyframes: bool = False,
    **options: object,
) -> Iterator[Scene]:
    """The scenes of a video, one at a time as they are asked for.

    Args:
        source: path of a video file (or photo); the number of a camera; or an address, such as `rtsp://name:password@
            host/path`. From a camera or address each scene is the newest frame; those in between are left out.
        every: look at every n-th frame only; scenes keep their original frame number and time.
        fps: look at this many frames per second of the video, by its times.
        start_s: begin at this time of the video, in seconds.
        end_s: end before this time of the video, in seconds.
        keyframes: look only at the frames that the file stores whole, one every few seconds, many times faster.
        options: fields of `Options`.

    Raises:
        UnreadableMedia: the source cannot be read, or ends early; the scenes before that have been given.
        InputError: not a valid address, or a choice of frames that contradicts itself or that a live source has not.
    """
    chosen = _options(options)
    selection = Selection(every=every, fps=fps, start_s=start_s, end_s=end_s, keyframes=keyframes)
    with _opened(source, selection, chosen.max_pixels) as frames, Analyzer(chosen) as analyzer:
        yield from analyzer.scenes(_thinned(frames, selection))


def _photo(picture: PictureLike, max_pixels: int) -> Frame:
    image_rgb, name = read_picture(picture, max_pixels=max_pixels)
    return Frame(image_rgb=image_rgb, source=name, still=True)


def _opened(source: str | os.PathLike[str] | int, selection: Selection, max_pixels: int) -> Source:
    if not isinstance(source, str | os.PathLike | int):
        raise InputError(
            f"A source must be a path, an address or the number of a camera, got {type(source).__qualname__}."
        )
    text = str(source)
    if isinstance(source, int) or "://" in text:
        if not selection.has_live_meaning:
            raise InputError(
                f"A camera or address shows what is there now, so start_s, end_s and keyframes do not apply to "
                f"{named(text)}; leave them out."
            )
        return open_live(text)
    return captured(open_source(text, selection=selection, max_pixels=max_pixels))


def _thinned(frames: Source, selection: Selection) -> Iterable[Frame]:
    """The wanted frames; a file source has already left the others out, before decoding them."""
    if not frames.is_live:
        return frames
    return selection.of(frames) if selection.every == 1 else islice(frames, 0, None, selection.every)


def check_tasks(tasks: Sequence[str]) -> tuple[Task, ...]:
    """The tasks, if there is at least one and all are known; otherwise UnknownName or InputError."""
    for task in tasks:
        if task not in TASKS:
            raise UnknownName("task", task, TASKS)
    if not tasks:
        raise InputError(f"At least one task is needed: {', '.join(TASKS)}.")
    return tuple(task for task in TASKS if task in tasks)


def parse_tasks(text: str) -> tuple[Task, ...]:
    """The tasks of a list with commas, as options and queries name them; raises as `check_tasks`."""
    return check_tasks([name.strip() for name in text.split(",") if name.strip()])


def check_detail(detail: str) -> Detail:
    """The detail, if there is one of that name; otherwise UnknownName."""
    for known in DETAILS:
        if detail == known:
            return known
    raise UnknownName("detail", detail, DETAILS)


def _options(values: dict[str, object]) -> Options:
    names = [f.name for f in fields(Options)]
    for name in values:
        if name not in names:
            raise UnknownName("option", name, names)
    return Options(**values)  # type: ignore[arg-type]
