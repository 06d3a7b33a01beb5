from __future__ import annotations

import pytest

from mien.cli.console.options import time_s
from mien.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("95", 95.0), ("95.5", 95.5), (".5", 0.5), ("0", 0.0), (" 7 ", 7.0), ("100000", 100000.0)),
        *(("1:35.5", 95.5), ("99:10", 5950.0), ("0:01:35.500", 95.5), ("1:00:00", 3600.0), ("12:59:59.999", 46799.999)),
    ],
)
def test_a_time(text: str, expected: float) -> None:
    assert time_s(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "-1", "abc", "1e3", "inf", "nan", "1:75", "0:60:00", "1:2:3:4", "5s", "1,5", ":5"]
)
def test_no_time(text: str) -> None:
    with pytest.raises(InputError, match=r"must be seconds or H:MM:SS\.mmm"):
        time_s(text)
