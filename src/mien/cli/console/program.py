"""How this command was called, so that its suggestions can be typed exactly as printed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """The words that start mien here: "mien" where a shell finds this installation by that name, otherwise its path,
    or "python -m mien" if it was started that way."""
    called = Path(sys.argv[0])
    script = called if called.stem == "mien" and called.is_file() else Path(sys.executable).with_name("mien")
    if _is_found("mien", script):
        return "mien"
    if script == called:
        return shlex.quote(_shown(called))
    python = "python" if _is_found("python", Path(sys.executable)) else shlex.quote(_shown(Path(sys.executable)))
    return f"{python} -m mien"


def _is_found(name: str, path: Path) -> bool:
    """Whether a shell starts this very file by this name. Links are not followed: a virtual environment's python is a
    link to the system's."""
    found = shutil.which(name)
    return found is not None and Path(found).absolute() == path.absolute()


def _shown(path: Path) -> str:
    """Relative if it lies below the current folder, as people would type it."""
    whole, here = path.absolute(), Path.cwd()
    return str(whole.relative_to(here)) if here in whole.parents else str(whole)
