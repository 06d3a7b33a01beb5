"""A live run: a source is analysed, smoothed, shown, answered and recorded."""

from __future__ import annotations

from mien.live.session import LiveSession

__all__ = ["LiveSession"]
