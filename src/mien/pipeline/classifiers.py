"""The models that answer, as the options ask for them."""

from __future__ import annotations

from mien.pipeline.options import Options
from mien.stages.classify import ExpressionClassifier, GestureClassifier


def expression_classifier(o: Options) -> ExpressionClassifier:
    """The emotion model; UnknownName or ModelError if it cannot be used."""
    return ExpressionClassifier(o.emotion_model, threshold=o.emotion_threshold, threads=o.threads, provider=o.provider)


def gesture_classifier(o: Options) -> GestureClassifier:
    """The gesture model; UnknownName or ModelError if it cannot be used."""
    return GestureClassifier(
        o.gesture_model, gestures=o.gestures, threshold=o.gesture_threshold, threads=o.threads, provider=o.provider
    )
