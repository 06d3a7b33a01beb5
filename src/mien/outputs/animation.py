"""Annotated videos as animated pictures: GIF, which works everywhere, and WebP, which is smaller and keeps colours."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.files.whole import PartFile
from mien.outputs.container import errors, mapped
from mien.outputs.timeline import Timeline
from mien.outputs.video_frames import letterboxed
from mien.resource import ResultWriter

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import OutputContainer
    from av.filter.graph import Graph
    from av.packet import Packet
    from av.video.stream import VideoStream

    VideoPacket = Packet[VideoStream]

_log = logging.getLogger(__name__)

ANIMATIONS = (".gif", ".webp")

_LEAST_S = 0.02
"""Browsers play a GIF with shorter frames at 10 frames per second."""
_TICKS = {".gif": 100, ".webp": 1000}
_MOST_PIXELS = {".gif": 65_535, ".webp": 16_383}
_WEBP = {"quality": "90", "compression_level": "2"}
# Each frame has its own 256 colours, so that no frame has to be kept; what does not change is left out of the next.
_PALETTE = ("stats_mode=single", "new=1:dither=bayer:bayer_scale=4:diff_mode=rectangle")


class AnimationWriter(ResultWriter):
    """An animated picture that frames are added to, each shown until the next; it plays in a loop.

    Args:
        path: ends in .gif or .webp.
        fps: nominal frames per second, above 0; of frames that follow each other in less than 0.02 s some are left out.
        size_hw: height and width of the frames in pixels; a frame of another size is fitted in, with black bars.

    Raises:
        OutputError: the folder cannot be written, or the size is too large. From `write` and `close` too: a full disk.
    """

    def __init__(self, path: str | Path, fps: float, size_hw: tuple[int, int]) -> None:
        self.size_hw = size_hw
        self._name = str(path)
        self._suffix = Path(path).suffix.lower()
        if max(size_hw) > _MOST_PIXELS[self._suffix]:
            raise OutputError(
                f"Cannot write {path}: a {self._suffix} is at most {_MOST_PIXELS[self._suffix]} pixels wide and high; "
                "write .mp4."
            )
        ticks = _TICKS[self._suffix]
        self._timeline = Timeline(ticks, 1 / fps, least=max(round(_LEAST_S * ticks), 1))
        self._errors = errors()
        self._came_s = -1 / fps
        self._step_s = 1 / fps
        self._frames = 0
        self._graph: Graph | None = None
        self._waiting: VideoPacket | None = None
        self._part: PartFile | None = PartFile(path, keep_suffix=True)
        try:
            self._container = self._opened(self._part.path)
        except BaseException as error:
            self._part.discard()
            if isinstance(error, self._errors):
                raise mapped(self._name, error) from error
            raise

    def write(self, image_rgb: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Add a frame.

        Args:
            image_rgb: (H, W, 3) uint8 RGB.
            time_s: when it is shown, in seconds from the start; None for one frame of the nominal rate later.
        """
        image_rgb = letterboxed(image_rgb, self.size_hw)
        self._came_s = self._came_s + self._step_s if time_s is None else time_s
        tick, last = round(self._came_s * self._timeline.ticks), self._timeline.last
        if last is not None and tick - last < self._timeline.least:
            return
        self._timeline.add(self._timeline.tick(self._came_s))
        try:
            self._take(self._encoded(image_rgb))
        except self._errors as error:
            raise mapped(self._name, error) from error
        self._frames += 1

    def close(self) -> None:
        """Finish the file and give it its name; may be called twice."""
        self._finish(failed=False)

    def fail(self) -> None:
        """Close after an error or interruption: what is finished gets its name, unless that would replace an earlier
        file; then it is called `.part`, and the log says so."""
        self._finish(failed=True)

    def _opened(self, part: Path) -> OutputContainer:
        import av

        path = f"file:{part.absolute()}"
        height, width = self.size_hw
        container = av.open(path, "w", format=self._suffix[1:], options={"loop": "0"})
        name = "gif" if self._suffix == ".gif" else "libwebp_anim"
        self._stream = cast("VideoStream", container.add_stream(name))
        context = self._stream.codec_context
        context.width, context.height = width, height
        context.pix_fmt = "pal8" if self._suffix == ".gif" else "bgra"
        context.options = {} if self._suffix == ".gif" else dict(_WEBP)
        context.time_base = self._stream.time_base = Fraction(1, self._timeline.ticks)
        return container

    def _encoded(self, image_rgb: NDArray[np.uint8]) -> list[VideoPacket]:
        import av

        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image_rgb), format="rgb24")
        frame.pts, frame.time_base = self._timeline.last, self._stream.time_base
        if self._suffix == ".webp":
            return self._stream.encode(frame.reformat(format="bgra"))
        self._graph = self._graph or _palette(self.size_hw, self._timeline.ticks)
        self._graph.push(frame)
        packets: list[VideoPacket] = []
        with suppress(av.error.BlockingIOError):
            while True:
                packets += self._stream.encode(cast("VideoFrame", self._graph.pull()))
        return packets

    def _take(self, packets: Iterable[VideoPacket]) -> None:
        """Write all but the newest, of which it is not known yet how long it lasts."""
        for packet in packets:
            if self._waiting is not None:
                self._waiting.duration = max((packet.pts or 0) - (self._waiting.pts or 0), 1)
                self._container.mux(self._waiting)
            self._waiting = packet

    def _finish(self, *, failed: bool) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        try:
            if self._frames:
                self._take(self._stream.encode(None))
            if self._waiting is not None:
                self._waiting.duration = self._timeline.last_step
                self._container.mux(self._waiting)
            self._container.close()
        except BaseException as error:
            part.discard()
            if isinstance(error, self._errors):
                raise mapped(self._name, error) from error
            raise
        if not self._frames:
            part.discard()
        elif failed and part.replaces:
            part.keep()
            _log.warning("%s stays as it was; what was finished is in %s", self._name, part.path)
        else:
            part.commit()


def _palette(size_hw: tuple[int, int], ticks: int) -> Graph:
    """What reduces each frame to the 256 colours that are best for it."""
    import av

    graph = av.filter.Graph()
    height, width = size_hw
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, ticks))
    split, chosen, used, sink = (
        graph.add("split"),
        graph.add("palettegen", _PALETTE[0]),
        graph.add("paletteuse", _PALETTE[1]),
        graph.add("buffersink"),
    )
    source.link_to(split)
    split.link_to(chosen, 0, 0)
    split.link_to(used, 1, 0)
    chosen.link_to(used, 0, 1)
    used.link_to(sink)
    graph.configure()
    return graph
