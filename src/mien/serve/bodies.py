"""What clients send: bytes of pictures and videos, up to a size and within a time; never a path or an address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from mien.errors import TooManyPixels
from mien.pixels.images import decode_image
from mien.pixels.photos import PhotoFile, opened
from mien.serve.problems import Problem
from mien.serve.settings import Limits

_GIVE = "send the bytes of a photo as the body, or as the field `image` of a form"
_NEVER = "A path or an address is never opened."
_NOT_BYTES = ("application/json", "text/")
"""Types that no picture or video has. What curl sends by default, a form in a URL's code, is judged by its bytes."""

_NAME = "the picture"
_OVERHEAD = 65_536  # what a form may add to its picture
_ANY = 2**62  # pixels
_CHUNK_S = 0.05
_DRAIN_S = 1.0
_DRAINED_BYTES = 100_000_000


def decode_picture(data: bytes, limits: Limits) -> NDArray[np.uint8]:
    """A picture from the bytes of its file: (H, W, 3) uint8 RGB, upright.

    Raises:
        UnreadableMedia: not a picture, or damaged.
        Problem: 413, it has too many pixels; 400, it is empty. It is not decoded.
    """
    if not data:
        raise Problem(400, f"The body is empty; {_GIVE}.")
    try:
        return decode_image(data, _NAME, max_pixels=limits.picture_pixels)
    except TooManyPixels as error:
        photo = PhotoFile(data, _NAME, max_pixels=_ANY)
        with opened(photo, photo.kind()) as image:
            width, height = image.size
        raise too_many_pixels(f"The picture has {width} x {height} pixels", limits) from error


def too_many_pixels(what: str, limits: Limits) -> Problem:
    """Refuses a picture or video; `what` says how many it has."""
    most = f"{limits.picture_pixels // 10**6} million"
    return Problem(413, f"{what}; this server takes up to {most}; make it smaller.")


async def picture_bytes(request: Request, limits: Limits) -> bytes:
    """The bytes of the picture in a request.

    Raises:
        Problem: 413, too large; 415, of a type that cannot hold a picture; 400, not a valid form; 408, too slow.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith(_NOT_BYTES):
        raise Problem(415, f"Expected a picture, got {kind[:50]}; {_GIVE}. {_NEVER}")
    if kind != "multipart/form-data":
        chunks = [chunk async for chunk in _limited(request, limits.picture_bytes, limits.body_s)]
        return b"".join(chunks)
    stream = _limited(request, limits.picture_bytes + _OVERHEAD, limits.body_s)
    parser = _InMemory(request.headers, stream, max_files=1, max_fields=4)  # type: ignore[arg-type]
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Problem(400, f"The form cannot be read; {_GIVE}.") from error
    try:
        image = form.get("image")
        if not isinstance(image, UploadFile):
            raise Problem(
                400, f"The form has no file in its field `image`; {_GIVE}. A path or an address is never opened."
            )
        data = await image.read()
    finally:
        await form.close()
    if len(data) > limits.picture_bytes:
        raise _too_large(limits.picture_bytes)
    return data


async def save_video(request: Request, path: Path, limits: Limits) -> None:
    """Write the body of a request into a new file.

    Raises:
        Problem: 413, too large; 415, a form or JSON; 408, a pause that is too long; 400, it is empty; 507, the disk is
            full.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith((*_NOT_BYTES, "multipart/")):
        raise Problem(415, f"Expected a video, got {kind[:50]}; send the bytes of the file as the body.")
    size = 0
    try:
        with path.open("xb") as file:
            async for chunk in _limited(request, limits.video_bytes, None, pause_s=limits.body_s):
                size += len(chunk)
                await asyncio.to_thread(file.write, chunk)
    except OSError as error:
        with suppress(RuntimeError):  # it has come to its end
            await _drained(request.stream(), limits.video_bytes)
        reason = (error.strerror or str(error)).lower()
        said = f"This server cannot store the video ({reason}); try again later."
        raise Problem(507, said, {"Connection": "close"}) from error
    if not size:
        raise Problem(400, "The body is empty; send the bytes of the video file as the body.")


class _InMemory(MultiPartParser):
    """Keeps the picture of a form in memory: pictures of clients are not written to the disk."""

    spool_max_size = 2**31


async def _limited(
    request: Request, most: int, whole_s: float | None, *, pause_s: float | None = None
) -> AsyncIterator[bytes]:
    """The body in pieces, as long as it is neither too large nor too slow."""
    stated = request.headers.get("content-length", "")
    stream = request.stream()
    if stated.isdecimal() and int(stated) > most:
        if "expect" not in request.headers:
            await _drained(stream, most)
        raise _too_large(most)
    end_s = None if whole_s is None else time.monotonic() + whole_s
    size = 0
    while True:
        left_s = pause_s if end_s is None else max(end_s - time.monotonic(), _CHUNK_S)
        try:
            chunk = await asyncio.wait_for(anext(stream), left_s)
        except StopAsyncIteration:
            return
        except asyncio.TimeoutError as error:
            raise _too_slow() from error
        except ClientDisconnect as error:
            raise Problem(400, "The connection was closed before the whole body had come.") from error
        size += len(chunk)
        if size > most:
            await _drained(stream, most)
            raise _too_large(most)
        if chunk:
            yield chunk


async def _drained(stream: AsyncIterator[bytes], most: int) -> None:
    """Pass over some of what still comes: a client that is sending would see a broken connection, not the answer."""
    left = min(4 * most, _DRAINED_BYTES)
    try:
        while left > 0:
            left -= len(await asyncio.wait_for(anext(stream), _DRAIN_S))
    except (StopAsyncIteration, asyncio.TimeoutError, ClientDisconnect):
        return


def _too_large(most: int) -> Problem:
    return Problem(413, f"The body is larger than {most / 1e6:,.0f} MB; make it smaller.", {"Connection": "close"})


def _too_slow() -> Problem:
    return Problem(408, "The body came too slowly; send it again.", {"Connection": "close"})
