"""Environment settings for the libraries that mien uses, so that they report to nobody and leave no files behind.

Each function is called by the one module that imports the library, before the import; what it sets is passed on to
child processes. `import mien` alone changes nothing.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

TELEMETRY = "ORT_DISABLE_TELEMETRY"
"""ONNX Runtime 1.31 on Linux writes a device id and a database into the home folder while it is imported, and looks up
a host of its maker nine seconds later, unless this is 1 before the import (observed with strace)."""

_WEB_TELEMETRY = "FASTAPI_OTEL_AUTO_CONFIGURE"
_PLOTS = "MPLCONFIGDIR"
_PULSE_COOKIE, _PULSE_FOLDER = "PULSE_COOKIE", "PULSE_RUNTIME_PATH"

_log = logging.getLogger(__name__)
_temporary: tempfile.TemporaryDirectory[str] | None = None


def no_telemetry() -> None:
    """Switch ONNX Runtime's telemetry off for this process and its children, replacing any other value.

    The log says so once if ONNX Runtime was imported before, which cannot be undone, or if a value of the user's was
    replaced.
    """
    told = os.environ.get(TELEMETRY)
    os.environ[TELEMETRY] = "1"
    if told == "1":
        return
    if "onnxruntime" in sys.modules:
        _log.warning(
            "onnxruntime was imported before mien and without %s=1: it may have written a device id into your home "
            "folder and report to its maker. Set the variable, or use mien first.",
            TELEMETRY,
        )
    elif told is not None:
        _log.warning("%s was %r; mien sets it to 1, so that nothing is reported.", TELEMETRY, told[:20])


def no_web_telemetry() -> None:
    """Keep FastAPI from reporting, whatever the variables of OpenTelemetry say; for this process and its children."""
    os.environ[_WEB_TELEMETRY] = "false"


def no_plot_files() -> None:
    """Make matplotlib keep its font list in a folder that is deleted with this process, not in the home folder.

    The user's own settings and styles, and an existing font list, are copied and used. Nothing is changed if matplotlib
    has already been imported, or if the user has chosen a folder.
    """
    if "matplotlib" in sys.modules or os.environ.get(_PLOTS):
        return
    folder = _folder("matplotlib")
    if folder is None:
        return
    for place in _matplotlib_places():
        for found in (place / "matplotlibrc", place / "stylelib", *place.glob("fontlist-*.json")):
            with suppress(OSError):
                if found.is_dir():
                    shutil.copytree(found, folder / found.name, dirs_exist_ok=True)
                elif found.is_file():
                    shutil.copyfile(found, folder / found.name)
    os.environ[_PLOTS] = str(folder)


def no_sound_files() -> None:
    """Keep the PulseAudio client from creating a folder and a cookie in a home folder that has none."""
    if not sys.platform.startswith("linux"):
        return
    home = _home()
    if home is None or (_config(home) / "pulse").exists() or (home / ".pulse").exists():
        return
    folder = _folder("pulse")
    if folder is None:
        return
    os.environ.setdefault(_PULSE_COOKIE, str(folder / "cookie"))
    if not os.environ.get("XDG_RUNTIME_DIR"):  # otherwise the sound server's socket is there
        os.environ.setdefault(_PULSE_FOLDER, str(folder))


def _folder(name: str) -> Path | None:
    """A folder that is deleted when Python exits; None if none can be created."""
    global _temporary
    try:
        if _temporary is None:
            _temporary = tempfile.TemporaryDirectory(prefix="mien-", ignore_cleanup_errors=True)
        folder = Path(_temporary.name) / name
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder


def _matplotlib_places() -> list[Path]:
    """Where matplotlib looks for settings and keeps its cache by default."""
    home = _home()
    if home is None:
        return []
    if sys.platform.startswith(("linux", "freebsd")):
        cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
        return [_config(home) / "matplotlib", cache / "matplotlib"]
    return [home / ".matplotlib"]


def _config(home: Path) -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # a user without a home folder
        return None
