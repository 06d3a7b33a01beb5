"""The flow: a frame in, a scene out."""

from __future__ import annotations

from mien.pipeline.analyzer import Analyzer
from mien.pipeline.crops import CropReader
from mien.pipeline.doors import look, stream
from mien.pipeline.options import Options, check_detail, check_tasks, labels_of, parse_tasks
from mien.pipeline.sequence import FrameSequence

__all__ = [
    "Analyzer",
    "CropReader",
    "FrameSequence",
    "Options",
    "check_detail",
    "check_tasks",
    "labels_of",
    "look",
    "parse_tasks",
    "stream",
]
