"""The door to PyAV, which is FFmpeg: opening what holds a video, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.addresses import Address, named
from mien.errors import UnreadableMedia
from mien.pixels.images import read_head
from mien.pixels.kinds import MJPEG_SUFFIXES, is_document, picture_kind
from mien.pixels.photos import MAX_PIXELS, check_size
from mien.sources.containers import is_whole

if TYPE_CHECKING:
    from fractions import Fraction

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,asf_o,ogg,mxf,gxf,dv,nut,wtv,rm,ivf,h264,hevc,vvc,obu,av1,"
    "m4v,mjpeg,mpjpeg,nsv,nuv,yuv4mpegpipe,dirac,vc1,h261,h263"
)
"""Containers that a file may be: those that hold a video, not those that name other files or take anything for one."""
_STREAM_FORMATS = f"{_FORMATS},hls,dash,rtsp,sdp,rtp,aac,mp3,ac3,webvtt"
_STREAM_PROTOCOLS = "http,https,httpproxy,tcp,tls,udp,rtp,srtp,rtsp,rtsps,rtmp,rtmps,rtmpt,crypto,data"
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"v=0")


def errors_of_ffmpeg() -> tuple[type[Exception], ...]:
    """What PyAV raises."""
    from av.error import FFmpegError

    return (FFmpegError,)


def errors_of_decoding() -> tuple[type[Exception], ...]:
    """What PyAV raises when a packet is decoded: from PyAV 19 on ValueError too, once a decoder could not be opened."""
    return (*errors_of_ffmpeg(), ValueError)


def reason(error: Exception) -> str:
    """What an error of FFmpeg or the system says, without the name of the file or address, which may be secret."""
    return str(getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__)[:200].lower()


def open_input(
    address: str,
    *,
    options: Mapping[str, str],
    kind: str | None = None,
    timeout: tuple[float, float] | None = None,
) -> InputContainer:
    """Open for reading, whatever bytes there are in titles and other texts of it.

    Args:
        address: as FFmpeg takes it, with its protocol.
        options: of FFmpeg.
        kind: what it is, by FFmpeg's name; None to find out.
        timeout: seconds to wait for the opening, and for each reading after it.

    Raises:
        OSError, ValueError, RuntimeError, FFmpegError: it cannot be opened.
    """
    import av
    from av.container import Container

    # Up to PyAV 18 a text that is not UTF-8 raises unless told otherwise; from 19 on it never does, nor can be told.
    texts: dict[str, Any] = {"metadata_errors": "ignore"} if hasattr(Container, "metadata_errors") else {}
    container: InputContainer = av.open(address, format=kind, options=dict(options), timeout=timeout, **texts)
    return container


def open_file(path: str, max_pixels: int = MAX_PIXELS) -> tuple[InputContainer, VideoStream]:
    """Open a video file; nothing else is opened, whatever it names.

    Args:
        path: the file.
        max_pixels: the largest frame that is decoded.

    Raises:
        UnreadableMedia: it is missing, empty or damaged, or holds no video that can be decoded.
        TooManyPixels: its frames are larger.
    """
    head = read_head(path)
    if is_document(head):
        raise UnreadableMedia(
            f"Cannot read {named(path)}: it is a document or an archive, not a video; extract the video or photo first."
        )
    # An absolute path, for a leading dash or a colon means something else to FFmpeg.
    failures: tuple[type[Exception], ...] = (OSError, ValueError, RuntimeError, *errors_of_ffmpeg())
    address = f"file:{Path(path).absolute()}"
    is_jpeg = picture_kind(head) == "JPEG"
    is_mjpeg = Path(path).suffix.lower() in MJPEG_SUFFIXES
    try:
        container = open_input(
            address,
            kind="mjpeg" if is_jpeg and is_mjpeg else None,  # FFmpeg may take it for a single picture
            options={"format_whitelist": _FORMATS, "protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)},
        )
    except failures:
        raise _no_video(path, head) from None
    try:
        is_found_inside = container.format.name == "mjpeg" and not (is_jpeg or is_mjpeg)
        # JPEGs are in mails, programs and much else.
        stream = None if is_found_inside else video_of(container, path, max_pixels)
    except BaseException:
        container.close()
        raise
    if stream is None:
        container.close()
        raise _no_video(path, head)
    return container, stream


def open_address(address: Address, *, stall_s: float, first_s: float) -> tuple[InputContainer, VideoStream]:
    """Connect to a stream; no file of this machine is opened, whatever a playlist or a redirection names.

    Args:
        address: where it is.
        stall_s: seconds without any data after which reading from it raises.
        first_s: seconds to wait for the connection and for what tells how to decode.

    Raises:
        UnreadableMedia: it has no picture that can be decoded.
        OSError, ValueError, FFmpegError: it cannot be opened; the message holds the whole address, so never show it.
    """
    container = open_input(
        address.whole(),
        timeout=(first_s, stall_s),
        options={
            "format_whitelist": _STREAM_FORMATS,
            "protocol_whitelist": _STREAM_PROTOCOLS,
            "max_pixels": str(MAX_PIXELS),
            **({"rtsp_flags": "prefer_tcp"} if address.scheme == "rtsp" else {}),
        },
    )
    try:
        return container, video_of(container, address.shown)
    except BaseException:
        container.close()
        raise


def video_of(container: InputContainer, name: str, max_pixels: int = MAX_PIXELS) -> VideoStream:
    """The picture of what was opened; covers of music do not count.

    Raises:
        UnreadableMedia: there is none, or no decoder for it.
        TooManyPixels: it is larger than this many pixels.
    """
    from av.stream import Disposition

    videos = [
        stream for stream in container.streams.video if not Disposition(stream.disposition) & Disposition.attached_pic
    ]
    if not videos:
        what = "sound but no picture" if container.streams.audio else "no picture"
        raise UnreadableMedia(f"Cannot read {named(name)}: it holds {what}; name a video.")
    best = container.streams.best("video")
    stream = next((video for video in videos if video is best or (best and video.index == best.index)), videos[0])
    context = stream.codec_context
    if context is None:
        raise UnreadableMedia(
            f"Cannot read {named(name)}: its picture is stored in a way that is not known here; convert it to MP4."
        )
    check_size((context.height, context.width), named(name), max_pixels)
    with suppress(ValueError):
        context.options = {**context.options, "max_pixels": str(max_pixels)}
    return stream


class PixelAspect:
    """The width of a video's pixels by their height; it may change midway, as on television before and after a film.

    Args:
        stream: the picture. What its container states counts, where that is not what the picture itself stated first.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        own = self._context.sample_aspect_ratio or None
        self._now = stream.sample_aspect_ratio or own
        self._may_change = own is None or own == self._now

    def of(self, frame: VideoFrame) -> Fraction | None:
        """That of the frame decoded last; None if it is not known."""
        # The decoder knows of a change before it gives the key frame with which that begins.
        if self._may_change and frame.key_frame:
            self._now = self._context.sample_aspect_ratio or self._now
        return self._now


def rate_of(stream: VideoStream) -> float | None:
    """Frames per second, None if unknown: a browser's recording has only the ticks of its clock, taken for a rate."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate and 0 < rate < 1000 else None


def _no_video(path: str, head: bytes) -> UnreadableMedia:
    name = named(path)
    if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(_PLAYLISTS):
        return UnreadableMedia(
            f"Cannot read {name}: it is not a video of a known kind but a text that names other files, which are not "
            "opened; name the video itself, or the address of the stream."
        )
    if is_whole(path) is False:
        return UnreadableMedia(f"Cannot read {name}: the video is truncated; get a complete copy of it.")
    return UnreadableMedia(
        f"Cannot read {name}: it is damaged or not a video of a known kind; give an MP4, MOV, AVI, MKV or WebM."
    )
