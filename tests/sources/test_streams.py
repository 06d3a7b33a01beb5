from __future__ import annotations

import base64
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mien.errors import InputError, UnreadableMedia
from mien.pixels.images import encode_image
from mien.sources import streams
from mien.sources.mjpeg import MjpegFeed
from mien.sources.streams import VideoStream, open_stream

Answer = Callable[[BaseHTTPRequestHandler], None]


def _part(level: int) -> bytes:
    data = encode_image(np.full((48, 64, 3), (level, 0, 90), np.uint8), ".jpg")
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n"


def _answer(kind: str, data: bytes = b"", *, code: int = 200, silence_s: float = 0.0) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Type", kind)
        request.end_headers()
        request.wfile.write(data)
        request.wfile.flush()
        time.sleep(silence_s)

    return answer


MULTIPART = "multipart/x-mixed-replace; boundary=frame"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], str]]:
    """Starts a server on this machine and gives its address without a path."""
    monkeypatch.setenv("no_proxy", "*")
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    answer(self)
                except OSError:
                    self.close_connection = True  # the reader has gone

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _open(url: str, *, stall_s: float = 0.3, first_s: float = 5.0) -> MjpegFeed | VideoStream:
    return open_stream(url, threading.Event(), stall_s=stall_s, first_s=first_s)


@pytest.mark.parametrize("kind", [MULTIPART, "multipart/x-mixed-replace;boundary=--frame", "video/x-motion-jpeg"])
def test_mjpeg_over_http_needs_no_ffmpeg(
    serve: Callable[[Answer], str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "open_address", None)
    url = serve(_answer(kind, b"".join(map(_part, (40, 120, 200)))))
    with _open(f"{url}/video") as feed:
        levels = [int(image_rgb[..., 0].mean()) for _ in range(3) if (image_rgb := feed.read()) is not None]
        assert levels == pytest.approx([40, 120, 200], abs=6)
        with pytest.raises(UnreadableMedia, match=r"127\.0\.0\.1.*ended unexpectedly"):
            feed.read()


def test_a_silent_server_is_a_stall(serve: Callable[[Answer], str]) -> None:
    with _open(serve(_answer(MULTIPART, _part(9), silence_s=5))) as feed:
        assert feed.read() is not None
        begin_s = time.monotonic()
        with pytest.raises(UnreadableMedia, match=r"sent (nothing|no picture) for 0\.3 s"):
            feed.read()
        assert 0.2 < time.monotonic() - begin_s < 2


def test_a_server_that_does_not_answer(serve: Callable[[Answer], str]) -> None:
    url = serve(lambda _: time.sleep(5))
    begin_s = time.monotonic()
    with pytest.raises(UnreadableMedia, match=r"Cannot reach .*it does not answer; check"):
        _open(url, first_s=0.3)
    assert time.monotonic() - begin_s < 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (_answer("text/plain", code=404), r"does not exist on its server \(HTTP 404\)"),
        (_answer("text/plain", code=401), r"asks for a name and password \(HTTP 401\)"),
        (_answer("text/plain", code=503), "its server answers HTTP 503"),
        (_answer("text/html", b"<html>"), "is a page or text, not a stream"),
        (_answer("image/jpeg", _part(0)), "is a single picture, not a stream"),
        (_answer("video/mp4", b"no video"), "answers, but not with a readable stream"),
        (_answer(MULTIPART, b"--frame\r\n\r\nno picture"), "expected a sequence of JPEG pictures"),
    ],
)
def test_what_a_server_may_say_instead(serve: Callable[[Answer], str], answer: Answer, why: str) -> None:
    url = serve(answer)
    with pytest.raises(UnreadableMedia, match=why) as raised, _open(f"{url}/x") as feed:
        feed.read()
    assert url in str(raised.value)


def test_nothing_listens_there() -> None:
    for scheme in ("http", "rtsp", "rtmp"):
        with pytest.raises(UnreadableMedia, match=f"Cannot reach {scheme}://127.0.0.1:9/x: nothing listens there"):
            _open(f"{scheme}://127.0.0.1:9/x")


def test_nothing_comes_over_udp() -> None:
    with pytest.raises(UnreadableMedia, match="Nothing readable arrived at udp://"):
        _open("udp://127.0.0.1:23917", first_s=0.3)


@pytest.mark.parametrize("url", ["http://", "http:///video", "rtsp://host:notaport/", "http://[::1/", "http://h:0/"])
def test_no_possible_address(url: str) -> None:
    with pytest.raises(InputError, match="is not a valid address"):
        _open(url)


def test_name_and_password_are_sent_and_never_shown(serve: Callable[[Answer], str]) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        wanted = "Basic " + base64.b64encode(b"me:s3cr:t/").decode()
        if request.headers["Authorization"] == wanted:
            _answer(MULTIPART, _part(50))(request)
        else:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()

    url = serve(answer)
    with _open(url.replace("//", "//me:s3cr%3At%2F@") + "/video?size=1") as feed:
        assert feed.read() is not None
        with pytest.raises(UnreadableMedia, match="ended unexpectedly") as raised:
            feed.read()
        assert "s3cr" not in str(raised.value)
    with pytest.raises(UnreadableMedia, match="name and password") as raised:
        _open(url.replace("//", "//me:wrong@"))
    assert "wrong" not in str(raised.value)


def test_a_query_is_sent_and_its_secrets_never_shown(serve: Callable[[Answer], str]) -> None:
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        _answer("text/plain", code=404)(request)

    path = "/video?user=me&password=s3cret&channel=1"
    url = serve(answer) + path
    with pytest.raises(UnreadableMedia, match=r"channel=1.*HTTP 404") as raised:
        _open(url)
    assert asked == [path]
    told = "".join(traceback.format_exception(raised.value))
    assert "s3cret" not in told
    assert "user=me" not in told


@pytest.mark.parametrize("kind", [ValueError, OSError, HTTPException])
@pytest.mark.parametrize("url", ["http://me:s3cret@127.0.0.1:9/a?token=s3cret", "rtsp://me:s3cret@127.0.0.1:9/x"])
def test_a_failed_connection_shows_no_secret_in_its_causes_either(
    url: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Opener:
        def open(self, url: str, **_: object) -> None:
            raise kind(f"cannot open {url}")

    def fail(url: str, **_: object) -> None:
        raise av.error.InvalidDataError(1, "cannot open", url)

    monkeypatch.setattr(streams, "_opener", lambda _: Opener())
    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(UnreadableMedia) as raised:
        _open(url)
    told = "".join(traceback.format_exception(raised.value))
    assert "s3cret" not in told


def test_ffmpeg_gets_the_whole_address_in_a_form_that_all_parse_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def refuse(url: str, **_: object) -> None:
        opened.append(url)
        raise av.error.InvalidDataError(1, "no", url)

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(UnreadableMedia):
        _open("RTSP://admin:p@ [ss]%2F1@127.0.0.1:9/x?a=1")
    assert opened == ["rtsp://admin:p%40%20%5Bss%5D%2F1@127.0.0.1:9/x?a=1"]


def _clip(path: Path, count: int, fps: float) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), fps, (64, 48))
    for index in range(count):
        writer.write(np.full((48, 64, 3), 10 * index, np.uint8))
    writer.release()
    return path


def test_a_video_at_an_address_is_played_at_its_own_pace_and_ends(
    serve: Callable[[Answer], str], tmp_path: Path
) -> None:
    url = serve(_answer("video/mp4", _clip(tmp_path / "clip.mp4", 15, 25.0).read_bytes()))
    with _open(f"{url}/clip.mp4") as feed:
        assert feed.read() is not None
        begin_s = time.monotonic()
        count = 1
        while feed.read() is not None:
            count += 1
        took_s = time.monotonic() - begin_s
    assert count == 15
    assert 0.5 < took_s < 3, "14 frames are 0.56 s"


def test_a_pause_in_a_video_at_an_address_ends_at_once(serve: Callable[[Answer], str], tmp_path: Path) -> None:
    stop = threading.Event()
    url = serve(_answer("video/mp4", _clip(tmp_path / "slow.mp4", 5, 0.2).read_bytes()))
    with open_stream(f"{url}/slow.mp4", stop) as feed:
        assert feed.read() is not None
        threading.Timer(0.1, stop.set).start()
        begin_s = time.monotonic()
        assert feed.read() is None
        assert time.monotonic() - begin_s < 2


@pytest.fixture
def transport_stream(tmp_path: Path) -> list[bytes]:
    """Two seconds of MPEG-TS in packets as they go over a network."""
    path = tmp_path / "clip.ts"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"M2V1"), 25, (128, 96))
    rng = np.random.default_rng(0)
    for _ in range(50):
        writer.write(rng.integers(0, 255, (96, 128, 3), np.uint8))
    writer.release()
    data = path.read_bytes()
    assert data[0] == 0x47
    return [data[at : at + 7 * 188] for at in range(0, len(data), 7 * 188)]


def _until_it_breaks_off(feed: MjpegFeed | VideoStream, message: str) -> None:
    def read_all() -> None:
        while feed.read() is not None:
            pass

    with pytest.raises(UnreadableMedia, match=message):
        read_all()


def test_a_stream_over_udp_comes_and_breaks_off(transport_stream: list[bytes]) -> None:
    gone = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not gone.is_set():
                for packet in transport_stream:
                    sender.sendto(packet, ("127.0.0.1", port))
                    if gone.wait(0.002):
                        return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with _open(f"udp://127.0.0.1:{port}", stall_s=0.5, first_s=20) as feed:
            image_rgb = feed.read()
            assert image_rgb is not None
            assert image_rgb.shape == (96, 128, 3)
            gone.set()
            _until_it_breaks_off(feed, r"^udp://127\.0\.0\.1.* sent no picture for 0\.5 s")
    finally:
        gone.set()
        sender.join()


class RtspCamera(threading.Thread):
    """The least of a camera that speaks RTSP (RFC 2326): RTP inside its connection; hangs up after the last packet."""

    def __init__(self, packets: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.packets = packets
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]

    def run(self) -> None:
        connection, _ = self.server.accept()
        with self.server, connection, connection.makefile("rb") as lines:
            while verb := lines.readline().split(b" ")[0]:
                sequence = b"0"
                while header := lines.readline().strip():
                    if header.lower().startswith(b"cseq"):
                        sequence = header.split()[1]
                connection.sendall(b"RTSP/1.0 200 OK\r\nCSeq: " + sequence + b"\r\n" + self._answer(verb))
                if verb == b"PLAY":
                    break
            for number, packet in enumerate(self.packets):
                rtp = struct.pack(">BBHII", 0x80, 33, number, number * 900, 1) + packet
                connection.sendall(struct.pack(">cBH", b"$", 0, len(rtp)) + rtp)
                time.sleep(0.002)

    def _answer(self, verb: bytes) -> bytes:
        if verb == b"DESCRIBE":
            about = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:one\r\n"
            return b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(about) + about
        if verb == b"SETUP":
            return b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n"
        return b"Public: DESCRIBE, SETUP, PLAY\r\nSession: 1\r\n\r\n"


def test_a_stream_over_rtsp_comes_and_breaks_off(transport_stream: list[bytes]) -> None:
    camera = RtspCamera(transport_stream * 2)
    camera.start()
    with _open(f"rtsp://me:secret@127.0.0.1:{camera.port}/one", stall_s=1.0, first_s=20) as feed:
        image_rgb = feed.read()
        assert image_rgb is not None
        assert image_rgb.shape == (96, 128, 3)
        _until_it_breaks_off(feed, f"^rtsp://127.0.0.1:{camera.port}/one ended unexpectedly")
    camera.join()


def _redirect(target: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", target)
        request.end_headers()

    return answer


def test_an_address_that_redirects_to_a_file(serve: Callable[[Answer], str], tmp_path: Path) -> None:
    clip = _clip(tmp_path / "private.mp4", 5, 25.0)
    url = serve(_redirect(clip.as_uri()))
    with pytest.raises(UnreadableMedia, match="redirects to something that is not an http address"):
        _open(f"{url}/clip.mp4")
    with pytest.raises(UnreadableMedia, match="answers, but not with a readable stream"):
        VideoStream(f"{url}/clip.mp4", threading.Event())  # FFmpeg's own requests, which follow redirections


def _hls(playlist: str, segment: bytes = b"") -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path.endswith(".m3u8"):
            _answer("application/vnd.apple.mpegurl", playlist.encode())(request)
        else:
            _answer("video/mp2t", segment)(request)

    return answer


_PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n{0}#EXTINF:2.0,\n{1}\n#EXT-X-ENDLIST\n"


def test_a_playlist_is_played(serve: Callable[[Answer], str], transport_stream: list[bytes]) -> None:
    url = serve(_hls(_PLAYLIST.format("", "one.ts"), b"".join(transport_stream)))
    with _open(f"{url}/list.m3u8", stall_s=5, first_s=20) as feed:
        begin_s = time.monotonic()
        assert not feed.is_endless
        for _ in range(5):
            image_rgb = feed.read()
            assert image_rgb is not None
            assert image_rgb.shape == (96, 128, 3)
        assert 0.1 < time.monotonic() - begin_s < 3, "five frames at 25 per second"


@pytest.mark.parametrize("key", ["", '#EXT-X-KEY:METHOD=AES-128,URI="file:///etc/hostname"\n'])
@pytest.mark.parametrize("scheme", ["file://", "file:", "concat:", "subfile,,start,0,end,9,,:"])
def test_a_playlist_that_names_local_files(
    key: str, scheme: str, serve: Callable[[Answer], str], transport_stream: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "private.ts").write_bytes(b"".join(transport_stream))
    url = serve(_hls(_PLAYLIST.format(key, f"{scheme}{tmp_path / 'private.ts'}"), b"".join(transport_stream)))
    with pytest.raises(UnreadableMedia, match="names files which are not at an address"):
        _open(f"{url}/list.m3u8")
    with pytest.raises(UnreadableMedia, match="answers, but not with a readable stream"):
        VideoStream(f"{url}/list.m3u8", threading.Event(), first_s=5)


def test_a_stream_that_stalls_ends(serve: Callable[[Answer], str], transport_stream: list[bytes]) -> None:
    silent = serve(_answer("video/mp2t", b"".join(transport_stream), silence_s=20))
    with _open(f"{silent}/live.ts", stall_s=0.6, first_s=20) as feed:
        assert feed.read() is not None
        begin_s = time.monotonic()
        _until_it_breaks_off(feed, r"sent no picture for 0\.6 s")
        assert time.monotonic() - begin_s < 5


def test_a_stream_whose_sound_goes_on_without_its_picture_ends(
    serve: Callable[[Answer], str], write_clip: Callable[..., Path], tmp_path: Path
) -> None:
    data = write_clip(tmp_path / "a.ts", 10, sound_s=120).read_bytes()

    def answer(request: BaseHTTPRequestHandler) -> None:
        begin = len(data) // 20
        _answer("video/mp2t", data[:begin])(request)
        for at in range(begin, len(data), 188 * 10):
            request.wfile.write(data[at : at + 188 * 10])
            time.sleep(0.05)

    with _open(f"{serve(answer)}/live.ts", stall_s=0.6, first_s=20) as feed:
        assert feed.read() is not None
        begin_s = time.monotonic()
        _until_it_breaks_off(feed, r"sent no picture for 0\.6 s")
        assert time.monotonic() - begin_s < 3


def test_a_stream_that_stalls_at_its_start(serve: Callable[[Answer], str]) -> None:
    url = serve(_answer("video/mp2t", bytes([0x47, 0x1F, 0xFF, 0x10]) + bytes(184), silence_s=20))
    begin_s = time.monotonic()
    with pytest.raises(UnreadableMedia, match="answers, but not with a readable stream"):
        _open(f"{url}/live.ts", first_s=0.6)
    assert time.monotonic() - begin_s < 5


def test_ffmpeg_says_nothing_about_a_password(
    serve: Callable[[Answer], str], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    url = serve(_answer("video/mp4", b"no video", code=200))
    query = f"/a?token={'s3c' + 'ret'}"  # a traceback shows the lines of this test, too
    for address in (
        url.replace("//", "//me:s3cret@"),
        "rtsp://me:s3cret@127.0.0.1:9/x",
        "rtmp://me:s3cret@127.0.0.1:9/x",
    ):
        with caplog.at_level(0), pytest.raises(UnreadableMedia) as raised:
            VideoStream(address + query, threading.Event(), first_s=2)
        assert "s3cret" not in "".join(traceback.format_exception(raised.value))
    told = capfd.readouterr()
    assert "s3cret" not in told.out + told.err + caplog.text


def test_every_scheme_has_a_port_or_needs_none() -> None:
    assert set(streams.SCHEMES) == {*streams._PORTS, "udp"}
