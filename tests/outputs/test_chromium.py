"""Written videos in a real browser: it says what it sees, as a person's browser would show it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.outputs.sound import SoundOf
from mien.outputs.video import VideoWriter

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to play the videos in"),
]

_PAGE = """<!DOCTYPE html><body><script>
const seen = {}, video = document.createElement("video");
const when = name => new Promise((done, fail) => {
  video.addEventListener(name, done, {once: true});
  video.addEventListener("error", () => fail(video.error.message), {once: true});
});
async function watch() {
  video.muted = true;
  const canPlay = when("canplaythrough");
  video.src = "/video";
  document.body.append(video);
  await canPlay;
  Object.assign(seen, {width: video.videoWidth, height: video.videoHeight, duration: video.duration});
  await video.play();
  while (video.currentTime < 0.3) await new Promise(done => setTimeout(done, 20));
  video.pause();
  seen.played = video.currentTime;
  seen.sound = video.webkitAudioDecodedByteCount;
  seen.frames = video.getVideoPlaybackQuality().totalVideoFrames;
  const sought = when("seeked");
  video.currentTime = SEEK;
  await sought;
  seen.sought = video.currentTime;
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  seen.picture = canvas.toDataURL("image/png").split(",")[1];
}
watch().catch(fault => { seen.error = String(fault); })
  .finally(() => fetch("/seen", {method: "POST", body: JSON.stringify(seen)}));
</script>"""


class Browser:
    """Plays one video in Chromium, jumps to a time of it and tells what there was."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0

    def watch(self, path: Path, seek_s: float) -> dict[str, Any]:
        """What the browser says: width, height, duration, played, sound, frames, sought, picture_rgb, or error."""
        seen: dict[str, Any] = {}
        told = threading.Event()
        kind = "video/webm" if path.suffix == ".webm" else "video/mp4"
        data, page = path.read_bytes(), _PAGE.replace("SEEK", str(seek_s)).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/video":
                    self._answer(page if self.path == "/" else b"", "text/html")
                    return
                begin, _, end = (self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")
                first, last = int(begin), min(int(end or len(data) - 1), len(data) - 1)
                self._answer(data[first : last + 1], kind, f"bytes {first}-{last}/{len(data)}")

            def do_POST(self) -> None:
                seen.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer(b"", "text/plain")
                told.set()

            def _answer(self, body: bytes, content: str, part: str = "") -> None:
                self.send_response(206 if part else 200)
                self.send_header("Content-Type", content)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Accept-Ranges", "bytes")
                if part:
                    self.send_header("Content-Range", part)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # the browser has enough
                    self.close_connection = True

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._runs += 1
        process = subprocess.Popen(
            [
                str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
                "--remote-debugging-port=0",  # stays open until it is ended
                f"--user-data-dir={self._folder / f'profile{self._runs}'}",
                f"http://127.0.0.1:{server.server_address[1]}/",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert told.wait(90), "the browser said nothing"
        finally:
            process.terminate()
            process.wait(30)
            server.shutdown()
            server.server_close()
        if "picture" in seen:
            png = np.frombuffer(base64.b64decode(seen.pop("picture")), np.uint8)
            picture = cv2.imdecode(png, cv2.IMREAD_COLOR)
            assert picture is not None
            seen["picture_rgb"] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return seen


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    return Browser(tmp_path)


def _levels(path: Path, size_hw: tuple[int, int], *, sound: SoundOf | None = None) -> None:
    """Three seconds: each frame is a grey of its own, with a red, a green and a blue patch."""
    with VideoWriter(path, 25.0, size_hw, sound=sound) as writer:
        for i in range(75):
            image: NDArray[np.uint8] = np.full((*size_hw, 3), 40 + 2 * i, np.uint8)
            side = size_hw[1] // 4
            for patch, colour in enumerate(((220, 30, 30), (30, 200, 40), (40, 50, 210))):
                image[: size_hw[0] // 3, patch * side : (patch + 1) * side] = colour
            writer.write(image, i / 25)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".m4v", ".mov"])
@pytest.mark.parametrize("size_hw", [(240, 320), (721, 1281)])
def test_chromium_plays_it(
    suffix: str, size_hw: tuple[int, int], browser: Browser, clip: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / f"out{suffix}"
    _levels(path, size_hw, sound=SoundOf(path=clip(tmp_path / "in.mp4", "aac")))
    seen = browser.watch(path, 2.02)
    assert "error" not in seen
    assert (seen["height"], seen["width"]) == (size_hw[0] + size_hw[0] % 2, size_hw[1] + size_hw[1] % 2)
    assert seen["duration"] == pytest.approx(3.0, abs=0.06)
    assert seen["played"] >= 0.3
    assert seen["frames"] > 1
    assert seen["sound"] > 0
    assert seen["sought"] == pytest.approx(2.02, abs=0.01)
    picture = seen["picture_rgb"].astype(int)
    bottom, eighth = size_hw[0] * 2 // 3, size_hw[1] // 8
    # The frame of that moment, in its own colours: 1 of 255 is lost by the file, the rest by the browser's rounding.
    assert np.abs(picture[bottom, eighth] - (40 + 2 * 50)).max() <= 3
    for patch, colour in enumerate(((220, 30, 30), (30, 200, 40), (40, 50, 210))):
        assert np.abs(picture[size_hw[0] // 6, eighth * (1 + 2 * patch)] - colour).max() <= 4


def test_chromium_shows_the_right_frame_of_a_variable_rate(browser: Browser, tmp_path: Path) -> None:
    """30, then 7.5 frames per second: the copy by constant rate showed frame 36 at 1.68 s instead of 1.17 s."""
    times = [i / 30 for i in range(31)] + [1.0 + i / 7.5 for i in range(1, 15)]
    with VideoWriter(tmp_path / "out.mp4", 30.0, (240, 320)) as writer:
        for i, time_s in enumerate(times):
            writer.write(np.full((240, 320, 3), 40 + 4 * i, np.uint8), time_s)
    seen = browser.watch(tmp_path / "out.mp4", times[36] + 0.05)
    assert np.abs(seen["picture_rgb"].astype(int) - (40 + 4 * 36)).max() <= 2


def test_chromium_says_when_it_cannot_play(browser: Browser, tmp_path: Path) -> None:
    """Else the tests above could not fail: this is what the copies were, MPEG-4 part 2."""
    writer = cv2.VideoWriter(
        str(tmp_path / "old.mp4"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (320, 240)
    )
    for _ in range(50):
        writer.write(np.zeros((240, 320, 3), np.uint8))
    writer.release()
    assert "error" in browser.watch(tmp_path / "old.mp4", 1.0)
