from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from mien.errors import UnreadableMedia
from mien.pixels.images import encode_image
from mien.sources import mjpeg
from mien.sources.mjpeg import MjpegFeed, MjpegSplitter, pipe_reader


def _jpeg(level: int, *flags: int) -> bytes:
    noise = np.random.default_rng(level).integers(0, 40, (48, 64, 3), np.uint8)
    done, data = cv2.imencode(".jpg", noise + np.uint8(level), list(flags))
    assert done
    return data.tobytes()


PICTURES = [_jpeg(20 * index) for index in range(8)]


def _multipart(pictures: list[bytes]) -> bytes:
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return b"".join(head % len(data) + data + b"\r\n" for data in pictures)


def _with_thumbnail(data: bytes) -> bytes:
    """With a whole JPEG inside its first segment, as EXIF has."""
    inside = b"Exif\0\0" + PICTURES[0][:3000] + b"\xff\xd9"
    return data[:2] + b"\xff\xe1" + (len(inside) + 2).to_bytes(2, "big") + inside + data[2:]


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000, 10**6])
@pytest.mark.parametrize("wrap", [b"".join, _multipart, lambda pictures: b"\xff\xff\xd8 noise".join(pictures)])
def test_pictures_come_out_as_they_went_in(wrap: Callable[[list[bytes]], bytes], size: int) -> None:
    splitter = MjpegSplitter()
    found = [picture for piece in _pieces(wrap(PICTURES), size) for picture in splitter.add(piece)]
    assert found == PICTURES


@pytest.mark.parametrize("size", [1, 64, 10**6])
@pytest.mark.parametrize(
    "flags",
    [(cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1), (cv2.IMWRITE_JPEG_QUALITY, 100)],
    ids=["progressive", "restarts", "quality 100"],
)
def test_every_way_to_write_a_jpeg(flags: tuple[int, ...], size: int) -> None:
    pictures = [_jpeg(level, *flags) for level in (0, 50, 100)]
    splitter = MjpegSplitter()
    assert [p for piece in _pieces(b"".join(pictures), size) for p in splitter.add(piece)] == pictures


def test_a_small_picture_inside_a_picture_is_no_picture() -> None:
    pictures = [_with_thumbnail(data) for data in PICTURES]
    splitter = MjpegSplitter()
    assert [p for piece in _pieces(b"".join(pictures), 100) for p in splitter.add(piece)] == pictures


@pytest.mark.parametrize("kept", [2, 3, 300, 700, 1500])
def test_a_cut_picture_costs_itself_only(kept: int) -> None:
    data = _multipart(PICTURES[:2]) + PICTURES[2][:kept] + b"\r\n" + _multipart(PICTURES[3:])
    splitter = MjpegSplitter()
    found = [picture for piece in _pieces(data, 500) for picture in splitter.add(piece)]
    assert [picture for picture in found if picture in PICTURES] == PICTURES[:2] + PICTURES[3:]


def test_a_picture_cut_between_its_segments_costs_itself_only() -> None:
    splitter = MjpegSplitter()
    assert splitter.add(PICTURES[0][:20] + b"".join(PICTURES[1:])) == PICTURES[1:]


def test_random_damage_never_stops_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        data = bytearray(_multipart(PICTURES))
        for at in rng.integers(0, len(data) // 2, 20):
            data[at] = rng.integers(0, 256)
        splitter = MjpegSplitter()
        found = [
            picture for piece in _pieces(bytes(data) + _multipart(PICTURES), 4096) for picture in splitter.add(piece)
        ]
        assert found[-3:] == PICTURES[-3:]


def test_what_never_ends_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mjpeg, "MAX_BYTES", 10_000)
    splitter = MjpegSplitter()
    assert splitter.add(PICTURES[0][:700] + bytes(20_000)) == []
    assert len(splitter._bytes) < 10
    assert splitter.add(PICTURES[1]) == [PICTURES[1]]


def _feed(*pieces: bytes | None, **options: object) -> MjpegFeed:
    left = iter(pieces)
    return MjpegFeed(lambda: next(left, b""), name="camera on a roof", **options)  # type: ignore[arg-type]


def test_pictures_are_rgb_and_then_it_ends() -> None:
    image_rgb = np.full((16, 24, 3), (200, 30, 60), np.uint8)
    feed = _feed(None, encode_image(image_rgb, ".jpg"), None)
    picture = feed.read()
    assert picture is not None
    assert np.abs(picture.astype(int) - image_rgb).max() < 8
    assert feed.read() is None
    assert feed.read() is None


def test_damaged_pictures_are_passed_over() -> None:
    no_size = b"\xff\xd8\xff\xda\x00\x04\x01\x02 \xff\xd9"
    feed = _feed(PICTURES[0] + no_size + PICTURES[1][:400] + PICTURES[2], PICTURES[3][:50])
    assert feed.read() is not None
    assert feed.read() is not None
    assert feed.read() is None


@pytest.mark.parametrize("data", [b"", b"no pictures at all", b"\x89PNG" * 100])
def test_something_else_is_no_mjpeg(data: bytes) -> None:
    with pytest.raises(UnreadableMedia, match=r"camera on a roof.*expected a sequence of JPEG pictures"):
        _feed(data).read()


def test_a_long_something_else_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mjpeg, "SEARCHED_BYTES", 1000)
    pieces = [b"text " * 50] * 100
    feed = MjpegFeed(lambda: pieces.pop(), name="a page")
    with pytest.raises(UnreadableMedia, match="MJPEG"):
        feed.read()
    assert len(pieces) > 90


def test_an_endless_one_that_ends_is_lost() -> None:
    feed = _feed(PICTURES[0], is_endless=True)
    assert feed.read() is not None
    with pytest.raises(UnreadableMedia, match="ended unexpectedly"):
        feed.read()


def test_bytes_without_a_picture_are_a_stall() -> None:
    feed = MjpegFeed(lambda: time.sleep(0.01) or b"--frame\r\n", name="camera on a roof", stall_s=0.1)  # type: ignore[func-returns-value]
    begin_s = time.monotonic()
    with pytest.raises(UnreadableMedia, match=r"no picture for 0\.1 s"):
        feed.read()
    assert time.monotonic() - begin_s < 1


def test_close_gives_back() -> None:
    closed: list[bool] = []
    with _feed(PICTURES[0], close=lambda: closed.append(True)):
        pass
    assert closed == [True]


def test_a_pipe_is_read_as_it_fills_and_stops_on_request() -> None:
    prediction, writing = os.pipe()
    stop = threading.Event()
    read = pipe_reader(prediction, stop)
    try:
        if os.name == "posix":
            assert read() is None
        os.write(writing, PICTURES[0])
        feed = MjpegFeed(read, name="standard input")
        assert feed.read() is not None
        stop.set()
        assert feed.read() is None
    finally:
        os.close(prediction)
        os.close(writing)
    stop.clear()
    if os.name == "posix":
        with pytest.raises((UnreadableMedia, OSError)):
            read()
