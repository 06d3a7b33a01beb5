"""What the libraries that mien uses are told through the environment, so that they report to nobody and leave no file.

Each function is called by the one door that imports the library, before the import, and what it sets stays for the
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
a host of its maker nine seconds later, unless this is 1 before the import (seen with strace)."""

_PLOTS = "MPLCONFIGDIR"
_PULSE_COOKIE, _PULSE_FOLDER = "PULSE_COOKIE", "PULSE_RUNTIME_PATH"

_log = logging.getLogger(__name__)
_temporary: tempfile.TemporaryDirectory[str] | None = None


def no_telemetry() -> None:
    """Switch ONNX Runtime's telemetry off for this process and its children; another value in the variable is replaced.

    Whatever cannot be undone, because somebody else imported ONNX Runtime before, or was asked for, is said once in
    the log.
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
        _log.warning("%s was %r; mien reports to nobody and sets it to 1.", TELEMETRY, told[:20])


def no_plot_files() -> None:
    """Have matplotlib keep its list of fonts in a folder that ends with this process, instead of the home folder.

    The user's own settings and styles, and a list of fonts that is there already, are copied and used. Nothing is
    changed where matplotlib is imported already, or where the user names a folder himself.
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
    """Have the client of PulseAudio make no folder and no cookie in a home folder that has none."""
    if not sys.platform.startswith("linux"):
        return
    home = _home()
    if home is None or (_config(home) / "pulse").exists() or (home / ".pulse").exists():
        return
    folder = _folder("pulse")
    if folder is None:
        return
    os.environ.setdefault(_PULSE_COOKIE, str(folder / "cookie"))
    if not os.environ.get("XDG_RUNTIME_DIR"):  # else the sound server's socket is there
        os.environ.setdefault(_PULSE_FOLDER, str(folder))


def _folder(name: str) -> Path | None:
    """A folder that is deleted when Python ends; None where none can be made."""
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
    """Where matplotlib looks for settings and keeps its cache when nothing is said."""
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
