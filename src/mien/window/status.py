"""What goes into the live window besides the scene, and what comes back; needs no pygame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from mien.words import say, words


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
    notice: str = field(default_factory=lambda: say("window.notice"))
    no_face: str = field(default_factory=lambda: no_face_words())
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
    (("q", "Esc"), "quit"),
    (("p", "Space"), "pause"),
    (("m",), "mute"),
    (("s",), "snapshot"),
    (("r",), "record"),
    (("e",), "emotions"),
    (("g",), "gestures"),
    (("b",), "both"),
    (("n",), "neutral"),
    (("l",), "landmarks"),
    (("f",), "mirror"),
    (("F11",), "full_screen"),
    (("h",), "keys"),
)
"""Keys, as they are printed on a keyboard, and what they do, as in `window.key` of the words."""


def no_face_words() -> str:
    """What the package says if there is no face."""
    return str(words().responses["notices"]["no_face"])
