"""Where frames come from: photos, videos, cameras, streams, standard input; one interface for all, and fakes for tests.

with open_source("clip.mp4", selection=Selection(every=5)) as source:
    for frame in source:
        ...

with open_live("0") as camera:
    for frame in camera:
        ...
"""

from __future__ import annotations

from mien.pixels.kinds import VIDEO_SUFFIXES
from mien.sources.animations import AnimationSource
from mien.sources.base import Clock, Kind, Source
from mien.sources.capture import Capture, Captured, captured
from mien.sources.fakes import FakeClock, FakeLiveSource, FakeSource, Fault
from mien.sources.files import FolderSource, PhotoSource, open_source, source_kind
from mien.sources.folders import expand_sources
from mien.sources.link import Feed, Link, LinkSource, Retry
from mien.sources.live import CameraSource, LiveSource, PipeSource, StreamSource, open_live
from mien.sources.paced import PacedSource
from mien.sources.selection import Picker, Selection
from mien.sources.videos import VideoSource

__all__ = [
    "VIDEO_SUFFIXES",
    "AnimationSource",
    "CameraSource",
    "Capture",
    "Captured",
    "Clock",
    "FakeClock",
    "FakeLiveSource",
    "FakeSource",
    "Fault",
    "Feed",
    "FolderSource",
    "Kind",
    "Link",
    "LinkSource",
    "LiveSource",
    "PacedSource",
    "PhotoSource",
    "Picker",
    "PipeSource",
    "Retry",
    "Selection",
    "Source",
    "StreamSource",
    "VideoSource",
    "captured",
    "expand_sources",
    "open_live",
    "open_source",
    "source_kind",
]
