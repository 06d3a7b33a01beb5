"""Files that systems and programs leave among a user's files: never part of a data set."""

from __future__ import annotations

from pathlib import Path

_FOLDERS = frozenset(
    (
        "lost+found",  # ext4, at the root of a disk; mostly closed to its user
        "__macosx",  # archives made by macOS
        "@eadir",  # Synology
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "__pycache__",
    )
)
_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))


def is_clutter(path: Path) -> bool:
    """Whether a file or folder is hidden, or the system's own, by its name."""
    name = path.name.casefold()
    return name.startswith(".") or name in _FILES or name in _FOLDERS


def is_named_clutter(path: Path) -> bool:
    """Whether it is a system folder that a user can see, and may wonder about."""
    return path.name.casefold() in _FOLDERS and path.is_dir()
