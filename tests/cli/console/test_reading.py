from __future__ import annotations

from mien.cli.console.reading import table_lines


def test_chinese_characters_are_two_columns_wide() -> None:
    assert table_lines(["class", "数量"], [["高兴", 1234], ["sad", 5]]) == [
        "class   数量",
        "高兴   1,234",
        "sad        5",
    ]
