"""The page in headless Chromium, whose camera is a drawn clip: what a person would see, hear and download."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.artwork.drawings import draw_face, draw_hand, draw_people
from mien.outputs.video import VideoWriter
from mien.pixels.images import encode_image, read_image, write_image
from mien.records.writers import read_jsonl
from mien.serve.settings import Limits
from mien.voice.responses import Responses

pytestmark = pytest.mark.slow

FACES = "document.querySelector('#overlay').dataset.faces == 1"
READY = "document.body.dataset.ready"
QUICK = '[cooldown]\nany_s = 0.5\nlabel_s = 0.5\n[emotion]\nhappy = ["A smile!"]\nsad = ["So sad!"]\n'
VOICES = """
  window.said = [];
  const voices = [
    {name: "Here", voiceURI: "here", lang: "en-GB", localService: true},
    {name: "Away", voiceURI: "away", lang: "en-US", localService: false},
    {name: "Hier", voiceURI: "hier", lang: "de-DE", localService: true},
  ];
  speechSynthesis.getVoices = () => voices;
  speechSynthesis.speak = (sentence) => window.said.push([sentence.text, sentence.chosen.name]);
  Object.defineProperty(SpeechSynthesisUtterance.prototype, "voice", {set(voice) { this.chosen = voice; }});
"""

SOCKETS = """
  window.sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(url) { super(url); this.asked = []; window.sockets.push(this); }
    send(data) { if (typeof data == "string") this.asked.push(data); super.send(data); }
  };
"""


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a happy face with a V, then four of a sad one; over and over."""
    scenes = []
    for expression, gesture in (("happy", "victory"), ("sad", "none")):
        face = np.ascontiguousarray(draw_face(expression, size=480))
        hand = np.ascontiguousarray(draw_hand(gesture if gesture != "none" else "punch", size=480))
        side = hand[:, 120:360] if gesture != "none" else np.full((480, 240, 3), 210, np.uint8)
        scenes += [encode_image(np.ascontiguousarray(np.hstack([side, face[:, 40:440]])), ".jpg")] * 100
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(b"".join(scenes))
    return path


@pytest.fixture
def responses(tmp_path: Path) -> Responses:
    (tmp_path / "quick.toml").write_text(QUICK, "utf-8")
    return Responses.load(tmp_path / "quick.toml")


def only_here(page: Any, server: Any) -> None:
    """No complaint, and no request to anybody else."""
    assert page.console == []
    hosts = {urlsplit(url).netloc for url in page.requests if not url.startswith(("blob:", "data:"))}
    assert hosts == {f"127.0.0.1:{server.port}"}


def chosen(task: str) -> str:
    return f"document.querySelector('[data-task={task}] .chosen')?.dataset.label"


def test_a_camera_is_seen_read_answered_and_recorded(
    serving: Callable[..., Any], browser: Callable[..., Any], camera: Path, responses: Responses, tmp_path: Path
) -> None:
    server = serving(responses=responses)
    page = browser(camera)
    page.do("Page.addScriptToEvaluateOnNewDocument", source=VOICES)
    page.size(1280, 800)
    page.open(f"{server.address}/")
    page.until(READY)
    assert page.js("document.querySelector('#notice').hidden"), "the camera is off until somebody asks"
    assert page.js("[...document.querySelectorAll('#voice option')].map((one) => one.text)") == ["Here"]
    page.press("c")
    page.until(FACES)
    assert "Pictures stay on this machine" in page.js("document.querySelector('#notice-text').textContent")

    page.until(f"{chosen('emotion')} == 'happy'")
    page.until("document.querySelector('#caption').textContent == 'A smile!'")
    page.until(f"{chosen('gesture')} == 'victory'")
    page.until("[...document.querySelectorAll('.plate')].some((one) => /^looks happy \\d+ %$/.test(one.textContent))")
    page.shot(tmp_path / "happy.png")
    box = page.js(
        "(() => { const b = document.querySelector('#overlay .box').getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height] })()"
    )
    stage = page.js(
        "(() => { const b = document.querySelector('#stage').getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height] })()"
    )
    assert stage[0] < box[0] < box[0] + box[2] < stage[0] + stage[2]
    assert stage[1] < box[1] < box[1] + box[3] < stage[1] + stage[3]
    page.until(f"{chosen('emotion')} == 'sad'")
    page.until("document.querySelector('#caption').textContent == 'So sad!'")
    page.until("window.said.length >= 2")
    said = page.js("window.said")
    assert {tuple(one) for one in said} <= {("A smile!", "Here"), ("So sad!", "Here"), *_others(said)}
    assert {voice for _, voice in said} == {"Here"}
    page.press("m")
    assert page.js("document.querySelector('#mute-button').getAttribute('aria-pressed')") == "true"
    count = page.js("window.said.length")
    page.until("document.querySelector('#caption').textContent == 'A smile!'")
    assert page.js("window.said.length") == count, "muted"
    page.until("/sad \\d+ s/.test(document.querySelector('#timeline').ariaLabel)")

    page.press("g")
    page.until("document.querySelector('#overlay').dataset.faces == 0")
    assert page.js("document.querySelector('section[data-task=emotion]').hidden")
    page.press("b")
    page.until(FACES)
    page.press("p")
    page.until("document.querySelector('#pause-button').textContent == 'Continue'")
    page.press("p")

    page.do("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "downloads"))
    page.press("d")
    end_s = time.monotonic() + 30
    while not (found := [*(tmp_path / "downloads").glob("mien-*.jsonl")] if (tmp_path / "downloads").is_dir() else []):
        assert time.monotonic() < end_s
        time.sleep(0.05)
    scenes = [*read_jsonl(found[0])]
    assert len(scenes) > 20
    assert {face.label for scene in scenes for face in scene.faces if not face.uncertain} >= {"happy", "sad"}
    keys = set(json.loads(found[0].read_text("utf-8").splitlines()[0]))
    assert keys == {"source", "frame", "time_s", "size", "faces", "hands", "models"}, "as mien look writes them"
    page.press("c")
    page.until("document.querySelector('#notice').hidden && document.querySelector('#video').srcObject === null")
    only_here(page, server)
    seen = read_image(tmp_path / "happy.png").astype(int)
    yellow = np.abs(seen - (240, 228, 66)).sum(axis=2) < 40
    assert yellow.sum() > 1500, "box, plate and bar of a happy face"


def _others(said: list[list[str]]) -> set[tuple[str, str]]:
    """Sentences about hands, of the package."""
    return {(text, voice) for text, voice in said if text not in ("A smile!", "So sad!")}


def test_neutral_faces_are_learned_by_a_button_or_key(
    serving: Callable[..., Any], browser: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.serve.describe.BASELINE_S", 1.0)
    calm = encode_image(np.ascontiguousarray(draw_face("sad", size=480)), ".jpg")
    (tmp_path / "calm.mjpeg").write_bytes(calm * 60)
    server = serving()
    page = browser(tmp_path / "calm.mjpeg")
    page.size(1280, 800)
    page.open(f"{server.address}/")
    page.until(READY)
    button, message = "document.querySelector('#baseline-button')", "document.querySelector('#message').textContent"
    pressed = f"{button}.getAttribute('aria-pressed')"
    assert page.js(f"{button}.disabled"), "no camera, no face"
    page.press("n")
    assert page.js(pressed) == "false"
    page.press("c")
    page.until(f"{chosen('emotion')} == 'sad'")
    page.js(f"{button}.click()")
    assert page.js(message) == "Look calm for 1 s: mien is learning your neutral face."
    assert page.js(pressed) == "true"
    learned = "The neutral face of person 1 is learned; expressions are read as changes from it."
    page.until(f"{message} == '{learned}'")
    page.until(f"{chosen('emotion')} == 'neutral'")
    # A message may come and go between two looks at the page: all that stood there are kept.
    page.js("window.said = []; undefined")
    page.js(
        f"new MutationObserver(() => said.push({message})).observe(document.querySelector('#message'), "
        "{childList: true, characterData: true, subtree: true}); undefined"
    )
    page.press("n")
    page.until("said.some((text) => /^Look calm/.test(text))")
    page.until(f"said.includes('{learned}')")
    page.press("c")
    page.until(f"{button}.disabled && {pressed} == 'false'")
    page.press("c")
    page.until(f"{chosen('emotion')} == 'sad'")
    only_here(page, server)


def test_the_neutral_face_is_asked_for_again_when_the_connection_was_lost(
    server: Any, browser: Callable[..., Any], camera: Path
) -> None:
    page = browser(camera)
    page.do("Page.addScriptToEvaluateOnNewDocument", source=SOCKETS)
    page.open(f"{server.address}/")
    page.until(READY)
    page.press("c")
    page.until(FACES)
    page.press("n")
    asked = "window.sockets.map((one) => one.asked.filter((text) => /baseline/.test(text)))"
    assert page.js(asked) == [['{"baseline_s":5}']]
    page.js("window.sockets[0].close()")
    page.until("window.sockets.length == 2 && window.sockets[1].asked.length")
    assert page.js(asked)[1] == ['{"baseline_s":5}']


COVERED = """(() => {
  const rects = (name) => [...document.querySelectorAll(`#overlay ${name}`)].map((one) => one.getBoundingClientRect());
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const [plates, boxes] = [rects(".back"), rects(".box")];
  const others = (i) => [...plates.filter((_, at) => at > i), ...boxes.filter((_, at) => at != i)];
  return plates.flatMap((plate, i) => others(i).filter((other) => meet(plate, other))).length;
})()"""
"""How many plates cover another plate, or the face or hand of another."""


def crowd() -> NDArray[np.uint8]:
    """Six faces in two rows, nearer to one another than their plates are long."""
    faces = [draw_face(expression, size=200) for expression in ["happy"] * 6]
    picture = np.full((560, 660, 3), 214, np.uint8)
    for number, face in enumerate(faces):
        down, across = divmod(number, 3)
        top, left = 60 + 250 * down, 20 + 210 * across
        picture[top : top + 200, left : left + 200] = face[..., :3]
    return picture


@pytest.mark.parametrize("size", [(1100, 800), (390, 844)])
def test_plates_keep_off_other_faces(
    server: Any, browser: Callable[..., Any], tmp_path: Path, size: tuple[int, int]
) -> None:
    write_image(tmp_path / "crowd.png", crowd())
    page = browser()
    page.size(*size)
    page.open(f"{server.address}/")
    page.until(READY)
    page.drop(tmp_path / "crowd.png")
    page.until("document.querySelector('#overlay').dataset.faces == 6")
    assert page.js("document.querySelectorAll('#overlay .back').length") == 6
    if size[0] > 1000:  # on a phone there is no room for all
        assert page.js(COVERED) == 0
    else:
        assert page.js(COVERED) <= 2
    place = page.js("[...document.querySelectorAll('#overlay .back')].map((one) => one.getAttribute('x')).join()")
    page.size(size[0] + 40, size[1])
    page.size(*size)
    again = "[...document.querySelectorAll('#overlay .back')].map((one) => one.getAttribute('x')).join()"
    page.until(f"{again} == '{place}'")


def test_photos_and_videos_can_be_dropped(
    server: Any, browser: Callable[..., Any], tmp_path: Path, smile: list[Any]
) -> None:
    write_image(tmp_path / "people.jpg", draw_people())
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with VideoWriter(tmp_path / "clip.webm", 10.0, (480, 640)) as writer:
        for image_rgb in smile:
            writer.write(image_rgb)
    with av.open(tmp_path / "old.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for image_rgb in smile[-4:]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image_rgb, format="rgb24")))
        container.mux(stream.encode(None))
    page = browser()
    page.size(1100, 800)
    page.open(f"{server.address}/")
    page.until(READY)
    page.drop(tmp_path / "people.jpg")
    page.until("document.querySelector('#overlay').dataset.faces == 3")
    assert page.js("document.querySelector('#overlay').dataset.hands") == "2"
    assert page.until("document.querySelector('#message').textContent").startswith("people.jpg: 3 faces (looks happy")
    assert page.js("document.querySelector('#photo').alt") == page.js("document.querySelector('#message').textContent")
    assert page.js("document.querySelector('#save-button').textContent") == "Download 1 record"
    page.drop(tmp_path / "notes.txt")
    page.until("document.querySelector('#message').textContent == 'notes.txt is neither a photo nor a video.'")
    page.drop(tmp_path / "clip.webm")
    page.until("document.body.dataset.state == 'video'")
    page.until(FACES)
    page.until(f"{chosen('emotion')} == 'happy'")
    page.until("document.querySelector('#message').textContent == 'clip.webm has ended.'")
    only_here(page, server)
    page.drop(tmp_path / "old.mp4")  # MPEG-4 part 2, which browsers do not play
    page.until("/^old.mp4 has been looked at/.test(document.querySelector('#message').textContent)")
    page.drop(tmp_path / "broken.jpg")
    page.until("/^Cannot read/.test(document.querySelector('#message').textContent)")
    assert list(server.jobs.folder.iterdir()) == []


def test_it_can_be_used_with_the_keyboard_and_a_screen_reader(server: Any, browser: Callable[..., Any]) -> None:
    page = browser()
    page.size(1280, 800)
    page.open(f"{server.address}/")
    page.until(READY)
    focus = []
    for _ in range(14):
        page.press("Tab")
        focus.append(page.js("document.activeElement.textContent.trim() || document.activeElement.id"))
    assert focus[:7] == ["Privacy", "Models", "Embed", "Settings", "Keys", "Use the camera", "Open photo or video"]
    assert {"Expression", "Gesture"} <= set(focus)
    page.press("h")
    page.until("document.querySelector('#help').open")
    page.press("Escape")
    page.until("!document.querySelector('#help').open")
    tree = page.do("Accessibility.getFullAXTree")["nodes"]
    unnamed = [
        node["role"]["value"]
        for node in tree
        if not node.get("ignored")
        and node["role"]["value"] in ("button", "link", "combobox", "image", "textbox", "toolbar", "region")
        and not node.get("name", {}).get("value")
    ]
    assert unnamed == []
    assert page.js("document.querySelector('#caption').ariaLive") == "polite"
    assert page.js("document.documentElement.lang") == "en"
    only_here(page, server)


def test_the_page_speaks_the_language_of_the_browser(
    serving: Callable[..., Any], browser: Callable[..., Any], camera: Path
) -> None:
    server = serving(responses=Responses.load(language="en"))
    page = browser(camera)
    page.do("Emulation.setUserAgentOverride", userAgent="a browser in China", acceptLanguage="zh-CN,zh;q=0.9")
    page.size(1280, 800)
    page.open(f"{server.address}/")
    page.until(READY)
    assert page.js("document.documentElement.lang") == "zh"
    shown = page.js("document.body.innerText")
    assert re.findall("[A-Za-z]{3,}", shown) == ["mien", "mien", "mien"], shown
    page.press("c")
    page.until(FACES)
    page.until("[...document.querySelectorAll('.plate')].some((one) => /^看起来很开心 \\d+%$/.test(one.textContent))")
    page.until("/^[\\u4e00-\\u9fff].*。$/.test(document.querySelector('#caption').textContent)")
    page.until("/^(0|[1-9]\\d?|100)%$/.test(document.querySelector('.chosen .share').textContent)")
    page.open(f"{server.address}/?lang=en")
    page.until(READY)
    assert page.js("document.documentElement.lang") == "en"
    only_here(page, server)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [(390, 844), (768, 1024), (1280, 720), (1920, 1080)])
def test_it_fits_every_screen_and_can_be_read(
    server: Any, browser: Callable[..., Any], size: tuple[int, int], dark: bool
) -> None:
    page = browser()
    page.size(*size, dark=dark)
    page.open(f"{server.address}/")
    page.until(READY)
    assert page.js("document.documentElement.scrollWidth <= innerWidth"), "nothing to scroll sideways"
    if size[0] > 900:
        assert page.js("document.querySelector('#save-button').getBoundingClientRect().bottom <= innerHeight")
    low = page.js(_CONTRAST)
    assert low == [], "text has a contrast of at least 4.5 to 1"


_CONTRAST = """(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.9) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const one of document.querySelectorAll("h1, h2, p, span, small, button, a, label")) {
    const text = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!text || one.disabled || !one.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(ground(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push([text, ratio]);
  }
  return low;
})()"""


def test_kiosk_embed_and_models(
    serving: Callable[..., Any], browser: Callable[..., Any], camera: Path, tmp_path: Path
) -> None:
    server = serving()
    page = browser(camera)
    page.size(1000, 700)
    page.open(f"{server.address}/?kiosk")
    page.until(FACES)
    visible = "[...document.querySelectorAll('button, a, select, input')].filter((one) => one.getClientRects().length)"
    assert page.js(f"{visible}.length") == 0, "nothing to click"
    page.press("n")
    assert page.js("document.querySelector('#baseline-button').getAttribute('aria-pressed')") == "false"
    page.until("document.querySelector('#caption').textContent")
    page.open(f"{server.address}/?embed")
    page.until(READY)
    assert page.js("getComputedStyle(document.querySelector('#panel')).display") == "none"
    page.open(f"{server.address}/page/models.html")
    page.until("document.querySelectorAll('#list a').length >= 4 && !!document.querySelector('#card h2')")
    assert page.js("document.querySelector('#card h2').textContent") == "emotion_residual"
    assert page.js("document.querySelectorAll('#card table tr').length") > 3
    page.js("[...document.querySelectorAll('#list a')].find((one) => /gesture/.test(one.textContent)).click()")
    page.until("document.querySelector('#card h2').textContent == 'gesture_landmark'")
    only_here(page, server)


def test_the_token_is_asked_for_and_kept_out_of_addresses_that_are_sent(
    serving: Callable[..., Any], browser: Callable[..., Any], camera: Path
) -> None:
    token = "a-token-of-enough-characters"  # noqa: S105
    server = serving(token=token)
    page = browser(camera)
    page.open(f"{server.address}/")
    page.until("document.querySelector('#token').open")
    page.js(f"document.querySelector('#token-text').value = '{token}'")
    page.js("document.querySelector('#token-form button').click()")
    page.until(READY)
    page.js("document.querySelector('#camera-button').click()")
    page.until(FACES)
    assert page.js("location.hash") == f"#token={token}"
    sent = [url for url in page.requests if re.search(token, url.partition("#")[0])]
    assert all(url.startswith("ws://") for url in sent), "only where no header can be sent"
    page.open(f"{server.address}/?x#token={token}")
    page.until(READY)


def test_a_camera_of_the_server_is_shown(
    serving: Callable[..., Any], browser: Callable[..., Any], tmp_path: Path, smile: list[Any]
) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10.0, (480, 640)) as writer:
        for image_rgb in smile * 4:
            writer.write(image_rgb)
    server = serving(watch=str(tmp_path / "clip.mp4"))
    page = browser()
    page.open(f"{server.address}/")
    page.until(READY)
    page.until("document.querySelector('#photo').naturalWidth == 640")
    page.until(f"{chosen('emotion')} == 'happy'")
    page.until("document.querySelector('#caption').textContent")
    page.until("/Download \\d+ records/.test(document.querySelector('#save-button').textContent)")
    only_here(page, server)


CAMERAS = """
  window.streams = []; window.waiting = []; window.slow = false;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (window.slow) await new Promise((done) => window.waiting.push(done));
    if (window.refused) throw new DOMException("", window.refused);
    const stream = await real(wanted);
    window.streams.push(stream);
    return stream;
  };
  const plain = window.fetch;
  window.fetch = async (...asked) => {
    if (window.slow && /look/.test(asked[0])) await new Promise((done) => window.waiting.push(done));
    if (window.gone) throw new TypeError("Failed to fetch");
    return plain(...asked);
  };
"""
MESSAGE = "document.querySelector('#message').textContent"
STATE = "document.body.dataset.state"
OFF = "window.streams.every((one) => one.getTracks().every((track) => track.readyState == 'ended'))"


def test_no_camera_stays_on_behind_the_page(
    server: Any, browser: Callable[..., Any], camera: Path, tmp_path: Path
) -> None:
    write_image(tmp_path / "people.jpg", draw_people())
    page = browser(camera)
    page.do("Page.addScriptToEvaluateOnNewDocument", source=CAMERAS)
    page.open(f"{server.address}/")
    page.until(READY)
    page.js("window.slow = true; undefined")
    page.press("c")
    page.press("c")
    page.until("window.waiting.length == 2")
    page.js("window.slow = false; window.waiting.splice(0).forEach((done) => done()); undefined")
    page.until("window.streams.length == 2 && document.body.dataset.state == 'camera'")
    assert page.js("window.streams.filter((one) => one.active).length") == 1, "not two cameras for one page"
    page.press("c")
    page.until(f"{STATE} == 'idle' && {OFF}")

    page.js("window.slow = true; undefined")
    page.press("c")  # while the browser asks, a photo is dropped
    page.until("window.waiting.length == 1")
    page.js("window.slow = false; undefined")
    page.drop(tmp_path / "people.jpg")
    page.until("document.querySelector('#overlay').dataset.faces == 3")
    page.js("window.waiting.splice(0).forEach((done) => done()); undefined")
    page.until("window.streams.length == 3")
    page.until(OFF)
    assert page.js(STATE) == "photo"

    page.do("Input.dispatchKeyEvent", type="keyDown", key="c", text="c", windowsVirtualKeyCode=67)
    page.do("Input.dispatchKeyEvent", type="keyDown", key="c", text="c", windowsVirtualKeyCode=67, autoRepeat=True)
    page.until(f"{STATE} == 'camera'")
    page.do("Input.dispatchKeyEvent", type="keyUp", key="c", windowsVirtualKeyCode=67)
    page.js("window.streams.at(-1).getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    page.until(f"{STATE} == 'idle'")
    assert page.js(MESSAGE) == "The camera is gone; connect it again and try again."
    assert page.js("document.querySelector('#notice').hidden"), "no word of a camera that is on"
    only_here(page, server)


def test_an_answer_that_comes_late_changes_nothing(
    server: Any, browser: Callable[..., Any], camera: Path, tmp_path: Path
) -> None:
    write_image(tmp_path / "people.jpg", draw_people())
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with VideoWriter(tmp_path / "clip.webm", 10.0, (480, 640)) as writer:
        writer.write(np.zeros((480, 640, 3), np.uint8))
    page = browser(camera)
    page.do("Page.addScriptToEvaluateOnNewDocument", source=CAMERAS)
    page.open(f"{server.address}/")
    page.until(READY)
    for name in ("people.jpg", "broken.jpg"):
        page.js("window.slow = true; undefined")
        page.drop(tmp_path / name, tmp_path / "clip.webm")
        page.until("window.waiting.length == 1")
        page.js("window.slow = false; undefined")
        page.press("c")
        page.until(f"{STATE} == 'camera'")
        page.until(FACES)
        page.js("window.waiting.splice(0).forEach((done) => done()); undefined")
        page.js("fetch('v1/health').then((one) => one.json())")  # what was late has come by then
        assert page.js(STATE) == "camera", "neither the photo nor the video after it"
        assert page.js(MESSAGE) == ""
        page.press("c")
        page.until(f"{STATE} == 'idle'")


def test_what_cannot_be_is_said(serving: Callable[..., Any], browser: Callable[..., Any], tmp_path: Path) -> None:
    server = serving(limits=Limits(picture_bytes=2_000_000, video_bytes=3_000_000))
    (tmp_path / "huge.jpg").write_bytes(b"\xff\xd8\xff" + bytes(2_000_000))
    (tmp_path / "huge.mts").write_bytes(bytes(3_000_001))
    (tmp_path / "small.jpg").write_bytes(b"\xff\xd8\xff")
    page = browser()
    page.do("Page.addScriptToEvaluateOnNewDocument", source=CAMERAS)
    page.open(f"{server.address}/")
    page.until(READY)
    for name, most in (("huge.jpg", 2), ("huge.mts", 3)):
        page.drop(tmp_path / name)
        page.until(f"{MESSAGE} == '{name} is too large; mien takes up to {most} MB.'")
    page.js("window.refused = 'NotAllowedError'; undefined")
    page.press("c")
    page.until(f"{MESSAGE} == 'The browser may not use the camera; allow it for this page and try again.'")
    assert page.js(STATE) == "idle"
    page.js("window.gone = true; undefined")
    page.drop(tmp_path / "small.jpg")
    page.until(f"{MESSAGE} == 'mien does not answer; is it still running?'")
    only_here(page, server)


def test_a_screen_that_nobody_attends_to_tries_again(server: Any, browser: Callable[..., Any], camera: Path) -> None:
    page = browser(camera)
    quick = "const later = setTimeout; window.setTimeout = (act, ms) => later(act, ms == 5000 ? 50 : ms);"
    page.do("Page.addScriptToEvaluateOnNewDocument", source=f"{CAMERAS}; window.refused = 'NotReadableError'; {quick}")
    page.size(1000, 700)
    page.open(f"{server.address}/?kiosk")
    page.until(f"{MESSAGE} == 'The camera cannot be opened; another program may be using it.'")
    page.js("window.refused = ''; undefined")
    page.until(FACES)
    assert page.js(MESSAGE) == ""


def test_the_camera_of_the_server_gives_way_and_comes_back(
    serving: Callable[..., Any], browser: Callable[..., Any], tmp_path: Path, smile: list[Any]
) -> None:
    write_image(tmp_path / "people.jpg", draw_people())
    with VideoWriter(tmp_path / "clip.mp4", 10.0, (480, 640)) as writer:
        for image_rgb in smile * 8:
            writer.write(image_rgb)
    (tmp_path / "camera.mjpeg").write_bytes(encode_image(np.ascontiguousarray(draw_face("sad", size=480)), ".jpg") * 60)
    server = serving(watch=str(tmp_path / "clip.mp4"))
    page = browser(tmp_path / "camera.mjpeg")
    page.open(f"{server.address}/")
    page.until(READY)
    page.until(f"{STATE} == 'watch' && {chosen('emotion')} == 'happy'")
    page.drop(tmp_path / "people.jpg")
    page.until("document.querySelector('#overlay').dataset.faces == 3")
    end_s = time.monotonic() + 30
    while server.watch._viewers:
        assert time.monotonic() < end_s, "the events of the server's camera are left"
    assert page.js(f"{STATE} == 'photo' && /^people.jpg/.test({MESSAGE})")
    page.press("c")
    page.until(f"{STATE} == 'camera'")
    page.until(FACES)
    page.press("c")
    page.until(f"{STATE} == 'watch'")
    while not server.watch._viewers:
        assert time.monotonic() < end_s + 120, "its events are followed again"
    only_here(page, server)
