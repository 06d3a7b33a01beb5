"""From a face or a hand to a prediction: crop or landmarks, network, temperature, threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError, UnknownName
from mien.labels import NOTHING, LabelSet, Task, part_of
from mien.models.artifact import Artifact, load_artifact
from mien.models.session import Network, Session
from mien.pixels.preprocess import InputSpec, crop_face, crop_hand, fit_crop, to_batch
from mien.resource import Resource
from mien.scene import Face, Hand, Prediction, UsedModel

EMOTION_MODEL = "emotion_residual"
GESTURE_MODEL = "gesture_landmark"

POINTS_WITH_TOP = 22
"""Rows of a hand's canonical landmarks followed by the direction of the picture's top."""

_WRIST, _MIDDLE_MCP = 0, 9


class Classifier(Resource):
    """A network whose outputs are logits over a label set.

    Args:
        task: `emotion` or `gesture`; a model made for another one is refused.
        model: name of a model in the package, a model folder, or a loaded network.
        threshold: confidence below which an answer is uncertain; the manifest's by default.
        threads: threads of the network, by default the available cores.
        provider: what computes; see `Session`.

    Raises:
        UnknownName, ModelError: the model cannot be used.
        ValueError: the threshold is not between 0 and 1.
    """

    def __init__(
        self,
        task: Task,
        model: str | Artifact | Network,
        *,
        threshold: float | None = None,
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        if isinstance(model, str):
            model = load_artifact(model)
        manifest = (model if isinstance(model, Artifact) else model.artifact).manifest
        if manifest.task != task or manifest.label_set is None or manifest.answers is None:
            raise ModelError(f"The model {manifest.name} is made for {manifest.task}, not for {task}.")
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"a threshold must lie between 0 and 1, got {threshold}")
        self._network: Network = (
            Session(model, threads=threads, provider=provider) if isinstance(model, Artifact) else model
        )
        self.spec: InputSpec = manifest.input
        self.labels: LabelSet = manifest.answers
        """What it answers with."""
        self._outputs, self._columns = len(manifest.label_set), manifest.answer_columns
        self.threshold = manifest.threshold if threshold is None else threshold
        self.perhaps = None if manifest.perhaps is None else min(manifest.perhaps, self.threshold)
        """Confidence from which an uncertain answer is perhaps right; None if there is no such grade."""
        self._temperature = manifest.temperature
        self.baseline_gain = manifest.baseline_gain
        self.used = UsedModel(
            name=manifest.name, version=manifest.version, threshold=self.threshold, sha256=manifest.sha256
        )
        """How records describe the model."""

    def read(self, batch: NDArray[np.float32]) -> tuple[Prediction, ...]:
        """Predictions for a batch prepared as the spec says."""
        return self._readings(self.probabilities(batch))

    def read_logits(self, logits: NDArray[np.float64], baseline: Sequence[bool] = ()) -> tuple[Prediction, ...]:
        """Predictions for calibrated logits.

        Args:
            logits: (N, L) calibrated.
            baseline: for each of them whether it is relative to a person's own neutral face; none is by default.
        """
        return self._readings(softmax(logits), baseline)

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, L) calibrated probabilities for a prepared batch; rows sum to 1."""
        return softmax(self.logits(batch))

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, L) calibrated logits for a prepared batch: their softmax gives the probabilities."""
        logits = self._network.run(batch)[0].astype(np.float64) / self._temperature
        wanted = (len(batch), self._outputs)
        if logits.shape != wanted or not np.isfinite(logits).all():
            name = self._network.artifact.manifest.name
            raise ModelError(f"The model {name} gave {logits.shape} instead of {wanted} finite logits.")
        return logits[:, self._columns]

    def close(self) -> None:
        """Free the network."""
        self._network.close()

    def _readings(self, rows: NDArray[np.float64], baseline: Sequence[bool] = ()) -> tuple[Prediction, ...]:
        own = baseline or [False] * len(rows)
        return tuple(self._reading(row, baseline=is_own) for row, is_own in zip(rows, own, strict=True))

    def _reading(self, row: NDArray[np.float64], *, baseline: bool) -> Prediction:
        best = int(row.argmax())
        confidence = float(row[best])
        scores = {label: float(p) for label, p in zip(self.labels.labels, row, strict=True)}
        return Prediction(
            label=self.labels.labels[best],
            confidence=confidence,
            uncertain=confidence < self.threshold,
            perhaps=self.perhaps is not None and self.perhaps <= confidence < self.threshold,
            baseline=baseline,
            probabilities=scores,
        )


class ExpressionClassifier(Classifier):
    """Reads the expressions of faces; arguments as for `Classifier`."""

    def __init__(
        self,
        model: str | Artifact | Network = EMOTION_MODEL,
        *,
        threshold: float | None = None,
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        super().__init__("emotion", model, threshold=threshold, threads=threads, provider=provider)

    def classify(self, image_rgb: NDArray[np.uint8], faces: Sequence[Face]) -> tuple[Face, ...]:
        """The faces with their predictions, all in one batch.

        Args:
            image_rgb: (H, W, 3) uint8 RGB, the picture the faces were found in.
            faces: boxes and keypoints in its pixels.
        """
        if not faces:
            return ()
        predictions = self.read_logits(self.face_logits(image_rgb, faces))
        return tuple(replace(face, prediction=prediction) for face, prediction in zip(faces, predictions, strict=True))

    def face_logits(self, image_rgb: NDArray[np.uint8], faces: Sequence[Face]) -> NDArray[np.float64]:
        """(N, L) calibrated logits of the N faces of a picture, at least one; arguments as of `classify`."""
        crops = [crop_face(image_rgb, face.box_xyxy, self.spec, keypoints_xy=face.keypoints_xy) for face in faces]
        logits = self.logits(to_batch(np.stack(crops), self.spec))
        for i, face in enumerate(faces):
            if not face.roll_known:
                ways = np.stack([np.rot90(crops[i], turn) for turn in range(4)])
                mean = self.probabilities(to_batch(ways, self.spec)).mean(axis=0)
                logits[i] = np.log(np.maximum(mean, 1e-12))
        return logits

    def classify_crops(self, crops_rgb: Sequence[NDArray[np.uint8]]) -> tuple[Prediction, ...]:
        """Predictions for pictures that already are the face: (H, W, 3) uint8 RGB each, of any size."""
        if not crops_rgb:
            return ()
        return self.read(to_batch(np.stack([fit_crop(crop, self.spec) for crop in crops_rgb]), self.spec))


class GestureClassifier(Classifier):
    """Reads the gestures of hands, from their landmarks or from crops, as the model's input says; other arguments as
    `Classifier`.

    Args:
        gestures: the only ones to answer with; all others count as `none`, to which their probabilities are added.

    Raises:
        UnknownName: the model does not know one of the gestures.
    """

    def __init__(
        self,
        model: str | Artifact | Network = GESTURE_MODEL,
        *,
        gestures: Sequence[str] | None = None,
        threshold: float | None = None,
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        super().__init__("gesture", model, threshold=threshold, threads=threads, provider=provider)
        self._all = self.labels
        if gestures is not None:
            self.labels = only(self.labels, gestures)

    @property
    def reads_crops(self) -> bool:
        """Whether the model looks at the pixels of a hand instead of its landmarks."""
        return self.spec.kind == "image"

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N, L) calibrated probabilities of the gestures asked for and `none`; rows sum to 1."""
        found = super().probabilities(batch)
        if self.labels is self._all:
            return found
        folded = np.zeros((len(found), len(self.labels)))
        for column, label in enumerate(self._all.labels):
            folded[:, self.labels.index(label if label in self.labels else NOTHING)] += found[:, column]
        return folded

    def classify(self, hands: Sequence[Hand], image_rgb: NDArray[np.uint8] | None = None) -> tuple[Hand, ...]:
        """The hands with their predictions, all in one batch.

        Args:
            hands: boxes and landmarks in pixels of the picture.
            image_rgb: (H, W, 3) uint8 RGB, the picture they were found in; a model that reads crops needs it.
        """
        if not hands:
            return ()
        if not self.reads_crops:
            with_top = self.spec.size_hw[0] == POINTS_WITH_TOP
            batch = np.stack([canonical_landmarks(hand, with_top=with_top) for hand in hands])
        elif image_rgb is None:
            raise ValueError("a model that reads crops of hands needs the picture they were found in")
        else:
            batch = to_batch(np.stack([crop_hand(image_rgb, hand.box_xyxy, self.spec) for hand in hands]), self.spec)
        predictions = self.read(batch)
        return tuple(replace(hand, prediction=prediction) for hand, prediction in zip(hands, predictions, strict=True))

    def classify_crops(self, crops_rgb: Sequence[NDArray[np.uint8]]) -> tuple[Prediction, ...]:
        """Predictions for pictures that already are the hand, (H, W, 3) uint8 RGB of any size, by a model that reads
        crops; a model that reads landmarks needs them detected first."""
        if not self.reads_crops:
            raise ValueError("a model that reads landmarks takes hands, not crops")
        if not crops_rgb:
            return ()
        return self.read(to_batch(np.stack([fit_crop(crop, self.spec) for crop in crops_rgb]), self.spec))


def only(labels: LabelSet, gestures: Sequence[str]) -> LabelSet:
    """The label set with these gestures, in its own order, and `none` for all others.

    Raises:
        UnknownName: a gesture is not in the set.
    """
    for gesture in gestures:
        if gesture not in labels:
            raise UnknownName("gesture", gesture, labels.labels)
    kept = [label for label in labels.labels if label in gestures and label != NOTHING]
    return part_of(labels, [*kept, NOTHING])


def canonical_landmarks(hand: Hand, *, with_top: bool = False) -> NDArray[np.float32]:
    """Landmarks freed from where the hand is, how large it looks, how it is turned and which hand it is.

    A left hand is mirrored into a right one; the wrist is moved to the origin; the picture plane is turned until the
    base of the middle finger lies straight above the wrist; the root mean square distance from the middle becomes 1.

    Args:
        hand: its landmarks and side.
        with_top: add where the top of the picture is, seen from the turned hand: a thumb held up and one held down
            differ in nothing else.

    Returns:
        (21, 3) float32, x to the right, y down, z away from the camera; with the top (22, 3), the last row a direction
        (x, y, 0) of length 1, which is (0, -1, 0) when the hand points straight up.
    """
    points = np.asarray(hand.landmarks_xyz, np.float64)
    if hand.side == "left":
        points = points * (-1, 1, 1)
    points = points - points[_WRIST]
    x, y, _ = points[_MIDDLE_MCP]
    length = float(np.hypot(x, y))
    # (x, y) / length is the hand's direction; it is turned to (0, -1), which is up.
    cos, sin = (-y / length, -x / length) if length > 1e-9 else (1.0, 0.0)
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    points = points @ turn
    spread = float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
    points = points / max(spread, 1e-9)
    if with_top:
        points = np.vstack([points, np.array([0.0, -1.0, 0.0]) @ turn])
    return np.asarray(points, np.float32)


def answered(logits: NDArray[np.float64], columns: Sequence[int]) -> NDArray[np.float64]:
    """The same logits without the outputs that are no answers: their softmax is a `Classifier`'s, and 0 for these.

    Args:
        logits: (N, L) for all outputs of a model.
        columns: `answer_columns` of its manifest.

    Returns:
        (N, L), minus infinity for the outputs that are no answers.
    """
    left = np.full_like(logits, -np.inf)
    left[:, columns] = logits[:, columns]
    return left


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, L) probabilities for (N, L) logits."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True))
