from __future__ import annotations

import os
from pathlib import Path

import pytest


def _data_root() -> Path | None:
    named = os.environ.get("MIEN_DATA")
    candidates = [Path(named)] if named else []
    candidates.append(Path(__file__).resolve().parents[2] / "shared" / "data")
    return next((path for path in candidates if path.is_dir()), None)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the data sets, or a skip that says how to name one."""
    root = _data_root()
    if root is None:
        pytest.skip("no data sets here: name their folder in MIEN_DATA")
    return root


@pytest.fixture(scope="session")
def media(data_root: Path) -> Path:
    """The folder with real photos and clips."""
    folder = data_root / "media"
    if not folder.is_dir():
        pytest.skip(f"no photos and clips in {folder}")
    return folder
