from __future__ import annotations

import base64
import http.client
import itertools
import json
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from mien.artwork.drawings import demo_frame
from mien.pipeline import Options
from mien.pixels.images import encode_image
from mien.serve import server as serve_server
from mien.serve.app import create_app
from mien.serve.engine import Engine
from mien.serve.jobs import Jobs
from mien.serve.metrics import Metrics
from mien.serve.settings import ServeSettings
from mien.serve.watch import Watch

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class RunningServer:
    """A server in this process, on a thread, that listens at a free port of the loopback address."""

    def __init__(self, settings: ServeSettings, stack: ExitStack) -> None:
        self.listening = stack.enter_context(socket.socket())
        self.listening.bind(("127.0.0.1", 0))
        self.port = int(self.listening.getsockname()[1])
        self.settings = settings
        self.metrics = Metrics()
        idle_s = settings.idle_s if settings.watch is None else None
        self.engine = stack.enter_context(Engine(settings.options, most=settings.limits.requests, idle_s=idle_s))
        self.engine.load()
        self.jobs = stack.enter_context(Jobs(self.engine, settings.limits))
        self.watch = None
        if settings.watch is not None:
            sequence = self.engine.submit(lambda models: models.analyzer.sequence(settings.options.tasks)).result()
            self.watch = stack.enter_context(Watch(settings, sequence))
        app = create_app(settings, self.engine, self.jobs, self.metrics, self.watch)
        started = threading.Event()
        self.server = serve_server._Server(serve_server._config(app), self.watch, started.set)
        thread = threading.Thread(target=self.server.run, args=([self.listening],), daemon=True)
        thread.start()
        assert started.wait(60)
        stack.callback(self._stop, thread)

    def _stop(self, thread: threading.Thread) -> None:
        self.server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the server does not stop"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/octet-stream"} | (headers or {}))
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def look(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON of a picture that is sent."""
        status, _, answer = self.ask("POST", path, body, headers)
        return status, json.loads(answer)

    def live(self, query: str = "", **options: Any) -> ClientConnection:
        """A WebSocket."""
        return connect(f"ws://127.0.0.1:{self.port}/v1/live{query}", proxy=None, **options)


@pytest.fixture
def serving() -> Iterator[Callable[..., RunningServer]]:
    """Starts a server with the settings that it is given."""
    with ExitStack() as stack:
        yield lambda **settings: RunningServer(ServeSettings(**{"options": Options(follow=True), **settings}), stack)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server with the settings that it has by default."""
    with ExitStack() as stack:
        yield RunningServer(ServeSettings(options=Options(follow=True)), stack)


@pytest.fixture(scope="session")
def smile() -> list[NDArray[np.uint8]]:
    """Frames, (480, 640, 3) uint8 RGB: a face begins to smile, a hand turns into a V; the last one is repeated."""
    drawn = [demo_frame(i) for i in (0, 6, 12, 20, 30, 60)]
    return [*(one for one in drawn for _ in range(2)), *[drawn[-1]] * 48]


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A JPEG of a face that looks happy and a hand that shows a V."""
    return encode_image(demo_frame(60), ".jpg")


class Page:
    """A page in headless Chromium, driven by the DevTools protocol."""

    def __init__(self, devtools: ClientConnection) -> None:
        self._socket = devtools
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue[Any]] = {}
        self.console: list[str] = []
        self.requests: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")

    def _listen(self) -> None:
        with suppress(ConnectionClosed):
            for text in self._socket:
                message = json.loads(text)
                if "id" in message:
                    self._answers[message["id"]].put(message)
                    continue
                given = message.get("params", {})
                if message["method"] == "Network.requestWillBeSent":
                    self.requests.append(given["request"]["url"])
                elif message["method"] == "Network.webSocketCreated":
                    self.requests.append(given["url"])
                elif message["method"] == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
                    self.console.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
                elif message["method"] == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning"):
                    self.console.append(str(given["args"]))
                elif message["method"] == "Runtime.exceptionThrown":
                    self.console.append(str(given["exceptionDetails"]))

    def do(self, method: str, **given: Any) -> Any:
        """One command."""
        number = next(self._numbers)
        self._answers[number] = queue.SimpleQueue()
        self._socket.send(json.dumps({"id": number, "method": method, "params": given}))
        answer = self._answers[number].get(timeout=60)
        del self._answers[number]
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url: str) -> None:
        """Go there."""
        self.js("window.before = true")
        self.do("Page.navigate", url=url)
        self.until("!window.before && document.readyState == 'complete'")

    def js(self, code: str) -> Any:
        """The value of an expression; a promise is awaited."""
        answer = self.do("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, code: str, limit_s: float = 60.0) -> Any:
        """The value of an expression once it is true."""
        end_s = time.monotonic() + limit_s
        while True:
            value = self.js(f"(() => {{ try {{ return {code} }} catch {{ return null }} }})()")
            if value:
                return value
            assert time.monotonic() < end_s, f"{code} does not become true; {self.console}"
            time.sleep(0.05)

    def size(self, width: int, height: int, *, dark: bool = False, scale: float = 1.0) -> None:
        """What the page is shown on."""
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.do("Emulation.setEmulatedMedia", features=scheme)

    def shot(self, path: Path, *, whole: bool = False) -> None:
        """A picture of it."""
        taken = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))

    def press(self, key: str) -> None:
        """A key, down and up."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27}.get(key, ord(key[0].upper()))
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        given = {"key": key, "text": text, "windowsVirtualKeyCode": code}
        self.do("Input.dispatchKeyEvent", type="keyDown", **given)
        self.do("Input.dispatchKeyEvent", type="keyUp", **given)

    def drop(self, *paths: Path, x: int = 300, y: int = 300) -> None:
        """Files, dropped onto the page."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.do("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)


@contextmanager
def chromium(profile: Path, camera: Path | None = None, more: Sequence[str] = ()) -> Iterator[Page]:
    """Headless Chromium whose camera is an MJPEG file, with one empty page."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", "--remote-debugging-port=0", "--remote-allow-origins=*", "--no-proxy-server",
        "--autoplay-policy=no-user-gesture-required", *more,
    ]  # fmt: skip
    if camera is not None:
        command += [
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        ]  # fmt: skip
    process = subprocess.Popen([*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = profile / "DevToolsActivePort"
        end_s = time.monotonic() + 60
        while not (told.is_file() and told.read_text().count("\n")):
            assert time.monotonic() < end_s, "Chromium does not start"
            assert process.poll() is None, "Chromium has ended"
            time.sleep(0.05)
        port = int(told.read_text().splitlines()[0])
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/json/list")
            pages = [one for one in json.loads(connection.getresponse().read()) if one["type"] == "page"]
            connection.close()
            if pages:
                break
            time.sleep(0.05)
        with connect(pages[0]["webSocketDebuggerUrl"], max_size=None, proxy=None) as devtools:
            yield Page(devtools)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens Chromium; a skip where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here to open the page in")
    with ExitStack() as stack:
        yield lambda camera=None, **given: stack.enter_context(chromium(tmp_path / "profile", camera, **given))
