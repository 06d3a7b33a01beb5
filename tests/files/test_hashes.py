from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mien.files.hashes import file_sha256


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (5 << 20) + 3])
def test_a_file_of_any_size(tmp_path: Path, size: int) -> None:
    contents = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "a").write_bytes(contents[:size])
    assert file_sha256(tmp_path / "a") == hashlib.sha256(contents[:size]).hexdigest()
