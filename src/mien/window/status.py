"""What goes into the live window besides the scene, and what comes back; needs no pygame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

NOTICE = "Camera on. Nothing is stored or sent."
NO_FACE = "No face found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything the window shows besides the scene.

    Args:
        fps: frames shown per second.
        latency_ms: from the capture of a frame to its output.
        stage_ms: time per stage, in the order shown.
        caption: the last sentence said; empty for none.
        muted: whether sentences are not spoken.
        paused: whether the picture is paused.
        recording: whether a video is being written.
        tasks: `emotion`, `gesture` or both, in the order shown.
        message: news such as "Camera lost, trying again in 4 s"; empty for none.
        recording_to: name of the video that is being written.
        notice: what happens to the picture, in one short sentence.
        no_face: what is shown if there is no face.
        progress: 0 to 1, shown as a bar above the caption; None for none.
    """

    fps: float = 0.0
    latency_ms: float = 0.0
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    caption: str = ""
    muted: bool = False
    paused: bool = False
    recording: bool = False
    tasks: tuple[str, ...] = ("emotion", "gesture")
    message: str = ""
    recording_to: str = ""
    notice: str = NOTICE
    no_face: str = NO_FACE
    progress: float | None = None


class Command(Enum):
    """What the user asked for with a key, or by closing the window."""

    QUIT = "quit"
    MUTE = "mute"
    PAUSE = "pause"
    SNAPSHOT = "snapshot"
    RECORD = "record"
    EMOTIONS = "emotions"
    GESTURES = "gestures"
    BOTH = "both"
    NEUTRAL = "neutral"


KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("q", "Esc"), "Quit"),
    (("p", "Space"), "Pause or continue"),
    (("m",), "Voice off or on"),
    (("s",), "Save a snapshot"),
    (("r",), "Start or stop recording"),
    (("e",), "Expressions only"),
    (("g",), "Gestures only"),
    (("b",), "Expressions and gestures"),
    (("n",), "Learn neutral faces again"),
    (("l",), "Hand landmarks"),
    (("f",), "Mirror"),
    (("F11",), "Full screen"),
    (("h",), "This list"),
)
"""Keys, as they are printed on a keyboard, and what they do."""
