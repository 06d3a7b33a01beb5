"""Pictures that already are the face or the hand."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace

from mien.labels import NOTHING, Task
from mien.pipeline.classifiers import expression_classifier, gesture_classifier
from mien.pipeline.options import Options, check_tasks
from mien.pixels.pictures import PictureLike, read_picture
from mien.resource import Resource
from mien.scene import Prediction
from mien.stages.hands import HandDetector


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
                self._expressions = stack.enter_context(expression_classifier(o))
                self.labels = self._expressions.labels
                self.model = self._expressions.used
            else:
                self._gestures = stack.enter_context(gesture_classifier(o))
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
