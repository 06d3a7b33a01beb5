"""pygame-ce, imported without its greeting; the only module that imports it."""

from __future__ import annotations

import os

from mien.errors import MissingExtra
from mien.extras import needs

__all__ = ["pygame"]

_GREETING = "PYGAME_HIDE_SUPPORT_PROMPT"
_kept = os.environ.get(_GREETING)
os.environ[_GREETING] = "1"
try:
    with needs("live"):
        import pygame
finally:
    if _kept is None:
        del os.environ[_GREETING]
    else:
        os.environ[_GREETING] = _kept

if not hasattr(pygame, "Window"):  # the older pygame has the same name but no high-density windows
    raise MissingExtra("live", "pygame-ce")
