from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.data.row_cache import RowCache


def row(value: float) -> np.ndarray:
    return np.full(3, value, np.float32)


def test_rows_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.npz"
    cache = RowCache(path, 3)
    cache.put("a", row(1))
    cache.put("b", row(np.nan))
    assert not path.exists(), "written when asked, or after many"
    cache.save()
    again = RowCache(path, 3)
    assert "a" in again
    assert "c" not in again
    np.testing.assert_array_equal(again["a"], row(1))
    np.testing.assert_array_equal(again["b"], row(np.nan))
    assert [file.name for file in path.parent.iterdir()] == ["rows.npz"]


def test_it_is_written_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    cache = RowCache(path, 3)
    for i in range(5):
        cache.put(str(i), row(i), save_every=2)
    assert [str(i) in RowCache(path, 3) for i in range(5)] == [True] * 4 + [False]


def test_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    first = RowCache(path, 3)
    first.put("a", row(1))
    first.save()
    path.unlink()
    first.save()
    assert not path.exists()


def test_without_a_file_rows_are_kept_in_memory() -> None:
    cache = RowCache(None, 3)
    cache.put("a", row(1), save_every=1)
    assert "a" in cache


def test_rows_of_another_width_are_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "rows.npz"
    cache = RowCache(path, 3)
    cache.put("a", row(1))
    cache.save()
    assert "a" not in RowCache(path, 4)
    assert "damaged" in caplog.text
