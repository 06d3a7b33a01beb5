"""The pictures and sources that are looked at, as frames."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice

from mien.addresses import named
from mien.errors import InputError, InvalidOption
from mien.pixels.pictures import PictureLike, read_picture
from mien.scene import Frame
from mien.sources import Selection, Source, captured, open_live, open_source


def photo(picture: PictureLike, max_pixels: int) -> Frame:
    """A picture in any form that `mien.look` takes; raises as that does."""
    image_rgb, name = read_picture(picture, max_pixels=max_pixels)
    return Frame(image_rgb=image_rgb, source=name, still=True)


def opened(source: str | os.PathLike[str] | int, selection: Selection, max_pixels: int) -> Source:
    """A source in any form that `mien.stream` takes; raises as that does."""
    if not isinstance(source, str | os.PathLike | int):
        raise InputError(
            f"A source must be a path, an address or the number of a camera, got {type(source).__qualname__}."
        )
    text = str(source)
    if isinstance(source, int) or "://" in text:
        if not selection.has_live_meaning:
            raise InvalidOption(
                f"A camera or address shows what is there now, so start_s, end_s and keyframes do not apply to "
                f"{named(text)}; leave them out."
            )
        return open_live(text)
    return captured(open_source(text, selection=selection, max_pixels=max_pixels))


def thinned(frames: Source, selection: Selection) -> Iterable[Frame]:
    """The wanted frames; a file source has already left the others out, before decoding them."""
    if not frames.is_live:
        return frames
    return selection.of(frames) if selection.every == 1 else islice(frames, 0, None, selection.every)
