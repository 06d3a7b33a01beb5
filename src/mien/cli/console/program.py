"""How this command was called, so that what it suggests can be typed as it stands."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """The words that start mien here: "mien" where a shell finds this one by that name, else its path, or
    "python -m mien" when it was started so."""
    called = Path(sys.argv[0])
    script = called if called.stem == "mien" and called.is_file() else Path(sys.executable).with_name("mien")
    if _is_found("mien", script):
        return "mien"
    if script == called:
        return shlex.quote(_shown(called))
    python = "python" if _is_found("python", Path(sys.executable)) else shlex.quote(_shown(Path(sys.executable)))
    return f"{python} -m mien"


def _is_found(name: str, path: Path) -> bool:
    """Whether a shell that is told the name starts this very file. Links are not followed: a virtual environment's
    python is a link to the system's."""
    found = shutil.which(name)
    return found is not None and Path(found).absolute() == path.absolute()


def _shown(path: Path) -> str:
    """Relative where it lies below the current folder, as people would type it."""
    whole, here = path.absolute(), Path.cwd()
    return str(whole.relative_to(here)) if here in whole.parents else str(whole)
