"""What is remembered about a source from frame to frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mien.scene import Face, Hand
from mien.stages.baseline import Baselines
from mien.stages.schedule import DetectionScheduler, SearchDepth
from mien.stages.track import Tracker

NEW_FACE_S = 0.25
"""Longest time until a new face of a video is found, in seconds; as of a hand that is followed."""


@dataclass(slots=True)
class Tracks:
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
        if at_s - self.face_time_s <= NEW_FACE_S / 2:
            kept["face_time_s"] = self.face_time_s
        return kept
