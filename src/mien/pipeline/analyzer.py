"""`Analyzer`: a frame in, a scene out."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.addresses import named
from mien.errors import InputError, InvalidOption
from mien.labels import TASKS, Task
from mien.models.artifact import load_artifact
from mien.pipeline.classifiers import expression_classifier, gesture_classifier
from mien.pipeline.frames import opened, photo, thinned
from mien.pipeline.options import Options, check_tasks, label_set_of, labels_of, threshold_of
from mien.pipeline.sequence import FrameSequence
from mien.pipeline.tracks import NEW_FACE_S, Tracks
from mien.pixels.pictures import PictureLike
from mien.resource import Resource, Turns, usable_threads
from mien.scene import Face, Frame, Hand, Scene, UsedModel
from mien.sources import Selection
from mien.stages.baseline import NOT_AT_REST, Baselines, neutral_reference
from mien.stages.classify import softmax
from mien.stages.faces import FaceDetector
from mien.stages.hands import HandDetector
from mien.stages.schedule import DetectionScheduler
from mien.wording import count

_log = logging.getLogger(__name__)


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
        self._tracks = Tracks()

    @property
    def thresholds(self) -> dict[Task, float]:
        """The confidence for each task below which an answer counts as uncertain, even before its model is loaded.

        Raises:
            UnknownName, ModelError: a model that is not loaded yet cannot be used.
        """
        o = self.options
        return {
            "emotion": threshold_of(o.emotion_model, o.emotion_threshold)
            if self._faces is None
            else self._expressions.threshold,
            "gesture": threshold_of(o.gesture_model, o.gesture_threshold)
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
            raise InvalidOption("A baseline is a neutral face, and faces are not looked for; add the task emotion.")
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
            raise InvalidOption(f"A neutral face is learned in a number of seconds above 0, got {seconds}.")
        neutral_reference(label_set_of(self.options.emotion_model), 0.5)  # that the model can answer neutral

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
            photo(picture, self.options.max_pixels), Tracks(), None if tasks is None else check_tasks(tasks)
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
        with opened(source, selection, self.options.max_pixels) as frames:
            yield from self.scenes(thinned(frames, selection))

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
        tracks = Tracks()
        for frame in frames:
            yield self._see(frame, tracks)

    def close(self) -> None:
        """Free the models, once the current frames are done."""
        with self._computing.alone():
            self._resources.close()

    def _see(self, frame: Frame, tracks: Tracks, asked: tuple[Task, ...] | None = None) -> Scene:
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

    def _faces_of(self, frame: Frame, detector: FaceDetector, tracks: Tracks) -> tuple[Face, ...]:
        if frame.still:
            return detector.detect(frame.image_rgb)
        pace_s, tracks.face_time_s = frame.time_s - tracks.face_time_s, frame.time_s
        if pace_s > NEW_FACE_S / 2:  # every frame would be searched, so following would only cost time
            return detector.detect(frame.image_rgb, still=False)
        if tracks.face_follower is None:
            tracks.face_follower = DetectionScheduler(detector, within_s=NEW_FACE_S)
        return tracks.face_follower.update(frame.image_rgb, frame.time_s)

    def _read(self, frame: Frame, faces: tuple[Face, ...], tracks: Tracks) -> tuple[Face, ...]:
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
        frame = photo(picture, self.options.max_pixels)
        assert self._faces is not None  # noqa: S101
        faces = self._faces.detect(frame.image_rgb, still=True)
        if len(faces) != 1:
            raise InputError(
                f"The baseline {frame.source or 'picture'} must show one face, with a neutral expression; found "
                f"{count(len(faces), 'face')}."
            )
        neutral_reference(self._expressions.labels, self._expressions.threshold)  # that the model can answer neutral
        logits = self._expressions.face_logits(frame.image_rgb, faces)
        (found,) = self._expressions.read_logits(logits)
        if found.label in NOT_AT_REST and found.grade == "sure":
            _log.warning(
                "The baseline %s is surely read as %s; from now on that is read as neutral. Give a neutral face if "
                "this one is not.",
                named(frame.source) if frame.source else "picture",
                found.label,
            )
        return np.asarray(logits[0])

    def _recall(self, memory: Mapping[str, Any], tracks: Tracks) -> None:
        """Faces and hands that a source is followed by."""
        with self._computing.shared():
            if "faces" in memory and self._faces is not None:
                tracks.face_follower = DetectionScheduler(self._faces, within_s=NEW_FACE_S)
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
            self._expressions = enter(expression_classifier(o))
            self._faces = enter(FaceDetector(detail=o.detail, tiles=o.tiles, **o.computing))
            if o.baseline is not None:
                self._baseline = self._neutral_face(o.baseline)
            if o.baseline_s is not None:
                neutral_reference(self._expressions.labels, self._expressions.threshold)
        if "gesture" in tasks and self._hands is None:
            self._gestures = enter(gesture_classifier(o))
            self._hands = enter(HandDetector(tiles=o.tiles, **o.computing))
