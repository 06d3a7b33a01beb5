"""The live window: shows scenes as they arrive, and reports what the user asks for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import OutputError
from mien.outputs.draw import Picture
from mien.resource import Resource
from mien.scene import Scene
from mien.window.status import KEYS, Command, Status

if TYPE_CHECKING:
    import pygame

__all__ = ["KEYS", "Command", "Status", "Window"]

NO_FACE_S = 0.5
"""How long there must be no face before the window says so."""

NOTICE_S = 8.0
"""How long text over the picture stays if it reports no problem; its icon stays for as long as it is true."""

_NUMBERS_S = 0.5  # figures that change faster are unreadable
_UNSEEN = ("dummy", "offscreen", "evdev")  # what SDL falls back on without a screen
_SMALLEST_WH = (320, 240)
_SCREEN_SHARE = 0.75
_LARGEST_WH = (1600, 900)

_COMMANDS: Mapping[str, Command] = {
    "q": Command.QUIT,
    "escape": Command.QUIT,
    "m": Command.MUTE,
    "p": Command.PAUSE,
    "space": Command.PAUSE,
    "s": Command.SNAPSHOT,
    "r": Command.RECORD,
    "e": Command.EMOTIONS,
    "g": Command.GESTURES,
    "b": Command.BOTH,
    "n": Command.NEUTRAL,
}


class Window(Resource):
    """A window for one source; only for the main thread, and only one at a time.

    Lines and letters are drawn in screen pixels, so that they are sharp on high-density screens. It opens no sound
    device and no joystick.

    Args:
        title: of the window.
        size_hw: height and width, in the units of the desktop; three quarters of the screen by default.
        fullscreen: whether it starts in full screen.
        mirror: whether the picture starts mirrored; text never is.
        landmarks: whether the bones of hands are drawn at the start.
        large_text: whether captions and labels are large enough to be read from three metres.

    Raises:
        MissingExtra: pygame-ce is not installed.
        OutputError: there is no display.
    """

    def __init__(
        self,
        *,
        title: str = "mien",
        size_hw: tuple[int, int] | None = None,
        fullscreen: bool = False,
        mirror: bool = True,
        landmarks: bool = True,
        large_text: bool = False,
    ) -> None:
        from mien.outputs.pygame_import import pygame

        self._pygame = pygame
        self.mirror = mirror
        self.landmarks = landmarks
        self.keys = False
        self._large_text = large_text
        self._fullscreen = False
        self._place = (0, 0), (0, 0)  # size and position before full screen
        self._scene: Scene | None = None
        self._shown: object = None
        self._status = Status()
        self._numbers_s = -_NUMBERS_S
        self._face_s: float | None = None
        self._noticed: object = None
        self._noticed_s = 0.0
        self._began = not pygame.display.get_init(), not pygame.font.get_init()
        self._window: pygame.Window | None = None
        try:
            with _display_errors():
                self._open(title, size_hw)
                if fullscreen:
                    self._switch_fullscreen()
        except BaseException:
            self.close()
            raise

    def show(self, scene: Scene | None, status: Status) -> tuple[Command, ...]:
        """Draw what is new, and return what the user has asked for since the last call, in order.

        A call with nothing new takes almost no time, so it may be called at any rate.

        Args:
            scene: with its picture; None before the first one.
            status: what is shown besides it.

        Raises:
            OutputError: the window is closed, or the display is gone.
        """
        try:
            window = self._open_window()
            commands = tuple(command for event in self._pygame.event.get() if (command := self._command(event)))
            self._paint(window, scene, self._steady(status))
        except self._pygame.error as exc:
            raise OutputError(f"The window can no longer be drawn ({exc}); is the display still there?") from exc
        return commands

    def picture(self) -> Picture:
        """A copy of what the window shows; raises OutputError if it is closed."""
        columns_rgb = self._pygame.surfarray.array3d(self._open_window().get_surface())
        return Picture(np.ascontiguousarray(columns_rgb.transpose(1, 0, 2)))

    def close(self) -> None:
        """Close the window and the parts of pygame that it started."""
        window, self._window = self._window, None
        self._scene = self._shown = None
        if window is not None:
            window.destroy()
        display, font = self._began
        self._began = False, False
        if font:
            self._pygame.font.quit()
        if display:
            self._pygame.display.quit()

    def _open(self, title: str, size_hw: tuple[int, int] | None) -> None:
        pygame = self._pygame
        if _no_screen_at_all():
            raise pygame.error("no DISPLAY")
        with _variable("SDL_WINDOWS_DPI_AWARENESS", "permonitorv2"):
            pygame.display.init()
        driver = pygame.display.get_driver()
        if driver in _UNSEEN and os.environ.get("SDL_VIDEODRIVER", "") != driver:
            raise pygame.error(f"only the driver {driver}")
        pygame.font.init()
        size_wh = size_hw[::-1] if size_hw else _default_wh(pygame.display.get_desktop_sizes()[0])
        self._window = pygame.Window(title, size_wh, resizable=True, allow_high_dpi=True)
        self._window.minimum_size = _SMALLEST_WH
        # Without a graphics card SDL would copy through a software OpenGL: 21 ms per picture instead of 0.3 ms.
        with _variable("SDL_FRAMEBUFFER_ACCELERATION", "0" if driver == "x11" else None):
            self._window.get_surface()
        from mien.window.icon import draw_icon
        from mien.window.painter import Painter

        self._window.set_icon(draw_icon())
        self._painter = Painter(large_text=self._large_text)

    def _open_window(self) -> pygame.Window:
        if self._window is None:
            raise OutputError("This window is closed; open a new one to show more.")
        return self._window

    def _command(self, event: pygame.Event) -> Command | None:
        """What an event asks the caller to do; what it asks the window to do is done here."""
        pygame = self._pygame
        if event.type in (pygame.QUIT, pygame.WINDOWCLOSE):
            return Command.QUIT
        if event.type in (pygame.WINDOWEXPOSED, pygame.WINDOWSIZECHANGED, pygame.WINDOWRESTORED):
            self._shown = None
        if event.type != pygame.KEYDOWN or event.mod & (pygame.KMOD_CTRL | pygame.KMOD_ALT | pygame.KMOD_META):
            return None
        key = self._key(event)
        if key == "l":
            self.landmarks = not self.landmarks
        elif key == "f":
            self.mirror = not self.mirror
        elif key == "h":
            self.keys = not self.keys
        elif key == "f11":
            self._switch_fullscreen()
        return _COMMANDS.get(key)

    def _key(self, event: pygame.Event) -> str:
        """Name of a key; on a keyboard without Latin letters, of the key in that place on an American keyboard."""
        code: int = event.key
        scancode: int = getattr(event, "scancode", 0)
        first, last = self._pygame.KSCAN_A, self._pygame.KSCAN_Z
        if 127 < code < 1 << 30 and first <= scancode <= last:
            return chr(ord("a") + scancode - first)
        return self._pygame.key.name(code).lower()

    def _switch_fullscreen(self) -> None:
        window, pygame = self._open_window(), self._pygame
        self._fullscreen = not self._fullscreen
        if self._fullscreen:
            self._place = window.size, window.position
            if _nobody_manages_windows(pygame.display.get_driver()):
                window.position, window.size = (0, 0), pygame.display.get_desktop_sizes()[0]
            window.set_fullscreen(desktop=True)
        else:
            window.set_windowed()
            if _nobody_manages_windows(pygame.display.get_driver()):
                window.size, window.position = self._place
        pygame.mouse.set_visible(not self._fullscreen)
        self._shown = None

    def _steady(self, status: Status) -> Status:
        """The status, with figures that stay long enough to be read."""
        now = monotonic()
        if now - self._numbers_s >= _NUMBERS_S:
            self._numbers_s, self._status = now, status
        figures = self._status
        return replace(status, fps=figures.fps, latency_ms=figures.latency_ms, stage_ms=figures.stage_ms)

    def _no_face(self, scene: Scene | None, status: Status) -> bool:
        now = monotonic()
        if scene is None or scene.faces or "emotion" not in status.tasks or self._face_s is None:
            self._face_s = now
        return NO_FACE_S <= now - self._face_s < NO_FACE_S + NOTICE_S

    def _brief(self, status: Status) -> bool:
        """Whether the notices have been visible long enough to be read; the list of keys brings them back."""
        notices = status.notice, status.muted, self.keys
        if notices != self._noticed or self.keys:
            self._noticed, self._noticed_s = notices, monotonic()
        return monotonic() - self._noticed_s >= NOTICE_S

    def _paint(self, window: pygame.Window, scene: Scene | None, status: Status) -> None:
        from mien.window.painter import Choices

        choices = Choices(
            mirror=self.mirror,
            landmarks=self.landmarks,
            keys=self.keys,
            no_face=self._no_face(scene, status),
            brief=self._brief(status),
        )
        if scene is self._scene and (status, choices) == self._shown:
            return
        self._painter.paint(window.get_surface(), scene, status, choices)
        window.flip()
        self._scene, self._shown = scene, (status, choices)


@contextmanager
def _display_errors() -> Iterator[None]:
    """Maps pygame's errors while a window is being opened."""
    from mien.outputs.pygame_import import pygame

    try:
        yield
    except pygame.error as exc:
        raise OutputError(f"There is no display here ({exc}); use --headless to run without a window.") from exc


def _no_screen_at_all() -> bool:
    """Whether SDL need not even try, because its attempts print warnings to the terminal."""
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))
    return sys.platform == "linux" and not named and not any(Path("/dev/dri").glob("card*"))


def _nobody_manages_windows(driver: str) -> bool:
    """Whether this looks like a bare X server, as on a kiosk, where SDL's full screen leaves the window unchanged."""
    return driver == "x11" and not any(os.environ.get(name) for name in ("XDG_CURRENT_DESKTOP", "DESKTOP_SESSION"))


@contextmanager
def _variable(name: str, value: str | None) -> Iterator[None]:
    """Temporarily sets an environment variable that SDL reads, unless the user has set it."""
    if value is None or name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def _default_wh(screen_wh: tuple[int, int]) -> tuple[int, int]:
    """16:9, within three quarters of the screen."""
    width = min(screen_wh[0] * _SCREEN_SHARE, screen_wh[1] * _SCREEN_SHARE * 16 / 9, _LARGEST_WH[0])
    return round(width), round(width * 9 / 16)
