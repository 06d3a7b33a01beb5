"""The two calls that need no `Analyzer`: one photo, one source."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mien.pipeline.analyzer import Analyzer
from mien.pipeline.frames import opened, photo, thinned
from mien.pipeline.options import options_of
from mien.pixels.pictures import PictureLike
from mien.scene import Scene
from mien.sources import Selection


def look(picture: PictureLike, **options: object) -> Scene:
    """What is in one photo.

    Args:
        picture: a path; the bytes of a photo file, or a file opened in binary mode; a PIL image; a VideoFrame of PyAV;
            or a uint8 array or tensor, 0 to 255: (H, W, 3) RGB, (H, W) grey or (H, W, 4) RGBA on white. OpenCV's are
            BGR: `image[..., ::-1]`.
        options: fields of `Options`, e.g. `tasks=("gesture",)`, `tiles=True`.

    Raises:
        UnreadableMedia: the photo is missing, empty or damaged.
        InputError: something else, or an array of another type or shape.
        UnknownName: an unknown option.

    Loading the models takes longer than looking; for many photos keep one `Analyzer`.
    """
    chosen = options_of(options)
    frame = photo(picture, chosen.max_pixels)
    with Analyzer(chosen) as analyzer:
        return analyzer.step(frame)


def stream(
    source: str | os.PathLike[str] | int,
    *,
    every: int = 1,
    fps: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    keyframes: bool = False,
    **options: object,
) -> Iterator[Scene]:
    """The scenes of a video, one at a time as they are asked for.

    Args:
        source: path of a video file (or photo); the number of a camera; or an address, such as `rtsp://name:password@
            host/path`. From a camera or address each scene is the newest frame; those in between are left out.
        every: look at every n-th frame only; scenes keep their original frame number and time.
        fps: look at this many frames per second of the video, by its times.
        start_s: begin at this time of the video, in seconds.
        end_s: end before this time of the video, in seconds.
        keyframes: look only at the frames that the file stores whole, one every few seconds, many times faster.
        options: fields of `Options`.

    Raises:
        UnreadableMedia: the source cannot be read, or ends early; the scenes before that have been given.
        InputError: not a valid address, or a choice of frames that contradicts itself or that a live source has not.
    """
    chosen = options_of(options)
    selection = Selection(every=every, fps=fps, start_s=start_s, end_s=end_s, keyframes=keyframes)
    with opened(source, selection, chosen.max_pixels) as frames, Analyzer(chosen) as analyzer:
        yield from analyzer.scenes(thinned(frames, selection))
