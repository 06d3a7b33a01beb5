from __future__ import annotations

import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from mien.errors import MissingExtra, OutputError
from mien.outputs.palette import DARK
from mien.outputs.pygame_import import pygame
from mien.scene import Face, Hand, Scene
from mien.window import window as window_module
from mien.window.window import KEYS, NO_FACE_S, NOTICE_S, Command, Status, Window

SIZE_HW = (480, 640)


@pytest.fixture(autouse=True)
def _dummy_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.fixture
def window() -> Iterator[Window]:
    with Window(size_hw=SIZE_HW) as opened:
        yield opened


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the window's clock."""
    now = 1000.0
    monkeypatch.setattr(window_module, "monotonic", lambda: now)

    def move(seconds: float) -> None:
        nonlocal now
        now += seconds

    return move


def a_scene(*regions: Face | Hand, size_hw: tuple[int, int] = (240, 320)) -> Scene:
    """A frame whose left half is dark."""
    image_rgb = np.full((*size_hw, 3), 210, np.uint8)
    image_rgb[:, : size_hw[1] // 2] = 60
    return Scene(
        source="x",
        frame=0,
        time_s=0.0,
        size_hw=size_hw,
        faces=tuple(region for region in regions if isinstance(region, Face)),
        hands=tuple(region for region in regions if isinstance(region, Hand)),
        image_rgb=image_rgb,
    )


def press(key: int, **more: Any) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, {"key": key, "mod": 0, "scancode": 0, **more}))


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (pygame.K_q, Command.QUIT),
        (pygame.K_ESCAPE, Command.QUIT),
        (pygame.K_m, Command.MUTE),
        (pygame.K_p, Command.PAUSE),
        (pygame.K_SPACE, Command.PAUSE),
        (pygame.K_s, Command.SNAPSHOT),
        (pygame.K_r, Command.RECORD),
        (pygame.K_e, Command.EMOTIONS),
        (pygame.K_g, Command.GESTURES),
        (pygame.K_b, Command.BOTH),
    ],
)
def test_keys_give_commands(key: int, command: Command, window: Window) -> None:
    assert window.show(a_scene(), Status()) == ()
    press(key)
    assert window.show(a_scene(), Status()) == (command,)
    assert window.show(a_scene(), Status()) == ()


def test_commands_come_in_order_and_none_is_lost(window: Window) -> None:
    for key in (pygame.K_r, pygame.K_m, pygame.K_x, pygame.K_l, pygame.K_r):
        press(key)
    assert window.show(a_scene(), Status()) == (Command.RECORD, Command.MUTE, Command.RECORD)


@pytest.mark.parametrize("modifier", [pygame.KMOD_LCTRL, pygame.KMOD_RALT, pygame.KMOD_LMETA])
def test_keys_with_a_modifier_belong_to_the_desktop(modifier: int, window: Window) -> None:
    press(pygame.K_q, mod=modifier)
    assert window.show(a_scene(), Status()) == ()


def test_a_keyboard_without_latin_letters(window: Window) -> None:
    press(ord("й"), scancode=pygame.KSCAN_Q)
    assert window.show(a_scene(), Status()) == (Command.QUIT,)


@pytest.mark.parametrize("kind", [pygame.QUIT, pygame.WINDOWCLOSE])
def test_closing_the_window_quits(kind: int, window: Window) -> None:
    pygame.event.post(pygame.event.Event(kind))
    assert window.show(a_scene(), Status()) == (Command.QUIT,)


def test_every_key_of_the_list_does_something(window: Window, hand: Callable[..., Hand]) -> None:
    names = {"Esc": "escape", "Space": "space"}
    scene = a_scene(hand(wrist_xy=(100.0, 200.0), size=80.0))
    for key in (key for keys, _ in KEYS for key in keys):
        window.show(scene, Status())
        before = window.picture().image_rgb
        press(pygame.key.key_code(names.get(key, key).lower()))
        commands = window.show(scene, Status())
        after = window.picture().image_rgb
        assert commands or before.shape != after.shape or (before != after).any(), key
        press(pygame.key.key_code(names.get(key, key).lower()))


def test_words_are_not_mirrored(window: Window, face: Callable[..., Face]) -> None:
    middle = face("happy", box_xyxy=(100.0, 90.0, 220.0, 200.0))
    window.show(a_scene(middle), Status())
    mirrored = window.picture().image_rgb
    press(pygame.K_f)
    window.show(a_scene(middle), Status())
    plain = window.picture().image_rgb
    yellow = (plain[:200, :437] == (240, 228, 66)).all(2)
    top = np.nonzero(yellow.any(1))[0][0]
    columns = np.nonzero(yellow[top + 8])[0]
    plate = slice(top + 1, top + 16), slice(columns[0] + 8, columns[-1] - 7)  # without the corners
    assert plate[1].stop - plate[1].start > 80
    assert (plain[plate] == mirrored[plate]).all()
    assert (plain[plate] != plain[plate][:, ::-1]).any()
    width = np.nonzero((plain[385] == DARK).all(1))[0][0]  # of the picture
    ground = plain[370:400, :width]
    assert (ground != mirrored[370:400, :width]).any()
    assert np.abs(ground[:, ::-1].astype(int) - mirrored[370:400, :width]).max() <= 2


def test_landmarks_are_switched(window: Window, hand: Callable[..., Hand]) -> None:
    scene = a_scene(hand(wrist_xy=(100.0, 200.0), size=80.0))
    window.show(scene, Status())
    drawn = window.picture().image_rgb
    press(pygame.K_l)
    window.show(scene, Status())
    assert not window.landmarks
    assert (drawn != window.picture().image_rgb).any()
    press(pygame.K_l)
    window.show(scene, Status())
    assert (drawn == window.picture().image_rgb).all()


def test_the_list_of_keys_comes_and_goes(window: Window) -> None:
    scene = a_scene()
    window.show(scene, Status())
    without = window.picture().image_rgb
    press(pygame.K_h)
    window.show(scene, Status())
    assert window.keys
    changed = (window.picture().image_rgb != without).any(2)
    assert changed.mean() > 0.3
    press(pygame.K_h)
    window.show(scene, Status())
    assert (window.picture().image_rgb == without).all()


def test_full_screen_and_back(window: Window) -> None:
    scene = a_scene()
    press(pygame.K_F11)
    window.show(scene, Status())
    window.show(scene, Status())
    assert window.picture().image_rgb.shape[1::-1] == pygame.display.get_desktop_sizes()[0]
    press(pygame.K_F11)
    window.show(scene, Status())
    window.show(scene, Status())
    assert window.picture().image_rgb.shape[:2] == SIZE_HW


def test_starts_over_the_whole_screen() -> None:
    with Window(fullscreen=True) as window:
        window.show(a_scene(), Status())
        assert window.picture().image_rgb.shape[1::-1] == pygame.display.get_desktop_sizes()[0]


@pytest.mark.parametrize("size_wh", [(900, 300), (320, 240), (1280, 720), (400, 900)])
def test_resized_windows_are_filled_anew(size_wh: tuple[int, int], window: Window) -> None:
    scene = a_scene()
    window.show(scene, Status())
    window._window.size = size_wh  # type: ignore[union-attr]
    window.show(scene, Status())
    image = window.picture().image_rgb
    assert image.shape[1::-1] == size_wh
    bright = np.nonzero((image == 210).all(2).any(1))[0]
    assert bright.size > size_wh[1] / 4


def test_no_face_is_said_after_half_a_second(
    window: Window, clock: Callable[[float], None], face: Callable[..., Face]
) -> None:
    def shown(scene: Scene, status: Status) -> np.ndarray:
        window.show(scene, status)
        return window.picture().image_rgb[250:]  # below the label

    empty, status = a_scene(), Status(tasks=("emotion",))
    seen = a_scene(face(box_xyxy=(100.0, 50.0, 150.0, 100.0)))
    plain = shown(empty, status)
    clock(NO_FACE_S - 0.1)
    assert (shown(empty, status) == plain).all()
    clock(0.2)
    said = shown(empty, status)
    assert (said != plain).any()
    clock(0.1)
    shown(seen, status)
    clock(NO_FACE_S - 0.1)
    assert (shown(empty, status) == plain).all(), "one frame with a face starts the wait anew"
    clock(0.2)
    assert (shown(empty, status) == said).all()
    gestures = shown(empty, replace(status, tasks=("gesture",)))
    clock(2.0)
    assert (shown(empty, replace(status, tasks=("gesture",))) == gestures).all(), "nobody looks for faces"


def test_notices_go_after_a_few_seconds_and_come_back_with_the_keys(
    window: Window, clock: Callable[[float], None]
) -> None:
    status = Status(tasks=("gesture",), muted=True)

    def words() -> int:
        window.show(a_scene(), status)
        return int((window.picture().image_rgb[80:130, 28:240].min(2) > 240).sum())

    assert words() > 50
    clock(NOTICE_S - 0.1)
    assert words() > 50
    clock(0.2)
    assert words() == 0
    press(pygame.K_h)
    window.show(a_scene(), status)
    press(pygame.K_h)
    assert words() > 50
    clock(NOTICE_S + 0.1)
    assert words() == 0
    status = replace(status, notice="Results are written.")
    assert words() > 50, "news are told"


def test_no_face_goes_after_a_few_seconds(
    window: Window, clock: Callable[[float], None], face: Callable[..., Face]
) -> None:
    empty, status = a_scene(), Status(tasks=("emotion",))

    def shown(scene: Scene) -> np.ndarray:
        window.show(scene, status)
        return window.picture().image_rgb[250:]

    plain = shown(empty)
    clock(NO_FACE_S + 0.1)
    assert (shown(empty) != plain).any()
    clock(NOTICE_S)
    assert (shown(empty) == plain).all()
    shown(a_scene(face(box_xyxy=(100.0, 50.0, 150.0, 100.0))))
    clock(NO_FACE_S + 0.1)
    assert (shown(empty) != plain).any(), "the next time it is news again"


def test_figures_stand_still_for_half_a_second(window: Window, clock: Callable[[float], None]) -> None:
    scene = a_scene()
    window.show(scene, Status(fps=25, tasks=("gesture",)))
    first = window.picture().image_rgb
    clock(0.2)
    window.show(scene, Status(fps=31, tasks=("gesture",)))
    assert (window.picture().image_rgb == first).all()
    clock(0.4)
    window.show(scene, Status(fps=31, tasks=("gesture",)))
    assert (window.picture().image_rgb != first).any()


def test_without_scene_or_picture(window: Window, face: Callable[..., Face]) -> None:
    window.show(None, Status())
    waiting = window.picture().image_rgb
    assert (waiting.max(2) > 200).any(), "something is written"
    window.show(None, Status(message="The camera is busy; close the other program"))
    assert (window.picture().image_rgb != waiting).any()
    window.show(replace(a_scene(face()), image_rgb=None), Status())
    assert (window.picture().image_rgb == (240, 228, 66)).all(2).any()


def test_a_closed_window_says_so(window: Window) -> None:
    window.close()
    window.close()
    assert not pygame.display.get_init()
    with pytest.raises(OutputError, match="closed"):
        window.show(a_scene(), Status())
    with pytest.raises(OutputError, match="closed"):
        window.picture()


def test_another_users_pygame_stays_open() -> None:
    pygame.display.init()
    try:
        Window(size_hw=SIZE_HW).close()
        assert pygame.display.get_init()
    finally:
        pygame.display.quit()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
@pytest.mark.parametrize("display", [None, ":9731"])
def test_no_display(display: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if display:
        monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(OutputError, match=r"There is no display here .*use --headless to run without a window"):
        Window()
    assert not pygame.display.get_init()


@pytest.mark.parametrize("found", [None, types.ModuleType("pygame")])
def test_missing_or_old_pygame(found: types.ModuleType | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mien.outputs.pygame_import", raising=False)
    monkeypatch.setitem(sys.modules, "pygame", found)
    with pytest.raises(MissingExtra, match=r"pygame-ce.*mien\[live\]"):
        Window()


def test_silent_and_light() -> None:
    code = """if True:
        import os, sys, mien, mien.window.window as window
        assert "pygame" not in sys.modules
        window.Window(size_hw=(240, 320)).close()
        import pygame
        assert "PYGAME_HIDE_SUPPORT_PROMPT" not in os.environ
        assert not pygame.mixer.get_init() and not pygame.joystick.get_init()"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_takes_little_time(window: Window, face: Callable[..., Face], hand: Callable[..., Hand]) -> None:
    """Time on the processor, so that a busy machine does not fail it; measured 4 ms, and 0.1 ms with nothing new."""
    scenes = [a_scene(face(), hand(), size_hw=(480, 640)) for _ in range(40)]
    window._window.size = (1280, 720)  # type: ignore[union-attr]
    window.show(scenes[0], Status())
    took = []
    for scene in scenes:
        start = time.process_time()
        window.show(scene, Status(caption="You look happy."))
        took.append(time.process_time() - start)
    start = time.process_time()
    for _ in range(100):
        window.show(scenes[-1], Status(caption="You look happy."))
    assert (time.process_time() - start) / 100 < 0.001
    assert np.median(took) < 0.012


@pytest.mark.slow
def test_memory_stays_flat(window: Window, face: Callable[..., Face], hand: Callable[..., Hand]) -> None:
    def show(count: int) -> int:
        for i in range(count):
            x = 20.0 + i % 90
            smile = face(confidence=0.3 + i % 70 / 100, box_xyxy=(x, 30, x + 70, 120))
            regions = smile, hand(wrist_xy=(200.0 + x, 150.0))
            window.show(a_scene(*regions), Status(fps=i, caption=f"Sentence {i // 10} for you.", message=f"In {i} s"))
        return psutil.Process().memory_info().rss

    settled = show(500)
    assert show(1000) - settled < 8e6
