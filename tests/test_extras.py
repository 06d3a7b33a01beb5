from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from mien.errors import MienError, MissingExtra
from mien.extras import needs


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    words = r"scikit-learn, which is not installed; run: pip install 'mien\[data\]'"
    with pytest.raises(MissingExtra, match=words), needs("data"):
        import sklearn.metrics  # noqa: F401


def test_it_is_an_import_error_for_who_tries_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError) as raised, needs("table"):
        import pyarrow.parquet  # noqa: F401
    error = raised.value
    assert isinstance(error, MissingExtra)
    assert isinstance(error, MienError)
    assert error.name == "pyarrow"
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(back), back.extra, back.name) == (str(error), "table", "pyarrow")


@pytest.mark.parametrize(
    "fault",
    [
        ImportError("libarrow.so.2100: cannot open shared object file", name="pyarrow.lib"),
        ImportError("cannot import name 'x' from 'pandas'", name="pandas"),
        ModuleNotFoundError("No module named 'pyarrow._lost'", name="pyarrow._lost"),
        ModuleNotFoundError("No module named 'its_own_need'", name="its_own_need"),
        ModuleNotFoundError("No module named 'mien.lost'", name="mien.lost"),
        ImportError("this build needs another processor"),
    ],
)
def test_a_fault_inside_what_is_installed_is_no_missing_extra(fault: ImportError) -> None:
    with pytest.raises(ImportError) as raised, needs("table"):
        raise fault
    assert raised.value is fault


def test_the_command_says_that_a_package_is_broken(tmp_path: Path) -> None:
    (tmp_path / "pyarrow").mkdir()
    (tmp_path / "pyarrow" / "__init__.py").write_text("raise ImportError('libarrow.so: not there', name='pyarrow')")
    done = subprocess.run(
        [sys.executable, "-m", "mien", "report", tmp_path / "x.jsonl"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "mien: A package that mien needs cannot be imported (libarrow.so: not there); install it again.\n"
    )
